"""Placing several orders of one pair in one call: one POST, never repeated, and what each row of its answer means.

A refusal of the whole is a refusal of every row, and a lost answer is a doubt about each of them, settled one by one like any
other (app/resolver.py). Placing one order is placing.py's.
"""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw

from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.story import Step
from execsvc.kraken import encode, faults, wire
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.endpoints import ADD_BATCH, Effect
from execsvc.kraken.faults import Alarm, Move, Verdict
from execsvc.kraken.placing import UNKNOWN_CLOCK, Placing
from execsvc.kraken.rest import NothingSent, Overdue
from execsvc.kraken.room import EngineRoom, engine_room
from execsvc.ports import Accepted, Placement, Room, Unknown, Unsent

_OF_THE_CALL = ("pair", "deadline")  # said once for all rows
_rows = wire.decoder(wire.PlacedBatch)


class BatchPlacing(Placing):
    """Placements with one key, one by one or in batches."""

    async def place_many(
        self,
        orders: Sequence[Order],
        instrument: Instrument,
        by: float,
        *,
        rooms: Sequence[Room],
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> tuple[Placement, ...]:
        """See ports.PrivateVenue."""
        counted = [engine_room(room) for room in rooms]
        if not self._venue_time.known:
            return (Unsent(UNKNOWN_CLOCK),) * len(orders)
        deadline_ns, turn_by = self._deadline(by)
        for order in orders:
            self._sweeper.remember(order.venue_client_id)

        def forbidden_now() -> Fault | None:
            return self._too_late(deadline_ns, turn_by) or forbidden()

        params = batch(orders, instrument, deadline_ns)
        try:
            answer = await self._sent(
                ADD_BATCH,
                params,
                turn_by,
                caller=orders[0].key.caller,
                counted=counted[0],
                forbidden=forbidden_now,
                note=note,
            )
        except (Busy, Declined) as refusal:
            return (Unsent(self._unsent(refusal.fault, deadline_ns)),) * len(orders)
        if not isinstance(answer, Overdue):
            return await self._told(answer, orders, instrument, counted, by)
        for each in counted:
            each.in_doubt(max(by, self._clock.monotonic() + LATE_COUNT_S))
        late = self._tasks.start(f"late batch {orders[0].key}", self._told_late(answer, orders, instrument, counted))
        return tuple(Unknown("Kraken did not answer in time", _OneOf(late, row)) for row in range(len(orders)))

    async def _told_late(
        self, overdue: Overdue, orders: Sequence[Order], instrument: Instrument, counted: Sequence[EngineRoom]
    ) -> tuple[Placement, ...]:
        answer = await overdue.answer()
        return await self._told(answer, orders, instrument, counted, self._clock.monotonic())

    async def _told(
        self,
        answer: Raw | Verdict | NothingSent,
        orders: Sequence[Order],
        instrument: Instrument,
        counted: Sequence[EngineRoom],
        entry_by: float,
    ) -> tuple[Placement, ...]:
        if isinstance(answer, Verdict) and answer.alarm is Alarm.ENGINE:
            counted[0].full()
        placements = await self._each(answer, orders, instrument)
        for placement, room in zip(placements, counted, strict=True):
            self._count(placement, room, entry_by)
        return placements

    async def _each(
        self, answer: Raw | Verdict | NothingSent, orders: Sequence[Order], instrument: Instrument
    ) -> tuple[Placement, ...]:
        if isinstance(answer, Verdict) and answer.move is Move.CONFIRM:
            return await self._all_confirmed(orders, answer.fault)
        if not isinstance(answer, Raw):
            return tuple([await self._meant(answer, order, instrument) for order in orders])
        try:
            rows = _rows(answer).orders
        except ProtocolBroken as failure:
            return (Unknown(failure.fault.message),) * len(orders)
        if len(rows) != len(orders):
            return (Unknown(f"Kraken answered {len(rows)} rows to {len(orders)} orders"),) * len(orders)
        return tuple([await self._row(row, order, instrument) for row, order in zip(rows, orders, strict=True)])

    async def _row(self, row: wire.BatchRow, order: Order, instrument: Instrument) -> Placement:
        if row.error:
            verdict = faults.of_texts([row.error], Effect.ORDER, self._venue_time.venue_ns(self._clock.wall_ns()))
            return Unknown(row.error) if verdict is None else await self._meant(verdict, order, instrument)
        return Accepted(row.txid) if row.txid else Unknown("Kraken named neither an order nor an error in its row")


def batch(orders: Sequence[Order], instrument: Instrument, deadline_ns: int) -> dict[str, str]:
    """AddOrderBatch; values are JSON. Rows are those of AddOrder, without what is said once."""
    rows = [encode.add_order(order, instrument, deadline_ns) for order in orders]
    once = {name: rows[0][name] for name in _OF_THE_CALL}
    parts: dict[str, object] = {**once, "orders": [_nested(row) for row in rows]}
    return {name: msgspec.json.encode(value).decode() for name, value in parts.items()}


def _nested(row: Mapping[str, str]) -> dict[str, object]:
    """`close[price]` of a form is `close.price` of a JSON body (kraken.md 1)."""
    flat: dict[str, object] = {}
    close: dict[str, str] = {}
    for name, value in row.items():
        if name.startswith("close["):
            close[name[6:-1]] = value
        elif name not in _OF_THE_CALL:
            flat[name] = value
    return {**flat, "close": close} if close else flat


@dataclass(frozen=True)
class _OneOf(Awaitable[Placement]):
    """One row of an answer that may come late. No coroutine: it may be awaited never."""

    late: Awaitable[tuple[Placement, ...]]
    row: int

    def __await__(self) -> Generator[Any, None, Placement]:
        return (yield from self.late.__await__())[self.row]
