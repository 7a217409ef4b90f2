"""Answers against the published and recorded samples."""

import json
from decimal import Decimal

import pytest
from kraken_parts import ASSETS, known_names, result_of, vector

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.instrument import AssetStatus, InstrumentStatus
from execsvc.domain.market import Side, VenueMode
from execsvc.domain.order import Status
from execsvc.kraken import decode, pictures, tables, wire
from tests.support.venue import BTC_USD

NAMES = known_names()
D = Decimal


# ---- samples ----------------------------------------------------------------------------------------------------


def test_add_order_names_one_txid():
    """The published answer."""
    assert decode.placed(result_of("rest_AddOrder")) == "OUF4EM-FRGI2-MQMWZD"


def test_dry_run_is_no_placement():
    """validate=true answers without txid: that is nothing we asked for."""
    with pytest.raises(ProtocolBroken):
        decode.placed(result_of("rest_AddOrder_validate_response"))


def test_open_orders_sample():
    """Partly filled, cumulative figures, no fee yet."""
    orders = decode.open_orders(result_of("rest_OpenOrders"), NAMES)
    order = orders["OQCLML-BW3P3-BUCMWZ"]
    assert (Status.OPEN, D("0.37500000"), D("11253.7")) == (order.status, order.filled_quantity, order.filled_cost)
    assert order.open_time_ns == 1_688_666_559_897_400_000
    assert (order.venue_client_id, order.total_fees) == (None, ())


def test_queried_orders_sample():
    """Closed is filled; the fee is in the quote, or in the base where the order says fcib."""
    orders = decode.queried_orders(result_of("rest_QueryOrders"), NAMES)
    assert orders["OBCMZD-JIEE7-77TH3F"].status is Status.FILLED
    assert orders["OBCMZD-JIEE7-77TH3F"].total_fees == (AssetAmount("USD", D("26.2")),)
    assert orders["OMMDB2-FSB6Z-7W3HPO"].total_fees == (AssetAmount("BTC", D("7.5")),)


def test_closed_orders_sample():
    """Cancelled by the user; a pair unknown here leaves the fee untold, not the order unread."""
    orders, count = decode.closed_orders(result_of("rest_ClosedOrders"), NAMES)
    order = orders["O37652-RJWRT-IMO74O"]
    assert (count, order.status, order.reason) == (2, Status.CANCELLED, "User requested")


def test_fee_of_an_unknown_pair_is_not_told():
    """None is "not told", never zero."""
    row = vector("rest_QueryOrders")["result"]["OBCMZD-JIEE7-77TH3F"]
    row["descr"]["pair"] = "FOOBAR"
    orders = decode.queried_orders(json.dumps({"X": row}).encode(), NAMES)
    assert orders["X"].total_fees is None


@pytest.mark.parametrize("empty", [b'{"open":{}}', b'{"open":[]}'])
def test_empty_map_may_come_as_a_list(empty):
    """Kraken has been seen to print [] for {}."""
    assert decode.open_orders(empty, NAMES) == {}


def test_list_with_content_is_no_map():
    """Only an empty one is forgiven."""
    with pytest.raises(ProtocolBroken):
        decode.open_orders(b'{"open":[1]}', NAMES)


def test_trades_history_sample():
    """Newest first, pair by id, fee zero left out; without a count nobody knows how many there are."""
    rows, total = decode.fills_page(result_of("rest_TradesHistory"))
    fill = decode.fill(*rows[0], "main", NAMES, 5)
    assert (["THVRQM-33VKH-UCI7BS", "TCWJEG-FL4SZ-3FKGH6"], None) == ([fill_id for fill_id, _ in rows], total)
    assert ("BTC/USD", Side.BUY, True) == (fill.symbol, fill.side, fill.maker)
    assert (D("30010.00000"), D("0.02000000"), ()) == (fill.price, fill.quantity, fill.fees)
    assert (fill.times.venue_ns, fill.times.receive_ns) == (1_688_667_796_880_200_000, 5)


def test_balance_ex_sample():
    """Numbers, as the official example prints them; digits kept."""
    balances = decode.balances(result_of("rest_BalanceEx"), NAMES, 5)
    assert [("BTC", D("1.2435"), D("0.8423")), ("USD", D("25435.21"), D("8249.76"))] == [
        (each.asset, each.total, each.held) for each in balances
    ]


def test_key_info_in_both_styles():
    """snake_case as recorded, camelCase as the reference prints it: one meaning."""
    snake = vector("rest_GetApiKeyInfo")["result"]
    camel = {
        "apiKeyName": "TestKey",
        "nonce": 123,
        "nonceWindow": 15,
        "permissions": snake["permissions"],
        "validUntil": 0,
        "ipAllowlist": [],
    }
    facts = decode.key_facts(json.dumps(snake).encode())
    assert facts == decode.key_facts(json.dumps(camel).encode())
    assert ("TestKey", 123, 15, None) == (facts.name, facts.nonce, facts.nonce_window, facts.valid_until_ns)
    assert "withdraw-funds" in facts.permissions


def test_socket_token_sample():
    """The token, as text."""
    assert decode.socket_token(result_of("rest_GetWebSocketsToken")).startswith("1Dwc4")


@pytest.mark.parametrize(
    ("told", "ours"),
    [
        (None, None),
        ("", None),
        ("6d1b345e-2821-40e2-ad83-4ecb18a06876", "6d1b345e-2821-40e2-ad83-4ecb18a06876"),
        ("6D1B345E282140E2AD834ECB18A06876", "6d1b345e-2821-40e2-ad83-4ecb18a06876"),
        ("arb-20240509-00010", "arb-20240509-00010"),
    ],
)
def test_client_id_has_one_form(told, ours):
    """Whatever prints 128 bits is put in the form we send; a person's free text stays."""
    assert ours == decode.client_id(told)


def test_asset_pairs_sample():
    """Symbols in plain codes, steps, minimums and every spelling, the pair's key first."""
    pairs = {each.symbol: each for each in tables.instruments(result_of("rest_AssetPairs"), ASSETS)}
    btc = pairs["BTC/USD"]
    assert btc.venue_symbols[:3] == ("XXBTZUSD", "XBTUSD", "XBT/USD")
    assert (D("0.1"), 1, D("1E-8"), 8) == (
        btc.price_increment,
        btc.price_decimals,
        btc.quantity_increment,
        btc.quantity_decimals,
    )
    assert (D("0.0001"), D("0.5"), (2, 3, 4, 5)) == (btc.min_quantity, btc.min_cost, btc.leverage_buy)
    assert (InstrumentStatus.ONLINE, D(250)) == (btc.status, btc.long_position_limit)


def test_pair_in_a_state_we_do_not_know_takes_no_orders():
    """It does not make the table unreadable."""
    result = vector("rest_AssetPairs")["result"]
    result["XXBTZUSD"]["status"] = "tomorrow"
    pairs = {each.symbol: each for each in tables.instruments(json.dumps(result).encode(), ASSETS)}
    assert pairs["BTC/USD"].status is InstrumentStatus.WORK_IN_PROGRESS


def test_old_pair_row_lacks_tick_and_minimum():
    """Then the tick is the last decimal, the minimum cost nothing."""
    result = {"XXBTZUSD": vector("rest_AssetPairs")["result"]["XXBTZUSD"]}
    for name in ("tick_size", "costmin", "status"):
        del result["XXBTZUSD"][name]
    (pair,) = tables.instruments(json.dumps(result).encode(), ASSETS)
    assert (D("0.1"), D(0), InstrumentStatus.ONLINE) == (pair.price_increment, pair.min_cost, pair.status)


def test_dark_pool_does_not_hide_the_pair():
    """Of two pairs with one symbol, the one with a WebSocket name is it."""
    result = vector("rest_AssetPairs")["result"]
    dark = {**result["XXBTZUSD"], "altname": "XBTUSD.d", "ordermin": "50"}
    del dark["wsname"]
    for key in ("AAA.d", "ZZZ.d"):
        pairs = tables.instruments(json.dumps({**result, key: dark}).encode(), ASSETS)
        assert {each.symbol: each for each in pairs}["BTC/USD"].venue_symbols[0] == "XXBTZUSD"


def test_assets_sample():
    """Plain codes: XBT is BTC."""
    assets = {each.venue_asset: each for each in tables.assets(result_of("rest_Assets"))}
    assert ("BTC", 10, 5, D(1)) == (
        assets["XXBT"].asset,
        assets["XXBT"].decimals,
        assets["XXBT"].display_decimals,
        assets["XXBT"].collateral_value,
    )
    assert assets["ZUSD"].status is AssetStatus.ENABLED


@pytest.mark.parametrize("name", ["rest_Ticker", "rest_Ticker_recorded"])
def test_ticker_samples(name):
    """Last, best prices and 24 h figures; the digits as printed."""
    (row,) = pictures.tickers(result_of(name)).values()
    ticker = pictures.ticker("X/Y", row, 5)
    sample = next(iter(vector(name)["result"].values()))
    assert (sample["a"][0], sample["b"][2], sample["c"][0], sample["v"][1]) == (
        str(ticker.ask_price),
        str(ticker.bid_quantity),
        str(ticker.last_price),
        str(ticker.volume_24h),
    )
    assert ticker.change_24h is None


def test_empty_side_has_no_price():
    """A price of zero is none."""
    row = wire.TickerRow(*[[D(0), D(0), D(0)]] * 7)
    ticker = pictures.ticker("X/Y", row, 5)
    assert (None, None, None) == (ticker.bid_price, ticker.ask_quantity, ticker.last_price)


def test_depth_sample():
    """Best first, cut to the depth asked."""
    book = pictures.book(result_of("rest_Depth"), BTC_USD, 2, 5)
    assert [D("30384.10000"), D("30387.90000")] == [level.price for level in book.asks]
    assert [D("30297.00000"), D("30296.70000")] == [level.price for level in book.bids]


def test_candle_samples():
    """The candle that opened after `last` is open, all others are closed."""
    candles = pictures.candles(result_of("rest_OHLC_recorded"), BTC_USD, 60, 5)
    assert (150, [False]) == (len(candles), [each.closed for each in candles if not each.closed])
    assert candles[-1].closed is False
    assert all(each.closed for each in pictures.candles(result_of("rest_OHLC"), BTC_USD, 60, 5))


@pytest.mark.parametrize("name", ["rest_Trades", "rest_Trades_recorded"])
def test_trades_samples(name):
    """Oldest first, sides by letter, times to the digit, the cursor from `last`."""
    page = pictures.trades(result_of(name), BTC_USD, 5)
    rows = next(iter(vector(name)["result"].values()))
    assert (len(rows), vector(name)["result"]["last"]) == (len(page.trades), str(page.cursor_ns))
    assert [each.times.venue_ns for each in page.trades] == sorted(each.times.venue_ns for each in page.trades)
    assert {"b": Side.BUY, "s": Side.SELL}[rows[0][3]] is page.trades[0].taker_side


def test_system_status_sample():
    """Online."""
    assert pictures.mode(result_of("rest_SystemStatus")) is VenueMode.ONLINE


def test_history_may_be_an_empty_list():
    """[] for {} there too."""
    assert decode.fills_page(b'{"trades":[],"count":0}') == ([], 0)


def test_two_ids_of_one_plain_asset_are_added_up():
    """XXBT and XBT are both BTC."""
    result = {"XXBT": {"balance": "1.5", "hold_trade": "0.5"}, "XBT": {"balance": "2", "credit": "1"}}
    (balance,) = decode.balances(json.dumps(result).encode(), NAMES, 1)
    assert (D("3.5"), D("0.5"), D(1), D("4.0")) == (balance.total, balance.held, balance.credit, balance.available)
