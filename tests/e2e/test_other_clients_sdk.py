"""python-kraken-sdk's REST clients, unmodified but for the address, trade on the paper exchange as they would on Kraken."""

import pytest
from kraken.base_api import SpotAsyncClient, SpotClient

from tests.support.other_clients import (
    ASK,
    BID,
    LIMIT,
    MARKET,
    Sdk,
    another_key,
    booked,
    cleared,
    row,
    still_exchange,
)

pytestmark = pytest.mark.process

ROWS = [
    {"type": "buy", "ordertype": "limit", "price": "59000.0", "volume": "0.01", "cl_ord_id": "first"},
    {"type": "sell", "ordertype": "limit", "price": "61000.0", "volume": "9000"},
    {"type": "sell", "ordertype": "stop-loss", "price": "55000.0", "volume": "0.02"},
]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with still_exchange(tmp_path_factory.mktemp("sdk")) as running:
        yield running


@pytest.fixture
def sdk(exchange):
    client = Sdk(exchange)
    yield client
    client.trade.cancel_all_orders()
    cleared(exchange)


def test_the_market_by_any_name(sdk):
    """A pair is known by its id, its other name, with a slash and in everyday letters; only the slash comes back as asked."""
    asked = {"XXBTZUSD": "XXBTZUSD", "XBTUSD": "XXBTZUSD", "BTCUSD": "XXBTZUSD", "BTC/USD": "BTC/USD"}
    tickers = {name: sdk.market.get_ticker(pair=name) for name in asked}
    assert asked == {name: next(iter(ticker)) for name, ticker in tickers.items()}
    assert {(BID, ASK)} == {(row["b"][0][:-4], row["a"][0][:-4]) for each in tickers.values() for row in each.values()}


def test_several_pairs_at_once(sdk):
    """A list of pairs, and a list of assets, is one request."""
    assert {"XXBTZUSD", "XETHZUSD"} == set(sdk.market.get_ticker(pair=["XBTUSD", "ETHUSD"]))
    assert {"XXBT", "ZUSD"} == set(sdk.market.get_assets(assets=["XBT", "USD"]))


@pytest.mark.parametrize(
    ("method", "fields", "key", "rows"),
    [
        ("get_asset_pairs", {"pair": "XBTUSD", "info": "fees"}, "XXBTZUSD", 3),
        ("get_ohlc", {"pair": "ETHEUR", "interval": 1440}, "XETHZEUR", 721),
        ("get_order_book", {"pair": "XBTUSD", "count": 20}, "XXBTZUSD", 2),
        ("get_recent_trades", {"pair": "XBTUSD", "count": 5}, "XXBTZUSD", 5),
        ("get_system_status", {}, "status", 6),
    ],
)
def test_the_rest_of_the_market(sdk, method, fields, key, rows):
    """Every public call answers with what was asked for, and as much of it."""
    assert rows == len(getattr(sdk.market, method)(**fields)[key])


def test_figures_cut_to_the_pairs_decimals(exchange, monkeypatch):
    """`truncate` reads the pair's decimals from AssetPairs and cuts volume and price to them."""
    monkeypatch.setattr(SpotClient, "URL", exchange.environ["EXECSVC_KRAKEN_REST_URL"])
    trade = Sdk(exchange).trade
    assert "0.12345678" == trade.truncate(amount="0.123456789", amount_type="volume", pair="XBTUSD")
    assert "59000.1" == trade.truncate(amount="59000.19", amount_type="price", pair="XBTUSD")


def test_an_order_rests_and_is_cancelled(sdk, exchange):
    """An order is listed as open, cancelled, and closed for both sides."""
    order_id = sdk.place(LIMIT, userref=7)
    assert [order_id] == list(sdk.user.get_open_orders(userref=7)["open"])
    assert {} == sdk.user.get_open_orders(userref=8)["open"]
    assert {"count": 1} == sdk.trade.cancel_order(txid=order_id)
    assert "User requested" == sdk.user.get_closed_orders(userref=7)["closed"][order_id]["reason"]
    assert "canceled" == row(exchange, order_id)["status"]


def test_a_dry_run(sdk, exchange):
    """With validate the order is described, not placed."""
    before = len(exchange.orders())
    answer = sdk.trade.create_order(side="buy", ordertype="market", pair="XBTUSD", volume=0.01, validate=True)
    assert {"descr": {"order": "buy 0.01000000 XBTUSD @ market"}} == answer
    assert before == len(exchange.orders())


def test_a_fill_is_told_as_it_was_booked(sdk, exchange):
    """Order, trade and ledger entries agree with the exchange's own ledger, and the balance with the newest of them."""
    order_id = sdk.place(MARKET)
    (trade_id,) = sdk.user.get_orders_info(txid=[order_id], trades=True)[order_id]["trades"]
    trade = sdk.user.get_trades_info(txid=[trade_id])[trade_id]
    assert (order_id, "600.00100", "2.40000") == (trade["ordertxid"], trade["cost"], trade["fee"])
    told = sdk.user.get_trades_history(ledgers=True)["trades"][trade_id]["ledgers"]
    entries = sdk.user.get_ledgers(id_=told)
    assert booked(exchange, trade_id) == {(each["asset"], each["amount"], each["fee"]) for each in entries.values()}
    (spent,) = [entry for entry in entries.values() if entry["asset"] == "ZUSD"]
    assert spent["balance"] == sdk.user.get_account_balance()["ZUSD"]
    assert float(spent["balance"]) == sdk.user.get_balance("USD")["balance"]


def test_ledgers_by_asset_and_kind(sdk):
    """Ledger entries are those of the asset and the kind asked for."""
    sdk.place(MARKET)
    entries = sdk.user.get_ledgers_info(asset=["XBT"], type_="trade")["ledger"].values()
    assert {("XXBT", "trade")} == {(entry["asset"], entry["type"]) for entry in entries}


def test_money_of_the_account(sdk):
    """Equity is what free margin is while nothing is on margin; fees are the first tier's; an order holds its money."""
    sdk.place(LIMIT)
    balance = sdk.user.get_trade_balance()
    assert balance["mf"] == balance["e"]
    assert "592.3600" == sdk.user.get_balances()["ZUSD"]["hold_trade"]
    assert "0.4000" == sdk.user.get_trade_volume(pair=["XBTUSD", "ETHUSD"])["fees"]["XXBTZUSD"]["fee"]


def test_an_order_is_amended_in_place(sdk, exchange):
    """An amend, by the client's id, changes volume and price of the same order, and both versions are told."""
    order_id = sdk.place(LIMIT, cl_ord_id="mine")
    sdk.trade.amend_order(cl_ord_id="mine", order_qty=0.02, limit_price=58000.0)
    amends = sdk.user.get_order_amends(order_id=order_id)["amends"]
    assert ["original", "user"] == [amend["amend_type"] for amend in amends]
    assert ["0.01000000", "0.02000000"] == [amend["order_qty"] for amend in amends]
    assert ("0.02000000", "58000.0") == (row(exchange, order_id)["volume"], row(exchange, order_id)["price"])


def test_an_order_is_edited_into_another(sdk, exchange):
    """An edit cancels the order and places another in its stead."""
    first = sdk.place(LIMIT)
    second = sdk.trade.edit_order(txid=first, pair="XBTUSD", volume="0.02", price="58000.0")["txid"]
    assert ["canceled", "open"] == [row(exchange, each)["status"] for each in (first, second)]


def test_a_batch_answers_row_by_row(sdk, exchange):
    """Of a batch in JSON each row is answered in its place; what the engine refuses takes nobody along."""
    answers = sdk.trade.create_order_batch(orders=ROWS, pair="BTC/USD")["orders"]
    assert {"error": "EOrder:Insufficient funds"} == answers[1]
    first, last = answers[0]["txid"], answers[2]["txid"]
    assert ("first", "stop-loss") == (row(exchange, first)["cl_ord_id"], row(exchange, last)["ordertype"])
    assert {"count": 2} == sdk.trade.cancel_order_batch(orders=[first, last])
    assert ["canceled", "canceled"] == [row(exchange, each)["status"] for each in (first, last)]


def test_everything_is_cancelled(sdk, exchange):
    """Cancelling all counts what it cancels."""
    placed = [sdk.place(LIMIT) for _ in range(3)]
    assert {"count": 3} == sdk.trade.cancel_all_orders()
    assert {"canceled"} == {row(exchange, order_id)["status"] for order_id in placed}


def test_the_dead_mans_switch(sdk):
    """The switch is set and disarmed."""
    assert "0" != sdk.trade.cancel_all_orders_after_x(timeout=60)["triggerTime"]
    assert "0" == sdk.trade.cancel_all_orders_after_x()["triggerTime"]


def test_a_stop_with_a_close(sdk):
    """Trigger, limit and conditional close of one order come back as Kraken words them."""
    order_id = sdk.place(
        LIMIT | {"ordertype": "stop-loss-limit", "price": "61000"},
        price2="62000",
        trigger="last",
        close_ordertype="take-profit-limit",
        close_price="65000",
        close_price2="#2%",
    )
    described = sdk.user.get_orders_info(txid=order_id)[order_id]["descr"]
    assert "buy 0.01000000 XBTUSD @ stop loss 61000.0 -> limit 62000.0" == described["order"]
    assert "close position @ take profit 65000.0 -> limit -2.0000%" == described["close"]


def test_a_position_by_market(sdk, exchange):
    """Positions are put together by market, and gone once the opposite order has closed them."""
    sdk.place(MARKET, leverage=2)
    sdk.place(MARKET, leverage=2)
    (position,) = sdk.user.get_open_positions(docalcs=True)
    assert ("XXBTZUSD", "2", "0.02000000") == (position["pair"], position["positions"], position["vol"])
    closing = sdk.place(MARKET | {"type": "sell", "volume": "0.02"}, leverage=2, reduce_only=True)
    assert [] == sdk.user.get_open_positions()
    assert "0.02000000" == row(exchange, closing)["vol_exec"]


async def test_the_asynchronous_client(exchange):
    """The client on aiohttp signs, asks and is answered like the one on requests."""
    key, secret = another_key(exchange)
    async with SpotAsyncClient(key=key, secret=secret, url=exchange.environ["EXECSVC_KRAKEN_REST_URL"]) as client:
        fields = LIMIT | {"volume": "0.03"}
        (order_id,) = (await client.request("POST", "/0/private/AddOrder", params=fields))["txid"]
        assert "0.03000000" == row(exchange, order_id)["volume"]
        cancelled = await client.request("POST", "/0/private/CancelOrderBatch", {"orders": [order_id]}, do_json=True)
        assert {"count": 1} == cancelled
