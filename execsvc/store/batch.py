"""What writes mean, decided before anything is written: the same for every engine.

A Batch is one commit in the making. Each operation looks things up on the engine's shelf and in what the batch already
holds, decides, and only then leaves its marks; one that raises leaves none, so it fails alone. The engine afterwards
writes down what the batch collected and commits. Nothing here awaits or knows SQL.
"""

from dataclasses import dataclass
from typing import Protocol

from execsvc.domain.account import Fill
from execsvc.domain.errors import Broken, Busy, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Intent, Order, OrderEvent, Status, submitted
from execsvc.ports import Fresh, JournalEntry, Known
from execsvc.store import audit, records

NONCE_MAX = 2**64 - 1
# Bounds of every engine's writer: how much may wait, and how much shares one commit.
QUEUE_MOST = 4096
COMMIT_MOST = 256


@dataclass(frozen=True)
class Identity:
    """Of an opened store: its name, its secret (never shown), and how often it was opened."""

    journal_id: str
    installation_secret: bytes
    epoch: int

    def __repr__(self) -> str:
        return f"<Identity {self.journal_id} epoch {self.epoch}>"


@dataclass(frozen=True)
class Head:
    """Where an account's journal stands: the mark before its oldest kept entry, and that of its newest."""

    before: audit.Mark
    last: audit.Mark


@dataclass(frozen=True)
class Entry:
    """A journal entry about to be written: what listeners are told, and what is kept of it."""

    account: str
    published: JournalEntry
    record: audit.Record


class Shelf(Protocol):
    """What is committed, as the engine finds it."""

    def order(self, key: OrderKey) -> Order | None:
        """The order of that key."""
        ...

    def head(self, account: str) -> Head | None:
        """Where the account stands; None before its first write."""
        ...

    def has_fill(self, account: str, fill_id: str) -> bool:
        """Whether the fill was written before."""
        ...

    def high_water(self, key_fingerprint: str) -> int | None:
        """The highest nonce reserved for the key."""
        ...


class Batch:
    """One commit in the making: operations in, rows out. Of an order only the last state of the batch is its row."""

    def __init__(self, shelf: Shelf, identity: Identity) -> None:
        self._shelf = shelf
        self._identity = identity
        self.orders: dict[OrderKey, tuple[Order, str]] = {}
        self.new_keys: set[OrderKey] = set()
        self.wire_ids: list[tuple[str, OrderKey]] = []
        self.entries: list[Entry] = []
        self.fills: dict[tuple[str, str], Entry] = {}
        self.heads: dict[str, Head] = {}
        self.nonces: dict[str, int] = {}

    def begin(self, intent: Intent, now_ns: int) -> Fresh | Known:
        """See ports.Journal.begin."""
        stored = self._find(intent.key)
        if stored is None:
            order = submitted(intent, now_ns)
        elif stored.content_hash != intent.content_hash:
            raise _reused(stored, intent)
        elif stored.status is Status.NEVER_SENT:
            order = stored.resubmitted(intent, now_ns)
        else:
            return Known(stored)
        self._put(order, records.text_of(order), now_ns)
        self.wire_ids.append((order.venue_client_id, order.key))
        if stored is None:
            self.new_keys.add(order.key)
        return Fresh(order)

    def record(self, key: OrderKey, event: OrderEvent, now_ns: int) -> Order:
        """See ports.Journal.record. An order that was never begun is Broken."""
        stored = self._get(key)
        order = stored.apply(event, now_ns)
        if order is not stored:
            self._put(order, records.text_of(order), now_ns)
        return order

    def record_fill(self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int) -> Order | None:
        """See ports.Journal.record_fill. A fill seen before still lets its event through: that may be news."""
        if key is None and event is not None:
            raise broken(f"fill {fill.fill_id}: an event needs an order")
        if key is not None and key.account != fill.account:
            raise broken(f"fill {fill.fill_id} of account {fill.account} is not of order {key}")
        stored = None if key is None else self._get(key)
        order = stored if stored is None or event is None else stored.apply(event, now_ns)
        identity = (fill.account, fill.fill_id)
        seen = identity in self.fills or self._shelf.has_fill(*identity)
        fill_text = "" if seen else records.text_of(fill)
        order_text = "" if order is None or order is stored else records.text_of(order)
        if not seen:
            self.fills[identity] = self._append(fill.account, "fill", fill, fill_text, now_ns)
        if order is not None and order_text:
            self._put(order, order_text, now_ns)
        return order

    def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """See ports.NonceBlocks.reserve. `size` is above zero; a key whose numbers are used up is Broken."""
        reserved = self.nonces.get(key_fingerprint)
        if reserved is None:
            reserved = self._shelf.high_water(key_fingerprint) or 0
        first = max(reserved, floor) + 1
        last = first + size - 1
        if last < first:
            raise broken(f"a nonce block of {size} was asked for")
        if last > NONCE_MAX:
            raise broken("the key's nonces are used up: make a new key")
        self.nonces[key_fingerprint] = last
        return range(first, last + 1)

    def _find(self, key: OrderKey) -> Order | None:
        here = self.orders.get(key)
        return self._shelf.order(key) if here is None else here[0]

    def _get(self, key: OrderKey) -> Order:
        order = self._find(key)
        if order is None:
            raise broken(f"order {key} is not in the journal")
        return order

    def _put(self, order: Order, text: str, now_ns: int) -> None:
        self._append(order.key.account, "order", order, text, now_ns)
        self.orders[order.key] = (order, text)

    def _append(self, account: str, kind: str, value: Order | Fill, text: str, now_ns: int) -> Entry:
        head = self.heads.get(account) or self._shelf.head(account)
        if head is None:
            start = audit.origin(self._identity.journal_id, account)
            head = Head(start, start)
        record = audit.link(head.last, self._identity.epoch, now_ns, kind, text)
        self.heads[account] = Head(head.before, audit.Mark(record.sequence, record.hash))
        entry = Entry(account, entry_of(record.sequence, value), record)
        self.entries.append(entry)
        return entry


def entry_of(sequence: int, value: Order | Fill) -> JournalEntry:
    """The published form of an order's new state or of a fill."""
    return JournalEntry(sequence, order=value) if isinstance(value, Order) else JournalEntry(sequence, fill=value)


def check_resume(sequence: int, head: Head | None) -> None:
    """Raises Conflict when the entries after `sequence` are not all here: dropped, or of a later state of the journal."""
    first, last = (0, 0) if head is None else (head.before.sequence, head.last.sequence)
    if sequence < first:
        raise refuse(
            Reason.RESUME_TOKEN_EXPIRED,
            f"entries after {sequence} are gone, the oldest kept is {first + 1}: start from a snapshot",
        )
    if sequence > last:
        raise refuse(
            Reason.RESUME_TOKEN_EXPIRED,
            f"this journal ends at {last} and knows no entry {sequence}: start from a snapshot",
        )


def unavailable(why: str, *, retry_after_s: float = 1.0) -> Busy:
    """The error of a store that cannot do its work now."""
    return Busy(Fault(Reason.STORE_UNAVAILABLE, f"the store is unavailable: {why}", retry_after_s=retry_after_s))


def broken(message: str) -> Broken:
    """The error of a violated rule of ours."""
    return Broken(Fault(Reason.INTERNAL, message))


def _reused(stored: Order, intent: Intent) -> ExecsvcError:
    return refuse(
        Reason.CLIENT_ORDER_ID_REUSED,
        f"client order id {intent.key.client_order_id} already stands for another order: nothing was sent",
        content_hash=intent.content_hash.hex(),
        stored_content_hash=stored.content_hash.hex(),
        order_id=stored.venue_order_id,
        id_used="true",
    )
