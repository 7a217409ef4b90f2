"""Fills that no stream told: found out, read from history oldest first, and told before the stream counts as live."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stream_parts import EPOCH_NS, FULL, SHOWN, fill, lived, picture, seen, told

from execsvc.app.executions import RETRY_S
from execsvc.app.missed import FACT, KEPT_EVERY, PAGE, PAGES_MOST, SLACK_S
from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.market import Beat, FeedState, LinkDown, LinkUp
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import ClockReading, ExecutionSeen, OrdersSnapshot
from tests.support.simloop import run_sim
from tests.support.world import new_disk, world


def after_an_outage(count, script):
    """The first fill is told, then the link breaks and `count` others happen; `script` begins with the next link up."""

    async def whole(here, tell):
        here.venue.trades.append(fill(0))
        await tell(LinkUp(1), OrdersSnapshot(()), seen(fill(0)), LinkDown("cut"))
        here.venue.trades += [fill(number) for number in range(1, count + 1)]
        await tell(LinkUp(2))
        await script(here, tell)

    lived(whole)


@pytest.mark.parametrize("count", [1, 49, 51, 52, 99, 100, 101, 149, 150, 500])
def test_every_fill_of_an_outage_is_told_once(count):
    """Whatever the picture leaves out is read from history, page by page."""

    async def script(here, tell):
        await tell(picture(here.venue.trades), wait_s=1.0)
        ids = await told(here.store)
        assert [each.fill_id for each in here.venue.trades] == sorted(ids)
        assert FeedState.LIVE is here.house.executions.state

    after_an_outage(count, script)


def test_what_is_older_is_told_oldest_first():
    """History tells its pages newest first; the journal does not."""

    async def script(here, tell):
        await tell(picture(here.venue.trades), wait_s=1.0)
        ids = await told(here.store)
        assert sorted(ids[1 + SHOWN :]) == ids[1 + SHOWN :]
        assert 150 == len(ids[1 + SHOWN :])

    after_an_outage(200, script)


def test_history_is_left_alone_when_the_picture_reaches_back():
    """A link that broke for a moment costs no points: what was told is among what the picture shows."""

    async def script(here, tell):
        await tell(picture(here.venue.trades))
        assert [] == here.venue.histories
        assert FeedState.LIVE is here.house.executions.state

    after_an_outage(30, script)


def test_the_stream_is_not_live_while_fills_are_missing():
    """RESYNCING until the history could be read, tried again by itself, and the stream's news go on meanwhile."""

    async def script(here, tell):
        here.venue.history_refusals.extend([FULL] * 3)
        await tell(picture(here.venue.trades))
        states = [here.house.executions.state]
        await tell(seen(fill(101)), Beat(1))
        states.append(here.house.executions.state)
        assert "T00101" in await told(here.store)
        assert "T00001" not in await told(here.store)
        await tell(Beat(2), wait_s=4 * RETRY_S)
        states.append(here.house.executions.state)
        assert [FeedState.RESYNCING, FeedState.RESYNCING, FeedState.LIVE] == states
        assert 102 == len(await told(here.store))

    after_an_outage(100, script)


def test_live_orders_are_asked_for_while_history_cannot_be_read():
    """A full counter for history does not hold up what became of the orders."""

    async def script(here, tell):
        order = (await here.place("c-1")).order
        held, since = here.venue.orders[order.venue_client_id]
        here.venue.orders[order.venue_client_id] = (replace(held, status=Status.CANCELLED), since)
        here.venue.history_refusals.extend([FULL] * 1000)
        await tell(picture(here.venue.trades))
        assert Status.CANCELLED is (await here.store.get(order.key)).status
        asked = len(here.venue.queries)
        other = (await here.place("c-2")).order
        await tell(Beat(1), wait_s=40.0)
        assert other.venue_order_id in {txid for query in here.venue.queries[asked:] for txid in query}

    after_an_outage(100, script)


def test_a_turn_reads_so_many_pages_and_the_next_goes_on():
    """An outage of thousands does not hold the stream's reader; where one turn ended the next begins."""

    async def script(here, tell):
        await tell(picture(here.venue.trades), wait_s=0.02 * PAGES_MOST + 0.3)
        assert PAGES_MOST == len(here.venue.histories)
        assert FeedState.RESYNCING is here.house.executions.state
        await tell(Beat(1), wait_s=3.0)
        assert 2101 == len(await told(here.store))
        assert len(here.venue.histories) <= 2100 / PAGE + 2

    after_an_outage(2100, script)


def test_a_history_that_lags_is_asked_again():
    """What it does not show yet may be missing; it shows everything once it shows the picture's first trade, or after V."""

    async def script(here, tell):
        late, here.venue.trades[:] = here.venue.trades[-60:], here.venue.trades[:-60]
        shown = picture([*here.venue.trades, *late])
        await tell(shown)
        assert FeedState.RESYNCING is here.house.executions.state
        here.venue.trades += late
        await tell(Beat(1), wait_s=here.house.visibility.bound_s + RETRY_S)
        assert 101 == len(await told(here.store))
        assert FeedState.LIVE is here.house.executions.state

    after_an_outage(100, script)


def test_a_history_that_never_shows_the_pictures_first_trade_is_believed_after_v():
    """One that was asked V after the picture lags no more, whatever it names its trades."""

    async def script(here, tell):
        others = [replace(each, fill_id=f"other {each.fill_id}") for each in here.venue.trades]
        shown, here.venue.trades[:] = picture(here.venue.trades), others
        await tell(shown)
        assert FeedState.RESYNCING is here.house.executions.state
        await tell(Beat(1), wait_s=here.house.visibility.bound_s + RETRY_S)
        assert FeedState.LIVE is here.house.executions.state

    after_an_outage(100, script)


def test_a_fill_that_comes_out_of_its_time_is_not_lost():
    """Pairs have engines of their own: a fill a second older than one that was told may be missing all the same."""

    async def script(here, tell):
        first = fill(0, at_s=100.0)
        await tell(LinkUp(1), OrdersSnapshot(()), seen(first), LinkDown("cut"))
        here.venue.trades += [fill(1, at_s=99.0), first, *[fill(number) for number in range(50, 99)]]
        await tell(LinkUp(2), picture(here.venue.trades), wait_s=1.0)
        assert "T00001" in await told(here.store)

    lived(script)


def test_how_far_one_came_is_durable_once_nothing_is_missing():
    """The next life looks back no further than that."""

    async def script(here, tell):
        await tell(picture(here.venue.trades), wait_s=1.0)
        assert fill(60).times.venue_ns == int(await here.store.recall("main", FACT))

    after_an_outage(60, script)


def test_an_order_holds_the_fees_of_fills_that_were_missed():
    """Its fees are those of all its fills, whichever road they came by."""

    async def script(here, tell):
        order = (await here.place("c-1")).order
        here.venue.trades[1:] = [replace(each, venue_order_id=order.venue_order_id) for each in here.venue.trades[1:]]
        report, _ = here.venue.orders[order.venue_client_id]
        await tell(picture(here.venue.trades, [report]), wait_s=1.0)
        held = await here.store.get(order.key)
        assert (AssetAmount("USD", Decimal("0.80")),) == held.fees
        assert Decimal("0.00080") == held.fees_of_fills.quantity
        fills = [entry.fill for entry in await here.store.after("main", 0, 1000) if entry.fill is not None]
        assert {("local", "c-1")} == {(each.caller, each.client_order_id) for each in fills[1:]}

    after_an_outage(80, script)


def test_an_ended_order_whose_fills_come_without_totals_is_asked_for_once():
    """Nobody asks for what has ended, and its filled quantity would stay too small; the same fills again are no reason."""

    async def script(here, tell):
        order = (await here.place("c-1")).order
        late = replace(fill(1), venue_order_id=order.venue_order_id)
        ended = VenueOrder(order.venue_order_id, order.venue_client_id, Status.CANCELLED)
        await tell(LinkUp(1), OrdersSnapshot(()), ExecutionSeen(ended, None), LinkDown("cut"))
        here.venue.orders[order.venue_client_id] = (replace(ended, filled_quantity=late.quantity), 0.0)
        await tell(LinkUp(2), picture([late], []), wait_s=3.0)
        assert late.quantity == (await here.store.get(order.key)).filled_quantity
        asked = len(here.venue.queries)
        await tell(LinkDown("cut"), LinkUp(3), picture([late], []), wait_s=3.0)
        assert [] == [txids for txids in here.venue.queries[asked:] if order.venue_order_id in txids]

    lived(script)


def test_a_first_life_begins_now():
    """What an account traded before its first life is nobody's news, but for what the picture shows anyway."""

    async def script(here, tell):
        here.venue.trades += [fill(-number, at_s=-3600.0 - number) for number in range(1, 200)]
        await tell(LinkUp(1), picture(here.venue.trades))
        assert ([], SHOWN) == (here.venue.histories, len(await told(here.store)))

    lived(script)


def test_now_is_krakens():
    """The first mark is in the time that fills are stamped with."""

    async def script(here, tell):
        assert EPOCH_NS + 5 * 10**9 == int(await here.store.recall("main", FACT))

    async def main():
        async with world() as here:
            here.venue.reading = ClockReading(5.0, 0.1, 0.1)
            await here.house.executions._missed.begin()
            await script(here, None)

    run_sim(main())


@pytest.mark.parametrize("dead_after", [1, 3, 5])
def test_a_life_that_died_while_catching_up_is_gone_on_with(dead_after):
    """The mark moves with each page of the old end, not with news from beyond the hole: the next life begins there."""
    disk, trades, begun = new_disk(), [fill(number) for number in range(301)], []

    async def first(here, tell):
        here.venue.trades += trades[:1]
        await tell(LinkUp(1), OrdersSnapshot(()), seen(trades[0]), LinkDown("cut"))
        here.venue.trades += trades[1:]
        read, answers = here.venue.fills, [dead_after]

        async def dying(*asked, **how):
            if not answers[0]:
                raise FULL
            answers[0] -= 1
            return await read(*asked, **how)

        here.venue.fills = dying
        await tell(LinkUp(2), picture(trades), seen(fill(301)))
        begun.append(here.venue.histories[0].start_ns)

    async def second(here, tell):
        here.venue.trades += [*trades, fill(301)]
        await tell(LinkUp(3), picture(here.venue.trades), wait_s=1.0)
        ids = await told(here.store)
        assert [f"T{number:05d}" for number in range(302)] == sorted(ids)
        assert (here.venue.histories[0].start_ns > begun[0]) is (dead_after > 1)

    lived(first, disk)
    lived(second, disk)


@pytest.mark.parametrize("durable", [0, 1, 30, 60, 110, 149])
def test_a_page_counts_once_all_of_it_is_durable(durable):
    """A life that dies for want of a disk in the midst of a page is gone on with there, not behind the page."""
    disk, trades = new_disk(), [fill(number) for number in range(201)]

    async def first(here, tell):
        here.venue.trades += trades[:1]
        await tell(LinkUp(1), OrdersSnapshot(()), seen(trades[0]), LinkDown("cut"))
        here.venue.trades += trades[1:]
        record, left = here.store.record_fill, [SHOWN + 1 + durable]  # one is told again, for the mark has its slack

        async def filling_up(*asked):
            if not left[0]:
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            left[0] -= 1
            return await record(*asked)

        here.store.record_fill = filling_up
        await tell(LinkUp(2), picture(trades), wait_s=1.0)
        assert 1 + SHOWN + durable == len(await told(here.store))

    async def second(here, tell):
        here.venue.trades += trades
        await tell(LinkUp(3), picture(trades), wait_s=1.0)
        assert [each.fill_id for each in trades] == sorted(await told(here.store))

    lived(first, disk)
    lived(second, disk)


def test_the_mark_is_durable_every_so_many_fills():
    """A commit of its own for each fill would cost more than the look it may save."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot(()), *[seen(fill(number)) for number in range(KEPT_EVERY - 1)])
        before = int(await here.store.recall("main", FACT))
        await tell(seen(fill(KEPT_EVERY)))
        after = int(await here.store.recall("main", FACT))
        assert before < fill(0).times.venue_ns
        assert fill(KEPT_EVERY).times.venue_ns == after

    lived(script)


@given(
    counts=st.lists(st.integers(0, 180), min_size=1, max_size=4),
    restarts=st.sets(st.integers(0, 3)),
    refused=st.lists(st.booleans(), max_size=12),
    late=st.floats(0, SLACK_S / 2),
)
def test_whatever_breaks_when_no_fill_is_lost(counts, restarts, refused, late):
    """Outages of any length, some with a new life, histories refused now and then, fills that come out of order."""
    disk, trades, numbers = new_disk(), [], iter(range(10_000))

    def happen(count):
        fresh = [
            fill(number, at_s=60.0 + number - (late if number % 2 else 0.0))
            for number in (next(numbers) for _ in range(count))
        ]
        trades.extend(fresh)
        return fresh

    def life(outages):
        async def script(here, tell):
            for count in outages:
                happen(count)
                here.venue.trades[:] = trades
                here.venue.history_refusals.extend(FULL for each in refused if each)
                await tell(LinkUp(1), picture(trades), *map(seen, happen(3)), Beat(1), wait_s=20.0)
                here.venue.trades[:] = trades
                assert [each.fill_id for each in sorted(trades, key=lambda each: each.fill_id)] == sorted(
                    await told(here.store)
                )
                await tell(LinkDown("cut"))

        lived(script, disk)

    lives = [[]]
    for number, count in enumerate(counts):
        if number in restarts:
            lives.append([])
        lives[-1].append(count)
    for outages in lives:
        life(outages)
