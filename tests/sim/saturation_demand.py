"""Callers who together want more than Kraken's counters give: they place, cancel and read as fast as they are let.

Each has its way with a refusal: to come back at the very moment it was told, to let itself be held back, or to ask again
every few milliseconds whatever it was told. What they heard is counted by name; nothing is judged here (saturation.py).
"""

import asyncio
from decimal import Decimal

from execsvc.app.timing import Timing
from execsvc.domain.account import FillQuery
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.domain.ids import OrderRef
from execsvc.domain.market import Side
from execsvc.domain.order import Status
from execsvc.domain.spec import OrderSpec, OrderType
from tests.sim.market import BID, SYMBOL, TICK, quote
from tests.support.entropy import stream

GREEDY_S, GREEDY_BOUT_S, CALMER_S = 0.005, 5.0, 0.2  # in the first seconds of each minute, and in the rest
ORDER_S = 30.0  # how long a placement may take in all
QUEUE_S = 20.0
CANCEL_S = 60.0
READ_AT_ONCE_S = 0.5
READ_QUEUED_S = 120.0
MAKERS_S = 5.0
# One age of each column of the engine's table (kraken.md 3.2).
AGES_S = ((0.2, 4.9), (5.1, 9.9), (10.1, 14.9), (15.1, 44.0), (45.0, 89.0), (90.0, 200.0), (301.0, 330.0))
AGE_SHARES = (4, 3, 3, 4, 3, 2, 1)
SIZE, TOO_MUCH = Decimal("0.0005"), Decimal(2_000_000)
_EVERYTHING = frozenset(Permission)
_LIMITS = {Reason.LOCAL_RATE_LIMITED: "held back", Reason.VENUE_ORDER_LIMIT: "crowded"}


class Placer:
    """One caller's orders, one after another. `queue_s`: how long each may be held back; a greedy one heeds no wait."""

    def __init__(self, world, name, *, queue_s=0.0, greedy=False):
        self.world = world
        self.name = name
        self.who = alike(name, _EVERYTHING, ("main",))
        self.queue_s = queue_s
        self.greedy = greedy
        self.chance = stream(world.seed, "placer", name)

    async def live(self):
        number = 0
        while True:
            number += 1
            await self._place(f"{self.name}-{number}", *self._wish())

    def _wish(self):
        kind = self.chance.choices(("rest", "market", "poor"), (4, 4, 2))[0]
        side = self.chance.choice((Side.BUY, Side.SELL))
        if kind == "market":
            return kind, OrderSpec(SYMBOL, side, SIZE, OrderType.MARKET)
        if kind == "poor":
            return kind, OrderSpec(SYMBOL, Side.SELL, TOO_MUCH, OrderType.LIMIT, limit_price=2 * BID * TICK)
        away = self.chance.randrange(5000, 9000)
        price = (BID - away if side is Side.BUY else BID + away) * TICK
        return kind, OrderSpec(SYMBOL, side, SIZE, OrderType.LIMIT, limit_price=price)

    async def _place(self, order_id, kind, spec):
        """Until it is placed or refused for good; then, where it rests, its cancel is set for later."""
        world = self.world
        while True:
            now = world.loop.now
            timing = Timing(now, now + ORDER_S, ORDER_S, self.queue_s)
            try:
                placed = await world.gateway.desk.place(self.who, order_id, spec, timing)
            except ExecsvcError as refusal:
                world.counts[_LIMITS.get(refusal.reason, f"order {refusal.reason.name}")] += 1
                if refusal.fault.metadata.get("id_used") == "true":
                    return
                await asyncio.sleep(self._patience_s(refusal.fault))
                continue
            world.counts[f"order {placed.order.status.name}"] += 1
            world.counts[f"placed {self.name}"] += 1
            if kind == "rest" and placed.order.status is Status.OPEN:
                low, high = self.chance.choices(AGES_S, AGE_SHARES)[0]
                world.start(self._cancel(order_id, low + (high - low) * self.chance.random()))
            return

    def _patience_s(self, fault):
        if self.greedy:
            return GREEDY_S if self.world.loop.now % 60 < GREEDY_BOUT_S else CALMER_S
        return fault.retry_after_s or 1.0

    async def _cancel(self, order_id, after_s):
        await asyncio.sleep(after_s)
        order = await self.world.gateway.desk.cancel(self.who, OrderRef(order_id), self.world.loop.now + CANCEL_S)
        self.world.counts[f"cancel {order.status.name}"] += 1


class Reader:
    """One caller's reads, `together` at a time, none equal to another: each waits `patience_s` or comes back as told."""

    def __init__(self, world, name, *, kinds, patience_s, together=1):
        self.world = world
        self.name = name
        self.kinds = kinds
        self.patience_s = patience_s
        self.together = together
        self.chance = stream(world.seed, "reader", name)
        self._asked = 0

    async def live(self):
        await asyncio.gather(*(self._read() for _ in range(self.together)))

    async def _read(self):
        world = self.world
        while True:
            self._asked += 1
            kind = self.chance.choice(self.kinds)
            try:
                await getattr(self, f"_{kind}")(world.loop.now + self.patience_s)
            except ExecsvcError as refusal:
                world.counts[f"read {refusal.reason.name}"] += 1
                await asyncio.sleep(refusal.fault.retry_after_s or 1.0)
            else:
                world.counts[f"read {kind}"] += 1

    async def _balances(self, by):
        await self.world.gateway.rooms.reads.balances(by, caller=self.name)

    async def _fills(self, by):
        """Equal questions would share an answer: none is equal to one that another reader asks."""
        query = FillQuery(start_ns=1 + self._asked, offset=self._asked % 40, size=10)
        await self.world.gateway.rooms.reads.fills(query, by, caller=self.name)

    async def _query(self, by):
        accepted = list(self.world.exchange.venue.orders.accepted())
        wanted = self.chance.choice(accepted).id if accepted else "OAAAAA-BBBBB-CCCCCC"
        await self.world.gateway.house.venue.query((wanted,), by, caller=self.name)


def everybody(world):
    """All callers of a run."""
    return (
        Placer(world, "returning-1"),
        Placer(world, "returning-2"),
        Placer(world, "queued-1", queue_s=QUEUE_S),
        Placer(world, "queued-2", queue_s=QUEUE_S),
        Placer(world, "greedy", greedy=True),
        Reader(world, "looks-1", kinds=("balances", "query"), patience_s=READ_AT_ONCE_S),
        Reader(world, "looks-2", kinds=("balances", "query"), patience_s=READ_QUEUED_S),
        Reader(world, "history-1", kinds=("fills",), patience_s=READ_AT_ONCE_S),
        Reader(world, "history-2", kinds=("fills", "query"), patience_s=READ_QUEUED_S, together=3),
    )


async def makers(world):
    """What our market orders took is put up anew."""
    while True:
        await asyncio.sleep(MAKERS_S)
        world.wire.do(lambda now: quote(world.exchange, now))
