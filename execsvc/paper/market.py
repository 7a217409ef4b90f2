"""The seeded market: makers who keep a full book around the fair price, and takers who trade with it.

Each pair has its own random stream and its own rhythm: a taker about every 0.7 s, never more than a second apart, and
a maker's touch in between. The book is never empty while the market runs: makers fill up what anyone swept away. All
of it goes through the engine, so the trader's orders are hit by the same takers and in the same queue.
"""

from collections.abc import Sequence
from functools import cached_property
from math import ceil, exp, floor

from .chance import stream
from .engine import Engine
from .figures import NS
from .listing import Listing
from .matching import Half, Resting, Side, clear_makers, opposite
from .pairs import Pair
from .prices import Prices

# How much is traded compared with BTC/USD; pairs not named trade a fifth.
ACTIVITY = {"BTC/USD": 1.0, "ETH/USD": 0.7, "SOL/USD": 0.45, "XRP/USD": 0.45, "BTC/EUR": 0.5, "ETH/EUR": 0.35}
TRADES_PER_S = 1.5
Rows = Sequence[tuple[int, int]]

_OTHERS = 0.2
_TAKER_USD, _TAKER_SPREAD = 900.0, 1.0
_MAKER_USD, _MAKER_SPREAD = 14_000.0, 0.8
_SIZE_MAX_USD = 60_000.0
_SLACK = 2 / 11  # of a side's length: so much shorter or longer it may become before it is mended
_HALF_SPREAD = 0.00003
_GAP = 0.00003
_SPAN = 0.05
_REACH = 0.0008
_PAUSE_S = (0.15, 0.5)
_NEAR = 30
_BUYERS, _MARKET_ORDERS = 0.5, 0.6  # of takers
_RESIZED, _WITHDRAWN = 0.5, 0.25  # of touches; the rest add a level


def taker_lots(pair: Pair, usd: float) -> float:
    """Return the mean size of a taker's order in lots, when one unit of the base asset costs `usd`."""
    mean = _TAKER_USD * exp(_TAKER_SPREAD**2 / 2) * ACTIVITY.get(pair.symbol, _OTHERS)
    return float(mean / usd * 10**pair.lot_decimals)


class Market:
    """The makers and takers of one pair; the makers keep about `levels` prices on either side."""

    def __init__(self, listing: Listing, engine: Engine, prices: Prices, *, seed: int, start: int, levels: int) -> None:
        self._listing = listing
        self._engine = engine
        self._prices = prices
        self._rng = stream(seed, "market", listing.pair.symbol)
        self._activity = ACTIVITY.get(listing.pair.symbol, _OTHERS)
        self._taking = False
        self._levels = levels
        self._levels_min = max(1, levels - round(levels * _SLACK))
        self._levels_max = levels + round(levels * _SLACK)
        self._start = start
        listing.fill = self._open

    @cached_property
    def _lot_usd(self) -> float:
        """What one lot was worth in USD at the start."""
        pair = self._listing.pair
        return self._prices.usd(pair.base.id, self._start / NS) / int(10**pair.lot_decimals)

    def step(self, now: int) -> int:
        """Do the next thing, a taker's or a maker's; returns when to do the one after."""
        if not self._listing.frozen:
            self._taking = not self._taking
            if self._taking:
                self._take(now)
            else:
                self._quote(now)
                self._fidget(now)
                self._listing.settle(now)
            self._engine.look(self._listing, now)
        return now + int(self._rng.uniform(*_PAUSE_S) * NS)

    def mend(self, now: int) -> None:
        """Fill up what a large order swept away, unless the market is frozen."""
        book = self._listing.book
        shorter = min(len(book.bids.makers), len(book.asks.makers))
        if not self._listing.frozen and shorter < min(_NEAR, self._levels_min):
            self._quote(now)
            self._listing.settle(now)
            self._engine.look(self._listing, now)

    def _open(self) -> None:
        """Put up the first book, as it stood at the start, whenever that is first asked for."""
        self._quote(self._start)
        self._listing.tape.quote(self._listing.book.bids.best(), self._listing.book.asks.best(), self._start)

    def _take(self, now: int) -> None:
        side: Side = "buy" if self._rng.random() < _BUYERS else "sell"
        best = self._listing.book.halves[opposite(side)].best()
        if best is None:
            return
        limit = best * (1 + _REACH if side == "buy" else 1 - _REACH)
        lots = max(self._size(_TAKER_USD, _TAKER_SPREAD), self._listing.pair.ordermin)
        kind = "market" if self._rng.random() < _MARKET_ORDERS else "limit"
        self._engine.house_take(self._listing, side, round(limit), lots, now, kind=kind)

    def _quote(self, now: int) -> None:
        """Move the touch to the fair price and keep both sides long enough."""
        tick, book = self._listing.pair.tick, self._listing.book
        fair = self._prices.fair(self._listing.pair, now / NS)
        away = fair * _HALF_SPREAD * self._rng.random()
        bid = max(1, floor((fair - away) / tick)) * tick
        ask = max(bid + tick, ceil((fair + away) / tick) * tick)
        for half, price in ((book.bids, bid), (book.asks, ask)):
            clear_makers(half, now, prices=half.better_than(price))
        for half, price in ((book.bids, bid), (book.asks, ask)):
            if price not in half.makers:
                self._engine.house_quote(self._listing, half.side, price, self._maker_size(), now)
            self._fit(half, price, now)

    def _fit(self, half: Half, best: int, now: int) -> None:
        """Keep a side within its span and near its length: shorten it at the far end, fill it up from the touch."""
        far = round(best * (1 + half.sign * _SPAN))
        clear_makers(half, now, prices=half.worse_than(far))
        count = len(half.makers)
        if count > self._levels_max:
            worst = sorted(half.makers, key=lambda price: -price * half.sign)[: count - self._levels]
            clear_makers(half, now, prices=worst)
        if count >= self._levels_min:
            return
        tick, price, makers = self._listing.pair.tick, best, half.makers
        gap, step, draw = best * _GAP / tick, half.sign * tick, self._rng.expovariate
        for place in range(2 * self._levels):
            price += step * (1 + int(draw(1 / max(0.5, gap * (1 + place / 20)))))
            if len(makers) >= self._levels or (price - far) * half.sign > 0:
                return
            if price not in makers and not self._listing.book.crosses(half.side, price):
                half.add(Resting(half.side, price, self._maker_size()), now)

    def _fidget(self, now: int) -> None:
        """Resize, withdraw or add a level near the touch on either side."""
        pair = self._listing.pair
        for half in (self._listing.book.bids, self._listing.book.asks):
            if not half.keys:
                continue
            place = 1 + int(self._rng.random() * min(_NEAR, len(half.keys) - 1))
            price = half.keys[min(place, len(half.keys) - 1)] * half.sign
            draw = self._rng.random()
            if draw < _RESIZED + _WITHDRAWN:
                clear_makers(half, now, prices=[price])
            else:
                price += half.sign * pair.tick * (1 + int(self._rng.random() * 3))
            withdrawn = _RESIZED <= draw < _RESIZED + _WITHDRAWN
            free = price not in half.makers and not self._listing.book.crosses(half.side, price)
            if not withdrawn and price >= pair.tick and free:
                half.add(Resting(half.side, price, self._maker_size()), now)

    def _maker_size(self) -> int:
        return max(self._size(_MAKER_USD, _MAKER_SPREAD), self._listing.pair.ordermin)

    def _size(self, median_usd: float, spread: float) -> int:
        usd = min(_SIZE_MAX_USD, median_usd * exp(self._rng.gauss(0.0, spread)))
        return int(usd * self._activity / self._lot_usd)


def build_ladder(listing: Listing, engine: Engine, *, bids: Rows, asks: Rows, now: int) -> None:
    """Replace the makers' whole book by these (price, lots) rows; the trader's orders in the way are filled first."""
    listing.fill = None
    for half, ahead in ((listing.book.bids, asks), (listing.book.asks, bids)):
        clear_makers(half, now)
        if ahead:
            limit = min(ahead)[0] if half.side == "buy" else max(ahead)[0]
            lots = sum(resting.whole for level in half.crossing(limit) for resting in level.queue.values())
            engine.house_take(listing, opposite(half.side), limit, lots, now)
    for half, rows in ((listing.book.bids, bids), (listing.book.asks, asks)):
        for price, lots in rows:
            engine.house_quote(listing, half.side, price, lots, now)
    listing.settle(now)
    engine.look(listing, now)
