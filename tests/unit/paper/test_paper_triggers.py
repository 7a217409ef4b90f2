"""Stop-loss, take-profit and trailing orders: what sets them off, what they hold, and what is told of them."""

import pytest

from tests.unit.paper.paperbench import Bench

USD, BTC = "ZUSD", "XXBT"


@pytest.fixture
def market(bench):
    """Five levels of one on either side of 100 and 101, and a last trade at 101."""
    bench.book(
        bids=[(f"{100 - place}.0", "1") for place in range(5)],
        asks=[(f"{101 + place}.0", "1") for place in range(5)],
    )
    bench.take("buy", "0.1")
    return bench


def held(bench, asset):
    return bench.ok("BalanceEx")[asset]["hold_trade"]


def trade_at(bench, price):
    """Let strangers trade at just this price, then put the book back as it was."""
    bench.book(bids=[(str(price), "9")], asks=[(str(price + 50), "9")])
    bench.take("sell", "0.1", str(price))


@pytest.mark.parametrize(
    ("kind", "side", "stop", "short_of", "beyond"),
    [
        ("stop-loss", "sell", "90", 91, 90),
        ("stop-loss", "buy", "110", 109, 110),
        ("take-profit", "sell", "110", 109, 110),
        ("take-profit", "buy", "90", 91, 90),
    ],
)
def test_trigger_direction(market, kind, side, stop, short_of, beyond):
    """A stop-loss waits for a move against the order, a take-profit for one in its favour, to the very price."""
    txid = market.order(type=side, ordertype=kind, price=stop, volume="0.5")
    trade_at(market, short_of)
    assert ("open", "0.00000000") == (market.state(txid)["status"], market.state(txid)["vol_exec"])
    trade_at(market, beyond)
    row = market.state(txid)
    word = "touched" if kind == "take-profit" else "stopped"
    assert ("closed", "0.50000000", word, f"{stop}.00000") == (
        row["status"],
        row["vol_exec"],
        row["misc"],
        row["stopprice"],
    )
    market.venue.engine.prove()


def test_waiting_order_is_not_in_the_book(market):
    """An order that waits for its trigger is open, shows no stop price yet, and stands in no book."""
    before = market.public("Depth", pair="XBTUSD")["result"]
    txid = market.order(type="sell", ordertype="stop-loss-limit", price="90", price2="89")
    row = market.state(txid)
    assert ("open", "0.00000", "0.00000", "") == (row["status"], row["stopprice"], row["limitprice"], row["misc"])
    assert before == market.public("Depth", pair="XBTUSD")["result"]


def test_descriptions(market):
    """Price and price2 are the trigger and the limit; the text says it as Kraken does."""
    row = market.state(market.order(type="sell", ordertype="stop-loss-limit", price="90", price2="89", trigger="index"))
    assert ("90.0", "89.0", "sell 0.10000000 XBTUSD @ stop loss 90.0 -> limit 89.0", "index") == (
        row["descr"]["price"],
        row["descr"]["price2"],
        row["descr"]["order"],
        row["trigger"],
    )
    row = market.state(market.order(type="sell", ordertype="trailing-stop", price="+50%"))
    assert ("+50.0000%", "sell 0.10000000 XBTUSD @ trailing stop +50.0000%") == (
        row["descr"]["price"],
        row["descr"]["order"],
    )
    row = market.state(market.order(ordertype="take-profit", price="55"))
    assert "buy 0.10000000 XBTUSD @ take profit 55.0" == row["descr"]["order"]


@pytest.mark.parametrize(("price", "stop"), [("-5", "96.0"), ("+5", "106.0"), ("#5", "96.0"), ("-10%", "90.9")])
def test_relative_trigger_prices(market, price, stop):
    """A trigger given as a distance is measured from the last trade when the order comes; # finds the side itself."""
    row = market.state(market.order(type="sell", ordertype="stop-loss", price=price))
    assert stop == row["descr"]["price"]


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "limit"),
    [
        ("sell", "stop-loss-limit", "96.0", "100.0"),
        ("buy", "stop-loss-limit", "106.0", "102.0"),
        ("sell", "take-profit-limit", "106.0", "100.0"),
        ("buy", "take-profit-limit", "96.0", "102.0"),
    ],
)
def test_signs_that_are_found(market, side, kind, trigger, limit):
    """# puts a trigger where it waits, and the limit behind it where it will be met: above for a buy, below for a sell."""
    row = market.state(market.order(type=side, ordertype=kind, price="#5", price2="#1"))
    assert (trigger, limit) == (row["descr"]["price"], row["descr"]["price2"])


def test_funds_are_held_at_acceptance(market):
    """A waiting buy holds what its trigger or limit price would cost with the fee, a sell its volume."""
    market.order(ordertype="stop-loss", price="110", volume="1")
    assert "110.4400" == held(market, USD)
    market.order(ordertype="stop-loss-limit", price="110", price2="120", volume="1")
    assert "230.9200" == held(market, USD)
    market.order(type="sell", ordertype="take-profit", price="120", volume="0.7")
    assert "0.7000000000" == held(market, BTC)
    market.venue.engine.prove()


def test_without_funds_it_is_not_taken(market):
    """A triggered order that cannot be held for is refused when it comes, not when it triggers."""
    assert "EOrder:Insufficient funds" == market.refuse(
        type="sell", ordertype="stop-loss", price="90", volume="2.00000001"
    )


def test_stop_that_costs_more_than_there_is(bench):
    """A market order that its trigger sets off into a dearer book than it held for ends without funds."""
    bench.book(bids=[("90.0", "9")], asks=[("95.0", "1"), ("100.0", "1"), ("90000.0", "9")])
    bench.take("buy", "1")
    txid = bench.order(ordertype="stop-loss", price="100", volume="2.5")
    assert "251.0000" == held(bench, USD)
    bench.take("buy", "0.1")
    row = bench.state(txid)
    assert ("canceled", "Insufficient funds", "0.00000000") == (row["status"], row["reason"], row["vol_exec"])
    assert "0.0000" == held(bench, USD)


def test_limit_after_the_trigger_rests(market):
    """A stop-loss-limit becomes a limit order: what it cannot get at once rests at its limit price."""
    txid = market.order(type="sell", ordertype="stop-loss-limit", price="90", price2="95", volume="0.5")
    trade_at(market, 90)
    row = market.state(txid)
    assert ("open", "stopped", "90.00000", "95.00000") == (
        row["status"],
        row["misc"],
        row["stopprice"],
        row["limitprice"],
    )
    asks = market.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]["asks"]
    assert ("95.00000", "0.500") == tuple(asks[0][:2])


def test_trigger_already_beyond(market):
    """An order whose trigger lies behind the market is set off at once."""
    row = market.state(market.order(type="sell", ordertype="stop-loss", price="105", volume="0.5"))
    assert ("closed", "stopped") == (row["status"], row["misc"])


def test_own_trade_sets_off_own_stop(market):
    """The trader's own trade moves the last price like anybody's, within the same call."""
    txid = market.order(ordertype="stop-loss", price="103", volume="0.5")
    market.order(ordertype="market", volume="2.5")
    assert "closed" == market.state(txid)["status"]
    market.venue.engine.prove()


def test_cascade(market):
    """A triggered order's trades can set off the next one, in the order of the prices."""
    stops = [market.order(type="sell", ordertype="stop-loss", price=str(price), volume="0.6") for price in (99, 98)]
    market.take("sell", "1.5")
    assert ["closed", "closed"] == [market.state(txid)["status"] for txid in stops]
    market.venue.engine.prove()


def test_trailing_stop_follows_the_peak(market):
    """A trailing sell keeps its distance from the highest trade since it came, and never goes back."""
    txid = market.order(type="sell", ordertype="trailing-stop", price="+10", volume="0.5")
    seen = []
    for price in (120, 115, 111):
        trade_at(market, price)
        seen.append(market.state(txid)["stopprice"])
    assert ["110.00000", "110.00000", "110.00000"] == seen
    assert "open" == market.state(txid)["status"]
    trade_at(market, 110)
    assert ("closed", "stopped") == (market.state(txid)["status"], market.state(txid)["misc"])


def test_trailing_buy_follows_the_trough(market):
    """A trailing buy keeps its distance, here a share, from the lowest trade, and holds what it could cost at most."""
    txid = market.order(ordertype="trailing-stop", price="+10%", volume="0.5")
    assert "111.10000" == market.state(txid)["stopprice"]
    assert "55.7722" == held(market, USD)
    trade_at(market, 80)
    assert "88.00000" == market.state(txid)["stopprice"]
    market.book(bids=[("80.0", "9")], asks=[("88.0", "9")])
    market.take("buy", "0.1")
    assert ("closed", "88.00000") == (market.state(txid)["status"], market.state(txid)["price"])
    market.venue.engine.prove()


def test_trailing_stop_limit(market):
    """Its limit price is measured from the stop where it stood when it was set off."""
    txid = market.order(type="sell", ordertype="trailing-stop-limit", price="+10", price2="+2", volume="0.5")
    trade_at(market, 130)
    trade_at(market, 120)
    row = market.state(txid)
    assert ("open", "120.00000", "122.00000") == (row["status"], row["stopprice"], row["limitprice"])
    assert "sell 0.50000000 XBTUSD @ trailing stop +10.0 -> limit +2.0" == row["descr"]["order"]
    market.venue.engine.prove()


def test_index_trigger_ignores_the_last_trade(market):
    """An order that looks at the index is not set off by a trade, but by the middle of the book."""
    txid = market.order(type="sell", ordertype="stop-loss", price="90", trigger="index", volume="0.5")
    market.book(bids=[("80.0", "9")], asks=[("120.0", "9")])
    market.take("sell", "0.1")
    assert "open" == market.state(txid)["status"]
    market.book(bids=[("80.0", "9")], asks=[("99.9", "9")])
    assert "closed" == market.state(txid)["status"]


def test_index_falls_back_to_the_last_trade(market):
    """Without one side of the book there is no index: the last trade stands in for it."""
    txid = market.order(type="sell", ordertype="stop-loss", price="90", trigger="index", volume="0.5")
    market.book(bids=[("89.0", "9")], asks=[])
    assert "open" == market.state(txid)["status"]
    market.take("sell", "0.1")
    assert "closed" == market.state(txid)["status"]


def test_post_only_after_the_trigger(market):
    """A triggered limit order that may only make is canceled when it would take."""
    txid = market.order(type="sell", ordertype="stop-loss-limit", price="90", price2="80", oflags="post")
    trade_at(market, 90)
    row = market.state(txid)
    assert ("canceled", "Post only order", "stopped") == (row["status"], row["reason"], row["misc"])


def test_fok_after_the_trigger(market):
    """FOK is judged by the book at the trigger."""
    txid = market.order(
        type="sell", ordertype="stop-loss-limit", price="90", price2="90", volume="0.5", timeinforce="FOK"
    )
    trade_at(market, 90)
    assert ("closed", "0.50000000") == (market.state(txid)["status"], market.state(txid)["vol_exec"])


def test_waiting_order_expires(market):
    """A waiting order may be good till a date, and ends then."""
    txid = market.order(type="sell", ordertype="stop-loss", price="90", timeinforce="GTD", expiretm="+10")
    market.wait(10)
    assert "expired" == market.state(txid)["status"]
    trade_at(market, 90)
    assert "0.00000000" == market.state(txid)["vol_exec"]


def test_canceled_order_does_not_trigger(market):
    """A waiting order that was canceled gives back what it held and does not trigger any more."""
    txid = market.order(type="sell", ordertype="stop-loss", price="90")
    assert {"count": 1} == market.ok("CancelOrder", txid=txid)
    assert {} == market.venue.engine._watching["XXBTZUSD"]
    trade_at(market, 90)
    assert ("canceled", "0.00000000") == (market.state(txid)["status"], market.state(txid)["vol_exec"])
    assert "0.0000000000" == held(market, BTC)


@pytest.mark.parametrize("reference", ["last", "index"])
def test_the_market_sets_orders_off_by_itself(reference):
    """In a market that moves, a trailing stop close behind it is set off by others, whichever price it looks at."""
    bench = Bench(frozen=False, pairs=("BTC/USD",))
    txid = bench.order(type="sell", ordertype="trailing-stop", price="+0.001%", trigger=reference)
    bench.wait(60)
    assert ("closed", "stopped") == (bench.state(txid)["status"], bench.state(txid)["misc"])
    bench.venue.engine.prove()


def rows(socket):
    return [row for frame in socket.frames("executions") for row in frame["data"]]


def test_executions_of_a_trigger(market):
    """Accepted untriggered, told as a status when it is set off, then traded like any order."""
    socket = market.executions()
    socket.frames()
    market.order(type="sell", ordertype="stop-loss", price="90", volume="0.5")
    first, new = rows(socket)
    assert {
        "reference": "last",
        "price": 90.0,
        "price_type": "static",
        "status": "untriggered",
    } == first["triggers"]
    assert ("pending_new", "new") == (first["exec_type"], new["exec_type"])
    trade_at(market, 90)
    told = rows(socket)
    assert ["status", "trade", "filled"] == [row["exec_type"] for row in told]
    assert ("triggered", 90.0, 90.0) == (
        told[0]["triggers"]["status"],
        told[0]["triggers"]["actual_price"],
        told[0]["triggers"]["last_price"],
    )
    assert "2026-01-01T00:00:00.000000Z" == told[0]["triggers"]["timestamp"]


def test_executions_of_a_trailing_stop(market):
    """Where it stands is told at once, and each move with its peak; a distance is told as one."""
    socket = market.executions()
    socket.frames()
    market.order(type="sell", ordertype="trailing-stop-limit", price="+10%", price2="-1", volume="0.5")
    first = rows(socket)[0]
    assert (10, "pct", -1, "quote") == (
        first["triggers"]["price"],
        first["triggers"]["price_type"],
        first["limit_price"],
        first["limit_price_type"],
    )
    assert (90.9, 101.0) == (first["triggers"]["actual_price"], first["triggers"]["peak_price"])
    trade_at(market, 120)
    (moved,) = rows(socket)
    assert ("status", "new", 108.0, 120.0) == (
        moved["exec_type"],
        moved["order_status"],
        moved["triggers"]["actual_price"],
        moved["triggers"]["peak_price"],
    )
    trade_at(market, 119)
    assert [] == rows(socket)


def test_a_scheduled_trailing_stop_tells_where_it_begins(market):
    """It knows no price before its start; then it says where it stands."""
    socket = market.executions()
    socket.frames()
    market.order(type="sell", ordertype="trailing-stop", price="+10", volume="0.5", starttm="+10")
    (first,) = rows(socket)
    assert "actual_price" not in first["triggers"]
    trade_at(market, 120)
    market.wait(10)
    assert [("new", None), ("status", 110.0)] == [
        (row["exec_type"], row.get("triggers", {}).get("actual_price")) for row in rows(socket)
    ]


def test_snapshot_has_the_trigger(market):
    """Who subscribes later sees a waiting order with its trigger as it stands."""
    market.order(type="sell", ordertype="trailing-stop", price="+10", volume="0.5")
    trade_at(market, 120)
    (row,) = rows(market.executions())
    assert ("new", 110.0, 120.0) == (
        row["order_status"],
        row["triggers"]["actual_price"],
        row["triggers"]["peak_price"],
    )
