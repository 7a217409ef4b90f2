"""Reads over the wire: market data, the account, the server itself; and their pages."""

import hashlib

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.domain.errors import Reason
from execsvc.rpc.permits import PERMITS
from tests.house.contract_source import files
from tests.rpc.stage import balance, book, busy, fill, link_up, refused, seen
from tests.rpc.streams_reading import Reader

MINUTE = Duration(seconds=60)


async def pages(call, kind, field, **more):
    """All entries of a listing, page by page, and how large each page was."""
    found, sizes, token = [], [], None
    while token is None or token:
        answer = await call(kind(page_token=token or "", **more), timeout=2)
        entries = list(getattr(answer, field))
        found += entries
        sizes.append(len(entries))
        token = answer.next_page_token
    return found, sizes


# ---- market data -----------------------------------------------------------------------------------------------------


async def test_pairs_are_listed_by_symbol_in_pages(stage):
    """Every pair once, ordered by symbol, whatever the order of the request."""
    found, sizes = await pages(
        stage.market.ListInstruments,
        market.ListInstrumentsRequest,
        "instruments",
        page_size=1,
        symbols=["ETH/USD", "XBTUSD"],
    )
    assert (["BTC/USD", "ETH/USD"], [1, 1]) == ([each.symbol for each in found], sizes)


async def test_pairs_are_filtered_by_quote(stage):
    """A quote that no pair has gives an empty last page."""
    none, _ = await pages(stage.market.ListInstruments, market.ListInstrumentsRequest, "instruments", quote="EUR")
    both, _ = await pages(stage.market.ListInstruments, market.ListInstrumentsRequest, "instruments", quote="usd")
    assert (0, 2) == (len(none), len(both))


async def test_assets_are_listed_by_code(stage):
    """Ordered by code, in pages."""
    found, sizes = await pages(stage.market.ListAssets, market.ListAssetsRequest, "assets", page_size=2)
    assert (["BTC", "ETH", "USD"], [2, 1]) == ([each.asset for each in found], sizes)


async def test_tickers_come_in_the_order_of_the_request(stage):
    """A named few in their order; none named means all by symbol."""
    named = await stage.market.GetTickers(market.GetTickersRequest(symbols=["ETH/USD", "BTC/USD"]), timeout=2)
    every = await stage.market.GetTickers(market.GetTickersRequest(), timeout=2)
    assert (["ETH/USD", "BTC/USD"], ["BTC/USD", "ETH/USD"]) == (
        [each.symbol for each in named.tickers],
        [each.symbol for each in every.tickers],
    )


async def test_a_live_ticker_is_not_asked_for(stage):
    """Where a feed is LIVE its picture is the answer, and the exchange is not asked."""
    reader = Reader(stage.market.SubscribeTickers(market.SubscribeTickersRequest(symbols=["BTC/USD"])))
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", "777", snapshot=True))
    answer = await stage.market.GetTickers(market.GetTickersRequest(symbols=["BTC/USD"]), timeout=2)
    assert ("777", []) == (answer.tickers[0].bid_price, stage.public.asked)


async def test_among_all_tickers_the_live_ones_are_the_feed_s(stage):
    """One question to the exchange, and what a feed knows better is taken from there."""
    reader = Reader(stage.market.SubscribeTickers(market.SubscribeTickersRequest(symbols=["BTC/USD"])))
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", "777", snapshot=True))
    answer = await stage.market.GetTickers(market.GetTickersRequest(), timeout=2)
    assert ([("BTC/USD", "777"), ("ETH/USD", "100")], 1) == (
        [(each.symbol, each.bid_price) for each in answer.tickers],
        len(stage.public.asked),
    )


async def test_a_book_that_was_asked_for_is_not_called_live(stage):
    """Over REST the state is not LIVE and there is no version; from a LIVE feed it is, with the feed's version."""
    asked = await stage.market.GetBook(market.GetBookRequest(symbol="BTC/USD"), timeout=2)
    reader = Reader(stage.market.SubscribeBook(market.SubscribeBookRequest(symbol="BTC/USD")))
    await reader.take(1)
    await stage.tell(link_up(), book("BTC/USD", 10, "100", snapshot=True))
    live = await stage.market.GetBook(market.GetBookRequest(symbol="BTC/USD", depth=10), timeout=2)
    assert [(common.FEED_STATE_STALE, 0, 10), (common.FEED_STATE_LIVE, 1, 10)] == [
        (each.feed_state, each.book.version, each.book.depth) for each in (asked, live)
    ]


@pytest.mark.parametrize("depth", [1, 11, 5000])
async def test_a_depth_that_is_not_offered_is_refused(stage, depth):
    """10, 25, 100, 500 or 1000."""
    refusal = await refused(stage.market.GetBook(market.GetBookRequest(symbol="BTC/USD", depth=depth), timeout=2))
    assert ("INVALID_REQUEST", ["depth"]) == (refusal.reason, list(refusal.bad))


async def test_trades_are_paged_from_a_start(stage):
    """From the start, inclusive, oldest first, each once; a short page is the last for now."""
    found, sizes = await pages(
        stage.market.ListTrades,
        market.ListTradesRequest,
        "trades",
        symbol="BTC/USD",
        start_time=Timestamp(nanos=1),
        page_size=2,
    )
    assert (["1", "2", "3", "4"], [2, 2, 0]) == ([each.trade_id for each in found], sizes)


async def test_the_latest_trades_have_no_next_page(stage):
    """Without a start the page ends now."""
    answer = await stage.market.ListTrades(market.ListTradesRequest(symbol="BTC/USD", page_size=2), timeout=2)
    assert ("", ("trades", None, 2)) == (answer.next_page_token, stage.public.asked[0])


async def test_candles_are_paged_from_a_start(stage):
    """Those that open at or after the start, oldest first; the last may be open."""
    found, sizes = await pages(
        stage.market.ListCandles,
        market.ListCandlesRequest,
        "candles",
        symbol="BTC/USD",
        interval=MINUTE,
        start_time=Timestamp(seconds=60),
        page_size=3,
    )
    assert ([60, 120, 180, 240], [3, 1], [True, True, True, False]) == (
        [each.open_time.seconds for each in found],
        sizes,
        [each.closed for each in found],
    )


async def test_a_read_that_kraken_does_not_answer_is_unavailable(stage):
    """What the exchange's failure is called comes through with its raw text."""
    stage.public.failure = busy(Reason.VENUE_UNREACHABLE, venue_error="EService:Unavailable")
    refusal = await refused(stage.market.GetBook(market.GetBookRequest(symbol="BTC/USD"), timeout=2))
    assert (grpc.StatusCode.UNAVAILABLE, "EService:Unavailable") == (refusal.code, refusal.metadata["venue_error"])


async def test_an_unknown_symbol_comes_with_suggestions(stage):
    """NOT_FOUND names the spelling and the nearest pairs."""
    refusal = await refused(stage.market.GetBook(market.GetBookRequest(symbol="BTC/USDD"), timeout=2))
    assert (grpc.StatusCode.NOT_FOUND, "BTC/USDD", True) == (
        refusal.code,
        refusal.metadata["symbol"],
        "BTC/USD" in refusal.metadata["suggestions"].split(","),
    )


# ---- account ---------------------------------------------------------------------------------------------------------


async def test_balances_are_listed_by_asset(stage):
    """What is not zero, ordered by asset, available worked out."""
    stage.venue.held = [balance("USD", "100.50", "0.50"), balance("BTC")]
    answer = await stage.account.ListBalances(account.ListBalancesRequest(), timeout=2)
    assert ("main", [("BTC", "2", "1.5"), ("USD", "100.50", "100.00")]) == (
        answer.account,
        [(each.asset, each.total, each.available) for each in answer.balances],
    )


async def test_fills_are_paged_and_new_ones_do_not_shift_them(stage):
    """Newest first; a fill that happens between two pages is in neither, and nothing comes twice."""
    stage.venue.statements.history = [fill(name) for name in "abc"]
    first = await stage.account.ListFills(account.ListFillsRequest(page_size=2), timeout=2)
    stage.venue.statements.history.insert(0, fill("new", ns=stage.clock.wall_ns()))
    second = await stage.account.ListFills(
        account.ListFillsRequest(page_size=2, page_token=first.next_page_token), timeout=2
    )
    assert (["a", "b"], ["c"], "") == (
        [each.fill_id for each in first.fills],
        [each.fill_id for each in second.fills],
        second.next_page_token,
    )


async def test_a_fill_of_ours_names_its_order(stage):
    """The owner is told; a fill of an order placed elsewhere has a made-up client order id."""
    placed = (await stage.place("one")).order
    ours = fill("t1")
    object.__setattr__(ours, "venue_order_id", placed.order_id)
    stage.venue.statements.history = [ours, fill("t2")]
    answer = await stage.account.ListFills(account.ListFillsRequest(), timeout=2)
    assert [("local", "one"), ("", "ext-OX")] == [(each.caller, each.client_order_id) for each in answer.fills]


@pytest.mark.parametrize("token", ["x", "W10", "WyJhIl0", "bnVsbA"])
async def test_a_page_token_nobody_made_is_refused(stage, token):
    """Whatever the text, it is PAGE_TOKEN_INVALID and nothing else."""
    for call, request in (
        (stage.account.ListFills, account.ListFillsRequest(page_token=token)),
        (stage.market.ListAssets, market.ListAssetsRequest(page_token=token)),
    ):
        refusal = await refused(call(request, timeout=2))
        assert (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID") == (refusal.code, refusal.reason)


async def test_a_token_of_another_method_is_refused(stage):
    """Two methods with the same fields do not take each other's tokens."""
    stage.venue.statements.history = [fill(name) for name in "abc"]
    page = await stage.account.ListFills(account.ListFillsRequest(page_size=2), timeout=2)
    request = market.ListAssetsRequest(page_token=page.next_page_token)
    assert "PAGE_TOKEN_INVALID" == (await refused(stage.market.ListAssets(request, timeout=2))).reason


# ---- the server itself -----------------------------------------------------------------------------------------------


async def test_the_server_says_who_it_is_and_who_one_is(stage):
    """Version, venue, epoch, caller, grants, the least time of a placement."""
    info = await stage.admin.GetServerInfo(admin.GetServerInfoRequest(), timeout=2)
    words = ["market", "account", "trade", "cancel", "kill", "admin"]
    assert ("0.1.0", "paper", "epoch-1", "local", 0.4) == (
        info.version,
        info.venue,
        info.server_epoch,
        info.caller,
        info.least_place_timeout.ToTimedelta().total_seconds(),
    )
    assert [("", False, ["market", "admin"]), ("main", True, words[1:5])] == [
        (each.account, each.is_default, list(each.permissions)) for each in info.grants
    ]


async def test_the_server_names_what_it_does_not_have(stage):
    """unimplemented_methods is exactly what answers NOT_IMPLEMENTED."""
    info = await stage.admin.GetServerInfo(admin.GetServerInfoRequest(), timeout=2)
    assert sorted(each.short for each in PERMITS.values() if not each.built) == list(info.unimplemented_methods)


async def test_the_digest_is_of_the_contract_as_buf_builds_it(stage):
    """SHA-256 over the file descriptors, comments left out, files by name: any language can compute it."""
    bare = []
    for file in files():
        copy = FileDescriptorProto()
        copy.CopyFrom(file)
        copy.ClearField("source_code_info")
        for message in walk(copy.message_type):
            for field in message.field:
                field.ClearField("json_name")
        bare.append(copy)
    whole = FileDescriptorSet(file=sorted(bare, key=lambda each: each.name))
    info = await stage.admin.GetServerInfo(admin.GetServerInfoRequest(), timeout=2)
    assert hashlib.sha256(whole.SerializeToString(deterministic=True)).hexdigest() == info.contract_digest


def walk(messages):
    for message in messages:
        yield message
        yield from walk(message.nested_type)


async def test_the_venues_status_is_asked_for(stage):
    """Mode, clock, feeds, lanes and doubts of the account."""
    status = await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=2)
    (health,) = status.accounts
    assert (admin.VENUE_MODE_ONLINE, -0.25, 0.02, "main", common.FEED_STATE_STALE, 0) == (
        status.mode,
        status.clock_offset.ToTimedelta().total_seconds(),
        status.round_trip.ToTimedelta().total_seconds(),
        health.account,
        health.private_feed,
        health.in_doubt_count,
    )
    assert [("key-1", "trade", admin.BREAKER_STATE_CLOSED, 2)] == [
        (each.key_label, each.lane, each.breaker, each.queue_depth) for each in health.lanes
    ]


async def test_a_venue_that_does_not_answer_is_told_in_words(stage):
    """GetVenueStatus never fails for the venue's silence: unknown is absent, and a problem says so."""
    stage.public.failure = busy(Reason.VENUE_UNREACHABLE)
    status = await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=2)
    assert (admin.VENUE_MODE_UNSPECIFIED, False, True) == (
        status.mode,
        status.HasField("clock_offset"),
        "did not answer" in status.accounts[0].problems[0],
    )


async def test_a_silent_venue_leaves_time_to_say_so(stage):
    """The venue gets less time than there is, so that its silence is answered and not timed out."""
    stage.public.patient = True
    status = await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=0.5)
    assert "did not answer" in status.accounts[0].problems[0]


async def test_a_reads_own_reason_comes_before_the_gates(stage):
    """What the venue's adapter says when its time is up is told, not the gate's READ_TIMEOUT."""
    stage.public.patient = True
    refusal = await refused(stage.market.GetTickers(market.GetTickersRequest(), timeout=0.5))
    assert "VENUE_UNREACHABLE" == refusal.reason
