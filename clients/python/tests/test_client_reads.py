"""Reading through a real server: every value comes out exact, typed, and with what a newer server may add."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from execsvc_client import (
    AssetStatus,
    Client,
    FeedState,
    InstrumentStatus,
    Level,
    NotOffered,
    OrderScope,
    OrderStatus,
    Side,
    SyncClient,
    TradingMode,
    VenueMode,
    raw,
)
from grpc import StatusCode

THEN = datetime(2026, 11, 25, 12, tzinfo=UTC)


async def test_tickers_and_book(gateway):
    """Prices are exact, an empty side is None, levels come best first with the state of their feed."""
    tickers = market_data_service_pb2.GetTickersResponse()
    tickers.tickers.add(symbol="BTC/USD", bid_price="0.10000000", change_24h="-1.5")
    book = market_data_service_pb2.GetBookResponse(feed_state=1)
    book.book.symbol, book.book.version, book.book.depth = "BTC/USD", 7, 10
    book.book.bids.add(price="10.0", quantity="1.50")
    book.book.times.venue_time.FromDatetime(THEN)
    gateway.script("MarketDataService/GetTickers", tickers)
    gateway.script("MarketDataService/GetBook", book)
    async with Client(gateway.target) as client:
        (ticker,) = await client.tickers("BTC/USD")
        found = await client.book("XBTUSD", depth=25)
    assert ("0.10000000", None, Decimal("-1.5")) == (str(ticker.bid_price), ticker.ask_price, ticker.change_24h)
    assert (Level(Decimal("10.0"), Decimal("1.50")),) == found.bids
    assert (FeedState.LIVE, 7, THEN, None) == (found.state, found.version, found.times.venue, found.times.received)
    assert gateway.seen("MarketDataService/GetBook")[0].request.depth == 25
    assert 4 < gateway.seen("MarketDataService/GetBook")[0].time_left < 5.1


async def test_instruments_and_assets_come_whole(gateway):
    """All pages are read; a pair's rules are exact."""
    first = market_data_service_pb2.ListInstrumentsResponse(next_page_token="p2")
    first.instruments.add(
        symbol="BTC/USD", status=1, price_increment="0.1", quantity_increment="0.00000001", min_quantity="0.00005",
        venue_symbols=["XBTUSD"],
    )  # fmt: skip
    second = market_data_service_pb2.ListInstrumentsResponse()
    second.instruments.add(
        symbol="ETH/USD", price_increment="0.01", quantity_increment="1", min_quantity="1", min_cost="5"
    )
    assets = market_data_service_pb2.ListAssetsResponse()
    assets.assets.add(asset="BTC", status=1, decimals=10, venue_asset="XXBT", collateral_value="0.9")
    gateway.script("MarketDataService/ListInstruments", first, second)
    gateway.script("MarketDataService/ListAssets", assets)
    async with Client(gateway.target) as client:
        btc, eth = await client.instruments(quote="USD")
        (asset,) = await client.assets()
    assert (InstrumentStatus.ONLINE, Decimal("0.1"), None, ("XBTUSD",)) == (
        btc.status,
        btc.price_increment,
        btc.min_cost,
        btc.spellings,
    )
    assert (InstrumentStatus.UNSPECIFIED, Decimal(5)) == (eth.status, eth.min_cost)
    assert (AssetStatus.ENABLED, 10, "XXBT", Decimal("0.9")) == (
        asset.status,
        asset.decimals,
        asset.venue_asset,
        asset.collateral_value,
    )
    asked = [call.request for call in gateway.seen("MarketDataService/ListInstruments")]
    assert [("USD", ""), ("USD", "p2")] == [(request.quote, request.page_token) for request in asked]


async def test_a_page_token_that_leads_to_itself_ends(gateway, order):
    """A gateway that gives the same token again is at fault, and not asked for ever."""
    page = order_service_pb2.ListOrdersResponse(orders=[order()], next_page_token="p")
    gateway.script("OrderService/ListOrders", page)
    async with Client(gateway.target) as client:
        with pytest.raises(Exception, match="leads to the same page again"):
            _ = [each async for each in client.orders()]
    assert len(gateway.seen("OrderService/ListOrders")) == 2


async def test_trades_and_candles(gateway):
    """Public history, oldest first; spans and times as Python has them."""
    trades = market_data_service_pb2.ListTradesResponse()
    trades.trades.add(symbol="BTC/USD", price="1", quantity="2", taker_side=2)
    candles = market_data_service_pb2.ListCandlesResponse()
    candle = candles.candles.add(
        symbol="BTC/USD", open_price="1", high_price="3", low_price="0.5", close_price="2", volume="9", closed=True
    )
    candle.interval.FromTimedelta(timedelta(minutes=5))
    gateway.script("MarketDataService/ListTrades", trades)
    gateway.script("MarketDataService/ListCandles", candles)
    async with Client(gateway.target) as client:
        (trade,) = [each async for each in client.trades("BTC/USD", since=THEN)]
        (found,) = [each async for each in client.candles("BTC/USD", timedelta(minutes=5))]
    assert (Side.SELL, Decimal(2)) == (trade.taker_side, trade.quantity)
    assert (timedelta(minutes=5), Decimal("0.5"), None, True) == (
        found.interval,
        found.low_price,
        found.vwap,
        found.closed,
    )
    asked = gateway.seen("MarketDataService/ListTrades")[0].request
    assert THEN == asked.start_time.ToDatetime(tzinfo=UTC)
    assert gateway.seen("MarketDataService/ListCandles")[0].request.interval.ToTimedelta() == timedelta(minutes=5)


async def test_orders_and_fills_ask_what_was_meant(gateway, order):
    """Filters travel; executions carry fees, maker and times."""
    fills = account_service_pb2.ListFillsResponse()
    fill = fills.fills.add(fill_id="T1", symbol="BTC/USD", side=1, price="1", quantity="2", cost="2", maker=True)
    fill.fees.add(asset="USD", amount="0.005")
    gateway.script("AccountService/ListFills", fills)
    gateway.script("OrderService/ListOrders", order_service_pb2.ListOrdersResponse(orders=[order("c-1")]))
    later = THEN + timedelta(hours=1)
    async with Client(gateway.target, account="main") as client:
        (found,) = [each async for each in client.fills("BTC/USD", since=THEN, until=later)]
        listed = [
            each
            async for each in client.orders(
                "BTC/USD", statuses=[OrderStatus.OPEN], scope=OrderScope.ACCOUNT, since=THEN, until=later
            )
        ]
    assert (True, Decimal("0.005"), "USD") == (found.maker, found.fees[0].amount, found.fees[0].asset)
    assert ["c-1"] == [each.client_order_id for each in listed]
    asked = gateway.seen("OrderService/ListOrders")[0].request
    assert ("main", "BTC/USD", [4], 3) == (asked.account, asked.symbol, list(asked.statuses), asked.scope)
    assert (THEN, later) == (asked.start_time.ToDatetime(tzinfo=UTC), asked.end_time.ToDatetime(tzinfo=UTC))


async def test_account_and_server(gateway):
    """Balances, the caller's place and the exchange's state, with the mode from the trailers."""
    balances = account_service_pb2.ListBalancesResponse()
    balances.balances.add(asset="USD", total="10.0", held="1", available="9.0")
    info = admin_service_pb2.GetServerInfoResponse(version="0.1.0", venue="kraken", caller="local")
    info.grants.add(account="main", is_default=True, permissions=["trade"])
    info.trading_modes.add(mode=4, comment="stop").scope.everything = True
    info.least_place_timeout.FromMilliseconds(2200)
    info.settings.add(name="lease", value="10s")
    status = admin_service_pb2.GetVenueStatusResponse(mode=1, public_feed=2)
    status.clock_offset.FromMilliseconds(-20)
    account = status.accounts.add(account="main", private_feed=1, in_doubt_count=2, problems=["slow"])
    account.lanes.add(key_label="k", lane="trade", breaker=2, queue_depth=3)
    gateway.script("AccountService/ListBalances", balances)
    gateway.script("AdminService/GetServerInfo", info)
    gateway.script("AdminService/GetVenueStatus", status)
    async with Client(gateway.target) as client:
        (balance,) = await client.balances()
        server, venue = await client.server_info(), await client.venue_status()
    assert (Decimal("9.0"), Decimal(0)) == (balance.available, balance.credit)
    assert ("paper", "kraken", 2.2) == (server.mode, server.venue, server.least_place_timeout)
    assert (frozenset({"trade"}), {"lease": "10s"}) == (server.grants[0].permissions, server.settings)
    assert (TradingMode.HALTED, True) == (server.trading_modes[0].mode, server.trading_modes[0].everything)
    assert (VenueMode.ONLINE, FeedState.STALE) == (venue.mode, venue.public_feed)
    assert (timedelta(milliseconds=-20), None) == (venue.clock_offset, venue.round_trip)
    assert (2, ("slow",), 3) == (
        venue.accounts[0].in_doubt_count,
        venue.accounts[0].problems,
        venue.accounts[0].lanes[0].queue_depth,
    )


async def test_what_a_newer_server_adds_survives(gateway, order):
    """An unknown status keeps its number and is not definite; unknown fields stay on the message it was read from."""
    newer = order("c-1")
    newer.status = 77
    newer.MergeFromString(b"\xc2\x3e\x03new")  # field 1000, of tomorrow
    gateway.script("OrderService/GetOrder", order_service_pb2.GetOrderResponse(order=newer))
    async with Client(gateway.target) as client:
        found = await client.get_order("c-1")
    assert ("UNKNOWN_77", 77, False, False) == (str(found.status), found.status, found.is_definite, found.is_terminal)
    assert b"new" in found.wire.SerializeToString()
    assert raw.to_json(found)["status"] == 77


async def test_a_method_that_is_not_built_is_not_offered(gateway, fail):
    """NOT_IMPLEMENTED is NotOffered, on reads and on raw calls."""
    gateway.script("AccountService/GetLimits", fail(StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED"))
    async with Client(gateway.target) as client:
        with pytest.raises(NotOffered):
            await raw.call(client, "GetLimits", {})
        with pytest.raises(ValueError, match="is unary"):
            _ = [each async for each in raw.stream(client, "GetLimits", {})]
        with pytest.raises(ValueError, match="is a stream"):
            await raw.call(client, "SubscribeBook", {})


def scripts(order):
    """An answer for every read."""
    books = market_data_service_pb2.GetBookResponse(feed_state=1)
    books.book.bids.add(price="1", quantity="2")
    trades = market_data_service_pb2.ListTradesResponse()
    trades.trades.add(symbol="BTC/USD", price="1", quantity="2")
    candles = market_data_service_pb2.ListCandlesResponse()
    candles.candles.add(open_price="1", high_price="3", low_price="0.5", close_price="2", volume="9")
    fills = account_service_pb2.ListFillsResponse()
    fills.fills.add(fill_id="T1", price="1", quantity="2", cost="2")
    balances = account_service_pb2.ListBalancesResponse()
    balances.balances.add(asset="USD", total="10.0", held="1", available="9.0")
    instruments = market_data_service_pb2.ListInstrumentsResponse()
    instruments.instruments.add(symbol="BTC/USD", price_increment="1", quantity_increment="1", min_quantity="1")
    assets = market_data_service_pb2.ListAssetsResponse()
    assets.assets.add(asset="BTC")
    tickers = market_data_service_pb2.GetTickersResponse()
    tickers.tickers.add(symbol="BTC/USD")
    return {
        "MarketDataService/GetBook": books,
        "MarketDataService/ListTrades": trades,
        "MarketDataService/ListCandles": candles,
        "MarketDataService/ListInstruments": instruments,
        "MarketDataService/ListAssets": assets,
        "MarketDataService/GetTickers": tickers,
        "AccountService/ListFills": fills,
        "AccountService/ListBalances": balances,
        "OrderService/ListOrders": order_service_pb2.ListOrdersResponse(orders=[order()]),
        "OrderService/GetOrder": order_service_pb2.GetOrderResponse(order=order("c-1", "FILLED")),
        "OrderService/ExplainOrder": order_service_pb2.ExplainOrderResponse(
            order=order("c-1"), events=[order_service_pb2.TimelineEvent(kind=5, text="It left.")]
        ),
        "OrderService/CancelOrder": order_service_pb2.CancelOrderResponse(order=order()),
        "OrderService/PlaceOrder": order_service_pb2.PlaceOrderResponse(order=order()),
        "AdminService/GetVenueStatus": admin_service_pb2.GetVenueStatusResponse(mode=1),
    }


CALLS = {
    "book": ("BTC/USD",),
    "trades": ("BTC/USD",),
    "candles": ("BTC/USD", timedelta(minutes=1)),
    "instruments": (),
    "assets": (),
    "tickers": (["BTC/USD"],),
    "fills": (),
    "balances": (),
    "orders": (),
    "get_order": ("c-1",),
    "explain": ("c-1",),
    "cancel": ("c-1",),
    "resolve": ("c-1",),
    "wait_for_terminal": ("c-1",),
    "server_info": (),
    "venue_status": (),
}


@pytest.mark.parametrize("name", CALLS)
async def test_both_clients_say_the_same(gateway, order, name):
    """The synchronous client asks the same question and reads the same answer."""
    for method, answer in scripts(order).items():
        gateway.script(method, answer)

    def wait():
        with SyncClient(gateway.target) as client:
            found = getattr(client, name)(*CALLS[name])
            return list(found) if isinstance(found, Iterator) else found

    async with Client(gateway.target) as client:
        found = getattr(client, name)(*CALLS[name])
        mine = [each async for each in found] if isinstance(found, AsyncIterator) else await found
    asked = [call.request for call in gateway.calls]
    gateway.calls.clear()
    theirs = await asyncio.to_thread(wait)
    assert mine == theirs
    assert mine
    assert asked == [call.request for call in gateway.calls]


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_both_clients_place_the_same(gateway, order, side):
    """buy() and sell() build the same request in both."""
    gateway.script("OrderService/PlaceOrder", order_service_pb2.PlaceOrderResponse(order=order(), replayed=True))
    options = {
        "quantity": 1,
        "limit_price": "2.50",
        "time_in_force": "IOC",
        "client_order_id": "c-1",
        "max_entry_delay": 3,
    }

    def wait():
        with SyncClient(gateway.target) as client:
            return getattr(client, side)("BTC/USD", **options)

    async with Client(gateway.target) as client:
        mine = await getattr(client, side)("BTC/USD", **options)
    assert mine == await asyncio.to_thread(wait)
    first, second = (call.request for call in gateway.seen("OrderService/PlaceOrder"))
    assert first == second
    assert {"buy": 1, "sell": 2}[side] == first.spec.side
    assert first.max_entry_delay.seconds == 3
