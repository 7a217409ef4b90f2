"""Gauges of Kraken's counters, of the lanes, the keys and the trading modes, read when somebody collects the metrics.

They only look: nothing is asked of Kraken for them. Counters and histograms are told by the rooms themselves (telemetry.py).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from execsvc.app.modeskept import AccountModes
from execsvc.app.standing import Standing
from execsvc.domain.keycheck import days_left
from execsvc.domain.modes import Scope
from execsvc.ports import Clock, CounterKind, CounterState, LaneState, PrivateVenue
from execsvc.telemetry import Telemetry

MODE_SCOPES = ("everything", "account", "part")
BREAKERS = {"closed": 0, "probing": 1, "open": 2}
Figure = tuple[float, Mapping[str, str]]


def watch_rates(telemetry: Telemetry, venues: Mapping[str, PrivateVenue]) -> None:
    """Registers them for the venue of every account: a gauge can be registered once only."""

    def figures(of: Callable[[CounterState], Decimal]) -> Callable[[], Iterable[Figure]]:
        return lambda: [
            _point(of(state), state, account) for account, venue in venues.items() for state in venue.rates.counters(())
        ]

    def lanes() -> Sequence[tuple[str, LaneState]]:
        return [(account, lane) for account, venue in venues.items() for lane in venue.lanes()]

    telemetry.watch("execsvc.rate.counter", "Points used, as counted here: never below Kraken's.", figures(_level))
    telemetry.watch("execsvc.rate.counter_max", "Points that Kraken allows.", figures(_maximum))
    telemetry.watch("execsvc.rate.decay_per_second", "Points that vanish each second.", figures(_decay))
    telemetry.watch("execsvc.rate.reserve", "Points that reads leave for resolving.", figures(_reserve))
    telemetry.watch("execsvc.rate.headroom", "Points that may be used now.", figures(_headroom))
    telemetry.watch(
        "execsvc.breaker.state",
        "0 closed, 1 probing, 2 open, by lane.",
        lambda: [(BREAKERS[lane.breaker], _of_lane(account, lane)) for account, lane in lanes()],
    )
    telemetry.watch(
        "execsvc.lane.queue_depth",
        "Calls that wait for a turn, by lane.",
        lambda: [(lane.queue_depth, _of_lane(account, lane)) for account, lane in lanes()],
    )


def watch_keys(telemetry: Telemetry, accounts: Mapping[str, Standing], clock: Clock) -> None:
    """Registers how long each account's key is still good; a key without an end has no point."""

    def left() -> Iterable[Figure]:
        ends = ((account, standing.key().valid_until_ns) for account, standing in accounts.items())
        return [(days_left(end, clock.wall_ns()), {"account": account}) for account, end in ends if end is not None]

    telemetry.watch("execsvc.key.days_left", "Days until the API key expires, where Kraken told an end.", left)


def watch_modes(telemetry: Telemetry, accounts: Mapping[str, AccountModes]) -> None:
    """Registers how strict the modes in force are, by account and by what they are for: always three points an account."""

    def ranks() -> Iterable[Figure]:
        for account, modes in accounts.items():
            strictest = dict.fromkeys(MODE_SCOPES, 0)
            for entry in modes.entries:
                kind = _kind(entry.scope)
                strictest[kind] = max(strictest[kind], entry.mode.rank)
            for kind, rank in strictest.items():
                yield rank, {"account": account, "scope": kind}

    what = "The strictest trading mode in force: 0 normal, 1 reduce-only, 2 cancel-only, 3 halted."
    telemetry.watch("execsvc.trading.mode", what, ranks)


def _kind(scope: Scope) -> str:
    """Everybody on every account, everybody on this one, or some of its orders only: no names, of which there is no end."""
    if scope.everything:
        return "everything"
    return "part" if scope.caller or scope.symbol else "account"


def _of_lane(account: str, lane: LaneState) -> Mapping[str, str]:
    return {"account": account, "key": lane.key_label, "lane": lane.lane}


def _point(points: Decimal, state: CounterState, account: str) -> Figure:
    scope = "rest" if state.kind is CounterKind.REST_KEY else "engine"
    labels = {"account": account, "scope": scope, "name": state.name}
    return round(float(points), 6), labels  # seconds: no, points of a counter; no money


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
