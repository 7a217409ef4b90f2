"""A pair as it trades here: its book, its tape, its market status, and what changed since anyone was told.

A listing decides nothing; the engine and the makers change it, the feeds read it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .chance import knot
from .figures import NS
from .matching import Book
from .pairs import Pair
from .tape import Print, Tape

_INDEX_STEP_S = 30
_INDEX_SWING = 0.0001


@dataclass(slots=True, eq=False)
class Listing:
    """One market. `prints` and `touched` are news for the public feeds, taken by `news`.

    `fill` puts the makers' first orders into the book; it is called when the book is first looked at. `salt` is what the
    pair's index price is seeded with.
    """

    pair: Pair
    tape: Tape
    fill: Callable[[], None] | None = field(default=None, repr=False)
    status: str = "online"
    frozen: bool = False
    salt: int = 0
    prints: list[Print] = field(default_factory=list)
    touched: bool = False
    best_moved: bool = False
    _book: Book = field(default_factory=Book, repr=False)

    @property
    def book(self) -> Book:
        """Return the book, filled."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill()
        return self._book

    def settle(self, now: int) -> None:
        """Note the best prices after a change of the book."""
        self.touched = True
        if self.tape.quote(self.book.bids.best(), self.book.asks.best(), now):
            self.best_moved = True

    def reference(self, name: str, now: int) -> int:
        """Return what a trigger looks at: the last trade's price, or the index.

        The index keeps within 0.01 % of the middle of the book, where it wanders every half minute by the seed. A book
        with an empty side has none: then, as on Kraken when its feed is down, the last trade stands in.
        """
        if name == "last":
            return self.tape.last
        bid, ask = self.book.bids.best(), self.book.asks.best()
        if bid is None or ask is None:
            return self.tape.last
        away = 1 + _INDEX_SWING * knot(self.salt, now // (_INDEX_STEP_S * NS))
        tick = self.pair.tick
        return max(tick, round((bid + ask) / 2 * away / tick) * tick)

    def news(self) -> tuple[list[Print], bool]:
        """Take what happened since the last call: the trades, and whether the best prices moved."""
        prints, moved = self.prints, self.best_moved
        self.prints, self.best_moved, self.touched = [], False, False
        return prints, moved
