"""Trades and candles as streams through a real server: what is told, in which order, and how they come back."""

import asyncio
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from execsvc_api.v1 import common_pb2, market_data_service_pb2
from execsvc_client import (
    CandleSnapshot,
    CandleUpdate,
    Client,
    Connected,
    Disconnected,
    FeedState,
    Gap,
    GapReason,
    Heartbeat,
    NotFound,
    Side,
    StateChanged,
    SyncClient,
    TradeUpdate,
)
from grpc import StatusCode

TRADES, CANDLES = "MarketDataService/SubscribeTrades", "MarketDataService/SubscribeCandles"
LIVE, STALE = 1, 2
MINUTE = timedelta(minutes=1)


def accepted(kind):
    message = kind()
    message.accepted.stream_id, message.accepted.server_epoch = "s-1", "e-1"
    message.accepted.heartbeat_interval.FromMilliseconds(1000)
    return message


def trades(*ids, state=LIVE):
    message = market_data_service_pb2.SubscribeTradesResponse()
    message.meta.feed_state, message.meta.send_time.seconds = state, 1_700_000_000
    for each in ids:
        message.trades.trades.add(symbol="BTC/USD", trade_id=str(each), price="60000.0", quantity="0.10", taker_side=1)
    return message


def trade_heartbeat(state=LIVE, not_live=()):
    message = market_data_service_pb2.SubscribeTradesResponse()
    message.meta.feed_state = state
    message.heartbeat.queue_depth = 3
    message.heartbeat.not_live_symbols.extend(not_live)
    return message


def trade_gap(lost=None):
    message = market_data_service_pb2.SubscribeTradesResponse()
    message.gap.reason = 3
    message.gap.symbols.append("BTC/USD")
    if lost is not None:
        message.gap.lost_count = lost
    return message


def candles(*rows, symbol="", conflated=0):
    """An update, or of a symbol its snapshot; a row is (minute, closed)."""
    message = market_data_service_pb2.SubscribeCandlesResponse()
    message.meta.feed_state, message.meta.conflated_count = LIVE, conflated
    held = message.snapshot if symbol else message.update
    if symbol:
        held.symbol = symbol
    for minute, closed in rows:
        candle = held.candles.add(symbol="BTC/USD", volume="1.5", trade_count=4, closed=closed)
        candle.interval.FromTimedelta(MINUTE)
        candle.open_time.seconds = minute * 60
        candle.open_price = candle.high_price = candle.low_price = candle.close_price = "60000.0"
    return message


async def take(stream, count):
    found = []
    async with aclosing(stream) as events:
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_trades_come_one_by_one(gateway):
    """Each trade with its feed's state and when it was sent; changes of state once, heartbeats only where asked for."""
    script = [
        accepted(market_data_service_pb2.SubscribeTradesResponse),
        trade_heartbeat(),
        trades(1, 2),
        trade_heartbeat(),
        trade_heartbeat(STALE, ["BTC/USD"]),
        trades(3, state=STALE),
        30,
    ]
    gateway.script(TRADES, script)
    async with Client(gateway.target) as client:
        events = await take(client.trades_stream("BTC/USD"), 6)
        told = await take(client.trades_stream(["BTC/USD", "ETH/USD"], max_buffered=64, heartbeats=True), 3)
    connected, live, first, second, stale, third = events
    assert [Connected("s-1", "e-1"), StateChanged(FeedState.LIVE, ())] == [connected, live]
    assert StateChanged(FeedState.STALE, ("BTC/USD",)) == stale
    sent = datetime.fromtimestamp(1_700_000_000, UTC)
    assert [("1", FeedState.LIVE, sent), ("2", FeedState.LIVE, sent), ("3", FeedState.STALE, sent)] == [
        (each.trade.trade_id, each.state, each.send_time) for each in (first, second, third)
    ]
    assert (Decimal("60000.0"), Decimal("0.10"), Side.BUY) == (
        first.trade.price,
        first.trade.quantity,
        first.trade.taker_side,
    )
    assert Heartbeat(None, 3, ()) == told[2]
    plain, asked = (call.request for call in gateway.seen(TRADES))
    assert (["BTC/USD"], common_pb2.DeliveryPolicy()) == (list(plain.symbols), plain.delivery)
    assert (["BTC/USD", "ETH/USD"], 64) == (list(asked.symbols), asked.delivery.max_buffered)


async def test_a_gap_of_trades_says_how_many_are_lost(gateway):
    """With a count where the gateway knows it, else without."""
    gateway.script(TRADES, [trade_gap(7), trade_gap(), 30])
    async with Client(gateway.target) as client:
        told = await take(client.trades_stream("BTC/USD"), 2)
    assert [Gap(GapReason.SLOW_CONSUMER, ("BTC/USD",), lost, None) for lost in (7, None)] == told


async def test_trades_reconnect_and_say_so(gateway, fail):
    """A stream that is cut is opened again; what happened in between is known to be missing."""
    first = accepted(market_data_service_pb2.SubscribeTradesResponse)
    cut = [first, trades(1), fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "draining")]
    gateway.script(TRADES, cut, [first, trades(5), 30])
    async with Client(gateway.target) as client:
        events = await take(client.trades_stream("BTC/USD"), 5)
    assert [Connected, TradeUpdate, Disconnected, Connected, TradeUpdate] == [type(event) for event in events]


async def test_candles_begin_with_a_snapshot(gateway):
    """The last candles of a symbol as one event, then each change with what was folded into its message."""
    script = [
        accepted(market_data_service_pb2.SubscribeCandlesResponse),
        candles((1, True), (2, False), symbol="BTC/USD"),
        candles((2, True), (3, False), conflated=4),
        30,
    ]
    gateway.script(CANDLES, script)
    async with Client(gateway.target) as client:
        _, snapshot, closing, opened = await take(
            client.candles_stream("BTC/USD", MINUTE, history=1, min_interval=0.5), 4
        )
    assert isinstance(snapshot, CandleSnapshot)
    assert ("BTC/USD", FeedState.LIVE, [(60, True), (120, False)]) == (
        snapshot.symbol,
        snapshot.state,
        [(each.open_time.timestamp(), each.closed) for each in snapshot.candles],
    )
    assert [CandleUpdate, CandleUpdate] == [type(closing), type(opened)]
    assert [(120, True, 4), (180, False, 4)] == [
        (each.candle.open_time.timestamp(), each.candle.closed, each.conflated) for each in (closing, opened)
    ]
    (call,) = gateway.seen(CANDLES)
    asked = call.request
    assert (["BTC/USD"], MINUTE, 1, common_pb2.DeliveryPolicy.MODE_CONFLATE, 500) == (
        list(asked.symbols),
        asked.interval.ToTimedelta(),
        asked.history_count,
        asked.delivery.mode,
        asked.delivery.min_interval.ToMilliseconds(),
    )


async def test_what_does_not_pass_is_raised(gateway, fail):
    """A symbol that does not exist ends the stream for good."""
    gateway.script(CANDLES, [fail(StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL")])
    async with Client(gateway.target) as client:
        with pytest.raises(NotFound):
            await take(client.candles_stream("BTCC/USD", MINUTE), 1)


async def test_an_event_newer_than_this_client_is_passed_over(gateway):
    """A message without an event that is known here tells nothing."""
    unknown = market_data_service_pb2.SubscribeTradesResponse()
    gateway.script(TRADES, [unknown, trades(1), 30])
    gateway.script(CANDLES, [market_data_service_pb2.SubscribeCandlesResponse(), candles((1, True)), 30])
    async with Client(gateway.target) as client:
        (trade,) = await take(client.trades_stream("BTC/USD"), 1)
        (candle,) = await take(client.candles_stream("BTC/USD", MINUTE), 1)
    assert [TradeUpdate, CandleUpdate] == [type(trade), type(candle)]


async def test_the_synchronous_client_follows_alike(gateway):
    """The same events from an iterator, for a program without an event loop."""
    gateway.script(TRADES, [accepted(market_data_service_pb2.SubscribeTradesResponse), trades(1), 30])
    gateway.script(CANDLES, [candles((1, True), symbol="BTC/USD"), candles((2, False)), 30])

    def read():
        with (
            SyncClient(gateway.target) as client,
            closing(client.trades_stream("BTC/USD", max_buffered=16)) as prints,
            closing(client.candles_stream("BTC/USD", MINUTE, history=5)) as bars,
        ):
            return [type(next(each)) for each in (prints, prints, bars, bars)]

    assert [Connected, TradeUpdate, CandleSnapshot, CandleUpdate] == await asyncio.to_thread(read)
    asked = [gateway.seen(name)[0].request for name in (TRADES, CANDLES)]
    assert (16, 5) == (asked[0].delivery.max_buffered, asked[1].history_count)
