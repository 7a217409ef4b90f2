"""A book kept up to date from a snapshot and the deltas that follow it; no I/O.

A delta applies to the version before it and to no other: anything else means that messages are missing, and the book
is void until the next snapshot.
"""

from bisect import insort
from collections.abc import Iterable
from decimal import Decimal

from execsvc_api.v1 import market_data_pb2

from execsvc_client._enums import FeedState
from execsvc_client._market import Book, Level, read_level
from execsvc_client._orders import Times, read_times


class Ladder:
    """One symbol's book. `apply` says False when a delta does not follow; then only a snapshot helps."""

    def __init__(self, symbol: str) -> None:
        self._bids = _BookSide(descending=True)
        self._asks = _BookSide(descending=False)
        self._symbol = symbol
        self._depth = 0
        self._version: int | None = None
        self._times = Times(None, None)

    @property
    def is_valid(self) -> bool:
        """Whether there is a book to speak of."""
        return self._version is not None

    def reset(self, snapshot: market_data_pb2.BookSnapshot) -> None:
        """Take a whole book."""
        self._bids.replace(map(read_level, snapshot.bids))
        self._asks.replace(map(read_level, snapshot.asks))
        self._symbol, self._depth, self._version = snapshot.symbol, snapshot.depth, snapshot.version
        self._times = read_times(snapshot.times)

    def void(self) -> None:
        """There is a hole: what is held is shown no more as fit to apply deltas to."""
        self._version = None

    def apply(self, delta: market_data_pb2.BookDelta) -> bool:
        """Take changes; False, and the book void, if they are not those that come next."""
        if self._version is None or delta.version != self._version + 1:
            self._version = None
            return False
        for side, changes in ((self._bids, delta.bids), (self._asks, delta.asks)):
            for change in changes:
                side.put(read_level(change))
        self._version = delta.version
        self._times = read_times(delta.times)
        return True

    def view(self, state: FeedState) -> Book:
        """The book as a value; the last one known where it is void."""
        return Book(
            symbol=self._symbol,
            bids=self._bids.levels(self._depth),
            asks=self._asks.levels(self._depth),
            version=self._version or 0,
            depth=self._depth,
            state=state,
            times=self._times,
        )


class _BookSide:
    """One side: prices in order, quantities by price."""

    def __init__(self, *, descending: bool) -> None:
        self._descending = descending
        self._keys: list[Decimal] = []
        self._level: dict[Decimal, Level] = {}

    def _key(self, price: Decimal) -> Decimal:
        # copy_negate is exact; a minus sign would round to the caller's decimal context.
        return price.copy_negate() if self._descending else price

    def replace(self, levels: Iterable[Level]) -> None:
        self._level = {self._key(level.price): level for level in levels}
        self._keys = sorted(self._level)

    def put(self, level: Level) -> None:
        key = self._key(level.price)
        if level.quantity == 0:
            if self._level.pop(key, None) is not None:
                self._keys.remove(key)
            return
        if key not in self._level:
            insort(self._keys, key)
        self._level[key] = level

    def levels(self, depth: int) -> tuple[Level, ...]:
        return tuple(self._level[key] for key in self._keys[:depth])
