"""When a call's points are free again or begin to sink, and what a block of the key does to those who wait."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from lane_parts import FAR, USABLE, D, with_key

from execsvc.domain.errors import Fault, Reason
from execsvc.kraken.breaker import LANES, READ, TRADE
from execsvc.kraken.counters import LATE_COUNT_S
from execsvc.kraken.endpoints import Effect, Rank
from execsvc.kraken.lanequeue import RESERVE, Fate

THROTTLED = Fault(Reason.VENUE_RATE_LIMITED, "throttled")

# ---- when points sink -----------------------------------------------------------------------------------------------


def test_a_call_counts_from_when_it_goes_and_sinks_from_its_answer():
    """In full as long as it is under way."""

    async def scenario(key):
        levels = []
        call = key.spawn("read", Rank.READ, 4, hold_s=1.5)
        await key.clock.sleep(1.0)
        levels.append(key.level())
        await call
        await key.clock.sleep(1.0)
        return [*levels, key.level()]

    assert with_key(scenario) == [D(4), D(3)]


def test_a_call_that_was_never_sent_costs_nothing():
    """No connection came about: its points are free again."""

    async def scenario(key):
        await key.call("read", Rank.READ, 4, fate=Fate.UNSENT)
        return key.level()

    assert with_key(scenario) == D(0)


def test_points_of_a_call_that_was_never_sent_go_to_the_next_at_once():
    """Nobody waits for points to sink that were never used."""

    async def scenario(key):
        first = key.spawn("first", Rank.READ, 4, fate=Fate.UNSENT, hold_s=0.5)
        await asyncio.sleep(0)
        await asyncio.gather(first, key.spawn("second", Rank.READ, 4))
        return key.began

    assert with_key(scenario, USABLE - RESERVE - 4) == [("first", 0.0), ("second", 0.5)]


def test_a_call_whose_caller_hangs_up_before_it_was_sent_costs_nothing():
    """The turn had come, and nobody took it."""

    async def scenario(key):
        holder = await key.lane.enter(Rank.TRADE, Effect.READ, FAR)
        doomed = key.spawn("doomed", Rank.READ, 4)
        await key.clock.sleep(0.1)
        with key.lane.holding(holder):
            pass
        held = key.level()
        doomed.cancel()  # it has the lane, it has not run yet
        await asyncio.gather(doomed, return_exceptions=True)
        return held, key.began, key.level(), "free" in repr(key.lane)

    assert with_key(scenario) == (D(4), [], D(0), True)


def test_a_call_without_an_answer_counts_until_none_can_come():
    """Half a minute: then Kraken has counted it, or never will."""

    async def scenario(key):
        await key.call("lost", Rank.READ, 4, fate=Fate.LOST, hold_s=0)
        await key.clock.sleep(LATE_COUNT_S)
        held = key.level()
        await key.clock.sleep(1.0)
        return held, key.level()

    assert with_key(scenario) == (D(4), D(3))


def test_lost_calls_land_when_a_later_one_is_answered():
    """Its nonce was higher: what was lost before has been counted by now, or never will be."""

    async def scenario(key):
        for _ in range(2):
            await key.call("lost", Rank.READ, 2, fate=Fate.LOST, hold_s=0)
        await key.clock.sleep(5.0)
        await key.call("heard", Rank.TRADE, 0, hold_s=0)
        await key.clock.sleep(1.0)
        return key.level()

    assert with_key(scenario) == D(3)


def test_a_later_call_without_an_answer_proves_nothing_of_lost_ones():
    """Both are held."""

    async def scenario(key):
        await key.call("lost", Rank.READ, 2, fate=Fate.LOST, hold_s=0)
        await key.call("lost too", Rank.READ, 2, fate=Fate.LOST, hold_s=0)
        await key.clock.sleep(5.0)
        return key.level()

    assert with_key(scenario) == D(4)


def test_a_late_answer_lands_its_call():
    """It came after all, the lane being somebody else's by then."""

    async def scenario(key):
        ticket = await key.call("late", Rank.READ, 4, fate=Fate.LOST, hold_s=0)
        await key.clock.sleep(5.0)
        ticket.fate = Fate.ANSWERED
        key.lane.settle(ticket)
        await key.clock.sleep(1.0)
        return key.level()

    assert with_key(scenario) == D(3)


def test_a_call_that_turns_out_late_to_have_never_been_sent_frees_its_points_at_once():
    """The one that waits for points is told, whoever has the lane by then."""

    async def scenario(key):
        ticket = await key.call("late", Rank.READ, 4, fate=Fate.LOST, hold_s=0)
        waiting = key.spawn("next", Rank.READ, 4)
        await key.clock.sleep(0.5)
        ticket.fate = Fate.UNSENT
        key.lane.settle(ticket)
        await waiting
        return key.began

    assert with_key(scenario, USABLE - RESERVE - 4) == [("late", 0.0), ("next", 0.5)]


# ---- blocks ---------------------------------------------------------------------------------------------------------


def test_a_block_that_ends_in_time_is_waited_for():
    """Whoever has the time goes when it is over."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, {READ, TRADE})
        await key.call("trade", Rank.TRADE, 0, by=6.0)
        return key.began

    assert with_key(scenario) == [("trade", 5.0)]


def test_a_block_that_outlasts_the_call_is_told_with_its_wait():
    """At once."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, {READ, TRADE})
        return await key.refused(Rank.TRADE, 0, by=4.0), key.clock.monotonic()

    fault, told_at = with_key(scenario)
    assert (Reason.VENUE_RATE_LIMITED, 5.0, 0.0) == (fault.reason, fault.retry_after_s, told_at)


def test_a_block_that_begins_meanwhile_is_told_to_those_it_outlasts():
    """Those who have the time wait on."""

    async def scenario(key):
        hasty, patient = key.spawn("hasty", Rank.READ, by=3.0), key.spawn("patient", Rank.READ)
        await key.clock.sleep(0.5)
        key.lane.block(10.0, THROTTLED, {READ})
        results = await asyncio.gather(hasty, patient, return_exceptions=True)
        return results[0].fault.retry_after_s, key.began

    assert with_key(scenario, USABLE - RESERVE) == (10.0, [("patient", 10.5)])


def test_cancels_pass_a_throttle():
    """It is for all but them."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, {READ, TRADE})
        await key.call("cancel", Rank.CANCEL, 0)
        return key.began

    assert with_key(scenario) == [("cancel", 0.0)]


def test_after_a_block_one_call_goes_and_the_others_wait_for_its_answer():
    """A probe; its answer opens the lane."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, LANES)
        calls = [key.spawn(number, Rank.READ, hold_s=1.0) for number in range(3)]
        await key.clock.sleep(5.5)
        states = {state.breaker for state in key.lane.states()}
        await asyncio.gather(*calls)
        return states, key.began

    assert with_key(scenario) == ({"probing"}, [(0, 5.0), (1, 6.0), (2, 7.0)])


def test_a_probe_is_not_overtaken():
    """Its answer is waited for beyond the patience, by cancels too."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, LANES)
        probe = key.spawn("probe", Rank.READ, hold_s=4.0)
        await key.clock.sleep(5.1)
        await asyncio.gather(probe, key.call("cancel", Rank.CANCEL, 0), key.call("trade", Rank.TRADE, 0))
        return key.began

    assert with_key(scenario) == [("probe", 5.0), ("cancel", 9.0), ("trade", 9.01)]


def test_a_probe_without_an_answer_is_followed_by_another():
    """One at a time, until one is heard."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, LANES)
        fates = (Fate.LOST, Fate.LOST, Fate.ANSWERED, Fate.ANSWERED)
        await asyncio.gather(
            *(key.spawn(number, Rank.TRADE, 0, fate=fate, hold_s=1.0) for number, fate in enumerate(fates))
        )
        return key.began, key.lane.states()[1].breaker

    assert with_key(scenario) == ([(0, 5.0), (1, 6.0), (2, 7.0), (3, 8.0)], "closed")


def test_a_probe_whose_caller_hangs_up_unsent_leaves_the_next_to_probe():
    """It proved nothing."""

    async def scenario(key):
        key.lane.block(5.0, THROTTLED, LANES)
        await key.clock.sleep(5.0)
        probe = asyncio.ensure_future(key.lane.enter(Rank.READ, Effect.READ, FAR))
        following = key.spawn("following", Rank.READ)
        await asyncio.sleep(0)
        ticket = await probe
        with key.lane.holding(ticket):
            ticket.fate = Fate.UNSENT
        await following
        return key.began, key.lane.states()[2].breaker

    assert with_key(scenario) == ([("following", 5.0)], "closed")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Rank), st.integers(0, 4), st.floats(0, 10), st.floats(0.01, 3), st.sampled_from(Fate)
        ),
        min_size=1,
        max_size=25,
    )
)
def test_the_counter_is_never_overdrawn_and_nobody_is_forgotten(calls):
    """Whatever comes: the level stays below the maximum less its margin, reads below the reserve too, all are served."""

    async def scenario(key):
        over = []

        async def come(rank, cost, at, hold_s, fate):
            await key.clock.sleep(at)
            if rank in {Rank.CANCEL, Rank.TRADE}:
                cost = 0
            ticket = await key.lane.enter(rank, Effect.READ, FAR, caller="abc"[cost % 3], cost=D(cost))
            with key.lane.holding(ticket):
                most = USABLE - (RESERVE if rank is Rank.READ else 0)
                if cost and key.level() > most + D("0.001"):
                    over.append((rank, key.level()))
                await key.clock.sleep(hold_s)
                ticket.fate = fate

        await asyncio.gather(*(come(*call) for call in calls))
        return over, key.lane.depth(), "free" in repr(key.lane)

    assert with_key(scenario) == ([], 0, True)


def test_a_late_answer_says_nothing_of_calls_that_went_after_it():
    """A call that was overtaken is answered after all: a read that went lost later may still be on its way."""

    async def scenario(key):
        first = await key.lane.enter(Rank.READ, Effect.READ, 100.0, cost=D(1))
        with key.lane.holding(first):
            first.overtaken = True
        second = await key.lane.enter(Rank.READ, Effect.READ, 100.0, cost=D(1))
        with key.lane.holding(second):
            await key.clock.sleep(1.0)
        first.fate = Fate.ANSWERED
        key.lane.settle(first)
        await key.clock.sleep(5.0)
        return key.counter.level(key.clock.monotonic())

    assert with_key(scenario) == D(1)
