"""Trading modes in the store: what is in force, in either engine; each change of it is an entry of the journal (batch.py).

A row an account and scope. What is meant for everything is kept with each account it was set with, holds for all of them, and
is lifted from all of them at once.
"""

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.store import records


class KeptMode(NamedTuple):
    """An entry about to be written with that account, and its text."""

    account: str
    entry: ModeEntry
    text: str


def in_sequence(entries: Iterable[ModeEntry]) -> tuple[ModeEntry, ...]:
    """Each entry once, by scope: what is kept with several accounts is one entry."""
    return tuple(sorted(dict.fromkeys(entries), key=_place))


def _place(entry: ModeEntry) -> tuple[bool, str, str, str, int]:
    scope = entry.scope
    return not scope.everything, scope.account, scope.caller, scope.symbol, entry.set_time_ns


# ---- in SQL -----------------------------------------------------------------------------------------------------


def modes_in(sql: sqlite3.Connection, account: str) -> tuple[ModeEntry, ...]:
    """See ports.ModeBook.modes."""
    rows = sql.execute("SELECT body FROM trading_mode WHERE account = ? OR everything = 1", (account,))
    return in_sequence(records.mode_of(body) for (body,) in rows)


def write_modes(sql: sqlite3.Connection, modes: Iterable[KeptMode]) -> None:
    """One after the other, as they were set."""
    for account, entry, text in modes:
        scope = entry.scope
        if entry.mode is not TradingMode.NORMAL:
            sql.execute(
                "INSERT INTO trading_mode (account, caller, symbol, everything, body) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (account, caller, symbol, everything) DO UPDATE SET body = excluded.body",
                (account, scope.caller, scope.symbol, int(scope.everything), text),
            )
        elif scope.everything:
            sql.execute("DELETE FROM trading_mode WHERE everything = 1")
        else:
            sql.execute(
                "DELETE FROM trading_mode WHERE account = ? AND caller = ? AND symbol = ? AND everything = 0",
                (account, scope.caller, scope.symbol),
            )


# ---- in memory --------------------------------------------------------------------------------------------------


class ModesKept:
    """The twin of the table for the memory store's disk."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, Scope], ModeEntry] = {}

    def __repr__(self) -> str:
        return f"<ModesKept {len(self._rows)}>"

    def of(self, account: str) -> tuple[ModeEntry, ...]:
        """See ports.ModeBook.modes."""
        return in_sequence(
            entry for (owner, scope), entry in self._rows.items() if owner == account or scope.everything
        )

    def write(self, modes: Iterable[KeptMode]) -> None:
        """One after the other, as they were set."""
        for account, entry, _ in modes:
            if entry.mode is not TradingMode.NORMAL:
                self._rows[account, entry.scope] = entry
            elif entry.scope.everything:
                self._rows = {named: kept for named, kept in self._rows.items() if not named[1].everything}
            else:
                self._rows.pop((account, entry.scope), None)
