"""Cancels pass when nothing else does: a store that cannot be written, or not even read."""

import pytest

from execsvc.app.cancels import Unremembered
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef, wire_id
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.world import ME, OTHER, world

REF = OrderRef(client_order_id="c-1")


def with_an_order(scenario):
    async def main():
        async with world() as here:
            order = (await here.place("c-1")).order
            here.store.outage = True
            await scenario(here, order)
            here.store.outage = False

    run_sim(main())


def test_a_cancel_goes_out_while_the_store_cannot_be_read():
    """By the id that can be worked out without the journal; the answer says what is known, and no more."""

    async def scenario(here, order):
        taken = await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)
        assert Unremembered(OrderKey("main", "local", "c-1"), order.venue_client_id) == taken
        assert Status.CANCELLED is here.venue.orders[order.venue_client_id][0].status

    with_an_order(scenario)


def test_a_later_attempt_is_reached_too():
    """Which attempt stands only the journal knows: the first few are tried."""

    async def scenario(here, order):
        second = wire_id(here.store.installation_secret, order.key, 1)
        here.venue.orders[second] = here.venue.orders.pop(order.venue_client_id)
        taken = await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)
        assert second == taken.venue_client_id

    with_an_order(scenario)


def test_a_cancel_that_finds_nothing_tells_of_the_store_too():
    """The store is down and Kraken knows no such order: neither is kept from the caller."""

    async def scenario(here, _):
        with pytest.raises(Busy) as refused:
            await here.desk.cancel(ME, OrderRef(client_order_id="never"), here.clock.monotonic() + 5)
        assert Reason.STORE_UNAVAILABLE is refused.value.reason
        assert "Kraken knows no such open order" in refused.value.fault.message

    with_an_order(scenario)


def test_a_blind_cancel_is_answered_in_the_callers_time():
    """Kraken does not answer either: said so before the caller gives up, and the cancel goes on."""

    async def scenario(here, order):
        async def slow(venue_order_id, venue_client_id, by):
            await here.clock.sleep(30)

        here.venue.cancel = slow
        with pytest.raises(Busy) as refused:
            await here.desk.cancel(ME, REF, here.clock.monotonic() + 2)
        assert "has not answered yet" in refused.value.fault.message
        assert here.clock.monotonic() < 3

    with_an_order(scenario)


def test_nobody_cancels_blindly_what_is_not_his():
    """Whose order a txid or another caller's id means cannot be looked up: refused, nothing sent."""

    async def scenario(here, order):
        for ref in (OrderRef(client_order_id="c-1", caller="local"), OrderRef(venue_order_id=order.venue_order_id)):
            with pytest.raises(Busy):
                await here.desk.cancel(OTHER, ref, here.clock.monotonic() + 5)
        assert [] == here.venue.cancels

    with_an_order(scenario)


def test_a_halt_does_not_stop_a_cancel():
    """New orders are out, cancels pass."""

    async def main():
        async with world() as here:
            await here.place("c-1")
            here.house.switch.halt("look")
            with pytest.raises(Declined):
                await here.place("c-2")
            assert Status.CANCELLED is (await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)).status

    run_sim(main())


def test_a_process_that_stood_still_still_cancels():
    """Tenure is asked for orders only."""

    async def main():
        async with world() as here:
            await here.place("c-1")
            here.house.owner._confirmed -= 60
            here.house.owner._doubt = Fault(Reason.STORE_UNAVAILABLE, "gone")
            assert Status.CANCELLED is (await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)).status

    run_sim(main())
