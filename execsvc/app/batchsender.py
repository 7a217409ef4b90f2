"""From several checked wishes to recorded outcomes: every intent durable, one send for all, each outcome durable.

The rules are those of app/sender.py, which does it for one; a row that is known already is not sent again.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from functools import partial

from execsvc.app.sender import Forbidden, Sender
from execsvc.app.timing import Timing
from execsvc.domain.caller import Caller
from execsvc.domain.errors import Busy, ExecsvcError, Fault
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import NeverSent, Order
from execsvc.domain.spec import OrderSpec
from execsvc.domain.story import Step
from execsvc.ports import Fresh, Known, Placement, Room

Begun = Fresh | Known | Fault


class BatchSender(Sender):
    """Sends of one account, one by one or in batches."""

    def begin_many(
        self,
        wishes: Sequence[tuple[OrderKey, OrderSpec]],
        timing: Timing,
        instrument: Instrument,
        rooms: Sequence[Room],
        *,
        who: Caller,
    ) -> Awaitable[tuple[Begun, ...]]:
        """Makes all intents durable, in one commit where the store can, and sends those that are new in one call.

        A row whose intent could not be made durable is told why; the others go without it.
        """
        return self._tasks.start(
            f"begin batch {wishes[0][0]}", self._begin_and_send_many(wishes, timing, instrument, rooms, who=who)
        )

    async def _begin_and_send_many(
        self,
        wishes: Sequence[tuple[OrderKey, OrderSpec]],
        timing: Timing,
        instrument: Instrument,
        rooms: Sequence[Room],
        *,
        who: Caller,
    ) -> tuple[Begun, ...]:
        entry_by = timing.arrived + timing.entry_delay_s
        written = self._clock.monotonic()
        used: list[Room] = []
        try:
            begun = await asyncio.gather(*(self._begun(key, spec, timing, entry_by) for key, spec in wishes))
            fresh = [(each.order, room) for each, room in zip(begun, rooms, strict=True) if isinstance(each, Fresh)]
            self._flying.update(order.key for order, _ in fresh)
            if len(fresh) == 1:
                order = fresh[0][0]
                forbidden = partial(self._forbidden, [order], written, who)
                self._tasks.start(f"send {order.key}", self._send_alone(order, instrument, entry_by, forbidden))
            elif fresh:
                orders, used = [order for order, _ in fresh], [room for _, room in fresh]
                forbidden = partial(self._forbidden, orders, written, who)
                sending = self._send_many(orders, instrument, entry_by, used, forbidden)
                self._tasks.start(f"send batch {orders[0].key}", sending)
        finally:
            for room in rooms:
                if room not in used:
                    room.release()
        return tuple(begun)

    async def _begun(self, key: OrderKey, spec: OrderSpec, timing: Timing, entry_by: float) -> Begun:
        try:
            return await self._begin(key, spec, timing, entry_by)
        except ExecsvcError as refusal:
            return refusal.fault

    async def _send_alone(self, order: Order, instrument: Instrument, by: float, forbidden: Forbidden) -> None:
        """All others of its batch were known: it goes as any single order, for which it needs a whole place."""
        try:
            room = await self._venue.rates.room(order.spec.symbol, order.key.caller, self._clock.monotonic())
        except Busy as full:
            self._flying.discard(order.key)
            await self._chronicle.record(order.key, NeverSent(full.fault.with_metadata(id_used="false")))
            return
        await self._send(order, instrument, by, room, forbidden)

    async def _send_many(
        self, orders: Sequence[Order], instrument: Instrument, by: float, rooms: Sequence[Room], forbidden: Forbidden
    ) -> None:
        """Owned by the server: one POST, then each outcome is durable. What cannot be recorded stays a doubt."""

        def note(step: Step) -> None:
            for order in orders:
                self._note(order, step)

        began = self._clock.monotonic()
        try:
            placements = await self._venue.place_many(
                orders,
                instrument,
                by,
                rooms=rooms,
                forbidden=forbidden,
                note=note,
            )
            rows = zip(orders, placements, strict=True)
            await asyncio.gather(*(self._recorded(order, each, by) for order, each in rows))
        finally:
            keys = [order.key for order in orders]
            self._flying.difference_update(keys)
            self._switch.wire.answered(keys)
            self._telemetry.order_seconds.record(self._clock.monotonic() - began, {"stage": "ack"})

    async def _recorded(self, order: Order, placement: Placement, by: float) -> None:
        try:
            await self._record(order, placement, by)
        except Busy as failure:
            await self._resolver.adopt(order, f"the outcome could not be stored: {failure.fault.message}", entry_by=by)
