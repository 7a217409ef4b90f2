"""What is old enough to be dropped: decided for every engine, one bounded piece at a time.

Each kind of row is walked from its old end and the walk stops at the first row that must stay, so a piece costs what it
drops and nothing is searched for. How long things are kept is the caller's to say; SQL and lists are the engines'. What
was dropped makes room for what comes: a file does not shrink, and does not grow while as much goes as comes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Protocol

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.store import audit

# Of each account the ids of so many fills are kept for ever. The snapshot of Kraken's executions channel tells the last
# 50 fills whatever their age, at every start: were their ids forgotten, they would be written as news once more.
FILL_IDS_LEAST = 1_000


@dataclass(frozen=True)
class OldEntry:
    """An entry of the journal; `key` is its order, None for a fill, an amend or a trading mode."""

    mark: audit.Mark
    at_ns: int
    key: OrderKey | None


@dataclass(frozen=True)
class OldFill:
    """The id of a fill that was written at that time."""

    fill_id: str
    at_ns: int


class Attic(Protocol):
    """What lies longest in an account, as the engine finds it; all of it oldest first."""

    def oldest_entries(self, account: str, after: int, limit: int) -> Sequence[OldEntry]:
        """The journal from the entry after `after` on."""
        ...

    def oldest_fill_ids(self, account: str, upto: int, limit: int) -> Sequence[OldFill]:
        """Ids of fills whose entry is `upto` or before, without the newest FILL_IDS_LEAST."""
        ...

    def oldest_ended(self, account: str, upto: int, limit: int) -> Sequence[Order]:
        """Orders that have ended and whose newest entry is `upto` or before."""
        ...


@dataclass(frozen=True)
class Bounds:
    """How long to keep, and how much may go at once: `limit` rows of each kind. Five hundred hold the writer some 50 ms."""

    events_before_ns: int
    orders_before_ns: int
    limit: int


@dataclass(frozen=True)
class Drop:
    """What goes in one commit: the journal up to `before`, and with it the stories that far of the orders it told of.

    With an order goes all that hangs on its row: its wire ids, what is left of its story. `wire_ids` are the last ones.
    """

    account: str
    before: audit.Mark
    entries: int
    told: frozenset[OrderKey]
    fill_ids: frozenset[str]
    orders: frozenset[OrderKey]
    wire_ids: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many rows these are, uncounted what hangs on them."""
        return self.entries + len(self.fill_ids) + len(self.orders)


def drop_of(
    attic: Attic,
    account: str,
    before: audit.Mark,
    bounds: Bounds,
    *,
    is_open: Callable[[OrderKey], bool],
    is_touched: Callable[[OrderKey], bool],
) -> Drop:
    """What may go of the account now, its journal being kept from the entry after `before` on.

    `is_open` tells orders that have not ended, `is_touched` those that the same commit writes: their rows stay.
    """
    entries = tuple(
        takewhile(
            lambda entry: entry.at_ns < bounds.events_before_ns and (entry.key is None or not is_open(entry.key)),
            attic.oldest_entries(account, before.sequence, bounds.limit),
        )
    )
    if entries:
        before = entries[-1].mark
    fills = takewhile(
        lambda fill: fill.at_ns < bounds.orders_before_ns,
        attic.oldest_fill_ids(account, before.sequence, bounds.limit),
    )
    orders = tuple(
        takewhile(
            lambda order: order.update_time_ns < bounds.orders_before_ns and not is_touched(order.key),
            attic.oldest_ended(account, before.sequence, bounds.limit),
        )
    )
    return Drop(
        account,
        before,
        len(entries),
        told=frozenset(entry.key for entry in entries if entry.key is not None),
        fill_ids=frozenset(fill.fill_id for fill in fills),
        orders=frozenset(order.key for order in orders),
        wire_ids=tuple(order.venue_client_id for order in orders if order.venue_client_id),
    )
