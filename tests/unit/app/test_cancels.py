"""Cancels pass when nothing else does, and ask Kraken for no more than they must: the stream tells the end for nothing."""

from dataclasses import replace

import pytest

from execsvc.app.cancels import STREAM_S, Unremembered
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef, wire_id
from execsvc.domain.order import Seen, Status, VenueOrder
from execsvc.domain.story import StepKind
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
        async def slow(venue_order_id, venue_client_id, by, **who):
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


def test_nothing_is_derived_from_the_id_of_an_order_placed_elsewhere():
    """It was never sent under an id of ours, so with the store down there is nothing to cancel it by."""

    async def scenario(here, order):
        with pytest.raises(Busy) as refused:
            await here.desk.cancel(ME, OrderRef(client_order_id="ext-OMAN"), here.clock.monotonic() + 5)
        assert "derived" not in refused.value.fault.message
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


# ---- what a cancel led to -------------------------------------------------------------------------------------------


def while_the_stream_stands(scenario, *, stands=True):
    async def main():
        async with world() as here:
            here.house.cancels._stream_live = lambda: stands
            order = (await here.place("c-1")).order
            return await scenario(here, order)

    return run_sim(main())


def told(here, order, status=Status.CANCELLED, *, after_s):
    """The private stream shows the order so, after so long."""

    async def tell():
        await here.clock.sleep(after_s)
        await here.store.record(order.key, Seen(VenueOrder(order.venue_order_id, None, status)), here.clock.wall_ns())

    here.tasks.start("stream", tell())


async def cancel(here, timeout_s=5.0):
    return await here.desk.cancel(ME, REF, here.clock.monotonic() + timeout_s)


def test_a_stream_that_stands_tells_the_end_before_a_query_is_spent():
    """As soon as it does, the caller hears it; Kraken is asked nothing."""

    async def scenario(here, order):
        began = here.clock.monotonic()
        told(here, order, after_s=0.3)
        ended = await cancel(here)
        return ended.status, round(here.clock.monotonic() - began, 2), here.venue.queries

    assert while_the_stream_stands(scenario) == (Status.CANCELLED, 0.3, [])


def test_an_end_that_was_told_while_the_cancel_was_on_its_way_needs_no_query():
    """The stream is faster than Kraken's answer, often."""

    async def scenario(here, order):
        told(here, order, after_s=0.01)
        ended = await cancel(here)
        return ended.status, here.venue.queries

    assert while_the_stream_stands(scenario) == (Status.CANCELLED, [])


def test_a_fill_that_came_first_is_an_end_too():
    """Told as what it is."""

    async def scenario(here, order):
        async def filled():
            await here.clock.sleep(0.2)
            report = VenueOrder(order.venue_order_id, None, Status.FILLED, order.spec.base_quantity)
            await here.store.record(order.key, Seen(report), here.clock.wall_ns())

        here.tasks.start("stream", filled())
        return (await cancel(here)).status, here.venue.queries

    assert while_the_stream_stands(scenario) == (Status.FILLED, [])


def test_a_stream_that_tells_nothing_in_its_second_is_not_waited_for_any_longer():
    """One query then, with the end."""

    async def scenario(here, order):
        began = here.clock.monotonic()
        ended = await cancel(here)
        return ended.status, round(here.clock.monotonic() - began, 2), here.venue.queries == [(order.venue_order_id,)]

    assert while_the_stream_stands(scenario) == (Status.CANCELLED, STREAM_S + 0.04, True)


def test_news_that_is_no_end_is_not_enough():
    """A row that shows it open came late: the end is asked for."""

    async def scenario(here, order):
        told(here, order, Status.OPEN, after_s=0.2)
        return (await cancel(here)).status, len(here.venue.queries)

    assert while_the_stream_stands(scenario) == (Status.CANCELLED, 1)


def test_without_a_stream_the_end_is_asked_for_at_once():
    """Nobody would tell it."""

    async def scenario(here, order):
        began = here.clock.monotonic()
        ended = await cancel(here)
        return ended.status, round(here.clock.monotonic() - began, 2), len(here.venue.queries)

    assert while_the_stream_stands(scenario, stands=False) == (Status.CANCELLED, 0.04, 1)


def test_an_end_that_cannot_be_asked_for_is_told_as_not_known_yet():
    """The cancel was taken; the order is answered as it is known, and its story says why."""

    async def scenario(here, order):
        async def refused(*_, **__):
            raise Busy(Fault(Reason.LOCAL_RATE_LIMITED, "the key's counter is full", retry_after_s=9.0))

        here.venue.query = refused
        answered = await cancel(here)
        end = Seen(VenueOrder(order.venue_order_id, None, Status.CANCELLED))
        await here.house.chronicle.record(order.key, end)  # what was noted is durable with the next change
        steps = [step.text for step in await here.store.story(order.key) if step.kind is StepKind.CANCEL]
        return answered.status, answered.cancel_requested, steps

    status, wished, steps = while_the_stream_stands(scenario, stands=False)
    assert (Status.OPEN, True) == (status, wished)
    assert "What the cancel led to is not known yet: the key's counter is full." in steps


def test_a_query_that_shows_nothing_leaves_the_order_as_it_is_known():
    """Kraken's queries may lag."""

    async def scenario(here, order):
        async def empty(*_, **__):
            return ()

        here.venue.query = empty
        answered = await cancel(here)
        return answered.status, answered.cancel_requested

    assert while_the_stream_stands(scenario, stands=False) == (Status.OPEN, True)


def test_a_cancel_that_finds_nothing_asks_for_the_end_as_well():
    """It had ended before: what it became is told."""

    async def scenario(here, order):
        held = here.venue.orders[order.venue_client_id]
        filled = replace(held[0], status=Status.FILLED, filled_quantity=order.spec.base_quantity)
        here.venue.orders[order.venue_client_id] = (filled, held[1])
        return (await cancel(here)).status

    assert while_the_stream_stands(scenario, stands=False) is Status.FILLED


def test_a_cancel_names_pair_and_caller():
    """Whose counter it is charged to, and whose turn it takes."""

    async def scenario(here, order):
        asked = []
        sent = here.venue.cancel

        async def spying(venue_order_id, venue_client_id, by, *, symbol="", caller=""):
            asked.append((venue_order_id, symbol, caller))
            return await sent(venue_order_id, venue_client_id, by)

        here.venue.cancel = spying
        await cancel(here)
        return asked == [(order.venue_order_id, "BTC/USD", "local")]

    assert while_the_stream_stands(scenario, stands=False)


def test_a_cancel_that_is_not_through_leaves_the_order_as_it_is_known():
    """Kraken did not answer: said in the story, wished still, and the resolver looks at once."""

    async def scenario(here, order):
        here.venue.reachable = False
        answered = await cancel(here)
        here.venue.reachable = True
        await here.house.chronicle.record(order.key, Seen(VenueOrder(order.venue_order_id, None, Status.CANCELLED)))
        steps = [step.text for step in await here.store.story(order.key) if step.kind is StepKind.CANCEL]
        return answered.status, answered.cancel_requested, steps[-1]

    said = "The cancel is not through yet: the exchange does not answer."
    assert while_the_stream_stands(scenario, stands=False) == (Status.OPEN, True, said)


def test_what_kraken_said_to_a_cancel_is_told_in_the_story():
    """Taken, or found nothing."""

    async def scenario(here, order):
        await cancel(here)
        taken = [step.text for step in await here.store.story(order.key) if step.kind is StepKind.CANCEL]
        return taken[-1]

    assert while_the_stream_stands(scenario, stands=False) == "Kraken took the cancel."
