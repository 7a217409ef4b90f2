"""Placing: check, make durable, send once, record, answer; and looking orders up.

The order of steps is the promise (promises.md section 3): a refusal before `begin` leaves no trace and the id free; after it
the order is durable and always resolves. The send runs in a task the server owns, so a caller that hangs up changes
nothing. Looking for orders in doubt is app/resolver.py, cancelling app/cancels.py, the private stream app/executions.py.
"""

from collections.abc import Awaitable
from contextlib import ExitStack
from dataclasses import dataclass, replace

from execsvc.app import entitled
from execsvc.app.cancels import Cancels, Unremembered
from execsvc.app.catalog import Catalog
from execsvc.app.risk import RiskDesk
from execsvc.app.riskhold import Hold
from execsvc.app.sender import Sender
from execsvc.app.settlements import Settlements, Watch
from execsvc.app.switch import Switch
from execsvc.app.timing import Timing, clock_untrusted
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason, error_of, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import UNRESOLVED, Order, Status
from execsvc.domain.pairrules import pair_faults
from execsvc.domain.risk import lacking
from execsvc.domain.spec import OrderSpec, content_hash
from execsvc.ports import Clock, Fresh, Journal, Known, OrderQuery, PrivateVenue, Room
from execsvc.telemetry import Spans, Telemetry

VENUE_FLOOR_S = 2.0  # kraken.md 2.4: REST `deadline` is at least now + 2 s (the floor is uncertain: a setting)
FLOOR_MARGIN_S = 0.2
PRICES_MOST = 2
_NOTHING_STANDS = frozenset({Status.REJECTED, Status.NOT_PLACED, Status.NEVER_SENT})


@dataclass(frozen=True)
class Placed:
    """The order as it stands; IN_DOUBT is a truthful answer. replayed: the id was known before."""

    order: Order
    replayed: bool


@dataclass(frozen=True)
class Wanted:
    """One placement as it is asked for; its symbol is canonical."""

    who: Caller
    key: OrderKey
    instrument: Instrument
    spec: OrderSpec
    timing: Timing


class Desk:
    """Orders of one account; `risk` holds them to the limits, and whatever else grows them."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        catalog: Catalog,
        sender: Sender,
        cancels: Cancels,
        settlements: Settlements,
        risk: RiskDesk,
        switch: Switch,
        clock: Clock,
        telemetry: Telemetry,
        venue_floor_s: float = VENUE_FLOOR_S,
    ) -> None:
        self.account = account
        self._venue = venue
        self._journal = journal
        self._catalog = catalog
        self._sender = sender
        self._cancels = cancels
        self._settlements = settlements
        self.risk = risk
        self._switch = switch
        self._clock = clock
        self._telemetry = telemetry
        self._floor_s = venue_floor_s

    def __repr__(self) -> str:
        closed = self._switch.closed_because
        return f"<Desk {self.account} {'open' if closed is None else closed.reason.name}, {self.in_flight} in flight>"

    @property
    def closed_because(self) -> Fault | None:
        """Why no order is taken now; None: orders are taken."""
        return self._switch.closed_because

    @property
    def least_timeout_s(self) -> float:
        """The least time a placement needs on arrival."""
        return self._floor_s + FLOOR_MARGIN_S

    @property
    def in_flight(self) -> int:
        """Sends not yet settled."""
        return self._sender.in_flight

    # ---- placing ------------------------------------------------------------------------------------------------

    async def place(self, who: Caller, client_order_id: str, spec: OrderSpec, timing: Timing) -> Placed:
        """Places once per id. Raises before anything happened (`id_used=false`) or with the order's final refusal."""
        key = OrderKey(self.account, who.name, client_order_id)
        with self._settlements.watch(key) as watch:
            try:
                begun = await self._admit(who, key, spec, timing)
            except ExecsvcError as refusal:
                self.risk.refused(refusal.fault)
                if "id_used" in refusal.fault.metadata:
                    raise
                raise error_of(refusal.fault.with_metadata(id_used="false")) from None
            if isinstance(begun, Known):
                await self._sender.replayed(begun.order)
            return await self._answer(watch, begun.order, timing, replayed=isinstance(begun, Known))

    async def _admit(self, who: Caller, key: OrderKey, spec: OrderSpec, timing: Timing) -> Fresh | Known:
        """Checks, then the intent. A refusal is told only for an id that is not known: a repeat places nothing."""
        with ExitStack() as held:
            with self._telemetry.span(Spans.CHECKS, _facts(key, spec)):
                try:
                    instrument = self._catalog.instrument(spec.symbol, "spec.symbol")
                except ExecsvcError:
                    known = await self._known_without_pair(key, spec)
                    if known is None:
                        raise
                    return Known(known)
                if spec.symbol != instrument.symbol:
                    spec = replace(spec, symbol=instrument.symbol)
                if not self.risk.ready:
                    await self.risk.restore()
                wanted = Wanted(who, key, instrument, spec, timing)
                hold: Hold | None = None
                try:
                    hold = self._reserve(wanted)
                    held.callback(hold.release)
                    room = await self._room_at_once(key, spec)
                except ExecsvcError as refusal:
                    known = await self._known(key, spec)
                    if known is not None:
                        return Known(known)
                    hold, room = await self._later(wanted, refusal, hold, held)
            begun = self._sender.begin(key, spec, timing, instrument, room, who=who)
            held.pop_all()  # from here on the reservation ends as the intent does
        return await self._carried(begun, hold)

    def _reserve(self, wanted: Wanted) -> Hold:
        """What keeps such an order from being sent now, then the limits: what it takes of them is taken, all in one go."""
        self.check(wanted.who, wanted.instrument, wanted.spec, wanted.timing)
        return self.risk.reserve(wanted.who, wanted.key, wanted.instrument, wanted.spec)

    async def _carried(self, begun: Awaitable[Fresh | Known], hold: Hold) -> Fresh | Known:
        """The intent as it became durable, with its reservation."""
        return await self.risk.carried(begun, (hold,), lambda result: (isinstance(result, Fresh),))

    async def _room_at_once(self, key: OrderKey, spec: OrderSpec) -> Room:
        """Points of Kraken's counter, set aside before anything is begun: what may not be sent is never journaled."""
        return await self._venue.rates.room(spec.symbol, key.caller, self._clock.monotonic())

    async def _later(
        self, wanted: Wanted, refusal: ExecsvcError, hold: Hold | None, held: ExitStack
    ) -> tuple[Hold, Room]:
        """Once more after a wait, where one helps: for the first price of a pair, or for room. Raises the refusal else."""
        key, spec = wanted.key, wanted.spec
        if hold is None:
            hold = await self._reserved_once_priced(wanted, refusal)
            held.callback(hold.release)
            try:
                return hold, await self._room_at_once(key, spec)
            except ExecsvcError as full:
                refusal = full
        room = await self._room_in_turn(key, spec, wanted.timing, refusal)
        try:
            self.check(wanted.who, wanted.instrument, spec, wanted.timing)
            self.risk.recheck(wanted.who, hold)
        except ExecsvcError:
            room.release()
            raise
        return hold, room

    async def _reserved_once_priced(self, wanted: Wanted, refusal: ExecsvcError) -> Hold:
        """A pair that nobody followed has its first price in a moment; where that is not what is missing, it stays refused.

        Two pairs may be missing, one after the other: that of the order, and that of its quote in dollars.
        """
        timing = wanted.timing
        by = min(timing.arrived + timing.entry_delay_s, timing.by) - self.least_timeout_s
        for _ in range(PRICES_MOST):
            if not await self.risk.arrive(lacking(refusal.fault), by):
                break
            try:
                return self._reserve(wanted)
            except ExecsvcError as again:
                refusal = again
        raise refusal

    async def _room_in_turn(self, key: OrderKey, spec: OrderSpec, timing: Timing, refusal: ExecsvcError) -> Room:
        """Where the caller allows it to be held back, and a counter is all that is in the way. Raises the refusal else."""
        by = timing.queue_by(self.least_timeout_s)
        if refusal.reason is not Reason.LOCAL_RATE_LIMITED or by <= self._clock.monotonic():
            raise refusal
        return await self._venue.rates.room(spec.symbol, key.caller, by)

    async def _known(self, key: OrderKey, spec: OrderSpec) -> Order | None:
        """The order this id already stands for, unless it was never sent (then the id is free for this content)."""
        order = await self._journal.get(key)
        if order is None or (
            order.status is Status.NEVER_SENT and order.content_hash == content_hash(key.account, spec)
        ):
            return None
        given = content_hash(key.account, spec)
        if order.content_hash != given:
            raise refuse(
                Reason.CLIENT_ORDER_ID_REUSED,
                f"{key.client_order_id!r} already stands for another order; nothing was sent, use a new id",
                stored_content_hash=order.content_hash.hex(),
                content_hash=given.hex(),
                order_id=order.venue_order_id,
                id_used="true",
            )
        return order

    async def _known_without_pair(self, key: OrderKey, spec: OrderSpec) -> Order | None:
        """As `known`, of a pair that is not listed any more, or not read yet: where it is spelt as the order has it."""
        order = await self._journal.get(key)
        return None if order is None or order.spec.symbol != spec.symbol else await self._known(key, spec)

    def refusal(self, who: Caller, spec: OrderSpec) -> Fault | None:
        """Why no such order of the caller's is taken now, whatever its figures: a right it lacks, a mode, a closed desk."""
        return (
            entitled.refusal(who, self.account, spec)
            or self._switch.refusal(who.name, spec)
            or self._sender.forbids()
            or clock_untrusted(self._venue.clock())
        )

    def check(self, who: Caller, instrument: Instrument, spec: OrderSpec, timing: Timing) -> None:
        """Raises what keeps such an order from being sent now, limits aside: a right, a closed desk, a rule, the time."""
        closed = self.refusal(who, spec)
        if closed is not None:
            raise error_of(closed)
        self._catalog.demand_fresh()
        faults = pair_faults(instrument, spec, self._clock.wall_ns())
        if faults:
            fields = tuple(bad for fault in faults for bad in fault.fields)
            raise error_of(replace(faults[0], fields=fields))
        left_s = min(timing.entry_delay_s, timing.by - self._clock.monotonic())
        if left_s < self.least_timeout_s:
            raise _too_short(left_s, self.least_timeout_s)

    async def _answer(self, watch: Watch, order: Order, timing: Timing, *, replayed: bool) -> Placed:
        settled = await watch.until_settled(order, timing.answer_by)
        if settled.status in UNRESOLVED:
            settled = await self._sender.doubted(settled)
        fault = settled.end_fault
        if fault is not None and settled.status in _NOTHING_STANDS:
            raise error_of(fault.with_metadata(replayed="true") if replayed else fault)
        return Placed(settled, replayed)

    # ---- cancelling ---------------------------------------------------------------------------------------------

    async def cancel(self, who: Caller, ref: OrderRef, by: float) -> Order | Unremembered:
        """Of one's own, or with `kill` of another's. While the store cannot be read it is sent by the derived id."""
        self.risk.cancelled(who)
        try:
            order = await self.cancellable(who, ref)
        except Busy as store_down:
            return await self._cancels.blind(who, ref, by, store_down)
        return await self._cancels.cancel(order, by, caller=who.name)

    async def cancellable(self, who: Caller, ref: OrderRef) -> Order:
        """The order, if it is one's own or one may `kill`. Raises as `get`, or PERMISSION_MISSING."""
        order = await self.get(who, ref)
        if order.key.caller != who.name and not who.may(Permission.KILL, self.account):
            raise refuse(
                Reason.PERMISSION_MISSING,
                "cancelling another caller's order needs the permission kill",
                permission=Permission.KILL.value,
            )
        return order

    # ---- reading ------------------------------------------------------------------------------------------------

    async def get(self, who: Caller, ref: OrderRef) -> Order:
        """One order by either id. Raises ORDER_NOT_FOUND; another's order needs `account`."""
        order = await self._find(who, ref)
        if order is None or (order.key.caller != who.name and not who.may(Permission.ACCOUNT, self.account)):
            raise refuse(Reason.ORDER_NOT_FOUND, f"no order {str(ref)!r} is known here for caller {who.name!r}")
        return order

    async def _find(self, who: Caller, ref: OrderRef) -> Order | None:
        key = ref.key_for(self.account, who.name)
        if key is None:
            return await self._journal.find(self.account, venue_order_id=ref.venue_order_id)
        return await self._journal.get(key)

    async def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """Orders from the journal, newest first."""
        return await self._journal.page(query)


def _too_short(left_s: float, least_s: float) -> ExecsvcError:
    return refuse(
        Reason.DEADLINE_TOO_SHORT,
        f"{max(left_s, 0.0):.3f} s are left and a placement needs {least_s:.1f} s; nothing was sent, allow more time",
        least=f"{least_s:.1f}s",
        id_used="false",
    )


def _facts(key: OrderKey, spec: OrderSpec) -> dict[str, str | int | float | bool]:
    return {
        "execsvc.client_order_id": key.client_order_id,
        "execsvc.symbol": spec.symbol,
        "execsvc.side": spec.side.value,
        "execsvc.order_type": spec.order_type.value,
        "execsvc.time_in_force": spec.time_in_force.value,
    }
