"""The memory store's disk: what is durable in a simulated world. A value that outlives the simulated process.

Only `keep` changes it, whole batch or nothing, with the uniqueness that the SQL schema demands. Queues, crashes and time
are memory.py's business.
"""

from dataclasses import dataclass, field

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order, Status
from execsvc.ports import Entropy, JournalEntry, OrderQuery
from execsvc.store import audit
from execsvc.store.batch import Batch, Entry, Head, broken, check_resume


@dataclass
class Disk:
    """Everything committed. Make one with `Disk.blank`."""

    journal_id: str
    installation_secret: bytes = field(repr=False)
    epoch: int = 0
    orders: dict[OrderKey, Order] = field(default_factory=dict)
    wire_ids: dict[str, OrderKey] = field(default_factory=dict)
    venue_ids: dict[tuple[str, str], OrderKey] = field(default_factory=dict)
    entries: dict[str, list[Entry]] = field(default_factory=dict)
    fills: set[tuple[str, str]] = field(default_factory=set)
    heads: dict[str, Head] = field(default_factory=dict)
    nonces: dict[str, int] = field(default_factory=dict)

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
        return (account, fill_id) in self.fills

    def high_water(self, key_fingerprint: str) -> int | None:
        """See Shelf."""
        return self.nonces.get(key_fingerprint)

    def keep(self, batch: Batch) -> None:
        """Commits the batch; Broken and unchanged when an id would stand for two orders."""
        orders = {key: order for key, (order, _) in batch.orders.items()}
        self._check_unique(batch, orders)
        for key, order in orders.items():
            before = self.orders.get(key)
            if before is not None:
                self.venue_ids.pop((key.account, before.venue_order_id), None)
            if order.venue_order_id:
                self.venue_ids[key.account, order.venue_order_id] = key
        self.orders.update(orders)
        self.wire_ids.update(batch.wire_ids)
        for entry in batch.entries:
            self.entries.setdefault(entry.account, []).append(entry)
        self.fills.update(batch.fills)
        self.heads.update(batch.heads)
        self.nonces.update(batch.nonces)

    def find(self, account: str, venue_order_id: str, venue_client_id: str) -> Order | None:
        """See ports.Journal; with both ids, the wire id is asked when the other finds nothing."""
        key = self.venue_ids.get((account, venue_order_id)) or self.wire_ids.get(venue_client_id)
        return self.orders[key] if key is not None and key.account == account else None

    def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """See ports.Journal."""
        return tuple(order for order in self._oldest_first(account) if order.status in statuses)

    def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """See ports.Journal."""
        newest_first = reversed(self._oldest_first(query.account))
        return tuple(order for order in newest_first if _matches(order, query))[: query.size]

    def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """See ports.Journal."""
        check_resume(sequence, self.heads.get(account))
        # What is kept ends at the head and has no holes, so the position follows from the number.
        entries = self.entries.get(account, [])
        start = len(entries) - (self.last_sequence(account) - sequence)
        return tuple(entry.published for entry in entries[start:][:limit])

    def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        head = self.heads.get(account)
        return 0 if head is None else head.last.sequence

    def audit_flaws(self, account: str) -> tuple[str, ...]:
        """Checks the account's audit chain; empty when it is whole."""
        origin = audit.origin(self.journal_id, account)
        head = self.heads.get(account, Head(origin, origin))
        return audit.verify(head.before, (entry.record for entry in self.entries.get(account, [])), head.last)

    def _check_unique(self, batch: Batch, orders: dict[OrderKey, Order]) -> None:
        """A wire id is written once for ever, a venue order id stands for one order."""
        wire_ids = [wire_id for wire_id, _ in batch.wire_ids]
        if len(wire_ids) > len({*wire_ids}) or not self.wire_ids.keys().isdisjoint(wire_ids):
            raise broken("the store refused a row: a wire id was used before")
        owners: dict[tuple[str, str], OrderKey] = {}
        for key, order in orders.items():
            name = (key.account, order.venue_order_id)
            owner = self.venue_ids.get(name) or owners.setdefault(name, key)
            if order.venue_order_id and owner != key:
                raise broken(f"the store refused a row: {order.venue_order_id} is {owner}, not {key}")

    def _oldest_first(self, account: str) -> list[Order]:
        mine = (order for order in self.orders.values() if order.key.account == account)
        return sorted(mine, key=lambda order: (order.create_time_ns, order.key))


def _matches(order: Order, query: OrderQuery) -> bool:
    at = order.create_time_ns
    return (
        query.caller in {"", order.key.caller}
        and query.symbol in {"", order.spec.symbol}
        and (not query.statuses or order.status in query.statuses)
        and (query.start_ns is None or at >= query.start_ns)
        and (query.end_ns is None or at < query.end_ns)
        and (query.before is None or (at, order.key) < query.before)
    )
