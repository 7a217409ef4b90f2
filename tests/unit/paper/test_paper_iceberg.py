"""Iceberg orders: what shows, what refills, and where a refill queues."""

import pytest

from tests.unit.paper.paperbench import Bench


@pytest.fixture
def berg(ladder):
    """A sell of 1.5 at 100.5 that shows 0.2."""
    txid = ladder.order(type="sell", ordertype="iceberg", price="100.5", volume="1.5", displayvol="0.2")
    return ladder, txid


def top(bench):
    price, volume, _ = bench.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"][0]
    return price, volume


def test_only_the_display_shows(berg):
    """The book shows the display, the order and the account know all of it."""
    bench, txid = berg
    assert ("100.50000", "0.200") == top(bench)
    row = bench.state(txid)
    assert ("1.50000000", "0.20000000", "iceberg", "sell 1.50000000 XBTUSD @ limit 100.5") == (
        row["vol"],
        row["displayvol"],
        row["descr"]["ordertype"],
        row["descr"]["order"],
    )
    assert "1.5000000000" == bench.ok("BalanceEx")["XXBT"]["hold_trade"]


def test_refills_until_nothing_is_left(berg):
    """One taker eats through as many refills as he wants, at one price; the last part shows what is left."""
    bench, txid = berg
    bench.take("buy", "1.35")
    assert ("100.50000", "0.050") == top(bench)
    assert "1.35000000" == bench.state(txid)["vol_exec"]
    bench.take("buy", "1")
    assert "closed" == bench.state(txid)["status"]
    assert ("101.00000", "0.150") == top(bench)
    bench.venue.engine.prove()


def test_refill_joins_the_end_of_the_queue(berg):
    """Who stood behind what was shown comes before what was hidden."""
    bench, txid = berg
    bench.venue.engine.house_quote(bench.venue.listing("XBTUSD"), "sell", 1005, 30_000_000, bench.now)
    bench.take("buy", "0.5")
    assert "0.20000000" == bench.state(txid)["vol_exec"]
    assert ("100.50000", "0.200") == top(bench)
    bench.take("buy", "0.1")
    assert "0.30000000" == bench.state(txid)["vol_exec"]


def test_it_takes_with_all_of_it(ladder):
    """An iceberg that crosses takes with its whole volume; only what rests is hidden."""
    txid = ladder.order(type="sell", ordertype="iceberg", price="99", volume="2", displayvol="0.5")
    assert "2.00000000" == ladder.state(txid)["vol_exec"]


def test_cancel_takes_the_hidden_part_too(berg):
    """Cancelled, it leaves nothing in the book."""
    bench, txid = berg
    bench.ok("CancelOrder", txid=txid)
    assert ("101.00000", "1.000") == top(bench)
    assert "0.0000000000" == bench.ok("BalanceEx")["XXBT"]["hold_trade"]


def test_amending_volume_and_display(berg):
    """A smaller volume comes off the hidden part; a new display shows at once."""
    bench, txid = berg
    bench.ok("AmendOrder", txid=txid, order_qty="0.3")
    assert ("100.50000", "0.200") == top(bench)
    bench.ok("AmendOrder", txid=txid, order_qty="0.1", display_qty="0.1")
    assert ("100.50000", "0.100") == top(bench)
    bench.ok("AmendOrder", txid=txid, order_qty="1.5")
    assert "EGeneral:Invalid arguments:display_qty" == bench.error("AmendOrder", txid=txid, display_qty="0.09999999")
    bench.ok("AmendOrder", txid=txid, display_qty="0.3")
    assert ("100.50000", "0.300") == top(bench)
    bench.take("buy", "1.5")
    assert "closed" == bench.state(txid)["status"]
    bench.venue.engine.prove()


def test_a_ladder_in_the_way_fills_all_of_it(berg):
    """A market moved through an iceberg fills it whole, hidden part included: the book never stands crossed."""
    bench, txid = berg
    bench.book(bids=[("110.0", "1")], asks=[("111.0", "1")])
    assert "closed" == bench.state(txid)["status"]


def test_makers_keep_clear_of_a_large_order():
    """An order larger than the makers want to trade stays in front of them: the book never stands crossed."""
    bench = Bench(frozen=False, pairs=("BTC/USD",), funds={"USD": "50000000"}, tier="unlimited")
    book = bench.venue.listing("XBTUSD").book
    bench.order(price="+1%", volume="300", ordertype="iceberg", displayvol="20")
    for _ in range(50):
        assert book.bids.best() < book.asks.best()
        bench.wait(0.2)


def test_executions(berg):
    """A refill is told with what shows again, after the fill that emptied the display."""
    bench, txid = berg
    socket = bench.executions()
    (snapshot,) = [frame["data"] for frame in socket.frames("executions")]
    assert (0.2, 0.2) == (snapshot[0]["display_qty"], snapshot[0]["display_qty_remain"])
    bench.take("buy", "0.2")
    rows = [row for frame in socket.frames("executions") for row in frame["data"]]
    assert ["trade", "iceberg_refill"] == [row["exec_type"] for row in rows]
    assert (txid, "partially_filled", 0.2) == (
        rows[1]["order_id"],
        rows[1]["order_status"],
        rows[1]["display_qty_remain"],
    )
