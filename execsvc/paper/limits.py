"""Kraken's two rate counters as this exchange reads them: figures by tier, the cost of every call, and one exact counter.

Read from Kraken's pages "Spot REST rate limits" and "Spot trading rate limits": both counters start at zero, rise with
what is done and decay with time. Whose counters there are, and what a full one leads to, is quotas.py's. Pure and
integer: a unit is 10^-11 of a point, so that a decay of 0.01 a second is one unit a nanosecond.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from .figures import NS, fixed

POINT = 10**11
_POINT_DECIMALS = 11
_RATE_DECIMALS = 2

Action = Literal["add", "amend", "edit", "cancel", "batch_add", "batch_cancel"]


@dataclass(frozen=True, slots=True)
class Tier:
    """What an account of one verification tier may do. Maxima in points, decays in hundredths of a point a second."""

    call_max: int
    call_decay: int
    engine_max: int
    engine_decay: int
    open_max: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What an action costs in the engine, per order: the fixed part in units, the other in points by age column."""

    fixed: int
    by_age: tuple[int, int, int, int, int, int, int] = (0, 0, 0, 0, 0, 0, 0)


_ENDLESS = 10**9
TIERS: Mapping[str, Tier] = MappingProxyType(
    {
        "starter": Tier(call_max=15, call_decay=33, engine_max=60, engine_decay=100, open_max=60),
        "intermediate": Tier(call_max=20, call_decay=50, engine_max=125, engine_decay=234, open_max=80),
        "pro": Tier(call_max=20, call_decay=100, engine_max=180, engine_decay=375, open_max=225),
        # Ours, not Kraken's: everything is counted and nothing refused, for load.
        "unlimited": Tier(
            call_max=_ENDLESS,
            call_decay=100 * _ENDLESS,
            engine_max=_ENDLESS,
            engine_decay=100 * _ENDLESS,
            open_max=_ENDLESS,
        ),
    }
)

# Points a private call costs its key. The trading counter is there for orders; what is not listed costs 1. Kraken names
# "ledger and trade history" for 2 and leaves ClosedOrders and QueryTrades unclear: 1 here.
_CALL_COSTS: Mapping[str, int] = MappingProxyType(
    {
        "AddOrder": 0,
        "AddOrderBatch": 0,
        "AmendOrder": 0,
        "EditOrder": 0,
        "CancelOrder": 0,
        "CancelOrderBatch": 0,
        "Ledgers": 2,
        "QueryLedgers": 2,
        "TradesHistory": 2,
    }
)

_AGES_NS = tuple(seconds * NS for seconds in (5, 10, 15, 45, 90, 300))  # the age columns: younger than each, or older
_ENGINE_COSTS: Mapping[Action, Cost] = MappingProxyType(
    {
        "add": Cost(POINT),
        "amend": Cost(POINT, (3, 2, 1, 0, 0, 0, 0)),
        "edit": Cost(POINT, (6, 5, 4, 2, 1, 0, 0)),
        "cancel": Cost(0, (8, 6, 5, 4, 2, 1, 0)),
        "batch_add": Cost(POINT // 2),
        "batch_cancel": Cost(0, (8, 6, 5, 4, 2, 1, 0)),
    }
)


def call_cost(method: str) -> int:
    """Return the units a private REST call costs its key."""
    return _CALL_COSTS.get(method, 1) * POINT


def fixed_cost(action: Action, *, orders: int = 1) -> int:
    """Return the units charged when the engine receives an action on that many orders, whatever comes of it."""
    return _ENGINE_COSTS[action].fixed * orders


def age_cost(action: Action, age_ns: int) -> int:
    """Return the units charged on top for one order that was made, or last amended, so long ago."""
    return _ENGINE_COSTS[action].by_age[bisect_right(_AGES_NS, age_ns)] * POINT


def points(units: int) -> str:
    """Print units as points, exactly and without idle zeros: 3.66."""
    return _trimmed(fixed(units, _POINT_DECIMALS))


def per_second(decay: int) -> str:
    """Print a decay as points a second: 2.34."""
    return _trimmed(fixed(decay, _RATE_DECIMALS))


class Counter:
    """A level that charges raise and time lowers, never below zero; units and ns, on a clock that does not go back.

    Decay comes in whole steps, at the multiples of `step_ns` on that clock; a step of 1 ns is as good as none.
    `since` is when the measured window began: at the first use, or at the last `restart`. Within it `peak` is the highest
    level, `charged` what charges really raised the counter by, and `refused` how many found no room.
    """

    __slots__ = ("_at", "_idle_room", "_level", "_lost", "_step", "cap", "charged", "decay", "peak", "refused", "since")

    def __init__(self, *, points_max: int, decay: int, step_ns: int) -> None:
        self.cap = points_max * POINT
        self.decay = decay
        self.since: int | None = None
        self.peak = 0
        self.charged = 0
        self.refused = 0
        self._step = step_ns
        self._lost = decay * step_ns
        self._level = 0
        self._at = 0
        self._idle_room = self.cap

    def level(self, now: int) -> int:
        """Return what is left of the charges by now."""
        if now > self._at:
            if self._level:
                self._level = max(0, self._level - (now // self._step - self._at // self._step) * self._lost)
            self._at = now
        return self._level

    def charge(self, units: int, now: int) -> bool:
        """Charge if there is room for all of it; tells whether there was. Nothing is charged otherwise."""
        if self.level(now) + units > self.cap:
            self._use(now)
            self.refused += 1
            return False
        self._raise(units, now)
        return True

    def charge_what_fits(self, units: int, now: int) -> None:
        """Charge as much of it as there is room for."""
        self._raise(min(units, self.cap - self.level(now)), now)

    def fill(self, now: int) -> None:
        """Put the counter at its maximum. That is a penalty and no charge."""
        self._use(now)
        self.level(now)
        self._level = self.peak = self.cap

    def utilisation(self, now: int) -> float:
        """Return what was charged in the window as a share of all that could have been: its first room and the decay."""
        if self.since is None:
            return 0.0
        could = self._idle_room + self.decay * (now - self.since)
        return self.charged / could if could else 0.0

    def restart(self, now: int) -> None:
        """Begin a new window; the level stays. A counter that was never used goes on waiting for its first use."""
        if self.since is None:
            return
        level = self.level(now)
        self.since, self._idle_room = now, self.cap - level
        self.peak, self.charged, self.refused = level, 0, 0

    def _use(self, now: int) -> None:
        if self.since is None:
            self.since = now

    def _raise(self, units: int, now: int) -> None:
        if self.since is None:
            self.since = now
        self._level += units
        self.charged += units
        self.peak = max(self.peak, self._level)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
