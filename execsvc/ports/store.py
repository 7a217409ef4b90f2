"""The seam to durable memory: the journal of orders, the nonce blocks, and the store that is both.

store meets it, in SQLite and in memory, under one conformance suite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from execsvc.domain.account import Fill
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Intent, Order, OrderEvent, Status


@dataclass(frozen=True)
class Fresh:
    """This process's insert won: it alone may send."""

    order: Order


@dataclass(frozen=True)
class Known:
    """The id was used before, for the same content."""

    order: Order


@dataclass(frozen=True)
class JournalEntry:
    """One published fact, in journal order: an order's new state, or a fill (the order that includes it follows)."""

    sequence: int
    order: Order | None = None
    fill: Fill | None = None


@dataclass(frozen=True)
class OrderQuery:
    """Newest first. Empty filters mean all; end exclusive; `before` is a page's last (create_time_ns, key)."""

    account: str
    caller: str = ""
    symbol: str = ""
    statuses: frozenset[Status] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    size: int = 100
    before: tuple[int, OrderKey] | None = None


class Journal(Protocol):
    """Orders and fills, durable before anybody is told. Raises Busy(STORE_UNAVAILABLE) when the store fails.

    Every write is committed (fsync) before it returns; writes queued at once share one commit.
    """

    async def begin(self, intent: Intent, now_ns: int) -> Fresh | Known:
        """Makes the intent durable. A NEVER_SENT order of the same content starts its next attempt (Fresh).

        Raises Conflict(CLIENT_ORDER_ID_REUSED) with both content hashes when the id stands for other content.
        """
        ...

    async def record(self, key: OrderKey, event: OrderEvent, now_ns: int) -> Order:
        """Folds the event into the order and commits; a no-news event writes nothing. Raises Broken as apply() does."""
        ...

    async def record_fill(
        self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int
    ) -> Order | None:
        """Commits a fill and, with it, the event on its order. A fill_id seen before is not written twice."""
        ...

    async def get(self, key: OrderKey) -> Order | None:
        """One order."""
        ...

    async def find(self, account: str, *, venue_order_id: str = "", venue_client_id: str = "") -> Order | None:
        """One order by either of Kraken's ids (any attempt's wire id)."""
        ...

    async def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """All orders in these states, oldest first: what a start must resolve or watch."""
        ...

    async def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """At most query.size orders, newest first."""
        ...

    async def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """Entries with a higher sequence, oldest first. Raises Conflict(RESUME_TOKEN_EXPIRED) when they are gone."""
        ...

    async def last_sequence(self, account: str) -> int:
        """The newest entry's sequence; 0 when there is none."""
        ...

    def subscribe(self, listener: Callable[[JournalEntry], None]) -> Callable[[], None]:
        """Calls `listener` in the loop, in sequence order, after each commit; returns how to stop."""
        ...


class NonceBlocks(Protocol):
    """Nonce ranges, durable before the first of them is used."""

    async def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """`size` nonces above everything ever reserved for the key and above `floor`."""
        ...

    async def high_water(self, key_fingerprint: str) -> int | None:
        """The highest nonce ever reserved; None for a key never used here."""
        ...


class Store(Journal, NonceBlocks, Protocol):
    """One opened store, exclusively ours until closed."""

    @property
    def installation_secret(self) -> bytes:
        """32 bytes, made at the store's birth: the key of wire_id()."""
        ...

    @property
    def epoch(self) -> int:
        """Grows by one with every opening."""
        ...

    @property
    def journal_id(self) -> str:
        """Names this journal in resume tokens: a token of another store is refused, not misread."""
        ...

    async def close(self) -> None:
        """Finishes what is queued, then closes."""
        ...
