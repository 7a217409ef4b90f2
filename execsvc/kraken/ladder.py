"""One order book kept in step: snapshot and updates in, checked changes and views out.

Prices are whole numbers of the pair's smallest unit, in a sorted list per side (the bids' negated), so the best level is
always first; levels and their parts of the checksum's text lie in two more lists, place by place. After every message the
book is cut to its depth and its checksum compared; levels that fell out are told as removed, because Kraken sends no message
for them. A book that does not match is void: Desync.
"""

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal

from execsvc.domain.market import BookTopic, BookView, EventTimes, Level
from execsvc.kraken.checksum import LEVELS, checksum, digits
from execsvc.kraken.frames import LevelData

_GONE = Decimal(0)


class Desync(Exception):
    """The book is not Kraken's any more; the message says how that showed."""


class Ladder:
    """The book of one symbol at one depth."""

    def __init__(self, topic: BookTopic, *, price_decimals: int, quantity_decimals: int) -> None:
        self.topic = topic
        self._asks = _Side(1, topic.depth, price_decimals, quantity_decimals)
        self._bids = _Side(-1, topic.depth, price_decimals, quantity_decimals)
        self._asks_sum = 0  # of the asks alone: half of the messages leave it as it is
        self._times = EventTimes(None, 0)

    def __repr__(self) -> str:
        return f"<Ladder {self.topic.symbol} {len(self._bids.rows)}|{len(self._asks.rows)} of {self.topic.depth}>"

    def load(self, bids: Sequence[LevelData], asks: Sequence[LevelData], told: int, times: EventTimes) -> None:
        """A snapshot: what was there before is forgotten. Raises Desync."""
        self._asks.clear()
        self._bids.clear()
        self.apply(bids, asks, told, times)

    def apply(
        self, bids: Sequence[LevelData], asks: Sequence[LevelData], told: int, times: EventTimes
    ) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """One message; the net changes of bids and asks, removals as quantity 0. Raises Desync."""
        own_bids, own_asks = self._bids, self._asks
        bid_changes = own_bids.update(bids) if bids else ()
        ask_changes = own_asks.update(asks) if asks else ()
        if own_asks.best is None:
            self._asks_sum = checksum(own_asks.text())
        ours = checksum(own_bids.best or own_bids.text(), self._asks_sum)
        if ours != told:
            raise Desync(f"checksum {told} was told, the book's is {ours}")
        self._times = times
        return bid_changes, ask_changes

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All bids and asks, best first."""
        return tuple(self._bids.rows), tuple(self._asks.rows)

    def view(self) -> BookView:
        """The book as it stands."""
        bids, asks = self.levels()
        return BookView(self.topic.symbol, self.topic.depth, bids, asks, self._times)


class _Side:
    """One side; `sign` turns prices into keys whose order is best first. Keys, tokens and rows lie in the same places."""

    __slots__ = (
        "_depth", "_keys", "_places", "_price_decimals", "_quantity_decimals", "_sign", "_tokens", "best", "rows",
    )  # fmt: skip

    def __init__(self, sign: int, depth: int, price_decimals: int, quantity_decimals: int) -> None:
        self._sign = sign
        self._depth = depth
        self._price_decimals = price_decimals
        self._quantity_decimals = quantity_decimals
        self._places: dict[Decimal, tuple[int, str]] = {}  # by price: key and digits of the levels in the book
        self._keys: list[int] = []
        self._tokens: list[str] = []
        self.rows: list[Level] = []
        self.best: bytes | None = None  # the checksum's part of this side, while it holds

    def clear(self) -> None:
        for each in (self._places, self._keys, self._tokens, self.rows):
            each.clear()
        self.best = None

    def text(self) -> bytes:
        """The checksum's part of this side, made anew."""
        self.best = best = "".join(self._tokens[:LEVELS]).encode()
        return best

    def update(self, rows: Sequence[LevelData]) -> tuple[Level, ...]:
        """The net changes, removals as quantity 0. Raises Desync."""
        if len(rows) == 1 and (level := self._exchanged(rows[0])):
            return (level,)
        changes: dict[int, Level] = {}
        fresh: set[int] = set()  # keys that were not in the book before this message
        for row in rows:
            if not row.qty:
                self._remove(row.price, changes, fresh)
            elif level := self._exchanged(row):
                changes[self._places[level.price][0]] = level
            else:
                self._insert(row, changes, fresh)
        while len(self._keys) > self._depth:  # told as removed, unless nobody was told that it came
            self._remove(self.rows[-1].price, changes, fresh)
        return tuple(changes.values())

    def _exchanged(self, row: LevelData) -> Level | None:
        """The level with its new quantity; None where there is no such level yet, or none any more. Nearly every row."""
        price, quantity = row.price, row.qty
        try:
            place = self._places.get(price)
        except TypeError:  # a signalling NaN has no hash
            place = None
        if place is None or not quantity:
            return None
        key, printed = place
        figure = digits(quantity, self._quantity_decimals)
        if figure is None:
            raise _misfit(quantity)
        at = bisect_left(self._keys, key)
        if at < LEVELS:
            self.best = None
        self._tokens[at] = printed + figure
        self.rows[at] = level = Level(price, quantity)
        return level

    def _insert(self, row: LevelData, changes: dict[int, Level], fresh: set[int]) -> None:
        price, quantity = row.price, row.qty
        printed, figure = digits(price, self._price_decimals), digits(quantity, self._quantity_decimals)
        if printed is None or figure is None:
            raise _misfit(price if printed is None else quantity)
        key = self._sign * int(printed or "0")
        at = bisect_left(self._keys, key)
        if at < LEVELS:
            self.best = None
        self._tokens.insert(at, printed + figure)
        self._keys.insert(at, key)
        level = Level(price, quantity)
        self.rows.insert(at, level)
        self._places[price] = key, printed
        if key not in changes:
            fresh.add(key)
        changes[key] = level

    def _remove(self, price: Decimal, changes: dict[int, Level], fresh: set[int]) -> None:
        try:
            place = self._places.pop(price, None)
        except TypeError:
            raise _misfit(price) from None
        if place is None:
            return
        key = place[0]
        at = bisect_left(self._keys, key)
        if at < LEVELS:
            self.best = None
        del self._keys[at], self._tokens[at], self.rows[at]
        if key in fresh:
            fresh.discard(key)
            del changes[key]
        else:
            changes[key] = Level(price, _GONE)


def _misfit(value: Decimal) -> Desync:
    return Desync(f"{value!s:.40} does not fit the pair's decimals")
