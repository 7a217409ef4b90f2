"""Placing and cancelling: check, make durable, send once, record, answer.

The order of steps is the promise (promises.md section 3): a refusal before `begin` leaves no trace and the id free; after it
the order is durable and always resolves. The send runs in a task the server owns, so a caller that hangs up changes
nothing. Looking for orders in doubt is app/resolver.py, what the private stream tells is app/executions.py.
"""

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import assert_never

from execsvc.app.catalog import Catalog
from execsvc.app.resolver import Resolver
from execsvc.app.risk import RiskDesk
from execsvc.app.settlements import Settlements, Watch
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason, error_of, refuse
from execsvc.domain.ids import OrderKey, OrderRef, wire_id
from execsvc.domain.instrument import Instrument, pair_faults
from execsvc.domain.order import (
    LIVE,
    TERMINAL,
    UNRESOLVED,
    Acknowledged,
    CancelWished,
    Doubted,
    Intent,
    NeverSent,
    Order,
    OrderSpec,
    Refused,
    Seen,
    Status,
    content_hash,
)
from execsvc.ports import (
    Accepted,
    CancelFoundNothing,
    CancelTaken,
    Clock,
    Fresh,
    Journal,
    Known,
    OrderQuery,
    PrivateVenue,
    RefusedByVenue,
    Store,
    Tasks,
    Unknown,
    Unsent,
)
from execsvc.telemetry import Spans, Telemetry, trace_id_of_current

DEFAULT_TIMEOUT_S = 10.0
DEFAULT_ENTRY_DELAY_S = 5.0
ENTRY_DELAY_MAX_S = 60.0
VENUE_FLOOR_S = 2.0  # kraken.md 2.4: REST `deadline` is at least now + 2 s (the floor is uncertain: a setting)
FLOOR_MARGIN_S = 0.2
CANCEL_PURSUIT_S = 30.0
OUTCOMES = {Accepted: "accepted", RefusedByVenue: "refused", Unknown: "unknown", Unsent: "unsent"}


@dataclass(frozen=True)
class Timing:
    """A placement's time limits: monotonic arrival, the caller's own deadline (None: 10 s), the wished entry delay."""

    arrived: float
    caller_by: float | None = None
    max_entry_delay_s: float = DEFAULT_ENTRY_DELAY_S

    @property
    def by(self) -> float:
        """The caller's deadline, monotonic."""
        return self.arrived + DEFAULT_TIMEOUT_S if self.caller_by is None else self.caller_by

    @property
    def answer_by(self) -> float:
        """When the answer must leave at the latest: 50 ms or 5 % before the caller gives up."""
        return self.by - max(0.05, 0.05 * (self.by - self.arrived))

    @property
    def entry_delay_s(self) -> float:
        """How long Kraken may take to let the order in, counted from arrival."""
        return min(self.by - self.arrived, self.max_entry_delay_s, ENTRY_DELAY_MAX_S)


@dataclass(frozen=True)
class Placed:
    """The order as it stands; IN_DOUBT is a truthful answer. replayed: the id was known before."""

    order: Order
    replayed: bool


class Desk:
    """Orders of one account."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        store: Store,
        catalog: Catalog,
        resolver: Resolver,
        settlements: Settlements,
        risk: RiskDesk,
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
        venue_floor_s: float = VENUE_FLOOR_S,
    ) -> None:
        self.account = account
        self._venue = venue
        self._store = store
        self._journal: Journal = store
        self._catalog = catalog
        self._resolver = resolver
        self._settlements = settlements
        self._risk = risk
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry
        self._floor_s = venue_floor_s
        self._flying: set[OrderKey] = set()
        self.closed_because: Fault | None = None

    def __repr__(self) -> str:
        state = "open" if self.closed_because is None else self.closed_because.reason.name
        return f"<Desk {self.account} {state}, {len(self._flying)} in flight>"

    @property
    def least_timeout_s(self) -> float:
        """The least time a placement needs on arrival."""
        return self._floor_s + FLOOR_MARGIN_S

    @property
    def in_flight(self) -> int:
        """Sends not yet settled."""
        return len(self._flying)

    # ---- placing ------------------------------------------------------------------------------------------------

    async def place(self, who: Caller, client_order_id: str, spec: OrderSpec, timing: Timing) -> Placed:
        """Places once per id. Raises before anything happened (`id_used=false`) or with the order's final refusal."""
        key = OrderKey(self.account, who.name, client_order_id)
        with self._settlements.watch(key) as watch:
            try:
                begun = await self._admit(key, spec, timing)
            except ExecsvcError as refusal:
                if "id_used" in refusal.fault.metadata:
                    raise
                raise error_of(refusal.fault.with_metadata(id_used="false")) from None
            return await self._answer(watch, begun.order, timing, replayed=isinstance(begun, Known))

    async def _admit(self, key: OrderKey, spec: OrderSpec, timing: Timing) -> Fresh | Known:
        """Checks, then the intent. A refusal is told only for an id that is not known: a repeat places nothing."""
        with self._telemetry.span(Spans.CHECKS, _facts(key, spec)):
            instrument = self._catalog.instrument(spec.symbol, "spec.symbol")
            spec = replace(spec, symbol=instrument.symbol)
            try:
                self._check(instrument, spec, timing)
            except ExecsvcError:
                known = await self._known(key, spec)
                if known is None:
                    raise
                return Known(known)
        # Owned by the server from here on: whoever hangs up while the intent is written leaves no order unsent.
        return await self._tasks.start(f"begin {key}", self._begin_and_send(key, spec, timing, instrument))

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

    def _check(self, instrument: Instrument, spec: OrderSpec, timing: Timing) -> None:
        if self.closed_because is not None:
            raise error_of(self.closed_because)
        self._catalog.demand_fresh()
        faults = pair_faults(
            instrument, quantity=spec.base_quantity, limit_price=spec.limit_price, post_only=spec.post_only
        )
        if faults:
            fields = tuple(bad for fault in faults for bad in fault.fields)
            raise error_of(replace(faults[0], fields=fields))
        self._risk.check(instrument, spec)
        left_s = min(timing.entry_delay_s, timing.by - self._clock.monotonic())
        if left_s < self.least_timeout_s:
            raise _too_short(left_s, self.least_timeout_s)

    async def _begin_and_send(
        self, key: OrderKey, spec: OrderSpec, timing: Timing, instrument: Instrument
    ) -> Fresh | Known:
        """Durable first; whoever's insert won sends, once."""
        begun = await self._begin(key, spec, timing)
        if isinstance(begun, Fresh):
            self._flying.add(key)
            self._tasks.start(f"send {key}", self._send(begun.order, instrument))
        return begun

    async def _begin(self, key: OrderKey, spec: OrderSpec, timing: Timing) -> Fresh | Known:
        now_ns = self._clock.wall_ns()
        spent_s = self._clock.monotonic() - timing.arrived
        secret = self._store.installation_secret
        intent = Intent(
            key=key,
            spec=spec,
            entry_deadline_ns=now_ns + int((timing.entry_delay_s - spent_s) * 1e9),
            key_label=self._venue.key_label,
            trace_id=trace_id_of_current(),
            wire_id_of=lambda attempt: wire_id(secret, key, attempt),
        )
        began = self._clock.monotonic()
        with self._telemetry.span(Spans.JOURNAL):
            begun = await self._journal.begin(intent, now_ns)
        self._telemetry.order_seconds.record(self._clock.monotonic() - began, {"stage": "journal"})
        return begun

    async def _send(self, order: Order, instrument: Instrument) -> None:
        """Owned by the server: one POST, then the outcome is durable. Whatever cannot be recorded stays a doubt."""
        began = self._clock.monotonic()
        try:
            left_s = (order.entry_deadline_ns - self._clock.wall_ns()) / 1e9
            placement = await self._venue.place(order, instrument, began + left_s)
            await self._record(order, placement)
        except Busy as failure:
            await self._resolver.adopt(order, f"the outcome could not be stored: {failure.fault.message}")
        finally:
            self._flying.discard(order.key)
            self._telemetry.order_seconds.record(self._clock.monotonic() - began, {"stage": "ack"})

    async def _record(self, order: Order, placement: Accepted | RefusedByVenue | Unknown | Unsent) -> None:
        now_ns = self._clock.wall_ns()
        reason = ""
        match placement:
            case Accepted(venue_order_id):
                placed = await self._journal.record(order.key, Acknowledged(venue_order_id), now_ns)
                if placed.cancel_requested:
                    self._tasks.start(f"cancel {order.key}", self._pursue_cancel(placed))
            case RefusedByVenue(fault):
                reason = fault.reason.name
                await self._journal.record(order.key, Refused(fault.with_metadata(id_used="true")), now_ns)
            case Unsent(fault):
                reason = fault.reason.name
                await self._journal.record(order.key, NeverSent(fault.with_metadata(id_used="false")), now_ns)
            case Unknown(why):
                await self._resolver.adopt(order, why)
            case _:
                assert_never(placement)
        self._telemetry.orders.add(1, {"outcome": OUTCOMES[type(placement)], "reason": reason})

    async def _answer(self, watch: Watch, order: Order, timing: Timing, *, replayed: bool) -> Placed:
        settled = await watch.until_settled(order, timing.answer_by)
        if settled.status in UNRESOLVED:
            settled = await self._doubted(settled)
        if settled.status in {Status.REJECTED, Status.NOT_PLACED, Status.NEVER_SENT} and settled.end_fault is not None:
            fault = settled.end_fault
            raise error_of(fault.with_metadata(replayed="true") if replayed else fault)
        return Placed(settled, replayed)

    async def _doubted(self, order: Order) -> Order:
        """What is told as in doubt is journaled as in doubt first, while the store allows it."""
        if order.status is Status.IN_DOUBT:
            return order
        try:
            return await self._journal.record(
                order.key, Doubted("no answer in the caller's time"), self._clock.wall_ns()
            )
        except Busy:
            return replace(order, status=Status.IN_DOUBT)

    # ---- cancelling ---------------------------------------------------------------------------------------------

    async def cancel(self, who: Caller, ref: OrderRef, by: float) -> Order:
        """Records the wish and pursues it; the order as it stands when Kraken answered or at `by`."""
        order = await self.get(who, ref)
        if order.key.caller != who.name and not who.may(Permission.KILL):
            raise refuse(
                Reason.PERMISSION_MISSING,
                "cancelling another caller's order needs the permission kill",
                permission=Permission.KILL.value,
            )
        if order.status in TERMINAL or order.status is Status.NEVER_SENT:
            return order
        try:
            order = await self._journal.record(order.key, CancelWished(), self._clock.wall_ns())
        except Busy:
            order = replace(order, cancel_requested=True)  # the store is down: still sent, only not remembered
        pursuit = self._tasks.start(f"cancel {order.key}", self._pursue_cancel(order))
        return await self._outcome_of(pursuit, order, by)

    async def _outcome_of(self, pursuit: Awaitable[Order], order: Order, by: float) -> Order:
        try:
            async with self._clock.timeout_at(by):
                return await pursuit
        except TimeoutError:
            return await self._journal.get(order.key) or order

    async def _pursue_cancel(self, order: Order) -> Order:
        by = self._clock.monotonic() + CANCEL_PURSUIT_S
        try:
            outcome = await self._venue.cancel(order, by)
            match outcome:
                case CancelTaken() | CancelFoundNothing() if order.venue_order_id:
                    for report in await self._venue.query((order.venue_order_id,), by):
                        return await self._journal.record(order.key, Seen(report), self._clock.wall_ns())
                case CancelTaken() | CancelFoundNothing():
                    self._resolver.hasten()
                case _:
                    assert_never(outcome)
        except Busy:
            self._resolver.hasten()
        return await self._journal.get(order.key) or order

    async def pursue_wishes(self) -> None:
        """Sends again every recorded wish to cancel whose order is still live; called by the keeper of executions."""
        for order in await self._journal.in_status(self.account, LIVE):
            if order.cancel_requested:
                await self._pursue_cancel(order)

    # ---- reading ------------------------------------------------------------------------------------------------

    async def get(self, who: Caller, ref: OrderRef) -> Order:
        """One order by either id. Raises ORDER_NOT_FOUND; another's order needs `account`."""
        order = await self._find(who, ref)
        if order is None or (order.key.caller != who.name and not who.may(Permission.ACCOUNT)):
            raise refuse(Reason.ORDER_NOT_FOUND, f"no order {str(ref)!r} is known here for caller {who.name!r}")
        return order

    async def _find(self, who: Caller, ref: OrderRef) -> Order | None:
        if ref.client_order_id:
            return await self._journal.get(OrderKey(self.account, ref.caller or who.name, ref.client_order_id))
        return await self._journal.find(self.account, venue_order_id=ref.venue_order_id)

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
