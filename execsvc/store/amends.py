"""Amends in the store: their rows in either engine, and ports.AmendJournal over them.

An amend has a row of its own beside its order's and goes with it; each of its states is an entry of the journal, so the audit
chain holds it before it is sent. What a commit decides is batch.py's, what an amend may become domain/amend.py's.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from execsvc.domain.amend import UNSETTLED, Amend, AmendEvent, AmendIntent, AmendKey
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.domain.story import Step
from execsvc.ports import FreshAmend, KnownAmend
from execsvc.store import records

_OPEN = "status IN ('submitted', 'in_doubt')"
_OF_ORDER = "account = ? AND caller = ? AND client_order_id = ?"


# ---- reading ----------------------------------------------------------------------------------------------------


class AmendShelf(Protocol):
    """What is committed of amends, as the engine finds it."""

    def amend(self, key: AmendKey) -> Amend | None:
        """One amend."""
        ...

    def open_amend(self, key: OrderKey) -> Amend | None:
        """The order's amend whose fate is not known; there is at most one."""
        ...


class AmendRows(AmendShelf, Protocol):
    """What readers ask besides."""

    def order(self, key: OrderKey) -> Order | None:
        """The order of that key."""
        ...

    def amends_of(self, key: OrderKey) -> tuple[Amend, ...]:
        """All of the order."""
        ...

    def open_amends(self, account: str) -> tuple[Amend, ...]:
        """Of the whole account, oldest first."""
        ...

    def amends_since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """By when they were last begun, newest first."""
        ...


class AmendBook:
    """ports.AmendJournal. `write` runs an operation in the engine's next commit, `read` on committed rows."""

    def __init__(
        self,
        write: Callable[[str, Callable[[Any], Any]], Awaitable[Any]],
        read: Callable[[Callable[[AmendRows], Any]], Awaitable[Any]],
    ) -> None:
        self._write = write
        self._read = read

    async def begin(self, intent: AmendIntent, now_ns: int, steps: tuple[Step, ...] = ()) -> FreshAmend | KnownAmend:
        """See ports.AmendJournal."""
        begun: FreshAmend | KnownAmend = await self._write(
            "begin_amend", lambda batch: batch.begin_amend(intent, now_ns, steps)
        )
        return begun

    async def record(
        self, key: AmendKey, event: AmendEvent, now_ns: int, steps: tuple[Step, ...] = ()
    ) -> tuple[Amend, Order]:
        """See ports.AmendJournal."""
        recorded: tuple[Amend, Order] = await self._write(
            "record_amend", lambda batch: batch.record_amend(key, event, now_ns, steps)
        )
        return recorded

    async def get(self, key: AmendKey) -> KnownAmend | None:
        """See ports.AmendJournal."""
        known: KnownAmend | None = await self._read(lambda rows: _known(rows, key))
        return known

    async def of(self, order: OrderKey) -> tuple[Amend, ...]:
        """See ports.AmendJournal."""
        found: tuple[Amend, ...] = await self._read(lambda rows: rows.amends_of(order))
        return found

    async def unsettled(self, account: str) -> tuple[Amend, ...]:
        """See ports.AmendJournal."""
        found: tuple[Amend, ...] = await self._read(lambda rows: rows.open_amends(account))
        return found

    async def since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """See ports.AmendJournal."""
        found: tuple[Amend, ...] = await self._read(lambda rows: rows.amends_since(account, since_ns, limit))
        return found


def _known(rows: AmendRows, key: AmendKey) -> KnownAmend | None:
    amend, order = rows.amend(key), rows.order(key.order)
    return None if amend is None or order is None else KnownAmend(amend, order)


# ---- rows in SQL ------------------------------------------------------------------------------------------------


class AmendTable:
    """The table `amend`, on either connection of the embedded store."""

    def __init__(self, sql: sqlite3.Connection, order: Callable[[OrderKey], Order | None]) -> None:
        self._sql = sql
        self.order = order

    def amend(self, key: AmendKey) -> Amend | None:
        """See AmendShelf."""
        return self._one(f"{_OF_ORDER} AND request_id = ?", (*_named(key.order), key.request_id))

    def open_amend(self, key: OrderKey) -> Amend | None:
        """See AmendShelf."""
        return self._one(f"{_OF_ORDER} AND {_OPEN}", _named(key))

    def amends_of(self, key: OrderKey) -> tuple[Amend, ...]:
        """See AmendRows."""
        return self._all(f"{_OF_ORDER} ORDER BY amend_no", _named(key))

    def open_amends(self, account: str) -> tuple[Amend, ...]:
        """See AmendRows."""
        return self._all(f"account = ? AND {_OPEN} ORDER BY attempt_ns, amend_no", (account,))

    def amends_since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """See AmendRows."""
        rule = "account = ? AND attempt_ns >= ? ORDER BY attempt_ns DESC, amend_no DESC LIMIT ?"
        return self._all(rule, (account, since_ns, limit))

    def write(self, amends: Mapping[AmendKey, tuple[Amend, str]]) -> None:
        """Their present state."""
        self._sql.executemany(
            "INSERT INTO amend (account, caller, client_order_id, request_id, status, attempt_ns, body)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, caller, client_order_id, request_id)"
            " DO UPDATE SET status = excluded.status, attempt_ns = excluded.attempt_ns, body = excluded.body",
            [
                (*_named(key.order), key.request_id, amend.status.value, amend.attempt_time_ns, body)
                for key, (amend, body) in amends.items()
            ],
        )

    def drop(self, orders: Iterable[OrderKey]) -> None:
        """With an order go its amends."""
        self._sql.executemany(f"DELETE FROM amend WHERE {_OF_ORDER}", [_named(key) for key in orders])  # noqa: S608 - our own text

    def _one(self, rule: str, values: tuple[object, ...]) -> Amend | None:
        row = self._sql.execute(f"SELECT body FROM amend WHERE {rule}", values).fetchone()  # noqa: S608 - our own text
        return None if row is None else records.amend_of(row[0])

    def _all(self, rule: str, values: tuple[object, ...]) -> tuple[Amend, ...]:
        rows = self._sql.execute(f"SELECT body FROM amend WHERE {rule}", values)  # noqa: S608 - our own text
        return tuple(records.amend_of(body) for (body,) in rows)


def _named(key: OrderKey) -> tuple[str, str, str]:
    return key.account, key.caller, key.client_order_id


# ---- rows in memory ---------------------------------------------------------------------------------------------


class AmendsKept:
    """The twin of the table for the memory store's disk."""

    def __init__(self) -> None:
        self._by_order: dict[OrderKey, dict[str, Amend]] = {}

    def amend(self, key: AmendKey) -> Amend | None:
        """See AmendShelf."""
        return self._by_order.get(key.order, {}).get(key.request_id)

    def open_amend(self, key: OrderKey) -> Amend | None:
        """See AmendShelf."""
        return next((each for each in self._by_order.get(key, {}).values() if each.status in UNSETTLED), None)

    def amends_of(self, key: OrderKey) -> tuple[Amend, ...]:
        """See AmendRows."""
        return tuple(self._by_order.get(key, {}).values())

    def open_amends(self, account: str) -> tuple[Amend, ...]:
        """See AmendRows."""
        found = (each for each in self._of(account) if each.status in UNSETTLED)
        return tuple(sorted(found, key=lambda each: each.attempt_time_ns))

    def amends_since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """See AmendRows."""
        found = [each for each in self._of(account) if each.attempt_time_ns >= since_ns]
        return tuple(sorted(found, key=lambda each: each.attempt_time_ns)[::-1][:limit])

    def write(self, amends: Mapping[AmendKey, tuple[Amend, str]]) -> None:
        """Their present state."""
        for key, (amend, _) in amends.items():
            self._by_order.setdefault(key.order, {})[key.request_id] = amend

    def drop(self, orders: Iterable[OrderKey]) -> None:
        """With an order go its amends."""
        for key in orders:
            self._by_order.pop(key, None)

    def _of(self, account: str) -> Iterable[Amend]:
        kept = (each for key, each in self._by_order.items() if key.account == account)
        return (amend for amends in kept for amend in amends.values())
