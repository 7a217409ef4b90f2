"""Gauges of Kraken's counters and of the lanes, read when somebody collects the metrics.

They only look: nothing is asked of Kraken for them. Counters and histograms are told by the rooms themselves (telemetry.py).
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from execsvc.ports import CounterKind, CounterState, PrivateVenue
from execsvc.telemetry import Telemetry

BREAKERS = {"closed": 0, "probing": 1, "open": 2}
Figure = tuple[float, Mapping[str, str]]


def watch_rates(telemetry: Telemetry, venue: PrivateVenue) -> None:
    """Registers them for one account."""

    def figures(of: Callable[[CounterState], Decimal]) -> Callable[[], Iterable[Figure]]:
        return lambda: [_point(of(state), state) for state in venue.rates.counters(())]

    telemetry.watch("execsvc.rate.counter", "Points used, as counted here: never below Kraken's.", figures(_level))
    telemetry.watch("execsvc.rate.counter_max", "Points that Kraken allows.", figures(_maximum))
    telemetry.watch("execsvc.rate.decay_per_second", "Points that vanish each second.", figures(_decay))
    telemetry.watch("execsvc.rate.reserve", "Points that reads leave for resolving.", figures(_reserve))
    telemetry.watch("execsvc.rate.headroom", "Points that may be used now.", figures(_headroom))
    telemetry.watch(
        "execsvc.breaker.state",
        "0 closed, 1 probing, 2 open, by lane.",
        lambda: [(BREAKERS[lane.breaker], {"key": lane.key_label, "lane": lane.lane}) for lane in venue.lanes()],
    )
    telemetry.watch(
        "execsvc.lane.queue_depth",
        "Calls that wait for a turn, by lane.",
        lambda: [(lane.queue_depth, {"key": lane.key_label, "lane": lane.lane}) for lane in venue.lanes()],
    )


def _point(points: Decimal, state: CounterState) -> Figure:
    scope = "rest" if state.kind is CounterKind.REST_KEY else "engine"
    return round(float(points), 6), {"scope": scope, "name": state.name}  # seconds: no, points of a counter; no money


def _level(state: CounterState) -> Decimal:
    return state.level


def _maximum(state: CounterState) -> Decimal:
    return state.maximum


def _decay(state: CounterState) -> Decimal:
    return state.decay_per_s


def _reserve(state: CounterState) -> Decimal:
    return state.reserve


def _headroom(state: CounterState) -> Decimal:
    return state.headroom
