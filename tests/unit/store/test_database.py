"""Opening: durable or not at all, ours or not at all, and every refusal in one sentence."""

import sqlite3

import pytest

from execsvc.store import database
from execsvc.store.database import Birth, connect, migrate, open_database, scripts
from execsvc.store.place import StoreRefused
from tests.unit.store.samples import SECRET

BIRTH = Birth("journal", SECRET, 1)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.db"


def opened(path):
    return open_database(path, BIRTH)


def alter(path, sql):
    """What a person with a SQLite tool might do to the file."""
    connection = sqlite3.connect(path)
    connection.executescript(sql)
    connection.close()


def test_a_commit_is_an_fsync(path):
    """The pragmas that make it so are really in force on the connection that writes."""
    store = opened(path)
    found = {name: store.writer.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")}
    assert {"journal_mode": "wal", "synchronous": 2} == found
    store.close()


@pytest.mark.parametrize(("name", "wanted", "expected"), [("journal_mode", "DELETE", "wal"), ("synchronous", "OFF", 2)])
def test_a_file_that_cannot_be_made_durable_is_refused(path, name, wanted, expected):
    """A pragma that does not take is found out, not assumed."""
    connection = sqlite3.connect(path)
    with pytest.raises(StoreRefused, match=rf"cannot be made durable: {name} is"):
        database._demand(connection, path, name, wanted, expected)
    connection.close()


def test_readers_cannot_write(path):
    """The reader's connection is read-only: it neither writes nor checkpoints."""
    store = opened(path)
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        store.reader.execute("DELETE FROM orders")
    store.close()


def test_side_files_are_private_too(path):
    """Write-ahead log and index get the database's own mode."""
    store = opened(path)
    assert {0o600} == {file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert {"x.db", "x.db-shm", "x.db-wal", "x.db.lock"} == {file.name for file in path.parent.iterdir()}
    store.close()


def test_a_closed_store_is_one_file(path):
    """Closing moves the log into the database: copying the one file is a backup."""
    store = opened(path)
    store.reader.execute("SELECT epoch FROM meta").fetchall()
    store.close()
    assert {"x.db", "x.db.lock"} == {file.name for file in path.parent.iterdir()}


def test_a_store_keeps_what_it_was_born_with(path):
    """Later openings offer another secret and name; the first ones stay, the epoch counts."""
    opened(path).close()
    store = open_database(path, Birth("other", b"x" * 32, 2))
    assert ("journal", SECRET, 2) == (
        store.identity.journal_id,
        store.identity.installation_secret,
        store.identity.epoch,
    )
    store.close()


def test_an_open_store_is_refused(path):
    """One owner: the second opening names the file."""
    store = opened(path)
    with pytest.raises(StoreRefused, match=r"x\.db is in use"):
        opened(path)
    store.close()


def test_a_file_that_is_no_database_is_refused(path):
    """Some other file under the name is left as it is."""
    path.write_text("a list of things to buy " * 100)
    with pytest.raises(StoreRefused, match="is not a SQLite database"):
        opened(path)
    assert path.read_text().startswith("a list")


def test_another_programs_database_is_refused(path):
    """A SQLite file of somebody else is not turned into ours."""
    alter(path, "CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(StoreRefused, match="of another program"):
        opened(path)


def test_a_newer_schema_is_refused(path):
    """A file of a later build is not touched by an earlier one."""
    opened(path).close()
    alter(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreRefused, match="has schema 99 and this build knows 4"):
        opened(path)


def test_a_damaged_database_is_refused(path):
    """A file that is cut in half is named as damaged."""
    opened(path).close()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreRefused, match="is damaged: restore it from a backup"):
        opened(path)


def test_a_locked_database_is_refused(path, monkeypatch):
    """Another program in the middle of a write: said so, after a bounded wait."""
    monkeypatch.setattr(database, "_LOCK_WAIT_S", 0.01)
    opened(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreRefused, match="is locked by another program"):
        opened(path)
    other.close()


def test_an_old_sqlite_is_refused(path, monkeypatch):
    """A library without what the schema needs is named with the version that is needed."""
    monkeypatch.setattr(database, "SQLITE_LEAST", (99, 1, 0))
    with pytest.raises(StoreRefused, match=r"too old for the store: 99\.1\.0 or newer"):
        opened(path)


def test_after_a_refusal_the_path_is_free(path):
    """Whatever was refused, nothing stays locked or open behind it."""
    opened(path).close()
    alter(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreRefused):
        opened(path)
    alter(path, f"PRAGMA user_version = {max(scripts())}")
    opened(path).close()


def test_an_empty_file_is_a_store_not_yet_born(path):
    """A crash between making the file and filling it does not stand in the way."""
    path.touch()
    store = opened(path)
    assert 1 == store.identity.epoch
    store.close()


def test_steps_run_once_and_in_order(path):
    """Only what the file has not seen is run; then it stands at the last step."""
    connection = connect_new(path)
    steps = {2: "INSERT INTO t VALUES (2);", 1: "CREATE TABLE t (n); INSERT INTO t VALUES (1);"}
    migrate(connection, steps, path)
    migrate(connection, {**steps, 3: "INSERT INTO t VALUES (3);"}, path)
    assert [(1,), (2,), (3,)] == connection.execute("SELECT n FROM t").fetchall()
    assert (3,) == connection.execute("PRAGMA user_version").fetchone()
    connection.close()


def test_a_step_that_fails_leaves_the_file_at_the_step_before(path):
    """A step is whole or not there: its tables and its number go together."""
    connection = connect_new(path)
    with pytest.raises(sqlite3.Error):
        migrate(connection, {1: "CREATE TABLE t (n);", 2: "CREATE TABLE u (n); INSERT INTO missing VALUES (1);"}, path)
    assert [("t",)] == connection.execute("SELECT name FROM sqlite_schema").fetchall()
    assert (1,) == connection.execute("PRAGMA user_version").fetchone()
    connection.close()


def connect_new(path):
    path.touch()
    return connect(path)


def test_the_steps_on_disk_are_numbered_without_a_hole():
    """The schema's files are 0001, 0002 and so on."""
    numbers = sorted(scripts())
    assert list(range(1, len(numbers) + 1)) == numbers
