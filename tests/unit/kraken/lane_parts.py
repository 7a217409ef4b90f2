"""One key's lane over a call counter that can be full, in virtual time."""

import asyncio
from decimal import Decimal

import pytest
from rate_parts import spend

from execsvc.domain.errors import Busy
from execsvc.kraken.counters import Counter
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.lane import Lane
from execsvc.kraken.lanequeue import Fate
from tests.support.simloop import SimClock, run_sim

D = Decimal
FAR = 1e6
MARGIN = 3  # of a counter that sinks by one a second
MOST = 20
USABLE = MOST - MARGIN


class Key:
    """One key's lane over a counter of 20 points, one a second; `used` are spent. `began` holds what went, and when."""

    def __init__(self, used=0, **parts):
        self.clock = SimClock()
        self.counter = Counter(MOST, D(1))
        spend(self.counter, D(used), 0.0)
        self.lane = Lane("key-1", self.clock, self.counter, **parts)
        self.began = []

    def level(self):
        return self.counter.level(self.clock.monotonic())

    async def call(self, name, rank, cost=1, *, by=FAR, hold_s=0.01, fate=Fate.ANSWERED, caller=""):
        ticket = await self.lane.enter(rank, Effect.READ, by, caller=caller, cost=D(cost))
        with self.lane.holding(ticket):
            self.began.append((name, round(self.clock.monotonic(), 2)))
            await self.clock.sleep(hold_s)
            ticket.fate = fate
        return ticket

    async def refused(self, rank, cost=1, by=0.5, **parts):
        with pytest.raises(Busy) as refusal:
            await self.call("refused", rank, cost, by=self.clock.monotonic() + by, **parts)
        return refusal.value.fault

    def spawn(self, *args, **parts):
        return asyncio.ensure_future(self.call(*args, **parts))


def with_key(scenario, *args, **parts):
    async def main():
        return await scenario(Key(*args, **parts))

    return run_sim(main())
