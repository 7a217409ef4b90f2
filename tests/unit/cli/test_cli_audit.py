"""`audit`: an account that the store does not have is a mistake of the command, not an empty answer."""

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
