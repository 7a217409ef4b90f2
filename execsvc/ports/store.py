"""The seam to durable memory: the journal of orders, the nonce blocks, and the store that is both.

store meets it, in SQLite and in memory, under one conformance suite.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from execsvc.domain.account import Fill
from execsvc.domain.amend import Amend
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import Order, OrderEvent, Status
from execsvc.domain.story import Step
from execsvc.ports.amends import AmendJournal


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
    """One published fact, in journal order: an order's new state, or a fill (the order that includes it follows).

    amend: an amend's new state; the order that it changed follows. No subscriber of orders is shown one. mode: a trading mode
    that was set or lifted.
    """

    sequence: int
    order: Order | None = None
    fill: Fill | None = None
    amend: Amend | None = None
    mode: ModeEntry | None = None


@dataclass(frozen=True)
class OrderQuery:
    """Newest first. Empty filters mean all; end exclusive; `before` is a page's last (create_time_ns, key).

    placed_here: none of those that were placed elsewhere.
    """

    account: str
    caller: str = ""
    symbol: str = ""
    statuses: frozenset[Status] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    size: int = 100
    before: tuple[int, OrderKey] | None = None
    placed_here: bool = False


class Journal(Protocol):
    """Orders and fills, durable before anybody is told. Raises Busy(STORE_UNAVAILABLE) when the store fails.

    Every write is committed (fsync) before it returns; writes queued at once share one commit.
    """

    async def begin(self, intent: Intent, now_ns: int, steps: tuple[Step, ...] = ()) -> Fresh | Known:
        """Makes the intent durable. A NEVER_SENT order of the same content starts its next attempt (Fresh).

        `steps` are what led to it, for the order's story; they and a JOURNALED step are kept with a Fresh order only.

        Raises Conflict(CLIENT_ORDER_ID_REUSED) with both content hashes when the id stands for other content.
        """
        ...

    async def adopt(self, order: Order, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """Makes an order durable that was placed elsewhere, as it was first seen; the stored one where its key is known.

        Such an order has Kraken's id, no caller and no wire id, and is not unresolved; anything else is Broken.
        """
        ...

    async def record(self, key: OrderKey, event: OrderEvent, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """Folds the event into the order and commits; a no-news event writes nothing but `steps`. Raises Broken as apply().

        The order's story grows by `steps`, then by the event's own step (domain/story.py) where it was news.
        """
        ...

    async def record_fill(
        self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int
    ) -> Order | None:
        """Commits a fill and, with it, the event on its order. A fill_id seen before is not written twice."""
        ...

    async def get(self, key: OrderKey) -> Order | None:
        """One order."""
        ...

    async def story(self, key: OrderKey) -> tuple[Step, ...]:
        """The order's durable steps, oldest first; empty for an order that is not known, or whose story was dropped."""
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


class Facts(Protocol):
    """A few durable words about an account that are no orders: a standing halt, the grown visibility bound."""

    async def remember(self, account: str, name: str, value: str) -> None:
        """Commits the value under the name; an empty value forgets it."""
        ...

    async def recall(self, account: str, name: str) -> str:
        """The value; empty when there is none."""
        ...


class ModeBook(Protocol):
    """The trading modes of each account, durable, each change an entry of the account's journal and so of its audit chain."""

    async def set_mode(self, account: str, entry: ModeEntry, now_ns: int) -> None:
        """Commits the entry in place of the one of its scope; NORMAL removes that. It names this account or is everything.

        NORMAL for everything removes such an entry from every account, also from one that is not served any more.
        """
        ...

    async def modes(self, account: str) -> tuple[ModeEntry, ...]:
        """The entries in force, by scope: the account's own, and any for everything, whichever account it was set with."""
        ...


class Housekeeping(Protocol):
    """What keeps a store from growing for ever, and an owner from writing after it was superseded."""

    async def forget(self, account: str, *, events_before_ns: int, orders_before_ns: int, limit: int) -> int:
        """Drops what is older, at most `limit` rows of each kind in one commit; returns how many rows went.

        Events (with fills and stories) go from the old end of the journal, up to the first entry of an order that is not
        terminal yet; the audit chain then begins there. An order's row (its id, hash and verdict, so the promise that the id
        is never placed again) goes when it ended before `orders_before_ns` and no event of it is left.
        """
        ...

    async def confirm(self) -> None:
        """Reads that this opening is still the store's latest. Raises Busy(NOT_OWNER) when another took over."""
        ...


class NonceBlocks(Protocol):
    """Nonce ranges, durable before the first of them is used."""

    async def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """`size` nonces above everything ever reserved for the key and above `floor`."""
        ...

    async def high_water(self, key_fingerprint: str) -> int | None:
        """The highest nonce ever reserved; None for a key never used here."""
        ...


class Store(Journal, Facts, ModeBook, Housekeeping, NonceBlocks, Protocol):
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
    def amends(self) -> AmendJournal:
        """Amends of this journal's orders."""
        ...

    @property
    def journal_id(self) -> str:
        """Names this journal in resume tokens: a token of another store is refused, not misread."""
        ...

    async def close(self) -> None:
        """Finishes what is queued, then closes."""
        ...
