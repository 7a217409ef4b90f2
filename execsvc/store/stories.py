"""What a commit adds to an order's story: one row of steps, and how far a story may grow.

A story explains, it decides nothing: nobody reads it back to know an order's state. Which step an event is, says
domain/story.py; what happened between two commits is collected by the use cases.
"""

from dataclasses import dataclass, replace

from execsvc.domain.order import Order
from execsvc.domain.story import Step, StepKind

# So many steps of an order are kept whatever they say; after them only those that tell a change of its status, and in the
# end nothing: an id may be tried again without end as long as nothing of it was sent.
STEPS_MOST = 1_000
STORY_MOST = 50_000
_LONG = "The story is long: from here on only changes of the order's status are kept."


@dataclass(frozen=True)
class StoryRow:
    """The steps of one order in one commit; `upto` counts the story with them, `body` is their text."""

    upto: int
    steps: tuple[Step, ...]
    body: str


def kept_of(steps: tuple[Step, ...], told: int) -> tuple[Step, ...]:
    """Those of `steps` that are kept in a story of `told` steps; where it begins to leave some out, it says so once."""
    room = max(STEPS_MOST - told, 0)
    within, beyond = steps[:room], steps[room:]
    if not beyond:
        return within
    first = beyond[0]
    note = Step(first.at_ns, StepKind.STATUS, _LONG, attempt=first.attempt, trace_id=first.trace_id)
    changes = tuple(step for step in beyond if step.status is not None)
    return ((*within, note, *changes) if told <= STEPS_MOST else changes)[: STORY_MOST - told]


def journaled(order: Order, now_ns: int) -> Step:
    """The step that an intent is which has become durable."""
    return Step(
        now_ns,
        StepKind.JOURNALED,
        "Written down and synced; only now may it be sent."
        if order.attempt == 0
        else f"Attempt {order.attempt} is written down and synced; nothing of the one before was sent.",
        attempt=order.attempt,
        status=order.status,
        trace_id=order.trace_id,
    )


def with_venue_time(step: Step, venue_ns: int | None) -> Step:
    """The step with Kraken's own stamp, where there is one."""
    return step if venue_ns is None else replace(step, venue_ns=venue_ns)
