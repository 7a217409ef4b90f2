"""The level3 channel: one market's book order by order, and what changed in it since it was last told.

Every order in sight is told once as `add`, then as `modify` while it keeps its place in the queue; one that lost its
place is deleted and added again. Orders that fall out of sight behind better levels are not announced, levels that come
into sight are, order by order. What hides behind an iceberg is not in the book and not here. Strangers' orders get their
ids when they are first seen, from a stream of chance of their own.
"""

import string
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple
from zlib import crc32

from .checksum import LEVELS
from .figures import fixed, stamp
from .listing import Listing
from .matching import Half, Resting

DEPTHS = (10, 100, 1000)
_SYMBOLS = string.digits + string.ascii_uppercase
_GROUPS = (5, 5, 6)
_KNOWN_MAX = 10_000


class Seen(NamedTuple):
    """One order as it was told: figures in integer units, and the order itself, to see whether it lives."""

    id: str
    price: int
    qty: int
    at: int
    resting: Resting


Levels = list[list[Seen]]


class Names:
    """What the orders of one market are called. The trader's have the ids it knows; a name lasts as long as its order."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._known: dict[int, tuple[Resting, str, int]] = {}

    def of(self, resting: Resting, now: int) -> tuple[str, int]:
        """Return an order's id, and when it was first seen."""
        if resting.owned:
            return resting.ref, self._note(resting, resting.ref, now)
        kept = self._known.get(id(resting))
        name = kept[1] if kept is not None else self._fresh()
        return name, self._note(resting, name, now)

    def tidy(self) -> None:
        """Forget the orders that are gone, once there are more of them than there can be orders."""
        if len(self._known) > _KNOWN_MAX:
            self._known = {key: kept for key, kept in self._known.items() if kept[0].qty}

    def _note(self, resting: Resting, name: str, now: int) -> int:
        return self._known.setdefault(id(resting), (resting, name, now))[2]

    def _fresh(self) -> str:
        head, *rest = ("".join(self._rng.choices(_SYMBOLS, k=size)) for size in _GROUPS)
        return "-".join((f"O{head}", *rest))


@dataclass(slots=True)
class DeepFeed:
    """One market's orders to one depth, as its subscribers know them."""

    listing: Listing
    depth: int
    names: Names
    bids: Levels = field(default_factory=list)
    asks: Levels = field(default_factory=list)

    def snapshot(self, now: int) -> str:
        """Return the orders as they were last told."""
        bids, asks = ([self._row(seen) for seen in _flat(side)] for side in (self.bids, self.asks))
        return self._frame("snapshot", bids, asks, now)

    def refresh(self, now: int) -> tuple[list[str], list[str]]:
        """Catch up with the market; returns the rows of what changed, bids and asks."""
        book = self.listing.book
        bids, asks = self._levels(book.bids, now), self._levels(book.asks, now)
        rows = self._changes(self.bids, bids), self._changes(self.asks, asks)
        self.bids, self.asks = bids, asks
        self.names.tidy()
        return rows

    def update(self, bids: list[str], asks: list[str], now: int) -> str:
        """Return the frame that announces these rows."""
        return self._frame("update", bids, asks, now)

    def _levels(self, half: Half, now: int) -> Levels:
        levels = (level for level, _ in zip(half.walk(), range(self.depth), strict=False))
        return [[self._seen(resting, now) for resting in level.queue.values()] for level in levels]

    def _seen(self, resting: Resting, now: int) -> Seen:
        name, at = self.names.of(resting, now)
        return Seen(name, resting.price, resting.qty, at, resting)

    def _changes(self, old: Levels, new: Levels) -> list[str]:
        """Return deletes first, then levels and queues in their order, so that a reader need only append."""
        before = {seen.id: seen for seen in _flat(old)}
        there = {seen.id for seen in _flat(new)}
        queues = {level[0].price: [seen.id for seen in level if seen.id in there] for level in old}
        gone = [seen for seen in before.values() if seen.id not in there and not seen.resting.qty]
        rows: list[str] = []
        for level in new:
            firm = _firm(queues.get(level[0].price, []), [seen.id for seen in level])
            for seen in level:
                known = before.get(seen.id)
                if known is not None and seen.id not in firm:
                    gone.append(known)
                    known = None
                if known is None or known.qty != seen.qty:
                    rows.append(self._row(seen, event="add" if known is None else "modify"))
        return [self._row(seen._replace(qty=0), event="delete") for seen in gone] + rows

    def _row(self, seen: Seen, *, event: str = "") -> str:
        pair = self.listing.pair
        head = f'"event":"{event}",' if event else ""
        return (
            f'{{{head}"order_id":"{seen.id}","limit_price":{fixed(seen.price, pair.pair_decimals)},'
            f'"order_qty":{fixed(seen.qty, pair.lot_decimals)},"timestamp":"{stamp(seen.at)}"}}'
        )

    def _frame(self, kind: str, bids: list[str], asks: list[str], now: int) -> str:
        return (
            f'{{"channel":"level3","type":"{kind}","data":[{{"symbol":"{self.listing.pair.symbol}",'
            f'"bids":[{",".join(bids)}],"asks":[{",".join(asks)}],'
            f'"checksum":{deep_checksum(self.asks, self.bids)},"timestamp":"{stamp(now)}"}}]}}'
        )


def deep_checksum(asks: Levels, bids: Levels) -> int:
    """Return the CRC-32 over price and quantity of every order of the ten best levels, asks first, in queue order."""
    orders = _flat([*asks[:LEVELS], *bids[:LEVELS]])
    return crc32("".join(f"{seen.price}{seen.qty}" for seen in orders).encode())


def _flat(levels: Levels) -> list[Seen]:
    return [seen for level in levels for seen in level]


def _firm(before: list[str], now: list[str]) -> set[str]:
    """Return the ids of a level that kept their place: the orders in front of the first one that lost it."""
    known = set(before)
    kept = [name for name in now if name in known]
    steady = next(
        (place for place, names in enumerate(zip(before, kept, strict=False)) if names[0] != names[1]), len(kept)
    )
    return set(kept[:steady])
