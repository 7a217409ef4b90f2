"""The memory store's disk: what is durable in a simulated world. A value that outlives the simulated process.

Only `keep` changes it, whole batch or nothing, with the uniqueness that the SQL schema demands. Queues, crashes and time
are memory.py's business.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from execsvc.domain.amend import Amend, AmendKey
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order, Status
from execsvc.domain.story import Step
from execsvc.ports import Entropy, JournalEntry, OrderQuery
from execsvc.store import audit, records
from execsvc.store.amends import AmendsKept
from execsvc.store.batch import Batch, Entry, Head, check_resume
from execsvc.store.ledger import Ledger
from execsvc.store.modes import ModesKept
from execsvc.store.refusals import broken
from execsvc.store.retention import Drop, OldEntry, OldFill


class KeptRow(NamedTuple):
    """A row of a story as text: what few ask for is not kept as values."""

    sequence: int
    upto: int
    body: str


@dataclass
class Disk:
    """Everything committed. Make one with `Disk.blank`."""

    journal_id: str
    installation_secret: bytes = field(repr=False)
    epoch: int = 0
    orders: dict[OrderKey, Order] = field(default_factory=dict)
    wire_ids: dict[str, OrderKey] = field(default_factory=dict)
    earlier_wire_ids: dict[str, str] = field(default_factory=dict)
    venue_ids: dict[tuple[str, str], OrderKey] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    stories: dict[OrderKey, list[KeptRow]] = field(default_factory=dict)
    heads: dict[str, Head] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)
    facts: dict[tuple[str, str], str] = field(default_factory=dict)
    amends: AmendsKept = field(default_factory=AmendsKept, repr=False)
    modes: ModesKept = field(default_factory=ModesKept)
    ledgers: dict[str, Ledger] = field(default_factory=lambda: defaultdict(Ledger), repr=False)

    @classmethod
    def blank(cls, entropy: Entropy) -> "Disk":
        """A disk at its birth."""
        return cls(entropy.token(16).hex(), entropy.token(32))

    def order(self, key: OrderKey) -> Order | None:
        """See Shelf."""
        return self.orders.get(key)

    def head(self, account: str) -> Head | None:
        """See Shelf."""
        return self.heads.get(account)

    def has_fill(self, account: str, fill_id: str) -> bool:
        """See Shelf."""
        return fill_id in self.ledgers[account].fills

    def high_water(self, key_fingerprint: str) -> int | None:
        """See Shelf."""
        return self.nonces.get(key_fingerprint)

    def told(self, key: OrderKey) -> int:
        """See Shelf."""
        rows = self.stories.get(key)
        return rows[-1].upto if rows else 0

    def amend(self, key: AmendKey) -> Amend | None:
        """See AmendShelf."""
        return self.amends.amend(key)

    def open_amend(self, key: OrderKey) -> Amend | None:
        """See AmendShelf."""
        return self.amends.open_amend(key)

    def amends_of(self, key: OrderKey) -> tuple[Amend, ...]:
        """See AmendRows."""
        return self.amends.amends_of(key)

    def open_amends(self, account: str) -> tuple[Amend, ...]:
        """See AmendRows."""
        return self.amends.open_amends(account)

    def amends_since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """See AmendRows."""
        return self.amends.amends_since(account, since_ns, limit)

    def oldest_entries(self, account: str, after: int, limit: int) -> Sequence[OldEntry]:
        """See Attic."""
        return [
            OldEntry(
                audit.Mark(entry.record.sequence, entry.record.hash),
                entry.record.at_ns,
                None if entry.published.order is None else entry.published.order.key,
            )
            for entry in self._entries_after(account, after, limit)
        ]

    def oldest_fill_ids(self, account: str, upto: int, limit: int) -> Sequence[OldFill]:
        """See Attic."""
        return self.ledgers[account].oldest_fill_ids(upto, limit)

    def oldest_ended(self, account: str, upto: int, limit: int) -> Sequence[Order]:
        """See Attic."""
        return [self.orders[key] for key in self.ledgers[account].oldest_ended(upto, limit)]

    def keep(self, batch: Batch) -> None:
        """Commits the batch; Broken and unchanged when an id would stand for two orders."""
        self._check_unique(batch)
        for drop in batch.drops.values():
            self._drop(drop)
        for key, (order, _) in batch.orders.items():
            self._enter(key, order, batch.newest[key])
        for each in batch.wire_ids:
            self.wire_ids[each.wire_id] = each.key
            if each.earlier is not None:
                self.earlier_wire_ids[each.wire_id] = each.earlier
        for entry in batch.entries:
            self.entries.setdefault(entry.account, []).append(entry)
        for (account, fill_id), entry in batch.fills.items():
            self.ledgers[account].fills[fill_id] = (entry.record.sequence, entry.record.at_ns)
        for key, sequence in batch.newest.items():
            if key not in batch.orders:
                self.ledgers[key.account].touch(key, sequence)
        for key, row in batch.stories.items():
            kept = KeptRow(self.ledgers[key.account].newest[key], row.upto, row.body)
            self.stories.setdefault(key, []).append(kept)
        self.heads.update(batch.heads)
        self.nonces.update(batch.nonces)
        self.amends.write(batch.amends)
        self.modes.write(batch.modes)
        self._learn(batch.facts)

    def story(self, key: OrderKey) -> tuple[Step, ...]:
        """See ports.Journal."""
        return tuple(step for row in self.stories.get(key, ()) for step in records.steps_of(row.body))

    def find(self, account: str, venue_order_id: str, venue_client_id: str) -> Order | None:
        """See ports.Journal; with both ids, the wire id is asked when the other finds nothing."""
        key = self.venue_ids.get((account, venue_order_id)) or self.wire_ids.get(venue_client_id)
        return self.orders[key] if key is not None and key.account == account else None

    def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """See ports.Journal."""
        orders = (self.orders[key] for key in self.ledgers[account].oldest_first(statuses))
        return tuple(order for order in orders if order.status in statuses)

    def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """See ports.Journal."""
        orders = (self.orders[key] for key in self.ledgers[query.account].newest_first(query))
        return tuple(islice((order for order in orders if _matches(order, query)), query.size))

    def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """See ports.Journal."""
        check_resume(sequence, self.heads.get(account))
        return tuple(entry.published for entry in self._entries_after(account, sequence, limit))

    def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        head = self.heads.get(account)
        return 0 if head is None else head.last.sequence

    def audit_flaws(self, account: str) -> tuple[str, ...]:
        """Checks the account's audit chain; empty when it is whole."""
        origin = audit.origin(self.journal_id, account)
        head = self.heads.get(account, Head(origin, origin))
        return audit.verify(head.before, (entry.record for entry in self.entries.get(account, [])), head.last)

    def _entries_after(self, account: str, sequence: int, limit: int) -> list[Entry]:
        """What is kept ends at the head and has no holes, so the place follows from the number."""
        entries = self.entries.get(account, [])
        start = len(entries) - (self.last_sequence(account) - sequence)
        return entries[start : start + limit]

    def _check_unique(self, batch: Batch) -> None:
        """A wire id is written once for ever, a venue order id stands for one order; what a dropped order had is free."""
        free = {None, *(key for drop in batch.drops.values() for key in drop.orders)}
        wire_ids = [each.wire_id for each in batch.wire_ids]
        if len(wire_ids) > len({*wire_ids}) or any(self.wire_ids.get(wire_id) not in free for wire_id in wire_ids):
            raise broken("the store refused a row: a wire id was used before")
        owners: dict[tuple[str, str], OrderKey] = {}
        for key, (order, _) in batch.orders.items():
            if not order.venue_order_id:
                continue
            name = (key.account, order.venue_order_id)
            owner = self.venue_ids.get(name)
            if owner in free:
                owner = owners.setdefault(name, key)
            if owner != key:
                raise broken(f"the store refused a row: {order.venue_order_id} is {owner}, not {key}")

    def _enter(self, key: OrderKey, order: Order, sequence: int) -> None:
        before = self.orders.get(key)
        self.ledgers[key.account].enter(before, order, sequence)
        if before is not None and before.venue_order_id != order.venue_order_id:
            self.venue_ids.pop((key.account, before.venue_order_id), None)
        if order.venue_order_id:
            self.venue_ids[key.account, order.venue_order_id] = key
        self.orders[key] = order

    def _drop(self, drop: Drop) -> None:
        """What hangs on an order's row goes with it. Only where orders go, all of the account's are looked through."""
        ledger = self.ledgers[drop.account]
        del self.entries.get(drop.account, [])[: drop.entries]
        for fill_id in drop.fill_ids:
            del ledger.fills[fill_id]
        for key in drop.told & self.stories.keys():
            left = [row for row in self.stories.pop(key) if row.sequence > drop.before.sequence]
            if left:
                self.stories[key] = left
        for key in drop.orders:
            self.stories.pop(key, None)
            self.venue_ids.pop((key.account, self.orders.pop(key).venue_order_id), None)
        self.amends.drop(drop.orders)
        for wire_id in drop.wire_ids:
            self._drop_attempts(wire_id)
        if drop.orders:
            ledger.strike(drop.orders)

    def _drop_attempts(self, last: str) -> None:
        wire_id: str | None = last
        while wire_id is not None:
            del self.wire_ids[wire_id]
            wire_id = self.earlier_wire_ids.pop(wire_id, None)

    def _learn(self, facts: dict[tuple[str, str], str]) -> None:
        for named, value in facts.items():
            self.facts.pop(named, None)
            if value:
                self.facts[named] = value


def _matches(order: Order, query: OrderQuery) -> bool:
    return (
        query.caller in {"", order.key.caller}
        and (bool(order.key.caller) or not query.placed_here)
        and query.symbol in {"", order.spec.symbol}
        and (not query.statuses or order.status in query.statuses)
    )
