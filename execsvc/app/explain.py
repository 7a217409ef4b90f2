"""Tells an order's story: the durable steps, then those noted since, and of an order without a fate what is awaited.

Read only, and nothing is made up here but the last sentence: a step is worded by whoever took it (domain/story.py,
app/chronicle.py), who may hear the story is the desk's rule, and what a doubt waits for is the resolver's to say.
"""

from collections.abc import Callable
from datetime import UTC, datetime

from execsvc.app.chronicle import Chronicle
from execsvc.app.desk import Desk
from execsvc.domain.caller import Caller
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import UNRESOLVED, Order
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Clock, Journal

READS_MAX = 3  # an order that changes between two reads is read again, this often at most


class Explain:
    """The stories of one account's orders. `awaited` says in a sentence what a doubt waits for; empty when nobody knows."""

    def __init__(
        self, *, desk: Desk, journal: Journal, chronicle: Chronicle, clock: Clock, awaited: Callable[[OrderKey], str]
    ) -> None:
        self._desk = desk
        self._journal = journal
        self._chronicle = chronicle
        self._clock = clock
        self._awaited = awaited

    async def tell(self, who: Caller, ref: OrderRef) -> tuple[Order, tuple[Step, ...]]:
        """The order and its steps, oldest first, then what is awaited; as many as the store keeps and was noted.

        Raises ORDER_NOT_FOUND, also for another's order without the permission `account` (Desk.get).
        """
        order = await self._desk.get(who, ref)
        told: tuple[Step, ...] = ()
        for _ in range(READS_MAX):
            told = await self._steps(order.key)
            before, order = order, await self._desk.get(who, ref)
            if order.version == before.version:
                break
        if order.status in UNRESOLVED:
            told = (*told, self._last_word(order, told))
        return order, told

    async def _steps(self, key: OrderKey) -> tuple[Step, ...]:
        noted = self._chronicle.noted(key)  # before the durable ones: a commit in between shows a step twice, not never
        return _merged(await self._journal.story(key), noted)

    def _last_word(self, order: Order, told: tuple[Step, ...]) -> Step:
        """What is awaited: a wait that goes on, so it has no length yet."""
        text = self._awaited(order.key) or (
            f"Kraken's answer is awaited. The order can get in until {_clock_time(order.entry_deadline_ns)};"
            " without an answer it is looked for, and not sent again."
        )
        latest_ns = told[-1].at_ns if told else 0
        now_ns = max(self._clock.wall_ns(), latest_ns)
        return Step(now_ns, StepKind.WAITED, text, attempt=order.attempt, trace_id=order.trace_id)


def _merged(durable: tuple[Step, ...], noted: tuple[Step, ...]) -> tuple[Step, ...]:
    """By time, each step once; at one time the durable ones come first."""
    known = {_mark(step) for step in durable}
    return tuple(sorted((*durable, *(n for n in noted if _mark(n) not in known)), key=lambda step: step.at_ns))


def _mark(step: Step) -> tuple[int, StepKind, int, str]:
    return step.at_ns, step.kind, step.attempt, step.text


def _clock_time(at_ns: int) -> str:
    moment = datetime.fromtimestamp(at_ns // 10**9, UTC)
    return f"{moment:%H:%M:%S}.{at_ns // 10**6 % 1000:03d} UTC"
