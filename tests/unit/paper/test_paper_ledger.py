from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execsvc.paper.ledger import FEES, MARKET, TRADER, Ledger, LedgerBroken, Leg
from execsvc.paper.pairs import load
from execsvc.paper.words import Refused
from tests.unit.paper.paperbench import Bench

USD = load().assets["ZUSD"]
BTC = load().assets["XXBT"]


def funded():
    ledger = Ledger(keep=100)
    ledger.deposit(USD, 1_000, entry="L1", at=0)
    ledger.deposit(BTC, 500, entry="L2", at=0)
    return ledger


def test_trade_moves_both_legs_and_fees():
    """A buy takes cost and fee from the trader and brings the base; the market and the fees get the rest."""
    ledger = funded()
    ledger.trade("T1", (Leg(BTC, 50, 0), Leg(USD, -300, 2)), entries=("L3", "L4"), at=1)
    assert (550, 698) == (ledger.balance(BTC), ledger.balance(USD))
    proof = ledger.proof()
    assert ("0.0300", "0.0002", "0.0000") == (proof["ZUSD"][MARKET], proof["ZUSD"][FEES], proof["ZUSD"]["sum"])
    assert [(50, 0, 550), (-300, 2, 698)] == [(e.amount, e.fee, e.balance) for e in list(ledger.entries)[2:]]


def test_hold_replaces_and_releases():
    """A hold is set, not added: setting it lower frees the difference, setting it to 0 frees it all."""
    ledger = funded()
    ledger.hold("A", USD, 800)
    ledger.hold("A", USD, 300)
    assert (300, 700) == (ledger.held(USD), ledger.available(USD))
    ledger.hold("A", USD, 0)
    assert 0 == ledger.held(USD)
    ledger.prove({})


def test_hold_beyond_the_balance_is_refused_and_leaves_no_trace():
    """What is promised already cannot be promised again."""
    ledger = funded()
    ledger.hold("A", USD, 800)
    with pytest.raises(Refused, match="EOrder:Insufficient funds"):
        ledger.hold("B", USD, 201)
    assert 800 == ledger.held(USD)
    ledger.prove({"ZUSD": {"A": 800}})


def test_spending_promised_money_breaks():
    """Booking a trade that eats into another order's hold stops the exchange."""
    ledger = funded()
    ledger.hold("A", USD, 800)
    with pytest.raises(LedgerBroken):
        ledger.trade("T1", (Leg(BTC, 50, 0), Leg(USD, -300, 2)), entries=("L3", "L4"), at=1)


def test_one_sided_booking_breaks():
    """Money that comes from nowhere is found at the next step."""
    ledger = funded()
    ledger._balances[TRADER]["ZUSD"] += 1
    with pytest.raises(LedgerBroken, match="ZUSD does not balance"):
        ledger.hold("A", USD, 1)


def test_lost_hold_breaks():
    """The proof compares the holds with those of the open orders, not with themselves."""
    ledger = funded()
    ledger.hold("A", USD, 1)
    with pytest.raises(LedgerBroken):
        ledger.prove({"ZUSD": {"B": 1}})


def test_account_that_forgets_a_hold_breaks():
    """What the account says is held must be what the orders hold."""
    ledger = funded()
    ledger.hold("A", USD, 5)
    ledger._held["ZUSD"] = 4
    with pytest.raises(LedgerBroken, match="holds add up to 5"):
        ledger.prove({"ZUSD": {"A": 5}})


PRICES = st.integers(960, 1040).map(lambda ticks: f"{ticks / 10:.1f}")
VOLUMES = st.integers(1, 30_000_000).map(lambda lots: f"{lots / 1e7:.8f}")
STEPS = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.sampled_from(["buy", "sell"]),
                "ordertype": st.sampled_from(["limit", "limit", "market"]),
                "price": PRICES,
                "volume": VOLUMES,
                "timeinforce": st.sampled_from(["GTC", "GTC", "IOC", "FOK"]),
                "oflags": st.sampled_from(["", "post", "fcib", "fciq", "post,fcib"]),
                "stptype": st.sampled_from(["cancel-newest", "cancel-oldest", "cancel-both"]),
            }
        ),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.sampled_from(["buy", "sell"]), VOLUMES),
    ),
    max_size=25,
)


def carry_out(bench, placed, step):
    if isinstance(step, dict):
        params = {name: value for name, value in step.items() if value}
        if step["ordertype"] == "market":
            params |= {"timeinforce": "GTC", "oflags": ""}
        answer = bench.private("AddOrder", pair="XBTUSD", **params)
        placed += answer.get("result", {}).get("txid", [])
    elif step[0] == "cancel":
        if placed:
            bench.private("CancelOrder", txid=placed[step[1] % len(placed)])
    else:
        bench.take(step[0], step[1])


@settings(max_examples=60)
@given(STEPS)
def test_ledger_balances_whatever_is_traded(steps):
    """After every step of any trading each asset sums to zero, holds are exact, and orders agree with the ledger."""
    bench = Bench(pairs=("BTC/USD",), funds={"USD": "250", "BTC": "4"})
    ladder = [("%.1f", "0.7"), ("%.1f", "1.3"), ("%.1f", "2")]
    bench.book(
        bids=[(text % (99.9 - place), qty) for place, (text, qty) in enumerate(ladder)],
        asks=[(text % (100.1 + place), qty) for place, (text, qty) in enumerate(ladder)],
    )
    placed = []
    for step in steps:
        carry_out(bench, placed, step)
        bench.venue.engine.prove()
    venue = bench.venue
    usd, btc = Decimal(250), Decimal(4)
    for order in venue.orders.accepted():
        terms, sign = order.terms, 1 if order.terms.side == "buy" else -1
        assert 0 <= order.filled <= terms.lots
        assert order.filled == sum(trade.lots for trade in order.trades)
        assert order.cost == sum(trade.cost for trade in order.trades)
        assert order.fee == sum(trade.fee for trade in order.trades)
        assert (order.status == "closed") == (order.filled == terms.lots)
        usd -= sign * Decimal(order.cost) / 10**4
        btc += sign * Decimal(order.filled) / 10**8
        for trade in order.trades:
            charge = Decimal(trade.charged) / 10**trade.fee_asset.decimals
            usd, btc = (usd - charge, btc) if trade.fee_asset == USD else (usd, btc - charge)
    assert usd == Decimal(bench.ok("Balance")["ZUSD"])
    assert btc == Decimal(bench.ok("Balance")["XXBT"])
