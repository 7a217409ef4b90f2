"""The embedded store when the disk or the file misbehaves: everybody is told, and it goes on when the trouble is over."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest

from execsvc.domain.errors import Broken, Busy, Fault, Reason
from execsvc.domain.order import Acknowledged, Doubted, Refused
from execsvc.ports import Fresh
from execsvc.store import database
from execsvc.store.sqlite import open_sqlite
from tests.support.chains import flaws_of
from tests.unit.store.samples import Chance, StillClock, intent_of, key_of

REFUSED = Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little"))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.db"


@pytest.fixture
async def store(path):
    opened = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    yield opened
    await opened.close()


def on_file(path, *statements):
    """What a person with a SQLite tool might do to the file."""
    with sqlite3.connect(path) as raw:
        for statement in statements:
            raw.execute(statement)
    raw.close()


async def fill_the_disk(store):
    """Begins orders until the file may not grow any more; the number that were kept."""
    store._database.writer.execute("PRAGMA max_page_count = 40")
    for number in range(1_000):
        try:
            await store.begin(intent_of(key_of(f"id{number}")), 1_000)
        except Busy:
            return number
    return pytest.fail("the disk never filled up")


async def test_a_full_disk_is_told_to_everybody_in_the_commit(store):
    """Every waiter of a commit that fails gets STORE_UNAVAILABLE with a hint when to retry, and none is left waiting."""
    await fill_the_disk(store)
    calls = [store.begin(intent_of(key_of(f"more{number}")), 1_000) for number in range(20)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert {(Busy, Reason.STORE_UNAVAILABLE, 1.0)} == {(type(a), a.reason, a.fault.retry_after_s) for a in answers}
    assert "the store is unavailable: database or disk is full" == str(answers[0])


async def test_a_full_disk_does_not_stop_reading(store):
    """What is committed can still be read while nothing can be written."""
    kept = await fill_the_disk(store)
    assert kept == await store.last_sequence("main")


async def test_after_a_full_disk_writing_goes_on_without_a_hole(store):
    """When there is room again, the next write succeeds; what failed left no trace in the journal."""
    kept = await fill_the_disk(store)
    assert "database or disk is full" == store.failing
    store._database.writer.execute("PRAGMA max_page_count = 100000")
    assert isinstance(await store.begin(intent_of(key_of("after")), 1_000), Fresh)
    assert list(range(1, kept + 2)) == [entry.sequence for entry in await store.after("main", 0, 2_000)]
    assert "" == store.failing


async def test_what_failed_on_a_full_disk_was_not_published(store):
    """Listeners hear only of what is durable."""
    heard = []
    store.subscribe(heard.append)
    kept = await fill_the_disk(store)
    assert kept == len(heard)
    assert list(await store.after("main", 0, 2_000)) == heard


async def test_a_writer_from_outside_is_waited_for_and_then_told(path, monkeypatch):
    """Somebody else's open transaction makes writes Busy, not wrong; when it ends, writing goes on."""
    monkeypatch.setattr(database, "_LOCK_WAIT_S", 0.01)
    store = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    outsider = sqlite3.connect(path, isolation_level=None)
    outsider.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="database is locked"):
        await store.begin(intent_of(), 1_000)
    outsider.execute("ROLLBACK")
    outsider.close()
    assert isinstance(await store.begin(intent_of(), 1_000), Fresh)
    await store.close()


async def test_a_superseded_owner_writes_no_more(path, store):
    """Should the lock file be removed and the store be opened twice, the older owner is kept from writing."""
    path.with_name("x.db.lock").unlink()
    second = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    with pytest.raises(Busy, match="another process has opened it since"):
        await store.begin(intent_of(), 1_000)
    assert isinstance(await second.begin(intent_of(), 1_000), Fresh)
    await second.close()


def moved(path):
    path.rename(path.with_name("elsewhere.db"))


def replaced(path):
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


@pytest.mark.parametrize("done", [Path.unlink, moved, replaced], ids=["deleted", "moved", "replaced"])
async def test_a_file_that_is_not_the_opened_one_any_more_is_not_ours(path, store, done):
    """What is written into a file that nobody will open again is not durable: neither confirmed nor written."""
    assert isinstance(await store.begin(intent_of(key_of("before")), 1_000), Fresh)
    done(path)
    for call in (store.confirm(), store.begin(intent_of(), 1_000)):
        with pytest.raises(Busy, match="its file was moved, deleted or replaced; this process must stop") as refused:
            await call
        assert Reason.NOT_OWNER is refused.value.reason
    assert "moved, deleted or replaced" in store.failing


async def test_a_place_that_cannot_be_looked_at_confirms_nothing(tmp_path):
    """Whether the file is ours cannot be told: STORE_UNAVAILABLE, for looking and for writing, until it can be."""
    folder, away = tmp_path / "state", tmp_path / "away"
    store = await open_sqlite(folder / "x.db", entropy=Chance(), clock=StillClock())
    folder.rename(away)
    folder.symlink_to(folder)
    for call in (store.confirm(), store.begin(intent_of(), 1_000)):
        with pytest.raises(Busy, match="cannot be looked at: Too many levels of symbolic links") as refused:
            await call
        assert Reason.STORE_UNAVAILABLE is refused.value.reason
    folder.unlink()
    away.rename(folder)
    assert None is await store.confirm()
    assert isinstance(await store.begin(intent_of(), 1_000), Fresh)
    await store.close()


async def test_a_file_that_cannot_be_read_confirms_nothing(path, store):
    """An epoch that cannot be read is not another owner's."""
    on_file(path, "DROP TABLE meta")
    with pytest.raises(Busy, match="no such table: meta") as refused:
        await store.confirm()
    assert Reason.STORE_UNAVAILABLE is refused.value.reason


async def test_what_is_forgotten_makes_room(path, store):
    """The file does not shrink; while as much goes as comes it stays as large as it was after the second round."""
    pages = []
    for cycle in range(6):
        calls = [store.begin(intent_of(key_of(f"{cycle}-{number}")), cycle) for number in range(100)]
        ended = [order.order.key for order in await asyncio.gather(*calls)]
        await asyncio.gather(*[store.record(key, REFUSED, cycle) for key in ended])
        while await store.forget("main", events_before_ns=cycle, orders_before_ns=cycle, limit=64):
            assert {"main": ()} == flaws_of(path)
        pages.append(store._database.reader.execute("PRAGMA page_count").fetchone()[0])
    assert pages[1] * 1.1 >= max(pages)
    left = (
        "SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM wire_id),"
        " (SELECT count(*) FROM order_event), (SELECT count(*) FROM order_step)"
    )
    assert (100, 100, 200, 200) == store._database.reader.execute(left).fetchone()


async def test_a_spoilt_entry_is_not_forgotten(path, store):
    """An entry whose order cannot be told breaks forgetting, not its neighbours in the commit: a person must look."""
    await store.begin(intent_of(key_of("a")), 1_000)
    await store.record(key_of("a"), REFUSED, 1_001)
    on_file(path, "UPDATE order_event SET body = 'spoilt' WHERE seq = 1")
    answers = await asyncio.gather(
        store.begin(intent_of(key_of("b")), 2_000),
        store.forget("main", events_before_ns=10**18, orders_before_ns=0, limit=9),
        store.begin(intent_of(key_of("c")), 2_000),
        return_exceptions=True,
    )
    assert [Fresh, Broken, Fresh] == [type(answer) for answer in answers]
    assert 4 == await store.last_sequence("main")


async def test_a_spoilt_story_spoils_nothing_else(path, store):
    """A story explains, it decides nothing: the order is read and written as ever."""
    await store.begin(intent_of(), 1_000)
    on_file(path, "UPDATE order_step SET body = '[7]'")
    with pytest.raises(Broken, match="cannot be read"):
        await store.story(key_of())
    assert "OTX-1" == (await store.record(key_of(), Acknowledged("OTX-1"), 1_001)).venue_order_id


async def test_a_read_that_fails_is_told(path, store):
    """A file that cannot be read any more is STORE_UNAVAILABLE; what can be read still is."""
    on_file(path, "DROP TABLE nonce")
    with pytest.raises(Busy, match="the store is unavailable: no such table: nonce"):
        await store.high_water("key")
    assert None is await store.get(key_of())


async def test_a_row_that_cannot_be_read_breaks_only_what_needs_it(path, store):
    """One spoilt order is Broken when asked for; others are written and read as ever."""
    await store.begin(intent_of(key_of("a")), 1_000)
    on_file(path, "UPDATE orders SET body = '{}'")
    answers = await asyncio.gather(
        store.begin(intent_of(key_of("b")), 1_000),
        store.record(key_of("a"), Doubted("late"), 1_001),
        store.get(key_of("a")),
        store.begin(intent_of(key_of("c")), 1_000),
        return_exceptions=True,
    )
    assert [Fresh, Broken, Broken, Fresh] == [type(answer) for answer in answers]


async def test_an_order_whose_row_vanished_is_not_resurrected(path, store):
    """An update that finds no row is Broken: the journal and the orders must agree."""
    await store.begin(intent_of(), 1_000)
    on_file(path, "CREATE TRIGGER gone BEFORE UPDATE ON orders BEGIN DELETE FROM orders; END")
    with pytest.raises(Broken, match="0 orders were changed in the store instead of 1"):
        await store.record(key_of(), Doubted("late"), 1_001)
    assert 1 == await store.last_sequence("main")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_defect_stops_writing_and_says_so(store):
    """A bug in a write ends the writer loudly: nothing half-done is kept, writes are refused, reads go on."""
    with pytest.raises(Busy, match="ended by a defect"):
        await store.begin(intent_of(wires=[]), 1_000)
    with pytest.raises(Busy, match="ended by a defect"):
        await store.begin(intent_of(), 1_000)
    assert "its writer has ended by a defect: restart the service" == store.failing
    assert None is await store.get(key_of())


async def test_the_repr_tells_file_and_epoch(path, store):
    """What a person would ask for."""
    assert f"<SqliteStore {path} epoch 1>" == repr(store)


TAMPERING = {
    "an order's content": "UPDATE order_event SET body = replace(body, '0.50', '0.05') WHERE seq = 2",
    "a time": "UPDATE order_event SET at_ns = at_ns + 1 WHERE seq = 2",
    "an entry is gone": "DELETE FROM order_event WHERE seq = 2",
    "the last is gone": "DELETE FROM order_event WHERE seq = 4",
    "all are gone": "DELETE FROM order_event",
    "two swapped": "UPDATE order_event SET seq = 10 - seq WHERE seq IN (2, 3);"
    "UPDATE order_event SET seq = seq - 5 WHERE seq > 4",
    "one added": "INSERT INTO order_event SELECT NULL, account, 5, epoch, at_ns, kind, body, hash"
    " FROM order_event WHERE seq = 4",
    "an end cut with its head": "DELETE FROM order_event WHERE seq = 4; UPDATE account SET last_seq = 3",
    "the head is gone": "DELETE FROM account",
    "moved to another account": "UPDATE order_event SET account = 'other'; UPDATE account SET account = 'other'",
    "moved to another store": "UPDATE meta SET journal_id = 'other'",
}


@pytest.mark.parametrize("statements", TAMPERING.values(), ids=TAMPERING)
async def test_tampering_with_the_journal_shows(path, store, statements):
    """Whatever is done to the entries in the file, the audit names the account; before, it found nothing."""
    for number in range(3):
        await store.begin(intent_of(key_of(f"id{number}")), 1_000)
    await store.record(key_of("id0"), Acknowledged("OTX-1"), 1_001)
    assert {"main": ()} == flaws_of(path)
    on_file(path, *statements.split(";"))
    assert any(flaws_of(path).values())
