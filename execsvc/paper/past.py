"""The market before the exchange was started: candles and volumes of any age, made up on demand, the same each time.

Prices are the fair prices; cumulative volume is a rising function of time, so that volumes of any two intervals add
up exactly. Opens and closes of different candle lengths agree; highs and lows are sampled and agree closely.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .chance import knot, number
from .pairs import Pair
from .prices import Prices

_SAMPLES = 3
_WAVES_S = (60.0, 3_600.0, 86_400.0)
_SWING = 0.1  # of each wave's period; three of them keep the rate between a tenth and twice the mean
_WICK = 0.0004


@dataclass(slots=True)
class Candle:
    """Trades of one interval: prices in price units, `lots` traded, `cost` = Σ price × lots, `count` of trades."""

    start: int
    open: int
    high: int
    low: int
    close: int
    lots: int = 0
    cost: int = 0
    count: int = 0

    def add(self, price: int, lots: int) -> None:
        """Take in one trade."""
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.lots += lots
        self.cost += price * lots
        self.count += 1

    def then(self, later: "Candle") -> "Candle":
        """Return this candle followed by a later part of the same interval."""
        return Candle(
            self.start,
            self.open,
            max(self.high, later.high),
            min(self.low, later.low),
            later.close,
            self.lots + later.lots,
            self.cost + later.cost,
            self.count + later.count,
        )

    @property
    def vwap(self) -> int:
        """Return the volume-weighted price, rounded to the nearest unit; 0 without trades."""
        return (self.cost + self.lots // 2) // self.lots if self.lots else 0


class Past:
    """One pair's history up to `start_s`."""

    def __init__(
        self, pair: Pair, prices: Prices, *, seed: int, start_s: int, trades_per_s: float, mean: Callable[[], float]
    ) -> None:
        self._pair = pair
        self._prices = prices
        self._seed = seed
        self._start_s = start_s
        self._trades_per_s = trades_per_s
        self._mean_lots = mean
        self._seen: tuple[float, int] = (-1.0, 0)

    def price(self, second: float) -> int:
        """Return the price traded then, in price units."""
        if second != self._seen[0]:
            tick = self._pair.tick
            self._seen = second, max(tick, round(self._prices.fair(self._pair, second) / tick) * tick)
        return self._seen[1]

    def lots(self, since_s: float, until_s: float) -> int:
        """Return the lots traded in [since, until)."""
        return max(0, self._total(until_s) - self._total(since_s))

    def count(self, since_s: float, until_s: float) -> int:
        """Return the number of trades in [since, until)."""
        return max(0, int(self._total(until_s) / self._mean) - int(self._total(since_s) / self._mean))

    def candle(self, since_s: int, until_s: int) -> Candle:
        """Return the candle of [since, until)."""
        step = (until_s - since_s) / _SAMPLES
        seen = [self.price(since_s + step * part) for part in range(_SAMPLES + 1)]
        wick = abs(knot(self._wick, since_s)) * _WICK
        middle = sum(seen[:-1]) // _SAMPLES
        lots = self.lots(since_s, until_s)
        high, low = max(seen), min(seen)
        tick = self._pair.tick
        return Candle(
            start=since_s,
            open=seen[0],
            high=high + int(high * wick / tick) * tick,
            low=low - int(low * wick / tick) * tick,
            close=seen[-1],
            lots=lots,
            cost=lots * middle,
            count=max(self.count(since_s, until_s), 1 if lots else 0),
        )

    @cached_property
    def _mean(self) -> float:
        return self._mean_lots()

    @cached_property
    def _wick(self) -> int:
        return number(self._seed, "wick", self._pair.symbol)

    @cached_property
    def _salts(self) -> list[int]:
        return [number(self._seed, "past", self._pair.symbol, str(period)) for period in _WAVES_S]

    def _total(self, second: float) -> int:
        away = second - self._start_s
        swing = 0.0
        for salt, period in zip(self._salts, _WAVES_S, strict=True):
            place = second / period
            left = int(place // 1)
            part = place - left
            low, high = knot(salt, left), knot(salt, left + 1)
            swing += _SWING * period * (low + (high - low) * part * part * (3.0 - 2.0 * part))
        return int(self._mean * self._trades_per_s * (away + swing))
