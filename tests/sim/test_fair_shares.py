"""Shares of both counters among callers who want more than there is: equal or by weight, whatever manners they have.

The pair's door and the key's lane as the product has them, in virtual time; a caller is a loop with a manner. Shares are
counted from when the counter is full. That all of a counter is used is saturation.py's business.
"""

import asyncio
from collections import Counter as Counts
from decimal import Decimal

import pytest

from execsvc.domain.errors import ExecsvcError
from execsvc.kraken.costs import PRO, TIERS
from execsvc.kraken.counters import Counter
from execsvc.kraken.endpoints import Effect, Rank
from execsvc.kraken.lane import Lane
from execsvc.kraken.lanequeue import CALLER_DEPTH_MAX, Fate
from execsvc.kraken.pairs import PairCounter
from execsvc.kraken.room import PairDoor
from execsvc.kraken.turns import Turns
from execsvc.telemetry import silent
from tests.support.simloop import SimClock, run_sim

TIER = TIERS[PRO]
QUICK = 40, Decimal(4)  # a call counter that no tier has: shares do not depend on its figures, and a test is shorter
BURST_S = 5.0
LASTS_S = 50.0  # some 200 points of either counter
ROUND_TRIP_S = 0.03
FAR_S = 1e6
LEAST = 0.9  # of its share
NUMBERS = (2, 3, 8)
WAITING = ("patient", "returning")
PUSHING = ("hammering", "queueing")


class Placements:
    """The door of one pair: an order is placed, fills, and costs one point."""

    at_once_s = 0.001

    def __init__(self, clock, weights):
        self.clock = clock
        self.pair = PairCounter("BTC/USD", TIER)
        self.door = PairDoor(self.pair, Turns(weights), clock, silent())
        self.number = 0

    async def use(self, caller, patience_s, served):
        room = await self.door.ask(caller, self.clock.monotonic() + patience_s)
        served[caller] += 1
        self.number += 1
        asyncio.get_running_loop().call_later(ROUND_TRIP_S, self._fill, room, f"O{self.number}")

    def _fill(self, room, order_id):
        room.accepted(order_id)
        self.pair.seen_ended(order_id, self.clock.monotonic())


class Reads:
    """The lane of one key: a read costs one point and holds the lane for a round trip, which whoever comes then waits out."""

    at_once_s = 3 * ROUND_TRIP_S

    def __init__(self, clock, weights):
        self.clock = clock
        self.lane = Lane("key-1", clock, Counter(*QUICK), weights=weights)

    async def use(self, caller, patience_s, served):
        by = self.clock.monotonic() + patience_s
        ticket = await self.lane.enter(Rank.READ, Effect.READ, by, caller=caller, cost=Decimal(1))
        served[caller] += 1
        await asyncio.shield(asyncio.ensure_future(self._read(ticket)))  # who gives up now has been served all the same

    async def _read(self, ticket):
        with self.lane.holding(ticket):
            await self.clock.sleep(ROUND_TRIP_S)
            ticket.fate = Fate.ANSWERED


class Crowd:
    """Callers by name, each with its manner; `got` counts what each was served."""

    def __init__(self, thing, **weights):
        self.clock = SimClock()
        self.thing = thing(self.clock, weights)
        self.got = Counts()

    async def live(self, **manners):
        """What each of them got while the counter was full."""
        tasks = [asyncio.ensure_future(getattr(self, manner)(caller)) for caller, manner in manners.items()]
        await self.clock.sleep(BURST_S)
        self.got.clear()
        await self.clock.sleep(LASTS_S)
        for task in tasks:
            task.cancel()
        return {caller: self.got[caller] for caller in manners}

    async def once(self, caller, patience_s):
        """None once it is served, else the wait that it was told."""
        try:
            await self.thing.use(caller, patience_s, self.got)
        except ExecsvcError as refusal:
            return refusal.fault.retry_after_s or 0.0
        return None

    async def patient(self, caller):
        """Waits as long as it takes."""
        while True:
            await self.once(caller, FAR_S)

    async def returning(self, caller):
        """Never waits in line; comes back at the moment it was told."""
        while True:
            wait_s = await self.once(caller, self.thing.at_once_s)
            if wait_s is not None:
                await self.clock.sleep(wait_s)

    async def hammering(self, caller):
        """Asks every millisecond, whatever it was told or still waits for."""
        asks = set()
        while True:
            ask = asyncio.ensure_future(self.once(caller, 0.001))
            asks.add(ask)
            ask.add_done_callback(asks.discard)
            await self.clock.sleep(0.001)

    async def queueing(self, caller):
        """As many in line as one may have."""
        await asyncio.gather(*(self._one_of_many(caller) for _ in range(CALLER_DEPTH_MAX)))

    async def _one_of_many(self, caller):
        while True:
            wait_s = await self.once(caller, FAR_S)
            if wait_s is not None:
                await self.clock.sleep(max(wait_s, 20.0))

    async def quitting(self, caller):
        """Gives up long before its turn, and asks again at once."""
        while True:
            try:
                async with asyncio.timeout(0.05):
                    await self.once(caller, FAR_S)
            except TimeoutError:
                await self.clock.sleep(0.001)


def shares(thing, manners, **weights):
    """What each caller of these manners got, as a share of an equal one."""
    callers = {f"{manner}-{number}": manner for number, manner in enumerate(manners)}
    got = run_sim(Crowd(thing, **weights).live(**callers))
    return {caller: count * len(callers) / sum(got.values()) for caller, count in got.items()}


@pytest.fixture(params=(Placements, Reads), ids=("placements", "reads"))
def thing(request):
    return request.param


@pytest.mark.parametrize("others", WAITING)
@pytest.mark.parametrize("greedy", PUSHING)
@pytest.mark.parametrize("number", NUMBERS)
def test_nobody_gets_less_than_its_share_because_one_is_greedy(thing, number, greedy, others):
    """Beside one that asks every millisecond, or queues as much as it may, every other gets 0.9 of its share at least."""
    got = shares(thing, (greedy, *(others,) * (number - 1)))
    del got[f"{greedy}-0"]
    assert [caller for caller, share in got.items() if share < LEAST] == [], got


@pytest.mark.parametrize("manner", WAITING)
@pytest.mark.parametrize("number", NUMBERS)
def test_equal_callers_get_equal_shares(thing, number, manner):
    """Callers of one manner get within a tenth of the same."""
    got = shares(thing, (manner,) * number)
    assert [caller for caller, share in got.items() if abs(share - 1) > 1 - LEAST] == [], got


@pytest.mark.parametrize("manner", [*WAITING, "queueing"])
def test_shares_are_as_the_weights(thing, manner):
    """A caller of weight 3 gets three times as much as one of weight 1, within a tenth."""
    crowd = Crowd(thing, heavy=3)
    got = run_sim(crowd.live(heavy=manner, light=manner))
    assert got["heavy"] / got["light"] == pytest.approx(3, rel=0.1), got


@pytest.mark.parametrize("greedy", PUSHING)
def test_a_wait_that_is_told_is_the_wait(thing, greedy):
    """Whoever comes back at the moment it was told is served then, though another asks all the time."""

    async def live():
        crowd = Crowd(thing)
        pushing = asyncio.ensure_future(getattr(crowd, greedy)("greedy"))
        await crowd.clock.sleep(BURST_S)
        again = []
        for _ in range(20):
            while (wait_s := await crowd.once("exact", crowd.thing.at_once_s)) is None:
                await crowd.clock.sleep(0.1)
            await crowd.clock.sleep(wait_s)
            again.append(await crowd.once("exact", crowd.thing.at_once_s))
        pushing.cancel()
        return again

    assert run_sim(live()) == [None] * 20


@pytest.mark.parametrize("others", WAITING)
def test_one_that_gives_up_starves_nobody(thing, others):
    """A caller that leaves the line each time takes nothing from those who stay."""
    got = shares(thing, ("quitting", others, others))
    del got["quitting-0"]
    assert [caller for caller, share in got.items() if share < LEAST] == [], got


@pytest.mark.parametrize("others", WAITING)
def test_one_that_gives_up_does_not_starve_itself(thing, others):
    """A caller that leaves the line each time, and comes again at once, gets half of its share at least."""
    assert shares(thing, ("quitting", others, others))["quitting-0"] >= 0.5
