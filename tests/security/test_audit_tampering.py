"""Whatever is done to a store's file behind the gateway's back is found: on the file of a real run, at any place of it."""

import asyncio
import json
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execsvc.store import audit
from execsvc.store.inspect import AccountHead, heads_of
from execsvc.store.place import StoreRefused
from tests.security.audit_rig import OF_ENTRIES, OF_HEADS, OF_ROWS, changing, flaws_of, heads, real_run, set_modes

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]
anywhere = st.floats(0, 1, exclude_max=True)
often = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    made = real_run(tmp_path_factory.mktemp("home"))
    asyncio.run(set_modes(made.store))
    return made


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("lies") / "store.db"


def lied(run, scratch, lie, where):
    """The flaws of a copy in which the lie was told there; fails where the lie changed nothing."""
    run.copy(scratch)
    with changing(scratch) as sql:
        before = [*sql.iterdump()]
        lie(sql, where)
        assert before != [*sql.iterdump()], "the lie is none"
    return flaws_of(scratch)


def test_the_store_of_a_real_run_is_whole_and_holds_every_kind(run):
    """Nothing is said of a file that nobody touched, and the lies below have something to lie about."""
    with changing(run.store) as sql:
        kinds = {kind for (kind,) in sql.execute("SELECT DISTINCT kind FROM order_event")}
    assert ([], {"order", "fill", "amend", "mode"}) == (flaws_of(run.store), kinds)


@pytest.mark.parametrize("lie", OF_ENTRIES.values(), ids=OF_ENTRIES)
@given(where=anywhere)
@often
def test_a_changed_entry_is_found_wherever_it_is(run, scratch, lie, where):
    """Body, time, epoch, kind, sequence, account, hash; gone, swapped, added, cut: at the first entry, the last, any."""
    assert lied(run, scratch, lie, where)


@pytest.mark.parametrize("lie", OF_ROWS.values(), ids=OF_ROWS)
@given(where=anywhere)
@often
def test_a_row_that_callers_are_answered_from_is_held_to_the_journal(run, scratch, lie, where):
    """A changed order, amend, fill or trading mode with an untouched journal is a lie too."""
    assert lied(run, scratch, lie, where)


@pytest.mark.parametrize("lie", OF_HEADS.values(), ids=OF_HEADS)
def test_a_changed_head_is_found(run, scratch, lie):
    """The marks that tell where the journal begins and ends are held to it."""
    assert lied(run, scratch, lie, 0.0)


@given(where=anywhere, bit=st.integers(0, 7))
@often
def test_a_bit_that_flips_in_the_file_itself_is_found(run, scratch, where, bit):
    """Past SQLite as well: a bit of any entry's text, flipped where it lies on the disk."""
    run.copy(scratch)
    with changing(scratch) as sql:
        sql.execute("PRAGMA journal_mode = DELETE")
        bodies = [row for (row,) in sql.execute("SELECT body FROM order_event ORDER BY event_no")]
    raw = bytearray(scratch.read_bytes())
    body = bodies[int(where * len(bodies))].encode()[:400]
    start = raw.find(body)
    assert start > 0
    raw[start + int(where * len(body))] ^= 1 << bit
    scratch.write_bytes(raw)
    try:
        found = flaws_of(scratch)
    except StoreRefused as damaged:
        found = [str(damaged)]
    assert found


# ---- what a chain cannot see by itself ----------------------------------------------------------------------------


def rechained(sql, upto):
    """The perfect crime: entries after `upto` gone, with the rows they told of, and the head moved back."""
    sql.execute("DELETE FROM order_event WHERE seq > ?", (upto,))
    (mark,) = sql.execute("SELECT hash FROM order_event WHERE seq = ?", (upto,)).fetchone()
    sql.execute("UPDATE account SET last_seq = ?, last_hash = ?", (upto, mark))
    for table in ("orders", "amend", "fill", "trading_mode"):
        sql.execute(f"DELETE FROM {table}")  # noqa: S608 - our own text
    rows = sql.execute("SELECT seq, at_ns, kind, body FROM order_event ORDER BY seq").fetchall()
    for seq, at_ns, kind, body in rows:
        told = json.loads(body)
        if kind == "fill":
            sql.execute(
                "INSERT INTO fill (account, fill_id, seq, at_ns) VALUES ('main', ?, ?, ?)",
                (told["fill_id"], seq, at_ns),
            )
        elif kind == "order":
            key = told["key"]
            sql.execute(
                "INSERT INTO orders (account, caller, client_order_id, status, symbol, venue_order_id, create_time_ns,"
                " body, last_seq) VALUES ('main', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (account, caller, client_order_id)"
                " DO UPDATE SET status = excluded.status, venue_order_id = excluded.venue_order_id, body = excluded.body,"
                " last_seq = excluded.last_seq",
                (
                    key["caller"],
                    key["client_order_id"],
                    told["status"],
                    told["spec"]["symbol"],
                    told.get("venue_order_id") or None,
                    told["create_time_ns"],
                    body,
                    seq,
                ),
            )


def test_a_tail_that_is_cut_with_its_head_is_told_by_a_head_that_was_copied(run, scratch):
    """The chain alone calls the shortened journal whole; a head of before knows that more was there."""
    run.copy(scratch)
    with changing(scratch) as sql:
        rechained(sql, 4)
    told = heads(run.store)
    assert ([], 1) == (flaws_of(scratch), len(flaws_of(scratch, told)))
    assert "older copy" in flaws_of(scratch, told)[0]


def test_an_older_copy_is_whole_and_told_by_a_head_that_was_copied(run):
    """What a restore brings back without saying so."""
    assert ([], 1) == (flaws_of(run.older), len(flaws_of(run.older, heads(run.store))))


def test_an_older_head_is_found_in_a_longer_journal(run):
    """Heads of earlier hours are in the chain of today."""
    assert [] == flaws_of(run.store, heads(run.older))


def test_a_history_that_was_written_anew_is_told_by_a_head_that_was_copied(run, scratch):
    """As many entries, all chained well, and one of them says something else."""
    run.copy(scratch)
    with changing(scratch) as sql:
        (journal,) = sql.execute("SELECT journal_id FROM meta").fetchone()
        at = audit.origin(journal, "main")
        for seq, epoch, at_ns, kind, body in sql.execute(
            "SELECT seq, epoch, at_ns, kind, body FROM order_event ORDER BY seq"
        ).fetchall():
            made = audit.link(at, epoch, at_ns + (seq == 2), kind, body)
            sql.execute("UPDATE order_event SET at_ns = ?, hash = ? WHERE seq = ?", (made.at_ns, made.hash, seq))
            at = audit.Mark(made.sequence, made.hash)
        sql.execute("UPDATE account SET last_hash = ?", (at.hash,))
    assert ([], ["rewritten"]) == (
        flaws_of(scratch),
        [flaw.rpartition(" was ")[2] for flaw in flaws_of(scratch, heads(run.store))],
    )


def test_a_swapped_store_is_told_by_a_head_that_was_copied(run, tmp_path_factory):
    """The file of another installation is whole, and not this one's."""
    other = AccountHead("main", 3, b"x" * 32, "another journal")
    assert ["another file"] == [flaw.rpartition(": ")[2] for flaw in flaws_of(run.store, [other])]


def test_an_account_that_was_erased_is_told_by_a_head_that_was_copied(run, scratch):
    """Entries, rows and head of the account gone: nothing is left to be wrong, but the head outside."""
    run.copy(scratch)
    with changing(scratch) as sql:
        for table in ("order_event", "account", "orders", "amend", "fill", "trading_mode"):
            sql.execute(f"DELETE FROM {table}")  # noqa: S608 - our own text
    assert ([], 1) == (flaws_of(scratch), len(flaws_of(scratch, heads(run.store))))


# ---- reading ------------------------------------------------------------------------------------------------------


def test_the_check_writes_nothing_into_the_file(run, scratch):
    """Byte for byte as before, however often it is checked."""
    before = run.copy(scratch).read_bytes()
    flaws_of(scratch)
    heads_of(scratch)
    assert before == scratch.read_bytes()


def test_a_file_of_another_program_is_refused(tmp_path):
    """Nothing is said of a file that is no store."""
    with sqlite3.connect(tmp_path / "other.db") as sql:
        sql.execute("CREATE TABLE notes (text)")
    with pytest.raises(StoreRefused, match="another program"):
        heads_of(tmp_path / "other.db")
