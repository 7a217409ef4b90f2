"""Cancelling many orders: a list of them, all of a caller, all of the account. No risk rule and no mode may refuse it.

Each wish is durable in the order's own row, as that of a single cancel; what one call to Kraken does not end is pursued one
by one (app/cancels.py). Who may cancel whose orders is the desk's to say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TypeVar

from execsvc.app.cancels import PURSUIT_S, STREAM_S
from execsvc.app.chronicle import Chronicle
from execsvc.app.resolver import Resolver
from execsvc.app.settlements import Settlements, Watch
from execsvc.app.sightings import Sightings
from execsvc.domain.ending import by_caller
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.order import LIVE, TERMINAL, UNRESOLVED, CancelWished, Order, Status
from execsvc.domain.story import Step, StepKind
from execsvc.ports import CancelTarget, Clock, Journal, PrivateVenue, Tasks

T = TypeVar("T")

AT_ONCE = 256  # orders written or read at once: a sweep of thousands leaves others room in the queues of the store
_GONE = TERMINAL | {Status.NEVER_SENT}


@dataclass(frozen=True)
class Reach:
    """Which orders: of one caller or, with None, of everybody; of one symbol or, empty, of all.

    account: also those that were placed outside execsvc.
    """

    caller: str | None
    symbol: str = ""
    account: bool = False

    def takes(self, order: Order) -> bool:
        """Whether that order is among them."""
        if self.symbol not in {"", order.spec.symbol}:
            return False
        return self.account or (order.key.caller == self.caller if self.caller is not None else bool(order.key.caller))


@dataclass(frozen=True)
class Swept:
    """How many orders were asked to go, and how many of them are gone."""

    requested: int
    cancelled: int


class MassCancels:
    """Cancels of many orders of one account."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        chronicle: Chronicle,
        sightings: Sightings,
        resolver: Resolver,
        settlements: Settlements,
        stream_live: Callable[[], bool],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._chronicle = chronicle
        self._sightings = sightings
        self._resolver = resolver
        self._settlements = settlements
        self._stream_live = stream_live
        self._clock = clock
        self._tasks = tasks

    def __repr__(self) -> str:
        return f"<MassCancels {self._account}>"

    def soon(self) -> float:
        """Until when a sweep that nobody waits for is given, monotonic."""
        return self._clock.monotonic() + PURSUIT_S

    async def cancel(
        self, orders: Sequence[Order], by: float, *, caller: str, why: Fault | None = None
    ) -> tuple[Order, ...]:
        """Records every wish, then one call for all; each order as it stands when that is through, or at `by`.

        why: what the orders are told; None: the caller's wish, which is told to orders of others.
        """
        wished = await _in_pieces(lambda order: self._wish(order, caller, why), orders)
        going = [order for order in wished if order.status not in _GONE]
        if going:
            await self._within(by, self._tasks.start(f"cancel {len(going)} orders", self._pursue(going, caller)))
        return tuple(await _in_pieces(self._newest, wished))

    async def sweep(self, reach: Reach, by: float, *, caller: str, why: Fault | None = None) -> Swept:
        """Every order in reach that may be open; `why` as in cancel(). Raises Busy where the journal cannot tell which."""
        found = await self._journal.in_status(self._account, LIVE | UNRESOLVED)
        orders = [order for order in found if reach.takes(order)]
        ended = await self.cancel(orders, by, caller=caller, why=why)
        return Swept(len(orders), sum(order.status in _GONE for order in ended))

    async def clear_account(self, by: float, *, caller: str) -> Swept:
        """Kraken's own cancel-all, also of what was placed by hand; with the store down it is sent all the same.

        Where Kraken's call counter has no room for it, the orders that are known go by their ids, which costs no call.
        Raises Busy when Kraken did not answer: the wishes of known orders stand all the same and are pursued.
        """
        try:
            found = await self._journal.in_status(self._account, LIVE | UNRESOLVED)
        except Busy:
            found = ()
        orders = await _in_pieces(lambda order: self._wish(order, caller), found)
        clearing = self._tasks.start("cancel all of the account", self._clear(orders, caller))
        done = await self._within(by, clearing)
        return Swept(max(len(orders), done or 0), done or 0)

    async def _clear(self, orders: Sequence[Order], caller: str) -> int:
        try:
            done = await self._venue.cancel_all(self._clock.monotonic() + PURSUIT_S, caller=caller)
        except Busy as failure:
            self._note(orders, f"Kraken's cancel-all is not through: {failure.fault.message}.")
            if failure.reason is not Reason.LOCAL_RATE_LIMITED or not orders:
                raise
            await self._pursue(orders, caller)
            ended = await _in_pieces(self._newest, orders)
            return sum(order.status in _GONE for order in ended)
        self._note(orders, f"Kraken cancelled all open orders of the account, {done} of them.")
        self._resolver.hasten()
        return done

    async def _wish(self, order: Order, caller: str, why: Fault | None = None) -> Order:
        if order.status in _GONE:
            return order
        why = why or (None if order.key.caller == caller else by_caller(caller))
        if order.cancel_requested and why is not None and why != order.cancel_why:
            self._note([order], f"It is to go already, and now also since {why.message}.")
        try:
            return await self._chronicle.record(order.key, CancelWished(why))
        except Busy:
            return replace(order, cancel_requested=True)  # still sent, only not remembered

    async def _pursue(self, orders: Sequence[Order], caller: str) -> None:
        by = self._clock.monotonic() + PURSUIT_S
        targets = [CancelTarget(each.venue_order_id, each.venue_client_id, each.spec.symbol) for each in orders]
        with ExitStack() as held:
            watches = [held.enter_context(self._settlements.watch(order.key)) for order in orders]
            try:
                done = await self._venue.cancel_many(targets, by, caller=caller)
            except Busy as failure:
                self._note(orders, f"The cancel is not through yet: {failure.fault.message}.")
                self._resolver.hasten()
                return
            self._note(orders, f"Kraken was asked to cancel it in a batch of {len(orders)}, and cancelled {done}.")
            if any(not order.venue_order_id for order in orders):
                self._resolver.hasten()  # in doubt: an id that is not known proves nothing yet
            await self._ended([(order, watch) for order, watch in zip(orders, watches, strict=True)], by, caller)

    async def _ended(self, watched: Sequence[tuple[Order, Watch]], by: float, caller: str) -> None:
        """The private stream tells for nothing; whoever it does not tell of is asked for, all in one call."""
        known = [(order, watch) for order, watch in watched if order.venue_order_id]
        told = [order for order, _ in known]
        if self._stream_live():
            until = self._clock.monotonic() + STREAM_S
            told = list(await asyncio.gather(*(watch.until_ended(order, until) for order, watch in known)))
        left = {order.venue_order_id: order for order in told if order.status not in TERMINAL}
        if not left:
            return
        try:
            for report in await self._venue.query(tuple(sorted(left)), by, caller=caller):
                if report.venue_order_id in left:
                    await self._sightings.order(left[report.venue_order_id].key, report)
        except Busy as failure:
            self._note(list(left.values()), f"What the cancel led to is not known yet: {failure.fault.message}.")

    async def _within(self, by: float, work: Awaitable[T]) -> T | None:
        """What goes on in the server's own time is waited for until `by`."""
        try:
            async with self._clock.timeout_at(by):
                return await work
        except TimeoutError:
            return None

    async def _newest(self, order: Order) -> Order:
        try:
            return await self._journal.get(order.key) or order
        except Busy:
            return order

    def _note(self, orders: Sequence[Order], text: str) -> None:
        now_ns = self._clock.wall_ns()
        for order in orders:
            step = Step(now_ns, StepKind.CANCEL, text, attempt=order.attempt, trace_id=order.trace_id)
            self._chronicle.note(order.key, step)


async def _in_pieces(ask: Callable[[Order], Awaitable[Order]], orders: Sequence[Order]) -> list[Order]:
    """What each order is after asking the store about it: so many at a time that there is room for others beside them."""
    asked: list[Order] = []
    for start in range(0, len(orders), AT_ONCE):
        asked += await asyncio.gather(*map(ask, orders[start : start + AT_ONCE]))
    return asked
