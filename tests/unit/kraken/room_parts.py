"""The door to one pair's counter as its tests want it: in virtual time, all points used up but so many."""

import asyncio

import pytest

from execsvc.domain.errors import Busy
from execsvc.kraken.costs import TIERS
from execsvc.kraken.pairs import PairCounter
from execsvc.kraken.room import PairDoor
from execsvc.kraken.turns import Turns
from execsvc.telemetry import silent
from tests.support.simloop import SimClock, run_sim

STARTER = TIERS["starter"]  # 60 points, one a second, three kept as a margin
USABLE = 57
NOW = 0.0
A_MOMENT = 1e-3


class Door:
    """A door of which every point is used up, but so many as are `left`."""

    def __init__(self, left=0, *, weights=None, tier=STARTER):
        self.clock = SimClock()
        self.pair = PairCounter("BTC/USD", tier)
        counter = self.pair.counter
        used = counter.maximum - counter.margin - left
        if used > 0:
            counter.land(counter.hold(used, 0.0), 0.0, 0.0)
        self.turns = Turns(weights or {})
        self.door = PairDoor(self.pair, self.turns, self.clock, silent())
        self.granted = []

    async def ask(self, caller="me", by=NOW):
        room = await self.door.ask(caller, by)
        self.granted.append((caller, round(self.clock.monotonic(), 3)))
        return room

    async def refused(self, caller="me", by=NOW):
        with pytest.raises(Busy) as refusal:
            await self.ask(caller, by)
        return refusal.value.fault

    async def wait(self, caller="me", by=NOW):
        return (await self.refused(caller, by)).retry_after_s

    def waiting(self, caller, by=1000.0):
        return asyncio.ensure_future(self.ask(caller, by))


def at_door(scenario, *args, **parts):
    async def main():
        return await scenario(Door(*args, **parts))

    return run_sim(main())
