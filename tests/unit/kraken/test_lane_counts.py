"""The key's call counter in its lane: what waits for it, what never does, and what is told."""

import asyncio
from itertools import pairwise

import pytest
from lane_parts import FAR, MOST, USABLE, D, with_key

from execsvc.domain.errors import Busy, Reason
from execsvc.kraken.counters import Counter
from execsvc.kraken.endpoints import Rank
from execsvc.kraken.lanequeue import CALLER_DEPTH_MAX, READ_AGEING_S, READ_EVERY_S, RESERVE, LaneQueue, Ticket

# ---- who waits for the counter --------------------------------------------------------------------------------------


def test_reads_leave_the_reserve():
    """Six points are for looks: a read waits although there are points."""

    async def scenario(key):
        await key.call("read", Rank.READ)
        return key.began

    assert with_key(scenario, USABLE - RESERVE) == [("read", 1.0)]


def test_a_look_may_use_what_reads_leave():
    """That is what it is kept for."""

    async def scenario(key):
        await key.call("look", Rank.RESOLVE, int(RESERVE))
        return key.began

    assert with_key(scenario, USABLE - RESERVE) == [("look", 0.0)]


def test_two_looks_always_fit():
    """Reads have used all that they may, and six points are left."""

    async def scenario(key):
        for number in range(USABLE):
            try:
                await key.call(number, Rank.READ, by=key.clock.monotonic())
            except Busy:
                break
        began = key.clock.monotonic()
        for _ in range(2):
            await key.call("look", Rank.RESOLVE, 3)
        return round(key.clock.monotonic() - began, 2)

    assert with_key(scenario) == 0.02


def test_a_look_waits_for_the_margin():
    """The last points are nobody's."""

    async def scenario(key):
        await key.call("look", Rank.RESOLVE, 3)
        return key.began

    assert with_key(scenario, USABLE) == [("look", 3.0)]


@pytest.mark.parametrize("rank", [Rank.CANCEL, Rank.TRADE])
def test_what_costs_nothing_never_waits_for_the_counter(rank):
    """Cancels and trades go while it is full."""

    async def scenario(key):
        await key.call("now", rank, 0, by=0.1)
        return key.began, key.level()

    began, level = with_key(scenario, MOST)
    assert ([("now", 0.0)], D("19.99")) == (began, level)


def test_what_costs_nothing_passes_those_that_wait_for_points():
    """A look and a read stand before a full counter: trades and cancels go by."""

    async def scenario(key):
        waiting = [key.spawn("look", Rank.RESOLVE, 3), key.spawn("read", Rank.READ)]
        await key.clock.sleep(0.1)
        await key.call("trade", Rank.TRADE, 0)
        await key.call("cancel", Rank.CANCEL, 0)
        await asyncio.gather(*waiting)
        return [name for name, _ in key.began]

    assert with_key(scenario, USABLE) == ["trade", "cancel", "look", "read"]


def test_a_look_goes_before_reads_that_came_first():
    """Both wait for points: doubts come first."""

    async def scenario(key):
        reads = [key.spawn(f"read-{number}", Rank.READ) for number in range(3)]
        await asyncio.sleep(0)
        await key.call("look", Rank.RESOLVE, 3)
        for read in reads:
            read.cancel()
        return key.began

    assert with_key(scenario, USABLE) == [("look", 3.0)]


def test_a_dear_call_is_not_starved_by_cheap_ones():
    """Within a rank the next in line is waited for."""

    async def scenario(key):
        dear = key.spawn("dear", Rank.READ, 5, caller="a")
        await asyncio.sleep(0)
        cheap = [key.spawn("cheap", Rank.READ, 1, caller="a") for _ in range(3)]
        await asyncio.gather(dear, *cheap)
        return key.began

    expected = [("dear", 5.0), ("cheap", 6.0), ("cheap", 7.0), ("cheap", 8.0)]
    assert with_key(scenario, USABLE - RESERVE) == expected


def test_a_read_that_waited_three_seconds_goes_before_trades():
    """A flood of orders cannot keep reads out for ever."""

    async def scenario(key):
        trades = [key.spawn(number, Rank.TRADE, 0, hold_s=0.1) for number in range(60)]
        await asyncio.sleep(0)
        read = key.spawn("read", Rank.READ)
        await asyncio.gather(read, *trades)
        return dict(key.began)["read"]

    assert with_key(scenario) == pytest.approx(READ_AGEING_S, abs=0.11)


def test_no_more_than_one_starved_read_a_second_goes_before_trades():
    """In the long run Kraken's counter allows no more."""

    async def scenario(key):
        trades = [key.spawn(number, Rank.TRADE, 0, hold_s=0.1) for number in range(80)]
        await asyncio.sleep(0)
        reads = [key.spawn(f"read-{number}", Rank.READ, hold_s=0) for number in range(4)]
        await asyncio.gather(*reads, *trades)
        return [at for name, at in key.began if str(name).startswith("read")]

    times = with_key(scenario)
    assert [READ_AGEING_S + number * READ_EVERY_S for number in range(4)] == pytest.approx(times, abs=0.45)
    assert all(later - earlier >= READ_EVERY_S for earlier, later in pairwise(times))


def test_a_starved_read_stays_behind_cancels_and_aged_looks():
    """They are dearer to everybody."""

    async def scenario(key):
        holder = key.spawn("holder", Rank.TRADE, 0, hold_s=READ_AGEING_S + 1.0)
        await asyncio.sleep(0)
        ranks = (Rank.READ, Rank.TRADE, Rank.RESOLVE, Rank.CANCEL)
        key.lane._patience_s = 60.0
        calls = [key.spawn(rank.name, rank, 0) for rank in ranks[:3]]
        await key.clock.sleep(READ_AGEING_S + 0.9)
        await asyncio.gather(holder, *calls, key.spawn("CANCEL", Rank.CANCEL, 0))
        return [name for name, _ in key.began][1:]

    assert with_key(scenario) == ["CANCEL", "RESOLVE", "READ", "TRADE"]


def test_reads_of_two_callers_take_turns():
    """A flood of one does not stand before the other."""

    async def scenario(key):
        flood = [key.spawn("flood", Rank.READ, caller="flood") for _ in range(5)]
        await asyncio.sleep(0)
        await asyncio.gather(key.spawn("other", Rank.READ, caller="other"), *flood)
        return [name for name, _ in key.began].index("other")

    assert with_key(scenario, USABLE - RESERVE) == 1


def test_a_caller_of_more_weight_gets_more_turns():
    """Shares are the operator's, in the lane as at the engine."""

    async def scenario(key):
        calls = [key.spawn(caller, Rank.READ, caller=caller) for caller in ("light", "heavy") for _ in range(6)]
        await asyncio.gather(*calls)
        return "".join(name[0] for name, _ in key.began)

    assert with_key(scenario, weights={"heavy": 2})[1:7].count("h") == 4


# ---- what is told ---------------------------------------------------------------------------------------------------


def test_a_call_that_cannot_go_in_time_is_told_the_exact_wait():
    """At once, with the counter that is in its way; and after the wait it goes."""

    async def scenario(key):
        fault = await key.refused(Rank.READ, by=2.0)
        told_at = key.clock.monotonic()
        await key.clock.sleep(fault.retry_after_s)
        await key.call("read", Rank.READ, by=key.clock.monotonic() + 0.001)
        return fault, told_at, key.began

    fault, told_at, began = with_key(scenario, USABLE - RESERVE + 2)
    assert (Reason.LOCAL_RATE_LIMITED, 3.0, 0.0) == (fault.reason, fault.retry_after_s, told_at)
    assert {"lane": "read", "subject": "kraken:rest:key-1"} == dict(fault.metadata)
    assert "Kraken's call counter of key key-1 is at 13.00 of 20: this call may go in 3.000 s" in fault.message
    assert [("read", 3.0)] == began


def test_a_call_that_the_counter_can_never_hold_is_told_so():
    """No wait is named, and none is made."""

    async def scenario(key):
        return await key.refused(Rank.READ, USABLE - int(RESERVE) + 1, by=FAR), key.clock.monotonic()

    fault, told_at = with_key(scenario)
    assert (Reason.LOCAL_RATE_LIMITED, None, 0.0) == (fault.reason, fault.retry_after_s, told_at)
    assert "this call may go never" in fault.message


def test_the_forecast_counts_those_before_it():
    """Two reads of its own wait: three seconds, not one."""

    async def scenario(key):
        waiting = [key.spawn("before", Rank.READ) for _ in range(2)]
        await asyncio.sleep(0)
        fault = await key.refused(Rank.READ)
        for each in waiting:
            each.cancel()
        return fault.retry_after_s

    assert with_key(scenario, USABLE - RESERVE) == 3.0


def test_a_caller_has_its_own_depth():
    """A flood fills its own places: the next caller still enters, and the flood is told which lane it filled."""

    async def scenario(key):
        flood = [key.spawn("flood", Rank.TRADE, 0, caller="flood") for _ in range(CALLER_DEPTH_MAX + 1)]
        await asyncio.sleep(0)
        fault = await key.refused(Rank.TRADE, 0, caller="flood")
        other = key.spawn("other", Rank.TRADE, 0, caller="other")
        await other
        for each in flood:
            each.cancel()
        return fault, [name for name, _ in key.began].index("other")

    fault, place = with_key(scenario)
    assert (Reason.LOCAL_RATE_LIMITED, {"lane": "trade", "subject": "kraken:rest:key-1"}) == (
        fault.reason,
        dict(fault.metadata),
    )
    assert f"{CALLER_DEPTH_MAX} calls of this caller wait" in fault.message
    assert place == 2  # one was held, one of the flood went first


def test_a_rank_has_a_depth_of_all_callers():
    """However many names a flood uses."""
    queue = LaneQueue(Counter(MOST, D(1)), depth_max=3)
    for number in range(3):
        queue.push(Ticket(Rank.READ, 0.0, f"caller-{number}"))
    assert (True, False) == (queue.full(Rank.READ, "another"), queue.full(Rank.TRADE, "another"))
    assert (3, 1, 0) == (queue.depth(Rank.READ), queue.depth(Rank.READ, "caller-1"), queue.depth(Rank.READ, "another"))


def test_one_that_is_not_in_the_queue_is_removed_and_served_without_harm():
    """Whoever tidies up may always do so."""
    queue = LaneQueue(Counter(MOST, D(1)))
    stranger, waiting = Ticket(Rank.READ, 0.0), Ticket(Rank.READ, 0.0)
    queue.push(waiting)
    queue.remove(stranger)
    queue.serve(stranger, 0.0)
    assert ([waiting], "<LaneQueue cancel=0 trade=0 resolve=0 read=1>") == (list(queue), repr(queue))


def test_lanes_tell_their_depth():
    """Resolving goes with the reads."""

    async def scenario(key):
        waiting = [key.spawn("a", rank) for rank in (Rank.READ, Rank.RESOLVE)]
        await asyncio.sleep(0)
        states = [(state.lane, state.queue_depth, state.breaker) for state in key.lane.states()]
        for each in waiting:
            each.cancel()
        return states

    expected = [("cancel", 0, "closed"), ("trade", 0, "closed"), ("read", 2, "closed")]
    assert with_key(scenario, MOST) == expected


def test_one_that_waits_for_a_counter_that_became_too_small_is_told_at_its_time():
    """The account turns out to be of a lower tier: the call will never fit, and does not spin until its time is over."""

    async def scenario(key):
        waiting = key.spawn("dear", Rank.READ, 10, by=8.0)
        await key.clock.sleep(1.0)
        key.counter.resize(15, D("0.33"), 1.0)
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        return result.reason, key.clock.monotonic(), key.lane.depth()

    assert with_key(scenario, 4) == (Reason.READ_TIMEOUT, 8.0, 0)
