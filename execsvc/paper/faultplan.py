"""The armed mishaps of one exchange: whom each strikes, how often still, and what it draws.

The plan only says what is to happen: the exchange carries it out. Every fault has a stream of chance of its own, so
arming another one shifts nothing; what an index owes an order depends on fault and order only, not on who asks when.
"""

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

import msgspec

from .chance import number
from .figures import NS
from .mishap import LASTING, UNHURT, Fate, Fault, IndexName, Kind

_MS = NS // 1000
_FAULTS_MAX = 1000
_WHOLE = 1 << 64
_ANY_NUMBER = 1 << 62


class _Armed:
    """A fault with what is left of it. `accepted` is how many orders there were before it."""

    def __init__(self, fault: Fault, now: int, *, seed: int, accepted: int) -> None:
        self.fault = fault
        self.left = _occasions(fault)
        self.skip = fault.skip
        self.until = None if fault.for_ms is None else now + fault.for_ms * _MS
        self._seed = seed
        self._rng = Random(seed)
        self._accepted = accepted
        self.skew = self.draw() if fault.kind == "clock_skew" else 0

    def over(self, now: int) -> bool:
        """Tell whether it will never strike again."""
        return self.left == 0 or (self.until is not None and now >= self.until)

    def strikes(self, now: int) -> bool:
        """Tell whether it strikes this occasion, and count it."""
        if self.over(now) or (self.fault.rate < 1.0 and self._rng.random() >= self.fault.rate):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.left is not None:
            self.left -= 1
        return True

    def draw(self) -> int:
        """Return ns, drawn from the fault's span."""
        fault = self.fault
        return fault.ms * _MS + (self._rng.randrange(fault.spread_ms * _MS + 1) if fault.spread_ms else 0)

    @property
    def draw_max(self) -> int:
        """Return the most it can draw, in ns."""
        return (self.fault.ms + self.fault.spread_ms) * _MS

    def owes(self, index: IndexName, order_id: str, serial: int) -> int:
        """Return how far, in ns, this index is behind for this order; the same whenever it is asked."""
        fault = self.fault
        if fault.index not in ("", index) or not self._means(serial):
            return 0
        if fault.rate < 1.0 and number(self._seed, order_id) >= fault.rate * _WHOLE:
            return 0
        spread = fault.spread_ms * _MS
        return fault.ms * _MS + (number(self._seed, order_id, index) % (spread + 1) if spread else 0)

    def remaining(self, accepted: int) -> int | None:
        """Return how often it will still strike; None means until cleared."""
        if self.fault.kind != "index_lag":
            return self.left
        if not isinstance(self.fault.times, int):
            return None
        gone = max(0, accepted - self._accepted - self.fault.skip)
        return max(0, self.fault.times - gone)

    def _means(self, serial: int) -> bool:
        times, skip = self.fault.times, self.fault.skip
        if not isinstance(times, int) and not skip:
            return True
        first = self._accepted + skip
        return first <= serial < first + (times if isinstance(times, int) else _ANY_NUMBER)


class FaultPlan:
    """All armed faults of one exchange; `accepted` says how many orders it has accepted so far."""

    def __init__(self, rng: Random, accepted: Callable[[], int] = lambda: 0) -> None:
        self._rng = rng
        self._accepted = accepted
        self._armed: list[_Armed] = []

    @property
    def calm(self) -> bool:
        """Tell whether nothing at all is armed."""
        return not self._armed

    def add(self, fault: Fault, now: int) -> None:
        """Arm a fault; a full plan (1000) raises ValueError."""
        self._armed = [armed for armed in self._armed if not armed.over(now)]
        if len(self._armed) >= _FAULTS_MAX:
            raise ValueError(f"{_FAULTS_MAX} faults are armed already; clear some first")
        self._armed.append(_Armed(fault, now, seed=self._rng.getrandbits(64), accepted=self._accepted()))

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def listed(self, now: int) -> list[dict[str, object]]:
        """Return the armed faults and how often each will still strike."""
        return [
            {"fault": msgspec.to_builtins(armed.fault), "left": armed.remaining(self._accepted())}
            for armed in self._armed
            if not armed.over(now)
        ]

    def fate(self, call: str, now: int, *, private: bool, key: str = "") -> Fate:
        """Decide what happens to a request, and count it; `key` is the API key it names."""
        fate = UNHURT
        for armed in self._armed:
            fault = armed.fault
            if fault.kind in _HARMS and fault.concerns(call, private=private, key=key) and armed.strikes(now):
                fate = msgspec.structs.replace(fate, **_HARMS[fault.kind](armed, fate))
        return fate

    def frozen(self, symbol: str, channel: str, now: int) -> bool:
        """Tell whether this symbol's news is withheld on this channel."""
        return any(
            armed.fault.kind == "feed_frozen" and not armed.over(now) and _about(armed.fault, channel, symbol)
            for armed in self._armed
        )

    def silent(self, line: str, now: int) -> bool:
        """Tell whether nothing at all is sent on lines of this kind."""
        return any(
            armed.fault.kind == "feed_silent" and not armed.over(now) and armed.fault.line in ("", line)
            for armed in self._armed
        )

    def lagging(self, now: int) -> int:
        """Return the longest time, in ns, that any index may be behind the engine; 0 when none is."""
        return max((armed.draw_max for armed in self._lags(now)), default=0)

    def lag(self, index: IndexName, order_id: str, serial: int, now: int) -> int:
        """Return how far, in ns, an index is behind the engine for one order, the `serial`th that was accepted."""
        return max((armed.owes(index, order_id, serial) for armed in self._lags(now)), default=0)

    def skew(self, now: int) -> int:
        """Return how far, in ns, the exchange's clock is ahead of its owner's: by the fault armed last."""
        skews = [armed.skew for armed in self._armed if armed.fault.kind == "clock_skew" and not armed.over(now)]
        return skews[-1] if skews else 0

    def strikes(self, kind: Kind, now: int, *, line: str = "", channel: str = "", symbol: str = "") -> bool:
        """Tell whether a counted fault strikes this message or line, and count it."""
        return any(
            armed.fault.kind == kind
            and armed.fault.line in ("", line)
            and _about(armed.fault, channel, symbol)
            and armed.strikes(now)
            for armed in self._armed
        )

    def _lags(self, now: int) -> Iterator[_Armed]:
        return (armed for armed in self._armed if armed.fault.kind == "index_lag" and not armed.over(now))


def _occasions(fault: Fault) -> int | None:
    """Return how often a fault may strike; None means until cleared."""
    if fault.kind in LASTING:
        return None
    return fault.times if isinstance(fault.times, int) else None if fault.times else 1


def _about(fault: Fault, channel: str, symbol: str) -> bool:
    return fault.channel in ("", channel) and fault.symbol in ("", symbol)


def _delay(armed: _Armed, fate: Fate) -> Mapping[str, Any]:
    stage = armed.fault.when if armed.fault.kind == "delay" else "before"
    return {stage: getattr(fate, stage) + armed.draw()}


# What a fault changes in the fate of a request it strikes.
_HARMS: Mapping[Kind, Callable[[_Armed, Fate], Mapping[str, Any]]] = {
    "request_lost": lambda _armed, _fate: {"lost": True},
    "reply_lost_after_apply": lambda _armed, _fate: {"cut": True},
    "bad_gateway": lambda armed, _fate: {"page": armed.fault.http_status, "applied": armed.fault.applied},
    "error": lambda armed, _fate: {"error": armed.fault.error, "applied": armed.fault.applied},
    "nonce_refused": lambda armed, _fate: {"nonce": "spent" if armed.fault.spent else "kept"},
    "duplicate": lambda armed, _fate: {"copy": armed.draw(), "second": armed.fault.answer == "second"},
    "delay": _delay,
    "slow_matching": _delay,
}
