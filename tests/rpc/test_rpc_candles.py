"""SubscribeCandles over the wire: terms, snapshots, changes, closing candles, states, gaps."""

import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import Candle, CandlesSeen, CandleTopic, LinkDown, TopicRefused
from tests.rpc.stage import ONE, busy, ended, link_up
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING
SLOW_BEAT = Duration(seconds=60)
MINUTE = Duration(seconds=60)
CONFLATE, BUFFER = common.DeliveryPolicy.MODE_CONFLATE, common.DeliveryPolicy.MODE_BUFFER


def follow(stage, *symbols, **more):
    given = {"interval": MINUTE, "heartbeat_interval": SLOW_BEAT} | more
    request = market.SubscribeCandlesRequest(symbols=symbols or ["BTC/USD"], **given)
    return Reader(stage.market.SubscribeCandles(request))


def seen(*indexes, symbol="BTC/USD", interval_s=60, snapshot=False):
    rows = tuple(
        Candle(
            symbol,
            interval_s,
            index * interval_s * 10**9,
            ONE,
            ONE + 3,
            ONE,
            ONE + 1,
            ONE + 4,
            ONE,
            6,
            closed=False,
            receive_ns=9,
        )
        for index in indexes
    )
    return CandlesSeen(CandleTopic(symbol, interval_s), rows, snapshot, 9)


def rows(candles):
    return [(each.open_time.seconds // each.interval.seconds, each.closed) for each in candles]


async def test_the_terms_are_told(stage):
    """`accepted` comes first: CONFLATE without spacing by default, else as asked for."""
    default = (await follow(stage).take(1))[0].accepted.delivery
    policy = common.DeliveryPolicy(mode=BUFFER, max_buffered=64, max_batch=3)
    asked = (await follow(stage, delivery=policy).take(1))[0].accepted.delivery
    assert (common.DeliveryPolicy(mode=CONFLATE, min_interval=Duration(), max_batch=500), policy) == (default, asked)


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"symbols": [], "interval": MINUTE}, "symbols"),
        ({"symbols": ["BTC/USD"]}, "interval"),
        ({"symbols": ["BTC/USD"], "interval": Duration(seconds=61)}, "interval"),
        ({"symbols": ["BTC/USD"], "interval": MINUTE, "history_count": 721}, "history_count"),
        ({"symbols": ["BTC/USD"], "interval": MINUTE, "delivery": {"max_buffered": 16}}, "delivery.max_buffered"),
    ],
)
async def test_terms_that_cannot_be_kept_are_refused(stage, request_, path):
    """An interval that Kraken has not, a history longer than Kraken's, a policy outside its bounds."""
    held, refusal = await ended(stage.market.SubscribeCandles(market.SubscribeCandlesRequest(**request_)))
    assert ([], "INVALID_REQUEST", [path]) == (held, refusal.reason, list(refusal.bad))


async def test_each_symbol_has_a_snapshot_of_its_own(stage):
    """A message per symbol: so many closed candles, oldest first, the open one last; LIVE comes after them."""
    reader = follow(stage, "BTC/USD", "ETH/USD", history_count=2)
    await reader.take(1)
    await stage.tell(link_up(), *(seen(4, 5, 6, 7, symbol=each, snapshot=True) for each in ("BTC/USD", "ETH/USD")))
    await reader.until("heartbeat")
    assert ["accepted", "snapshot", "snapshot", "heartbeat"] == reader.kinds
    assert [("BTC/USD", [(5, True), (6, True), (7, False)]), ("ETH/USD", [(5, True), (6, True), (7, False)])] == [
        (each.snapshot.symbol, rows(each.snapshot.candles)) for each in reader.held[1:3]
    ]


async def test_a_longer_history_comes_from_the_past(stage):
    """What the stream's snapshot lacks is asked of the exchange; one snapshot has both."""
    reader = follow(stage, history_count=720)
    await reader.take(1)
    await stage.tell(link_up(), seen(4, snapshot=True))
    snapshot = (await reader.until("snapshot")).snapshot
    assert [(0, True), (1, True), (2, True), (3, True), (4, False)] == rows(snapshot.candles)
    assert ["candles"] == stage.public.asked


async def test_nothing_is_live_before_its_history(stage):
    """While the exchange cannot be asked the stream stays RESYNCING and names the symbol."""
    stage.public.failure = busy()
    waiting = follow(stage, history_count=720)
    await waiting.take(1)
    await stage.tell(link_up(), seen(4, snapshot=True))
    other = follow(stage)
    assert [LIVE, "snapshot"] == [(await other.take(1))[0].meta.feed_state, kind((await other.take(1))[0])]
    beats = follow(stage, history_count=720, heartbeat_interval=Duration(seconds=1))
    beat = await beats.until("heartbeat")
    assert (RESYNCING, ["BTC/USD"], ["accepted", "heartbeat"]) == (
        beat.meta.feed_state,
        list(beat.heartbeat.not_live_symbols),
        beats.kinds,
    )


async def test_a_change_has_all_its_figures(stage):
    """A candle as it is now; the first of a new interval closes the last one, in the same message."""
    reader = follow(stage)
    await reader.take(1)
    await stage.tell(link_up(), seen(4, snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(seen(5))
    message = await reader.until("update")
    closing, opened = message.update.candles
    assert ([(4, True), (5, False)], LIVE) == (rows([closing, opened]), message.meta.feed_state)
    assert ("BTC/USD", 60, "1", "4", "1", "2", "5", "1", 6) == (
        opened.symbol,
        opened.interval.seconds,
        opened.open_price,
        opened.high_price,
        opened.low_price,
        opened.close_price,
        opened.volume,
        opened.vwap,
        opened.trade_count,
    )


async def test_spacing_folds_the_open_candle_and_never_a_closing_one(stage):
    """With min_interval the newest state of each candle comes, with the number folded."""
    policy = common.DeliveryPolicy(mode=CONFLATE, min_interval=Duration(nanos=300_000_000))
    reader = follow(stage, delivery=policy)
    await reader.take(1)
    await stage.tell(link_up(), seen(4, snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(*(seen(index) for index in (4, 4, 5, 5, 6, 6)))
    changes = []
    while not changes or changes[-1] != (6, False):
        changes += rows((await reader.until("update")).update.candles)
    folded = sum(message.meta.conflated_count for message in reader.held)
    assert ({(4, True), (5, True), (6, False)}, 8) == (set(changes) - {(4, False), (5, False)}, folded + len(changes))


async def test_intervals_are_streams_of_their_own(stage):
    """Two streams of one symbol: each has its own candles over the one connection."""
    one, five = follow(stage), follow(stage, interval=Duration(seconds=300))
    await one.take(1)
    await five.take(1)
    await stage.tell(link_up(), seen(3, snapshot=True), seen(7, interval_s=300, snapshot=True))
    found = [(await reader.until("snapshot")).snapshot.candles[0] for reader in (one, five)]
    assert [(60, 3), (300, 7)] == [(each.interval.seconds, rows([each])[0][0]) for each in found]
    assert 1 == len(stage.public.feeds)


async def test_a_reconnect_is_a_gap_and_a_snapshot_of_each_symbol(stage):
    """STALE, RESYNCING with a gap, a snapshot with what closed meanwhile, LIVE."""
    reader = follow(stage, history_count=1)
    await reader.take(1)
    await stage.tell(link_up(), seen(4, 5, snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(LinkDown("cut"))
    stale = await reader.until("heartbeat")
    await stage.tell(link_up())
    gap = await reader.until("gap")
    await stage.tell(seen(5, 6, 7, snapshot=True))
    snapshot = await reader.until("snapshot")
    live = await reader.until("heartbeat")
    assert [STALE, LIVE] == [stale.meta.feed_state, live.meta.feed_state]
    assert (common.GAP_REASON_UPSTREAM_RECONNECT, ["BTC/USD"]) == (gap.gap.reason, list(gap.gap.symbols))
    assert [(6, True), (7, False)] == rows(snapshot.snapshot.candles)


async def test_a_topic_the_venue_refuses_ends_its_stream_alone(stage):
    """NOT_FOUND with the exchange's words; a stream of another interval goes on."""
    reader, other = follow(stage), follow(stage, interval=Duration(seconds=300))
    await reader.take(1)
    await other.take(1)
    await stage.tell(link_up(), TopicRefused(CandleTopic("BTC/USD", 60), "not supported"))
    _, refusal = await ended(reader.call)
    await stage.tell(seen(7, interval_s=300, snapshot=True))
    assert ("UNKNOWN_SYMBOL", "not supported", "snapshot") == (
        refusal.reason,
        refusal.metadata["venue_error"],
        kind(await other.until("snapshot")),
    )
