"""What the exchange remembers and what it costs: all of a long simulation where asked, few things made in vain."""

import json
import time

import pytest

from execsvc.paper.control import answer_control
from execsvc.paper.exchange import PaperExchange
from execsvc.paper.options import PaperOptions
from tests.unit.paper.paperbench import START, Bench

LEAN = PaperOptions(frozen=True, pairs=("BTC/USD",), warm_up_s=0)


def told(bench, path):
    return json.loads(answer_control(bench.exchange, "GET", path, b"", bench.now)[1])


def churned(count, **options):
    """An exchange on which `count` orders were placed and ended."""
    bench = Bench(**{"pairs": ("BTC/USD",), "warm_up_s": 0, "levels": 3, "tier": "unlimited"} | options)
    for number in range(count):
        bench.order(ordertype="market", volume="0.0001", cl_ord_id=f"n{number}")
    return bench


def test_all_orders_are_kept_when_asked():
    """With keep_orders None nothing accepted is ever forgotten."""
    bench = churned(30, keep_orders=None)
    orders = told(bench, "/orders")
    assert ([f"n{number}" for number in range(30)], 0) == (
        [order["cl_ord_id"] for order in orders["orders"]],
        orders["forgotten"],
    )
    assert 30 == bench.ok("ClosedOrders")["count"]


def test_forgotten_orders_are_counted():
    """Whoever judges by the list is told how many it lacks."""
    bench = churned(30, keep_orders=10)
    orders = told(bench, "/orders")
    assert (["n20", "n29"], 10, 20) == (
        [orders["orders"][place]["cl_ord_id"] for place in (0, -1)],
        len(orders["orders"]),
        orders["forgotten"],
    )


def test_forgotten_orders_leave_nothing_behind():
    """Neither by its client id nor by its trades is a forgotten order found."""
    bench = churned(30, keep_orders=10)
    assert {} == bench.ok("ClosedOrders", cl_ord_id="n5")["closed"]
    assert 1 == len(bench.ok("ClosedOrders", cl_ord_id="n25")["closed"])
    assert (10, 10) == (len(bench.venue.orders.trades), len(bench.venue.orders._by_client))


def test_forgotten_order_of_a_reused_client_id():
    """Of several orders of one client id only the forgotten one is gone."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, keep_orders=2)
    ids = [bench.order(ordertype="market", volume="0.0001", cl_ord_id="same") for _ in range(3)]
    assert ids[:0:-1] == list(bench.ok("ClosedOrders", cl_ord_id="same")["closed"])


@pytest.mark.parametrize(("keep", "kept"), [(None, 40), (7, 7), (0, 0)])
def test_calls_are_kept_as_asked(keep, kept):
    """As many private calls are remembered as asked, the newest, and the rest counted."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited", keep_calls=keep)
    for _ in range(40):
        bench.ok("Balance")
    calls = told(bench, "/calls")
    assert (kept, 40 - kept) == (len(calls["calls"]), calls["forgotten"])
    assert [str(1001 + number) for number in range(40 - kept, 40)] == [call["nonce"] for call in calls["calls"]]


def test_by_default_a_bounded_past_is_kept():
    """Left alone, the exchange's memory has an end."""
    assert (100_000, 5000) == (PaperOptions().keep_orders, PaperOptions().keep_calls)


@pytest.mark.parametrize(
    "wrong",
    [
        {"keep_orders": -1},
        {"keep_calls": -1},
        {"levels": 0},
        {"levels": 201},
        {"rest_decay_step_s": -0.1},
        {"engine_decay_step_s": -1},
    ],
)
def test_options_that_make_no_sense(wrong):
    """An option that cannot be kept is refused by name."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PaperOptions(**wrong)


@pytest.mark.parametrize("levels", [1, 5, 110, 150])
def test_book_is_as_long_as_asked(levels):
    """The makers keep that many levels on either side."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=levels)
    book = bench.venue.listing("BTC/USD").book
    assert (levels, levels) == (len(book.bids.keys), len(book.asks.keys))


@pytest.mark.parametrize("levels", [1, 5])
def test_short_book_trades_on(levels):
    """A market of few levels is mended like a long one and never stands empty."""
    bench = Bench(pairs=("BTC/USD",), levels=levels, frozen=False, warm_up_s=2)
    for _ in range(20):
        bench.wait(1)
        bench.order(ordertype="market", volume="0.05")
        book = bench.venue.listing("BTC/USD").book
        assert (True, True) == (bool(book.bids.keys), bool(book.asks.keys))
    bench.venue.engine.prove()


def test_given_rows_spare_the_makers_book():
    """A book set by hand is not made up first: those rows are all there is."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0)
    bench.book(bids=[("100.0", "1")], asks=[("101.0", "1")])
    book = bench.venue.listing("BTC/USD").book
    assert ([1000], [1010]) == ([*book.bids.levels], [*book.asks.levels])
    assert {} == bench.venue.prices._waves


def quickest(act, *, tries):
    """Return the shortest time of several, in seconds: what it costs when nobody else wants the machine."""
    times = []
    for _ in range(tries):
        began = time.perf_counter()
        act()
        times.append(time.perf_counter() - began)
    return min(times)


def test_creation_is_cheap():
    """A simulation makes thousands of exchanges: one costs a millisecond or two at most, whatever the seed."""
    assert quickest(lambda: PaperExchange(LEAN, START), tries=20) < 0.002


def test_an_order_is_cheap_and_stays_so():
    """With five hundred orders behind it and two hundred open, an order is placed and answered in half a millisecond."""
    bench = churned(500)
    for number in range(200):
        bench.order(price="20000", volume="0.0001", cl_ord_id=f"open{number}")
    assert quickest(lambda: bench.order(price="20000", volume="0.0001"), tries=50) < 0.0005


@pytest.mark.parametrize("call", ["OpenOrders", "ClosedOrders"])
def test_a_sweep_for_one_order_looks_at_one_order(call):
    """The cost of asking for one client id does not grow with the orders there are."""
    costs = []
    for count in (10, 600):
        bench = churned(count)
        for number in range(count // 5):
            bench.order(price="20000", volume="0.0001", cl_ord_id=f"open{number}")
        costs.append(quickest(lambda bench=bench: bench.ok(call, cl_ord_id="n5"), tries=100))
    assert costs[1] < 3 * costs[0]
