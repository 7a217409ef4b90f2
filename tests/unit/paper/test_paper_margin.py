"""Trading on margin: what opens, extends and closes a position, what it costs, and what is refused."""

from decimal import Decimal

import pytest

from tests.unit.paper.paperbench import NS, START, Bench, kinds, vector

HOUR = 3_600


@pytest.fixture
def margin():
    """BTC/USD at 10,000, with as much as anyone wants on either side, and nothing but dollars to secure it."""
    bench = Bench(pairs=("BTC/USD",), funds={"USD": "10000"})
    price(bench, "10000.0")
    return bench


def price(bench, bid):
    """Put the market there: the bid, the ask a tick above, and the last trade at the bid."""
    ask = str(Decimal(bid) + Decimal("0.1"))
    bench.book(bids=[(bid, "500")], asks=[(ask, "500")])
    bench.take("sell", "0.01")


def go(bench, side="buy", volume="1", leverage="5", **params):
    """Place a market order on margin; returns its row once it is done."""
    return bench.state(bench.order(ordertype="market", type=side, volume=volume, leverage=leverage, **params))


def positions(bench, **params):
    return bench.ok("OpenPositions", **params)


def test_opening_moves_only_fees(margin):
    """A position moves neither base nor dollars: the trading fee is paid, and borrowing."""
    row = go(margin)
    assert ("closed", "10000.10000", "40.00040") == (row["status"], row["cost"], row["fee"])
    borrowed = Decimal("1.5000")  # 0.015 % of the cost
    assert Decimal(10000) - Decimal("40.0004") - borrowed == Decimal(margin.ok("Balance")["ZUSD"])
    assert "XXBT" not in margin.ok("Balance")
    margin.venue.engine.prove()


def test_position_in_the_samples_shape(margin):
    """An open position has the names and types of the sample, with value and net when asked for."""
    row = go(margin)
    (position,) = positions(margin, docalcs="true").values()
    sample = next(iter(vector("rest_OpenPositions.json")["result"].values()))
    assert kinds(sample) == kinds(position)
    expected = {
        "ordertxid": next(iter(margin.ok("ClosedOrders")["closed"])),
        "pair": "XXBTZUSD",
        "type": "buy",
        "cost": "10000.10000",
        "fee": row["fee"],
        "vol": "1.00000000",
        "vol_closed": "0.00000000",
        "margin": "2000.02000",
        "net": "+0.0000",
        "terms": "0.0150% per 4 hours",
        "rollovertm": str(START // NS + 4 * HOUR),
    }
    assert expected == {name: position[name] for name in expected}
    assert {"value", "net"}.isdisjoint(next(iter(positions(margin).values())))


def test_no_position_is_an_empty_list(bench):
    """Without a position the answer is a list, as Kraken's is."""
    assert vector("rest_OpenPositions_empty.json")["result"] == positions(bench) == []


def test_each_fill_opens_a_position_of_its_own(margin):
    """An order that fills in two parts opens two positions; consolidated they are one row of the market."""
    margin.book(bids=[("9999.0", "1")], asks=[("10000.0", "0.4"), ("10001.0", "5")])
    go(margin)
    assert ["0.40000000", "0.60000000"] == [row["vol"] for row in positions(margin).values()]
    (row,) = positions(margin, consolidation="market")
    assert ("XXBTZUSD", "2", "buy", "1.00000000") == tuple(row[name] for name in ("pair", "positions", "type", "vol"))


def test_the_other_side_closes_first_opened_first(margin):
    """An order the other way closes the oldest position first and books what that brought."""
    go(margin, volume="0.5")
    price(margin, "11000.0")
    go(margin, volume="0.5")
    price(margin, "12000.0")
    go(margin, "sell", volume="0.7")
    rows = list(positions(margin).values())
    assert [("0.50000000", "0.20000000")] == [(row["vol"], row["vol_closed"]) for row in rows]
    entry = next(e for e in margin.ok("Ledgers", type="margin")["ledger"].values() if Decimal(e["amount"]))
    brought = Decimal("0.7") * 12_000 - Decimal("0.5") * Decimal("10000.1") - Decimal("0.2") * Decimal("11000.1")
    assert brought == Decimal(entry["amount"])
    margin.venue.engine.prove()


def test_short(margin):
    """A short position gains when the price falls; closing it brings the difference."""
    go(margin, "sell")
    price(margin, "9000.0")
    (row,) = positions(margin, docalcs="true").values()
    assert ("sell", "+1000.0000", "0.0100% per 4 hours") == (row["type"], row["net"], row["terms"])
    go(margin, "buy")
    amounts = [Decimal(row["amount"]) for row in margin.ok("Ledgers", type="margin")["ledger"].values()]
    assert [Decimal("999.9"), Decimal(0)] == amounts
    assert [] == positions(margin)


def test_volume_zero_closes_all_there_is(margin):
    """A volume of 0 stands for the whole position of the other side."""
    go(margin, volume="0.3")
    go(margin, volume="0.4")
    assert "0.70000000" == go(margin, "sell", volume="0")["vol_exec"]
    assert [] == positions(margin)


def test_limit_order_opens_when_it_fills(margin):
    """A limit order on margin holds no funds, and opens its position when somebody meets it."""
    txid = margin.order(price="9990.0", volume="1", leverage="2")
    row = margin.state(txid)
    assert ("2:1", "buy 1.00000000 XBTUSD @ limit 9990.0 with 2:1 leverage") == (
        row["descr"]["leverage"],
        row["descr"]["order"],
    )
    assert "0.0000" == margin.ok("BalanceEx")["ZUSD"]["hold_trade"]
    margin.book(bids=[("9980.0", "1")], asks=[("10000.1", "1")])
    margin.take("sell", "1")
    assert ["4995.00000"] == [row["margin"] for row in positions(margin).values()]


def test_rollover_every_four_hours(margin):
    """Borrowing is charged at once and every four hours on what is still open, until the position is closed."""
    go(margin, volume="1")
    margin.wait(4 * HOUR + 1)
    go(margin, "sell", volume="0.5")
    margin.wait(4 * HOUR)
    go(margin, "sell", volume="0")
    margin.wait(8 * HOUR)
    fees = [row["fee"] for row in margin.ok("Ledgers", type="rollover")["ledger"].values()]
    assert ["0.7500", "1.5000", "1.5000"] == fees


def test_rollover_names_its_position(margin):
    """A rollover's entry refers to the position, which tells when the next one is due."""
    go(margin)
    margin.wait(4 * HOUR)
    ((name, row),) = positions(margin).items()
    assert {name} == {entry["refid"] for entry in margin.ok("Ledgers", type="rollover")["ledger"].values()}
    assert str(START // NS + 8 * HOUR) == row["rollovertm"]


def test_settling_a_long_takes_the_goods(margin):
    """A long position is settled by paying what it cost and taking the base."""
    go(margin, volume="0.5")
    before = Decimal(margin.ok("Balance")["ZUSD"])
    row = margin.state(margin.order(ordertype="settle-position", type="sell", volume="0", leverage="5"))
    assert ("closed", "0.50000000", "5000.05000") == (row["status"], row["vol_exec"], row["cost"])
    balances = margin.ok("Balance")
    assert before - Decimal("5000.05") == Decimal(balances["ZUSD"])
    assert "0.5000000000" == balances["XXBT"]
    assert ["settled", "settled"] == [row["type"] for row in margin.ok("Ledgers", type="settled")["ledger"].values()]
    assert [] == positions(margin)
    margin.venue.engine.prove()


def test_settling_needs_the_funds(margin):
    """Who cannot pay for the position cannot settle it; nothing changes then."""
    go(margin, volume="1")
    error = margin.refuse(ordertype="settle-position", type="sell", volume="0", leverage="5")
    assert "EOrder:Insufficient funds" == error
    assert 1 == len(positions(margin))
    assert {} == margin.ok("OpenOrders")["open"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"leverage": "7:2"}, "EGeneral:Invalid arguments:leverage"),
        ({"leverage": "11"}, "EGeneral:Invalid arguments:leverage"),
        ({"oflags": "fcib"}, "EGeneral:Invalid arguments:oflags"),
        ({"volume": "6"}, "EOrder:Insufficient initial margin"),
        ({"volume": "400"}, "EOrder:Margin position size exceeded"),
        ({"volume": "51"}, "EOrder:Margin allowance exceeded"),
        ({"volume": "0"}, "EOrder:Unknown position"),
        ({"ordertype": "settle-position", "volume": "0"}, "EOrder:Unknown position"),
        ({"reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
        ({"reduce_only": "true", "leverage": "none"}, "EOrder:Reduce only:Non-PC"),
    ],
    ids=str,
)
def test_refusals_without_a_position(margin, params, error):
    """What cannot be opened, closed or settled is refused in Kraken's words."""
    assert error == margin.refuse(**({"ordertype": "market", "volume": "1", "leverage": "5"} | params))


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"type": "sell", "volume": "1.1"}, "EOrder:Cannot open opposing position"),
        ({"type": "buy", "reduce_only": "true"}, "EOrder:Reduce only:No position exists"),
        ({"type": "sell", "ordertype": "settle-position", "volume": "1.1"}, "EOrder:Unknown position"),
        ({"type": "buy", "volume": "4"}, "EOrder:Insufficient initial margin"),
    ],
    ids=str,
)
def test_refusals_with_a_position(margin, params, error):
    """With one bitcoin long, no more than that is sold on margin, and no more bought than is secured."""
    go(margin)
    assert error == margin.refuse(**({"ordertype": "market", "volume": "1", "leverage": "5"} | params))


def test_open_orders_are_secured_too(margin):
    """Orders that would open positions take their share of the free margin before they fill."""
    margin.order(price="9000.0", volume="5", leverage="5")
    error = margin.refuse(ordertype="market", volume="1", leverage="5")
    assert "EOrder:Insufficient initial margin" == error


def test_amend_is_secured_too(margin):
    """An amended order is secured anew: what it had pledged is free for it, and no more than that."""
    txid = margin.order(price="9000.0", volume="4", leverage="5")
    margin.ok("AmendOrder", txid=txid, order_qty="5")
    assert "EOrder:Insufficient initial margin" == margin.error("AmendOrder", txid=txid, order_qty="6")
    assert "5.00000000" == margin.state(txid)["vol"]


def test_amend_secures_what_is_left(margin):
    """Of a partly filled order only the rest needs margin: what is filled has its own already."""
    margin.book(bids=[], asks=[("10000.0", "9")])
    txid = margin.order(price="9000.0", volume="4", leverage="5")
    margin.take("sell", "2")
    margin.ok("AmendOrder", txid=txid, order_qty="5")
    assert ("5.00000000", "2.00000000") == tuple(margin.state(txid)[name] for name in ("vol", "vol_exec"))


def test_edit_is_secured_by_what_it_replaces(margin):
    """An edited order may use what the order it replaces had pledged."""
    txid = margin.order(price="9000.0", volume="5", leverage="5")
    edited = margin.ok("EditOrder", pair="XBTUSD", txid=txid, price="9001.0", volume="5")["txid"]
    assert ("canceled", "open") == (margin.state(txid)["status"], margin.state(edited)["status"])


def test_closing_order_is_not_amended_past_the_position(margin):
    """An order that closes a position cannot be made larger than it."""
    go(margin, volume="0.5")
    txid = margin.order(type="sell", price="11000.0", volume="0.4", leverage="5")
    margin.ok("AmendOrder", txid=txid, order_qty="0.5")
    assert "EOrder:Cannot open opposing position" == margin.error("AmendOrder", txid=txid, order_qty="0.6")


def test_reduce_only_never_turns_a_position(margin):
    """A reduce-only order larger than the position closes it and is canceled with the rest."""
    go(margin, volume="0.5")
    row = go(margin, "sell", volume="2", reduce_only="true")
    assert ("canceled", "0.50000000", "EOrder:Reduce only:Position is closed") == (
        row["status"],
        row["vol_exec"],
        row["reason"],
    )
    assert [] == positions(margin)


def test_trade_balance(margin):
    """TradeBalance adds up: equity is collateral and gain, free margin what is left of it, the level their ratio."""
    go(margin)
    price(margin, "10100.0")
    row = {name: Decimal(text) for name, text in margin.ok("TradeBalance").items()}
    assert (Decimal("2000.02"), Decimal("99.9"), Decimal("10000.1"), Decimal(10100)) == (
        row["m"],
        row["n"],
        row["c"],
        row["v"],
    )
    assert row["tb"] + row["n"] == row["e"]
    assert row["e"] - row["m"] == row["mf"]
    assert (row["e"] / row["m"] * 100).quantize(Decimal("0.01"), rounding="ROUND_DOWN") == row["ml"]


def test_trade_balance_without_a_position(bench):
    """Without a position there is no margin level, and every figure is text with four places."""
    row = bench.ok("TradeBalance")
    assert set(vector("rest_TradeBalance.json")["result"]) - {"ml"} <= set(row)
    assert "ml" not in row
    assert {4} == {len(text.split(".")[1]) for text in row.values()}
    assert ("0.0000", row["tb"]) == (row["m"], row["mf"])


def test_trade_balance_in_another_currency():
    """The figures are in the asset asked for; collateral counts at the share the asset has."""
    bench = Bench(pairs=("BTC/USD",), funds={"USD": "1000", "LTC": "10"})
    price(bench, "10000.0")
    dollars, coins = bench.ok("TradeBalance"), bench.ok("TradeBalance", asset="XBT")
    assert Decimal(coins["eb"]) == (Decimal(dollars["eb"]) / 10_000).quantize(Decimal("0.0001"), rounding="ROUND_DOWN")
    litecoins = Decimal(dollars["eb"]) - 1000
    assert abs(1000 + litecoins * Decimal("0.9") - Decimal(dollars["tb"])) < Decimal("0.001")
    assert "EQuery:Unknown asset" == bench.error("TradeBalance", asset="GOLD")


def test_credit_lines_of_an_account_without_credit(margin):
    """CreditLines tells balances and equity under Kraken's names, and no credit."""
    answer = margin.ok("CreditLines")
    expected = {
        "balance": "10000.0000",
        "credit_limit": "0.0000",
        "credit_used": "0.0000",
        "available_credit": "0.0000",
    }
    assert {"USD": expected} == answer["asset_details"]
    limits = {
        "total_credit_usd": "0.0000",
        "total_credit_used_usd": "0.0000",
        "total_collateral_value_usd": "10000.0000",
        "equity_usd": "10000.0000",
        "ongoing_balance": "0.0000",
        "debt_to_equity": "0.0000",
    }
    assert limits == answer["limits_monitor"]


def test_liquidation(margin):
    """When the margin level falls below the pair's stop, the position is closed at the market."""
    go(margin, volume="4.5")
    price(margin, "8000.0")
    assert Decimal(margin.ok("TradeBalance")["ml"]) < 40
    margin.wait(2)
    assert [] == positions(margin)
    row = next(iter(margin.ok("ClosedOrders")["closed"].values()))
    assert ("sell", "closed", "4.50000000", "liquidated") == (
        row["descr"]["type"],
        row["status"],
        row["vol_exec"],
        row["misc"],
    )
    margin.venue.engine.prove()


def test_no_liquidation_above_the_stop(margin):
    """Above the stop a position stays, whatever it has lost."""
    go(margin, volume="4.5")
    price(margin, "8650.0")
    margin.wait(5)
    assert Decimal(margin.ok("TradeBalance")["ml"]) > 40
    assert 1 == len(positions(margin))


def test_a_loss_may_overdraw_the_account():
    """A loss in dollars is booked even when the collateral is another asset: the balance goes below nothing."""
    bench = Bench(pairs=("BTC/USD",), funds={"USD": "100", "BTC": "2"})
    price(bench, "10000.0")
    go(bench, volume="1")
    price(bench, "9500.0")
    go(bench, "sell", volume="0")
    assert Decimal(bench.ok("Balance")["ZUSD"]) < -400
    bench.venue.engine.prove()
    assert "EOrder:Insufficient funds" == bench.refuse(price="9000", volume="0.001")


@pytest.mark.parametrize(
    ("kind", "found"),
    [
        ("all", ["spot", "close", "open2", "open1"]),
        ("any position", ["close", "open2", "open1"]),
        ("closed position", ["open1"]),
        ("closing position", ["close"]),
        ("no position", ["spot"]),
    ],
)
def test_trades_by_their_position(margin, kind, found):
    """TradesHistory tells apart fills that opened, closed or have nothing to do with positions."""
    names = {}
    for name, side, params in (
        ("open1", "buy", {}),
        ("open2", "buy", {}),
        ("close", "sell", {}),
        ("spot", "buy", {"leverage": "none"}),
    ):
        margin.wait(1)
        names[go(margin, side, volume="0.1", **params)["trades"][0]] = name
    assert found == [names[trade_id] for trade_id in margin.ok("TradesHistory", type=kind)["trades"]]


def test_trade_of_a_position(margin):
    """A fill that opened a position tells what became of it; the one that closed it is marked, and listed on request."""
    go(margin, volume="0.5")
    price(margin, "11000.0")
    go(margin, "sell", volume="0.5")
    closing, opening = margin.ok("TradesHistory", trades="true", ledgers="true")["trades"].items()
    assert ("closing", "5") == (closing[1]["misc"], closing[1]["leverage"])
    expected = {
        "posstatus": "closed",
        "cprice": "11000.00000",
        "ccost": "5500.00000",
        "cfee": closing[1]["fee"],
        "cvol": "0.50000000",
        "cmargin": "1000.01000",
        "margin": "1000.01000",
        "net": "+499.9500",
        "trades": [closing[0]],
    }
    assert expected == {name: opening[1][name] for name in expected}
    entries = margin.ok("Ledgers", type="margin")["ledger"]
    assert list(entries) == [*closing[1]["ledgers"], *opening[1]["ledgers"]]


def test_balances_stream_tells_margin_entries(margin):
    """Each entry of margin trading goes out on the balances channel with its type."""
    socket = margin.open("private")
    socket.ask("subscribe", channel="balances", token=margin.ok("GetWebSocketsToken")["token"])
    socket.texts()
    go(margin)
    assert ["margin", "rollover"] == [frame["data"][0]["type"] for frame in socket.frames("balances")]
