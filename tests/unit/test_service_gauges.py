"""Gauges of counters and lanes: what is collected is what the venue's counters say at that moment."""

from decimal import Decimal

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import NoOpTracer

from execsvc.compose.gauges import watch_rates
from execsvc.ports import CounterKind, CounterState, LaneState
from execsvc.telemetry import Telemetry


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


def collected(venue):
    reader = InMemoryMetricReader()
    telemetry = Telemetry(NoOpTracer(), MeterProvider([reader]).get_meter("t"))
    watch_rates(telemetry, venue)

    def read():
        metrics = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        return {
            metric.name: {tuple(sorted(point.attributes.items())): point.value for point in metric.data.data_points}
            for metric in metrics
        }

    return read


def test_each_counter_is_a_point_by_scope_and_name():
    """Level, maximum, decay, headroom and reserve, as they are when somebody collects."""
    venue = Counted()
    read = collected(venue)
    venue.states = [state(CounterKind.REST_KEY, "main", "3.5"), state(CounterKind.ENGINE_PAIR, "BTC/USD", "119.4")]
    before = read()
    venue.states = [state(CounterKind.ENGINE_PAIR, "BTC/USD", "120")]
    rest, pair = (("name", "main"), ("scope", "rest")), (("name", "BTC/USD"), ("scope", "engine"))
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
    labels = {lane: (("key", "main"), ("lane", lane)) for lane in ("cancel", "trade", "read")}
    assert {labels["cancel"]: 0, labels["trade"]: 1, labels["read"]: 2} == told["execsvc.breaker.state"]
    assert {labels["cancel"]: 0, labels["trade"]: 3, labels["read"]: 40} == told["execsvc.lane.queue_depth"]
