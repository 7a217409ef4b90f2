"""Many orders in one call: batches in and out, CancelAll, and the dead man's switch."""

import pytest

from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import Bench

BUY = {"ordertype": "limit", "type": "buy", "price": "95", "volume": "1"}
SELL = {"ordertype": "limit", "type": "sell", "price": "120", "volume": "0.5"}


def batch(bench, *orders, **params):
    return bench.private("AddOrderBatch", "json", pair="XBTUSD", orders=list(orders), **params)


def cancel_batch(bench, **params):
    return bench.private("CancelOrderBatch", "json", **params)


def level(bench):
    return bytes(bench.venue.quotas.pair_figures("XXBTZUSD", bench.now, open_orders=0)["level"])


@pytest.fixture
def steady():
    """A still market whose counters do not decay."""
    bench = Bench(pairs=("BTC/USD",), engine_decay_step_s=1e9)
    bench.book(bids=[("100.0", "1")], asks=[("101.0", "1")])
    return bench


def test_rows_in_the_order_asked_for(ladder):
    """Each order of a batch has a row, in its place, with id and description."""
    close = {"ordertype": "stop-loss-limit", "price": "90", "price2": "89"}
    answer = batch(ladder, BUY | {"close": close}, SELL)
    first, second = answer["result"]["orders"]
    assert {
        "txid": first["txid"],
        "descr": {"order": "buy 1.00000000 XBTUSD @ limit 95.0"},
        "close": "close position @ stop loss 90.0 -> limit 89.0",
    } == first
    assert {"txid": second["txid"], "descr": {"order": "sell 0.50000000 XBTUSD @ limit 120.0"}} == second
    assert ["95.0", "120.0"] == [ladder.state(row["txid"])["descr"]["price"] for row in (first, second)]


def test_one_bad_order_refuses_them_all(ladder):
    """A batch with an order that cannot be read places nothing."""
    assert {"error": ["EOrder:Tick size check failed"]} == batch(ladder, BUY, SELL | {"price": "120.05"})
    assert [] == list(ladder.venue.orders.accepted())


def test_engine_refuses_by_the_row(ladder):
    """What the engine refuses is refused by itself: the rest is placed, and the call succeeds."""
    answer = batch(ladder, SELL | {"volume": "5"}, BUY, BUY | {"price": "101", "oflags": "post"})
    poor, placed, taking = answer["result"]["orders"]
    assert ([], {"error": "EOrder:Insufficient funds"}, {"error": "EOrder:Post only order"}) == (
        answer["error"],
        poor,
        taking,
    )
    assert "open" == ladder.state(placed["txid"])["status"]


def test_same_client_id_twice(ladder):
    """Two orders of one batch with one client id: the second is refused."""
    answer = batch(ladder, BUY | {"cl_ord_id": "mine"}, SELL | {"cl_ord_id": "mine"})
    assert {"error": "EGeneral:Invalid arguments:cl_ord_id not unique"} == answer["result"]["orders"][1]


@pytest.mark.parametrize(
    "orders",
    [[BUY], [BUY] * 16, "buy", [1, 2], {"orders": BUY}, None],
    ids=["one", "16", "text", "numbers", "object", "none"],
)
def test_size_of_a_batch(ladder, orders):
    """A batch is a list of 2 to 15 orders."""
    answer = ladder.private("AddOrderBatch", "json", pair="XBTUSD", orders=orders)
    assert ["EGeneral:Invalid arguments:orders"] == answer["error"]


def test_validated_batch(ladder):
    """With validate a batch is described, and nothing is placed or charged."""
    answer = batch(ladder, BUY, SELL, validate=True)
    assert [None, None] == [row.get("txid") for row in answer["result"]["orders"]]
    assert [] == list(ladder.venue.orders.accepted())
    assert ["EOrder:Tick size check failed"] == batch(ladder, BUY, SELL | {"price": "0.01"}, validate=True)["error"]
    assert b"0" == level(ladder)


def test_deadline_of_a_batch(ladder):
    """The deadline stands once for all; passed, it refuses each order in its row."""
    ladder.exchange.fault(Fault(kind="delay", when="before", call="AddOrderBatch", ms=3000), ladder.now)
    import json

    ticket = ladder.ticket(
        "AddOrderBatch",
        {"pair": "XBTUSD", "orders": [BUY, SELL], "deadline": "2026-01-01T00:00:02Z"},
        encoding="json",
    )
    ladder.wait(3)
    rows = json.loads(ticket.outcome.body)["result"]["orders"]
    assert [{"error": "EService:Deadline elapsed"}] * 2 == rows


def test_batch_is_charged_by_half(steady):
    """A batch of n orders costs n/2 on receipt, placed or not."""
    batch(steady, BUY, BUY, BUY)
    assert b"1.5" == level(steady)
    batch(steady, BUY, SELL | {"price": "0.01"})
    assert b"2.5" == level(steady)


def test_permissions_of_a_batch(ladder):
    """A batch needs both rights, to place and to cancel; so does an edit."""
    key = ladder.venue.keys.make("half", ("modify-trades",), now=ladder.now, nonce_window=0)
    for method in ("AddOrderBatch", "EditOrder"):
        answer = ladder.private(method, "json", key=key, pair="XBTUSD", orders=[BUY, SELL], txid="1")
        assert ["EGeneral:Permission denied"] == answer["error"]


def test_cancel_batch(ladder):
    """Ids, user references and client ids may be mixed; only what was open counts, each order once."""
    ids = [ladder.order(price=str(price)) for price in (95, 94)]
    ladder.order(price="93", userref="7")
    ladder.order(price="92", userref="7")
    ladder.order(price="91", cl_ord_id="mine")
    gone = ladder.order(price="90")
    ladder.ok("CancelOrder", txid=gone)
    asked = [*ids, ids[0], 7, gone, "OAAAAA-BBBBB-CCCCCC"]
    answer = cancel_batch(ladder, orders=asked, cl_ord_ids=[{"cl_ord_id": "mine"}, {"cl_ord_id": "nobody"}])
    assert {"count": 5} == answer["result"]
    assert {} == ladder.ok("OpenOrders")["open"]


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "orders"),
        ({"orders": []}, "orders"),
        ({"orders": ["1"] * 51}, "orders"),
        ({"orders": ["1"] * 50, "cl_ord_ids": [{"cl_ord_id": "a"}]}, "orders"),
        ({"cl_ord_ids": "mine"}, "cl_ord_ids"),
        ({"cl_ord_ids": [{"id": "mine"}]}, "cl_ord_ids"),
    ],
)
def test_size_of_a_cancel_batch(ladder, params, field):
    """A batch cancel names 1 to 50 orders."""
    assert [f"EGeneral:Invalid arguments:{field}"] == cancel_batch(ladder, **params)["error"]


def test_cancel_batch_is_charged_by_age(steady):
    """Each order of a batch cancel costs by its age, and the batch is accepted even past the threshold."""
    ids = [steady.order(price=str(price)) for price in range(50, 70)]
    assert b"20" == level(steady)
    assert {"count": 2} == cancel_batch(steady, orders=ids[:2])["result"]
    assert b"36" == level(steady)
    steady.wait(20)
    assert {"count": 18} == cancel_batch(steady, orders=ids[2:])["result"]
    assert b"108" == level(steady)


def test_cancel_all(bench):
    """CancelAll ends every open order on every pair, waiting ones too, and gives all funds back."""
    bench.order(price="90000")
    bench.order(pair="ETHUSD", price="3000", volume="1")
    bench.order(type="sell", ordertype="stop-loss", price="-5%")
    bench.order(price="90000", starttm="+60")
    assert {"count": 4} == bench.ok("CancelAll")
    assert {"count": 0} == bench.ok("CancelAll")
    assert {} == bench.ok("OpenOrders")["open"]
    assert 0 == sum(bench.venue.ledger.held(asset) for asset in bench.venue.ledger.assets())
    bench.venue.engine.prove()


def test_cancel_all_is_charged(steady):
    """CancelAll costs the cancel of each order, and one call."""
    for price in ("95", "94"):
        steady.order(price=price)
    steady.ok("CancelAll")
    assert b"18" == level(steady)


def test_dead_mans_switch(ladder):
    """Unless set anew in time, all orders end at the instant it names."""
    txid = ladder.order(price="95")
    assert {"currentTime": "2026-01-01T00:00:00Z", "triggerTime": "2026-01-01T00:01:00Z"} == ladder.ok(
        "CancelAllOrdersAfter", timeout="60"
    )
    ladder.wait(59.999)
    assert "open" == ladder.state(txid)["status"]
    ladder.wait(0.001)
    row = ladder.state(txid)
    assert ("canceled", "Cancel all orders after") == (row["status"], row["reason"])


def test_switch_set_anew(ladder):
    """Setting it anew puts it off, and only the last setting counts."""
    txid = ladder.order(price="95")
    ladder.ok("CancelAllOrdersAfter", timeout="60")
    ladder.wait(30)
    ladder.ok("CancelAllOrdersAfter", timeout="60")
    ladder.wait(59)
    assert "open" == ladder.state(txid)["status"]
    ladder.wait(1)
    assert "canceled" == ladder.state(txid)["status"]


def test_switch_strikes_once(ladder):
    """It strikes once and is off then: what is placed later stays."""
    ladder.ok("CancelAllOrdersAfter", timeout="10")
    ladder.wait(10)
    txid = ladder.order(price="95")
    ladder.wait(1000)
    assert "open" == ladder.state(txid)["status"]


def test_switch_off(ladder):
    """A timeout of 0 turns it off."""
    txid = ladder.order(price="95")
    ladder.ok("CancelAllOrdersAfter", timeout="10")
    assert {"currentTime": "2026-01-01T00:00:00Z", "triggerTime": "0"} == ladder.ok("CancelAllOrdersAfter", timeout="0")
    ladder.wait(100)
    assert "open" == ladder.state(txid)["status"]


@pytest.mark.parametrize("timeout", ["", "-1", "86400", "1.5", "soon"])
def test_timeout_of_the_switch(ladder, timeout):
    """The timeout is a whole number of seconds below a day."""
    assert "EGeneral:Invalid arguments:timeout" == ladder.error("CancelAllOrdersAfter", timeout=timeout)


def test_switch_in_maintenance(ladder):
    """Struck while the engine is away, it cancels everything when the engine returns."""
    txid = ladder.order(price="95")
    ladder.ok("CancelAllOrdersAfter", timeout="10")
    ladder.exchange.fault(Fault(kind="maintenance", for_ms=30_000), ladder.now)
    ladder.wait(20)
    assert "open" == ladder.venue.orders.get(txid).status
    ladder.wait(12)
    assert "canceled" == ladder.state(txid)["status"]


def test_switch_keeps_to_its_span(ladder):
    """It counts seconds, not instants: a clock that is off, or put off meanwhile, neither hurries nor delays it."""
    txid = ladder.order(price="95")
    ladder.exchange.fault(Fault(kind="clock_skew", ms=40_000), ladder.now)
    assert {"currentTime": "2026-01-01T00:00:40Z", "triggerTime": "2026-01-01T00:01:40Z"} == ladder.ok(
        "CancelAllOrdersAfter", timeout="60"
    )
    ladder.wait(30)
    ladder.exchange.clear_faults(ladder.now)
    ladder.wait(29)
    assert "open" == ladder.state(txid)["status"]
    ladder.wait(1)
    assert "canceled" == ladder.state(txid)["status"]


def test_switch_is_charged_like_cancels(steady):
    """When it strikes, each order it ends is charged as a cancel of its age."""
    steady.order(price="95")
    steady.ok("CancelAllOrdersAfter", timeout="7")
    steady.wait(7)
    assert b"7" == level(steady)
