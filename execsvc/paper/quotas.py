"""Every rate counter of one exchange, and what a full one leads to: calls by key, orders by pair, open orders by pair.

The account has one engine counter a pair, whichever key sends; each key has its own call counter. Everything takes
`now` on the owner's clock, so that a mishap with the exchange's changes no counter. What things cost is limits.py's.
"""

from typing import Any

import msgspec

from .figures import NS, stamp
from .limits import Action, Counter, Tier, age_cost, call_cost, fixed_cost, per_second, points
from .words import CALL_RATE, ORDER_RATE, ORDERS_LIMIT, Refused


class Quotas:
    """The counters, made when first looked at. Steps in seconds; 0 lets decay run without steps."""

    def __init__(self, tier: Tier, *, call_step_s: float, engine_step_s: float) -> None:
        self._tier = tier
        self._call_step = _step_ns(call_step_s)
        self._engine_step = _step_ns(engine_step_s)
        self._calls: dict[str, Counter] = {}
        self._engine: dict[str, Counter] = {}
        self._open_peaks: dict[str, int] = {}
        self._open_refused: dict[str, int] = {}

    def call(self, api_key: str, method: str, now: int) -> None:
        """Charge a private call to its key. One too many raises Refused and leaves the counter full."""
        units = call_cost(method)
        if not units:
            return
        counter = self._call_counter(api_key)
        if not counter.charge(units, now):
            counter.fill(now)
            raise Refused(CALL_RATE)

    def receive(self, action: Action, pair_id: str, now: int, *, orders: int = 1) -> None:
        """Charge the fixed part of an action on receipt; raises Refused, and charges nothing, past the threshold."""
        if not self._engine_counter(pair_id).charge(fixed_cost(action, orders=orders), now):
            raise Refused(ORDER_RATE)

    def change(self, action: Action, pair_id: str, now: int, *, age_ns: int) -> None:
        """Charge what changing an order of that age costs on top; raises Refused, charging nothing, past the threshold."""
        if not self._engine_counter(pair_id).charge(age_cost(action, age_ns), now):
            raise Refused(ORDER_RATE)

    def cancel(self, pair_id: str, now: int, *, age_ns: int, action: Action = "cancel") -> None:
        """Charge the cancel of an order of that age. A cancel is never refused: what does not fit is not charged."""
        self._engine_counter(pair_id).charge_what_fits(age_cost(action, age_ns), now)

    def check_room(self, pair_id: str, open_orders: int) -> None:
        """Raise Refused when a pair with so many open orders may not have another."""
        if open_orders >= self._tier.open_max:
            self._open_refused[pair_id] = self._open_refused.get(pair_id, 0) + 1
            raise Refused(ORDERS_LIMIT)

    def note_open(self, pair_id: str, open_orders: int) -> None:
        """Note that a pair now has so many open orders, the one just accepted among them."""
        if open_orders > self._open_peaks.get(pair_id, 0):
            self._open_peaks[pair_id] = open_orders

    def level(self, pair_id: str, now: int) -> int:
        """Return the level of a pair's engine counter, in units of limits.POINT."""
        return self._engine_counter(pair_id).level(now)

    def restart(self, now: int, open_orders: dict[str, int]) -> None:
        """Set all figures back and begin to measure anew. Levels stay; `open_orders` are those of each pair now."""
        for counter in (*self._calls.values(), *self._engine.values()):
            counter.restart(now)
        self._open_peaks = dict(open_orders)
        self._open_refused.clear()

    def call_figures(self, api_key: str, now: int) -> dict[str, Any]:
        """Return the figures of a key's call counter."""
        return _figures(self._call_counter(api_key), now)

    def pair_figures(self, pair_id: str, now: int, *, open_orders: int) -> dict[str, Any]:
        """Return the figures of a pair's engine counter and of its open orders."""
        return _figures(self._engine_counter(pair_id), now) | {
            "open_orders": open_orders,
            "open_peak": self._open_peaks.get(pair_id, 0),
            "open_refused": self._open_refused.get(pair_id, 0),
            "max_open_orders": self._tier.open_max,
        }

    def _call_counter(self, api_key: str) -> Counter:
        counter = self._calls.get(api_key)
        if counter is None:
            tier = self._tier
            counter = Counter(points_max=tier.call_max, decay=tier.call_decay, step_ns=self._call_step)
            self._calls[api_key] = counter
        return counter

    def _engine_counter(self, pair_id: str) -> Counter:
        counter = self._engine.get(pair_id)
        if counter is None:
            tier = self._tier
            counter = Counter(points_max=tier.engine_max, decay=tier.engine_decay, step_ns=self._engine_step)
            self._engine[pair_id] = counter
        return counter


def _step_ns(step_s: float) -> int:
    return max(1, round(step_s * NS))


def figure(text: str) -> msgspec.Raw:
    """Return a figure as a JSON number, with just these digits."""
    return msgspec.Raw(text.encode())


def _figures(counter: Counter, now: int) -> dict[str, Any]:
    return {
        "level": figure(points(counter.level(now))),
        "max": figure(points(counter.cap)),
        "decay_per_second": figure(per_second(counter.decay)),
        "peak": figure(points(counter.peak)),
        "charged": figure(points(counter.charged)),
        "refused": counter.refused,
        "utilisation": round(counter.utilisation(now), 6),
        "since": None if counter.since is None else stamp(counter.since),
    }
