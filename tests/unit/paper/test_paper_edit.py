"""EditOrder, the older way to change an order: cancelled and placed anew in one step."""

import pytest

from tests.unit.paper.paperbench import Bench

EDIT = {"pair": "XBTUSD"}


def test_shape(ladder):
    """The answer names both orders and describes the new one; the old one ends as replaced, the new one refers to it."""
    old = ladder.order(price="95", volume="1", userref="3")
    result = ladder.ok("EditOrder", txid=old, **EDIT, price="96", volume="2", userref="4")
    assert {
        "status": "ok",
        "txid": result["txid"],
        "originaltxid": old,
        "volume": "2.00000000",
        "price": "96.0",
        "price2": "0",
        "orders_cancelled": 1,
        "descr": {"order": "buy 2.00000000 XBTUSD @ limit 96.0"},
        "newuserref": "4",
        "olduserref": "3",
    } == result
    before, after = ladder.state(old), ladder.state(result["txid"])
    assert ("canceled", "Order replaced", "open", old) == (
        before["status"],
        before["reason"],
        after["status"],
        after["refid"],
    )
    assert "192.7680" == ladder.ok("BalanceEx")["ZUSD"]["hold_trade"]


def test_what_is_not_restated_stays(ladder):
    """Side, type, time in force and expiry stay as they were; post-only must be said again."""
    old = ladder.order(price="95", oflags="post,fcib", timeinforce="GTD", expiretm="+100", stptype="cancel-both")
    new = ladder.ok("EditOrder", txid=old, **EDIT, price="94")["txid"]
    row = ladder.state(new)
    assert ("0.10000000", "fcib", ladder.state(old)["expiretm"]) == (row["vol"], row["oflags"], row["expiretm"])
    again = ladder.ok("EditOrder", txid=new, **EDIT, price="93", oflags="post")["txid"]
    assert "fcib,post" == ladder.state(again)["oflags"]
    ladder.wait(100)
    assert "expired" == ladder.state(again)["status"]


def test_fills_stay_with_the_old_order(ladder):
    """The volume is that of both orders: the new one gets what the old one has not filled."""
    old = ladder.order(price="101", volume="1.5")
    new = ladder.ok("EditOrder", txid=old, **EDIT, volume="3", price="100.5")["txid"]
    assert ("1.00000000", "2.00000000", "0.00000000") == (
        ladder.state(old)["vol_exec"],
        ladder.state(new)["vol"],
        ladder.state(new)["vol_exec"],
    )
    ladder.venue.engine.prove()


def test_by_user_reference(ladder):
    """A user reference will do if one order alone carries it."""
    ladder.order(price="95", userref="3")
    assert "ok" == ladder.ok("EditOrder", txid="3", **EDIT, price="96")["status"]
    ladder.order(price="94", userref="3")
    assert "EOrder:Invalid order" == ladder.error("EditOrder", txid="3", **EDIT, price="96")


def test_the_old_order_pays_for_the_new(ladder):
    """Funds of the old order count; when even so they do not suffice, the old order stays and holds on."""
    old = ladder.order(price="95", volume="1000")
    new = ladder.ok("EditOrder", txid=old, **EDIT, price="94", volume="1000")["txid"]
    assert "EOrder:Insufficient funds" == ladder.error("EditOrder", txid=new, **EDIT, volume="1100")
    assert "open" == ladder.state(new)["status"]
    assert "94376.0000" == ladder.ok("BalanceEx")["ZUSD"]["hold_trade"]
    ladder.venue.engine.prove()


def test_waiting_stop(ladder):
    """A stop that still waits can be edited, price and price2."""
    ladder.take("buy", "0.1")
    old = ladder.order(type="sell", ordertype="stop-loss-limit", price="90", price2="89")
    result = ladder.ok("EditOrder", txid=old, **EDIT, price="91", price2="90")
    assert ("91.0", "90.0", "open") == (result["price"], result["price2"], ladder.state(result["txid"])["status"])


@pytest.mark.parametrize(
    "order",
    [
        {"price": "95", "cl_ord_id": "mine"},
        {"price": "95", "close[ordertype]": "limit", "close[price]": "120"},
        {"type": "sell", "ordertype": "stop-loss-limit", "price": "105", "price2": "120"},
    ],
    ids=["client id", "close", "triggered"],
)
def test_not_for_every_order(ladder, order):
    """Not for orders with a client id or a conditional close, nor once a trigger was set off."""
    ladder.take("buy", "0.1")
    txid = ladder.order(**order)
    assert "EOrder:Invalid order" == ladder.error("EditOrder", txid=txid, **EDIT, volume="0.2")
    assert "open" == ladder.state(txid)["status"]


def test_refusals(ladder):
    """A volume that is filled already, another pair, an ended order, or a price that may not take are refused."""
    txid = ladder.order(price="101", volume="1.5")
    assert "EGeneral:Invalid arguments:volume" == ladder.error("EditOrder", txid=txid, **EDIT, volume="1")
    assert "EOrder:Invalid order" == ladder.error("EditOrder", txid=txid, pair="ETHUSD", volume="2")
    assert "EQuery:Unknown asset pair" == ladder.error("EditOrder", txid=txid, pair="FOOBAR", volume="2")
    assert "EOrder:Post only order" == ladder.error("EditOrder", txid=txid, **EDIT, price="102", oflags="post")
    assert "open" == ladder.state(txid)["status"]
    ladder.ok("CancelOrder", txid=txid)
    assert "EOrder:Unknown order" == ladder.error("EditOrder", txid=txid, **EDIT, volume="2")


def test_validate(ladder):
    """With validate the new order is described and the old one stays."""
    txid = ladder.order(price="95")
    result = ladder.ok("EditOrder", txid=txid, **EDIT, price="96", validate="true")
    assert (0, None, "buy 0.10000000 XBTUSD @ limit 96.0") == (
        result["orders_cancelled"],
        result.get("txid"),
        result["descr"]["order"],
    )
    assert "open" == ladder.state(txid)["status"]


def test_counter():
    """An edit costs 1, and more the younger the order: 6 below 5 s, nothing after 90; the cancel in it is free."""
    bench = Bench(pairs=("BTC/USD",), engine_decay_step_s=1e9)
    txid = bench.order(price="90000")
    txid = bench.ok("EditOrder", txid=txid, **EDIT, price="90001")["txid"]
    bench.wait(12)
    bench.ok("EditOrder", txid=txid, **EDIT, price="90002")
    figures = bench.venue.quotas.pair_figures("XXBTZUSD", bench.now, open_orders=0)
    assert b"13" == bytes(figures["level"])
