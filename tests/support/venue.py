"""A scripted account at an exchange, for the order path in virtual time: the ports' double of PrivateVenue.

It keeps its own log of what it accepted, so a test judges the caller's story against it. `plan` holds what becomes of the
next placements, in order; when it is empty everything goes well. Queries see an order only `lag_s` after it was accepted.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from execsvc.domain.account import KeyFacts
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.domain.keycheck import NEEDED
from execsvc.domain.order import Status, VenueOrder
from execsvc.domain.story import Step, StepKind
from execsvc.ports import (
    Accepted,
    CancelFoundNothing,
    CancelTaken,
    CapacityAnswer,
    KeyCheck,
    RefusedByVenue,
    Sighting,
    Unknown,
    Unsent,
)

BTC_USD = Instrument(
    symbol="BTC/USD",
    base="BTC",
    quote="USD",
    status=InstrumentStatus.ONLINE,
    price_increment=Decimal("0.1"),
    price_decimals=1,
    quantity_increment=Decimal("0.00000001"),
    quantity_decimals=8,
    min_quantity=Decimal("0.0001"),
    min_cost=Decimal("0.5"),
    cost_decimals=5,
    venue_symbols=("XBTUSD", "XXBTZUSD", "XBT/USD"),
)


@dataclass(frozen=True)
class Fate:
    """What becomes of one placement.

    arrives_s: when it reaches the engine (None: never); answers_s: when the caller hears (None: never, patience runs out).
    """

    arrives_s: float | None = 0.01
    answers_s: float | None = 0.02
    refusal: object = None
    unsent: object = None
    status: Status = Status.OPEN


class FreeRoom:
    """Room for one placement; `released` tells how often it was given back."""

    def __init__(self):
        self.released = 0

    def release(self):
        self.released += 1


class ScriptedRates:
    """Counters that are never full, unless `refusals` holds what the next askers are told; `asked`: symbol, caller, by."""

    tier = "intermediate"
    problems = ()

    def __init__(self):
        self.refusals = deque()
        self.asked = []
        self.rooms_set_aside = []

    async def room(self, symbol, caller, by):
        self.asked.append((symbol, caller, by))
        refusal = self.refusals.popleft() if self.refusals else None
        if refusal is not None:
            raise refusal
        self.rooms_set_aside.append(FreeRoom())
        return self.rooms_set_aside[-1]

    async def rooms(self, symbol, caller, by, count):
        first = await self.room(symbol, caller, by)
        more = [FreeRoom() for _ in range(count - 1)]
        self.rooms_set_aside += more
        return [first, *more]

    def place_cost(self):
        return Decimal(1)

    def counters(self, symbols):
        return ()

    def capacity(self, question):
        return CapacityAnswer(1, 0.0, 1.0)


class ScriptedVenue:
    """One account. `accepted` is the truth: (wire id, txid) in order of acceptance.

    `looks` are (when, whether it counts); the next ones raise `look_refusals`, `glances` many of them count for no id.
    `trades` is what its history holds, `histories` what was asked of it; the next answers raise `history_refusals`.
    """

    key_label = "key-1"
    patience_s = 2.0
    late_s = 30.0
    facts = KeyFacts("k", frozenset({*NEEDED, "close-trades"}), 5, 0, None, ())
    foreign_nonce = None
    reading = None

    def __init__(self, clock, tasks, *, lag_s=0.0):
        self._clock = clock
        self._tasks = tasks
        self.lag_s = lag_s
        self.plan = deque()
        self.orders = {}
        self.accepted = []
        self.sends = []
        self.cancels = []
        self.batches = []
        self.cancel_batches = []
        self.cleared = 0
        self.timers = []
        self.sweeps = []
        self.sweep_failures = 0
        self.reachable = True
        self.rates = ScriptedRates()
        self.resumed = []
        self.looks = []
        self.looked_since = []
        self.look_refusals = deque()
        self.glances = 0
        self.accepted_at = None
        self.queries = []
        self.trades = []
        self.histories = []
        self.history_refusals = deque()

    def resume(self, past, *, looks_ran):
        self.resumed.append((past, looks_ran))

    def accepted_after(self, since):
        return self.accepted_at if self.accepted_at is not None and self.accepted_at >= since else None

    async def place(self, order, instrument, by, *, room, forbidden, note):
        fate = self.plan.popleft() if self.plan else Fate()
        fault = forbidden()
        if fault is not None:
            room.release()
            return Unsent(fault)
        self.sends.append(order.venue_client_id)
        note(Step(self._clock.wall_ns(), StepKind.SENT, "AddOrder left."))
        if fate.unsent is not None:
            await self._clock.sleep(fate.answers_s)
            room.release()
            return Unsent(fate.unsent)
        arrival = None
        if fate.arrives_s is not None and fate.refusal is None:
            arrival = self._tasks.start("arrival", self._arrive(order, fate, by))
        if fate.answers_s is None or fate.answers_s > self.patience_s:
            await self._clock.sleep(self.patience_s)
            if fate.answers_s is None or fate.answers_s > self.late_s:
                return Unknown("no answer within the patience")
            late = self._late(order, fate, fate.answers_s - self.patience_s, arrival)
            return Unknown("no answer within the patience", self._tasks.start("late answer", late))
        await self._clock.sleep(fate.answers_s)
        return await self._answer(order, fate, arrival)

    async def _late(self, order, fate, after_s, arrival):
        await self._clock.sleep(after_s)
        return await self._answer(order, fate, arrival)

    async def _answer(self, order, fate, arrival):
        """An order is there before it is answered, also where a busy machine wakes the two timers the other way round."""
        if arrival is not None and fate.arrives_s <= fate.answers_s:
            await arrival
        if fate.refusal is not None:
            return RefusedByVenue(fate.refusal)
        return Accepted(self.orders[order.venue_client_id][0].venue_order_id)

    async def _arrive(self, order, fate, by):
        await self._clock.sleep(fate.arrives_s)
        if self._clock.monotonic() > by:
            return  # Kraken's deadline: the engine does not match it any more
        txid = f"O{len(self.accepted):05d}"
        filled = order.spec.base_quantity if fate.status is Status.FILLED else Decimal(0)
        report = VenueOrder(txid, order.venue_client_id, fate.status, filled, filled * 100)
        self.orders[order.venue_client_id] = (report, self._clock.monotonic())
        self.accepted.append((order.venue_client_id, txid))

    async def place_many(self, orders, instrument, by, *, rooms, forbidden, note):
        self.batches.append(tuple(order.venue_client_id for order in orders))
        placed = (
            self.place(order, instrument, by, room=room, forbidden=forbidden, note=note)
            for order, room in zip(orders, rooms, strict=True)
        )
        return tuple(await asyncio.gather(*placed))

    async def cancel_many(self, targets, by, *, caller=""):
        self.cancel_batches.append(tuple(each.venue_client_id for each in targets))
        await self._demand()
        return sum(self._cancelled(each.venue_order_id, each.venue_client_id) for each in targets)

    async def cancel_all(self, by, *, caller=""):
        await self._demand()
        self.cleared += 1
        return sum(self._cancelled("", wire_id) for wire_id in tuple(self.orders))

    async def cancel_all_after(self, timeout_s, by, *, caller=""):
        await self._demand()
        self.timers.append(timeout_s)
        return self._clock.wall_ns() + timeout_s * 1_000_000_000 if timeout_s else None

    async def cancel(self, venue_order_id, venue_client_id, by, *, symbol="", caller=""):
        await self._demand()
        gone = self._cancelled(venue_order_id, venue_client_id)
        return CancelTaken(pending=False) if gone else CancelFoundNothing()

    def _cancelled(self, venue_order_id, venue_client_id):
        named = (wire_id for wire_id, (report, _) in self.orders.items() if report.venue_order_id == venue_order_id)
        venue_client_id = next(named, venue_client_id)
        self.cancels.append(venue_client_id)
        held = self.orders.get(venue_client_id)
        if held is None or held[0].status not in {Status.OPEN, Status.PENDING}:
            return False
        ended = replace(held[0], status=Status.CANCELLED, reason="User requested")
        self.orders[venue_client_id] = (ended, held[1])
        return True

    async def sweep(self, wire_ids, by, *, counts=True, since_ns=None):
        began = self._clock.monotonic()
        self.looks.append((began, counts))
        self.looked_since.append(since_ns)
        if self.look_refusals:
            raise self.look_refusals.popleft()
        await self._demand()
        if self.sweep_failures:
            self.sweep_failures -= 1
            raise refuse(Reason.VENUE_UNREACHABLE, "the look failed")
        self.sweeps.append(began)
        visible = {
            wire_id: report
            for wire_id, (report, since) in self.orders.items()
            if wire_id in wire_ids and since + self.lag_s <= self._clock.monotonic()
        }
        await self._clock.sleep(0.02)
        looked_for = wire_ids
        if self.glances:
            self.glances -= 1
            looked_for = frozenset()
        return Sighting(began, self._clock.monotonic(), began, visible, looked_for)

    async def query(self, venue_order_ids, by, *, caller="", resolving=False):
        self.queries.append(venue_order_ids)
        await self._demand()
        return tuple(report for report, _ in self.orders.values() if report.venue_order_id in venue_order_ids)

    async def fills(self, account, query, by, *, caller="", resolving=False):
        self.histories.append(query)
        await self._demand()
        if self.history_refusals:
            raise self.history_refusals.popleft()
        newest = sorted(self.trades, key=lambda fill: fill.times.venue_ns, reverse=True)
        until = float("inf") if query.end_ns is None else query.end_ns
        span = [fill for fill in newest if (query.start_ns or 0) <= fill.times.venue_ns < until]
        return tuple(span[query.offset : query.offset + query.size]), len(span)

    async def check_key(self, by):
        await self._demand()
        return KeyCheck(self.facts, self._clock.monotonic(), self.foreign_nonce)

    def clock(self):
        return self.reading

    def lanes(self):
        return ()

    async def _demand(self):
        await self._clock.sleep(0.02)
        if not self.reachable:
            raise refuse(Reason.VENUE_UNREACHABLE, "the exchange does not answer")


class ScriptedCatalogVenue:
    """The public side: one pair."""

    def __init__(self, instruments=(BTC_USD,)):
        self.listed = instruments

    async def instruments(self):
        return self.listed

    async def assets(self):
        return ()
