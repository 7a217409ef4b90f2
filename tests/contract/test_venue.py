"""PublicVenue and PrivateVenue as Kraken's adapter meets them: an order's life and a market's, against the paper exchange."""

import asyncio
from contextlib import aclosing
from dataclasses import replace
from decimal import Decimal

import pytest
from venue_rig import BTC, of, opened, take_until

from execsvc.domain import money
from execsvc.domain.account import FillQuery
from execsvc.domain.errors import Reason
from execsvc.domain.keycheck import problems
from execsvc.domain.market import (
    BookSeen,
    BookTopic,
    LinkUp,
    ModeSeen,
    Side,
    TickerSeen,
    TickerTopic,
    TopicRefused,
    VenueMode,
)
from execsvc.domain.order import Status
from execsvc.domain.spec import TimeInForce
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.ports import (
    Accepted,
    CancelFoundNothing,
    CancelTaken,
    ExecutionSeen,
    OrdersSnapshot,
    RefusedByVenue,
)
from execsvc.store.disk import Disk
from tests.support.entropy import SeededEntropy


@pytest.fixture
async def paper():
    server = PaperServer(PaperOptions(control_port=0, pairs=("BTC/USD", "ETH/USD"), warm_up_s=10))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def venue(paper):
    async with opened(paper, Disk.blank(SeededEntropy(3))) as built:
        yield built


async def test_pictures_over_rest_agree(venue):
    """Instruments, assets, ticker, book, candles, trades and mode tell of one market, standing still."""
    await venue.control("POST", "/market", frozen=True)
    instrument = venue.instrument
    (ticker,) = await venue.public.tickers((instrument,), venue.by)
    book = await venue.public.book(instrument, 25, venue.by)
    candles = await venue.public.candles(instrument, 60, None, venue.by)
    page = await venue.public.trades(instrument, None, 10, venue.by)
    assert (ticker.bid_price, ticker.ask_price) == (book.bids[0].price, book.asks[0].price)
    assert (len(book.bids), [level.price for level in book.bids]) == (
        25,
        sorted((level.price for level in book.bids), reverse=True),
    )
    assert [each.open_time_ns for each in candles] == sorted(each.open_time_ns for each in candles)
    assert not candles[-1].closed
    assert page.trades[-1].price == ticker.last_price
    assert (await venue.public.trades(instrument, page.cursor_ns, 10, venue.by)).trades == ()
    assert await venue.public.mode(venue.by) is VenueMode.ONLINE
    assert {"BTC", "USD", "ETH"} <= {asset.asset for asset in await venue.public.assets()}


async def test_clock_is_read_within_its_uncertainty(venue):
    """The exchange runs on this machine's clock: the offset is zero, give or take."""
    reading = await venue.public.clock(venue.by)
    assert abs(reading.offset_s) <= reading.uncertainty_s
    assert reading.uncertainty_s <= 0.51


async def test_feed_follows_the_book(venue):
    """Snapshots first; the changes told, applied by a reader, give the exchange's own book."""
    feed = venue.public.feed()
    feed.want(frozenset({BookTopic(BTC, 10), TickerTopic(BTC), TickerTopic("ETH/USD")}))
    followed = {"bids": {}, "asks": {}}
    async with aclosing(feed.events()) as events:
        first = await take_until(events, of(BookSeen))
        assert isinstance(first[0], LinkUp)
        moved = await take_until(events, lambda event: isinstance(event, BookSeen) and not event.snapshot)
        for _ in range(5):
            moved += await take_until(events, of(BookSeen))
        for seen in (event for event in first + moved if isinstance(event, BookSeen)):
            for name, levels in (("bids", seen.bids), ("asks", seen.asks)):
                for level in levels:
                    followed[name].pop(level.price, None) if not level.quantity else followed[name].update(
                        {level.price: level.quantity}
                    )
        view = seen.view()
    assert sorted(followed["bids"].items(), reverse=True) == [(level.price, level.quantity) for level in view.bids]
    assert sorted(followed["asks"].items()) == [(level.price, level.quantity) for level in view.asks]
    assert any(isinstance(event, TickerSeen) and event.snapshot for event in first + moved)


async def test_unknown_symbol_is_refused_and_the_others_go_on(venue):
    """TopicRefused names the topic; its neighbour in the same request lives."""
    feed = venue.public.feed()
    feed.want(frozenset({TickerTopic("FOO/BAR"), TickerTopic(BTC)}))
    async with aclosing(feed.events()) as events:
        refused = await take_until(events, of(TopicRefused))
        rest = await take_until(events, of(TickerSeen)) if not any(isinstance(e, TickerSeen) for e in refused) else []
    assert refused[-1].topic == TickerTopic("FOO/BAR")
    assert any(isinstance(event, TickerSeen) for event in refused + rest)


async def test_mode_of_the_venue_is_seen(venue):
    """The status channel tells it on connecting and on every change."""
    feed = venue.public.feed()
    async with aclosing(feed.events()) as events:
        await take_until(events, of(ModeSeen, mode=VenueMode.ONLINE))
        await venue.fault("status", status="cancel_only")
        await take_until(events, of(ModeSeen, mode=VenueMode.CANCEL_ONLY))


async def test_key_is_good_for_trading(venue):
    """The paper key passes the key check, in both of Kraken's styles of printing it."""
    facts = (await venue.private.check_key(venue.by)).facts
    assert problems(facts, venue.clock.wall_ns()) == ()


async def test_order_lives_and_is_cancelled(venue):
    """Placed once, seen by every road, cancelled, and gone."""
    order = venue.order("rests", "50000.0")
    placed = await venue.place(order)
    assert isinstance(placed, Accepted)
    assert [(order.venue_client_id, placed.venue_order_id)] == await venue.accepted()
    known = replace(order, venue_order_id=placed.venue_order_id)
    sighting = await venue.private.sweep(frozenset({order.venue_client_id}), venue.by)
    (queried,) = await venue.private.query((placed.venue_order_id,), venue.by)
    found = sighting.found[order.venue_client_id]
    assert None not in {found.asked_ns, queried.asked_ns}
    assert (Status.OPEN, replace(queried, asked_ns=found.asked_ns)) == (queried.status, found)
    assert sighting.began <= sighting.barrier <= sighting.ended
    assert CancelTaken(pending=False) == await venue.cancel(known)
    assert CancelFoundNothing() == await venue.cancel(known)
    assert CancelFoundNothing() == await venue.cancel(venue.order("never", "1.0"))
    closed = await venue.private.sweep(frozenset({order.venue_client_id}), venue.by)
    assert closed.found[order.venue_client_id].status is Status.CANCELLED


async def test_stream_and_history_tell_the_same_fills(venue):
    """A market order: snapshot, reports and fills of the stream; the same fills and totals over REST."""
    async with aclosing(venue.private.events()) as events:
        await take_until(events, of(OrdersSnapshot))
        order = venue.order("takes", None, "0.5")
        placing = asyncio.ensure_future(venue.place(order))
        seen = await take_until(
            events, lambda event: isinstance(event, ExecutionSeen) and event.report.status is Status.FILLED
        )
        placed = await placing
    fills = [event.fill for event in seen if isinstance(event, ExecutionSeen) and event.fill is not None]
    history, total = await venue.private.fills("main", FillQuery(), venue.by)
    (report,) = await venue.private.query((placed.venue_order_id,), venue.by)
    assert total == len(fills) == len(history)
    assert {fill.fill_id: (fill.price, fill.quantity, fill.cost) for fill in fills} == {
        fill.fill_id: (fill.price, fill.quantity, fill.cost) for fill in history
    }
    assert sum(fill.quantity for fill in fills) == report.filled_quantity == Decimal("0.5")
    assert sum(fee.amount for fill in fills for fee in fill.fees) == report.total_fees[0].amount
    assert {(fill.symbol, fill.side, fill.maker) for fill in (*fills, *history)} == {(BTC, Side.BUY, False)}
    assert order.venue_client_id == report.venue_client_id


async def test_ioc_and_post_only_end_as_they_must(venue):
    """An IOC far from the market is cancelled; a post-only that would take is refused."""
    resting = await venue.place(venue.order("ioc", "50000.0", time_in_force=TimeInForce.IOC))
    (report,) = await venue.private.query((resting.venue_order_id,), venue.by)
    taking = await venue.place(venue.order("post", "150000.0", post_only=True))
    assert report.status is Status.CANCELLED
    assert (RefusedByVenue, Reason.POST_ONLY_WOULD_TAKE) == (type(taking), taking.fault.reason)


async def test_refusals_say_why(venue):
    """Funds, minimum, tick: with the figures that help, and the id used."""
    outcomes = [
        await venue.place(venue.order("funds", "90000.0", "50")),
        await venue.place(venue.order("small", "50000.0", "0.00000001")),
        await venue.place(venue.order("tick", "50000.05")),
    ]
    assert [
        (Reason.INSUFFICIENT_FUNDS, {"asset": "USD"}),
        (Reason.ORDER_MINIMUM_NOT_MET, {"min_quantity": money.text(venue.instrument.min_quantity)}),
        (Reason.TICK_SIZE_VIOLATED, {"increment": "0.1"}),
    ] == [
        (outcome.fault.reason, {name: outcome.fault.metadata[name] for name in names})
        for outcome, names in zip(outcomes, (("asset",), ("min_quantity",), ("increment",)), strict=True)
    ]
    assert await venue.accepted() == []
