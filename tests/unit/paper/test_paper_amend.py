"""AmendOrder and OrderAmends: what may change in place, what it costs in queue, funds and counter, what is told."""

import pytest

from tests.unit.paper.paperbench import NS, START, Bench

USD, BTC = "ZUSD", "XXBT"
NO_CHANGE = "EGeneral:Invalid arguments:No amendable parameters"


def held(bench, asset=USD):
    return bench.ok("BalanceEx")[asset]["hold_trade"]


def amend(bench, txid, **params):
    return bench.ok("AmendOrder", txid=txid, **params)["amend_id"]


def test_amend_keeps_id_and_fills(ladder):
    """An amend changes price and volume in place: same order, its fills kept, marked amended."""
    txid = ladder.order(price="101", volume="1.5")
    amend_id = amend(ladder, txid, order_qty="3", limit_price="100.5")
    assert (6, 5, 6, "T") == (*map(len, amend_id.split("-")), amend_id[0])
    row = ladder.state(txid)
    assert ("open", "3.00000000", "1.00000000", "100.5", "partial,amended") == (
        row["status"],
        row["vol"],
        row["vol_exec"],
        row["descr"]["price"],
        row["misc"],
    )
    assert ("100.50000", "2.000") == tuple(ladder.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["bids"][0][:2])
    ladder.venue.engine.prove()


def test_amend_by_client_id(ladder):
    """An order can be named by its client id, which it keeps."""
    txid = ladder.order(price="95", cl_ord_id="mine")
    assert ladder.ok("AmendOrder", cl_ord_id="mine", limit_price="96")["amend_id"]
    assert ("96.0", "mine") == (ladder.state(txid)["descr"]["price"], ladder.state(txid)["cl_ord_id"])


@pytest.mark.parametrize(
    ("change", "filled"),
    [
        ({"order_qty": "0.8"}, "0.50000000"),
        ({"order_qty": "1.2"}, "0.00000000"),
        ({"limit_price": "100.1"}, "0.50000000"),
    ],
)
def test_queue_priority(bench, change, filled):
    """A smaller volume keeps its place in the queue; a larger one goes to its end; a new price is a new place."""
    bench.book(bids=[("99.0", "5")], asks=[("101.0", "5")])
    txid = bench.order(price="100", volume="1")
    bench.venue.engine.house_quote(bench.venue.listing("XBTUSD"), "buy", 1000, 100_000_000, bench.now)
    amend(bench, txid, **change)
    bench.take("sell", "0.5")
    assert filled == bench.state(txid)["vol_exec"]


def test_smaller_at_another_price(ladder):
    """A smaller volume at a new price moves there."""
    txid = ladder.order(price="95", volume="1")
    amend(ladder, txid, order_qty="0.4", limit_price="100.5")
    assert ("100.50000", "0.400") == tuple(ladder.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["bids"][0][:2])


def test_better_price_trades_at_once(ladder):
    """A price that crosses trades as a taker, like a new order would."""
    txid = ladder.order(price="95", volume="1.5")
    amend(ladder, txid, limit_price="101")
    row = ladder.state(txid)
    assert ("open", "1.00000000", "101.00000") == (row["status"], row["vol_exec"], row["price"])
    ladder.venue.engine.prove()


def test_volume_below_what_is_filled(ladder):
    """A volume below what is filled already ends the order; what it filled stays."""
    txid = ladder.order(price="101", volume="1.5")
    amend(ladder, txid, order_qty="0.4")
    row = ladder.state(txid)
    assert ("canceled", "1.00000000", "1.00000000", "User requested") == (
        row["status"],
        row["vol"],
        row["vol_exec"],
        row["reason"],
    )
    assert "0.0000" == held(ladder)


def test_funds_are_checked_again(ladder):
    """An amend holds what the new terms need; without the funds it is refused and nothing has changed."""
    txid = ladder.order(price="95", volume="2")
    assert "190.7600" == held(ladder)
    amend(ladder, txid, order_qty="4")
    assert "381.5200" == held(ladder)
    assert "EOrder:Insufficient funds" == ladder.error("AmendOrder", txid=txid, order_qty="2000")
    assert ("381.5200", "4.00000000") == (held(ladder), ladder.state(txid)["vol"])
    amend(ladder, txid, limit_price="50")
    assert "200.8000" == held(ladder)
    ladder.venue.engine.prove()


def test_funds_of_a_waiting_order(ladder):
    """The same goes for an order that waits for its trigger, and holds what its stop would cost."""
    ladder.take("buy", "0.1")
    txid = ladder.order(ordertype="stop-loss", price="110", volume="1")
    assert "EOrder:Insufficient funds" == ladder.error("AmendOrder", txid=txid, order_qty="2000")
    assert ("110.4400", "1.00000000") == (held(ladder), ladder.state(txid)["vol"])
    ladder.venue.engine.prove()


REFUSALS = [
    ({}, NO_CHANGE),
    ({"post_only": "true"}, NO_CHANGE),
    ({"order_qty": "1", "limit_price": "95"}, NO_CHANGE),
    ({"order_qty": "0"}, "EGeneral:Invalid arguments:order_qty"),
    ({"order_qty": "some"}, "EGeneral:Invalid arguments:order_qty"),
    ({"order_qty": "1.000000001"}, "EGeneral:Invalid arguments:order_qty"),
    ({"order_qty": "0.00004"}, "EOrder:Order minimum not met"),
    ({"order_qty": "0.00005"}, "EOrder:Cost minimum not met"),
    ({"limit_price": "95.05"}, "EOrder:Tick size check failed"),
    ({"limit_price": "-100%"}, "EOrder:Invalid price"),
    ({"trigger_price": "90"}, "EGeneral:Invalid arguments:trigger_price"),
    ({"display_qty": "0.5"}, "EGeneral:Invalid arguments:display_qty"),
    ({"limit_price": "101", "post_only": "true"}, "EOrder:Post only order"),
    ({"limit_price": "96", "deadline": "2026-01-01T00:00:01Z"}, "EGeneral:Invalid arguments:deadline"),
    ({"limit_price": "96", "cl_ord_id": "also"}, "EGeneral:Invalid arguments:txid"),
]


@pytest.mark.parametrize(("change", "error"), REFUSALS, ids=str)
def test_refusals(ladder, change, error):
    """Each broken rule has its text and leaves the order as it was."""
    txid = ladder.order(price="95", volume="1")
    before = ladder.state(txid)
    assert error == ladder.error("AmendOrder", txid=txid, **change)
    assert before == ladder.state(txid)


def test_which_order(ladder):
    """An ended order is unknown, an id that was never given out is invalid, none at all is refused by field."""
    txid = ladder.order(price="95")
    ladder.ok("CancelOrder", txid=txid)
    assert "EOrder:Unknown order" == ladder.error("AmendOrder", txid=txid, order_qty="2")
    assert "EOrder:Unknown order" == ladder.error("AmendOrder", cl_ord_id="nobody", order_qty="2")
    assert "EOrder:Invalid order" == ladder.error("AmendOrder", txid="OAAAAA-BBBBB-CCCCCC", order_qty="2")
    assert "EGeneral:Invalid arguments:txid" == ladder.error("AmendOrder", order_qty="2")


def test_post_only_order_stays_one(ladder):
    """An order that may only make is refused a price at which it would take."""
    txid = ladder.order(price="95", oflags="post")
    assert "EOrder:Post only order" == ladder.error("AmendOrder", txid=txid, limit_price="101")
    assert amend(ladder, txid, limit_price="100.9")


def test_relative_limit_price(ladder):
    """A distance is measured from the last trade, as for a new order."""
    ladder.take("buy", "0.1")
    txid = ladder.order(price="95")
    amend(ladder, txid, limit_price="-3")
    assert "98.0" == ladder.state(txid)["descr"]["price"]


def test_deadline_that_passed(ladder):
    """An amend whose deadline passed before the engine came to it is not made."""
    txid = ladder.order(price="95")
    ladder.exchange.fault(_slow(3000), ladder.now)
    ticket = ladder.ticket("AmendOrder", {"txid": txid, "limit_price": "96", "deadline": "2026-01-01T00:00:02Z"})
    ladder.wait(3)
    assert b'{"error":["EService:Deadline elapsed"]}' == ticket.outcome.body
    assert "95.0" == ladder.state(txid)["descr"]["price"]


def _slow(ms):
    from execsvc.paper.mishap import Fault

    return Fault(kind="delay", when="before", call="AmendOrder", ms=ms)


def test_trigger_price(ladder):
    """The trigger of a waiting order can be moved, its hold goes along, and a trigger behind the market sets it off."""
    ladder.take("buy", "0.1")
    txid = ladder.order(ordertype="stop-loss", price="110", volume="1")
    assert "110.4400" == held(ladder)
    amend(ladder, txid, trigger_price="105")
    assert ("105.4200", "105.0") == (held(ladder), ladder.state(txid)["descr"]["price"])
    amend(ladder, txid, trigger_price="101")
    assert ("closed", "stopped,amended") == (ladder.state(txid)["status"], ladder.state(txid)["misc"])
    ladder.venue.engine.prove()


def test_trigger_of_what_has_none(ladder):
    """A trailing stop's trigger follows the market and cannot be set, nor can one that was set off."""
    ladder.take("buy", "0.1")
    trailing = ladder.order(type="sell", ordertype="trailing-stop", price="+10")
    fired = ladder.order(type="sell", ordertype="stop-loss-limit", price="105", price2="120")
    for txid in (trailing, fired):
        assert "EGeneral:Invalid arguments:trigger_price" == ladder.error("AmendOrder", txid=txid, trigger_price="90")
    assert amend(ladder, fired, limit_price="119")


def test_history(ladder):
    """OrderAmends lists the order as it was placed and each amend, in order, with what was left then."""
    txid = ladder.order(price="101", volume="1.5")
    ladder.wait(1)
    first = amend(ladder, txid, order_qty="3")
    ladder.wait(1)
    second = amend(ladder, txid, limit_price="100.5", post_only="true")
    result = ladder.ok("OrderAmends", order_id=txid)
    original, one, two = result["amends"]
    assert 3 == result["count"]
    assert {
        "amend_id": f"T{txid[1:]}",
        "amend_type": "original",
        "order_qty": "1.50000000",
        "remaining_qty": "1.50000000",
        "limit_price": "101.0",
        "timestamp": START,
    } == original
    assert {
        "amend_id": first,
        "amend_type": "user",
        "order_qty": "3.00000000",
        "remaining_qty": "2.00000000",
        "limit_price": "101.0",
        "timestamp": START + NS,
    } == one
    assert (second, "100.5", True) == (two["amend_id"], two["limit_price"], two["post_only"])


def test_history_of_nobody(ladder):
    """The history of an id never given out is an error."""
    assert "EOrder:Invalid order" == ladder.error("OrderAmends", order_id="OAAAAA-BBBBB-CCCCCC")
    assert "EGeneral:Invalid arguments:order_id" == ladder.error("OrderAmends")


def test_executions(ladder):
    """An amend is told with the whole order as it is now, and is no news to who wants no status."""
    socket, quiet = ladder.executions(), ladder.executions(order_status=False)
    txid = ladder.order(price="95", volume="1", userref="7")
    for each in (socket, quiet):
        each.frames()
    amend(ladder, txid, limit_price="96")
    ((row,),) = [frame["data"] for frame in socket.frames("executions")]
    assert ("amended", "new", 96.0, 1.0, True, 7) == (
        row["exec_type"],
        row["order_status"],
        row["limit_price"],
        row["order_qty"],
        row["amended"],
        row["order_userref"],
    )
    assert [] == quiet.frames("executions")


def level(bench):
    return bench.venue.quotas.pair_figures("XXBTZUSD", bench.now, open_orders=0)["level"]


def test_worked_example_of_the_counter():
    """Kraken's own example: add, amend after 7 s, cancel 36 s later costs 1 + (1 + 2) + 4, the age counted anew."""
    bench = Bench(pairs=("BTC/USD",), tier="pro", engine_decay_step_s=1e9)
    txid = bench.order(price="90000")
    bench.wait(7)
    amend(bench, txid, limit_price="90001")
    assert b"4" == bytes(level(bench))
    bench.wait(36)
    bench.ok("CancelOrder", txid=txid)
    assert b"8" == bytes(level(bench))


def test_cancel_after_an_amend():
    """The age of a cancel counts from the last amend, too."""
    bench = Bench(pairs=("BTC/USD",), engine_decay_step_s=1e9)
    txid = bench.order(price="90000")
    bench.wait(60)
    amend(bench, txid, limit_price="90001")
    bench.ok("CancelOrder", txid=txid)
    assert b"10" == bytes(level(bench))


def test_refused_amend_is_charged_its_fixed_part():
    """An amend that is refused for its arguments costs 1; one for nobody's order costs nothing."""
    bench = Bench(pairs=("BTC/USD",), engine_decay_step_s=1e9)
    txid = bench.order(price="90000")
    bench.error("AmendOrder", txid=txid, limit_price="0.05")
    assert b"2" == bytes(level(bench))
    bench.error("AmendOrder", cl_ord_id="nobody", limit_price="5")
    assert b"2" == bytes(level(bench))


def test_amends_too_fast():
    """An amend without room on the counter is refused and changes nothing."""
    bench = Bench(pairs=("BTC/USD",), tier="starter", engine_decay_step_s=1e9)
    txid = bench.order(price="90000")
    for place in range(14):
        amend(bench, txid, limit_price=f"{90001 + place}")
    assert "EOrder:Rate limit exceeded" == bench.error("AmendOrder", txid=txid, limit_price="80000")
    assert "90014.0" == bench.state(txid)["descr"]["price"]


def test_index_behind_shows_the_old_terms(ladder):
    """An index that lags shows an order as it stood before the amend."""
    from execsvc.paper.mishap import Fault

    txid = ladder.order(price="95")
    ladder.wait(10)
    ladder.exchange.fault(Fault(kind="index_lag", ms=2000), ladder.now)
    amend(ladder, txid, limit_price="96")
    ladder.wait(1)
    assert ("95.0", "") == (ladder.state(txid)["descr"]["price"], ladder.state(txid)["misc"])
    ladder.wait(1)
    assert ("96.0", "amended") == (ladder.state(txid)["descr"]["price"], ladder.state(txid)["misc"])
