"""What writes mean, decided before anything is written: the same for every engine.

A Batch is one commit in the making. Each operation looks things up on the engine's shelf and in what the batch already
holds, decides, and only then leaves its marks; one that raises leaves none, so it fails alone. The engine afterwards
writes down what the batch collected and commits. Nothing here awaits or knows SQL.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

from execsvc.domain import amend as amends
from execsvc.domain import amendrules
from execsvc.domain.account import Fill
from execsvc.domain.amend import Amend, AmendEvent, AmendIntent, AmendKey, AmendStatus, Applied
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import (
    LIVE,
    UNRESOLVED,
    Amended,
    Corrected,
    Order,
    OrderEvent,
    Seen,
    Status,
    submitted,
)
from execsvc.domain.story import Step, step_of
from execsvc.ports import Fresh, FreshAmend, JournalEntry, Known, KnownAmend
from execsvc.store import audit, records
from execsvc.store.amends import AmendShelf
from execsvc.store.modes import KeptMode
from execsvc.store.refusals import broken, reused
from execsvc.store.retention import Attic, Bounds, Drop, drop_of
from execsvc.store.stories import StoryRow, journaled, kept_of, with_venue_time

# What a start resolves and watches; every other state is an end, NEVER_SENT as long as nobody tries again.
UNSETTLED = UNRESOLVED | LIVE
NONCE_MAX = 2**64 - 1
# What an entry of the journal holds.
Value = Order | Fill | Amend | ModeEntry
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


@dataclass(frozen=True)
class WireId:
    """The cl_ord_id of an attempt, its order, and that of the attempt before."""

    wire_id: str
    key: OrderKey
    earlier: str | None


class Shelf(Attic, AmendShelf, Protocol):
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

    def told(self, key: OrderKey) -> int:
        """How many steps the order's story has."""
        ...


class Batch:
    """One commit in the making: operations in, rows out. Of an order only the last state of the batch is its row."""

    def __init__(self, shelf: Shelf, identity: Identity) -> None:
        self._shelf = shelf
        self._identity = identity
        self.drops: dict[str, Drop] = {}
        self.orders: dict[OrderKey, tuple[Order, str]] = {}
        self.newest: dict[OrderKey, int] = {}
        self.new_keys: set[OrderKey] = set()
        self.wire_ids: list[WireId] = []
        self.entries: list[Entry] = []
        self.fills: dict[tuple[str, str], Entry] = {}
        self.heads: dict[str, Head] = {}
        self.nonces: dict[str, int] = {}
        self.stories: dict[OrderKey, StoryRow] = {}
        self.facts: dict[tuple[str, str], str] = {}
        self.amends: dict[AmendKey, tuple[Amend, str]] = {}
        self.modes: list[KeptMode] = []

    def begin(self, intent: Intent, now_ns: int, steps: tuple[Step, ...] = ()) -> Fresh | Known:
        """See ports.Journal.begin."""
        stored = self._find(intent.key)
        if stored is None:
            order = submitted(intent, now_ns)
        elif stored.content_hash != intent.content_hash:
            raise reused(stored, intent)
        elif stored.status is Status.NEVER_SENT:
            order = stored.resubmitted(intent, now_ns)
        else:
            return Known(stored)
        text = records.text_of(order)
        row = self._story(order.key, (*steps, journaled(order, now_ns)), begun=stored is not None)
        self._put(order, text, now_ns)
        self._tell(order.key, row)
        earlier = None if stored is None else stored.venue_client_id
        self.wire_ids.append(WireId(order.venue_client_id, order.key, earlier))
        if stored is None:
            self.new_keys.add(order.key)
        return Fresh(order)

    def adopt(self, order: Order, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal.adopt."""
        stored = self._find(order.key)
        if stored is not None:
            return stored
        if order.key.caller or order.venue_client_id or not order.venue_order_id or order.status in UNRESOLVED:
            raise broken(f"order {order.key} was not placed elsewhere")
        text = records.text_of(order)
        row = self._story(order.key, steps, begun=False)
        self._put(order, text, now_ns)
        self._tell(order.key, row)
        self.new_keys.add(order.key)
        return order

    def record(self, key: OrderKey, event: OrderEvent, now_ns: int, steps: tuple[Step, ...] = ()) -> Order:
        """See ports.Journal.record. An order that was never begun is Broken."""
        stored = self._get(key)
        order = stored.apply(event, now_ns)
        text = "" if order is stored else records.text_of(order)
        if text:
            steps = (*steps, step_of(event, stored, order, now_ns))
        row = self._story(key, steps)
        if text:
            self._put(order, text, now_ns)
        self._tell(key, row)
        return order

    def record_fill(self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int) -> Order | None:
        """See ports.Journal.record_fill. A fill seen before still lets its event through: that may be news."""
        if key is None and event is not None:
            raise broken(f"fill {fill.fill_id}: an event needs an order")
        if key is not None and key.account != fill.account:
            raise broken(f"fill {fill.fill_id} of account {fill.account} is not of order {key}")
        stored = None if key is None else self._get(key)
        identity = (fill.account, fill.fill_id)
        seen = self._has_fill(*identity)
        if seen and isinstance(event, Seen | Corrected):
            event = replace(event, report=event.report.told_before())
        order = stored if stored is None or event is None else stored.apply(event, now_ns)
        fill_text = "" if seen else records.text_of(fill)
        order_text, row = "", None
        if stored is not None and order is not None and event is not None and order is not stored:
            order_text = records.text_of(order)
            step = with_venue_time(step_of(event, stored, order, now_ns), fill.times.venue_ns)
            row = self._story(order.key, (step,))
        if not seen:
            self.fills[identity] = self._append(fill.account, "fill", fill, fill_text, now_ns, key)
        if order is not None and order_text:
            self._put(order, order_text, now_ns)
            self._tell(order.key, row)
        return order

    def begin_amend(self, intent: AmendIntent, now_ns: int, steps: tuple[Step, ...] = ()) -> FreshAmend | KnownAmend:
        """See ports.AmendJournal.begin."""
        order, stored = self._get(intent.key.order), self._find_amend(intent.key)
        if stored is not None and stored.content_hash != intent.content_hash:
            raise amendrules.reused(stored, intent)
        if stored is not None and stored.status is not AmendStatus.NEVER_SENT:
            return KnownAmend(stored, order)
        amendrules.demand_amendable(order, intent, self._open_amend(order.key))
        amend = amends.submitted(intent, order, now_ns) if stored is None else stored.resubmitted(intent, now_ns)
        text = records.text_of(amend)
        row = self._story(order.key, (*steps, amends.journaled(amend, now_ns)))
        self._put_amend(amend, text, now_ns)
        self._tell(order.key, row)
        return FreshAmend(amend, order)

    def record_amend(
        self, key: AmendKey, event: AmendEvent, now_ns: int, steps: tuple[Step, ...] = ()
    ) -> tuple[Amend, Order]:
        """See ports.AmendJournal.record. What was applied changes the order in the same commit."""
        stored, order = self._find_amend(key), self._get(key.order)
        if stored is None:
            raise broken(f"amend {key} is not in the journal")
        amend = stored.apply(event, now_ns)
        changed = order
        if isinstance(event, Applied) and amend is not stored and not event.superseded:
            wanted = Amended(amend.wish.applied_to(order.spec), amend.attempt_time_ns)
            changed = order.apply(wanted, now_ns)
            steps = (*steps, step_of(wanted, order, changed, now_ns)) if changed is not order else steps
        text = "" if amend is stored else records.text_of(amend)
        order_text = "" if changed is order else records.text_of(changed)
        row = self._story(key.order, (*steps, amends.step_of(event, amend, now_ns)) if text else steps)
        if text:
            self._put_amend(amend, text, now_ns)
        if order_text:
            self._put(changed, order_text, now_ns)
        self._tell(key.order, row)
        return amend, changed

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

    def remember(self, account: str, name: str, value: str) -> None:
        """See ports.Facts.remember."""
        records.text_of(value)
        self.facts[account, name] = value

    def set_mode(self, account: str, entry: ModeEntry, now_ns: int) -> None:
        """See ports.ModeBook.set_mode."""
        if not entry.scope.everything and entry.scope.account != account:
            raise broken(f"a trading mode for {entry.scope} is not one of account {account}")
        text = records.text_of(entry)
        self._append(account, "mode", entry, text, now_ns, None)
        self.modes.append(KeptMode(account, entry, text))

    def forget(self, account: str, bounds: Bounds) -> int:
        """See ports.Housekeeping.forget. Of an account only one piece goes in a commit."""
        if bounds.limit < 1:
            raise broken(f"at most {bounds.limit} rows were to be forgotten")
        head = self._head(account)
        if account in self.drops:
            return 0
        is_open = cache(self._is_open)
        drop = drop_of(self._shelf, account, head.before, bounds, is_open=is_open, is_touched=self._is_touched)
        if drop.entries:
            self.heads[account] = Head(drop.before, head.last)
        self.drops[account] = drop
        return drop.rows

    def _find(self, key: OrderKey) -> Order | None:
        here = self.orders.get(key)
        if here is not None:
            return here[0]
        return None if self._is_dropped(key) else self._shelf.order(key)

    def _is_dropped(self, key: OrderKey) -> bool:
        drop = self.drops.get(key.account)
        return drop is not None and key in drop.orders

    def _is_open(self, key: OrderKey) -> bool:
        order = self._find(key)
        return order is not None and order.status in UNSETTLED

    def _is_touched(self, key: OrderKey) -> bool:
        return key in self.newest or key in self.stories

    def _has_fill(self, account: str, fill_id: str) -> bool:
        if (account, fill_id) in self.fills:
            return True
        drop = self.drops.get(account)
        return (drop is None or fill_id not in drop.fill_ids) and self._shelf.has_fill(account, fill_id)

    def _get(self, key: OrderKey) -> Order:
        order = self._find(key)
        if order is None:
            raise broken(f"order {key} is not in the journal")
        return order

    def _put(self, order: Order, text: str, now_ns: int) -> None:
        self._append(order.key.account, "order", order, text, now_ns, order.key)
        self.orders[order.key] = (order, text)

    def _find_amend(self, key: AmendKey) -> Amend | None:
        here = self.amends.get(key)
        return self._shelf.amend(key) if here is None else here[0]

    def _open_amend(self, key: OrderKey) -> Amend | None:
        """The one of the shelf may have been settled in this batch, and one in this batch may have been begun."""
        open_here = (amend for each, (amend, _) in self.amends.items() if each.order == key and not amend.is_settled)
        shelved = self._shelf.open_amend(key)
        return next(open_here, None if shelved is None or shelved.key in self.amends else shelved)

    def _put_amend(self, amend: Amend, text: str, now_ns: int) -> None:
        self._append(amend.key.order.account, "amend", amend, text, now_ns, amend.key.order)
        self.amends[amend.key] = (amend, text)

    def _story(self, key: OrderKey, steps: tuple[Step, ...], *, begun: bool = True) -> StoryRow | None:
        """The row of this commit with these steps in it; None when there is nothing to keep."""
        if not steps:
            return None
        here = self.stories.get(key)
        told = here.upto if here is not None else self._shelf.told(key) if begun else 0
        kept = kept_of(steps, told)
        steps = kept if here is None else (*here.steps, *kept)
        return StoryRow(told + len(kept), steps, records.text_of_steps(steps)) if kept else None

    def _tell(self, key: OrderKey, row: StoryRow | None) -> None:
        if row is not None:
            self.stories[key] = row

    def _head(self, account: str) -> Head:
        head = self.heads.get(account) or self._shelf.head(account)
        if head is not None:
            return head
        start = audit.origin(self._identity.journal_id, account)
        return Head(start, start)

    def _append(self, account: str, kind: str, value: Value, text: str, now_ns: int, key: OrderKey | None) -> Entry:
        head = self._head(account)
        record = audit.link(head.last, self._identity.epoch, now_ns, kind, text)
        self.heads[account] = Head(head.before, audit.Mark(record.sequence, record.hash))
        entry = Entry(account, entry_of(record.sequence, value), record)
        self.entries.append(entry)
        if key is not None:
            self.newest[key] = record.sequence
        return entry


def entry_of(sequence: int, value: Value) -> JournalEntry:
    """The published form of an order's or amend's new state, of a fill, or of a trading mode."""
    match value:
        case Order():
            return JournalEntry(sequence, order=value)
        case Fill():
            return JournalEntry(sequence, fill=value)
        case Amend():
            return JournalEntry(sequence, amend=value)
        case ModeEntry():
            return JournalEntry(sequence, mode=value)


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
