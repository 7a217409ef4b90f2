"""A store read from outside: what retention left is whole, what it dropped is told as not covered, and nothing is created."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.domain.order import Acknowledged, CancelWished, Seen, Status
from execsvc.store.audit import printable, text_in
from execsvc.store.database import Birth, open_database
from execsvc.store.inspect import AccountHead, heads_of, inspecting, named_in
from execsvc.store.place import StoreRefused
from execsvc.store.sqlite import SqliteStore
from tests.unit.store.samples import SECRET, fill_of, intent_of, key_of, report_of

LONG_AGO, NOW = 1_000, 10_000


async def lived_in(path, *, account="main"):
    """A store in which an order ended long ago, one is open, and one ended now."""
    store = SqliteStore(open_database(path, Birth("journal", SECRET, 1)))
    for name, venue_id, at, end in (
        ("old", "O-1", LONG_AGO, True),
        ("open", "O-2", LONG_AGO, False),
        ("new", "O-3", NOW, True),
    ):
        key = key_of(name, account=account)
        await store.begin(intent_of(key), at)
        await store.record(key, Acknowledged(venue_id), at)
        await store.record_fill(fill_of(f"T-{name}", account=account, venue_order_id=venue_id), key, None, at)
        if end:
            await store.record(key, Seen(report_of(venue_id, status=Status.CANCELLED)), at)
    return store


async def test_a_store_after_retention_is_whole_and_says_what_it_cannot_say(tmp_path):
    """The entries of the order that ended are gone, its row is not: of that nothing can be said."""
    path = tmp_path / "execsvc.db"
    store = await lived_in(path)
    dropped = await store.forget("main", events_before_ns=NOW - 1, orders_before_ns=1, limit=100)
    await store.close()
    with inspecting(path) as opened:
        found = opened.verify("main")
    assert ((), True, 2) == (found.flaws, dropped > 0, found.outside)
    assert found.before.sequence == dropped


async def test_without_retention_nothing_is_outside(tmp_path):
    """Every row has its entry."""
    store = await lived_in(tmp_path / "execsvc.db")
    await store.close()
    with inspecting(tmp_path / "execsvc.db") as opened:
        found = opened.verify("main")
    assert ((), 0, {"order": 8, "fill": 3}) == (found.flaws, found.outside, dict(found.kinds))


async def test_each_account_has_its_own_chain(tmp_path):
    """A flaw of one is none of the other."""
    path = tmp_path / "execsvc.db"
    store = await lived_in(path)
    await store.begin(intent_of(key_of("b", account="second")), NOW)
    await store.close()
    with inspecting(path) as opened:
        heads = {head.account: head.sequence for head in opened.heads()}
    assert {"main": 11, "second": 1} == heads


async def test_a_mode_for_everything_that_another_account_lifted_is_no_flaw(tmp_path):
    """Its end stands in the journal of the account that was asked."""
    path = tmp_path / "execsvc.db"
    store = await lived_in(path)

    def everything(mode, at):
        return ModeEntry(Scope(everything=True), mode, "drill", "admin", at)

    await store.set_mode("main", everything(TradingMode.HALTED, 5), 5)
    await store.set_mode("second", everything(TradingMode.HALTED, 5), 5)
    await store.set_mode("second", everything(TradingMode.NORMAL, 6), 6)
    await store.close()
    with inspecting(path) as opened:
        assert [(), ()] == [opened.verify(account).flaws for account in ("main", "second")]
        assert 6 == opened.newest("mode")


async def test_flaws_are_bounded_in_words_and_all_counted(tmp_path):
    """A file in which everything is wrong is told in fifty lines and a number."""
    import sqlite3

    path = tmp_path / "execsvc.db"
    store = await lived_in(path)
    for _ in range(60):
        await store.record(key_of("open"), CancelWished(), NOW)
        await store.begin(intent_of(key_of(f"more-{_}")), NOW)
    await store.close()
    with sqlite3.connect(path) as sql:
        sql.execute("UPDATE order_event SET at_ns = at_ns + 1")
    sql.close()
    with inspecting(path) as opened:
        found = opened.verify("main")
    assert (50, True, False) == (len(found.flaws), found.more > 10, found.whole)


async def test_a_head_of_what_retention_dropped_says_nothing(tmp_path):
    """It may be long ago; of the mark at the cut itself the hash must fit."""
    path = tmp_path / "execsvc.db"
    store = await lived_in(path)
    with inspecting(path) as opened:
        early = opened.export("main")
        first = next(early)
    dropped = await store.forget("main", events_before_ns=NOW - 1, orders_before_ns=1, limit=100)
    await store.close()
    with inspecting(path) as opened:
        old = AccountHead("main", 1, first.record.hash, "journal")
        wrong = AccountHead("main", dropped, b"x" * 32, "journal")
        assert [(), 1] == [opened.verify("main", told=[old]).flaws, len(opened.verify("main", told=[wrong]).flaws)]


async def test_an_export_reads_page_by_page_and_leaves_nothing_out(tmp_path):
    """More than one page, in order, each entry once."""
    path = tmp_path / "execsvc.db"
    store = await lived_in(path)
    for number in range(600):
        await store.begin(intent_of(key_of(f"o{number}")), NOW + number)
    await store.close()
    with inspecting(path) as opened:
        sequences = [entry.record.sequence for entry in opened.export("main")]
        late = [entry.order for entry in opened.export("main", since_ns=NOW + 599)]
    assert ([*range(1, 612)], ["o599"]) == (sequences, late)


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    """Neither the file nor anything beside it."""
    with pytest.raises(StoreRefused, match="there is no store"):
        heads_of(tmp_path / "execsvc.db")
    assert [] == [*tmp_path.iterdir()]


def test_an_empty_file_is_no_store_and_stays_empty(tmp_path):
    """It is refused in words, and nothing is written into it."""
    path = tmp_path / "execsvc.db"
    path.touch()
    with pytest.raises(StoreRefused, match="cannot be read: no such table"):
        heads_of(path)
    assert 0 == path.stat().st_size


@given(st.binary(min_size=1, max_size=40))
def test_bytes_that_are_no_unicode_stay_what_they_are_for_the_hash_and_can_be_printed(raw):
    """No byte is lost on the way from the file to the hash, none breaks a terminal."""
    text = text_in(raw)
    assert raw == text.encode(errors="surrogateescape")
    assert printable(text).encode()


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ('{"key":{"account":"main","caller":"bot","client_order_id":"a"}}', ("bot", "a")),
        ('{"key":{"order":{"account":"main","caller":"bot","client_order_id":"a"},"request_id":"r"}}', ("bot", "a")),
        ('{"fill_id":"T","caller":"bot","client_order_id":"a"}', ("bot", "a")),
        ('{"scope":{"account":"main"},"set_by":"risk"}', ("risk", "")),
        ("no JSON", ("", "")),
        ("[]", ("", "")),
    ],
)
def test_an_entry_of_any_kind_names_whose_it_is(body, named):
    """Order, amend, fill, trading mode; what cannot be read names nobody."""
    assert named == named_in(body)
