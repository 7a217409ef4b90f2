"""How many may be inside the door, and how long a peer may keep it waiting."""

import asyncio

import pytest

from execsvc.domain.errors import Busy, ExecsvcError, Reason
from execsvc.rpc import bounds
from execsvc.rpc.crowd import Crowd, OutOfPatienceError, Patience
from execsvc.rpc.permits import PACKAGE, PERMITS
from execsvc.rpc.quotas import MAX_CALLS, MAX_CANCELS, MAX_STREAMS, Room, room_of

PLACE, CANCEL, READ, STREAM = (
    PERMITS[f"{PACKAGE}.{name}"]
    for name in (
        "OrderService/PlaceOrder",
        "OrderService/CancelOrder",
        "AdminService/GetServerInfo",
        "MarketDataService/SubscribeTickers",
    )
)


class Hands:
    """A clock that a test moves."""

    def __init__(self):
        self.now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock():
    return Hands()


async def waiting(patience, what=None, peer="ipv4:192.0.2.1:5000"):
    """A task that waits there, once it does."""
    task = asyncio.ensure_future(patience.wait(what or asyncio.get_running_loop().create_future(), peer=peer))
    await asyncio.sleep(0)
    return task


async def outcome(task):
    try:
        return await task
    except (OutOfPatienceError, asyncio.CancelledError) as end:
        return type(end)


# ---- patience --------------------------------------------------------------------------------------------------------


async def test_what_comes_in_time_is_given(clock):
    """Waiting costs nothing but a place, which is given back."""
    patience = Patience(clock, most=1, within_s=10)
    future = asyncio.get_running_loop().create_future()
    task = await waiting(patience, future)
    future.set_result("here")
    assert ("here", 0) == (await task, len(patience))


async def test_who_waits_too_long_is_ended_and_nobody_else(clock):
    """Exactly those that began `within_s` ago or earlier."""
    patience = Patience(clock, most=10, within_s=10)
    old = await waiting(patience)
    clock.now += 4
    young = await waiting(patience)
    clock.now += 5.9
    patience.look()
    await asyncio.sleep(0)
    assert not old.done()
    clock.now += 0.1
    patience.look()
    assert (OutOfPatienceError, 1) == (await outcome(old), len(patience))
    young.cancel()


async def test_one_too_many_ends_the_one_that_waited_longest(clock):
    """Whoever comes is let in; the place is taken from whoever kept it longest."""
    patience = Patience(clock, most=3, within_s=10)
    first, *others = [await waiting(patience) for _ in range(4)]
    with pytest.raises(OutOfPatienceError, match="too many wait") as caught:
        await first
    assert caught.value.crowded
    assert (3, [False] * 3) == (len(patience), [each.done() for each in others])
    for each in others:
        each.cancel()


async def test_a_flood_of_one_peer_ends_none_but_its_own(clock):
    """Where one more would be too many, the peer that has most waiting loses its longest, whoever came before it."""
    patience = Patience(clock, most=4, within_s=10)
    slow = await waiting(patience, peer="slow")
    flood = [await waiting(patience, peer="flood") for _ in range(30)]
    assert [OutOfPatienceError] * 27 == [await outcome(each) for each in flood[:27]]
    assert (4, [False] * 4) == (len(patience), [each.done() for each in (slow, *flood[27:])])
    for each in (slow, *flood[27:]):
        each.cancel()


async def test_who_waits_too_long_is_ended_whichever_peer_it_is(clock):
    """A peer whose wait began late hides nobody else's."""
    patience = Patience(clock, most=10, within_s=10)
    old = [await waiting(patience, peer="a"), await waiting(patience, peer="b")]
    clock.now += 5
    young = await waiting(patience, peer="a")
    clock.now += 5
    patience.look()
    assert ([OutOfPatienceError] * 2, 1) == ([await outcome(each) for each in old], len(patience))
    young.cancel()


async def test_a_caller_that_hangs_up_at_the_same_moment_wins(clock):
    """A cancellation from outside stays one, however it meets ours."""
    patience = Patience(clock, most=1, within_s=10)
    task = await waiting(patience)
    task.cancel()
    clock.now += 20
    patience.look()
    assert asyncio.CancelledError is await outcome(task)
    assert 0 == len(patience)


async def test_hanging_up_after_the_strike_wins_too(clock):
    """The order of the two does not matter."""
    patience = Patience(clock, most=1, within_s=10)
    task = await waiting(patience)
    clock.now += 20
    patience.look()
    task.cancel()
    assert asyncio.CancelledError is await outcome(task)


async def test_the_task_may_go_on_after_the_end_of_patience(clock):
    """The strike is used up: what the task awaits next is not cancelled."""
    patience = Patience(clock, most=1, within_s=10)

    async def life():
        try:
            await patience.wait(asyncio.get_running_loop().create_future(), peer="")
        except OutOfPatienceError:
            await asyncio.sleep(0)
            return asyncio.current_task().cancelling()

    task = asyncio.ensure_future(life())
    await asyncio.sleep(0)
    clock.now += 20
    patience.look()
    assert 0 == await task


async def test_an_error_of_what_is_awaited_passes(clock):
    """Failures are not swallowed, and the place is given back."""
    patience = Patience(clock, most=1, within_s=10)

    async def fails():
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await patience.wait(fails(), peer="")
    assert 0 == len(patience)


# ---- places ----------------------------------------------------------------------------------------------------------


def filled(crowd, permit, count):
    return [crowd.enter(permit) for _ in range(count)]


@pytest.mark.parametrize(
    ("permit", "most", "reason"),
    [
        (STREAM, bounds.STREAMS_MOST, Reason.TOO_MANY_STREAMS),
        (READ, bounds.CALLS_MOST, Reason.CALLER_QUOTA),
        (PLACE, bounds.CALLS_MOST, Reason.CALLER_QUOTA),
        (CANCEL, bounds.CANCELS_MOST, Reason.CALLER_QUOTA),
    ],
    ids=["streams", "reads", "placements", "cancels"],
)
def test_one_more_than_the_bound_is_refused_and_room_is_made_again(clock, permit, most, reason):
    """In words, and one that leaves makes room for one."""
    crowd = Crowd(clock)
    rooms = filled(crowd, permit, most)
    with pytest.raises(ExecsvcError) as caught:
        crowd.enter(permit)
    crowd.leave(rooms[0])
    crowd.enter(permit)
    assert reason is caught.value.reason


def test_calls_and_streams_leave_cancels_their_room(clock):
    """Taking risk away is possible in any crowd."""
    crowd = Crowd(clock)
    filled(crowd, STREAM, bounds.STREAMS_MOST)
    filled(crowd, READ, bounds.CALLS_MOST)
    assert Room.CANCELS is crowd.enter(CANCEL)


def test_a_full_house_heals_by_waiting_and_says_that_no_id_was_used(clock):
    """A placement that is refused here may be sent again under its id."""
    crowd = Crowd(clock)
    filled(crowd, PLACE, bounds.CALLS_MOST)
    with pytest.raises(Busy) as caught:
        crowd.enter(PLACE)
    assert (True, "false") == (caught.value.fault.retry_after_s > 0, caught.value.fault.metadata["id_used"])


def test_all_bounds_together_stay_below_grpcs_own():
    """At its own bound gRPC stops listening to everybody, so ours are reached before."""
    ours = bounds.STREAMS_MOST + bounds.CALLS_MOST + bounds.CANCELS_MOST + bounds.ARRIVING_MOST
    ours += bounds.HEALTH_MOST + bounds.REFLECTIONS_MOST
    assert ours < bounds.RPCS_MOST


def test_a_handful_of_callers_that_take_nothing_stays_below_it_too():
    """Each holds at most its answers and its calls in flight: eight of them do not fill gRPC's bound."""
    each = bounds.UNTAKEN_MOST + MAX_CALLS + MAX_CANCELS + MAX_STREAMS
    assert 8 * each <= bounds.RPCS_MOST


def test_every_method_has_a_room():
    """No method is without a bound."""
    assert set(Room) == {room_of(permit) for permit in PERMITS.values()}
