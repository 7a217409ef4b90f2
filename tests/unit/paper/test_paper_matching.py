from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.matching import Book, Resting, clear_makers, opposite

ORDERS = st.lists(
    st.tuples(st.sampled_from(["buy", "sell"]), st.integers(90, 110), st.integers(1, 20), st.booleans()), max_size=60
)


def submit(book, side, price, qty, *, owned=False):
    """Match, then rest what is left, as the engine does."""
    fills, left = taken(book, side, price, qty)
    if left:
        book.rest(Resting(side, price, left, *(("OWN", 0, 0, "me") if owned else ())), 0)
    return [(fill.price, fill.qty) for fill in fills]


def taken(book, side, limit, qty):
    """What a stranger takes, going on whenever it met somebody's order; and what is left."""
    fills, left, going = [], qty, True
    while going:
        match = book.match(side, limit, left, now=0)
        fills += match.fills
        left, going = match.left, match.paused
    return fills, left


class Naive:
    """The same rules by sorting a list: price first, then arrival."""

    def __init__(self):
        self.rows = []

    def submit(self, side, price, qty):
        sign = 1 if side == "buy" else -1
        others = [row for row in self.rows if row[0] != side and (price - row[1]) * sign >= 0]
        fills = []
        for row in sorted(others, key=lambda row: row[1] * sign):
            taken = min(qty, row[2])
            if not taken:
                break
            fills.append((row[1], taken))
            row[2] -= taken
            qty -= taken
        self.rows = [row for row in self.rows if row[2]]
        if qty:
            self.rows.append([side, price, qty])
        return fills

    def top(self, side):
        levels = {}
        for row in self.rows:
            if row[0] == side:
                levels[row[1]] = levels.get(row[1], 0) + row[2]
        return sorted(levels.items(), reverse=side == "buy")


@given(ORDERS)
def test_price_then_time(orders):
    """Any sequence of orders trades exactly as the naive book by price, then arrival, says."""
    book, naive = Book(), Naive()
    for side, price, qty, owned in orders:
        assert naive.submit(side, price, qty) == submit(book, side, price, qty, owned=owned)
        assert naive.top("buy") == book.bids.top(99)
        assert naive.top("sell") == book.asks.top(99)


@given(ORDERS)
def test_book_never_crosses(orders):
    """After every order the best bid is below the best ask, and every level is as large as its queue."""
    book = Book()
    for side, price, qty, owned in orders:
        submit(book, side, price, qty, owned=owned)
        bid, ask = book.bids.best(), book.asks.best()
        assert bid is None or ask is None or bid < ask
        for half in book.halves.values():
            assert sorted(half.keys) == half.keys
            for level in half.walk():
                assert level.qty == sum(resting.qty for resting in level.queue.values()) > 0


@given(ORDERS, st.sampled_from(["buy", "sell"]), st.integers(1, 200), st.integers(90, 110))
def test_quantity_is_conserved(orders, side, qty, limit):
    """What a taker gets is what leaves the other side, and it never pays beyond its limit."""
    book = Book()
    for other, price, size, owned in orders:
        submit(book, other, price, size, owned=owned)
    half = book.halves[opposite(side)]
    before = sum(level.qty for level in half.walk())
    fills, left = taken(book, side, limit, qty)
    got = sum(fill.qty for fill in fills)
    assert before - sum(level.qty for level in half.walk()) == got == qty - left
    assert all(fill.price <= limit if side == "buy" else fill.price >= limit for fill in fills)


def test_owned_taker_stops_at_own_order():
    """An account's taker is handed its own resting order instead of trading with it."""
    book = Book()
    mine = Resting("sell", 101, 5, "OWN", owner="me")
    for resting in (Resting("sell", 100, 2), mine, Resting("sell", 101, 5)):
        book.rest(resting, 0)
    match = book.match("buy", None, 10, now=0, owner="me")
    assert ([(100, 2)], 8, mine) == ([(fill.price, fill.qty) for fill in match.fills], match.left, match.stopped_at)


def test_a_taker_pauses_after_an_order_of_another_account_and_trades_with_it():
    """Only its own would be no trade; what that fill brings about comes before the next one."""
    book = Book()
    theirs, mine = Resting("sell", 100, 2, "HIS", owner="him"), Resting("sell", 101, 5, "OWN", owner="me")
    for resting in (theirs, mine):
        book.rest(resting, 0)
    first = book.match("buy", None, 10, now=0, owner="me")
    assert ([theirs], 8, True, None) == (
        [each.resting for each in first.fills],
        first.left,
        first.paused,
        first.stopped_at,
    )
    assert mine is book.match("buy", None, 8, now=0, owner="me").stopped_at


def test_reachable_leaves_own_orders_out():
    """What an account's taker can reach is strangers and other accounts, whatever an iceberg of theirs shows."""
    book = Book()
    own = [Resting("sell", price, 2, "OWN", owner="me") for price in (100, 101)]
    for resting in (*own, Resting("sell", 101, 3), Resting("sell", 101, 1, "HIS", 4, 1, "him")):
        book.rest(resting, 0)
    assert [(101, 8)] == list(book.reachable("buy", 105, "me"))
    assert [] == list(book.reachable("buy", 100, "me"))


def test_clearing_makers_spares_the_trader():
    """Makers withdraw; the trader's orders stay, queue and all."""
    book = Book()
    mine = Resting("buy", 100, 2, "OWN")
    for resting in (mine, Resting("buy", 100, 3), Resting("buy", 99, 3)):
        book.rest(resting, 0)
    clear_makers(book.bids, 0)
    assert [(100, 2)] == book.bids.top(9)
