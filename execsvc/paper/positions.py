"""Positions on margin: what was opened, what of it is closed, and what that brought. First opened, first closed.

Lots, costs and fees are integers in the pair's and its quote asset's units. Whether a position may be opened, and what
is booked when, is margin.py's; here is only the arithmetic of one position and the list of all.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .figures import ceil_div
from .matching import Side, opposite
from .orders import Trade
from .pairs import Pair


@dataclass(slots=True, eq=False)
class Position:
    """One position, opened by one fill, whose `position` is its id. `left` lots are open still.

    `rolls` is when the next rollover is due, on the owner's clock; `rolled` what was charged for borrowing so far.
    `ccost`, `cfee` and `net` add up the closing fills: their cost, their fees, and what they brought.
    """

    id: str
    opener: Trade = field(repr=False)
    lots: int
    cost: int
    fee: int
    leverage: int
    rolls: int
    rolled: int = 0
    closed: int = 0
    ccost: int = 0
    cfee: int = 0
    net: int = 0
    closers: list[str] = field(default_factory=list)

    @property
    def pair(self) -> Pair:
        """Return the pair it is on."""
        return self.opener.order.terms.pair

    @property
    def side(self) -> Side:
        """Return buy for a long position, sell for a short one."""
        return self.opener.order.terms.side

    @property
    def left(self) -> int:
        """Return the lots still open."""
        return self.lots - self.closed

    @property
    def margin(self) -> int:
        """Return the initial margin of the whole position."""
        return ceil_div(self.cost, self.leverage)

    @property
    def cost_left(self) -> int:
        """Return the opening cost of what is still open."""
        return self.cost - self._cost_of(self.closed)

    @property
    def margin_left(self) -> int:
        """Return the initial margin of what is still open."""
        return ceil_div(self.cost_left, self.leverage)

    def cost_of_next(self, lots: int) -> int:
        """Return the opening cost of the next so many lots to close."""
        return self._cost_of(self.closed + lots) - self._cost_of(self.closed)

    def gain(self, value: int) -> int:
        """Return what closing all that is open for `value` would bring, before fees."""
        return value - self.cost_left if self.side == "buy" else self.cost_left - value

    def close(self, lots: int, *, cost: int, fee: int, trade_id: str) -> int:
        """Close so many lots, which cost `cost` to trade back, and return what that brought, before fees."""
        opened = self.cost_of_next(lots)
        gained = cost - opened if self.side == "buy" else opened - cost
        self.closed += lots
        self.ccost += cost
        self.cfee += fee
        self.net += gained
        self.closers.append(trade_id)
        return gained

    def _cost_of(self, lots: int) -> int:
        """Return the part of the opening cost that the first so many lots had; the parts always add up."""
        return self.cost * lots // self.lots


class Positions:
    """All positions of the account; of the closed ones only the last `keep` (None: all)."""

    def __init__(self, *, keep: int | None) -> None:
        self._keep = keep
        self._open: dict[str, Position] = {}
        self._closed: dict[str, Position] = {}
        self._by_trade: dict[str, Position] = {}
        self._closing: dict[str, tuple[Position, ...]] = {}

    def add(self, position: Position) -> None:
        """Take in a new position."""
        self._open[position.id] = position
        self._by_trade[position.opener.id] = position

    def open_ones(self, pair: Pair | None = None, side: Side | None = None) -> list[Position]:
        """Return the open positions, oldest first: all, or those on a pair, or on a pair and of a side."""
        return [
            position
            for position in self._open.values()
            if (pair is None or position.pair.id == pair.id) and (side is None or position.side == side)
        ]

    def lots(self, pair: Pair, side: Side) -> int:
        """Return how many lots are open on a pair and side."""
        return sum(position.left for position in self.open_ones(pair, side))

    def get(self, position_id: str) -> Position | None:
        """Find an open position by its id."""
        return self._open.get(position_id)

    def opened_by(self, trade: Trade) -> Position | None:
        """Return the position a fill opened, open or closed."""
        return self._by_trade.get(trade.id)

    def closed_by(self, trade: Trade) -> tuple[Position, ...]:
        """Return the positions a fill closed, in whole or in part."""
        return self._closing.get(trade.id, ())

    def close(self, trade: Trade, lots: int) -> int:
        """Let a fill close so many lots of the other side, first opened first; returns what that brought, before fees.

        The fill's cost and fee are spread by lots: over the positions it closes and what it opens, to the last unit.
        """
        touched, gained, done = [], 0, 0
        for position in self.open_ones(trade.order.terms.pair, opposite(trade.order.terms.side)):
            part = min(position.left, lots - done)
            cost, fee = (_slice(whole, trade.lots, done, part) for whole in (trade.cost, trade.fee))
            gained += position.close(part, cost=cost, fee=fee, trade_id=trade.id)
            done += part
            touched.append(position)
            if not position.left:
                self._retire(position)
            if done == lots:
                break
        self._closing[trade.id] = tuple(touched)
        return gained

    def settle(self, pair: Pair, side: Side, lots: int, *, ref: str) -> list[tuple[Position, int, int]]:
        """Close so many lots at their own opening cost, first opened first; returns position, lots and cost of each."""
        settled = []
        for position in self.open_ones(pair, side):
            part = min(position.left, lots)
            cost = position.cost_of_next(part)
            position.close(part, cost=cost, fee=0, trade_id=ref)
            settled.append((position, part, cost))
            lots -= part
            if not position.left:
                self._retire(position)
            if not lots:
                break
        return settled

    def _retire(self, position: Position) -> None:
        del self._open[position.id]
        self._closed[position.id] = position
        if self._keep is not None and len(self._closed) > self._keep:
            gone = self._closed.pop(next(iter(self._closed)))
            self._by_trade.pop(gone.opener.id, None)
            for trade_id in gone.closers:
                self._closing.pop(trade_id, None)

    def __iter__(self) -> Iterator[Position]:
        """Yield the open positions, oldest first."""
        return iter(list(self._open.values()))

    def __len__(self) -> int:
        """Return how many are open."""
        return len(self._open)


def _slice(whole: int, lots: int, done: int, part: int) -> int:
    """Return the share that `part` lots, after `done` others, have in an amount for `lots`; all shares add up to it."""
    return whole * (done + part) // lots - whole * done // lots
