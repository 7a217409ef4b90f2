"""Room that was set aside: every end that a send can have, each told once, and cancels that use it meanwhile."""

from decimal import Decimal

import pytest
from room_parts import USABLE, at_door

from execsvc.domain.errors import Broken, Reason
from execsvc.kraken.room import EngineRoom, engine_room
from tests.support.venue import FreeRoom


def ends(end):
    """Level and open orders, half a second after a room was had and its send ended so."""

    async def scenario(here):
        room = await here.ask()
        end(room)
        await here.clock.sleep(0.5)
        return here.pair.counter.level(0.5), here.pair.open_orders(0.5)

    return at_door(scenario, USABLE)


def test_room_that_is_released_is_free():
    """No point, no open order."""
    assert (Decimal(0), 0) == ends(lambda room: room.release())


def test_room_of_an_accepted_order_sinks_and_the_order_is_open():
    """From the answer on."""
    assert (Decimal("0.5"), 1) == ends(lambda room: room.accepted("O1"))


def test_room_of_a_refused_order_sinks():
    """The point is spent, the order is none."""
    assert (Decimal("0.5"), 0) == ends(lambda room: room.refused())


def test_room_in_doubt_is_held_until_the_deadline():
    """The point is not spent before."""
    assert (Decimal(1), 1) == ends(lambda room: room.in_doubt(5.0))


def in_turn(*acts):
    def end(room):
        for act in acts:
            act(room)

    return end


def test_a_release_after_the_order_was_sent_does_nothing():
    """Whoever tidies up may always release."""
    assert (Decimal("0.5"), 1) == ends(in_turn(lambda room: room.accepted("O1"), lambda room: room.release()))
    assert (Decimal("0.5"), 0) == ends(in_turn(lambda room: room.refused(), lambda room: room.release()))
    assert (Decimal(1), 1) == ends(in_turn(lambda room: room.in_doubt(5.0), lambda room: room.release()))


def test_a_doubt_after_the_answer_is_none():
    """The answer stands."""
    assert (Decimal("0.5"), 1) == ends(in_turn(lambda room: room.accepted("O1"), lambda room: room.in_doubt(9.0)))


def test_a_second_doubt_does_not_prolong_the_first():
    """Its deadline is the order's own."""

    async def scenario(here):
        room = await here.ask()
        room.in_doubt(2.0)
        room.in_doubt(50.0)
        await here.clock.sleep(2.5)
        return here.pair.counter.level(2.5)

    assert at_door(scenario, USABLE) == Decimal("0.5")


@pytest.mark.parametrize("answer", ["accepted", "refused"])
def test_a_late_answer_is_heard_after_the_doubt(answer):
    """It lands what the doubt still held."""

    async def scenario(here):
        room = await here.ask()
        room.in_doubt(50.0)
        await here.clock.sleep(3.0)
        if answer == "accepted":
            room.accepted("O1")
        else:
            room.refused()
        return here.pair.counter.level(3.5), here.pair.open_orders(3.5)

    assert at_door(scenario, USABLE) == (Decimal("0.5"), int(answer == "accepted"))


def test_what_is_released_twice_is_released_once():
    """The second release takes nobody else's point off."""

    async def scenario(here):
        first = await here.ask()
        await here.ask()
        first.release()
        first.release()
        return here.pair.counter.level(0.0), here.pair.open_orders(0.0)

    assert at_door(scenario, USABLE) == (Decimal(1), 1)


def test_kraken_saying_full_fills_the_counter():
    """Whatever was counted here."""

    async def scenario(here):
        (await here.ask()).full()
        return here.pair.counter.headroom(0.0)

    assert at_door(scenario, USABLE) == Decimal(0)


def test_room_of_another_house_is_a_bug_of_ours():
    """Only what these counters set aside can be counted by them."""
    with pytest.raises(Broken):
        engine_room(FreeRoom())


def test_room_of_this_house_is_taken_as_it_is():
    """As it was made here."""

    async def scenario(here):
        room = await here.ask()
        return engine_room(room) is room, isinstance(room, EngineRoom)

    assert at_door(scenario, 1) == (True, True)


# ---- cancels that go before it --------------------------------------------------------------------------------------


def overrun(left, *cancels, after_s=0.0):
    """Why an order must not leave so long after it had its room and so many orders were cancelled."""

    async def scenario(here):
        room = await here.ask()
        for order_id in cancels:
            here.pair.cancel(order_id, 0.0)
            here.pair.cancel_answered(order_id, 0.0, by=0.0)
        await here.clock.sleep(after_s)
        return room.overrun()

    return at_door(scenario, left)


def test_room_that_nobody_used_is_no_reason_to_wait():
    """As long as all that is counted fits."""
    assert overrun(1) is None
    assert overrun(9, "O1") is None


def test_cancels_that_used_the_room_are_waited_for():
    """Nothing holds them back; the order waits until its own point fits again."""
    fault = overrun(1, "O1")
    assert (Reason.LOCAL_RATE_LIMITED, 8.0) == (fault.reason, fault.retry_after_s)
    assert "kraken:engine:BTC/USD" == fault.metadata["subject"]


def test_the_order_may_leave_once_that_has_sunk():
    """To the moment."""
    assert overrun(1, "O1", after_s=7.5).retry_after_s == 0.5
    assert overrun(1, "O1", after_s=8.0) is None
