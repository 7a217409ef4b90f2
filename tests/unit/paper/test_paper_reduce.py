"""Resting orders that may only reduce a position, when the position becomes smaller than they are."""

import pytest

from tests.unit.paper.paperbench import Bench


@pytest.fixture
def long():
    """A long position of 1 at 101, and a market that stands still."""
    bench = Bench(pairs=("BTC/USD",), funds={"USD": "10000"})
    bench.book(bids=[("100.0", "5")], asks=[("101.0", "5")])
    bench.take("buy", "0.1")
    bench.order(ordertype="market", volume="1", leverage="5")
    return bench


def resting(bench, volume, price="110", **params):
    return bench.order(type="sell", price=price, volume=volume, leverage="5", reduce_only="true", **params)


def close(bench, volume):
    return bench.order(type="sell", ordertype="market", volume=volume, leverage="5")


def test_it_is_made_smaller(long):
    """Closing part of the position elsewhere leaves the order what is left of it, in its place in the queue."""
    txid = resting(long, "0.8")
    close(long, "0.5")
    row = long.state(txid)
    assert ("open", "0.50000000", "amended") == (row["status"], row["vol"], row["misc"])
    asks = long.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"]
    assert ["110.00000", "0.500"] == asks[1][:2]
    (original, restated) = long.ok("OrderAmends", order_id=txid)["amends"]
    assert ("0.80000000", "restated", "0.50000000", "EOrder:Reduce only:Position is closed") == (
        original["order_qty"],
        restated["amend_type"],
        restated["order_qty"],
        restated["reason"],
    )


def test_it_comes_too_large(long):
    """One that comes larger than the position is made as large as that before it rests."""
    row = long.state(resting(long, "2.5"))
    assert ("open", "1.00000000", "amended") == (row["status"], row["vol"], row["misc"])
    asks = long.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"]
    assert ["110.00000", "1.000"] == asks[1][:2]


def test_close_of_a_margin_order(long):
    """What a fill on margin brings forth is on margin too, and closes what that opened."""
    close = {"close[ordertype]": "limit", "close[price]": "100"}
    long.order(ordertype="market", volume="0.5", leverage="5", **close)
    rows = list(long.ok("OpenPositions").values())
    assert ["0.50000000", "0.00000000"] == [row["vol_closed"] for row in rows]


def test_it_ends_with_the_position(long):
    """When the position is closed there is nothing left to reduce, and the order ends."""
    txid = resting(long, "0.8")
    close(long, "1")
    row = long.state(txid)
    assert ("canceled", "0.00000000", "EOrder:Reduce only:Position is closed") == (
        row["status"],
        row["vol_exec"],
        row["reason"],
    )


def test_one_sweep_through_two_of_them(long):
    """A stranger who sweeps two of them closes the position once and opens none on the other side."""
    first, second = resting(long, "1"), resting(long, "1", "111")
    long.take("buy", "9")
    assert ("closed", "canceled") == (long.state(first)["status"], long.state(second)["status"])
    assert [] == long.ok("OpenPositions")
    long.venue.engine.prove()


def test_hidden_part_goes_first(long):
    """Of an iceberg what is hidden goes first."""
    txid = resting(long, "1", ordertype="iceberg", displayvol="0.2")
    close(long, "0.7")
    asks = long.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"]
    assert ("0.30000000", ["110.00000", "0.200"]) == (long.state(txid)["vol"], asks[1][:2])


def test_it_is_told_as_restated(long):
    """The executions say restated, with the whole order and the reason."""
    socket = long.executions()
    txid = resting(long, "0.8")
    socket.frames()
    close(long, "0.5")
    rows = [row for frame in socket.frames("executions") for row in frame["data"] if row["order_id"] == txid]
    assert [("restated", "new", 0.5, True, True, "EOrder:Reduce only:Position is closed")] == [
        (row["exec_type"], row["order_status"], row["order_qty"], row["margin"], row["reduce_only"], row["reason"])
        for row in rows
    ]
