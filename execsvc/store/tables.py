"""The store's SQL, one statement per need: what a batch looks up and writes, and what readers ask.

Tables works on the writer's connection inside a transaction, Queries on the read-only one. Both block and belong to their
thread. Nothing is decided here: batch.py decides.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from execsvc.domain.account import Fill
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import LIVE, UNRESOLVED, Order, Status
from execsvc.ports import JournalEntry, OrderQuery
from execsvc.store import audit, records
from execsvc.store.batch import Batch, Head, Identity, broken, check_resume, entry_of, unavailable

_ORDER = "SELECT body FROM orders WHERE account = ? AND caller = ? AND client_order_id = ?"
_HEAD = "SELECT before_seq, before_hash, last_seq, last_hash FROM account WHERE account = ?"
_HIGH_WATER = "SELECT high_water FROM nonce WHERE key_fingerprint = ?"
UNSETTLED = UNRESOLVED | LIVE
# SQLite's integers are signed 64 bit, a caller's timestamp may lie far outside.
_NS_MAX = 2**63 - 1
_READERS: dict[str, Callable[[str], Order | Fill]] = {"order": records.order_of, "fill": records.fill_of}


class Tables:
    """The writer's side: a Shelf for batches, and where they end up."""

    def __init__(self, connection: sqlite3.Connection, identity: Identity) -> None:
        self._sql = connection
        self._identity = identity

    @contextmanager
    def transaction(self) -> Iterator[Batch]:
        """A batch that is written and committed when the block ends, and leaves no trace when anything raises."""
        try:
            self._sql.execute("BEGIN IMMEDIATE")
            self._check_epoch()
            batch = Batch(self, self._identity)
            yield batch
            self._write(batch)
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")

    def order(self, key: OrderKey) -> Order | None:
        """See Shelf."""
        return _order(self._sql, key)

    def head(self, account: str) -> Head | None:
        """See Shelf."""
        return _head(self._sql, account)

    def has_fill(self, account: str, fill_id: str) -> bool:
        """See Shelf."""
        row = self._sql.execute("SELECT 1 FROM fill WHERE account = ? AND fill_id = ?", (account, fill_id)).fetchone()
        return row is not None

    def high_water(self, key_fingerprint: str) -> int | None:
        """See Shelf."""
        return _high_water(self._sql, key_fingerprint)

    def _check_epoch(self) -> None:
        """The file lock keeps others out; should it be removed by hand, this keeps a superseded owner from writing."""
        (epoch,) = self._sql.execute("SELECT epoch FROM meta").fetchone()
        if epoch != self._identity.epoch:
            raise unavailable("another process has opened it since; this one must stop")

    def _write(self, batch: Batch) -> None:
        self._write_orders(batch)
        self._sql.executemany(
            "INSERT INTO wire_id (venue_client_id, account, caller, client_order_id) VALUES (?, ?, ?, ?)",
            [(wire_id, key.account, key.caller, key.client_order_id) for wire_id, key in batch.wire_ids],
        )
        self._sql.executemany(
            "INSERT INTO order_event (account, seq, epoch, at_ns, kind, body, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (entry.account, kept.sequence, kept.epoch, kept.at_ns, kept.kind, kept.body, kept.hash)
                for entry in batch.entries
                for kept in (entry.record,)
            ],
        )
        self._sql.executemany(
            "INSERT INTO fill (account, fill_id, seq) VALUES (?, ?, ?)",
            [(*identity, entry.record.sequence) for identity, entry in batch.fills.items()],
        )
        self._sql.executemany(
            "INSERT INTO account (account, before_seq, before_hash, last_seq, last_hash) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET last_seq = excluded.last_seq, last_hash = excluded.last_hash",
            [
                (account, head.before.sequence, head.before.hash, head.last.sequence, head.last.hash)
                for account, head in batch.heads.items()
            ],
        )
        self._sql.executemany(
            "INSERT INTO nonce (key_fingerprint, high_water) VALUES (?, ?)"
            " ON CONFLICT (key_fingerprint) DO UPDATE SET high_water = excluded.high_water",
            [(fingerprint, f"{highest:020}") for fingerprint, highest in batch.nonces.items()],
        )

    def _write_orders(self, batch: Batch) -> None:
        """New orders are inserted, never upserted: should the key exist after all, the commit must fail."""
        changes = [
            (*_state(order, body), key.account, key.caller, key.client_order_id)
            for key, (order, body) in batch.orders.items()
            if key not in batch.new_keys
        ]
        changed = self._sql.executemany(
            "UPDATE orders SET status = ?, venue_order_id = ?, body = ?"
            " WHERE account = ? AND caller = ? AND client_order_id = ?",
            changes,
        ).rowcount
        if changes and changed != len(changes):
            raise broken(f"{changed} orders were changed in the store instead of {len(changes)}")
        self._sql.executemany(
            "INSERT INTO orders (status, venue_order_id, body, account, caller, client_order_id, symbol,"
            " create_time_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *_state(order, body),
                    *(key.account, key.caller, key.client_order_id, order.spec.symbol, order.create_time_ns),
                )
                for key, (order, body) in batch.orders.items()
                if key in batch.new_keys
            ],
        )


class Queries:
    """The readers' side: committed data only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def get(self, key: OrderKey) -> Order | None:
        """See ports.Journal."""
        return _order(self._sql, key)

    def find(self, account: str, venue_order_id: str, venue_client_id: str) -> Order | None:
        """See ports.Journal; with both ids, the wire id is asked when the other finds nothing."""
        row = None
        if venue_order_id:
            row = self._sql.execute(
                "SELECT body FROM orders WHERE account = ? AND venue_order_id = ?", (account, venue_order_id)
            ).fetchone()
        if row is None and venue_client_id:
            row = self._sql.execute(
                "SELECT body FROM wire_id JOIN orders USING (account, caller, client_order_id)"
                " WHERE venue_client_id = ? AND account = ?",
                (venue_client_id, account),
            ).fetchone()
        return None if row is None else records.order_of(row[0])

    def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """See ports.Journal."""
        text = _IN_STATUS_UNSETTLED if statuses <= UNSETTLED else _IN_STATUS
        rows = self._sql.execute(text, (account, _listed(statuses)))
        return tuple(records.order_of(body) for (body,) in rows)

    def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """See ports.Journal."""
        before_ns, before = query.before or (_NS_MAX, OrderKey(query.account, "", ""))
        statuses = query.statuses or frozenset(Status)
        rows = self._sql.execute(
            _PAGE_UNSETTLED if statuses <= UNSETTLED else _PAGE,
            {
                "account": query.account,
                "caller": query.caller,
                "symbol": query.symbol,
                "statuses": _listed(statuses),
                "start_ns": 0 if query.start_ns is None else _bounded(query.start_ns),
                "end_ns": _NS_MAX if query.end_ns is None else _bounded(query.end_ns),
                "before_ns": _bounded(before_ns),
                "before_caller": before.caller,
                "before_id": before.client_order_id,
                "size": query.size,
            },
        )
        return tuple(records.order_of(body) for (body,) in rows)

    def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """See ports.Journal."""
        self._sql.execute("BEGIN")
        try:
            check_resume(sequence, _head(self._sql, account))
            rows = self._sql.execute(
                "SELECT seq, kind, body FROM order_event WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
                (account, sequence, limit),
            ).fetchall()
        finally:
            self._sql.execute("ROLLBACK")
        return tuple(entry_of(seq, _READERS[kind](body)) for seq, kind, body in rows)

    def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        head = _head(self._sql, account)
        return 0 if head is None else head.last.sequence

    def high_water(self, key_fingerprint: str) -> int | None:
        """See ports.NonceBlocks."""
        return _high_water(self._sql, key_fingerprint)


# The index of the unsettled is used only where the question repeats its condition word for word.
_IN_STATUS = """
SELECT body FROM orders
 WHERE account = ? AND status IN (SELECT value FROM json_each(?))
 ORDER BY create_time_ns, caller, client_order_id
"""
_IN_STATUS_UNSETTLED = """
SELECT body FROM orders INDEXED BY orders_unsettled
 WHERE status IN ('submitted', 'in_doubt', 'pending', 'open')
   AND account = ? AND status IN (SELECT value FROM json_each(?))
 ORDER BY create_time_ns, caller, client_order_id
"""
_PAGE = """
SELECT body FROM orders INDEXED BY orders_by_time
 WHERE account = :account AND create_time_ns >= :start_ns AND create_time_ns < :end_ns
   AND (create_time_ns, caller, client_order_id) < (:before_ns, :before_caller, :before_id)
   AND (:caller = '' OR caller = :caller) AND (:symbol = '' OR symbol = :symbol)
   AND status IN (SELECT value FROM json_each(:statuses))
 ORDER BY create_time_ns DESC, caller DESC, client_order_id DESC LIMIT :size
"""
_PAGE_UNSETTLED = """
SELECT body FROM orders INDEXED BY orders_unsettled
 WHERE status IN ('submitted', 'in_doubt', 'pending', 'open')
   AND account = :account AND create_time_ns >= :start_ns AND create_time_ns < :end_ns
   AND (create_time_ns, caller, client_order_id) < (:before_ns, :before_caller, :before_id)
   AND (:caller = '' OR caller = :caller) AND (:symbol = '' OR symbol = :symbol)
   AND status IN (SELECT value FROM json_each(:statuses))
 ORDER BY create_time_ns DESC, caller DESC, client_order_id DESC LIMIT :size
"""


def _order(sql: sqlite3.Connection, key: OrderKey) -> Order | None:
    row = sql.execute(_ORDER, (key.account, key.caller, key.client_order_id)).fetchone()
    return None if row is None else records.order_of(row[0])


def _head(sql: sqlite3.Connection, account: str) -> Head | None:
    row = sql.execute(_HEAD, (account,)).fetchone()
    return None if row is None else Head(audit.Mark(row[0], row[1]), audit.Mark(row[2], row[3]))


def _high_water(sql: sqlite3.Connection, key_fingerprint: str) -> int | None:
    row = sql.execute(_HIGH_WATER, (key_fingerprint,)).fetchone()
    return None if row is None else int(row[0])


def _state(order: Order, body: str) -> tuple[str, str | None, str]:
    """What changes of an order's row. An order without Kraken's id must not clash with another one without."""
    return order.status.value, order.venue_order_id or None, body


def _listed(statuses: frozenset[Status]) -> str:
    """A set of statuses as one SQL parameter; the values are plain words."""
    return "[" + ",".join(sorted(f'"{status.value}"' for status in statuses)) + "]"


def _bounded(ns: int) -> int:
    return max(0, min(ns, _NS_MAX))
