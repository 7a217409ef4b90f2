"""Orders of every kind against a market that moves at will: the rules that hold after every single step."""

from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.paper.paperbench import Bench

ENDS = {"filled": "closed", "canceled": "canceled", "expired": "expired"}
SIDES = st.sampled_from(["buy", "sell"])
PRICES = st.integers(900, 1100).map(lambda tenths: f"{tenths / 10:.1f}")
VOLUMES = st.sampled_from(["0.02", "0.3", "0.7", "1", "2.5"])
TRAILS = st.sampled_from(["+0.5", "+3", "+2%", "+10%"])
FLAGS = st.sampled_from(["", "", "", "post", "fcib"])
KINDS = {
    "market": {"oflags": st.sampled_from(["", "fcib"]), "timeinforce": st.sampled_from(["GTC", "IOC"])},
    "limit": {"price": PRICES, "oflags": FLAGS, "timeinforce": st.sampled_from(["GTC", "GTC", "IOC", "FOK"])},
    "iceberg": {"price": PRICES, "displayvol": st.sampled_from(["0.02", "0.1", "0.2"]), "oflags": FLAGS},
    "stop-loss": {"price": PRICES},
    "take-profit": {"price": PRICES},
    "stop-loss-limit": {"price": PRICES, "price2": PRICES, "oflags": FLAGS},
    "take-profit-limit": {"price": PRICES, "price2": PRICES, "timeinforce": st.sampled_from(["GTC", "IOC", "FOK"])},
    "trailing-stop": {"price": TRAILS},
    "trailing-stop-limit": {"price": TRAILS, "price2": st.sampled_from(["+1", "-1", "+0%"])},
}
SHARED = {
    "type": SIDES,
    "volume": VOLUMES,
    "stptype": st.sampled_from(["cancel-newest", "cancel-oldest", "cancel-both"]),
    "userref": st.integers(0, 3).map(str),
}
EXTRAS = {
    "starttm": st.sampled_from(["+2", "+9"]),
    "close": st.fixed_dictionaries({"ordertype": st.just("limit"), "price": PRICES | TRAILS})
    | st.fixed_dictionaries({"ordertype": st.sampled_from(["stop-loss", "trailing-stop"]), "price": TRAILS}),
}


def order_of(kind):
    fixed = SHARED | KINDS[kind] | {"ordertype": st.just(kind)}
    triggers = {"trigger": st.sampled_from(["last", "index"])} if "-" in kind else {}
    return st.fixed_dictionaries(fixed, optional=EXTRAS | triggers)


ORDERS = st.sampled_from(sorted(KINDS)).flatmap(order_of)


class Orders(RuleBasedStateMachine):
    """One account that does anything, in a market that does too."""

    @initialize()
    def open(self):
        self.bench = Bench(pairs=("BTC/USD",), tier="unlimited", funds={"USD": "600", "BTC": "6"})
        self.listing = self.bench.venue.listing("XBTUSD")
        self.bench.book(bids=[("99.9", "2"), ("99.0", "5")], asks=[("100.1", "2"), ("101.0", "5")])
        self.bench.take("buy", "0.1")
        self.socket = self.bench.executions()
        self.socket.frames()
        self.told = {}
        self.ended = {}

    @rule(order=ORDERS)
    def place(self, order):
        self.bench.private("AddOrder", "json", pair="XBTUSD", **order)

    @rule(orders=st.lists(ORDERS, min_size=2, max_size=4))
    def place_batch(self, orders):
        self.bench.private("AddOrderBatch", "json", pair="XBTUSD", orders=orders)

    @rule(
        pick=st.integers(0, 99),
        change=st.fixed_dictionaries(
            {}, optional={"order_qty": VOLUMES, "limit_price": PRICES, "trigger_price": PRICES, "display_qty": VOLUMES}
        ),
    )
    def amend(self, pick, change):
        open_ones = self.bench.venue.orders.open_ones()
        if open_ones:
            self.bench.private("AmendOrder", txid=open_ones[pick % len(open_ones)].id, **change)

    @rule(pick=st.integers(0, 99), change=st.fixed_dictionaries({"price": PRICES}, optional={"volume": VOLUMES}))
    def edit(self, pick, change):
        open_ones = self.bench.venue.orders.open_ones()
        if open_ones:
            self.bench.private("EditOrder", pair="XBTUSD", txid=open_ones[pick % len(open_ones)].id, **change)

    @rule(userref=st.integers(1, 3))
    def cancel(self, userref):
        self.bench.private("CancelOrder", txid=str(userref))

    @rule(timeout=st.sampled_from(["0", "3"]))
    def arm(self, timeout):
        self.bench.ok("CancelAllOrdersAfter", timeout=timeout)

    @rule(side=SIDES, volume=VOLUMES)
    def stranger_takes(self, side, volume):
        self.bench.take(side, volume)

    @rule(bid=st.integers(900, 1100), spread=st.integers(1, 30), volume=VOLUMES)
    def market_moves(self, bid, spread, volume):
        rows = [(bid - place * 7, bid + spread + place * 7) for place in range(3)]
        self.bench.book(
            bids=[(f"{low / 10:.1f}", volume) for low, _ in rows],
            asks=[(f"{high / 10:.1f}", volume) for _, high in rows],
        )

    @rule(seconds=st.sampled_from([0.5, 4]))
    def time_passes(self, seconds):
        self.bench.wait(seconds)

    @invariant()
    def ledger_is_balanced_and_holds_are_exact(self):
        self.bench.venue.engine.prove()

    @invariant()
    def orders_add_up(self):
        for order in self.bench.venue.orders.accepted():
            assert 0 <= order.filled <= order.terms.lots
            assert (order.filled, order.cost, order.fee) == (
                sum(trade.lots for trade in order.trades),
                sum(trade.cost for trade in order.trades),
                sum(trade.fee for trade in order.trades),
            )
            assert (order.status == "closed") <= (order.filled == order.terms.lots)
            end = (order.status, order.filled, order.closed, order.reason)
            assert order.open or self.ended.setdefault(order.id, end) == end

    @invariant()
    def book_is_whole(self):
        book = self.listing.book
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is None or ask is None or bid < ask
        resting = {}
        for half in (book.bids, book.asks):
            for level in half.walk():
                assert level.qty == sum(one.qty for one in level.queue.values()) > 0
                resting |= {one.ref: one for one in level.queue.values() if one.owned}
        for order in self.bench.venue.orders.open_ones():
            one = resting.pop(order.id, None)
            assert (one is not None) == (order.phase == "active")
            assert one is None or (one.whole, one.price) == (order.left, order.terms.price)
            assert one is None or one.qty <= (order.terms.display or one.whole)
        assert {} == resting

    @invariant()
    def no_trigger_is_overdue(self):
        for order in self.bench.venue.orders.open_ones():
            trigger = order.terms.trigger
            if order.phase == "watching":
                price = self.listing.tape.last if trigger.reference == "last" else order.watch.seen
                assert not trigger.touched(order.watch.stop, price)

    @invariant()
    def stream_tells_each_life_in_order(self):
        for frame in self.socket.frames("executions"):
            for row in frame["data"]:
                life = self.told.setdefault(row["order_id"], [])
                assert (row["exec_type"] == "pending_new") == (not life), (life, row)
                assert not {*life} & {*ENDS}, (life, row)
                life.append(row["exec_type"])
                if row["exec_type"] == "trade":
                    life.append(Decimal(str(row["last_qty"])))
        for order in self.bench.venue.orders.accepted():
            life = self.told[order.id]
            filled = sum(step for step in life if isinstance(step, Decimal))
            assert filled == Decimal(order.filled).scaleb(-8)
            assert ENDS.get(life[-1], "open") == order.status


TestOrders = Orders.TestCase
TestOrders.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
