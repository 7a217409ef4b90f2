"""The lane: one call in flight, cancels first, doubts never starved, bounded, and the stuck overtaken."""

import asyncio
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import Busy, Declined, ExecsvcError, Fault, Reason
from execsvc.kraken.costs import TIERS, UNLIMITED
from execsvc.kraken.counters import Counter
from execsvc.kraken.endpoints import Effect, Rank
from execsvc.kraken.lane import Lane
from execsvc.kraken.lanequeue import AGEING_S, CALLER_DEPTH_MAX, READ_AGEING_S, LaneQueue, Ticket
from tests.support.simloop import SimClock, run_sim

FAR = 1e9


def endless():
    """A counter that is never full."""
    tier = TIERS[UNLIMITED]
    return Counter(tier.rest_max, tier.rest_decay)


class Race:
    """Calls on one lane, each holding it for `round_trip_s`; `began` and `done` keep the order."""

    def __init__(self, clock, round_trip_s=0.1):
        self.lane = Lane("key-1", clock, endless())
        self.clock = clock
        self.round_trip_s = round_trip_s
        self.began = []
        self.done = []

    async def call(self, name, rank, *, by=FAR, hold_s=None, effect=Effect.READ):
        ticket = await self.lane.enter(rank, effect, by)
        with self.lane.holding(ticket):
            self.began.append((name, self.clock.monotonic()))
            await self.clock.sleep(self.round_trip_s if hold_s is None else hold_s)
        self.done.append(name)

    def spawn(self, *args, **rest):
        return asyncio.ensure_future(self.call(*args, **rest))

    @property
    def order(self):
        return [name for name, _ in self.began]


@given(st.lists(st.tuples(st.sampled_from(Rank), st.floats(0, 5)), min_size=1, max_size=30), st.floats(5, 20))
def test_pick_obeys_class_then_age_then_arrival(waiting, now):
    """Cancels first, then an aged resolve, an aged read, trades, resolving, reads; inside a class the first come."""
    queue = LaneQueue(endless())
    tickets = [Ticket(rank, since) for rank, since in sorted(waiting, key=lambda each: each[1])]
    for ticket in tickets:
        queue.push(ticket)
    picked = []
    while (ticket := queue.pick(now, lambda _: True)) is not None:
        queue.remove(ticket)
        picked.append(ticket)

    def place(ticket):
        waited_s = now - ticket.since
        if ticket.rank is Rank.RESOLVE and waited_s >= AGEING_S:
            return 1, tickets.index(ticket)
        if ticket.rank is Rank.READ and waited_s >= READ_AGEING_S:
            return 2, tickets.index(ticket)
        return 0 if ticket.rank is Rank.CANCEL else 3 + ticket.rank, tickets.index(ticket)

    assert sorted(tickets, key=place) == picked


def test_one_call_in_flight():
    """However many wait, the lane is held by one."""

    async def live():
        race = Race(SimClock())
        await asyncio.gather(*(race.call(number, Rank.TRADE) for number in range(20)))
        starts = [at for _, at in race.began]
        return race.order, [round(later - earlier, 3) for earlier, later in pairwise(starts)]

    assert run_sim(live()) == (list(range(20)), [0.1] * 19)


def test_cancel_goes_before_everything_that_waits():
    """A cancel behind a flood of reads leaves after the call in flight."""

    async def live():
        race = Race(SimClock())
        calls = [race.spawn(f"read-{number}", Rank.READ) for number in range(5)]
        calls += [race.spawn("trade", Rank.TRADE), race.spawn("cancel", Rank.CANCEL)]
        await asyncio.gather(*calls)
        return race.order[:3]

    assert run_sim(live()) == ["read-0", "cancel", "trade"]


def test_resolve_that_waited_a_second_goes_before_trades():
    """A flood of orders cannot keep a doubt open."""

    async def live():
        race = Race(SimClock())
        calls = [race.spawn(f"trade-{number}", Rank.TRADE) for number in range(30)]
        await asyncio.sleep(0)
        calls.append(race.spawn("resolve", Rank.RESOLVE))
        await asyncio.gather(*calls)
        return race.order.index("resolve")

    assert run_sim(live()) in {10, 11}


def test_full_class_is_refused_with_the_wait():
    """Beyond its bound a class refuses at once, names a wait, and leaves the other classes alone."""

    async def live():
        race = Race(SimClock())
        calls = [race.spawn(number, Rank.READ) for number in range(CALLER_DEPTH_MAX + 1)]
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            await race.call("too many", Rank.READ)
        cancel = race.spawn("cancel", Rank.CANCEL)
        await cancel
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        return refusal.value.fault

    fault = run_sim(live())
    assert fault.reason is Reason.LOCAL_RATE_LIMITED
    assert fault.retry_after_s > 0


def test_call_whose_time_runs_out_leaves_the_queue():
    """At `by` a waiting read is told READ_TIMEOUT and nobody waits behind it."""

    async def live():
        race = Race(SimClock())
        holder = race.spawn("holder", Rank.READ, hold_s=1.0)
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            await race.call("late", Rank.READ, by=0.5)
        await holder
        return refusal.value.reason, race.clock.monotonic(), race.lane.depth()

    assert run_sim(live()) == (Reason.READ_TIMEOUT, 1.0, 0)


def test_call_that_comes_too_late_does_not_enter():
    """A free lane is no reason to send what is of no use any more."""

    async def live():
        race = Race(SimClock())
        with pytest.raises(Busy):
            await race.call("late", Rank.READ, by=0.0)
        return race.began

    assert run_sim(live()) == []


def test_stuck_call_is_overtaken_after_its_patience():
    """A call without an answer holds the lane for 2 s, before a cancel for half a second; it still gets its answer."""

    async def live(rank):
        race = Race(SimClock())
        stuck = race.spawn("stuck", Rank.READ, hold_s=8.0)
        await asyncio.sleep(0)
        await race.call("next", rank)
        began = dict(race.began)["next"]
        await stuck
        return began, race.done

    assert run_sim(live(Rank.TRADE)) == (2.0, ["next", "stuck"])
    assert run_sim(live(Rank.CANCEL)) == (0.5, ["next", "stuck"])


def test_overtaken_call_frees_nobody_elses_turn():
    """When the overtaken call ends, the lane is still its follower's."""

    async def live():
        race = Race(SimClock())
        calls = [race.spawn("stuck", Rank.READ, hold_s=2.5)]
        await asyncio.sleep(0)
        calls += [race.spawn("second", Rank.READ, hold_s=1.0), race.spawn("third", Rank.READ)]
        await asyncio.gather(*calls)
        return [(name, round(at, 3)) for name, at in race.began]

    assert run_sim(live()) == [("stuck", 0.0), ("second", 2.0), ("third", 3.0)]


def test_cancelled_waiter_gives_its_turn_on():
    """A waiter that is cancelled, even as its turn comes, leaves the lane to the next."""

    async def live():
        race = Race(SimClock())
        ticket = await race.lane.enter(Rank.READ, Effect.READ, FAR)
        doomed = race.spawn("doomed", Rank.READ)
        last = race.spawn("last", Rank.READ)
        await race.clock.sleep(0.1)
        with race.lane.holding(ticket):
            pass
        doomed.cancel()  # its turn has been granted, it has not run yet
        with suppress(asyncio.CancelledError):
            await doomed
        await last
        return race.began

    assert run_sim(live()) == [("last", 0.1)]


def test_stopped_lane_refuses_all_with_its_reason():
    """After a stop nothing goes out: those that wait are told too."""

    async def live():
        race = Race(SimClock())
        holder = race.spawn("holder", Rank.READ)
        waiting = race.spawn("waiting", Rank.TRADE)
        await asyncio.sleep(0.05)
        race.lane.stop(Fault(Reason.VENUE_CREDENTIALS_REJECTED, "bad key"))
        await holder
        results = await asyncio.gather(waiting, race.call("new", Rank.CANCEL), return_exceptions=True)
        return race.order, results, race.lane.states()[0].stopped

    order, results, stopped = run_sim(live())
    assert order == ["holder"]
    assert [type(each) for each in results] == [Declined, Declined]
    assert stopped


def test_blocked_lane_opens_again_by_itself():
    """A lockout is counted down, and after it calls go out."""

    async def live():
        race = Race(SimClock())
        race.lane.block(900.0, Fault(Reason.VENUE_LOCKED_OUT, "locked out"))
        await race.clock.sleep(300.0)
        with pytest.raises(Busy) as refusal:
            await race.call("early", Rank.READ, by=race.clock.monotonic() + 60)
        until_ns = race.lane.states()[0].blocked_until_ns
        await race.clock.sleep(600.0)
        await race.call("after", Rank.READ)
        return refusal.value.fault.retry_after_s, until_ns - SimClock.EPOCH_NS, race.order

    assert run_sim(live()) == (600.0, 900 * 10**9, ["after"])


def test_call_granted_while_the_lane_closes_does_not_go_out():
    """The answer that closes the lane also hands it on: whoever gets it must not use it."""

    async def live():
        race = Race(SimClock())

        async def refused():
            ticket = await race.lane.enter(Rank.TRADE, Effect.ORDER, FAR)
            with race.lane.holding(ticket):
                await race.clock.sleep(0.1)
                race.lane.block(900.0, Fault(Reason.VENUE_LOCKED_OUT, "locked out"))

        holder = asyncio.ensure_future(refused())
        await asyncio.sleep(0)
        results = await asyncio.gather(
            *(race.call(number, Rank.READ, by=60) for number in range(3)), return_exceptions=True
        )
        await holder
        return race.order, [type(each) for each in results]

    assert run_sim(live()) == ([], [Busy, Busy, Busy])


@given(
    st.lists(
        st.tuples(st.sampled_from(Rank), st.floats(0, 3), st.floats(0.01, 6), st.floats(0.1, 8)),
        min_size=1,
        max_size=25,
    )
)
def test_every_call_is_served_or_told(calls):
    """Nobody waits past its time, nobody is forgotten, and the lane is free in the end."""

    async def live():
        race = Race(SimClock())

        async def come(number, rank, at, hold_s, patience_s):
            await race.clock.sleep(at)
            by = race.clock.monotonic() + patience_s
            try:
                ticket = await race.lane.enter(rank, Effect.READ, by)
            except ExecsvcError:
                return race.clock.monotonic() <= by + 1e-6
            with race.lane.holding(ticket):
                served = race.clock.monotonic() <= by + 1e-6
                await race.clock.sleep(hold_s)
            return served

        fine = await asyncio.gather(*(come(number, *call) for number, call in enumerate(calls)))
        return all(fine), race.lane.depth(), repr(race.lane)

    fine, depth, shown = run_sim(live())
    assert (fine, depth) == (True, 0)
    assert "free" in shown
