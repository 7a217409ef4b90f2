"""Any margin orders against any moves of the market: positions never face each other, and the money adds up."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.paper.paperbench import Bench

SIDES = st.sampled_from(["buy", "sell"])
KINDS = st.sampled_from(["market", "limit", "settle-position"])
VOLUMES = st.sampled_from(["0", "0.1", "0.25", "0.7", "1.3"])
LEVERAGES = st.sampled_from(["none", "2", "3", "5"])
ORDERS = st.tuples(st.just("order"), SIDES, KINDS, VOLUMES, LEVERAGES, st.booleans(), st.integers(-3, 3))
MOVES = st.tuples(st.just("move"), st.integers(-400, 400))
WAITS = st.tuples(st.just("wait"), st.sampled_from([1, 3_600, 14_400]))
STEPS = st.lists(ORDERS | ORDERS | MOVES | WAITS, max_size=14)
USD = Decimal(10000)


class Play:
    """One account, one market around 1,000, and whatever comes."""

    def __init__(self):
        self.bench = Bench(pairs=("BTC/USD",), tier="unlimited", funds={"USD": str(USD)})
        self.mid = 1_000
        self.move(0)

    def move(self, by):
        self.mid = max(200, self.mid + by)
        bids, asks = ([(f"{self.mid + sign * step}.0", "2") for step in (1, 2, 3)] for sign in (-1, 1))
        self.bench.book(bids=bids, asks=asks)

    def order(self, side, kind, volume, leverage, reduce_only, away):
        params = {"type": side, "ordertype": kind, "volume": volume, "leverage": leverage, "pair": "XBTUSD"}
        if kind == "limit":
            params["price"] = str(self.mid + away)
        self.bench.private("AddOrder", reduce_only=reduce_only, **params)

    def do(self, step):
        name, *rest = step
        if name == "wait":
            self.bench.wait(*rest)
        else:
            getattr(self, name)(*rest)


def check(bench):
    """The rules that hold after every step."""
    bench.venue.engine.prove()
    margin, ledger = bench.venue.margin, bench.venue.ledger
    sides = {position.side for position in margin.positions}
    assert len(sides) <= 1
    for position in margin.positions:
        assert 0 < position.left <= position.lots
        assert 0 <= position.cost_left <= position.cost
    for order in bench.venue.orders.open_ones():
        if order.terms.reduce_only:
            assert (
                0
                < order.left
                <= margin.positions.lots(order.terms.pair, "buy" if order.terms.side == "sell" else "sell")
            )
    for asset in ledger.assets():
        told = sum(entry.amount - entry.fee for entry in ledger.entries if entry.asset.id == asset.id)
        assert told == ledger.balance(asset)


@settings(max_examples=60)
@given(STEPS)
def test_any_orders_on_margin(steps):
    """After every step the ledger proves itself, entries add up to balances, and all positions are on one side."""
    play = Play()
    for step in steps:
        play.do(step)
        check(play.bench)


@settings(max_examples=40)
@given(STEPS)
def test_what_margin_brought_is_what_was_traded(steps):
    """The entries of margin trading add up to sales less purchases, corrected for what is open still or was settled."""
    play = Play()
    for step in steps:
        play.do(step)
    venue = play.bench.venue
    sign = {"buy": -1, "sell": 1}
    traded = sum(
        sign[trade.order.terms.side] * trade.cost
        for trade in venue.orders.trades.values()
        if trade.order.terms.leverage
    )
    still_open = sum(sign[position.side] * position.cost_left for position in venue.margin.positions)
    entries = venue.ledger.entries
    settled = sum(entry.amount for entry in entries if entry.kind == "settled" and entry.asset.id == "ZUSD")
    brought = sum(entry.amount for entry in entries if entry.kind == "margin")
    assert traded - still_open == brought + settled
