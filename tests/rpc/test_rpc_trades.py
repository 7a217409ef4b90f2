"""SubscribeTrades over the wire: terms, batches, states, gaps, slow readers."""

import grpc
import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import EventTimes, LinkDown, Side, Trade, TradesSeen, TradeTopic
from tests.rpc.stage import ONE, ended, link_up
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING
SLOW_BEAT = Duration(seconds=60)
CONFLATE, BUFFER = common.DeliveryPolicy.MODE_CONFLATE, common.DeliveryPolicy.MODE_BUFFER


def follow(stage, *symbols, **more):
    request = market.SubscribeTradesRequest(symbols=symbols or ["BTC/USD"], heartbeat_interval=SLOW_BEAT, **more)
    return Reader(stage.market.SubscribeTrades(request))


def seen(*ids, symbol="BTC/USD", snapshot=False):
    times = EventTimes(5, 6)
    rows = tuple(Trade(symbol, str(each), ONE, ONE + ONE, Side.SELL, times) for each in ids)
    return TradesSeen(TradeTopic(symbol), rows, snapshot, 6)


def ids(reader):
    return [int(trade.trade_id) for message in reader.held for trade in message.trades.trades]


async def live(stage, *symbols, **more):
    reader = follow(stage, *symbols, **more)
    await reader.take(1)
    await stage.tell(link_up(), *(seen(9, symbol=symbol, snapshot=True) for symbol in symbols or ["BTC/USD"]))
    await reader.until("heartbeat")
    return reader


async def test_the_terms_are_told(stage):
    """`accepted` comes first: BUFFER of 1024 by default, else as asked for; no account."""
    default = (await follow(stage).take(1))[0].accepted
    policy = common.DeliveryPolicy(mode=BUFFER, max_buffered=64, max_batch=3)
    asked = (await follow(stage, "XBTUSD", delivery=policy).take(1))[0].accepted
    assert (common.DeliveryPolicy(mode=BUFFER, max_buffered=1024, max_batch=500), "", policy) == (
        default.delivery,
        default.account,
        asked.delivery,
    )


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"symbols": []}, "symbols"),
        ({"symbols": ["BTC/USD", "BTC/USD"]}, "symbols"),
        ({"symbols": ["BTC/USD"], "delivery": {"mode": CONFLATE}}, "delivery.mode"),
        ({"symbols": ["BTC/USD"], "delivery": {"mode": CONFLATE, "min_interval": {}}}, "delivery.mode"),
        ({"symbols": ["BTC/USD"], "delivery": {"min_interval": {}}}, "delivery.min_interval"),
        ({"symbols": ["BTC/USD"], "delivery": {"max_buffered": 1}}, "delivery.max_buffered"),
        ({"symbols": ["BTC/USD"], "heartbeat_interval": Duration(seconds=61)}, "heartbeat_interval"),
    ],
)
async def test_terms_that_cannot_be_kept_are_refused(stage, request_, path):
    """Trades are never folded, so CONFLATE is refused like every policy outside its bounds."""
    held, refusal = await ended(stage.market.SubscribeTrades(market.SubscribeTradesRequest(**request_)))
    assert ([], "INVALID_REQUEST", [path]) == (held, refusal.reason, list(refusal.bad))


async def test_unknown_symbols_fail_the_whole_call(stage):
    """NOT_FOUND before anything is sent, with every offender by its path."""
    held, refusal = await ended(follow(stage, "BTC/USD", "FOO/USD").call)
    assert ([], "UNKNOWN_SYMBOL", {"symbols[1]"}) == (held, refusal.reason, set(refusal.bad))


async def test_it_is_live_before_anybody_trades(stage):
    """The subscription stands: a heartbeat says LIVE, and no trade of before is told."""
    reader = await live(stage)
    beat = reader.held[-1]
    assert (["accepted", "heartbeat"], LIVE, []) == (
        reader.kinds,
        beat.meta.feed_state,
        list(beat.heartbeat.not_live_symbols),
    )


async def test_a_trade_has_all_its_figures(stage):
    """Symbol, id, price, quantity, the taker's side, both clocks, and the state of its symbol."""
    reader = await live(stage)
    await stage.tell(seen(10))
    message = await reader.until("trades")
    (trade,) = message.trades.trades
    assert ("BTC/USD", "10", "1", "2", common.SIDE_SELL, 5, 6, LIVE, 0) == (
        trade.symbol,
        trade.trade_id,
        trade.price,
        trade.quantity,
        trade.taker_side,
        trade.times.venue_time.nanos,
        trade.times.receive_time.nanos,
        message.meta.feed_state,
        message.meta.conflated_count,
    )


async def test_batches_are_as_large_as_asked_for(stage):
    """Trades that wait together are one message, at most max_batch in it, oldest first."""
    reader = await live(stage, "BTC/USD", delivery=common.DeliveryPolicy(max_batch=2))
    await stage.tell(seen(10, 11, 12, 13, 14))
    while len(ids(reader)) < 5:
        await reader.take(1)
    sizes = [len(each.trades.trades) for each in reader.held if kind(each) == "trades"]
    assert ([10, 11, 12, 13, 14], 2) == (ids(reader), max(sizes))


async def test_a_symbol_that_is_live_says_so_beside_one_that_is_not(stage):
    """meta.feed_state is that of the message's symbols; a heartbeat's that of the worst."""
    reader = follow(stage, "BTC/USD", "ETH/USD")
    await reader.take(1)
    await stage.tell(link_up(), seen(9, snapshot=True), seen(10))
    message = await reader.until("trades")
    assert (LIVE, RESYNCING) == (message.meta.feed_state, reader.held[0].meta.feed_state)


async def test_a_reconnect_is_a_gap_without_a_count(stage):
    """STALE at once; then the gap after what was told, the trades since, LIVE; no trade twice."""
    reader = await live(stage)
    await stage.tell(seen(10))
    await reader.until("trades")
    await stage.tell(LinkDown("cut"))
    stale = await reader.until("heartbeat")
    await stage.tell(link_up())
    gap = await reader.until("gap")
    await stage.tell(seen(9, 10, 11, snapshot=True))
    await reader.until("trades")
    while reader.held[-1].meta.feed_state != LIVE or kind(reader.held[-1]) != "heartbeat":
        await reader.take(1)
    assert (STALE, common.GAP_REASON_UPSTREAM_RECONNECT, ["BTC/USD"], False, [10, 11]) == (
        stale.meta.feed_state,
        gap.gap.reason,
        list(gap.gap.symbols),
        gap.gap.HasField("lost_count"),
        ids(reader),
    )
    assert list(range(1, len(reader.held) + 1)) == [message.meta.seq for message in reader.held]


async def test_a_slow_reader_is_told_what_it_lost(stage):
    """Told plus lost is everything, whatever the transport held up; the stream stays open."""
    options = (("grpc.http2.bdp_probe", 0), ("grpc.enable_retries", 0))
    async with grpc.aio.insecure_channel(stage.door.address, options=options) as channel:
        call = channel.unary_stream(
            "/execsvc.v1.MarketDataService/SubscribeTrades",
            request_serializer=market.SubscribeTradesRequest.SerializeToString,
            response_deserializer=market.SubscribeTradesResponse.FromString,
        )(
            market.SubscribeTradesRequest(
                symbols=["BTC/USD"],
                heartbeat_interval=SLOW_BEAT,
                delivery=common.DeliveryPolicy(max_buffered=16, max_batch=1),
            )
        )
        reader = Reader(call)
        await reader.take(1)
        await stage.tell(link_up(), seen(9, snapshot=True))
        await reader.until("heartbeat")
        await stage.tell(*(seen(*range(first, first + 100)) for first in range(1000, 6000, 100)))
        lost = 0
        while len(ids(reader)) + lost < 5000:
            (message,) = await reader.take(1)
            if kind(message) == "gap":
                assert message.gap.reason == common.GAP_REASON_SLOW_CONSUMER
                lost += message.gap.lost_count
    assert (5000, True) == (len(ids(reader)) + lost, lost > 0)
    assert sorted(ids(reader)) == ids(reader)


async def test_a_reader_that_leaves_frees_its_mailbox(stage):
    """Cancelling a stream lets go of its topics at once."""
    reader = await live(stage)
    held = stage.feeds.readers
    reader.call.cancel()
    await stage.eventually(lambda: stage.feeds.readers == 0)
    assert 1 == held
