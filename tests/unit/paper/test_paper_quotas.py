"""Rate limits through the exchange: what is charged to whom and when, and what a full counter leads to."""

import pytest

from execsvc.paper.limits import points
from execsvc.paper.mishap import Fault
from execsvc.paper.restface import PRIVATE
from tests.unit.paper.paperbench import START, Bench, read

CALL_RATE, ORDER_RATE = "EAPI:Rate limit exceeded", "EOrder:Rate limit exceeded"
ORDERS_LIMIT = "EOrder:Orders limit exceeded"
BTC, ETH = "XXBTZUSD", "XETHZUSD"
RESTING = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "80000", "volume": "0.001"}


def engine_level(bench, pair=BTC):
    return points(bench.venue.quotas.level(pair, bench.now))


def call_level(bench, key=None):
    return str(bench.venue.quotas.call_figures((key or bench.key).api_key, bench.now)["level"], "ascii")


def refusals(bench, method, times, **params):
    """The numbers, from 1, of those calls that are refused, and with what."""
    answers = [bench.private(method, **params)["error"] for _ in range(times)]
    return [(number, *error) for number, error in enumerate(answers, 1) if error]


@pytest.fixture
def rich():
    """Enough of both sides to rest any number of orders; decay once in a blue moon, so that sums are plain."""
    return Bench(pairs=("BTC/USD", "ETH/USD"), warm_up_s=0, levels=3, engine_decay_step_s=10_000)


# ---- calls of a key ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tier", "most"), [("starter", 15), ("intermediate", 20), ("pro", 20)])
def test_one_call_too_many(tier, most):
    """A key may call as often as its tier's maximum says, and the next call is refused."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier=tier)
    assert [(most + 1, CALL_RATE)] == refusals(bench, "Balance", most + 1)


def test_trade_history_costs_two(bench):
    """Ten calls for trades fill a counter of twenty."""
    assert [(11, CALL_RATE)] == refusals(bench, "TradesHistory", 11)


FREE = {"AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch"}
DOUBLE = {"Ledgers", "QueryLedgers", "TradesHistory"}


@pytest.mark.parametrize("method", sorted(PRIVATE))
def test_what_each_call_charges(bench, method):
    """Every private call charges its key as Kraken says, whether or not its arguments are any good."""
    bench.private(method)
    assert str(0 if method in FREE else 2 if method in DOUBLE else 1) == call_level(bench)


def test_no_limit_where_none_is_wanted():
    """The unlimited tier counts and refuses nothing."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3, tier="unlimited")
    assert [] == refusals(bench, "TradesHistory", 50)
    assert [] == refusals(bench, "AddOrder", 300, **RESTING)
    figures = bench.venue.quotas.pair_figures(BTC, bench.now, open_orders=0)
    assert (b"300", 0, 300) == (bytes(figures["charged"]), figures["refused"], figures["open_peak"])


@pytest.mark.parametrize(
    ("tier", "wait", "calls"), [("starter", 20, 6), ("intermediate", 4, 2), ("pro", 4, 4), ("pro", 1.9, 0)]
)
def test_calls_after_a_wait(tier, wait, calls):
    """What has decayed by the last whole step of two seconds may be called again, and not a call more."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, tier=tier)
    for _ in range(15 if tier == "starter" else 20):
        bench.ok("Balance")
    bench.wait(wait)
    assert [(calls + 1, CALL_RATE)] == refusals(bench, "Balance", calls + 1)


def test_decay_of_calls_without_steps():
    """With a step of 0 the counter falls all the time."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, rest_decay_step_s=0)
    bench.ok("Balance")
    bench.wait(0.5)
    assert "0.75" == call_level(bench)


def test_refused_call_is_not_carried_out(bench):
    """A call refused for its rate does nothing but spend its nonce."""
    refusals(bench, "Balance", 20)
    key = bench.venue.keys.make("other", bench.key.permissions, now=bench.now)
    assert [CALL_RATE] == read(bench.ticket("GetWebSocketsToken", nonce=9000))["error"]
    assert {} == bench.venue.keys._tokens
    assert ["EAPI:Invalid nonce"] == read(bench.ticket("Balance", nonce=9000))["error"]
    assert [] == bench.private("Balance", key=key)["error"]


def test_calling_on_makes_it_worse(bench):
    """A refused call fills the counter up, so who keeps calling is let in later than who waits."""
    for _ in range(19):
        bench.ok("Balance")
    assert CALL_RATE == bench.error("TradesHistory")
    assert "20" == call_level(bench)
    bench.wait(1.9)
    assert CALL_RATE == bench.error("Balance")
    bench.wait(0.1)
    assert "19" == call_level(bench)


def test_orders_cost_a_key_nothing(bench):
    """With the call counter full, orders are placed and cancelled as ever."""
    refusals(bench, "Balance", 21)
    txid = bench.order(price="80000")
    bench.ok("CancelOrder", txid=txid)
    assert "20" == call_level(bench)


def test_each_key_has_its_own_counter(bench):
    """One key's full counter is no other's."""
    other = bench.venue.keys.make("other", bench.key.permissions, now=bench.now)
    refusals(bench, "Balance", 21)
    assert [] == bench.private("Balance", key=other)["error"]
    assert ("20", "1") == (call_level(bench), call_level(bench, other))


@pytest.mark.parametrize("wrong", [{"nonce": 1}, {"headers": {"api-sign": "x"}}, {"headers": {"api-key": "x"}}])
def test_unsigned_calls_cost_nothing(bench, wrong):
    """A call whose key, signature or nonce is wrong is charged to nobody."""
    bench.ok("Balance")
    assert "result" not in read(bench.ticket("Balance", **wrong))
    assert "1" == call_level(bench)


def test_forbidden_calls_cost_nothing(bench):
    """A call the key has no permission for is refused before it is charged."""
    key = bench.venue.keys.make("poor", ("query-funds",), now=bench.now)
    assert ["EGeneral:Permission denied"] == bench.private("OpenOrders", key=key)["error"]
    assert "0" == call_level(bench, key)


@pytest.mark.parametrize(("method", "params"), [("ClosedOrders", {"closetime": "never"}), ("QueryOrders", {})])
def test_wrong_arguments_cost_as_much(bench, method, params):
    """A call with arguments that cannot be read is charged like any other."""
    assert bench.error(method, **params).startswith("EGeneral:Invalid arguments")
    assert "1" == call_level(bench)


def test_public_calls_cost_nothing(bench):
    """Public calls count for no key."""
    bench.public("Time")
    assert "0" == call_level(bench)


# ---- the engine, by pair -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tier", "most"), [("starter", 60), ("intermediate", 125), ("pro", 180)])
def test_one_order_too_many(tier, most):
    """A pair takes as many orders at once as its threshold says; the next is refused and not placed."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3, tier=tier)
    takes = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.0001"}
    assert [(most + 1, ORDER_RATE)] == refusals(bench, "AddOrder", most + 1, **takes)
    assert most == bench.venue.orders.count


@pytest.mark.parametrize(("tier", "wait", "orders"), [("starter", 3, 3), ("intermediate", 5, 11), ("pro", 4, 15)])
def test_orders_after_a_wait(tier, wait, orders):
    """As the counter decays, whole points become orders again."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3, tier=tier)
    takes = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.0001"}
    assert [] == refusals(bench, "AddOrder", {"starter": 60, "intermediate": 125, "pro": 180}[tier], **takes)
    bench.wait(wait)
    assert [(orders + 1, ORDER_RATE)] == refusals(bench, "AddOrder", orders + 1, **takes)


@pytest.mark.parametrize(("step_s", "level"), [(1.0, "7.66"), (0, "6.49"), (0.5, "6.49"), (2.0, "10")])
def test_decay_of_orders_in_steps(step_s, level):
    """The engine's counter falls once a second, or as often as asked, or all the time."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3, engine_decay_step_s=step_s)
    refusals(bench, "AddOrder", 10, **RESTING)
    bench.wait(1.5)
    assert level == engine_level(bench)


@pytest.mark.parametrize(
    ("age", "cost"), [(0, 8), (4.9, 8), (5, 6), (10, 5), (15, 4), (44.9, 4), (45, 2), (90, 1), (299.9, 1), (300, 0)]
)
def test_cancel_costs_by_age(rich, age, cost):
    """A cancel costs less, the older the order."""
    txid = rich.order(price="80000", volume="0.001")
    rich.wait(age)
    rich.ok("CancelOrder", txid=txid)
    assert str(1 + cost) == engine_level(rich)


def test_age_counts_from_the_order_not_from_its_fills(rich):
    """A fill on the way makes an order no younger."""
    rich.book(bids=[("99.0", "1")], asks=[("101.0", "1")])
    txid = rich.order(price="100", volume="1")
    rich.wait(40)
    rich.take("sell", "0.5", "100.0")
    rich.wait(5)
    rich.ok("CancelOrder", txid=txid)
    assert "3" == engine_level(rich)


def test_each_cancelled_order_is_charged(rich):
    """A cancel by userref costs for every order it ends, by its own age."""
    for wait in (10, 5, 1):
        rich.order(price="80000", volume="0.001", userref="7")
        rich.wait(wait)
    assert 3 == rich.ok("CancelOrder", txid="7")["count"]
    assert str(3 + 4 + 6 + 8) == engine_level(rich)


def test_cancel_that_finds_nothing_costs_nothing(rich):
    """There is no age to charge for an order that has ended or never was."""
    txid = rich.order(ordertype="market", volume="0.001")
    assert "EOrder:Unknown order" == rich.error("CancelOrder", txid=txid)
    assert "EOrder:Invalid order" == rich.error("CancelOrder", txid="OPAPER-AAAAA-AAAAAA")
    assert "1" == engine_level(rich)


def test_cancel_is_never_refused(rich):
    """With the counter full every cancel still goes through, charged as far as there is room."""
    ids = [rich.order(price="80000", volume="0.001") for _ in range(40)]
    for txid in ids:
        rich.ok("CancelOrder", txid=txid)
    assert ("125", 0) == (engine_level(rich), len(rich.venue.orders.open_ones()))
    assert ORDER_RATE == rich.refuse(price="80000", volume="0.001")
    assert b"125" == bytes(rich.venue.quotas.pair_figures(BTC, rich.now, open_orders=0)["charged"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"volume": "0.00000001"},
        {"price": "80000.01"},
        {"price": "1", "volume": "0.001"},
        {"ordertype": "iceberg"},
        {"deadline": "2025-01-01T00:00:00Z"},
        {"volume": "100"},
        {"price": "2000000", "oflags": "post"},
    ],
)
def test_refused_orders_cost_a_point(rich, wrong):
    """An order is charged on receipt, whatever its arguments, the pair's rules or the engine say then."""
    assert rich.error("AddOrder", **(RESTING | wrong)) != ORDER_RATE
    assert ("1", 0) == (engine_level(rich), rich.venue.orders.count)


@pytest.mark.parametrize("params", [{"validate": "true"}, {"validate": "perhaps"}, {"pair": "GOLDUSD"}, {"pair": ""}])
def test_orders_that_never_reach_the_engine_cost_nothing(rich, params):
    """A dry run and an order for no pair are no order."""
    rich.private("AddOrder", **(RESTING | params))
    assert ("0", "0", 0) == (engine_level(rich), engine_level(rich, ETH), rich.venue.orders.count)


def test_stale_orders_cost_nothing(rich):
    """An order whose nonce is too low is not charged."""
    rich.order(price="80000", volume="0.001")
    assert ["EAPI:Invalid nonce"] == read(rich.ticket("AddOrder", RESTING, nonce=1))["error"]
    assert "1" == engine_level(rich)


def test_refused_for_its_rate_is_not_charged(rich):
    """What finds the counter full leaves it as it was, and its wrong arguments are not looked at."""
    takes = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.0001"}
    assert [(126, ORDER_RATE), (127, ORDER_RATE)] == refusals(rich, "AddOrder", 127, **takes)
    assert ORDER_RATE == rich.error("AddOrder", **(takes | {"volume": "-1"}))
    assert "125" == engine_level(rich)


def test_each_pair_has_its_own_counter(rich):
    """One pair's full counter is no other's, and all keys share it."""
    other = rich.venue.keys.make("other", rich.key.permissions, now=rich.now)
    takes = {"type": "buy", "ordertype": "market", "volume": "0.0001"}
    assert [] == refusals(rich, "AddOrder", 125, pair="XBTUSD", **takes)
    assert [ORDER_RATE] == rich.private("AddOrder", key=other, pair="XBTUSD", **takes)["error"]
    assert [] == rich.private("AddOrder", key=other, pair="ETHUSD", **(takes | {"volume": "0.01"}))["error"]
    assert ("125", "1") == (engine_level(rich), engine_level(rich, ETH))


def test_fills_and_expiries_cost_nothing(rich):
    """What happens to an order by itself is free: fills, remainders, expiry."""
    rich.book(bids=[("99.0", "1")], asks=[("101.0", "1")])
    rich.order(price="100", volume="1")
    rich.order(price="98", volume="1", timeinforce="GTD", expiretm="+10")
    rich.order(price="101", volume="5", timeinforce="IOC")
    rich.take("sell", "1", "100.0")
    rich.wait(11)
    assert ("3", []) == (engine_level(rich), rich.venue.orders.open_ones())


def test_order_is_charged_when_the_engine_gets_to_it(rich):
    """Held up on its way to the engine, an order is charged when it arrives there."""
    rich.exchange.fault(Fault(kind="slow_matching", ms=3000), rich.now)
    rich.ticket("AddOrder", RESTING)
    rich.wait(2.9)
    assert "0" == engine_level(rich)
    rich.wait(0.1)
    assert "1" == engine_level(rich)


# ---- open orders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tier", "most"), [("starter", 60), ("intermediate", 80), ("pro", 225)])
def test_one_open_order_too_many(tier, most):
    """A pair holds as many open orders as its tier allows; another is refused until one is gone."""
    bench = Bench(pairs=("BTC/USD", "ETH/USD"), warm_up_s=0, levels=3, tier=tier)
    ids = []
    for _ in range(most):
        ids.append(bench.order(**RESTING))
        bench.wait(1)
    assert ORDERS_LIMIT == bench.refuse(**RESTING)
    bench.order(**(RESTING | {"pair": "ETHUSD", "price": "1000", "volume": "0.01"}))
    bench.wait(10)
    bench.ok("CancelOrder", txid=ids[0])
    bench.order(**RESTING)
    assert (most, 1) == (bench.venue.orders.open_on(BTC), bench.venue.orders.open_on(ETH))


def test_open_orders_limit_costs_a_point():
    """An order for which there is no room has reached the engine and is charged."""
    bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3, engine_decay_step_s=10_000)
    assert [(81, ORDERS_LIMIT)] == refusals(bench, "AddOrder", 81, **RESTING)
    assert "81" == engine_level(bench)


# ---- mishaps -----------------------------------------------------------------------------------------------------


def test_wrong_clock_changes_no_counter():
    """Counters run on the owner's clock: neither decay nor ages care what the exchange's says."""
    levels = []
    for skew in (None, 3_600_000, -3_600_000):
        bench = Bench(pairs=("BTC/USD",), warm_up_s=0, levels=3)
        ids = [bench.order(**RESTING) for _ in range(20)]
        for _ in range(5):
            bench.ok("TradesHistory")
        if skew is not None:
            bench.exchange.fault(Fault(kind="clock_skew", ms=skew), bench.now)
        bench.wait(3)
        ids.append(bench.order(**RESTING))
        bench.ok("CancelOrder", txid=ids[0])
        bench.ok("Balance")
        bench.exchange.clear_faults(bench.now)
        bench.wait(6)
        bench.ok("CancelOrder", txid=ids[-1])
        bench.ok("Balance")
        levels.append((engine_level(bench), call_level(bench)))
    assert [("13.94", "8")] * 3 == levels


@pytest.mark.parametrize(
    ("error", "for_ms"),
    [("EGeneral:Temporary lockout", 900_000), (f"EService: Throttled: {START // 10**9 + 5}", 5000)],
)
def test_window_of_an_error(bench, error, for_ms):
    """A lockout or a throttling is an error that lasts: every private call meets it until its time is over."""
    bench.exchange.fault(Fault(kind="error", error=error, times="always", for_ms=for_ms), bench.now)
    assert (error, error) == (bench.error("Balance"), bench.refuse(price="80000"))
    assert [] == bench.public("Time")["error"]
    bench.wait(for_ms / 1000 - 0.001)
    assert error == bench.error("Balance")
    bench.wait(0.001)
    bench.ok("Balance")
    assert 0 == bench.venue.orders.count


def test_error_for_one_key_only(bench):
    """A mishap may be meant for one of the account's keys; the others go on."""
    other = bench.venue.keys.make("other", bench.key.permissions, now=bench.now)
    lockout = Fault(kind="error", key=bench.key.api_key, error="EGeneral:Temporary lockout", times="always")
    bench.exchange.fault(lockout, bench.now)
    assert [["EGeneral:Temporary lockout"], []] == [
        bench.private("Balance", key=key)["error"] for key in (bench.key, other)
    ]
