"""What happened on an order's way between two commits: kept for its story until the next commit takes it along.

A sweep or a wait is not worth a commit of its own. What is noted here is told by ExplainOrder while the process lives and
becomes durable with the order's next change; a crash loses only notes, never a state. Bounded per order and in all.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order, OrderEvent
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Clock, Journal

T = TypeVar("T")

NOTES_MAX = 64  # of one order; what is in the middle is counted, not kept
ORDERS_MAX = 4096


class Chronicle:
    """The notes of one account's orders."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._notes: OrderedDict[OrderKey, tuple[Step, ...]] = OrderedDict()
        self._leaving: dict[OrderKey, list[tuple[Step, ...]]] = {}

    def __repr__(self) -> str:
        return f"<Chronicle of {len(self._notes)} orders>"

    def note(self, key: OrderKey, step: Step) -> None:
        """Keeps a step until the order's next commit."""
        self._notes[key] = _bounded((*self._notes.pop(key, ()), step))
        while len(self._notes) > ORDERS_MAX:
            self._notes.popitem(last=False)

    def noted(self, key: OrderKey) -> tuple[Step, ...]:
        """The steps not yet durable, those of a commit under way included."""
        under_way = (step for steps in self._leaving.get(key, ()) for step in steps)
        return (*under_way, *self._notes.get(key, ()))

    async def record(self, key: OrderKey, event: OrderEvent) -> Order:
        """Journal.record at this moment, with what was noted of the order."""
        return await self.along(key, lambda steps: self._journal.record(key, event, self._clock.wall_ns(), steps))

    async def along(self, key: OrderKey, commit: Callable[[tuple[Step, ...]], Awaitable[T]]) -> T:
        """A commit about the order takes along what was noted of it; one that fails leaves the notes here."""
        steps = self._notes.pop(key, ())
        # Two commits of one order may be under way at once, and each takes only what the other did not.
        leaving = self._leaving.setdefault(key, [])
        leaving.append(steps)
        try:
            return await commit(steps)
        except BaseException:
            self._notes[key] = _bounded((*steps, *self._notes.pop(key, ())))
            raise
        finally:
            leaving.remove(steps)
            if not leaving:
                self._leaving.pop(key, None)


def _bounded(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The oldest half and the newest half; in place of what lay between, one step that says how much it was."""
    if len(steps) <= NOTES_MAX:
        return steps
    half = NOTES_MAX // 2
    first, last = steps[: half - 1], steps[-half:]
    left_out = len(steps) - len(first) - len(last)
    before = steps[half - 1]
    if before.kind is StepKind.SWEPT and before.text.endswith(_MORE):
        left_out += int(before.text.split(maxsplit=1)[0]) - 1
    return (*first, replace(before, kind=StepKind.SWEPT, took_ns=None, text=f"{left_out} {_MORE}"), *last)


_MORE = "more steps, left out."
