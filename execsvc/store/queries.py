"""The readers' SQL, one statement per need, and the look-ups that the writer shares with them.

Queries works on the read-only connection and sees committed data only. Everything here blocks and belongs to its thread;
what is written stands in tables.py.
"""

import sqlite3
from collections.abc import Callable

from execsvc.domain.ids import OrderKey
from execsvc.domain.modes import ModeEntry
from execsvc.domain.order import Order, Status
from execsvc.domain.story import Step
from execsvc.ports import JournalEntry, OrderQuery
from execsvc.store import audit, records
from execsvc.store.batch import UNSETTLED, Head, Value, check_resume, entry_of
from execsvc.store.modes import modes_in

_ORDER = "SELECT body FROM orders WHERE account = ? AND caller = ? AND client_order_id = ?"
_HEAD = "SELECT before_seq, before_hash, last_seq, last_hash FROM account WHERE account = ?"
_HIGH_WATER = "SELECT high_water FROM nonce WHERE key_fingerprint = ?"
# The rows of one order's story.
STORY_OF = "FROM orders JOIN order_step USING (order_no) WHERE account = ? AND caller = ? AND client_order_id = ?"
# SQLite's integers are signed 64 bit, a caller's timestamp may lie far outside.
_NS_MAX = 2**63 - 1
_READERS: dict[str, Callable[[str], Value]] = {
    "order": records.order_of,
    "fill": records.fill_of,
    "amend": records.amend_of,
    "mode": records.mode_of,
}


class Queries:
    """The readers' side: committed data only."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._sql = connection

    def get(self, key: OrderKey) -> Order | None:
        """See ports.Journal."""
        return order_in(self._sql, key)

    def story(self, key: OrderKey) -> tuple[Step, ...]:
        """See ports.Journal."""
        rows = self._sql.execute(
            f"SELECT order_step.body {STORY_OF} ORDER BY step_no", (key.account, key.caller, key.client_order_id)
        )
        return tuple(step for (body,) in rows for step in records.steps_of(body))

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
                "placed_here": query.placed_here,
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
            check_resume(sequence, head_in(self._sql, account))
            rows = self._sql.execute(
                "SELECT seq, kind, body FROM order_event WHERE account = ? AND seq > ? ORDER BY seq LIMIT ?",
                (account, sequence, limit),
            ).fetchall()
        finally:
            self._sql.execute("ROLLBACK")
        return tuple(entry_of(seq, _READERS[kind](body)) for seq, kind, body in rows)

    def last_sequence(self, account: str) -> int:
        """See ports.Journal."""
        head = head_in(self._sql, account)
        return 0 if head is None else head.last.sequence

    def high_water(self, key_fingerprint: str) -> int | None:
        """See ports.NonceBlocks."""
        return high_water_in(self._sql, key_fingerprint)

    def recall(self, account: str, name: str) -> str:
        """See ports.Facts."""
        row = self._sql.execute("SELECT value FROM fact WHERE account = ? AND name = ?", (account, name)).fetchone()
        return "" if row is None else str(row[0])

    def modes(self, account: str) -> tuple[ModeEntry, ...]:
        """See ports.ModeBook."""
        return modes_in(self._sql, account)


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
   AND (:caller = '' OR caller = :caller) AND (NOT :placed_here OR caller <> '') AND (:symbol = '' OR symbol = :symbol)
   AND status IN (SELECT value FROM json_each(:statuses))
 ORDER BY create_time_ns DESC, caller DESC, client_order_id DESC LIMIT :size
"""
_PAGE_UNSETTLED = """
SELECT body FROM orders INDEXED BY orders_unsettled
 WHERE status IN ('submitted', 'in_doubt', 'pending', 'open')
   AND account = :account AND create_time_ns >= :start_ns AND create_time_ns < :end_ns
   AND (create_time_ns, caller, client_order_id) < (:before_ns, :before_caller, :before_id)
   AND (:caller = '' OR caller = :caller) AND (NOT :placed_here OR caller <> '') AND (:symbol = '' OR symbol = :symbol)
   AND status IN (SELECT value FROM json_each(:statuses))
 ORDER BY create_time_ns DESC, caller DESC, client_order_id DESC LIMIT :size
"""


def order_in(sql: sqlite3.Connection, key: OrderKey) -> Order | None:
    """The order of that key."""
    row = sql.execute(_ORDER, (key.account, key.caller, key.client_order_id)).fetchone()
    return None if row is None else records.order_of(row[0])


def head_in(sql: sqlite3.Connection, account: str) -> Head | None:
    """Where the account's journal stands; None before its first write."""
    row = sql.execute(_HEAD, (account,)).fetchone()
    return None if row is None else Head(audit.Mark(row[0], row[1]), audit.Mark(row[2], row[3]))


def high_water_in(sql: sqlite3.Connection, key_fingerprint: str) -> int | None:
    """The highest nonce reserved for the key."""
    row = sql.execute(_HIGH_WATER, (key_fingerprint,)).fetchone()
    return None if row is None else int(row[0])


def _listed(statuses: frozenset[Status]) -> str:
    """A set of statuses as one SQL parameter; the values are plain words."""
    return "[" + ",".join(sorted(f'"{status.value}"' for status in statuses)) + "]"


def _bounded(ns: int) -> int:
    return max(0, min(ns, _NS_MAX))
