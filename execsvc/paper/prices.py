"""What a thing is worth at any instant: a pure function of seed and time, past and future alike.

Each asset's price in USD moves along layered value noise: waves from a year down to fifteen seconds, each with a
bounded amplitude. So a price wanders as prices do, always comes back, never reaches zero, and the candles of ten
years ago end exactly in the market of now. Pairs are ratios of assets: triangles close. Floats are fine here: this
is the makers' opinion, and becomes whole ticks before it touches the book.
"""

from dataclasses import dataclass
from math import exp, floor, log, sqrt

from .chance import knot, number
from .figures import NS
from .pairs import Pair

_DAY_S = 86_400.0
_PERIODS_S = (365 * _DAY_S, 45 * _DAY_S, 5.7 * _DAY_S, 61_200.0, 7_600.0, 950.0, 120.0, 15.0)
_NO_CELL = -(1 << 62)
_DAILY = 0.022  # a typical day's move, as a fraction


@dataclass(frozen=True, slots=True)
class Worth:
    """An asset's start price in USD, its share of the common market wave, and the size of its own waves."""

    usd: float
    common: float
    own: float


WORTHS = {
    "XXBT": Worth(97_000.0, 1.0, 0.15),
    "XETH": Worth(3_400.0, 1.0, 0.6),
    "SOL": Worth(190.0, 1.0, 0.9),
    "XXRP": Worth(2.35, 0.8, 1.0),
    "ADA": Worth(0.92, 0.9, 1.0),
    "XXDG": Worth(0.36, 0.9, 1.1),
    "XLTC": Worth(104.0, 0.8, 0.7),
    "DOT": Worth(7.1, 0.9, 0.9),
    "ZUSD": Worth(1.0, 0.0, 0.0),
    "ZEUR": Worth(1.05, 0.0, 0.15),
    "USDT": Worth(1.0, 0.0, 0.01),
}


class Wave:
    """Layered value noise: `at(t)` is smooth and bounded, and depends on nothing but seed, name and t."""

    def __init__(self, seed: int, name: str, *, daily: float) -> None:
        self._layers = tuple(
            (period, 0.5 * daily * sqrt(period / _DAY_S), number(seed, "wave", name, str(layer)))
            for layer, period in enumerate(_PERIODS_S)
        )
        # The lattice cell each layer was last asked for: its index and the values at its two ends.
        self._cells = [(_NO_CELL, 0.0, 0.0)] * len(_PERIODS_S)

    def at(self, second: float) -> float:
        """Return the sum of all waves at that second since the epoch."""
        total = 0.0
        cells = self._cells
        for layer, (period, size, salt) in enumerate(self._layers):
            place = second / period
            index = floor(place)
            cell = cells[layer]
            if cell[0] != index:
                left = cell[2] if cell[0] == index - 1 else knot(salt, index)
                cell = cells[layer] = (index, left, knot(salt, index + 1))
            part = place - index
            total += size * (cell[1] + (cell[2] - cell[1]) * part * part * (3.0 - 2.0 * part))
        return total


class Prices:
    """The fair price of every pair at every instant. At `start` each is the table's. Waves are made when asked for."""

    def __init__(self, seed: int, start: int) -> None:
        self._seed = seed
        self._then = start / NS
        self._waves: dict[str, Wave] = {}
        self._base: dict[str, float] = {}
        self._shift: dict[str, float] = {}
        self._memo: dict[str, tuple[float, float]] = {}

    def fair(self, pair: Pair, second: float) -> float:
        """Return the pair's fair price at that second, in price units (10^-pair_decimals)."""
        away = self._log_usd(pair.base.id, second) - self._log_usd(pair.quote.id, second)
        return float(exp(away + self._shift.get(pair.id, 0.0)) * 10**pair.pair_decimals)

    def rebase(self, pair: Pair, price: int, second: float) -> None:
        """Let the pair be worth `price` (price units) at that second and wander from there."""
        self._shift[pair.id] = self._shift.get(pair.id, 0.0) + log(price / self.fair(pair, second))

    def usd(self, asset: str, second: float) -> float:
        """Return what one whole unit of the asset is worth in USD at that second."""
        return exp(self._log_usd(asset, second))

    def _log_usd(self, asset: str, second: float) -> float:
        kept = self._memo.get(asset)
        if kept is not None and kept[0] == second:
            return kept[1]
        base = self._base.get(asset)
        if base is None:
            common, own = self._away(asset, self._then)
            base = self._base[asset] = log(WORTHS[asset].usd) - common - own
        common, own = self._away(asset, second)
        value = base + common + own
        self._memo[asset] = (second, value)
        return value

    def _away(self, asset: str, second: float) -> tuple[float, float]:
        """Return what the market's wave and the asset's own add to its logarithm at that second."""
        worth = WORTHS[asset]
        common = worth.common * self._wave("market").at(second) if worth.common else 0.0
        return common, worth.own * self._wave(asset).at(second) if worth.own else 0.0

    def _wave(self, name: str) -> Wave:
        wave = self._waves.get(name)
        if wave is None:
            wave = self._waves[name] = Wave(self._seed, name, daily=_DAILY)
        return wave
