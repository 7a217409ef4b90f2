"""Kraken's counters go on at a start: what the venue is told of orders of late, and whether looks may have run."""

from dataclasses import replace

import pytest
from opening_parts import opened

from execsvc.app.opening import PAST_PAGE, PAST_PAGES_MAX, PAST_S
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Seen, Status, VenueOrder
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import limit, new_disk, world

LOST = Fate(arrives_s=None, answers_s=None)
UNREACHABLE = Fault(Reason.VENUE_UNREACHABLE, "connection refused")


def lived(scenario):
    """The disk that a life leaves behind in which `scenario(here)` went on."""
    disk = new_disk()

    async def main():
        async with world(disk=disk) as here:
            await scenario(here)

    run_sim(main())
    return disk


def resumed_after(scenario, *, slept_s=0.0, **parts):
    """What the venue was told at the start of the next life, that many seconds after the first one's start."""

    async def next_life(here, account):
        await here.clock.sleep(slept_s)
        await account.open()
        return [
            (None if past is None else sorted(order.key.client_order_id for order in past), looks_ran)
            for past, looks_ran in here.venue.resumed
        ]

    return opened(next_life, disk=lived(scenario), **parts)


async def nothing(here):
    """An idle life."""


def test_a_first_start_resumes_from_nothing():
    """No past, no looks."""
    assert [([], False)] == resumed_after(nothing)


def test_the_counters_go_on_from_the_orders_of_late():
    """What was placed in the last five minutes costs something still, whatever became of it."""

    async def life(here):
        await here.place("open")
        here.venue.plan.append(Fate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "no funds")))
        with pytest.raises(Declined):
            await here.place("refused")

    assert [(["open", "refused"], False)] == resumed_after(life, slept_s=PAST_S - 1.0)


def test_what_is_older_costs_nothing_any_more_unless_it_is_live():
    """An open order's age and place count for as long as it stands."""

    async def life(here):
        await here.place("open")
        here.venue.plan.append(Fate(status=Status.FILLED))
        await here.place("filled")
        await here.house.resolver.until_none(1.0)
        await here.store.record(
            OrderKey("main", "local", "filled"),
            Seen(VenueOrder("O00001", None, Status.FILLED, limit().base_quantity)),
            here.clock.wall_ns(),
        )

    assert [(["open"], False)] == resumed_after(life, slept_s=PAST_S + 10.0)
    assert [(["filled", "open"], False)] == resumed_after(life, slept_s=PAST_S - 10.0)


def test_what_was_never_sent_cost_nothing():
    """No byte left."""

    async def life(here):
        here.venue.plan.append(Fate(unsent=UNREACHABLE))
        with pytest.raises(Busy):
            await here.place("unsent")

    assert [([], False)] == resumed_after(life)


def test_a_doubt_of_the_last_life_says_that_looks_may_have_run():
    """They use what reads must leave."""

    async def life(here):
        here.venue.plan.append(LOST)
        here.tasks.start("caller", here.place("lost", timeout_s=60.0))
        await here.clock.sleep(2.5)

    assert [(["lost"], True)] == resumed_after(life)


def test_an_order_that_was_cut_off_under_way_says_nothing_of_looks():
    """It was written down and not yet doubted, so nobody had looked."""

    async def life(here):
        here.venue.plan.append(LOST)
        here.tasks.start("caller", here.place("cut off", timeout_s=60.0))
        await here.clock.sleep(0.5)

    assert [(["cut off"], False)] == resumed_after(life)


def test_a_new_exchange_has_no_past():
    """Its counters are as new as this process."""

    async def life(here):
        await here.place("open")

    assert [(None, False)] == resumed_after(life, volatile_venue=True)


def test_the_past_is_told_before_the_first_call_and_once():
    """An exchange that did not answer is asked again; the counters have gone on since."""

    async def scenario(here, account):
        checked = []
        check = here.venue.check_key

        async def spying(by):
            checked.append(len(here.venue.resumed))
            return await check(by)

        here.venue.check_key = spying
        here.venue.reachable = False
        with pytest.raises(Busy):
            await account.open()
        here.venue.reachable = True
        await account.open()
        return checked, len(here.venue.resumed)

    assert opened(scenario) == ([1, 1], 1)


def test_a_store_that_does_not_tell_the_past_is_asked_again():
    """No call goes out before it has."""

    async def scenario(here, account):
        page = here.store.page

        async def failing(query):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk"))

        here.store.page = failing
        with pytest.raises(Busy):
            await account.open()
        before = list(here.venue.resumed)
        here.store.page = page
        await account.open()
        return before, here.venue.resumed

    assert opened(scenario) == ([], [((), False)])


def paged(count):
    """How many queries are made, and how many orders told, where the journal holds so many of late."""

    async def scenario(here, account):
        order = (await _one(here)).order
        rows = [
            replace(order, key=replace(order.key, client_order_id=f"c-{number:05d}"), create_time_ns=number + 1)
            for number in range(count)
        ][::-1]
        asked = []

        async def page(query):
            asked.append(query)
            return tuple(row for row in rows if query.before is None or (row.create_time_ns, row.key) < query.before)[
                : query.size
            ]

        here.store.page = page
        await account.opening._resume()
        told = {each.key for each in here.venue.resumed[-1][0]} - {order.key}
        return len(asked), len(told), {query.size for query in asked}

    async def _one(here):
        await here.catalog.refresh()
        here.house.switch.open("start")
        return await here.place("c-x")

    return opened(scenario)


@pytest.mark.parametrize(
    ("count", "queries"), [(0, 1), (PAST_PAGE - 1, 1), (PAST_PAGE, 2), (PAST_PAGE + 1, 2), (3 * PAST_PAGE - 1, 3)]
)
def test_the_past_is_read_page_by_page_to_its_end(count, queries):
    """Every order of it, each once."""
    assert (queries, count, {PAST_PAGE}) == paged(count)


def test_no_more_pages_of_the_past_are_read_than_the_bound():
    """A start is not put off for ever; the newest ones matter."""
    assert PAST_PAGES_MAX == paged(PAST_PAGE * PAST_PAGES_MAX + 7)[0]
