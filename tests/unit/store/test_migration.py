"""A store that the first build wrote is opened by this one: nothing is lost, and everything new works on it.

The rows are written here as that build wrote them, by hand: its code is gone, its files are not.
"""

import hashlib
import sqlite3
from contextlib import closing

import msgspec
import pytest

from execsvc.domain.errors import Broken, Conflict, Fault, Reason
from execsvc.domain.order import Acknowledged, NeverSent, Refused, Seen, Status, submitted
from execsvc.domain.story import StepKind
from execsvc.ports import Known
from execsvc.store import audit, records
from execsvc.store.database import scripts
from execsvc.store.sqlite import open_sqlite
from tests.support.chains import flaws_of
from tests.unit.store.samples import SECRET, Chance, StillClock, fill_of, intent_of, key_of, report_of

UNSENT = NeverSent(Fault(Reason.VENUE_UNREACHABLE, "no connection"))
REFUSED = Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little"))
LATE = 10**18


# The fields of the first build's orders, in its order.
FIRST_FIELDS = [
    "key",
    "spec",
    "status",
    "content_hash",
    "attempt",
    "venue_client_id",
    "key_label",
    "entry_deadline_ns",
    "trace_id",
    "create_time_ns",
    "update_time_ns",
    "version",
    "venue_order_id",
    "cancel_requested",
    "filled_quantity",
    "filled_cost",
    "fees",
    "open_time_ns",
    "end_fault",
]


def first_text(order):
    """The order as the first build wrote it: without the fields that came later."""
    written = msgspec.json.decode(records.text_of(order))
    return msgspec.json.encode({name: written[name] for name in FIRST_FIELDS}).decode()


class FirstBuild:
    """Writes what the first build wrote, statement by statement."""

    def __init__(self, path):
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.executescript(f"PRAGMA journal_mode = WAL; BEGIN; {scripts()[1]} PRAGMA user_version = 1; COMMIT;")
        self._sql.execute("INSERT INTO meta VALUES (1, 'journal', ?, 1, 1)", (SECRET,))
        self._heads = {}

    def close(self):
        self._sql.close()

    def entry(self, account, kind, body, at_ns):
        head = self._heads.get(account) or audit.origin("journal", account)
        record = audit.link(head, 1, at_ns, kind, body)
        self._heads[account] = audit.Mark(record.sequence, record.hash)
        self._sql.execute(
            "INSERT INTO order_event (account, seq, epoch, at_ns, kind, body, hash) VALUES (?, ?, 1, ?, ?, ?, ?)",
            (account, record.sequence, at_ns, kind, body, record.hash),
        )
        origin = audit.origin("journal", account)
        self._sql.execute(
            "INSERT INTO account (account, before_seq, before_hash, last_seq, last_hash) VALUES (?, 0, ?, ?, ?)"
            " ON CONFLICT (account) DO UPDATE SET last_seq = excluded.last_seq, last_hash = excluded.last_hash",
            (account, origin.hash, record.sequence, record.hash),
        )
        return record.sequence

    def attempt(self, order):
        key = order.key
        named = (key.account, key.caller, key.client_order_id)
        self._sql.execute("INSERT INTO wire_id VALUES (?, ?, ?, ?)", (order.venue_client_id, *named))
        if order.attempt == 0:
            self._sql.execute(
                "INSERT INTO orders (status, venue_order_id, body, account, caller, client_order_id, symbol,"
                " create_time_ns) VALUES ('submitted', NULL, '', ?, ?, ?, ?, ?)",
                (*named, order.spec.symbol, order.create_time_ns),
            )
        self.state(order)

    def state(self, order):
        key = order.key
        self.entry(key.account, "order", first_text(order), order.update_time_ns)
        self._sql.execute(
            "UPDATE orders SET status = ?, venue_order_id = ?, body = ?"
            " WHERE account = ? AND caller = ? AND client_order_id = ?",
            (
                order.status.value,
                order.venue_order_id or None,
                first_text(order),
                *(key.account, key.caller, key.client_order_id),
            ),
        )

    def fill(self, fill, at_ns):
        sequence = self.entry(fill.account, "fill", records.text_of(fill), at_ns)
        self._sql.execute("INSERT INTO fill VALUES (?, ?, ?)", (fill.account, fill.fill_id, sequence))

    def nonces(self, highest):
        self._sql.execute("INSERT INTO nonce VALUES ('key', ?)", (f"{highest:020}",))

    def history(self):
        """Order a: two attempts, then refused. Order b: open and partly filled. Account second: one order in flight."""
        a = submitted(intent_of(key_of("a")), 1_000)
        self.attempt(a)
        a = a.apply(UNSENT, 1_001)
        self.state(a)
        a = a.resubmitted(intent_of(key_of("a")), 1_002)
        self.attempt(a)
        a = a.apply(REFUSED, 1_003)
        self.state(a)
        b = submitted(intent_of(key_of("b")), 2_000)
        self.attempt(b)
        b = b.apply(Acknowledged("OTX-1"), 2_001)
        self.state(b)
        self.fill(fill_of(), 2_002)
        b = b.apply(Seen(report_of(filled="0.20")), 2_002)
        self.state(b)
        self.attempt(submitted(intent_of(key_of("c", account="second")), 3_000))
        self.nonces(500)
        return a, b


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.db"


@pytest.fixture
def history(path):
    with closing(FirstBuild(path)) as build:
        return build.history()


@pytest.fixture
async def store(path, history):
    opened = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    yield opened
    await opened.close()


async def test_everything_the_first_build_wrote_is_there(path, store, history):
    """Orders, their ids, the journal and its chain, nonces, the store's name and secret; the epoch counts on."""
    a, b = history
    assert ("journal", SECRET, 2) == (store.journal_id, store.installation_secret, store.epoch)
    assert [first_text(a), first_text(b)] == [first_text(await store.get(order.key)) for order in history]
    assert b.key == (await store.find("main", venue_order_id="OTX-1")).key
    wires = [intent_of(a.key).wire_id_of(attempt) for attempt in range(2)]
    assert [a.key] * 2 == [(await store.find("main", venue_client_id=wire)).key for wire in wires]
    assert (8, 1) == (await store.last_sequence("main"), await store.last_sequence("second"))
    assert [fill_of()] == [entry.fill for entry in await store.after("main", 6, 1)]
    assert range(501, 502) == await store.reserve("key", 0, 1)
    assert {"main": (), "second": ()} == flaws_of(path)


async def test_an_old_store_goes_on(path, store):
    """Old orders are changed and repeated, the chain continues, and a story begins where the first build had none."""
    assert isinstance(await store.begin(intent_of(key_of("a")), 5_000), Known)
    assert () == await store.story(key_of("b"))
    order = await store.record(key_of("b"), Seen(report_of(status=Status.CANCELLED)), 5_000)
    assert order == await store.get(key_of("b"))
    assert [(StepKind.STATUS, 5_000)] == [(step.kind, step.at_ns) for step in await store.story(key_of("b"))]
    assert None is await store.record_fill(fill_of(), None, None, 5_001)
    assert 9 == await store.last_sequence("main")
    await store.remember("main", "halt", "by hand")
    assert "by hand" == await store.recall("main", "halt")
    assert None is await store.confirm()
    assert {"main": (), "second": ()} == flaws_of(path)


async def test_an_old_store_forgets_as_a_new_one_does(path, store):
    """What retention goes by was found for the old rows too: last entries, times of fills, wire ids of both attempts."""
    assert 5 == await store.forget("main", events_before_ns=LATE, orders_before_ns=1_004, limit=100)
    assert (None, None) == (
        await store.get(key_of("a")),
        await store.find("main", venue_client_id=intent_of(key_of("a")).wire_id_of(0)),
    )
    with closing(sqlite3.connect(path)) as raw:
        left = raw.execute("SELECT client_order_id FROM wire_id ORDER BY client_order_id").fetchall()
    assert [("b",), ("c",)] == left
    with pytest.raises(Conflict):
        await store.after("main", 3, 10)
    assert [5, 6, 7, 8] == [entry.sequence for entry in await store.after("main", 4, 10)]
    assert Status.OPEN is (await store.get(key_of("b"))).status
    assert {"main": (), "second": ()} == flaws_of(path)


async def test_times_of_old_fills_are_those_of_their_entries(path, store):
    """An old fill's id is not older, for retention, than its entry says."""
    await store.close()
    with closing(sqlite3.connect(path)) as raw:
        assert [("T1", 7, 2_002)] == raw.execute("SELECT fill_id, seq, at_ns FROM fill").fetchall()
        assert [("a", 4), ("b", 8), ("c", 1)] == raw.execute(
            "SELECT client_order_id, last_seq FROM orders ORDER BY client_order_id"
        ).fetchall()


async def test_a_spoilt_row_does_not_stand_in_the_way(path, history):
    """One row that cannot be read breaks what needs it, not the opening of the store."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE orders SET body = 'spoilt' WHERE client_order_id = 'a'")
        raw.execute("UPDATE order_event SET body = 'spoilt' WHERE account = 'main' AND seq = 2")
    store = await open_sqlite(path, entropy=Chance(), clock=StillClock())
    assert key_of("b") == (await store.get(key_of("b"))).key
    with pytest.raises(Broken):
        await store.get(key_of("a"))
    await store.close()


def test_the_first_step_of_the_schema_stays_as_it_was_released():
    """A file that was ever released is never edited: the stores that it made are out there."""
    found = hashlib.sha256(scripts()[1].encode()).hexdigest()
    assert "b7e3e926540367328081a8377ba7383d58544cc3473d66d8cbb7c89a417d81c1" == found
