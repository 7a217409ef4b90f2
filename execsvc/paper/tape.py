"""What happened on one pair: its trades, and everything that is a view of them.

Ticker, candles, recent trades and spreads all come from this one tape, so they can never disagree. Live trades are
counted as they happen; what lies before the exchange's start is asked of `past`, and only when somebody looks.
"""

from collections import deque
from dataclasses import dataclass

from .figures import NS
from .matching import Side
from .past import Candle, Past

INTERVALS_MIN = (1, 5, 15, 30, 60, 240, 1440, 10080, 21600)
CANDLES_MAX = 720
TRADES_MAX = 1000
_SPREADS_MAX = 200
_DAY_S = 86_400
_MINUTE_S = 60
_SLICE_S = 900


@dataclass(frozen=True, slots=True)
class Print:
    """One public trade: `side` is the taker's, `kind` the taker's order type."""

    price: int
    lots: int
    at: int
    side: Side
    kind: str
    id: int


@dataclass(frozen=True, slots=True)
class Spread:
    """Best bid and ask from this instant on; None for an empty side."""

    at: int
    bid: int | None
    ask: int | None


@dataclass(frozen=True, slots=True)
class Stats:
    """A span of trading: lots, Σ price × lots, trades, low, high, and the price it began at."""

    lots: int
    cost: int
    count: int
    low: int
    high: int
    open: int

    @property
    def vwap(self) -> int:
        """Return the volume-weighted price, or the price it began at when nothing traded."""
        return (self.cost + self.lots // 2) // self.lots if self.lots else self.open


class Tape:
    """Trades of one pair since `start`, in front of its past."""

    def __init__(self, past: Past, *, start: int, first_id: int) -> None:
        self._past = past
        self._start_s = start // NS
        self.prints: deque[Print] = deque(maxlen=TRADES_MAX)
        self.spreads: deque[Spread] = deque(maxlen=_SPREADS_MAX)
        self._next_id = first_id
        self._live: dict[int, deque[Candle]] = {
            interval: deque(maxlen=_DAY_S // _MINUTE_S + 1 if interval == 1 else CANDLES_MAX + 1)
            for interval in INTERVALS_MIN
        }
        self._old: dict[int, list[Candle]] = {}
        self._slices: list[Candle] = []
        self._day_key: tuple[int, int] = (0, 0)
        self._day = Stats(0, 0, 0, 0, 0, 0)

    def record(self, price: int, lots: int, at: int, *, side: Side, kind: str) -> Print:
        """Add a trade and return it with its id."""
        row = Print(price, lots, at, side, kind, self._next_id)
        self._next_id += 1
        self.prints.append(row)
        second = at // NS
        for interval, candles in self._live.items():
            if not candles or second >= candles[-1].start + interval * _MINUTE_S:
                start = second - second % (interval * _MINUTE_S)
                candles.append(Candle(start, price, price, price, price))
            candles[-1].add(price, lots)
        return row

    def quote(self, bid: int | None, ask: int | None, at: int) -> bool:
        """Note the best prices; returns whether they changed."""
        last = self.spreads[-1] if self.spreads else None
        if last is not None and (last.bid, last.ask) == (bid, ask):
            return False
        self.spreads.append(Spread(at, bid, ask))
        return True

    @property
    def last(self) -> int:
        """Return the price of the last trade; before the first one, what the past ended at."""
        return self.prints[-1].price if self.prints else self._past.price(self._start_s)

    def current(self, interval: int, now: int) -> Candle:
        """Return the candle that is open now."""
        return self.candles(interval, now, limit=0)[-1]

    def candles(self, interval: int, now: int, *, limit: int = CANDLES_MAX) -> list[Candle]:
        """Return the last `limit` committed candles and the open one, oldest first, without holes."""
        length = interval * _MINUTE_S
        second = now // NS
        current = second - second % length
        first = current - limit * length
        seam = self._start_s - self._start_s % length
        live = {candle.start: candle for candle in self._live[interval] if candle.start >= first}
        rows = self._before(interval, first, min(seam, current + length)) if first < seam else []
        for start in range(max(first, seam), current + length, length):
            candle = live.get(start)
            if start == seam and start < self._start_s:
                head = self._past.candle(start, self._start_s)
                candle = head if candle is None else head.then(candle)
            elif candle is None:
                close = rows[-1].close if rows else self._close_before(interval, start)
                candle = Candle(start, close, close, close, close)
            rows.append(candle)
        return rows

    def today(self, now: int) -> Stats:
        """Return the trading since 00:00 UTC."""
        candle = self.current(1440, now)
        return Stats(candle.lots, candle.cost, candle.count, candle.low, candle.high, candle.open)

    def day(self, now: int) -> Stats:
        """Return the trading of the last 24 hours, to the minute."""
        second = now // NS
        since = second - second % _MINUTE_S - _DAY_S + _MINUTE_S
        newest = self._live[1][-1] if self._live[1] else None
        key = since, 0 if newest is None else newest.start
        if key != self._day_key:
            self._day_key, self._day = key, self._settled(since)
        day = self._day
        if newest is None or newest.start < since:
            return day
        return Stats(
            day.lots + newest.lots,
            day.cost + newest.cost,
            day.count + newest.count,
            min(day.low, newest.low),
            max(day.high, newest.high),
            day.open,
        )

    def _settled(self, since: int) -> Stats:
        """Add up the window since that second, all but the newest live minute, the past's part included."""
        live = [candle for candle in self._live[1] if candle.start >= since]
        opened = live[0].open if live else self.last
        lots = cost = count = 0
        lows, highs = [opened], [opened]
        for candle in live[:-1]:
            lots, cost, count = lots + candle.lots, cost + candle.cost, count + candle.count
            lows.append(candle.low)
            highs.append(candle.high)
        if since < self._start_s:
            opened = self._past.price(since)
            old = [row for row in self._day_before_start() if row.start + _SLICE_S > since]
            gone = self._past.lots(since, self._start_s)
            lots, count = lots + gone, count + self._past.count(since, self._start_s)
            cost += gone * (sum(row.close for row in old) // len(old))
            lows += [row.low for row in old]
            highs += [row.high for row in old]
        return Stats(lots, cost, count, min(lows), max(highs), opened)

    def _before(self, interval: int, first: int, seam: int) -> list[Candle]:
        if interval not in self._old:
            length = interval * _MINUTE_S
            starts = range(seam - CANDLES_MAX * length, seam, length)
            self._old[interval] = [self._past.candle(start, start + length) for start in starts]
        return [candle for candle in self._old[interval] if candle.start >= first]

    def _close_before(self, interval: int, start: int) -> int:
        earlier = [candle.close for candle in self._live[interval] if candle.start < start]
        return earlier[-1] if earlier else self._past.price(self._start_s)

    def _day_before_start(self) -> list[Candle]:
        if not self._slices:
            end = self._start_s - self._start_s % _SLICE_S
            starts = range(end - _DAY_S, end + 1, _SLICE_S)
            self._slices = [self._past.candle(start, min(start + _SLICE_S, self._start_s)) for start in starts]
            self._slices = [row for row in self._slices if row.start < self._start_s]
        return self._slices
