"""One order book kept in step: snapshot and updates in, checked changes and views out.

Prices are whole numbers of the pair's smallest unit, in a sorted list per side (the bids' negated), so the best level is
always first. After every message the book is cut to its depth and its checksum compared; levels that fell out are told as
removed, because Kraken sends no message for them. A book that does not match is void: Desync.
"""

from bisect import bisect_left, insort
from collections.abc import Sequence
from decimal import Decimal

from execsvc.domain.market import BookTopic, BookView, EventTimes, Level
from execsvc.kraken.checksum import LEVELS, checksum, token
from execsvc.kraken.figures import whole
from execsvc.kraken.wire import LevelData

_GONE = Decimal(0)


class Desync(Exception):
    """The book is not Kraken's any more; the message says how that showed."""


class Ladder:
    """The book of one symbol at one depth."""

    def __init__(self, topic: BookTopic, *, price_decimals: int, quantity_decimals: int) -> None:
        self.topic = topic
        self._asks = _Side(1, topic.depth, price_decimals, quantity_decimals)
        self._bids = _Side(-1, topic.depth, price_decimals, quantity_decimals)
        self._times = EventTimes(None, 0)

    def __repr__(self) -> str:
        return f"<Ladder {self.topic.symbol} {len(self._bids.keys)}|{len(self._asks.keys)} of {self.topic.depth}>"

    def load(self, bids: Sequence[LevelData], asks: Sequence[LevelData], told: int, times: EventTimes) -> None:
        """A snapshot: what was there before is forgotten. Raises Desync."""
        self._asks.clear()
        self._bids.clear()
        self.apply(bids, asks, told, times)

    def apply(
        self, bids: Sequence[LevelData], asks: Sequence[LevelData], told: int, times: EventTimes
    ) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """One message; the net changes of bids and asks, removals as quantity 0. Raises Desync."""
        bid_changes = self._bids.update(bids) if bids else ()
        ask_changes = self._asks.update(asks) if asks else ()
        ours = checksum(self._asks.best_text(), self._bids.best_text())
        if ours != told:
            raise Desync(f"checksum {told} was told, the book's is {ours}")
        self._times = times
        return bid_changes, ask_changes

    def levels(self) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
        """All bids and asks, best first."""
        return self._bids.levels(), self._asks.levels()

    def view(self) -> BookView:
        """The book as it stands."""
        bids, asks = self.levels()
        return BookView(self.topic.symbol, self.topic.depth, bids, asks, self._times)


class _Side:
    """One side; `sign` turns prices into keys whose order is best first."""

    __slots__ = (
        "_best_text", "_depth", "_entries", "_price_decimals", "_quantity_decimals", "_sign", "_tenth", "keys",
    )  # fmt: skip

    def __init__(self, sign: int, depth: int, price_decimals: int, quantity_decimals: int) -> None:
        self._sign = sign
        self._depth = depth
        self._price_decimals = price_decimals
        self._quantity_decimals = quantity_decimals
        self._entries: dict[int, tuple[Level, str]] = {}
        self._best_text: str | None = None
        self._tenth: int | None = None  # the key of the last level in _best_text, when it is full
        self.keys: list[int] = []

    def clear(self) -> None:
        self._entries.clear()
        self.keys.clear()
        self._best_text = None

    def levels(self) -> tuple[Level, ...]:
        entries = self._entries
        return tuple(entries[key][0] for key in self.keys)

    def best_text(self) -> str:
        """The checksum's part of this side; made anew only when one of the best levels changed."""
        if self._best_text is None:
            entries = self._entries
            self._best_text = "".join([entries[key][1] for key in self.keys[:LEVELS]])
            self._tenth = self.keys[LEVELS - 1] if len(self.keys) >= LEVELS else None
        return self._best_text

    def update(self, rows: Sequence[LevelData]) -> tuple[Level, ...]:
        changes: dict[int, Level] = {}
        fresh: set[int] = set()  # keys that were not in the book before this message
        for row in rows:
            price_units = whole(row.price, self._price_decimals)
            quantity_units = whole(row.qty, self._quantity_decimals)
            if price_units is None or quantity_units is None:
                raise Desync(f"level {row.price!s:.40} of {row.qty!s:.40} does not fit the pair's decimals")
            key = self._sign * price_units
            if self._tenth is None or key <= self._tenth:
                self._best_text = None
            if not quantity_units:
                self._remove(key, row, changes, fresh)
                continue
            if key not in self._entries:
                insort(self.keys, key)
                if key not in changes:
                    fresh.add(key)
            changes[key] = level = Level(row.price, row.qty)
            self._entries[key] = (level, token(price_units, quantity_units))
        while len(self.keys) > self._depth:
            self._cut(changes, fresh)
        return tuple(changes.values())

    def _remove(self, key: int, row: LevelData, changes: dict[int, Level], fresh: set[int]) -> None:
        if self._entries.pop(key, None) is None:
            return
        del self.keys[bisect_left(self.keys, key)]
        if key in fresh:
            fresh.discard(key)
            del changes[key]
        else:
            changes[key] = Level(row.price, _GONE)

    def _cut(self, changes: dict[int, Level], fresh: set[int]) -> None:
        """Takes the worst level out: told as removed, unless nobody was told that it came."""
        key = self.keys.pop()
        level, _ = self._entries.pop(key)
        if key in fresh:
            del changes[key]
        else:
            changes[key] = Level(level.price, _GONE)
