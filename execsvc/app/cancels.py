"""Cancelling: the wish is durable, then pursued until the order has ended. Nothing here may be refused by a risk rule.

For an order in doubt "unknown order" proves nothing, it may still enter: the wish stays and is sent again when the order is
found (promises.md section 3). With the store down a cancel is sent all the same, by the id that can be derived without it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import assert_never

from execsvc.app.chronicle import Chronicle
from execsvc.app.resolver import Resolver
from execsvc.app.settlements import Settlements, Watch
from execsvc.app.sightings import Sightings
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.ending import by_caller
from execsvc.domain.errors import Busy, ExecsvcError, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef, wire_id
from execsvc.domain.order import LIVE, TERMINAL, CancelWished, Order, Status
from execsvc.domain.story import Step, StepKind
from execsvc.ports import CancelFoundNothing, CancelTaken, Clock, Journal, PrivateVenue, Tasks

PURSUIT_S = 30.0
STREAM_S = 1.0  # a stream that stands tells the end of an order well before
BLIND_ATTEMPTS = 3  # wire ids tried while the journal cannot tell which attempt stands


@dataclass(frozen=True)
class Unremembered:
    """Kraken took a cancel of an order that could not be looked up: the store is down."""

    key: OrderKey
    venue_client_id: str


class Cancels:
    """Cancels of one account. `pursue_wishes` is called by the keeper of executions, `stream_live` tells of the stream."""

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
        installation_secret: bytes,
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
        self._secret = installation_secret

    def __repr__(self) -> str:
        return f"<Cancels {self._account}>"

    async def cancel(self, order: Order, by: float, *, caller: str) -> Order:
        """Records the caller's wish and pursues it; the order as it stands when Kraken answered or at `by`."""
        if order.status in TERMINAL or order.status is Status.NEVER_SENT:
            return order
        try:
            why = None if order.key.caller == caller else by_caller(caller)
            order = await self._chronicle.record(order.key, CancelWished(why))
        except Busy:
            order = replace(order, cancel_requested=True)  # the store is down: still sent, only not remembered
        return await self._outcome_of(self.pursue(order), order, by)

    def pursue(self, order: Order) -> Awaitable[Order]:
        """Sends the cancel in a task of the server's own."""
        return self._tasks.start(f"cancel {order.key}", self._pursue(order))

    async def pursue_wishes(self) -> None:
        """Sends again every recorded wish whose order is still live."""
        for order in await self._journal.in_status(self._account, LIVE):
            if order.cancel_requested:
                await self._pursue(order)

    async def blind(self, who: Caller, ref: OrderRef, by: float, why: ExecsvcError) -> Unremembered:
        """Without a journal to look in: by the derived id of the caller's own order. Raises `why` where that cannot be."""
        key = ref.key_for(self._account, who.name)
        if key is None or not key.caller or (key.caller != who.name and not who.may(Permission.KILL, self._account)):
            raise why
        pursuit = self._tasks.start(f"blind cancel {key}", self._by_derived_ids(key, by))
        said = "Kraken knows no such open order"
        try:
            async with self._clock.timeout_at(by):
                taken = await pursuit
        except TimeoutError:
            taken, said = None, "Kraken has not answered yet"
        if taken is not None:
            return taken
        raise refuse(
            Reason.STORE_UNAVAILABLE,
            f"{why.fault.message}; the cancel was sent by the derived id all the same, and {said}",
            retry_after_s=why.fault.retry_after_s,
        )

    async def _by_derived_ids(self, key: OrderKey, by: float) -> Unremembered | None:
        """Which attempt stands only the journal knows: the first few are tried."""
        for attempt in range(BLIND_ATTEMPTS):
            venue_client_id = wire_id(self._secret, key, attempt)
            outcome = await self._venue.cancel("", venue_client_id, by, caller=key.caller)
            if isinstance(outcome, CancelTaken):
                return Unremembered(key, venue_client_id)
        return None

    async def _outcome_of(self, pursuit: Awaitable[Order], order: Order, by: float) -> Order:
        try:
            async with self._clock.timeout_at(by):
                return await pursuit
        except TimeoutError:
            return await self._newest(order)

    async def _pursue(self, order: Order) -> Order:
        by = self._clock.monotonic() + PURSUIT_S
        with self._settlements.watch(order.key) as watch:
            try:
                outcome = await self._venue.cancel(
                    order.venue_order_id, order.venue_client_id, by, symbol=order.spec.symbol, caller=order.key.caller
                )
            except Busy as failure:
                self._note(order, f"The cancel is not through yet: {failure.fault.message}.")
                self._resolver.hasten()
                return await self._newest(order)
            self._note(order, _said(outcome))
            match outcome:
                case CancelTaken() | CancelFoundNothing() if order.venue_order_id:
                    return await self._ended(watch, order, by)
                case CancelTaken() | CancelFoundNothing():
                    self._resolver.hasten()
                case _:
                    assert_never(outcome)
        return await self._newest(order)

    async def _ended(self, watch: Watch, order: Order, by: float) -> Order:
        """What became of it: the private stream tells for nothing; asking costs a call that Kraken counts."""
        if self._stream_live():
            told = await watch.until_ended(order, self._clock.monotonic() + STREAM_S)
            if told.status in TERMINAL:
                return told
        try:
            for report in await self._venue.query((order.venue_order_id,), by, caller=order.key.caller):
                return await self._sightings.order(order.key, report)
        except Busy as failure:
            self._note(order, f"What the cancel led to is not known yet: {failure.fault.message}.")
        return await self._newest(order)

    async def _newest(self, order: Order) -> Order:
        """As the journal knows it; as we know it while the journal cannot be read."""
        try:
            return await self._journal.get(order.key) or order
        except Busy:
            return order

    def _note(self, order: Order, text: str) -> None:
        step = Step(self._clock.wall_ns(), StepKind.CANCEL, text, attempt=order.attempt, trace_id=order.trace_id)
        self._chronicle.note(order.key, step)


def _said(outcome: CancelTaken | CancelFoundNothing) -> str:
    if isinstance(outcome, CancelFoundNothing):
        return "Kraken was asked to cancel it and knows no such open order."
    return "Kraken took the cancel, not done yet." if outcome.pending else "Kraken took the cancel."
