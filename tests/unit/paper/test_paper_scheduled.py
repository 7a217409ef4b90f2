"""Orders with a start: pending until then, paid for from the beginning."""

import pytest

from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import NS, START

USD = "ZUSD"


def held(bench):
    return bench.ok("BalanceEx")[USD]["hold_trade"]


def test_pending_until_its_time(ladder):
    """A scheduled order is pending, holds its funds, stands in no book, and begins at its instant."""
    txid = ladder.order(price="101", volume="1.5", starttm="+10")
    row = ladder.state(txid)
    assert ("pending", START / NS + 10, "0.00000000") == (row["status"], row["starttm"], row["vol_exec"])
    assert "152.1060" == held(ladder)
    ladder.wait(9.999)
    assert "pending" == ladder.state(txid)["status"]
    ladder.wait(0.001)
    row = ladder.state(txid)
    assert ("open", "1.00000000") == (row["status"], row["vol_exec"])
    ladder.venue.engine.prove()


@pytest.mark.parametrize("start", ["+10", str(START // NS + 10)])
def test_both_forms(ladder, start):
    """A start is a Unix time or seconds from now."""
    txid = ladder.order(price="95", starttm=start)
    assert START / NS + 10 == ladder.state(txid)["starttm"]


def test_market_order_by_the_book_of_then(ladder):
    """A scheduled market order trades with the book it finds; without the funds for that it ends."""
    txid = ladder.order(ordertype="market", volume="1", starttm="+10")
    ladder.book(bids=[("99.0", "9")], asks=[("150.0", "9")])
    rich = ladder.order(ordertype="market", volume="1", starttm="+20")
    ladder.wait(10)
    assert ("closed", "150.00000") == (ladder.state(txid)["status"], ladder.state(txid)["price"])
    ladder.book(bids=[("99.0", "9")], asks=[("999999.0", "9")])
    ladder.wait(10)
    row = ladder.state(rich)
    assert ("canceled", "Insufficient funds") == (row["status"], row["reason"])
    assert "0.0000" == held(ladder)


def test_post_only_at_its_start(ladder):
    """Post-only is judged when the order begins, not when it comes."""
    txid = ladder.order(price="101", oflags="post", starttm="+10")
    ladder.wait(10)
    assert ("canceled", "Post only order") == (ladder.state(txid)["status"], ladder.state(txid)["reason"])


def test_trigger_waits_for_the_start(ladder):
    """A scheduled stop is blind until it begins; then it watches from there."""
    ladder.take("buy", "0.1")
    txid = ladder.order(type="sell", ordertype="stop-loss", price="99.5", volume="0.5", starttm="+10")
    ladder.take("sell", "1.5")
    assert "pending" == ladder.state(txid)["status"]
    ladder.take("buy", "0.1")
    ladder.wait(10)
    assert "open" == ladder.state(txid)["status"]
    ladder.take("sell", "0.1")
    assert "closed" == ladder.state(txid)["status"]


def test_canceled_before_its_start(ladder):
    """Cancelled while pending, it never begins."""
    txid = ladder.order(price="101", starttm="+10")
    ladder.ok("CancelOrder", txid=txid)
    ladder.wait(11)
    assert ("canceled", "0.00000000") == (ladder.state(txid)["status"], ladder.state(txid)["vol_exec"])


def test_amended_before_its_start(ladder):
    """A pending order can be amended: what it holds goes along, and it begins with the new terms."""
    txid = ladder.order(price="101", volume="0.5", starttm="+10")
    ladder.ok("AmendOrder", txid=txid, limit_price="95")
    assert "47.6900" == held(ladder)
    ladder.wait(10)
    assert ("open", "95.0") == (ladder.state(txid)["status"], ladder.state(txid)["descr"]["price"])


def test_good_till_a_date_after_its_start(ladder):
    """Start and end go together."""
    txid = ladder.order(price="95", starttm="+10", timeinforce="GTD", expiretm="+20")
    ladder.wait(10)
    assert "open" == ladder.state(txid)["status"]
    ladder.wait(10)
    assert "expired" == ladder.state(txid)["status"]


def test_clock_put_forward(ladder):
    """An order begins when the exchange's clock says so, also when that is put forward."""
    txid = ladder.order(price="101", starttm="+60")
    ladder.wait(1)
    ladder.exchange.fault(Fault(kind="clock_skew", ms=60_000), ladder.now)
    ladder.wait(0.001)
    assert "closed" == ladder.state(txid)["status"]


def test_clock_put_back(ladder):
    """When the clock is put back meanwhile, the start comes later, once."""
    txid = ladder.order(price="101", starttm="+10")
    ladder.exchange.fault(Fault(kind="clock_skew", ms=-5_000), ladder.now)
    ladder.wait(10)
    assert "pending" == ladder.state(txid)["status"]
    ladder.wait(5)
    assert "closed" == ladder.state(txid)["status"]


def test_executions(ladder):
    """The whole order is told when it comes, new when it begins."""
    socket = ladder.executions()
    socket.frames()
    ladder.order(price="95", starttm="+10")
    (frame,) = socket.frames("executions")
    assert ("pending_new", "2026-01-01T00:00:10.000000Z") == (
        frame["data"][0]["exec_type"],
        frame["data"][0]["effective_time"],
    )
    assert ["pending_new"] == [
        row["order_status"] for frame in ladder.executions().frames("executions") for row in frame["data"]
    ]
    ladder.wait(10)
    (frame,) = socket.frames("executions")
    assert "new" == frame["data"][0]["exec_type"]
