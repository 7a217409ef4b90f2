"""Placing several orders of one symbol in one call: each an intent of its own, all durable before one send.

What is known already is answered from the journal, what a rule refuses is told in its row, and only the rest is sent. The
call as a whole fails only when nothing of it was written down (contract.md section 5, rule 10).
"""

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from execsvc.app.batchsender import BatchSender, Begun
from execsvc.app.desk import Desk, Placed, Wanted
from execsvc.app.riskhold import Hold
from execsvc.app.settlements import Watch
from execsvc.app.timing import Timing
from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, Fault, Reason, error_of
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Instrument
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Fresh, Known, Room

BATCH_MOST = 15
Row = tuple[OrderKey, OrderSpec]


class BatchDesk(Desk):
    """Orders of one account, one by one or in batches."""

    _sender: BatchSender

    async def place_many(
        self, who: Caller, entries: Sequence[tuple[str, OrderSpec]], timing: Timing
    ) -> tuple[Placed | Fault, ...]:
        """An outcome for each, in sequence; raises the first row's refusal when no row is known or was written down."""
        keys = [OrderKey(self.account, who.name, client_order_id) for client_order_id, _ in entries]
        with ExitStack() as held:
            watches = [held.enter_context(self._settlements.watch(key)) for key in keys]
            rows = [(key, spec) for key, (_, spec) in zip(keys, entries, strict=True)]
            begun = await self._begin_all(who, rows, timing)
            faults = [each for each in begun if isinstance(each, Fault)]
            if len(faults) == len(begun):
                raise error_of(faults[0])
            for each in begun:
                if isinstance(each, Known):
                    await self._sender.replayed(each.order)
            return tuple(
                await asyncio.gather(
                    *(self._outcome(each, watch, timing) for each, watch in zip(begun, watches, strict=True))
                )
            )

    async def _outcome(self, begun: Begun, watch: Watch, timing: Timing) -> Placed | Fault:
        if isinstance(begun, Fault):
            return begun
        try:
            return await self._answer(watch, begun.order, timing, replayed=isinstance(begun, Known))
        except ExecsvcError as refusal:
            return refusal.fault

    async def _begin_all(self, who: Caller, rows: Sequence[Row], timing: Timing) -> tuple[Begun, ...]:
        try:
            instrument = self._catalog.instrument(rows[0][1].symbol, "entries[0].spec.symbol")
        except ExecsvcError as refusal:
            unlisted = refusal.fault.with_metadata(id_used="false")
            known = [await self._known_without_pair(key, spec) for key, spec in rows]
            return tuple(unlisted if order is None else Known(order) for order in known)
        rows = [(key, replace(spec, symbol=instrument.symbol)) for key, spec in rows]
        if not self.risk.ready:
            await self.risk.restore()
        with ExitStack() as held:
            looked = await asyncio.gather(
                *(self._looked_at(who, index, row, instrument, timing, held) for index, row in enumerate(rows))
            )
            new = [(index, each) for index, each in enumerate(looked) if isinstance(each, Hold)]
            begun: dict[int, Begun] = {index: each for index, each in enumerate(looked) if not isinstance(each, Hold)}
            holds = [hold for _, hold in new]
            started = await self._begin_new(who, [rows[index] for index, _ in new], holds, instrument, timing, held)
            begun |= zip([index for index, _ in new], started, strict=True)
        return tuple(begun[index] for index in range(len(rows)))

    async def _looked_at(
        self, who: Caller, index: int, row: Row, instrument: Instrument, timing: Timing, held: ExitStack
    ) -> Known | Fault | Hold:
        """What is known of it, or why it may not go; else it is new, and what it takes of the limits is taken."""
        key, spec = row
        try:
            known = await self._known(key, spec)
            if known is not None:
                return Known(known)
            hold = await self._reserved(Wanted(who, key, instrument, spec, timing))
        except ExecsvcError as refusal:
            self.risk.refused(refusal.fault)
            return _of_row(index, refusal.fault)
        held.callback(hold.release)
        return hold

    async def _reserved(self, wanted: Wanted) -> Hold:
        try:
            return self._reserve(wanted)
        except ExecsvcError as refusal:
            return await self._reserved_once_priced(wanted, refusal)

    async def _begin_new(
        self,
        who: Caller,
        rows: Sequence[Row],
        holds: Sequence[Hold],
        instrument: Instrument,
        timing: Timing,
        held: ExitStack,
    ) -> tuple[Begun, ...]:
        if not rows:
            return ()
        try:
            rooms = await self._rooms(who, rows, holds, timing)
        except ExecsvcError as refusal:
            return (refusal.fault.with_metadata(id_used="false"),) * len(rows)
        if len(rows) == 1:
            (key, spec), (room,) = rows[0], rooms
            alone = self._sender.begin(key, spec, timing, instrument, room, who=who)
            held.pop_all()
            return (await self._carried(alone, holds[0]),)
        together = self._sender.begin_many(rows, timing, instrument, rooms, who=who)
        held.pop_all()
        begun: Sequence[Begun] = await self.risk.carried(together, holds, _are_fresh)
        return tuple(_unbegun(each) for each in begun)

    async def _rooms(self, who: Caller, rows: Sequence[Row], holds: Sequence[Hold], timing: Timing) -> Sequence[Room]:
        """Set aside before anything is begun; where the caller allows it, waited for."""
        key, spec = rows[0]
        rates = self._venue.rates
        now = self._clock.monotonic()
        by = max(now, timing.queue_by(self.least_timeout_s))
        if len(rows) == 1:
            return (await rates.room(spec.symbol, key.caller, by),)
        rooms = await rates.rooms(spec.symbol, key.caller, by, len(rows))
        if self._clock.monotonic() > now:
            try:
                for (_, each), hold in zip(rows, holds, strict=True):
                    self.check(who, self._catalog.instrument(each.symbol), each, timing)
                    self.risk.recheck(who, hold)
            except ExecsvcError:
                for room in rooms:
                    room.release()
                raise
        return rooms


def _are_fresh(begun: Sequence[Begun]) -> list[bool]:
    return [isinstance(each, Fresh) for each in begun]


def _unbegun(begun: Begun) -> Begun:
    if isinstance(begun, Fresh | Known) or "id_used" in begun.metadata:
        return begun
    return begun.with_metadata(id_used="true" if begun.reason is Reason.CLIENT_ORDER_ID_REUSED else "false")


def _of_row(index: int, fault: Fault) -> Fault:
    """Its fields are named within the request."""
    fields = tuple(replace(bad, path=f"entries[{index}].{bad.path}") for bad in fault.fields)
    told = replace(fault, fields=fields)
    return told if "id_used" in told.metadata else told.with_metadata(id_used="false")
