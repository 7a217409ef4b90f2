"""Windows between amends by hand and what tells of them: stream, picture, a look, the answer to an amend of ours.

Whatever overtakes what, in the end the order is told as Kraken has it. That an older picture takes nothing back is
test_outside_amends.py's.
"""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from stream_parts import BY_HAND, KEY, lived, news

from execsvc.domain.market import LinkDown, LinkUp
from execsvc.domain.order import LOOKS_LAG_NS, Seen, Status, VenueOrder
from execsvc.ports import OrdersSnapshot
from tests.support.amends import AmendFate, AmendWorld, amending
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import limit, new_disk

V_S = LOOKS_LAG_NS / 1e9
ENDS = [(Status.CANCELLED, "0.1"), (Status.FILLED, "0.39"), (Status.EXPIRED, "0")]
FIRST, SECOND = limit("0.26"), limit("0.39", "59000.0")


def as_asked(here, shown):
    """Kraken's query shows this, stamped with when it was asked for as the adapter does."""

    async def query(venue_order_ids, by, **who):
        here.venue.queries.append(venue_order_ids)
        asked_ns = here.clock.wall_ns()
        await here.clock.sleep(0.02)
        reports = [report for report in shown if report.venue_order_id in venue_order_ids]
        return tuple(replace(report, asked_ns=asked_ns) for report in reports)

    here.venue.query = query


def ended(status, filled):
    return replace(BY_HAND, status=status, filled_quantity=Decimal(filled), spec=SECOND)


async def specs_told(here):
    """Every wish that was told of the order, in turn."""
    entries = await here.store.after("main", 0, 100)
    told = [entry.order.spec for entry in entries if entry.order is not None]
    return [spec for spec, before in zip(told, [None, *told], strict=False) if spec != before]


# ---- by hand, while the line is down -----------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "filled"), ENDS)
@pytest.mark.parametrize("since_s", [0.2, V_S - 0.5, V_S + 0.5])
def test_an_order_that_is_amended_again_and_ends_unseen_is_told_as_it_ended(status, filled, since_s):
    """The picture lacks it, so it is asked for; what Kraken shows as ended is its last word, however soon after an amend."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(spec=FIRST), LinkDown("cut"), wait_s=since_s)
        as_asked(here, [ended(status, filled)])
        await tell(LinkUp(2), OrdersSnapshot(()))
        order = await here.store.get(KEY)
        assert (status, Decimal(filled), SECOND) == (order.status, order.filled_quantity, order.spec)
        assert [BY_HAND.spec, FIRST, SECOND] == await specs_told(here)

    lived(script)


def test_an_order_that_is_amended_again_and_ends_while_there_is_no_gateway_is_told_as_it_ended():
    """The next life begins within V of the last amend that the journal holds."""
    disk = new_disk()

    async def first(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(spec=FIRST))

    async def second(here, tell):
        as_asked(here, [ended(Status.CANCELLED, "0.1")])
        await tell(LinkUp(1), OrdersSnapshot(()))
        order = await here.store.get(KEY)
        assert (Status.CANCELLED, SECOND) == (order.status, order.spec)

    lived(first, disk)
    lived(second, disk)


def test_an_amend_of_ours_is_not_the_last_word_of_an_order_that_a_person_ended_unseen():
    """Ours was taken; by hand it was amended once more and cancelled, all within V."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        final = VenueOrder(
            order.venue_order_id, order.venue_client_id, Status.CANCELLED, Decimal(0), spec=limit(price="58000.0")
        )
        as_asked(here, [final])
        await here.house.executions.reconcile(frozenset())
        known = await here.store.get(order.key)
        assert (Status.CANCELLED, limit(price="58000.0")) == (known.status, known.spec)

    amending(scenario)


def test_a_look_that_lags_is_followed_by_one_that_does_not():
    """The first shows it open, as it was before either amend: it takes nothing back, and V later it is asked for again."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(spec=FIRST), LinkDown("cut"))
        as_asked(here, [BY_HAND])
        await tell(LinkUp(2), OrdersSnapshot(()))
        assert FIRST == (await here.store.get(KEY)).spec
        as_asked(here, [ended(Status.CANCELLED, "0.1")])
        await here.clock.sleep(V_S + 0.1)
        order = await here.store.get(KEY)
        assert (Status.CANCELLED, SECOND) == (order.status, order.spec)
        assert [BY_HAND.spec, FIRST, SECOND] == await specs_told(here)

    lived(script)


def test_an_order_that_is_amended_again_and_stays_open_is_told_by_the_picture():
    """The stream's picture is never late: it counts at once, and what is asked V later agrees."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(spec=FIRST), LinkDown("cut"))
        now = replace(BY_HAND, spec=SECOND)
        as_asked(here, [now])
        await tell(LinkUp(2), OrdersSnapshot((now,)))
        assert SECOND == (await here.store.get(KEY)).spec
        await here.clock.sleep(V_S + 0.1)
        assert [BY_HAND.spec, FIRST, SECOND] == await specs_told(here)

    lived(script)


def test_an_order_that_is_amended_and_ends_right_after_the_picture_is_told_by_the_stream():
    """News of it come behind the picture, while what is missing there is still being asked for."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND, replace(BY_HAND, venue_order_id="OGONE"))), LinkDown("cut"))
        as_asked(here, [])
        await tell(
            LinkUp(2),
            OrdersSnapshot((BY_HAND,)),
            news(spec=FIRST),
            news(spec=SECOND),
            news(spec=SECOND, status=Status.CANCELLED),
        )
        order = await here.store.get(KEY)
        assert (Status.CANCELLED, SECOND) == (order.status, order.spec)
        assert [("OGONE",)] == here.venue.queries

    lived(script)


# ---- on margin ---------------------------------------------------------------------------------------------------


def test_an_order_on_margin_that_is_amended_and_ends_is_told_as_it_ended():
    """The stream does not tell its leverage, but the figures: it becomes known by a query, its amends by the stream."""

    async def script(here, tell):
        lent = replace(BY_HAND, spec=replace(BY_HAND.spec, leverage=3))
        as_asked(here, [lent])
        await tell(LinkUp(1), OrdersSnapshot(()), news(leverage_told=False), wait_s=2.0)
        assert lent.spec == (await here.store.get(KEY)).spec
        await tell(news(spec=FIRST, leverage_told=False), news(spec=SECOND, leverage_told=False))
        await tell(news(spec=SECOND, leverage_told=False, status=Status.CANCELLED))
        order = await here.store.get(KEY)
        assert (Status.CANCELLED, replace(SECOND, leverage=3)) == (order.status, order.spec)
        assert [("OMAN",)] == here.venue.queries

    lived(script)


# ---- an answer that was overtaken --------------------------------------------------------------------------------


def test_a_look_for_a_doubt_that_was_under_way_takes_no_amend_back():
    """The stream told of order and amend while the order was looked for: what was looked for before is older."""

    async def main():
        here = await AmendWorld(new_disk()).start()
        sweep = here.venue.sweep

        async def slow(wire_ids, by, **how):
            asked_ns = here.clock.wall_ns()
            sighting = await sweep(wire_ids, by, **how)
            await here.clock.sleep(1.0)
            found = {key: replace(each, spec=limit(), asked_ns=asked_ns) for key, each in sighting.found.items()}
            return replace(sighting, found=found)

        here.venue.sweep = slow
        here.venue.plan.append(Fate(answers_s=None))
        placing = asyncio.ensure_future(here.place("c-1"))
        while not here.venue.sweeps:
            await here.clock.sleep(0.1)
        (order,) = [entry.order for entry in await here.store.after("main", 0, 1)]
        report, _ = here.venue.orders[order.venue_client_id]
        await here.store.record(order.key, Seen(replace(report, spec=order.spec)), here.clock.wall_ns())
        await here.store.record(order.key, Seen(replace(report, spec=SECOND)), here.clock.wall_ns())
        await here.clock.sleep(2.0)
        told = (await here.store.get(order.key)).spec
        await placing
        await here.kill()
        return told

    assert SECOND == run_sim(main())


@pytest.mark.parametrize("status", [Status.OPEN, Status.CANCELLED])
def test_the_answer_to_an_amend_that_the_stream_has_overtaken_takes_nothing_back(status):
    """It was taken, by hand the order was amended once more, the stream told of both, and only then the answer comes."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(answers_s=1.5))
        asking = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.5)
        await here.stream_tells(order)
        last = VenueOrder(order.venue_order_id, order.venue_client_id, status, spec=limit(price="58000.0"))
        await here.store.record(order.key, Seen(last), here.clock.wall_ns())
        answer = await asking
        known = await here.store.get(order.key)
        assert (True, status, limit(price="58000.0")) == (answer.applied, known.status, known.spec)

    amending(scenario)
