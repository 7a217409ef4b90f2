"""A pair as it trades here: its book, its tape, its market status, and what changed since anyone was told.

A listing decides nothing; the engine and the makers change it, the feeds read it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from .matching import Book
from .pairs import Pair
from .tape import Print, Tape


@dataclass(slots=True, eq=False)
class Listing:
    """One market. `prints` and `touched` are news for the public feeds, taken by `news`.

    `fill` puts the makers' first orders into the book; it is called when the book is first looked at.
    """

    pair: Pair
    tape: Tape
    fill: Callable[[], None] | None = field(default=None, repr=False)
    status: str = "online"
    frozen: bool = False
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

    def news(self) -> tuple[list[Print], bool]:
        """Take what happened since the last call: the trades, and whether the best prices moved."""
        prints, moved = self.prints, self.best_moved
        self.prints, self.best_moved, self.touched = [], False, False
        return prints, moved
