"""Market-data streams over the wire: numbers, snapshots, heartbeats, states, gaps, slow readers."""

import asyncio
from dataclasses import replace

import grpc
import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import BookTopic, Desynced, LinkDown, TickerTopic, TopicRefused
from tests.rpc.stage import EPOCH, book, ended, link_up, seen
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING
SLOW_BEAT = Duration(seconds=60)
CONFLATE, BUFFER = common.DeliveryPolicy.MODE_CONFLATE, common.DeliveryPolicy.MODE_BUFFER


def tickers(stage, *symbols, beat=SLOW_BEAT, **more):
    request = market.SubscribeTickersRequest(symbols=symbols or ["BTC/USD"], heartbeat_interval=beat, **more)
    return Reader(stage.market.SubscribeTickers(request))


def books(stage, symbol="BTC/USD", beat=SLOW_BEAT, **more):
    return Reader(
        stage.market.SubscribeBook(market.SubscribeBookRequest(symbol=symbol, heartbeat_interval=beat, **more))
    )


# ---- opening ---------------------------------------------------------------------------------------------------------


async def test_the_first_message_says_what_was_agreed(stage):
    """`accepted` comes first and once, with the terms in force and the defaults filled in."""
    reader = tickers(stage, "XBTUSD", beat=Duration(seconds=7))
    (first,) = await reader.take(1)
    told = first.accepted
    assert ("accepted", 1, EPOCH, 7, 5, "", 16) == (
        kind(first),
        first.meta.seq,
        told.server_epoch,
        told.heartbeat_interval.seconds,
        told.staleness_bound.seconds,
        told.account,
        len(told.stream_id),
    )
    assert common.DeliveryPolicy(mode=CONFLATE, min_interval=Duration(), max_batch=500) == told.delivery


async def test_a_book_buffers_unless_asked_otherwise(stage):
    """SubscribeBook's own default is BUFFER of 1024; what is asked for is what is told."""
    default = (await books(stage).take(1))[0].accepted.delivery
    policy = common.DeliveryPolicy(mode=CONFLATE, min_interval=Duration(nanos=250_000_000), max_batch=3)
    asked = (await books(stage, delivery=policy).take(1))[0].accepted.delivery
    assert (common.DeliveryPolicy(mode=BUFFER, max_buffered=1024, max_batch=500), policy) == (default, asked)


async def test_unknown_symbols_fail_the_whole_call(stage):
    """NOT_FOUND before anything is sent, with every offender by its path."""
    held, refusal = await ended(tickers(stage, "BTC/USD", "FOO/USD", "BAR/USD").call)
    assert ([], grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", {"symbols[1]", "symbols[2]"}) == (
        held,
        refusal.code,
        refusal.reason,
        set(refusal.bad),
    )


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        ({"symbols": []}, "symbols"),
        ({"symbols": ["BTC/USD"], "heartbeat_interval": Duration(nanos=1)}, "heartbeat_interval"),
        ({"symbols": ["BTC/USD"], "heartbeat_interval": Duration(seconds=61)}, "heartbeat_interval"),
        ({"symbols": ["BTC/USD"], "delivery": {"max_buffered": 100}}, "delivery.max_buffered"),
        ({"symbols": ["BTC/USD"], "delivery": {"mode": BUFFER, "max_buffered": 15}}, "delivery.max_buffered"),
        ({"symbols": ["BTC/USD"], "delivery": {"mode": BUFFER, "min_interval": {}}}, "delivery.min_interval"),
    ],
)
async def test_terms_that_cannot_be_kept_are_refused(stage, request_, path):
    """A policy or spacing outside its bounds fails the call before `accepted`."""
    held, refusal = await ended(stage.market.SubscribeTickers(market.SubscribeTickersRequest(**request_)))
    assert ([], "INVALID_REQUEST", [path]) == (held, refusal.reason, list(refusal.bad))


async def test_a_topic_the_venue_refuses_ends_the_stream(stage):
    """When the exchange does not serve the pair the stream ends with NOT_FOUND and its words; the next one at once."""
    reader = tickers(stage)
    await reader.take(1)
    await stage.tell(link_up(), TopicRefused(TickerTopic("BTC/USD"), "Currency pair not supported"))
    _, refusal = await ended(reader.call)
    held, again = await ended(tickers(stage).call)
    assert [(grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", "Currency pair not supported")] * 2 == [
        (each.code, each.reason, each.metadata["venue_error"]) for each in (refusal, again)
    ]
    assert [] == held


# ---- snapshots, updates, numbers -------------------------------------------------------------------------------------


async def test_each_symbol_has_a_snapshot_before_its_updates(stage):
    """Per symbol: a snapshot, then updates; a picture that is already known comes at once."""
    first = tickers(stage, "BTC/USD", "ETH/USD")
    await first.take(1)
    await stage.tell(link_up(), seen("BTC/USD", "100", snapshot=True))
    snapshot = await first.until("snapshot")
    await stage.tell(seen("BTC/USD", "101"))
    update = await first.until("update")
    second = tickers(stage, "BTC/USD")
    known = (await second.take(2))[1]
    assert (["BTC/USD"], "100", "101", "snapshot", "101") == (
        [each.symbol for each in snapshot.snapshot.tickers],
        snapshot.snapshot.tickers[0].bid_price,
        update.update.tickers[0].bid_price,
        kind(known),
        known.snapshot.tickers[0].bid_price,
    )


async def test_numbers_have_no_holes(stage):
    """meta.seq is 1, 2, 3 … over messages of every kind."""
    reader = tickers(stage, beat=Duration(seconds=1))
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True))
    await reader.until("snapshot")
    for price in range(30):
        await stage.tell(seen("BTC/USD", str(price + 1)))
    await reader.until("heartbeat")
    assert list(range(1, len(reader.held) + 1)) == [message.meta.seq for message in reader.held]


async def test_everything_pending_goes_out_in_one_message(stage):
    """Changes of several symbols that wait together are one batch; max_batch 1 asks for one item a message."""
    together = tickers(stage, "BTC/USD", "ETH/USD")
    apart = tickers(stage, "BTC/USD", "ETH/USD", delivery=common.DeliveryPolicy(max_batch=1))
    for reader in (together, apart):
        await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True), seen("ETH/USD", snapshot=True))
    for reader in (together, apart):
        await reader.until("heartbeat")
    assert {1} == {len(each.snapshot.tickers) for each in apart.held if kind(each) == "snapshot"}
    assert 2 == sum(kind(each) == "snapshot" for each in apart.held)
    assert 2 == sum(len(each.snapshot.tickers) for each in together.held if kind(each) == "snapshot")


async def test_the_send_time_is_the_servers_clock(stage):
    """meta.send_time is when the message was handed to the transport."""
    before = stage.clock.wall_ns()
    (first,) = await tickers(stage).take(1)
    sent = first.meta.send_time
    assert before <= sent.seconds * 10**9 + sent.nanos <= stage.clock.wall_ns()


async def test_book_deltas_form_a_chain(stage):
    """Snapshot of version n, then deltas n+1, n+2 …, each a message of its own with checksum and levels."""
    reader = books(stage)
    await reader.take(1)
    prices = ("101", "102", "103")
    await stage.tell(
        link_up(),
        book("BTC/USD", 10, "100", snapshot=True),
        *(book("BTC/USD", 10, price, snapshot=False) for price in prices),
    )
    while reader.kinds.count("delta") < 3:
        await reader.take(1)
    (snapshot,) = (each.snapshot for each in reader.held if kind(each) == "snapshot")
    deltas = [each.delta for each in reader.held if kind(each) == "delta"]
    assert [snapshot.version + n for n in (1, 2, 3)] == [each.version for each in deltas]
    assert (list(prices), [7, 7, 7], 10) == (
        [each.bids[0].price for each in deltas],
        [each.checksum for each in deltas],
        snapshot.depth,
    )


async def test_a_removed_level_is_zero(stage):
    """A level that goes is told with the quantity "0"."""
    reader = books(stage)
    await reader.take(1)
    gone = book("BTC/USD", 10, "100", snapshot=False)
    gone = replace(gone, bids=(replace(gone.bids[0], quantity=gone.bids[0].quantity * 0),))
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True), gone)
    delta = (await reader.until("delta")).delta
    assert "0" == delta.bids[0].quantity


async def test_a_conflated_book_is_snapshots_only(stage):
    """Under CONFLATE a book stream sends whole books, the newest one, and tells how many were folded."""
    policy = common.DeliveryPolicy(mode=CONFLATE, min_interval=Duration(nanos=200_000_000))
    reader = books(stage, delivery=policy)
    await reader.take(1)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True))
    await reader.until("snapshot")
    await stage.tell(*(book("BTC/USD", 10, str(price), snapshot=False) for price in (101, 102, 103)))
    newest = await reader.until("snapshot")
    assert ("103", 2, 4, 0) == (
        newest.snapshot.bids[0].price,
        newest.meta.conflated_count,
        newest.snapshot.version,
        reader.kinds.count("delta"),
    )


# ---- heartbeats and states -------------------------------------------------------------------------------------------


async def test_heartbeats_come_on_a_fixed_clock_busy_or_not(stage):
    """A heartbeat comes after its second, also while ticks flow (the clock itself: unit/rpc/test_rpc_pump.py)."""
    reader = tickers(stage, beat=Duration(seconds=1))
    (first,) = await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True))
    await reader.until("heartbeat")  # the state changed

    async def ticks():
        while True:
            await stage.tell(seen("BTC/USD"))
            await stage.clock.sleep(0.02)

    busy = asyncio.ensure_future(ticks())
    beat = await reader.until("heartbeat")
    busy.cancel()
    after_ns = beat.meta.send_time.ToNanoseconds() - first.meta.send_time.ToNanoseconds()
    assert 0.99 < after_ns / 1e9 < 1.4


async def test_a_change_of_state_is_told_at_once(stage):
    """LIVE, STALE and RESYNCING are each told by a heartbeat as they come, long before the fixed clock."""
    reader = tickers(stage, "BTC/USD", "ETH/USD")
    (first,) = await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True), seen("ETH/USD", snapshot=True))
    live = await reader.until("heartbeat")
    await stage.tell(LinkDown("cut"))
    stale = await reader.until("heartbeat")
    await stage.tell(link_up())
    await reader.until("gap")
    back = await reader.until("heartbeat")
    assert [RESYNCING, LIVE, STALE, RESYNCING] == [each.meta.feed_state for each in (first, live, stale, back)]
    assert [[], ["BTC/USD", "ETH/USD"]] == [list(each.heartbeat.not_live_symbols) for each in (live, stale)]
    assert live.heartbeat.last_upstream_time.nanos == 1


async def test_news_of_life_never_overtakes_the_picture(stage):
    """The heartbeat that says LIVE comes after the snapshot that made it so."""
    reader = tickers(stage)
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True))
    await reader.until("heartbeat")
    assert ["accepted", "snapshot", "heartbeat"] == reader.kinds


async def test_a_reconnect_is_a_gap_and_a_snapshot(stage):
    """When the link comes back: gap with its reason and symbols, then a fresh snapshot; the stream stays open."""
    reader = books(stage)
    await reader.take(1)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(LinkDown("cut"), link_up())
    gap = (await reader.until("gap")).gap
    await stage.tell(book("BTC/USD", 10, "105", snapshot=True))
    snapshot = (await reader.until("snapshot")).snapshot
    assert (common.GAP_REASON_UPSTREAM_RECONNECT, ["BTC/USD"], False, "105") == (
        gap.reason,
        list(gap.symbols),
        gap.HasField("lost_count"),
        snapshot.bids[0].price,
    )


async def test_after_a_reconnect_nothing_is_live_before_its_picture(stage):
    """Gap and all signs of life say RESYNCING until the fresh snapshot was told, however soon it came."""
    reader = books(stage)
    await reader.take(1)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(LinkDown("cut"))
    await reader.until("heartbeat")
    await stage.tell(link_up(), book("BTC/USD", 10, "105", snapshot=True))
    told = await reader.take(3)
    assert [("gap", RESYNCING), ("snapshot", LIVE), ("heartbeat", LIVE)] == [
        (kind(each), each.meta.feed_state) for each in told
    ]


async def test_a_checksum_mismatch_is_a_gap_too(stage):
    """A void picture is told as a gap of integrity, and the state is RESYNCING until the snapshot."""
    reader = books(stage)
    await reader.take(1)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(Desynced(BookTopic("BTC/USD", 10), "checksum"))
    gap = await reader.until("gap")
    state = await reader.until("heartbeat")
    assert (common.GAP_REASON_UPSTREAM_INTEGRITY, RESYNCING, ["BTC/USD"]) == (
        gap.gap.reason,
        state.meta.feed_state,
        list(state.heartbeat.not_live_symbols),
    )


# ---- slow readers and leaving ----------------------------------------------------------------------------------------

SMALL_WINDOW = (("grpc.http2.bdp_probe", 0), ("grpc.enable_retries", 0))


async def test_a_slow_reader_of_a_book_gets_a_gap_and_a_fresh_book(stage):
    """BUFFER over its bound: gap with the number lost, then a snapshot that the deltas after it fit on."""
    async with grpc.aio.insecure_channel(stage.door.address, options=SMALL_WINDOW) as channel:
        call = channel.unary_stream(
            "/execsvc.v1.MarketDataService/SubscribeBook",
            request_serializer=market.SubscribeBookRequest.SerializeToString,
            response_deserializer=market.SubscribeBookResponse.FromString,
        )(
            market.SubscribeBookRequest(
                symbol="BTC/USD",
                heartbeat_interval=SLOW_BEAT,
                delivery=common.DeliveryPolicy(mode=BUFFER, max_buffered=16, max_batch=1),
            )
        )
        reader = Reader(call)
        await reader.take(1)
        wide = book("BTC/USD", 10, "100", snapshot=False)
        wide = replace(wide, bids=wide.bids * 60, asks=wide.asks * 60)
        await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True), *[wide] * 400)
        gap = (await reader.until("gap")).gap
        fresh = (await reader.until("snapshot")).snapshot
        after = (await reader.until("delta")).delta if fresh.version < 401 else None
    before = reader.kinds[: reader.kinds.index("gap")].count("delta")
    assert (common.GAP_REASON_SLOW_CONSUMER, ["BTC/USD"]) == (gap.reason, list(gap.symbols))
    assert gap.lost_count >= 17
    assert fresh.version == 1 + before + gap.lost_count  # the snapshot has all that was sent and all that was lost
    assert after is None or fresh.version + 1 == after.version


async def test_a_slow_reader_of_tickers_gets_the_newest(stage):
    """CONFLATE folds what was not read, says how much, and never ends."""
    async with grpc.aio.insecure_channel(stage.door.address, options=SMALL_WINDOW) as channel:
        call = channel.unary_stream(
            "/execsvc.v1.MarketDataService/SubscribeTickers",
            request_serializer=market.SubscribeTickersRequest.SerializeToString,
            response_deserializer=market.SubscribeTickersResponse.FromString,
        )(market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=SLOW_BEAT))
        reader = Reader(call)
        await reader.take(1)
        await stage.tell(link_up(), seen("BTC/USD", snapshot=True))
        for price in range(4000):
            await stage.public.feeds[0].queue.put(seen("BTC/USD", str(price + 1)))
            if price % 8 == 0:
                await stage.clock.sleep(0)
        last = ""
        while last != "4000":
            last = (await reader.until("update")).update.tickers[-1].bid_price
    shown = sum(kind(each) in {"update", "snapshot"} for each in reader.held)
    folded = sum(each.meta.conflated_count for each in reader.held)
    assert (4001, True) == (shown + folded, folded > 0)


async def test_a_reader_that_leaves_frees_its_mailbox(stage):
    """Cancelling a stream lets go of its topics at once."""
    reader = tickers(stage)
    await reader.take(1)
    assert 1 == stage.feeds.readers
    reader.call.cancel()
    await stage.eventually(lambda: not stage.feeds.readers)
    assert "0 streams open" in repr(stage.door.gate)


async def test_a_caller_has_so_many_streams_and_no_more(stage, monkeypatch):
    """One stream over the bound is RESOURCE_EXHAUSTED / TOO_MANY_STREAMS; a closed one makes room."""
    monkeypatch.setattr("execsvc.rpc.quotas.MAX_STREAMS", 1)
    first = tickers(stage)
    await first.take(1)
    held, refusal = await ended(tickers(stage).call)
    first.call.cancel()
    await stage.eventually(lambda: not stage.feeds.readers)
    again = await tickers(stage).take(1)
    assert ([], grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS", "-1", None, "accepted") == (
        held,
        refusal.code,
        refusal.reason,
        refusal.trailers["grpc-retry-pushback-ms"],
        refusal.retry_s,
        kind(again[0]),
    )


async def test_a_bug_ends_a_stream_as_internal(stage):
    """What breaks in a stream ends it with INTERNAL and a report, and frees the mailbox."""
    reader = books(stage)
    await reader.take(1)
    await stage.tell(link_up(), replace(book("BTC/USD", 10, "1", snapshot=True), view=lambda: 1 / 0, bids=(None,)))
    _, refusal = await ended(reader.call)
    assert ("INTERNAL", ["rpc.broken"], 0) == (
        refusal.reason,
        [event for event, _, _ in stage.reports],
        stage.feeds.readers,
    )
