"""The lagging index: each order shows, moves and fills as late as drawn, per index, and never later than its bound."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execsvc.paper.mishap import Fault
from tests.unit.paper.paperbench import Bench

HOUR_MS = 3_600_000


def lagging(**fault):
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    bench.book(bids=[("90000.0", "1000")], asks=[("90001.0", "1000")])
    arm(bench, **fault)
    return bench


def arm(bench, **fault):
    bench.exchange.fault(Fault(kind="index_lag", **fault), bench.now)


def placed(bench, name, **order):
    return bench.order(**({"price": "80000", "volume": "0.001", "cl_ord_id": name} | order))


def shown(bench, name):
    """Where a client id is found: by OpenOrders, by ClosedOrders."""
    return tuple(
        bool(bench.ok(call, cl_ord_id=name)[part])
        for call, part in (("OpenOrders", "open"), ("ClosedOrders", "closed"))
    )


def moments(bench, name, *, until_ms, step_ms):
    """The sequence of places an order is found in, without repeats."""
    seen = [shown(bench, name)]
    for _ in range(until_ms // step_ms):
        bench.wait(step_ms / 1000)
        place = shown(bench, name)
        if place != seen[-1]:
            seen.append(place)
    return seen


def test_open_index_alone():
    """With only the open index behind, an order is not in it at first, and an ended one is in both for as long."""
    bench = lagging(index="open", ms=2000)
    txid = placed(bench, "a")
    assert ((False, False), {}) == (shown(bench, "a"), bench.ok("QueryOrders", txid=txid))
    bench.wait(2)
    assert (True, False) == shown(bench, "a")
    bench.ok("CancelOrder", txid=txid)
    assert ((True, True), "open") == (shown(bench, "a"), bench.state(txid)["status"])
    bench.wait(2)
    assert ((False, True), "canceled") == (shown(bench, "a"), bench.state(txid)["status"])


def test_closed_index_alone():
    """With only the closed index behind, an ended order is in neither for as long; by its id it is known."""
    bench = lagging(index="closed", ms=2000)
    txid = placed(bench, "a")
    assert (True, False) == shown(bench, "a")
    bench.ok("CancelOrder", txid=txid)
    assert ((False, False), "canceled") == (shown(bench, "a"), bench.state(txid)["status"])
    bench.wait(1.999)
    assert (False, False) == shown(bench, "a")
    bench.wait(0.001)
    assert (False, True) == shown(bench, "a")


def test_quick_fill_is_in_neither_at_first():
    """An order that filled at once is in neither index until the later of the two knows, and then in the closed one."""
    bench = lagging(ms=2000)
    placed(bench, "a", price="90001.0")
    assert [(False, False), (False, True)] == moments(bench, "a", until_ms=4000, step_ms=250)


def test_trades_alone():
    """With only the trades behind, the order is closed and its trade not listed yet."""
    bench = lagging(index="trades", ms=2000)
    placed(bench, "a", price="90001.0")
    assert ((False, True), 0) == (shown(bench, "a"), bench.ok("TradesHistory")["count"])
    bench.wait(2)
    assert 1 == bench.ok("TradesHistory")["count"]


def test_without_spread_everything_runs_behind_as_one():
    """Without a spread an order is in one place at a time: the whole index is the engine's, `ms` ago."""
    bench = lagging(ms=1000)
    txid = placed(bench, "a")
    bench.wait(5)
    bench.ok("CancelOrder", txid=txid)
    assert [(True, False), (False, True)] == moments(bench, "a", until_ms=3000, step_ms=50)


def test_with_spread_both_and_neither_are_seen():
    """With a spread, among many orders on their way some are in both indexes for a while, some in neither."""
    bench = lagging(ms=100, spread_ms=1000)
    names = [f"n{number}" for number in range(40)]
    ids = [placed(bench, name) for name in names]
    bench.wait(5)
    for txid in ids:
        bench.ok("CancelOrder", txid=txid)
    ways = set()
    for _ in range(60):
        ways |= {shown(bench, name) for name in names}
        bench.wait(0.02)
    assert {(True, False), (True, True), (False, False), (False, True)} == ways
    bench.wait(0.1)
    assert {(False, True)} == {shown(bench, name) for name in names}


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32), ms=st.integers(0, 400), spread=st.integers(0, 800), rate=st.sampled_from([0.3, 1.0]))
def test_lag_never_exceeds_its_bound(seed, ms, spread, rate):
    """Whatever is drawn: not before ms (when it strikes at all), by ms + spread_ms at the latest, in every index."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited", seed=seed, levels=3)
    arm(bench, ms=ms, spread_ms=spread, rate=rate)
    txid = placed(bench, "a", price="20000")
    other = placed(bench, "b", ordertype="market", price="")
    if ms and rate == 1.0:
        bench.wait((ms - 1) / 1000)
        assert ({}, (False, False), 0) == (
            bench.ok("QueryOrders", txid=f"{txid},{other}"),
            shown(bench, "b"),
            bench.ok("TradesHistory")["count"],
        )
        bench.wait(0.001)
    bench.wait((spread + ms) / 1000)
    assert ((True, False), (False, True), 1) == (
        shown(bench, "a"),
        shown(bench, "b"),
        bench.ok("TradesHistory")["count"],
    )
    bench.ok("CancelOrder", txid=txid)
    bench.wait((ms + spread) / 1000)
    assert (False, True) == shown(bench, "a")


def test_lag_of_an_order_does_not_depend_on_who_asks():
    """Asking more often, or for other orders, changes nothing about when an order shows."""
    times = []
    for extra in (False, True):
        bench = lagging(ms=0, spread_ms=2000)
        names = [f"n{number}" for number in range(5)]
        for name in names:
            placed(bench, name)
        at = {}
        for step in range(2001):
            if extra:
                bench.ok("ClosedOrders")
                bench.ok("QueryOrders", txid=next(bench.venue.orders.accepted()).id)
            at |= {name: step for name in names if name not in at and shown(bench, name)[0]}
            bench.wait(0.001)
            if len(at) == len(names):
                break
        times.append(at)
    assert times[0] == times[1]
    assert 5 == len(set(times[0].values()))


def test_lag_draws_per_index():
    """One order's two indexes are behind by different times."""
    bench = lagging(ms=0, spread_ms=HOUR_MS)
    order = next(order for order in [placed(bench, "a")] and bench.venue.orders.accepted())
    lags = {bench.venue.faults.lag(index, order.id, order.serial, bench.now) for index in ("open", "closed", "trades")}
    assert 3 == len(lags)


def test_next_order_only():
    """Counted, a lag is about the orders accepted from now on: `skip` of them pass, then `times` are late."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    placed(bench, "old", price="20000")
    arm(bench, ms=HOUR_MS, skip=1, times=2)
    for name in "abcd":
        placed(bench, name, price="20000")
    assert [True, True, False, False, True] == [shown(bench, name)[0] for name in ("old", *"abcd")]
    assert [0] == [row["left"] for row in bench.venue.faults.listed(bench.now)]


def test_left_counts_down_with_the_orders():
    """What is still to come of a counted lag is told."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    arm(bench, ms=10, skip=1, times=2)
    left = []
    for name in "abcd":
        left.append(bench.venue.faults.listed(bench.now)[0]["left"])
        placed(bench, name, price="20000")
    assert [2, 2, 1, 0] == left


def test_rate_is_per_order():
    """With a rate of a quarter about a quarter of the orders are late, and stay so however often one looks."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    arm(bench, ms=HOUR_MS, rate=0.25)
    for number in range(200):
        placed(bench, f"n{number}", price="20000", volume="0.0001")
    seen = [len(bench.ok("OpenOrders")["open"]) for _ in range(2)]
    assert seen[0] == seen[1]
    assert 130 < seen[0] < 170


def test_lag_ends_when_cleared_or_over():
    """An index catches up at once when the fault is cleared, or its time is over."""
    bench = lagging(ms=HOUR_MS, for_ms=3000)
    placed(bench, "a")
    bench.wait(2.999)
    assert (False, False) == shown(bench, "a")
    bench.wait(0.001)
    assert (True, False) == shown(bench, "a")
    arm(bench, ms=HOUR_MS)
    assert (False, False) == shown(bench, "a")
    bench.exchange.clear_faults(bench.now)
    assert (True, False) == shown(bench, "a")


@pytest.mark.parametrize("fault", [{}, {"ms": 500, "spread_ms": 700}, {"index": "closed", "ms": 900}])
def test_filter_by_client_id_agrees_with_the_whole_list(fault):
    """Filtered or not, the same orders show: the short way through the client ids is no other truth."""
    bench = lagging(**fault) if fault else Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    names = ["a", "b", "a", "c", "d", "a", "0" * 32]
    live = {}
    for number, name in enumerate(names * 2):
        if name in live:
            bench.ok("CancelOrder", txid=live.pop(name))
        live[name] = placed(bench, name, price="20000", userref="")
        if number % 3 == 0:
            bench.ok("CancelOrder", txid=live.pop(name))
        bench.wait(0.2)
        for call, part in (("OpenOrders", "open"), ("ClosedOrders", "closed")):
            everything = bench.ok(call)[part]
            for wanted in set(names):
                filtered = bench.ok(call, cl_ord_id=wanted)[part]
                assert [txid for txid, row in everything.items() if row["cl_ord_id"] == wanted] == list(filtered)


def test_client_id_with_and_without_dashes_is_one():
    """The filter finds a UUID in either spelling."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier="unlimited")
    txid = placed(bench, "6d1b345e-2821-40e2-ad83-4ecb18a06876", price="20000")
    assert [txid] == list(bench.ok("OpenOrders", cl_ord_id="6D1B345E282140E2AD834ECB18A06876")["open"])


def test_partial_fill_shows_late():
    """An open order's fills show as late as the order does."""
    bench = lagging(index="open", ms=2000)
    bench.book(bids=[("70000.0", "1")], asks=[("90001.0", "1")])
    txid = placed(bench, "a", volume="1")
    bench.wait(3)
    bench.take("sell", "0.4", "80000.0")
    assert "0.00000000" == bench.state(txid)["vol_exec"]
    bench.wait(2)
    assert "0.40000000" == bench.state(txid)["vol_exec"]
