"""Opening a SQLite database as our store: pragmas, schema, identity, epoch.

Durable means fsynced: WAL with synchronous=FULL, asked for and then read back. One connection writes; the other is opened
read-only, so it can neither write nor checkpoint behind the writer's back. Anything unfit is refused with a sentence.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from execsvc.store import place
from execsvc.store.batch import Identity
from execsvc.store.place import StoreRefused
from execsvc.store.refusals import not_owner, superseded, unavailable

# STRICT tables need 3.37.
SQLITE_LEAST = (3, 37, 0)
_APPLICATION_ID = 0x45785353
# How long a writer from outside (a backup tool, a person) may hold us up before a commit fails.
_LOCK_WAIT_S = 2.0
_WAL_KEPT_BYTES = 64 * 2**20

# SQLite's own names for what is wrong with a file, and what a person is told.
_FLAWS = {
    "SQLITE_NOTADB": "is not a SQLite database",
    "SQLITE_CORRUPT": "is damaged: restore it from a backup",
    "SQLITE_READONLY": "cannot be written: check owner and mode of the file and its directory",
    "SQLITE_CANTOPEN": "cannot be opened: check owner and mode of the file and its directory",
    "SQLITE_BUSY": "is locked by another program",
    "SQLITE_FULL": "cannot grow: the disk is full",
}


@dataclass(frozen=True)
class Birth:
    """What a new store is given; an existing one keeps its own."""

    journal_id: str
    installation_secret: bytes
    born_ns: int

    def __repr__(self) -> str:
        return f"<Birth {self.journal_id}>"


@dataclass(frozen=True)
class Database:
    """An opened store: two connections, its identity, the claim on its path."""

    claim: place.Claim
    writer: sqlite3.Connection
    reader: sqlite3.Connection
    identity: Identity

    def check_owner(self, connection: sqlite3.Connection) -> None:
        """Reads that this opening is the latest, of a file that is still in its place.

        The file lock keeps others out; this is for the day when somebody removes the lock, or the database, by hand.
        Raises Busy(NOT_OWNER) when it is not so, Busy(STORE_UNAVAILABLE) when the place cannot be looked at.
        """
        try:
            if not self.claim.is_in_place():
                raise not_owner("its file was moved, deleted or replaced; this process must stop")
        except OSError as error:
            raise unavailable(f"{self.claim.path} cannot be looked at: {error.strerror}") from error
        if connection.execute("SELECT epoch FROM meta").fetchone() != (self.identity.epoch,):
            raise superseded()

    def close(self) -> None:
        """Closes the reader, then the writer (which checkpoints), then lets the path go."""
        self.reader.close()
        self.writer.close()
        self.claim.release()


def open_database(path: Path, birth: Birth) -> Database:
    """Opens or creates the store at `path`; blocks. Raises StoreRefused."""
    if sqlite3.sqlite_version_info < SQLITE_LEAST:
        least = ".".join(map(str, SQLITE_LEAST))
        raise StoreRefused(f"SQLite {sqlite3.sqlite_version} is too old for the store: {least} or newer is needed")
    with ExitStack() as undo:
        claim = place.claim(path)
        undo.callback(claim.release)
        with _refusals(path):
            writer = connect(path)
            undo.callback(writer.close)
            check_ours(writer, path)
            _make_durable(writer, path)
            migrate(writer, scripts(), path)
            identity = _identify(writer, birth)
            reader = connect(path, read_only=True)
        undo.pop_all()
        return Database(claim, writer, reader, identity)


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection in which nothing begins a transaction by itself; it may move between threads, one at a time."""
    address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
    connection = sqlite3.connect(
        address, uri=True, timeout=_LOCK_WAIT_S, isolation_level=None, check_same_thread=False, cached_statements=64
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raises StoreRefused when the file belongs to another program. Reading it also shows whether it is a database."""
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if tables and application != _APPLICATION_ID:
        raise StoreRefused(f"{path} is the SQLite database of another program: name another file for the store")


def scripts() -> dict[int, str]:
    """The schema's steps by number, as they lie in schema/."""
    folder = resources.files("execsvc.store") / "schema"
    return {
        int(step.name.removesuffix(".sql")): step.read_text() for step in folder.iterdir() if step.name.endswith(".sql")
    }


def migrate(connection: sqlite3.Connection, steps: dict[int, str], path: Path) -> None:
    """Runs the steps the file has not seen, each in a transaction of its own. Raises StoreRefused on a newer schema."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > max(steps):
        raise StoreRefused(
            f"{path} has schema {version} and this build knows {max(steps)}: run the execsvc that wrote it, or a newer one"
        )
    for number in sorted(step for step in steps if step > version):
        try:
            connection.executescript(f"BEGIN IMMEDIATE;\n{steps[number]}\nPRAGMA user_version = {number};\nCOMMIT;")
        finally:
            if connection.in_transaction:
                connection.rollback()


def _make_durable(connection: sqlite3.Connection, path: Path) -> None:
    _demand(connection, path, "journal_mode", "WAL", "wal")
    _demand(connection, path, "synchronous", "FULL", 2)
    # Elsewhere these two are ignored; on macOS a plain fsync does not reach the disk.
    connection.execute("PRAGMA fullfsync = ON")
    connection.execute("PRAGMA checkpoint_fullfsync = ON")
    connection.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")


def _demand(connection: sqlite3.Connection, path: Path, name: str, wanted: str, expected: object) -> None:
    connection.execute(f"PRAGMA {name} = {wanted}")
    (found,) = connection.execute(f"PRAGMA {name}").fetchone()
    if found != expected:
        raise StoreRefused(f"{path} cannot be made durable: {name} is {found}, not {expected}")


def _identify(connection: sqlite3.Connection, birth: Birth) -> Identity:
    """Births the store if it is new, and counts this opening."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO meta (only, journal_id, installation_secret, born_ns, epoch) VALUES (1, ?, ?, ?, 0)"
        " ON CONFLICT (only) DO NOTHING",
        (birth.journal_id, birth.installation_secret, birth.born_ns),
    )
    connection.execute("UPDATE meta SET epoch = epoch + 1")
    row = connection.execute("SELECT journal_id, installation_secret, epoch FROM meta").fetchone()
    connection.execute("COMMIT")
    return Identity(*row)


@contextmanager
def _refusals(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        flaw = next((words for start, words in _FLAWS.items() if name.startswith(start)), f"cannot be opened: {error}")
        raise StoreRefused(f"{path} {flaw}") from error
