"""Whether the tables of an account still say what its chain says: orders, amends, fills and trading modes.

A changed row of `orders` with an untouched journal is a lie too: callers are answered from the row. What the entries say is
gathered while the chain is walked, in temporary tables of SQLite's own, so that no journal is too long. Read-only as
inspect.py is; what is no part of the chain (stories, facts, nonces) cannot be compared with anything.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import msgspec

from execsvc.domain.errors import Broken
from execsvc.domain.modes import TradingMode
from execsvc.store import audit, records
from execsvc.store.batch import UNSETTLED

_AT_ONCE = 1000
_TABLES = """
DROP TABLE IF EXISTS temp.told_order;
DROP TABLE IF EXISTS temp.told_amend;
DROP TABLE IF EXISTS temp.told_fill;
CREATE TEMP TABLE told_order (caller TEXT, client_order_id TEXT, seq INTEGER, touched INTEGER,
  PRIMARY KEY (caller, client_order_id)) WITHOUT ROWID;
CREATE TEMP TABLE told_amend (caller TEXT, client_order_id TEXT, request_id TEXT, seq INTEGER,
  PRIMARY KEY (caller, client_order_id, request_id)) WITHOUT ROWID;
CREATE TEMP TABLE told_fill (fill_id TEXT PRIMARY KEY, seq INTEGER, at_ns INTEGER) WITHOUT ROWID;
"""
# An order that only an amend told of has no state in the kept journal: seq stays 0.
_TELL = {
    "order": "INSERT INTO told_order VALUES (?1, ?2, ?4, ?4)"
    " ON CONFLICT DO UPDATE SET seq = excluded.seq, touched = excluded.touched",
    "touch": "INSERT INTO told_order VALUES (?1, ?2, 0, ?4) ON CONFLICT DO UPDATE SET touched = excluded.touched",
    "amend": "INSERT INTO told_amend VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET seq = excluded.seq",
    "fill": "INSERT INTO told_fill VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET seq = excluded.seq",
}


_UNREADABLE = (Broken, msgspec.MsgspecError, UnicodeError)


class _Fill(msgspec.Struct):
    fill_id: str


_FILL = msgspec.json.Decoder(_Fill)


class Ledger:
    """Of one account: what its entries say, then what its tables have against that. Within the reader's transaction.

    kept_from: the journal is kept from the entry after it; walked_from: entries before it are not looked at.
    """

    def __init__(self, connection: sqlite3.Connection, account: str, *, kept_from: int, walked_from: int) -> None:
        self._sql = connection
        self._account = account
        self._whole = walked_from == kept_from
        self._kept_from = kept_from
        self._waiting: dict[str, list[tuple[object, ...]]] = {name: [] for name in _TELL}
        self._modes: dict[tuple[str, str, int], str | None] = {}  # by scope; None: lifted
        for statement in filter(str.strip, _TABLES.split(";")):
            self._sql.execute(statement)

    def through(self, entries: Iterable[audit.Record]) -> Iterator[audit.Record]:
        """The same entries; what they say is kept."""
        for entry in entries:
            with suppress(*_UNREADABLE):  # the chain tells it as changed
                self._hear(entry)
            yield entry
        self._flush()

    def flaws(self) -> Iterator[str]:
        """Every row that says otherwise than its newest entry, every entry whose row is gone, every row of no entry."""
        yield from self._order_flaws()
        yield from self._amend_flaws()
        yield from self._fill_flaws()
        yield from self._mode_flaws()

    def outside(self) -> int:
        """How many rows nothing can be said of: retention has dropped the entries that told of them."""
        if self._kept_from == 0 or not self._whole:
            return 0
        return int(self._sql.execute(_OUTSIDE, (self._account,)).fetchone()[0])

    def _hear(self, entry: audit.Record) -> None:
        match entry.kind:
            case "order":
                key = records.key_of(entry.body)
                self._tell("order", (key.caller, key.client_order_id, None, entry.sequence))
            case "amend":
                amend = records.amend_of(entry.body).key
                named = (amend.order.caller, amend.order.client_order_id)
                self._tell("amend", (*named, amend.request_id, entry.sequence))
                self._tell("touch", (*named, None, entry.sequence))
            case "mode":
                mode = records.mode_of(entry.body)
                scope = (mode.scope.caller, mode.scope.symbol, int(mode.scope.everything))
                self._modes[scope] = None if mode.mode is TradingMode.NORMAL else entry.body
            case "fill":
                self._tell("fill", (_FILL.decode(entry.body).fill_id, entry.sequence, entry.at_ns))

    def _tell(self, name: str, row: tuple[object, ...]) -> None:
        self._waiting[name].append(row)
        if len(self._waiting[name]) >= _AT_ONCE:
            self._flush()

    def _flush(self) -> None:
        for name, rows in self._waiting.items():
            self._sql.executemany(_TELL[name], rows)
            rows.clear()

    def _order_flaws(self) -> Iterator[str]:
        for caller, name in self._rows(_ORDERS_GONE):
            yield f"order {_named(caller, name)} is in the journal and not among the orders"
        for caller, name, body, told, status, symbol, venue_order_id, created_ns, last, touched in self._rows(_ORDERS):
            order = _named(caller, name)
            if told is None:
                if self._whole and (self._kept_from == 0 or status in _UNSETTLED):
                    yield f"order {order} is among the orders and no entry of the journal tells of it"
                continue
            if told != body:
                yield f"order {order} says otherwise than its newest entry: the row was changed"
                continue
            try:
                kept = records.order_of(body)
            except _UNREADABLE:
                continue  # row and entry were changed alike: the chain tells it
            said = (kept.status.value, kept.spec.symbol, kept.venue_order_id or None, kept.create_time_ns)
            if said != (status, symbol, venue_order_id, created_ns):
                yield f"order {order}: what it is searched by is not what it says: the row was changed"
            if last < touched:
                yield f"order {order} names entry {last} as its newest, and {touched} tells of it too"

    def _amend_flaws(self) -> Iterator[str]:
        for caller, name, request in self._rows(_AMENDS_GONE):
            yield f"amend {request} of order {_named(caller, name)} is in the journal and not among the amends"
        for caller, name, request, body, told, status, attempt_ns in self._rows(_AMENDS):
            amend = f"amend {request} of order {_named(caller, name)}"
            if told is None:
                if self._whole and self._kept_from == 0:
                    yield f"{amend} is among the amends and no entry of the journal tells of it"
                continue
            if told != body:
                yield f"{amend} says otherwise than its newest entry: the row was changed"
                continue
            with suppress(*_UNREADABLE):
                kept = records.amend_of(body)
                if (kept.status.value, kept.attempt_time_ns) != (status, attempt_ns):
                    yield f"{amend}: what it is searched by is not what it says: the row was changed"

    def _fill_flaws(self) -> Iterator[str]:
        for (fill,) in self._rows(_FILLS_GONE):
            yield f"fill {fill} is in the journal and its id is not remembered as its entry says"
        for fill, sequence in self._rows(_FILLS) if self._whole else ():
            yield f"fill {fill} is remembered as entry {sequence}, which does not tell of it"

    def _mode_flaws(self) -> Iterator[str]:
        """A mode for everything may have been lifted by the entry of another account; no other row goes unannounced."""
        kept = {(caller, symbol, everything): body for caller, symbol, everything, body in self._rows(_MODES)}
        for scope, told in self._modes.items():
            if kept.get(scope) != told and not (
                told and scope not in kept and scope[2] and self._lifted_elsewhere(told)
            ):
                yield f"the trading mode for {_scope(scope)} is not the one that was set last: the row was changed"
        for scope in kept.keys() - self._modes.keys():
            if self._whole and self._kept_from == 0:
                yield f"a trading mode for {_scope(scope)} is in force and no entry of the journal tells of it"

    def _lifted_elsewhere(self, told: str) -> bool:
        """Whether the journal of any account holds the entry that lifted what was set for everything."""
        since_ns = records.mode_of(told).set_time_ns
        for (body,) in self._sql.execute("SELECT body FROM order_event WHERE kind = 'mode'"):
            with suppress(*_UNREADABLE):  # of whichever account: its own check tells it
                mode = records.mode_of(body)
                if mode.scope.everything and mode.mode is TradingMode.NORMAL and mode.set_time_ns >= since_ns:
                    return True
        return False

    def _rows(self, text: str) -> Iterator[Any]:
        return self._sql.execute(text, (self._account,))


_UNSETTLED = frozenset(status.value for status in UNSETTLED)


def _named(caller: str, name: str) -> str:
    return audit.printable(f"{caller or '(placed elsewhere)'}/{name}")


def _scope(scope: tuple[str, str, int]) -> str:
    caller, symbol, everything = scope
    return "everything" if everything else _named(caller or "any caller", symbol or "any pair")


_MODES = "SELECT caller, symbol, everything, body FROM trading_mode WHERE account = ?1"
_ORDERS = """
SELECT o.caller, o.client_order_id, o.body, e.body, o.status, o.symbol, o.venue_order_id, o.create_time_ns,
       o.last_seq, t.touched
  FROM orders AS o
  LEFT JOIN told_order AS t ON t.caller = o.caller AND t.client_order_id = o.client_order_id
  LEFT JOIN order_event AS e ON e.account = o.account AND e.seq = t.seq
 WHERE o.account = ?1 ORDER BY o.order_no
"""
_ORDERS_GONE = """
SELECT caller, client_order_id FROM told_order AS t WHERE NOT EXISTS (
  SELECT 1 FROM orders AS o WHERE o.account = ?1 AND o.caller = t.caller AND o.client_order_id = t.client_order_id)
"""
_AMENDS = """
SELECT a.caller, a.client_order_id, a.request_id, a.body, e.body, a.status, a.attempt_ns
  FROM amend AS a
  LEFT JOIN told_amend AS t
    ON t.caller = a.caller AND t.client_order_id = a.client_order_id AND t.request_id = a.request_id
  LEFT JOIN order_event AS e ON e.account = a.account AND e.seq = t.seq
 WHERE a.account = ?1 ORDER BY a.amend_no
"""
_AMENDS_GONE = """
SELECT caller, client_order_id, request_id FROM told_amend AS t WHERE NOT EXISTS (
  SELECT 1 FROM amend AS a WHERE a.account = ?1 AND a.caller = t.caller AND a.client_order_id = t.client_order_id
     AND a.request_id = t.request_id)
"""
_FILLS_GONE = """
SELECT fill_id FROM told_fill AS t WHERE NOT EXISTS (
  SELECT 1 FROM fill AS f WHERE f.account = ?1 AND f.fill_id = t.fill_id AND f.seq = t.seq AND f.at_ns = t.at_ns)
"""
_FILLS = """
SELECT f.fill_id, f.seq FROM fill AS f
 WHERE f.account = ?1 AND f.seq > (SELECT coalesce(max(before_seq), 0) FROM account WHERE account = ?1)
   AND NOT EXISTS (SELECT 1 FROM told_fill AS t WHERE t.fill_id = f.fill_id)
"""
_OUTSIDE = """
SELECT (SELECT count(*) FROM orders AS o WHERE o.account = ?1 AND NOT EXISTS (SELECT 1 FROM told_order AS t
         WHERE t.caller = o.caller AND t.client_order_id = o.client_order_id AND t.seq > 0))
     + (SELECT count(*) FROM amend AS a WHERE a.account = ?1 AND NOT EXISTS (SELECT 1 FROM told_amend AS t
         WHERE t.caller = a.caller AND t.client_order_id = a.client_order_id AND t.request_id = a.request_id))
     + (SELECT count(*) FROM fill AS f WHERE f.account = ?1 AND NOT EXISTS (SELECT 1 FROM told_fill AS t
         WHERE t.fill_id = f.fill_id))
"""
