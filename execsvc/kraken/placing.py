"""Placing one order: one POST, never repeated, and what its answer means (promises.md section 3, "Outcome of a send").

The deadline it carries is in Kraken's own clock, on the early side of what is known of that clock. Looking for what became
of an unanswered one is sweep.py's mechanism and app/resolver.py's business.
"""

from collections.abc import Callable, Mapping, Sequence
from math import ceil
from typing import assert_never

from msgspec import Raw

from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason, error_of
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.story import Step
from execsvc.kraken import decode, encode
from execsvc.kraken.amendroom import AmendRoom
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.endpoints import ADD_ORDER, Endpoint
from execsvc.kraken.faults import Alarm, Move, Verdict
from execsvc.kraken.names import Names
from execsvc.kraken.refusals import explained
from execsvc.kraken.rest import NothingSent, Overdue, SignedRest
from execsvc.kraken.room import EngineRoom, engine_room
from execsvc.kraken.sweep import Sweeper
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Accepted, Clock, Placement, RefusedByVenue, Room, Tasks, Unknown, Unsent

DEADLINE_FLOOR_S = 2.0  # Kraken's least on REST (kraken.md 2.4, uncertain: a setting)
TRANSIT_S = 0.1  # Kraken counts from when it reads the request
CONFIRM_S = 5.0
TURNS_MAX = 8  # that an order may let pass because cancels went before it
TOO_MANY_TURNS = Fault(
    Reason.LOCAL_RATE_LIMITED,
    "cancels used the room for this order again and again: nothing was sent",
    retry_after_s=1.0,
)
UNKNOWN_CLOCK = Fault(
    Reason.CLOCK_UNTRUSTED,
    "Kraken's clock could not be read, so no deadline can be named to it: nothing was sent, try again",
    {"id_used": "false"},
    retry_after_s=1.0,
)


class Placing:
    """Placements with one key."""

    def __init__(
        self,
        *,
        rest: SignedRest,
        sweeper: Sweeper,
        names: Names,
        clock: Clock,
        tasks: Tasks,
        venue_time: VenueTime,
        deadline_floor_s: float,
    ) -> None:
        self._rest = rest
        self._sweeper = sweeper
        self._names = names
        self._clock = clock
        self._tasks = tasks
        self._venue_time = venue_time
        self._deadline_floor_s = deadline_floor_s

    async def place(
        self,
        order: Order,
        instrument: Instrument,
        by: float,
        *,
        room: Room,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> Placement:
        """See ports.PrivateVenue."""
        counted = engine_room(room)
        if not self._venue_time.known:
            return Unsent(UNKNOWN_CLOCK)
        deadline_ns, turn_by = self._deadline(by)
        params = encode.add_order(order, instrument, deadline_ns)
        self._sweeper.remember(order.venue_client_id)

        def forbidden_now() -> Fault | None:
            return self._too_late(deadline_ns, turn_by) or forbidden()

        try:
            answer = await self._sent(
                ADD_ORDER,
                params,
                turn_by,
                caller=order.key.caller,
                counted=counted,
                forbidden=forbidden_now,
                note=note,
            )
        except (Busy, Declined) as refusal:
            return Unsent(self._unsent(refusal.fault, deadline_ns))
        if isinstance(answer, Overdue):
            counted.in_doubt(max(by, self._clock.monotonic() + LATE_COUNT_S))
            late = self._tasks.start(f"late answer {order.key}", self._late(answer, order, instrument, counted))
            return Unknown("Kraken did not answer in time", late)
        return await self._counted(answer, order, instrument, counted, by)

    async def _sent(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        turn_by: float,
        *,
        caller: str,
        counted: EngineRoom | AmendRoom,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> Raw | Verdict | NothingSent | Overdue:
        """Sent once. Where cancels used its room while it waited for its turn, it waits for room again, unsigned."""
        for _ in range(TURNS_MAX):
            try:
                return await self._rest.once(
                    endpoint,
                    params,
                    turn_by,
                    caller=caller,
                    unready=counted.overrun,
                    forbidden=forbidden,
                    note=note,
                )
            except Busy as refusal:
                fault = counted.overrun()
                if fault is None or refusal.reason is not Reason.LOCAL_RATE_LIMITED or fault.retry_after_s is None:
                    raise
                if self._clock.monotonic() + fault.retry_after_s > turn_by:
                    raise
                await self._clock.sleep(fault.retry_after_s)
        raise error_of(counted.overrun() or TOO_MANY_TURNS)

    async def _late(self, overdue: Overdue, order: Order, instrument: Instrument, counted: EngineRoom) -> Placement:
        answer = await overdue.answer()
        return await self._counted(answer, order, instrument, counted, self._clock.monotonic())

    async def _counted(
        self,
        answer: Raw | Verdict | NothingSent,
        order: Order,
        instrument: Instrument,
        counted: EngineRoom,
        entry_by: float,
    ) -> Placement:
        """What the answer means, told to the counters too: a pair's points sink from the answer on."""
        if isinstance(answer, Verdict) and answer.alarm is Alarm.ENGINE:
            counted.full()
        placement = await self._meant(answer, order, instrument)
        self._count(placement, counted, entry_by)
        return placement

    def _count(self, placement: Placement, counted: EngineRoom, entry_by: float) -> None:
        match placement:
            case Accepted(venue_order_id):
                counted.accepted(venue_order_id)
            case RefusedByVenue():
                counted.refused()
            case Unknown():
                counted.in_doubt(max(entry_by, self._clock.monotonic() + LATE_COUNT_S))
            case Unsent():
                counted.release()
            case _:
                assert_never(placement)

    async def _meant(self, answer: Raw | Verdict | NothingSent, order: Order, instrument: Instrument) -> Placement:
        match answer:
            case Raw():
                return _accepted(answer)
            case NothingSent(fault):
                return Unsent(fault.with_metadata(id_used="false"))
            case Verdict(move=Move.TELL, fault=fault):
                return RefusedByVenue(explained(fault, order, instrument, self._names))
            case Verdict(move=Move.CONFIRM, fault=fault):
                return await self._confirmed(order, fault)
            case Verdict(fault=fault):
                return Unknown(fault.message)

    def _unsent(self, fault: Fault, deadline_ns: int) -> Fault:
        if fault.reason is Reason.DEADLINE_TOO_SHORT:
            fault = self._too_late(deadline_ns, self._clock.monotonic()) or fault.with_metadata(least=self._least())
        return fault.with_metadata(id_used="false")

    def _deadline(self, by: float) -> tuple[int, float]:
        """Kraken's deadline in its own time, and when its turn must have come at the latest, in ours."""
        now = self._clock.monotonic()
        deadline_ns = self._venue_time.earliest_ns(self._clock.wall_ns() + int((by - now) * 1e9))
        return deadline_ns, now + self._left_s(deadline_ns) - self._deadline_floor_s - TRANSIT_S

    def _left_s(self, deadline_ns: int) -> float:
        return (deadline_ns - self._venue_time.venue_ns(self._clock.wall_ns())) / 1e9

    def _too_late(self, deadline_ns: int, turn_by: float) -> Fault | None:
        """By Kraken's clock, and by the steady one: the first may be set back under us."""
        least_s = self._deadline_floor_s + TRANSIT_S
        left_s = min(self._left_s(deadline_ns), least_s + turn_by - self._clock.monotonic())
        if left_s >= least_s:
            return None
        least = self._least()
        return Fault(
            Reason.DEADLINE_TOO_SHORT,
            f"{max(0.0, left_s):.3f} s are left for the order to enter, {least} is the least: nothing was sent",
            {"least": least},
        )

    def _least(self) -> str:
        """Kraken's least, and what is not known of its clock on top."""
        uncertainty_s = self._venue_time.reading(self._clock.wall_ns()).uncertainty_s
        return f"{ceil((self._deadline_floor_s + TRANSIT_S + uncertainty_s) * 1000) / 1000:g}s"

    async def _confirmed(self, order: Order, fault: Fault) -> Placement:
        """Kraken says the deadline passed: true by contract, yet told only after one look by id."""
        return (await self._all_confirmed((order,), fault))[0]

    async def _all_confirmed(self, orders: Sequence[Order], fault: Fault) -> tuple[Placement, ...]:
        wire_ids = frozenset(order.venue_client_id for order in orders)
        try:
            seen = await self._sweeper.sweep(wire_ids, self._clock.monotonic() + CONFIRM_S, counts=True)
        except (Busy, Declined, ProtocolBroken) as failure:
            return (Unknown(f"{fault.message}; not confirmed: {failure.fault.message}"),) * len(orders)
        found = (seen.found.get(order.venue_client_id) for order in orders)
        refused = RefusedByVenue(fault.with_metadata(id_used="true"))
        return tuple(refused if report is None else Accepted(report.venue_order_id) for report in found)


def _accepted(result: Raw) -> Placement:
    try:
        return Accepted(decode.placed(result))
    except ProtocolBroken as failure:
        return Unknown(failure.fault.message)
