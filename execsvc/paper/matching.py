"""The price-time book of one pair: orders rest in levels, a taker eats the best level first, oldest order first.

Integers only: prices in 10^-pair_decimals, quantities in lots. The book knows whose an order is, an account's or the
makers', nothing of funds, fees or the wire. Of an iceberg it shows a part: what lies behind it is no depth, and when
the part is eaten the next one joins the end of the queue.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Side = Literal["buy", "sell"]


def opposite(side: Side) -> Side:
    """Return the other side."""
    return "sell" if side == "buy" else "buy"


@dataclass(slots=True, eq=False)
class Resting:
    """An order in the book; `qty` is what is left of it. `owner` is whose account it is of, `ref` its id; "" for a maker.

    Of an iceberg `qty` is what shows, `hidden` what is left behind it, and `display` what a refill shows.
    """

    side: Side
    price: int
    qty: int
    ref: str = ""
    hidden: int = 0
    display: int = 0
    owner: str = ""

    @property
    def owned(self) -> bool:
        """Tell whether this is an account's order."""
        return self.ref != ""

    @property
    def whole(self) -> int:
        """Return all that is left of it, hidden or not."""
        return self.qty + self.hidden


@dataclass(slots=True)
class Level:
    """One price: total quantity, the queue in time order, and when it last changed (ns)."""

    price: int
    qty: int = 0
    changed: int = 0
    queue: dict[int, Resting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fill:
    """A taker met a resting order: at the resting order's price. `refilled`: an iceberg then showed its next part."""

    resting: Resting
    price: int
    qty: int
    refilled: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """What a taker got: fills in order, what is left, and the taker's own order it stopped at, if it did.

    `paused`: it stopped after a fill of an account's order, whose other orders that fill may change.
    """

    fills: tuple[Fill, ...]
    left: int
    stopped_at: Resting | None = None
    paused: bool = False


class Half:
    """One side of the book, best price first. A key is the price, negated for bids: smaller is always better."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.sign = -1 if side == "buy" else 1
        self.keys: list[int] = []
        self.levels: dict[int, Level] = {}
        self.makers: dict[int, Resting] = {}

    def best(self) -> int | None:
        """Return the best price, or None when the side is empty."""
        return self.keys[0] * self.sign if self.keys else None

    def top(self, depth: int) -> list[tuple[int, int]]:
        """Return up to `depth` (price, quantity) rows, best first."""
        sign, levels = self.sign, self.levels
        return [(key * sign, levels[key * sign].qty) for key in self.keys[:depth]]

    def better_than(self, price: int) -> list[int]:
        """Return the prices that lie in front of this one."""
        return [key * self.sign for key in self.keys[: bisect_left(self.keys, price * self.sign)]]

    def worse_than(self, price: int) -> list[int]:
        """Return the prices that lie behind this one."""
        return [key * self.sign for key in self.keys[bisect_right(self.keys, price * self.sign) :]]

    def walk(self) -> Iterator[Level]:
        """Yield the levels, best first."""
        for key in self.keys:
            yield self.levels[key * self.sign]

    def add(self, resting: Resting, now: int) -> None:
        """Append an order to the queue of its price."""
        level = self.levels.get(resting.price)
        if level is None:
            level = self.levels[resting.price] = Level(resting.price)
            insort(self.keys, resting.price * self.sign)
        level.queue[id(resting)] = resting
        level.qty += resting.qty
        level.changed = now
        if not resting.owned:
            self.makers[resting.price] = resting

    def reduce(self, resting: Resting, qty: int, now: int) -> bool:
        """Take `qty` off what shows of a resting order; returns whether more of an iceberg came up.

        An order with nothing left leaves the book, and so does its empty level.
        """
        level = self.levels[resting.price]
        resting.qty -= qty
        level.qty -= qty
        level.changed = now
        if resting.qty:
            return False
        del level.queue[id(resting)]
        if resting.hidden:
            resting.qty = min(resting.display, resting.hidden)
            resting.hidden -= resting.qty
            level.qty += resting.qty
            level.queue[id(resting)] = resting
            return True
        if self.makers.get(resting.price) is resting:
            del self.makers[resting.price]
        if not level.queue:
            del self.levels[resting.price]
            del self.keys[bisect_left(self.keys, resting.price * self.sign)]
        return False

    def crossing(self, limit: int | None) -> Iterator[Level]:
        """Yield the levels a taker with this limit price may eat, best first."""
        for level in self.walk():
            if limit is not None and level.price * self.sign > limit * self.sign:
                return
            yield level


class Book:
    """Both halves, and the taker's way through them."""

    def __init__(self) -> None:
        self.halves: dict[Side, Half] = {"buy": Half("buy"), "sell": Half("sell")}
        self.bids = self.halves["buy"]
        self.asks = self.halves["sell"]

    def rest(self, resting: Resting, now: int) -> None:
        """Put an order into the book. It must not cross: the caller matches first."""
        self.halves[resting.side].add(resting, now)

    def remove(self, resting: Resting, now: int) -> None:
        """Take an order out of the book entirely."""
        resting.hidden = 0
        self.halves[resting.side].reduce(resting, resting.qty, now)

    def shrink(self, resting: Resting, qty: int, now: int) -> None:
        """Take `qty` off an order that has more than that; it keeps its place, and what is hidden goes first."""
        hidden = min(resting.hidden, qty)
        resting.hidden -= hidden
        self.halves[resting.side].reduce(resting, qty - hidden, now)

    def crosses(self, side: Side, price: int) -> bool:
        """Tell whether an order of this side and price would trade at once."""
        best = self.halves[opposite(side)].best()
        return best is not None and (price >= best if side == "buy" else price <= best)

    def match(self, side: Side, limit: int | None, qty: int, *, now: int, owner: str = "") -> Match:
        """Eat the other side up to `limit` (None: any price). `owner` is whose account the taker is of; "" for a stranger.

        It stops at an order of its own account, and after it has met one of another's; then it may go on.
        """
        half = self.halves[opposite(side)]
        fills: list[Fill] = []
        left = qty
        while left and half.keys:
            level = half.levels[half.keys[0] * half.sign]
            if limit is not None and level.price * half.sign > limit * half.sign:
                break
            resting = next(iter(level.queue.values()))
            if resting.owned and resting.owner == owner:
                return Match(tuple(fills), left, resting)
            taken = min(left, resting.qty)
            refilled = half.reduce(resting, taken, now)
            fills.append(Fill(resting, level.price, taken, refilled))
            left -= taken
            if resting.owned:
                return Match(tuple(fills), left, paused=True)
        return Match(tuple(fills), left)

    def reachable(self, side: Side, limit: int | None, owner: str) -> Iterator[tuple[int, int]]:
        """Yield the (price, quantity) rows an account's taker could eat, the orders of its own left out."""
        for level in self.halves[opposite(side)].crossing(limit):
            foreign = sum(
                resting.whole for resting in level.queue.values() if not resting.owned or resting.owner != owner
            )
            if foreign:
                yield level.price, foreign


def clear_makers(half: Half, now: int, *, prices: Iterable[int] | None = None) -> None:
    """Remove the makers' orders of one half: all of them, or those at the given prices."""
    for price in list(half.makers if prices is None else prices):
        resting = half.makers.get(price)
        if resting is not None:
            half.reduce(resting, resting.qty, now)
