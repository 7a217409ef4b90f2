"""Gauges of counters and lanes: what is collected is what the venue's counters say at that moment."""

from decimal import Decimal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracer

from execsvc.app.keywatch import KeyStanding
from execsvc.compose.gauges import watch_keys, watch_modes, watch_rates
from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.ports import CounterKind, CounterState, LaneState
from execsvc.telemetry import Telemetry
from tests.support.simloop import SimClock, run_sim


class Counted:
    """A venue with counters and lanes that a test sets."""

    def __init__(self):
        self.rates = self
        self.states, self.rows = [], []

    def counters(self, symbols):
        assert symbols == ()
        return tuple(self.states)

    def lanes(self):
        return tuple(self.rows)


def state(kind, name, level):
    return CounterState(
        kind=kind,
        name=name,
        level=Decimal(level),
        maximum=Decimal(125),
        decay_per_s=Decimal("2.34"),
        headroom=Decimal(8),
        reserve=Decimal(6) if kind is CounterKind.REST_KEY else Decimal(0),
    )


def collected(venue, **more):
    reader = InMemoryMetricReader()
    telemetry = Telemetry(NoOpTracer(), MeterProvider([reader]).get_meter("t"))
    watch_rates(telemetry, {"main": venue, **more})

    return lambda: points(reader)


def points(reader):
    metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
    return {
        metric.name: {tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points}
        for metric in metrics
    }


def test_each_counter_is_a_point_by_scope_and_name():
    """Level, maximum, decay, headroom and reserve, as they are when somebody collects."""
    venue = Counted()
    read = collected(venue)
    venue.states = [state(CounterKind.REST_KEY, "main", "3.5"), state(CounterKind.ENGINE_PAIR, "BTC/USD", "119.4")]
    before = read()
    venue.states = [state(CounterKind.ENGINE_PAIR, "BTC/USD", "120")]
    main = ("account", "main")
    rest, pair = (main, ("name", "main"), ("scope", "rest")), (main, ("name", "BTC/USD"), ("scope", "engine"))
    assert {rest: 3.5, pair: 119.4} == before["execsvc.rate.counter"]
    assert {rest: 125.0, pair: 125.0} == before["execsvc.rate.counter_max"]
    assert {rest: 6.0, pair: 0.0} == before["execsvc.rate.reserve"]
    assert {rest: 2.34, pair: 2.34} == before["execsvc.rate.decay_per_second"]
    assert {rest: 8.0, pair: 8.0} == before["execsvc.rate.headroom"]
    assert {pair: 120.0} == read()["execsvc.rate.counter"]


def test_each_lane_shows_its_breaker_and_its_queue():
    """0 closed, 1 probing, 2 open."""
    venue = Counted()
    venue.rows = [
        LaneState("main", lane, breaker, depth, None, stopped=False)
        for lane, breaker, depth in (("cancel", "closed", 0), ("trade", "probing", 3), ("read", "open", 40))
    ]
    told = collected(venue)()
    labels = {lane: (("account", "main"), ("key", "main"), ("lane", lane)) for lane in ("cancel", "trade", "read")}
    assert {labels["cancel"]: 0, labels["trade"]: 1, labels["read"]: 2} == told["execsvc.breaker.state"]
    assert {labels["cancel"]: 0, labels["trade"]: 3, labels["read"]: 40} == told["execsvc.lane.queue_depth"]


class Standing:
    """An account of which only the key is known."""

    def __init__(self, valid_until_ns):
        self.key = lambda: KeyStanding(valid_until_ns)


def test_a_key_with_an_end_counts_its_days():
    """By account; a key without an end has no point, and one that is past goes below zero."""
    clock = SimClock()
    reader = InMemoryMetricReader()
    telemetry = Telemetry(NoOpTracer(), MeterProvider([reader]).get_meter("t"))
    ends = {"main": clock.EPOCH_NS + 36 * 3600 * 10**9, "desk": None, "old": clock.EPOCH_NS - 12 * 3600 * 10**9}
    accounts = {name: Standing(end) for name, end in ends.items()}

    async def read():
        watch_keys(telemetry, accounts, clock)
        return points(reader)["execsvc.key.days_left"]

    assert {(("account", "main"),): 1.5, (("account", "old"),): -0.5} == run_sim(read())


class Modes:
    """An account of which only the trading modes are known."""

    def __init__(self, *pairs):
        self.entries = [ModeEntry(scope, mode, "news", "ops", 1) for scope, mode in pairs]


def test_the_strictest_mode_shows_by_what_it_is_for():
    """For everybody, for an account, for some of its orders; NORMAL is 0, so that an alarm always has a figure."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(NoOpTracer(), MeterProvider([reader]).get_meter("t"))
    everything = (Scope(everything=True), TradingMode.REDUCE_ONLY)
    accounts = {
        "main": Modes(
            everything,
            (Scope("main"), TradingMode.CANCEL_ONLY),
            (Scope("main", caller="bot"), TradingMode.HALTED),
            (Scope("main", symbol="BTC/USD"), TradingMode.REDUCE_ONLY),
        ),
        "desk": Modes(everything),
        "quiet": Modes(),
    }
    watch_modes(telemetry, accounts)

    def told():
        figures = points(reader)["execsvc.trading.mode"]
        names = ("everything", "account", "part")
        return {
            account: [figures[("account", account), ("scope", name)] for name in names] for account in accounts
        }, len(figures)

    assert ({"main": [1, 2, 3], "desk": [1, 0, 0], "quiet": [0, 0, 0]}, 9) == told()
    accounts["main"].entries.clear()
    assert [0, 0, 0] == told()[0]["main"]


def test_two_accounts_count_apart():
    """One gauge, a point for each account: what one has used says nothing of the other."""
    one, other = Counted(), Counted()
    one.states = [state(CounterKind.ENGINE_PAIR, "BTC/USD", "7")]
    other.states = [state(CounterKind.ENGINE_PAIR, "BTC/USD", "9")]
    told = collected(one, desk=other)()["execsvc.rate.counter"]
    pair = (("name", "BTC/USD"), ("scope", "engine"))
    assert {(("account", "main"), *pair): 7.0, (("account", "desk"), *pair): 9.0} == told
