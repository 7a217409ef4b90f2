"""`audit`: an account that the store does not have is a mistake of the command, not an empty answer."""

import sqlite3
from contextlib import closing

import pytest

from execsvc.store.database import Birth, open_database
from execsvc.store.sqlite import SqliteStore
from tests.unit.store.samples import SECRET, intent_of, key_of


@pytest.fixture
async def store(tmp_path):
    path = tmp_path / "execsvc.db"
    opened = SqliteStore(open_database(path, Birth("journal", SECRET, 1)))
    await opened.begin(intent_of(key_of("a")), 1_700_000_000_123_456_789)
    await opened.close()
    return path


@pytest.mark.parametrize("verb", ["verify", "head", "export"])
def test_an_account_that_is_not_there_is_told(execsvc, store, verb):
    """Nothing at all on stdout would look as if nothing had happened on that account."""
    said = execsvc("audit", verb, "--store", str(store), "--account", "nope")
    assert (2, "") == (said.code, said.out)
    assert "has no account nope: main" in said.err


def cut(path):
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2 // 4096 * 4096)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (cut, "is damaged: "),
        (lambda path: path.write_bytes(b"no database at all" * 300), "is damaged: "),
        (lambda path: path.write_bytes(b""), "is no store of execsvc: "),
        (lambda path: path.unlink(), "there is no store"),
    ],
)
def test_a_file_that_is_no_store_any_more_is_told_as_that(execsvc, store, spoil, told):
    """Exit 3, and what to do with it; not that somebody else should read it."""
    spoil(store)
    said = execsvc("audit", "verify", "--store", str(store))
    assert (3, "", True, False) == (said.code, said.out, told in said.err, "as the user" in said.err), said.err


def test_one_flaw_is_told_as_one(execsvc, store):
    """In words as they are said."""
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE orders SET status = 'filled'")
        connection.commit()
    said = execsvc("audit", "verify", "--store", str(store), "-o", "table")
    assert (1, True) == (said.code, ", 1 flaw, head" in said.out), said.out
