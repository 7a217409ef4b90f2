"""Streams through a real server: what is told, what is held, how they come back and what they give up on."""

import asyncio
from contextlib import aclosing
from decimal import Decimal

import pytest
from client_stream_parts import LIVE, ORDERS, STALE, accepted, heartbeat, take
from execsvc_api.v1 import common_pb2, market_data_pb2, market_data_service_pb2, order_service_pb2
from execsvc_client import (
    BookView,
    Client,
    Connected,
    Disconnected,
    FeedState,
    Gap,
    GapReason,
    Heartbeat,
    InvalidRequest,
    NotFound,
    StateChanged,
    TickerUpdate,
    Unavailable,
)
from grpc import StatusCode

TICKERS, BOOK = "MarketDataService/SubscribeTickers", "MarketDataService/SubscribeBook"


def tickers(bid, *, snapshot=False, state=LIVE, conflated=0):
    message = market_data_service_pb2.SubscribeTickersResponse()
    message.meta.feed_state, message.meta.conflated_count = state, conflated
    batch = message.snapshot if snapshot else message.update
    batch.tickers.add(symbol="BTC/USD", bid_price=bid, ask_price="60001.0")
    return message


async def test_watch_tells_tickers_and_states(gateway):
    """Tickers come one by one with their feed's state; a change of state comes once, heartbeats only where asked for."""
    kind = market_data_service_pb2.SubscribeTickersResponse
    script = [
        accepted(kind),
        tickers("60000.0", snapshot=True),
        heartbeat(kind),
        heartbeat(kind),
        heartbeat(kind, STALE, ["BTC/USD"]),
        tickers("60000.5", state=STALE, conflated=3),
        30,
    ]
    gateway.script(TICKERS, script)
    async with Client(gateway.target) as client:
        events = await take(client.watch("BTC/USD", min_interval=0.5), 5)
        told = await take(client.watch(["BTC/USD"], heartbeats=True), 4)
    connected, first, live, stale, second = events
    assert connected == Connected("s-1", "e-1")
    assert isinstance(first, TickerUpdate)
    assert (True, FeedState.LIVE, Decimal("60000.0")) == (first.snapshot, first.state, first.ticker.bid_price)
    assert live == StateChanged(FeedState.LIVE, ())
    assert stale == StateChanged(FeedState.STALE, ("BTC/USD",))
    assert isinstance(second, TickerUpdate)
    assert (False, FeedState.STALE, 3) == (second.snapshot, second.state, second.conflated)
    assert isinstance(told[3], Heartbeat)
    request = gateway.seen(TICKERS)[0].request
    assert request.delivery.mode == common_pb2.DeliveryPolicy.MODE_CONFLATE
    assert request.delivery.min_interval.ToMilliseconds() == 500


async def test_watch_reconnects_and_says_so(gateway, fail):
    """A stream that is cut is opened again: Disconnected with the error and the wait, then Connected and a snapshot."""
    kind = market_data_service_pb2.SubscribeTickersResponse
    cut = [accepted(kind), tickers("1", snapshot=True), fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "draining")]
    gateway.script(TICKERS, cut, [accepted(kind), tickers("2", snapshot=True), 30])
    async with Client(gateway.target) as client:
        events = await take(client.watch("BTC/USD"), 5)
    lost = events[2]
    assert isinstance(lost, Disconnected)
    assert lost.error.reason == "SHUTTING_DOWN"
    assert 0 < lost.retry_in <= 0.1
    assert [type(event) for event in events] == [Connected, TickerUpdate, Disconnected, Connected, TickerUpdate]


async def test_watch_survives_a_restart_of_the_gateway(gateway):
    """While nobody listens the stream keeps telling that it waits, and goes on when the gateway is back."""
    kind = market_data_service_pb2.SubscribeTickersResponse
    gateway.script(TICKERS, [accepted(kind), 30])
    kinds = []
    async with Client(gateway.target) as client, asyncio.timeout(20), aclosing(client.watch("BTC/USD")) as events:
        async for event in events:
            kinds.append(type(event))
            if kinds.count(Connected) == 2:
                break
            if kinds == [Connected]:
                await gateway.stop()
            if kinds == [Connected, Disconnected, Disconnected]:
                await gateway.start()
    assert kinds[:2] == [Connected, Disconnected]


async def test_watch_notices_silence(gateway, monkeypatch):
    """A stream that says nothing for three heartbeats and a bit is lost, though the connection stands."""
    monkeypatch.setattr("execsvc_client._follow.SLACK", 0.1)
    kind = market_data_service_pb2.SubscribeTickersResponse
    gateway.script(TICKERS, [accepted(kind, heartbeat_ms=50), 30])
    async with Client(gateway.target) as client:
        events = await take(client.watch("BTC/USD"), 3)
    lost = events[1]
    assert isinstance(lost, Disconnected)
    assert "nothing was heard for 0.25 s" in lost.error.message


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", NotFound),
        (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", InvalidRequest),
    ],
)
async def test_watch_raises_what_does_not_pass(gateway, fail, code, reason, kind):
    """What no reconnect can mend is raised, typed."""
    gateway.script(TICKERS, [fail(code, reason)])
    async with Client(gateway.target) as client:
        with pytest.raises(kind):
            await take(client.watch("BTCC/USD"), 1)
    assert len(gateway.seen(TICKERS)) == 1


async def test_watch_tells_gaps(gateway):
    """A hole is told with its reason and symbols before the snapshot that mends it."""
    gap = market_data_service_pb2.SubscribeTickersResponse()
    gap.gap.reason, gap.gap.lost_count = 1, 7
    gap.gap.symbols.append("BTC/USD")
    gateway.script(TICKERS, [gap, 30])
    async with Client(gateway.target) as client:
        assert [Gap(GapReason.UPSTREAM_RECONNECT, ("BTC/USD",), 7, None)] == await take(client.watch("BTC/USD"), 1)


async def test_a_ticker_says_whether_it_was_read_over_rest(gateway):
    """Both as a value and in the message it was read from."""
    told, read = tickers("1"), tickers("2", state=STALE)
    read.update.tickers[0].polled = True
    gateway.script(TICKERS, [told, read, 30])
    async with Client(gateway.target) as client:
        events = await take(client.watch("BTC/USD"), 2)
    assert [(False, FeedState.LIVE), (True, FeedState.STALE)] == [(each.ticker.polled, each.state) for each in events]


async def test_events_of_tomorrow_are_passed_over(gateway):
    """A message with an event that this version does not know is no error and no event."""
    for method, kind, stream in (
        (TICKERS, market_data_service_pb2.SubscribeTickersResponse, lambda client: client.watch("BTC/USD")),
        (ORDERS, order_service_pb2.SubscribeOrdersResponse, lambda client: client.orders_stream()),
    ):
        gateway.script(method, [kind(), accepted(kind), 30])
        async with Client(gateway.target) as client:
            assert [Connected("s-1", "e-1")] == await take(stream(client), 1)


def book_snapshot(version, bids, asks, state=LIVE):
    message = market_data_service_pb2.SubscribeBookResponse()
    message.meta.feed_state = state
    message.snapshot.symbol, message.snapshot.version, message.snapshot.depth = "BTC/USD", version, 10
    for levels, given in ((message.snapshot.bids, bids), (message.snapshot.asks, asks)):
        levels.extend(market_data_pb2.PriceLevel(price=price, quantity=quantity) for price, quantity in given)
    return message


def book_delta(version, bids=(), asks=(), state=LIVE):
    message = market_data_service_pb2.SubscribeBookResponse()
    message.meta.feed_state = state
    message.delta.symbol, message.delta.version = "BTC/USD", version
    for levels, given in ((message.delta.bids, bids), (message.delta.asks, asks)):
        levels.extend(market_data_pb2.PriceLevel(price=price, quantity=quantity) for price, quantity in given)
    return message


async def test_book_stream_keeps_the_book(gateway):
    """Snapshot and deltas become the book after each, best first, removed levels gone."""
    gateway.script(
        BOOK,
        [
            accepted(market_data_service_pb2.SubscribeBookResponse),
            book_snapshot(5, [("10", "1"), ("9", "2")], [("11", "1"), ("12", "1")]),
            book_delta(6, bids=[("10", "0"), ("9.5", "4")], asks=[("10.5", "3")]),
            30,
        ],
    )
    async with Client(gateway.target) as client:
        first, second = await take(client.book_stream("BTC/USD"), 2)
    assert (False, FeedState.LIVE) == (first.stale, first.book.state)
    assert [("9.5", "4"), ("9", "2")] == [(str(level.price), str(level.quantity)) for level in second.book.bids]
    assert ["10.5", "11", "12"] == [str(level.price) for level in second.book.asks]
    assert (6, 10) == (second.book.version, second.book.depth)


async def test_book_stream_marks_staleness(gateway):
    """A state that is not LIVE, a gap and a heartbeat that says so mark the book stale; a snapshot mends it."""
    kind = market_data_service_pb2.SubscribeBookResponse
    gap = kind()
    gap.gap.reason = 2
    gateway.script(
        BOOK,
        [
            accepted(kind),
            book_snapshot(1, [("10", "1")], []),
            heartbeat(kind, STALE, ["BTC/USD"]),
            gap,
            book_delta(2, bids=[("10", "7")]),
            book_snapshot(9, [("10", "2")], []),
            30,
        ],
    )
    async with Client(gateway.target) as client:
        views = await take(client.book_stream("BTC/USD"), 4)
    assert [False, True, True, False] == [view.stale for view in views]
    assert views[1].cause == StateChanged(FeedState.STALE, ("BTC/USD",))
    assert isinstance(views[2].cause, Gap)
    assert views[3].book.version == 9


async def test_book_stream_reopens_when_a_delta_is_missing(gateway):
    """A hole in the versions is a loss: the last book comes stale, then a fresh snapshot from a new stream."""
    kind = market_data_service_pb2.SubscribeBookResponse
    gateway.script(
        BOOK,
        [accepted(kind), book_snapshot(1, [("10", "1")], []), book_delta(3, bids=[("10", "9")]), 30],
        [accepted(kind), book_snapshot(7, [("10", "5")], []), 30],
    )
    async with Client(gateway.target) as client:
        views = await take(client.book_stream("BTC/USD"), 3)
    lost = views[1]
    assert isinstance(lost, BookView)
    assert lost.stale
    assert isinstance(lost.cause, Disconnected)
    assert isinstance(lost.cause.error, Unavailable)
    assert Decimal(1) == lost.book.bids[0].quantity
    assert (False, 7) == (views[2].stale, views[2].book.version)


async def test_leaving_a_stream_ends_the_call(gateway):
    """A reader that leaves cancels the call, so the gateway does not keep a dead stream."""
    ended = asyncio.Event()

    class Steps:
        def __iter__(self):
            yield accepted(market_data_service_pb2.SubscribeTickersResponse)
            try:
                yield 30
            finally:
                ended.set()

    gateway.script(TICKERS, Steps())
    async with Client(gateway.target) as client:
        await take(client.watch("BTC/USD"), 1)
        async with asyncio.timeout(5):
            await ended.wait()


async def read_all(client, first):
    """Every event of a stream; sets `first` when there is one."""
    found = []
    async for event in client.watch("BTC/USD"):
        found.append(event)
        first.set()
    return found


async def test_closing_the_client_ends_its_streams(gateway):
    """A stream of a client that was closed ends; it neither raises, nor tries to come back, nor cancels its reader."""
    gateway.script(TICKERS, [accepted(market_data_service_pb2.SubscribeTickersResponse), 30])
    client, first = Client(gateway.target), asyncio.Event()
    reading = asyncio.create_task(read_all(client, first))
    await first.wait()
    await client.close()
    async with asyncio.timeout(5):
        assert [Connected] == [type(event) for event in await reading]
    assert len(gateway.seen(TICKERS)) == 1


async def test_cancelling_a_reader_is_a_cancellation(gateway):
    """Cancelling the task that reads ends it as a cancellation, not as a loss."""
    gateway.script(TICKERS, [accepted(market_data_service_pb2.SubscribeTickersResponse), 30])
    first = asyncio.Event()
    async with Client(gateway.target) as client:
        reading = asyncio.create_task(read_all(client, first))
        await first.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
