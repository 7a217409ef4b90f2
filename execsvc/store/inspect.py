"""A store as an auditor reads it: read-only, beside a running gateway or without one, and never created or migrated.

Heads, entries page by page, and the whole check of an account: its chain (audit.py), and whether the tables still say what
the chain says (agreement.py). All of it blocks and belongs to a program of its own. The gateway's own reads are queries.py's.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import msgspec

from execsvc.store import agreement, audit
from execsvc.store.database import check_ours, connect
from execsvc.store.place import StoreRefused

FLAWS_MOST = 50  # of an account, in words; more are counted
PAGE = 500
SCHEMA_LEAST = 4  # what agreement.py compares has been there since
_NS_MAX = 2**63 - 1


@dataclass(frozen=True)
class AccountHead:
    """Where an account's chain ends: copied elsewhere, it proves later that this much was there. journal: the store's id."""

    account: str
    sequence: int
    hash: bytes
    journal: str


@dataclass(frozen=True)
class KeptEntry:
    """An entry for people: `who` and `order` are the caller and its id, empty where the entry is of no order."""

    account: str
    record: audit.Record
    who: str
    order: str


@dataclass(frozen=True)
class AccountAudit:
    """What the check of an account found. `before`: the mark at which the kept journal begins.

    flaws: in words, FLAWS_MOST at the most, `more` of them untold; outside: orders, amends and fills of which the journal
    keeps no entry any more, so that nothing can be said of them; kinds: how many entries of each.
    """

    account: str
    entries: int
    before: audit.Mark
    head: audit.Mark
    first_ns: int | None
    last_ns: int | None
    flaws: tuple[str, ...]
    more: int
    outside: int
    kinds: Mapping[str, int]

    @property
    def whole(self) -> bool:
        """Nothing was found."""
        return not self.flaws


class Inspection:
    """One store, opened for reading."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._sql = connection
        connection.text_factory = audit.text_in
        self.path = path
        (self.schema,) = connection.execute("PRAGMA user_version").fetchone()
        self.journal, self.epoch = connection.execute("SELECT journal_id, epoch FROM meta").fetchone()

    def __repr__(self) -> str:
        return f"<Inspection {self.path} schema {self.schema} epoch {self.epoch}>"

    def accounts(self) -> tuple[str, ...]:
        """Every account of which anything is written, by name: also where somebody removed its head."""
        tables = ("account", "order_event", "orders", "fill")
        found = " UNION ".join(f"SELECT account FROM {table}" for table in tables)  # noqa: S608 - our own text
        return tuple(account for (account,) in self._sql.execute(f"{found} ORDER BY account"))

    def heads(self) -> tuple[AccountHead, ...]:
        """The heads, by account."""
        rows = self._sql.execute("SELECT account, last_seq, last_hash FROM account ORDER BY account")
        return tuple(AccountHead(account, sequence, mark, self.journal) for account, sequence, mark in rows)

    def newest(self, kind: str) -> int | None:
        """When the newest entry of that kind was written, in any account; None: there is none."""
        (at_ns,) = self._sql.execute("SELECT max(at_ns) FROM order_event WHERE kind = ?", (kind,)).fetchone()
        return None if at_ns is None else int(at_ns)

    def verify(
        self, account: str, *, told: Iterable[AccountHead] = (), since: AccountHead | None = None
    ) -> AccountAudit:
        """Walks the account's chain in one transaction and compares the tables with it.

        told: heads that were copied elsewhere, any account's: those of this one must be in the chain. since: only what
        follows this head is walked; it must be in the chain itself.
        """
        self._sql.execute("BEGIN")
        try:
            return self._verified(account, told, since)
        finally:
            self._sql.execute("ROLLBACK")

    def export(self, account: str, *, since_ns: int = 0, until_ns: int = _NS_MAX) -> Iterator[KeptEntry]:
        """Entries of that time, oldest first; read page by page, so that a slow reader does not hold up the gateway."""
        at = 0
        while True:
            rows = self._sql.execute(_PAGE, (account, at, since_ns, until_ns, PAGE)).fetchall()
            for row in rows:
                record = audit.Record(*row)
                yield KeptEntry(account, record, *named_in(record.body))
            if len(rows) < PAGE:
                return
            at = rows[-1][0]

    def _verified(self, account: str, told: Iterable[AccountHead], since: AccountHead | None) -> AccountAudit:
        origin = audit.origin(self.journal, account)
        row = self._sql.execute(
            "SELECT before_seq, before_hash, last_seq, last_hash FROM account WHERE account = ?", (account,)
        ).fetchone()
        before, head = (origin, origin) if row is None else (audit.Mark(*row[:2]), audit.Mark(*row[2:]))
        start = before if since is None else audit.Mark(since.sequence, since.hash)
        walk = _Walk()
        ledger = agreement.Ledger(self._sql, account, kept_from=before.sequence, walked_from=start.sequence)
        found = _Flaws()
        if before.sequence == 0 and before != origin:
            found.add("the journal begins as another account's or another store's")
        if since is not None:
            found.take(self._misses(account, [since], before, head))
        found.take(audit.flaws(start, walk.through(ledger.through(self._records(account, start.sequence))), head))
        if self.schema >= SCHEMA_LEAST:
            found.take(ledger.flaws())
        found.take(self._misses(account, told, before, head))
        outside = ledger.outside() if self.schema >= SCHEMA_LEAST else 0
        return AccountAudit(
            account,
            walk.entries,
            start,
            head,
            walk.first_ns,
            walk.last_ns,
            tuple(found.told),
            found.more,
            outside,
            walk.kinds,
        )

    def _records(self, account: str, after: int) -> Iterator[audit.Record]:
        rows = self._sql.execute(
            "SELECT seq, epoch, at_ns, kind, body, hash FROM order_event WHERE account = ? AND seq > ? ORDER BY seq",
            (account, after),
        )
        return (audit.Record(*row) for row in rows)

    def _misses(self, account: str, told: Iterable[AccountHead], before: audit.Mark, head: audit.Mark) -> Iterator[str]:
        """What the chain has against heads that were copied elsewhere. Of what retention dropped, nothing can be said."""
        origin = audit.origin(self.journal, account)
        for each in told:
            if each.account != account:
                continue
            if each.journal != self.journal:
                yield f"a head of the journal {each.journal} was told; this store's is {self.journal}: another file"
            elif each.sequence > head.sequence:
                yield (
                    f"a head with {each.sequence} entries was told and the journal ends at {head.sequence}: "
                    "its end is gone, or the file is an older copy"
                )
            elif each.sequence >= before.sequence:
                known = {0: origin.hash, before.sequence: before.hash}.get(each.sequence)
                if (known or self._hash_of(account, each.sequence)) != each.hash:
                    yield f"entry {each.sequence} is not the one that was told as a head: what came before was rewritten"

    def _hash_of(self, account: str, sequence: int) -> bytes:
        row = self._sql.execute(
            "SELECT hash FROM order_event WHERE account = ? AND seq = ?", (account, sequence)
        ).fetchone()
        return b"" if row is None else bytes(row[0])


@contextmanager
def inspecting(path: Path) -> Iterator[Inspection]:
    """The store at `path`, for reading only. Raises StoreRefused, also for damage that shows while it is read."""
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no store")
    try:
        with closing(_connected(path)) as connection:
            check_ours(connection, path)
            yield Inspection(connection, path)
    except sqlite3.Error as error:
        raise StoreRefused(f"{path} cannot be read: {error}; read it as the user that runs execsvc") from error


def heads_of(path: Path) -> tuple[AccountHead, ...]:
    """The heads of the store at `path`, whoever has it open. Raises StoreRefused."""
    with inspecting(path) as store:
        return store.heads()


def _connected(path: Path) -> sqlite3.Connection:
    """A read-only connection. Where SQLite's side files cannot be made, a file that is closed is read as it lies there."""
    connection = connect(path, read_only=True)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        log = path.with_name(f"{path.name}-wal")
        if log.exists() and log.stat().st_size:
            raise
        address = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)
    return connection


# ---- small parts ------------------------------------------------------------------------------------------------

_PAGE = (
    "SELECT seq, epoch, at_ns, kind, body, hash FROM order_event"
    " WHERE account = ? AND seq > ? AND at_ns >= ? AND at_ns < ? ORDER BY seq LIMIT ?"
)


class _Names(msgspec.Struct):
    """Whose an entry is, of any kind: an order's key, an amend's key, which holds its order's, or the fields of a fill."""

    caller: str = ""
    client_order_id: str = ""
    set_by: str = ""
    order: "_Names | None" = None
    key: "_Names | None" = None


_NAMES = msgspec.json.Decoder(_Names)


def named_in(body: str) -> tuple[str, str]:
    """Caller and client order id of an entry; empty for one that cannot be read, which is the chain's to tell."""
    try:
        names = _NAMES.decode(body)
    except (msgspec.MsgspecError, UnicodeError):
        return "", ""
    found = names.key or names
    found = found.order or found
    return found.caller or names.set_by, found.client_order_id


@dataclass
class _Walk:
    """Counts what goes by."""

    entries: int = 0
    first_ns: int | None = None
    last_ns: int | None = None
    kinds: dict[str, int] = field(default_factory=dict)

    def through(self, records: Iterable[audit.Record]) -> Iterator[audit.Record]:
        for record in records:
            self.entries += 1
            self.first_ns = record.at_ns if self.first_ns is None else self.first_ns
            self.last_ns = record.at_ns
            kind = audit.printable(record.kind)
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
            yield record


@dataclass
class _Flaws:
    """The first of them in words, the others counted."""

    told: list[str] = field(default_factory=list)
    more: int = 0

    def add(self, flaw: str) -> None:
        self.take([flaw])

    def take(self, flaws: Iterable[str]) -> None:
        rest = iter(flaws)
        self.told += islice(rest, FLAWS_MOST - len(self.told))
        self.more += sum(1 for _ in rest)
