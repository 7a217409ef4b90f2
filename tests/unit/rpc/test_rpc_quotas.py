"""How much one caller may have going on at once, and what never has to stand in that queue."""

import pytest

from execsvc.domain.errors import Busy, Reason
from execsvc.rpc import quotas
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.quotas import Quotas, Room, room_of

PLACE, CANCEL, WATCH, READ = (
    PERMITS[f"execsvc.v1.{name}"]
    for name in (
        "OrderService/PlaceOrder",
        "OrderService/CancelOrder",
        "MarketDataService/SubscribeTickers",
        "OrderService/GetOrder",
    )
)


@pytest.fixture
def small(monkeypatch):
    for name in ("MAX_STREAMS", "MAX_CALLS", "MAX_CANCELS"):
        monkeypatch.setattr(quotas, name, 2)
    return Quotas()


def refused(held, permit, caller="ann"):
    with pytest.raises(Busy) as caught:
        held.enter(permit, caller)
    return caught.value.fault


def test_cancels_and_the_kill_switch_have_room_of_their_own():
    """By the table of methods: what takes risk away."""
    assert {
        "OrderService/CancelOrder",
        "OrderService/CancelOrders",
        "OrderService/CancelAllOrders",
        "OrderService/SetDeadMansSwitch",
        "AdminService/SetTradingMode",
    } == {permit.short for permit in PERMITS.values() if room_of(permit) is Room.CANCELS}


def test_streams_are_the_methods_that_stream():
    """Each once, as long as it is open."""
    assert {permit.short for permit in PERMITS.values() if permit.effect.value == "stream"} == {
        permit.short for permit in PERMITS.values() if room_of(permit) is Room.STREAMS
    }


def test_a_full_caller_waits_for_one_of_its_own(small):
    """CALLER_QUOTA with a wait; a place that is given back is free at once."""
    for permit in (PLACE, READ):
        small.enter(permit, "ann")
    fault = refused(small, PLACE)
    assert (Reason.CALLER_QUOTA, quotas.AGAIN_S) == (fault.reason, fault.retry_after_s)
    small.leave(Room.CALLS, "ann")
    assert Room.CALLS is small.enter(PLACE, "ann")


def test_no_flood_of_calls_keeps_a_cancel_out(small):
    """Nor do its streams; and cancels keep out nothing else."""
    for permit in (PLACE, PLACE, WATCH, WATCH):
        small.enter(permit, "ann")
    assert [Room.CANCELS] * 2 == [small.enter(CANCEL, "ann") for _ in range(2)]
    assert Reason.CALLER_QUOTA is refused(small, CANCEL).reason


def test_one_caller_takes_nothing_from_another(small):
    """Each has its own."""
    for _ in range(2):
        small.enter(PLACE, "ann")
    assert Room.CALLS is small.enter(PLACE, "bob")


def test_more_streams_do_not_come_by_waiting(small):
    """TOO_MANY_STREAMS names no wait: close one."""
    for _ in range(2):
        small.enter(WATCH, "ann")
    fault = refused(small, WATCH)
    assert (Reason.TOO_MANY_STREAMS, None) == (fault.reason, fault.retry_after_s)


def test_whoever_has_nothing_going_on_is_forgotten(small):
    """A million callers that came and went leave nothing behind."""
    for number in range(100):
        small.leave(small.enter(READ, f"caller-{number}"), f"caller-{number}")
    assert 0 == len(small._held)
