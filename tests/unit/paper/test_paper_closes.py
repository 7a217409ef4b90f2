"""Conditional closes: what each fill brings forth."""

import pytest

CLOSE = {"close[ordertype]": "limit", "close[price]": "110"}


def children(bench, txid):
    found = [order for order in bench.venue.orders.accepted() if order.parent == txid]
    return [bench.state(order.id) for order in found]


def test_each_fill_brings_forth_its_own_order(ladder):
    """Every fill places an order on the other side, of the fill's size, that names its parent."""
    txid = ladder.order(price="102", volume="1.5", **CLOSE)
    rows = children(ladder, txid)
    assert [
        ("sell", "limit", "110.0", "1.00000000", "open", txid),
        ("sell", "limit", "110.0", "0.50000000", "open", txid),
    ] == [
        (
            row["descr"]["type"],
            row["descr"]["ordertype"],
            row["descr"]["price"],
            row["vol"],
            row["status"],
            row["refid"],
        )
        for row in rows
    ]
    ladder.venue.engine.prove()


def test_a_maker_fill_does_so_too(ladder):
    """A resting order brings its close forth when a stranger takes it, part by part."""
    txid = ladder.order(price="100.5", volume="2", **CLOSE)
    assert [] == children(ladder, txid)
    ladder.take("sell", "0.5")
    ladder.take("sell", "1.5")
    assert ["0.50000000", "1.50000000"] == [row["vol"] for row in children(ladder, txid)]


def test_nested_json(ladder):
    """In JSON the close may be an object; both forms are described alike."""
    close = {"ordertype": "stop-loss-limit", "price": "90", "price2": "89"}
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "95", "volume": "1"}
    nested = ladder.private("AddOrder", "json", **order, close=close)["result"]
    flat = ladder.ok("AddOrder", **order, **{f"close[{name}]": value for name, value in close.items()})
    text = {"order": "buy 1.00000000 XBTUSD @ limit 95.0", "close": "close position @ stop loss 90.0 -> limit 89.0"}
    assert (text, text) == (nested["descr"], flat["descr"])
    assert text["close"] == ladder.state(nested["txid"][0])["descr"]["close"]


@pytest.mark.parametrize(
    ("side", "kind", "price", "price2", "text"),
    [
        ("buy", "limit", "#2%", "", "limit +2.0000%"),
        ("sell", "limit", "#5", "", "limit -5.0"),
        ("buy", "stop-loss-limit", "#3", "#1%", "stop loss -3.0 -> limit -1.0000%"),
        ("buy", "take-profit-limit", "120", "#2%", "take profit 120.0 -> limit -2.0000%"),
        ("sell", "take-profit-limit", "80", "#2%", "take profit 80.0 -> limit +2.0000%"),
        ("buy", "trailing-stop-limit", "+4%", "-1", "trailing stop +4.0000% -> limit -1.0"),
    ],
)
def test_description_of_distances(ladder, side, kind, price, price2, text):
    """A distance is described with its places and its sign; # has become one: to wait, to rest, or to be met."""
    close = {"close[ordertype]": kind, "close[price]": price} | ({"close[price2]": price2} if price2 else {})
    entry = {"buy": "95", "sell": "105"}[side]
    descr = ladder.ok("AddOrder", pair="XBTUSD", type=side, ordertype="limit", price=entry, volume="1", **close)[
        "descr"
    ]
    assert f"close position @ {text}" == descr["close"]


@pytest.mark.parametrize("close", [["limit"], "limit", {"ordertype": "limit", "price": "5", "size": "1"}])
def test_close_that_is_none(ladder, close):
    """Anything but an object of the three known fields is refused."""
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "95", "volume": "1"}
    answer = ladder.private("AddOrder", "json", **order, close=close)
    assert answer["error"][0].startswith("EGeneral:Invalid arguments:close")


def test_waiting_child_is_pending(ladder):
    """A close with a trigger is pending until that sets it off, then it is a market order like any other."""
    ladder.take("buy", "0.1")
    txid = ladder.order(price="101", volume="0.5", **{"close[ordertype]": "stop-loss", "close[price]": "99"})
    (row,) = children(ladder, txid)
    assert ("pending", "stop-loss", "0.00000") == (row["status"], row["descr"]["ordertype"], row["stopprice"])
    ladder.take("sell", "1.5")
    (row,) = children(ladder, txid)
    assert ("closed", "stopped", "99.00000") == (row["status"], row["misc"], row["stopprice"])
    ladder.venue.engine.prove()


@pytest.mark.parametrize(("price", "limit"), [("+10", "111.0"), ("#10", "111.0"), ("+10%", "111.1"), ("-1", "100.0")])
def test_distance_from_the_fill(ladder, price, limit):
    """A distance is measured from the fill's price."""
    txid = ladder.order(price="102", volume="1", **{"close[ordertype]": "limit", "close[price]": price})
    (row,) = children(ladder, txid)
    assert limit == row["descr"]["price"]


def test_child_can_trade_at_once(ladder):
    """A close that crosses the book trades at once, after the fill that brought it forth."""
    txid = ladder.order(price="101", volume="1", **{"close[ordertype]": "limit", "close[price]": "99"})
    (row,) = children(ladder, txid)
    assert ("closed", "100.00000") == (row["status"], row["price"])
    ladder.venue.engine.prove()


def test_child_is_independent(ladder):
    """Cancelling what is left of the parent leaves the children alone; they have no close of their own."""
    txid = ladder.order(price="101", volume="1.5", **CLOSE)
    ladder.ok("CancelOrder", txid=txid)
    (row,) = children(ladder, txid)
    assert ("open", "", "fciq") == (row["status"], row["descr"]["close"], row["oflags"])


def test_child_without_funds_is_not_there(ladder):
    """A close that cannot be paid for is not placed: here the fee in the base has eaten into what it would sell."""
    ladder.order(type="sell", price="500", volume="2")
    txid = ladder.order(price="101", volume="1", oflags="fcib", **CLOSE)
    assert ("closed", []) == (ladder.state(txid)["status"], children(ladder, txid))
    ladder.venue.engine.prove()


def test_sell_with_a_close(ladder):
    """The close of a sell is a buy, held for from then on."""
    txid = ladder.order(
        type="sell", ordertype="market", volume="1", **{"close[ordertype]": "limit", "close[price]": "90"}
    )
    (row,) = children(ladder, txid)
    assert ("buy", "open") == (row["descr"]["type"], row["status"])
    assert "90.3600" == ladder.ok("BalanceEx")["ZUSD"]["hold_trade"]


def test_children_cost_no_counter(ladder):
    """What fills bring forth is not charged to the engine's counter."""
    ladder.order(price="102", volume="1.5", **CLOSE)
    figures = ladder.venue.quotas.pair_figures("XXBTZUSD", ladder.now, open_orders=0)
    assert b"1" == bytes(figures["charged"])


def test_executions_tell_template_and_child(ladder):
    """The parent is told with its contingent order, the child with the parent's id."""
    socket = ladder.executions()
    socket.frames()
    close = {"close[ordertype]": "take-profit-limit", "close[price]": "+10%", "close[price2]": "111.5"}
    txid = ladder.order(price="101", volume="1", **close)
    rows = [row for frame in socket.frames("executions") for row in frame["data"]]
    assert {
        "order_type": "take-profit-limit",
        "trigger_price": 10,
        "trigger_price_type": "pct",
        "limit_price": 111.5,
        "limit_price_type": "static",
    } == rows[0]["contingent"]
    assert ["pending_new", "new", "trade", "filled", "pending_new"] == [row["exec_type"] for row in rows]
    assert (txid, "pending_new", 111.1) == (
        rows[4]["ord_ref_id"],
        rows[4]["order_status"],
        rows[4]["triggers"]["price"],
    )
