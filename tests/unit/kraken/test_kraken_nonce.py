"""Nonces: strictly rising whatever crashes, steps or fails; blocks durable before use."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import Blocks

from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.kraken.nonce import BLOCK_SIZE, Exhausted, NonceBlock, Nonces
from execsvc.kraken.venuetime import VenueTime
from tests.support.simloop import SimClock, SimTasks, run_sim

HOUR_S = 3600.0


def told_time(clock, *, venue_skew_s=0.0):
    """An estimate of a venue whose clock is off from the true one; ours is off by clock.skew_s."""
    venue_time = VenueTime()
    venue_ns = clock.wall_ns() - int(clock.skew_s * 1e9) + int(venue_skew_s * 1e9)
    venue_time.observe(sent_ns=clock.wall_ns(), received_ns=clock.wall_ns(), earliest_ns=venue_ns, latest_ns=venue_ns)
    return venue_time


def nonces_of(clock, blocks, *, venue_time=None, tasks=None):
    return Nonces(
        fingerprint="fp",
        blocks=blocks,
        clock=clock,
        tasks=tasks or SimTasks(),
        venue_time=venue_time or told_time(clock),
    )


def test_block_gives_each_of_its_nonces_once():
    """A block counts up through its range and is then exhausted."""
    block = NonceBlock(range(7, 10))
    assert [block.next(), block.next(), block.next()] == [7, 8, 9]
    with pytest.raises(Exhausted):
        block.next()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("take"), st.integers(1, 40)),
            st.tuples(st.just("take"), st.just(BLOCK_SIZE)),
            st.tuples(st.just("crash"), st.just(0)),
            st.tuples(st.just("step"), st.integers(-(10**6), 3000)),
            st.tuples(st.just("renew"), st.just(0)),
            st.tuples(st.just("rebase"), st.integers(0, 10**7)),
        ),
        max_size=12,
    )
)
def test_nonces_rise_across_crashes_and_clock_steps(acts):
    """Whatever happens to process and clock, every nonce is above all before it."""

    async def live():
        clock, blocks, seen = SimClock(), Blocks(), []
        nonces = nonces_of(clock, blocks)
        for act, amount in acts:
            match act:
                case "take":
                    seen.extend([await nonces.next() for _ in range(amount)])
                case "crash":
                    nonces = nonces_of(clock, blocks)
                case "step":
                    clock.skew_s += amount
                case "renew":
                    nonces.renew()
                case "rebase":
                    nonces.rebase(nonces.last + amount)
        return seen

    seen = run_sim(live())
    assert all(earlier < later for earlier, later in pairwise(seen))


def test_next_block_is_fetched_before_the_last_one_ends():
    """At 20 % left the next block is reserved in the background; no caller waits for it."""

    async def live():
        clock, blocks = SimClock(), Blocks()
        nonces = nonces_of(clock, blocks)
        for _ in range(BLOCK_SIZE * 8 // 10 - 1):
            await nonces.next()
        before = len(blocks.reservations)
        await nonces.next()
        await clock.sleep(0)
        return before, len(blocks.reservations)

    assert run_sim(live()) == (1, 2)


def test_our_clock_is_the_floor_of_a_block():
    """A first block starts above our clock in nanoseconds."""

    async def live():
        clock = SimClock()
        return await nonces_of(clock, Blocks()).next() - clock.wall_ns()

    assert run_sim(live()) == 1


def test_clock_far_ahead_of_krakens_is_not_believed():
    """A clock in the year 2100 does not burn the key: the block starts at Kraken's time."""

    async def live():
        clock = SimClock()
        clock.skew_s = 70 * 365 * 24 * HOUR_S
        nonce = await nonces_of(clock, Blocks(), venue_time=told_time(clock)).next()
        return nonce - (clock.wall_ns() - int(clock.skew_s * 1e9))

    assert abs(run_sim(live())) < HOUR_S * 1e9


def test_no_first_nonce_before_krakens_clock_is_known():
    """A key never used here gets no nonce from an unverified clock."""

    async def live():
        with pytest.raises(Busy) as refusal:
            await nonces_of(SimClock(), Blocks(), venue_time=VenueTime()).next()
        return refusal.value.reason

    assert run_sim(live()) is Reason.CLOCK_UNTRUSTED


def test_known_key_goes_on_without_krakens_clock():
    """What was reserved before is floor enough."""

    async def live():
        blocks = Blocks()
        blocks.hwm = 5_000
        return await nonces_of(SimClock(), blocks, venue_time=VenueTime()).next()

    assert run_sim(live()) == 5_001


def test_reported_nonce_above_ours_becomes_the_floor():
    """Another program's nonce, as Kraken reports it, is overtaken by the next one."""

    async def live():
        clock = SimClock()
        nonces = nonces_of(clock, Blocks())
        reported = await nonces.next() + 10**15
        nonces.rebase(reported)
        return await nonces.next() - reported

    assert run_sim(live()) == 1


def test_reported_nonce_of_our_own_changes_nothing():
    """Our own last nonce, reported back, throws no block away."""

    async def live():
        blocks = Blocks()
        nonces = nonces_of(SimClock(), blocks)
        first = await nonces.next()
        nonces.rebase(first)
        return await nonces.next() - first, len(blocks.reservations)

    assert run_sim(live()) == (1, 1)


def test_store_failure_is_busy_and_heals():
    """Without a block there is no nonce; when the store is back there is one."""

    async def live():
        clock, blocks = SimClock(), Blocks()
        nonces = nonces_of(clock, blocks)
        blocks.outage = Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
        with pytest.raises(Busy):
            await nonces.next()
        blocks.outage = None
        return await nonces.next()

    assert run_sim(live()) > 0


def test_store_that_repeats_a_range_breaks_a_rule():
    """A nonce not above the last one is never handed out, whatever the store reserved."""

    async def live():
        blocks = Blocks()
        nonces = nonces_of(SimClock(), blocks)
        await nonces.next()
        blocks.hwm = 0
        nonces.renew()
        blocks.reserve = lambda *_: asyncio.sleep(0, range(1, 10))
        with pytest.raises(Broken):
            await nonces.next()

    run_sim(live())


def test_renewing_while_a_block_is_fetched_drops_that_block():
    """A block asked for before the renewal is not used: its floor is of the old days."""

    async def live():
        clock, blocks = SimClock(), Blocks()
        nonces = nonces_of(clock, blocks)
        for _ in range(BLOCK_SIZE * 8 // 10):
            await nonces.next()
        nonces.renew()
        nonce = await nonces.next()
        return len(blocks.reservations), nonce == blocks.reservations[-1]

    assert run_sim(live()) == (3, True)


def told_apart(act, *, hwm=None):
    async def main():
        clock, blocks = SimClock(), Blocks()
        blocks.hwm = hwm
        nonces = nonces_of(clock, blocks)
        await nonces.next()
        return await act(nonces, clock)

    return run_sim(main())


def test_a_nonce_between_the_old_mark_and_our_block_is_a_strangers():
    """Reserved by nobody here, seen by Kraken: another program uses the key."""
    old = 1_789_000_000 * 10**9

    async def act(nonces, _):
        return [nonces.foreign(each) for each in (old - 5, old, old + 1, nonces.last, nonces.last + 50_000)]

    assert [False, False, True, False, True] == told_apart(act, hwm=old)


def test_of_a_key_never_used_here_every_nonce_is_its_past():
    """First use: whatever Kraken has seen is nobody's fault."""

    async def act(nonces, _):
        return nonces.foreign(nonces.last + 10**12)

    assert told_apart(act) is False


def test_blocks_of_this_life_stay_our_own():
    """Also those that were thrown away."""

    async def act(nonces, clock):
        first = nonces.last
        for _ in range(5):
            nonces.renew()
            await nonces.next()
        return nonces.foreign(first)

    assert told_apart(act, hwm=5) is False


def test_two_refusals_within_a_minute_are_trouble_and_nothing_more():
    """Each refusal throws the block away; the key is looked at from the second one on, and nonces go on."""

    async def act(nonces, clock):
        told = []
        nonces.on_trouble = lambda: told.append(clock.monotonic())
        for _ in range(3):
            nonces.refused()
        await clock.sleep(61)
        nonces.refused()
        before = nonces.last
        return told, await nonces.next() > before

    assert ([0.0, 0.0], True) == told_apart(act, hwm=5)
