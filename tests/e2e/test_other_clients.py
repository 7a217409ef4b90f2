"""krakenex, unmodified but for the address, trades on the paper exchange as it would on Kraken."""

import pytest
import requests

from tests.support.other_clients import (
    ASK,
    BID,
    BTC,
    LIMIT,
    MARKET,
    Krakenex,
    Sdk,
    another_key,
    booked,
    cleared,
    row,
    still_exchange,
)

pytestmark = pytest.mark.process


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with still_exchange(tmp_path_factory.mktemp("krakenex")) as running:
        yield running


@pytest.fixture
def api(exchange):
    client = Krakenex(exchange)
    yield client
    client.ask("CancelAll")
    client.api.close()
    cleared(exchange)


def test_the_best_prices(api):
    """Ticker tells the best prices, keyed by the pair's id."""
    ticker = api.public("Ticker", pair="XBTUSD")["XXBTZUSD"]
    assert (f"{BID}0000", f"{ASK}0000") == (ticker["b"][0], ticker["a"][0])


def test_the_book(api):
    """Depth has as many levels as asked for, best first."""
    depth = api.public("Depth", pair="XXBTZUSD", count=3)["XXBTZUSD"]
    assert ["60000.00000", "59999.90000", "59999.80000"] == [price for price, *_ in depth["bids"]]
    assert ["60000.10000", "60000.20000", "60000.30000"] == [price for price, *_ in depth["asks"]]


def test_candles(api):
    """OHLC has 720 finished candles and the open one."""
    assert 721 == len(api.public("OHLC", pair="XETHZEUR", interval=60)["XETHZEUR"])


@pytest.mark.parametrize(
    ("method", "fields", "named"),
    [
        ("Time", {}, "unixtime"),
        ("SystemStatus", {}, "status"),
        ("Assets", {"asset": "XBT,EUR"}, "ZEUR"),
        ("AssetPairs", {"pair": "DOGEUSD"}, "XDGUSD"),
        ("Trades", {"pair": "XDGUSD", "since": 0}, "last"),
        ("Spread", {"pair": "DOTUSD"}, "DOTUSD"),
    ],
)
def test_the_rest_of_the_market(api, method, fields, named):
    """Every public call answers without an error, and with what was asked for."""
    assert named in api.public(method, **fields)


def test_an_order_rests_and_is_cancelled(api, exchange):
    """An order is described, listed as open, cancelled, and closed for both sides."""
    placed = api.ok("AddOrder", **LIMIT)
    assert "buy 0.01000000 XBTUSD @ limit 59000.0" == placed["descr"]["order"]
    (order_id,) = placed["txid"]
    assert [order_id] == list(api.ok("OpenOrders", trades=True)["open"])
    assert {"count": 1} == api.ok("CancelOrder", txid=order_id)
    assert "User requested" == api.ok("ClosedOrders")["closed"][order_id]["reason"]
    assert "canceled" == row(exchange, order_id)["status"]


@pytest.mark.parametrize(("validate", "places"), [(True, False), (False, True)])
def test_a_dry_run(api, exchange, validate, places):
    """Python's True and False, as krakenex sends them, mean what they say."""
    before = len(exchange.orders())
    result = api.ok("AddOrder", **LIMIT, validate=validate)
    assert places is ("txid" in result)
    assert places is (before < len(exchange.orders()))


def test_an_order_is_amended_in_place(api, exchange):
    """AmendOrder changes volume and price of the same order."""
    order_id = api.place(LIMIT)
    assert api.ok("AmendOrder", txid=order_id, order_qty="0.02", limit_price="58000.0")["amend_id"].startswith("T")
    assert ("open", "0.02000000", "58000.0") == _terms(exchange, order_id)


def test_an_order_is_edited_into_another(api, exchange):
    """EditOrder cancels the order and places another in its stead."""
    first = api.place(LIMIT)
    edited = api.ok("EditOrder", txid=first, pair="XBTUSD", volume="0.02", price="58000.0")
    assert (first, 1) == (edited["originaltxid"], edited["orders_cancelled"])
    assert "canceled" == row(exchange, first)["status"]
    assert ("open", "0.02000000", "58000.0") == _terms(exchange, edited["txid"])


def test_everything_is_cancelled(api, exchange):
    """CancelAll counts what it cancels."""
    placed = [api.place(LIMIT, price=price) for price in ("59000.0", "58000.0", "57000.0")]
    assert {"count": 3} == api.ok("CancelAll")
    assert {"canceled"} == {row(exchange, order_id)["status"] for order_id in placed}


def test_an_order_by_its_client_id(api, exchange):
    """An order is found and cancelled by the id its client gave it."""
    mine = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
    order_id = api.place(LIMIT, cl_ord_id=mine)
    assert mine == api.ok("OpenOrders", cl_ord_id=mine)["open"][order_id]["cl_ord_id"]
    assert {"count": 1} == api.ok("CancelOrder", cl_ord_id=mine)
    assert "canceled" == row(exchange, order_id)["status"]


def test_a_fill_is_told_as_it_was_booked(api, exchange):
    """The order, its trade, its ledger entries and the exchange's own ledger agree to the last digit."""
    order_id = api.place(MARKET)
    order = api.ok("QueryOrders", txid=order_id, trades=True)[order_id]
    assert ("closed", "0.01000000", "600.00100", "2.40000") == tuple(
        order[name] for name in ("status", "vol_exec", "cost", "fee")
    )
    (trade_id,) = order["trades"]
    trade = api.ok("TradesHistory", ledgers=True)["trades"][trade_id]
    assert (order_id, "60000.10000", "0.01000000") == (trade["ordertxid"], trade["price"], trade["vol"])
    entries = api.ok("QueryLedgers", id=",".join(trade["ledgers"])).values()
    told = {(entry["asset"], entry["amount"], entry["fee"]) for entry in entries}
    assert {("ZUSD", "-600.0010", "2.4000"), ("XXBT", "0.0100000000", "0.0000000000")} == told
    assert told == booked(exchange, trade_id)


def test_the_balance_follows_the_ledger(api):
    """Balance is the newest ledger entry's, of each asset."""
    api.place(MARKET)
    newest = next(iter(api.ok("Ledgers", asset="ZUSD")["ledger"].values()))
    assert newest["balance"] == api.ok("Balance")["ZUSD"]


def test_an_open_order_holds_its_money(api):
    """BalanceEx shows what an open order holds: its cost and its fee, as a taker's."""
    api.place(LIMIT)
    assert "592.3600" == api.ok("BalanceEx")["ZUSD"]["hold_trade"]


def test_a_conditional_close_in_a_form(api, exchange):
    """A fill of an order with `close[...]` places the order it describes."""
    fields = {"close[ordertype]": "stop-loss-limit", "close[price]": "55000.0", "close[price2]": "54000.0"}
    placed = api.ok("AddOrder", **MARKET, **fields)
    assert "close position @ stop loss 55000.0 -> limit 54000.0" == placed["descr"]["close"]
    (brought,) = [order for order in api.ok("OpenOrders")["open"].values() if order["refid"] == placed["txid"][0]]
    assert "sell 0.01000000 XBTUSD @ stop loss 55000.0 -> limit 54000.0" == brought["descr"]["order"]


def test_a_relative_price_in_a_form(api):
    """A plus sign survives the form: the trailing stop stands below the last price."""
    order_id = api.place(MARKET, type="sell", ordertype="trailing-stop", price="+5.0%")
    order = api.ok("QueryOrders", txid=order_id)[order_id]
    assert "sell 0.01000000 XBTUSD @ trailing stop +5.0000%" == order["descr"]["order"]
    last = float(api.public("Ticker", pair="XBTUSD")["XXBTZUSD"]["c"][0])
    assert pytest.approx(last * 0.95, abs=0.1) == float(order["stopprice"])


def test_a_position_is_opened_and_closed(api, exchange):
    """An order on margin opens a position, its opposite closes it: nothing is open, and both fills are told of it."""
    opened = api.place(MARKET, leverage=2)
    ((_, position),) = api.ok("OpenPositions", docalcs=True).items()
    assert (opened, "0.01000000", "300.00050") == (position["ordertxid"], position["vol"], position["margin"])
    api.place(MARKET, type="sell", leverage=2, reduce_only=True)
    assert [] == api.ok("OpenPositions")
    closed = api.ok("TradesHistory", type="closing position")["trades"]
    (trade_id,) = closed
    assert "closing" == closed[trade_id]["misc"]
    assert {"ZUSD"} == {asset for asset, _, _ in booked(exchange, trade_id)}


def test_the_dead_mans_switch(api):
    """CancelAllOrdersAfter is set and disarmed."""
    assert "0" != api.ok("CancelAllOrdersAfter", timeout=60)["triggerTime"]
    assert "0" == api.ok("CancelAllOrdersAfter", timeout=0)["triggerTime"]


def test_a_list_in_a_form_does_not_verify(api):
    """Krakenex signs a list as Python prints it and sends its parts: the signature is wrong, here as at Kraken."""
    assert ["EAPI:Invalid signature"] == api.ask("CancelOrderBatch", orders=["A", "B"])["error"]


def test_two_clients_on_one_key(exchange):
    """A client that counts milliseconds cannot follow one that counts finer on the same key."""
    keys = another_key(exchange, name="shared")
    Sdk(exchange, keys).user.get_account_balance()
    assert ["EAPI:Invalid nonce"] == Krakenex(exchange, keys).ask("Balance")["error"]


def test_a_page_instead_of_an_answer(api, exchange):
    """What an edge server sends instead of an answer is an HTTP error for the client, and the order may stand."""
    exchange.fault(kind="bad_gateway", call="AddOrder", http_status=502, applied=True)
    with pytest.raises(requests.HTTPError, match="502"):
        api.ask("AddOrder", **LIMIT)
    ((order_id, order),) = api.ok("OpenOrders")["open"].items()
    assert (order_id, "open") == (row(exchange, order_id)["order_id"], order["status"])


def _terms(exchange, order_id):
    order = row(exchange, order_id)
    assert BTC == order["symbol"]
    return order["status"], order["volume"], order["price"]
