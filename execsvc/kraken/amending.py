"""ports.AmendVenue over Kraken: one AmendOrder, never repeated, what its answer means, and the list of an order's amends.

Values are absolute and the order is named by its txid. Kraken's "nothing to amend" is believed of the order itself: whatever
was refused for its arguments is taken as applied when the order stands so (contract.md section 5, rule 11). Waiting for a
turn and the deadline are as for a placement (placing.py).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_never

from msgspec import Raw, Struct

from execsvc.domain import money
from execsvc.domain.amend import Amend
from execsvc.domain.amendwish import ShownAmend
from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.story import Step
from execsvc.kraken import encode, wire
from execsvc.kraken.amendroom import AmendRoom, amend_room
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.endpoints import AMEND_ORDER, ORDER_AMENDS
from execsvc.kraken.faults import Alarm, Move, Verdict
from execsvc.kraken.figures import positive
from execsvc.kraken.names import Names
from execsvc.kraken.placing import CONFIRM_S, UNKNOWN_CLOCK, Placing
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.refusals import explained
from execsvc.kraken.rest import NothingSent, Overdue, SignedRest
from execsvc.kraken.sweep import Sweeper
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import (
    AmendDeclined,
    AmendLook,
    AmendOutcome,
    AmendTaken,
    AmendUnknown,
    AmendUnsent,
    Clock,
    KnownAmend,
    Room,
    Tasks,
)

AMENDS_MAX = 10_000  # of one order that are read: more is no answer of Kraken's


class Taken(Struct, frozen=True):
    """AmendOrder."""

    amend_id: str


class AmendRow(Struct, frozen=True):
    """One row of OrderAmends."""

    amend_id: str
    amend_type: str
    order_qty: Decimal
    timestamp: int
    remaining_qty: Decimal | None = None
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    display_qty: Decimal | None = None


class AmendRows(Struct, frozen=True):
    """OrderAmends; the official example wraps it once more (kraken.md 2.3)."""

    amends: list[AmendRow] | None = None
    response: "AmendRows | None" = None


_taken = wire.decoder(Taken)
_rows = wire.decoder(AmendRows)


class Amending(Placing):
    """Amends with one key. `know_clock` reads Kraken's clock where it is not known, by an instant."""

    def __init__(
        self,
        *,
        rest: SignedRest,
        rates: KrakenRates,
        sweeper: Sweeper,
        names: Names,
        clock: Clock,
        tasks: Tasks,
        venue_time: VenueTime,
        deadline_floor_s: float,
        know_clock: Callable[[float], Awaitable[None]],
    ) -> None:
        super().__init__(
            rest=rest,
            sweeper=sweeper,
            names=names,
            clock=clock,
            tasks=tasks,
            venue_time=venue_time,
            deadline_floor_s=deadline_floor_s,
        )
        self._rates = rates
        self._know_clock = know_clock

    def resume(self, past: Sequence[KnownAmend]) -> None:
        """See ports.AmendVenue."""
        self._rates.resume_amends(past, self._clock.wall_ns())

    async def room(self, symbol: str, order_id: str, caller: str, by: float) -> AmendRoom:
        """See ports.AmendVenue."""
        return await self._rates.amend_room(symbol, order_id, caller, by)

    async def send(
        self,
        amend: Amend,
        order: Order,
        instrument: Instrument,
        by: float,
        *,
        room: Room,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> AmendOutcome:
        """See ports.AmendVenue."""
        counted = amend_room(room)
        try:
            await self._know_clock(by)
            if not self._venue_time.known:
                return AmendUnsent(UNKNOWN_CLOCK)
            wished = replace(order, spec=amend.wish.applied_to(order.spec))  # a refusal speaks of what was wished
            return await self._once(_Sending(amend, wished, instrument, counted), by, forbidden, note)
        finally:
            counted.release()  # does nothing once it was sent

    async def _once(
        self, what: "_Sending", by: float, forbidden: Callable[[], Fault | None], note: Callable[[Step], None]
    ) -> AmendOutcome:
        deadline_ns, turn_by = self._deadline(by)

        def forbidden_now() -> Fault | None:
            return self._too_late(deadline_ns, turn_by) or forbidden()

        params, caller = amend_order(what.amend, what.order, deadline_ns), what.order.key.caller
        try:
            answer = await self._sent(
                AMEND_ORDER, params, turn_by, caller=caller, counted=what.room, forbidden=forbidden_now, note=note
            )
        except (Busy, Declined) as refusal:
            return AmendUnsent(self._unsent(refusal.fault, deadline_ns))
        if not isinstance(answer, Overdue):
            return await self._told(what, answer, by)
        what.room.in_doubt(self._counted_by(by))
        late = self._tasks.start(f"late amend {what.amend.key}", self._told_late(what, answer))
        return AmendUnknown("Kraken did not answer in time", late)

    def _counted_by(self, entry_by: float) -> float:
        return max(entry_by, self._clock.monotonic() + LATE_COUNT_S)

    async def _told_late(self, what: "_Sending", overdue: Overdue) -> AmendOutcome:
        return await self._told(what, await overdue.answer(), self._clock.monotonic())

    async def _told(self, what: "_Sending", answer: Raw | Verdict | NothingSent, entry_by: float) -> AmendOutcome:
        """What the answer means, told to the counters too: a pair's points sink from the answer on."""
        if isinstance(answer, Verdict) and answer.alarm is Alarm.ENGINE:
            what.room.full()
        outcome = await self._outcome(what, answer)
        match outcome:
            case AmendTaken():
                what.room.ended(applied=True)
            case AmendDeclined():
                what.room.ended(applied=False)
            case AmendUnknown():
                what.room.in_doubt(self._counted_by(entry_by))
            case AmendUnsent():
                what.room.release()
            case _:
                assert_never(outcome)
        return outcome

    async def _outcome(self, what: "_Sending", answer: Raw | Verdict | NothingSent) -> AmendOutcome:
        match answer:
            case Raw():
                return _amend_id(answer)
            case NothingSent(fault):
                return AmendUnsent(fault.with_metadata(id_used="false"))
            case Verdict(move=Move.TELL, fault=fault) if fault.reason is Reason.VENUE_REFUSED_ARGUMENTS:
                return await self._unless_it_stands(what, self._explained(what, fault))
            case Verdict(move=Move.TELL, fault=fault):
                return AmendDeclined(self._explained(what, fault))
            case Verdict(move=Move.CONFIRM, fault=fault):
                return await self._unless_it_stands(what, fault.with_metadata(id_used="true"))
            case Verdict(fault=fault):
                return AmendUnknown(fault.message)

    def _explained(self, what: "_Sending", fault: Fault) -> Fault:
        return explained(fault, what.order, what.instrument, self._names)

    async def _unless_it_stands(self, what: "_Sending", fault: Fault) -> AmendOutcome:
        """Kraken refused, and the order is looked at once before that is told."""
        try:
            look = await self.look(what.order.venue_order_id, self._clock.monotonic() + CONFIRM_S)
        except (Busy, Declined, ProtocolBroken) as failure:
            return AmendUnknown(f"{fault.message}; not confirmed: {failure.fault.message}")
        stands = bool(look.shown) and look.shown[-1].fulfils(what.amend.wish)
        return AmendTaken("") if stands else AmendDeclined(fault)

    async def look(self, venue_order_id: str, by: float) -> AmendLook:
        """See ports.AmendVenue."""
        await self._know_clock(by)
        began = self._clock.monotonic()
        result = await self._rest.call(ORDER_AMENDS, {"order_id": venue_order_id}, by)
        return AmendLook(began, self._clock.monotonic(), shown_amends(result))


@dataclass(frozen=True)
class _Sending:
    """One amend under way; `order` is what is wished of it."""

    amend: Amend
    order: Order
    instrument: Instrument
    room: AmendRoom


def amend_order(amend: Amend, order: Order, deadline_ns: int) -> dict[str, str]:
    """AmendOrder. A post-only order stays so: without the flag a new price might take (kraken.md 2.4)."""
    wish = amend.wish
    figures = {
        "order_qty": wish.base_quantity,
        "limit_price": wish.limit_price,
        "trigger_price": wish.trigger_price,
        "display_qty": wish.display_quantity,
    }
    params = {"txid": order.venue_order_id, "deadline": encode.instant(deadline_ns)}
    params |= {name: money.text(value) for name, value in figures.items() if value is not None}
    if wish.limit_price is not None and wish.guards_post_only(order.spec):
        params["post_only"] = "true"
    return params


def shown_amends(result: Raw) -> tuple[ShownAmend, ...]:
    """OrderAmends, oldest first."""
    page = _rows(result)
    rows = (page.response or page).amends
    if rows is None:
        raise wire.broken("OrderAmends without amends")
    if len(rows) > AMENDS_MAX:
        raise wire.broken(f"an order with {len(rows)} amends")
    return tuple(_shown(row) for row in sorted(rows, key=lambda row: row.timestamp))


def _shown(row: AmendRow) -> ShownAmend:
    return ShownAmend(
        amend_id=row.amend_id,
        by_user=row.amend_type == "user",
        at_ns=row.timestamp,
        base_quantity=positive(row.order_qty),
        left=_optional(row.remaining_qty),
        limit_price=_optional(row.limit_price),
        trigger_price=_optional(row.trigger_price),
        display_quantity=_optional(row.display_qty),
    )


def _optional(value: Decimal | None) -> Decimal | None:
    return None if value is None else positive(value)


def _amend_id(result: Raw) -> AmendOutcome:
    try:
        amend_id = _taken(result).amend_id
    except ProtocolBroken as failure:
        return AmendUnknown(failure.fault.message)
    return AmendTaken(amend_id) if amend_id else AmendUnknown("Kraken's answer names no amend")
