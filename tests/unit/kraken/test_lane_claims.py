"""A read that was told a wait keeps its place for that time: the wait that was told is worth something."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lane_parts import USABLE, with_key

from execsvc.domain.errors import Busy
from execsvc.kraken.endpoints import Rank
from execsvc.kraken.lanequeue import CLAIMS_MAX, GRACE_S, RESERVE

FULL = USABLE - int(RESERVE)  # for reads
A_MOMENT = 1e-3


async def wait(key, caller="me", cost=1, by=0.0):
    return (await key.refused(Rank.READ, cost, by + 1e-9, caller=caller)).retry_after_s


async def come(key, caller="me", cost=1):
    """A read that goes now or not at all."""
    await key.call(caller, Rank.READ, cost, by=key.clock.monotonic() + 1e-4, caller=caller, hold_s=0)


def test_who_comes_when_told_goes_before_those_that_queued_meanwhile():
    """Fifty of a flood wait: the one that was told a second is served in that second."""

    async def scenario(key):
        told = await wait(key)
        flood = [key.spawn("flood", Rank.READ, caller="flood", hold_s=0) for _ in range(50)]
        await key.clock.sleep(told)
        await come(key)
        for each in flood:
            each.cancel()
        return key.began

    assert with_key(scenario, FULL) == [("me", 1.0)]


def test_a_place_that_was_promised_is_kept_for_a_moment():
    """Then the point is the next one's."""

    async def scenario(key):
        told = await wait(key)
        waiting = key.spawn("other", Rank.READ, caller="other", hold_s=0)
        await key.clock.sleep(told + GRACE_S - A_MOMENT)
        await come(key)
        await waiting
        return key.began

    assert with_key(scenario, FULL) == [("me", 1.5), ("other", 2.0)]


def test_a_place_that_was_promised_is_not_kept_for_ever():
    """Whoever waits goes as soon as the moment of grace is over, by itself."""

    async def scenario(key):
        await wait(key)
        await key.call("other", Rank.READ, caller="other")
        return key.began

    assert with_key(scenario, FULL) == [("other", 1.0 + GRACE_S)]


def test_several_callers_are_promised_one_after_the_other():
    """Each the time at which there is a point for it."""

    async def scenario(key):
        return [await wait(key, caller) for caller in "abc"]

    assert with_key(scenario, FULL) == [1.0, 2.0, 3.0]


def test_those_who_were_promised_and_come_are_all_served_as_told():
    """Three callers, three seconds."""

    async def scenario(key):
        async def returning(caller):
            await key.clock.sleep(await wait(key, caller))
            await come(key, caller)

        await asyncio.gather(*(returning(caller) for caller in "abc"))
        return key.began

    assert with_key(scenario, FULL) == [("a", 1.0), ("b", 2.0), ("c", 3.0)]


def test_a_caller_that_asks_without_pause_holds_so_many_places_only():
    """Somebody else stands behind one of them, not behind all."""

    async def scenario(key):
        for _ in range(CLAIMS_MAX + 5):
            await wait(key, "flood")
        return len(key.lane._queue._claims), await wait(key, "other")

    assert with_key(scenario, FULL) == (CLAIMS_MAX, 2.0)


def test_a_promise_that_cannot_be_kept_yet_is_given_anew():
    """Kraken says that the key is full: whoever comes in time is told the new time, and keeps its place."""

    async def scenario(key):
        await key.clock.sleep(await wait(key, "first"))
        key.counter.fill(key.clock.monotonic())
        first = await wait(key, "first")
        return first, await wait(key, "second"), len(key.lane._queue._claims)

    assert with_key(scenario, FULL) == (10.0, 11.0, 2)


def test_a_dear_read_does_not_take_the_place_of_a_cheap_one():
    """What was promised is a point, not five."""

    async def scenario(key):
        await key.clock.sleep(await wait(key))
        dear = await wait(key, cost=5)
        await come(key)
        return dear, key.began

    assert with_key(scenario, FULL) == (5.0, [("me", 1.0)])


def test_a_place_that_was_promised_may_be_waited_in():
    """Its time has come and the lane is held by another call: it is the next."""

    async def scenario(key):
        told = await wait(key)
        flood = [key.spawn("flood", Rank.READ, caller="flood", hold_s=0) for _ in range(5)]
        await key.clock.sleep(told - 0.1)
        trade = key.spawn("trade", Rank.TRADE, 0, hold_s=0.3)
        await key.clock.sleep(0.1)
        await key.call("me", Rank.READ, caller="me", by=key.clock.monotonic() + 0.5, hold_s=0)
        for each in [*flood, trade]:
            each.cancel()
        return [name for name, _ in key.began]

    assert with_key(scenario, FULL) == ["trade", "me"]


@pytest.mark.parametrize("rank", [Rank.RESOLVE, Rank.TRADE, Rank.CANCEL])
def test_only_reads_keep_places(rank):
    """A look comes again by itself, and nothing else waits for the counter."""

    async def scenario(key):
        try:
            await key.call("x", rank, 3, by=0.5)
        except Busy:
            return len(key.lane._queue._claims)
        return None

    assert with_key(scenario, USABLE) == 0


def test_promised_places_do_not_hold_up_what_costs_nothing():
    """Trades go by."""

    async def scenario(key):
        await wait(key)
        await key.call("trade", Rank.TRADE, 0)
        return key.began

    assert with_key(scenario, FULL) == [("trade", 0.0)]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20), st.booleans()), min_size=1, max_size=25),
)
def test_every_read_that_is_told_a_wait_and_comes_then_is_served_in_the_end(asks):
    """Whatever mix of those who wait and those who return: all are served, and no more than points have sunk."""

    async def scenario(key):
        async def one(caller, at, returns):
            await key.clock.sleep(at)
            if not returns:
                await key.call(caller, Rank.READ, caller=caller, hold_s=0)
                return
            for _ in range(200):
                try:
                    await come(key, caller)
                except Busy as refusal:
                    await key.clock.sleep(refusal.fault.retry_after_s)
                else:
                    return

        await asyncio.gather(*(one(*ask) for ask in asks))
        times = sorted(at for _, at in key.began)
        early = [at for number, at in enumerate(times, 1) if number > at + 0.02]
        return len(key.began), early, key.lane.depth()

    assert with_key(scenario, FULL) == (len(asks), [], 0)
