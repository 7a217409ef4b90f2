"""Trading modes in every store: what is in force, for whom, in the journal and after a reopening."""

import sqlite3

import pytest
from store_rig import OnDisk, placed

from execsvc.domain.errors import Broken, Busy, Reason
from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.domain.order import Acknowledged
from execsvc.ports import JournalEntry
from execsvc.store.database import scripts
from tests.unit.store.samples import key_of

ALL = Scope(everything=True)
ANN = Scope("main", "ann")


def entry(scope, mode=TradingMode.HALTED, comment="news", at_ns=7):
    return ModeEntry(scope, mode, comment, "ops", at_ns)


async def test_a_mode_is_durable_and_told_word_for_word(engine, store):
    """What was set is in force after a reopening, to the letter."""
    await store.set_mode("main", entry(ANN, comment="Ä “quoted” line"), 1_000)
    await store.close()
    again = await engine.open()
    assert (entry(ANN, comment="Ä “quoted” line"),) == await again.modes("main")
    await again.close()


async def test_a_mode_replaces_the_one_of_its_scope_and_no_other(store):
    """Scopes that differ in one part stand side by side, and are told by scope."""
    others = [Scope("main"), Scope("main", "ann", "BTC/USD"), Scope("main", "", "BTC/USD"), Scope("main", "bob")]
    for scope in (ANN, *others):
        await store.set_mode("main", entry(scope), 1_000)
    await store.set_mode("main", entry(ANN, TradingMode.CANCEL_ONLY), 1_001)
    found = {each.scope: each.mode for each in await store.modes("main")}
    assert {ANN: TradingMode.CANCEL_ONLY} | dict.fromkeys(others, TradingMode.HALTED) == found


async def test_normal_removes_the_entry_of_its_scope_alone(store):
    """What is lifted is in force no more; the rest is."""
    await store.set_mode("main", entry(ANN), 1_000)
    await store.set_mode("main", entry(Scope("main")), 1_001)
    await store.set_mode("main", entry(ANN, TradingMode.NORMAL), 1_002)
    assert (entry(Scope("main")),) == await store.modes("main")


async def test_what_is_meant_for_everything_holds_for_every_account_and_is_lifted_from_all(store):
    """Also for one that came later; and one that is not served any more keeps nothing in force."""
    await store.set_mode("main", entry(ALL), 1_000)
    await store.set_mode("second", entry(ALL), 1_000)
    assert (entry(ALL),) == await store.modes("main") == await store.modes("new")
    await store.set_mode("main", entry(ALL, TradingMode.NORMAL), 1_001)
    assert () == await store.modes("main") == await store.modes("second")


async def test_the_entries_of_one_account_are_not_the_others(store):
    """An account's own scopes are its own."""
    await store.set_mode("main", entry(ANN), 1_000)
    assert () == await store.modes("second")


async def test_each_change_of_a_mode_is_in_the_audit_chain(engine, store):
    """An entry of the journal for each, NORMAL too, with who set it and why; the chain is whole."""
    heard = []
    store.subscribe(heard.append)
    await store.set_mode("main", entry(ANN), 1_000)
    await store.set_mode("main", entry(ANN, TradingMode.NORMAL), 1_001)
    told = (JournalEntry(1, mode=entry(ANN)), JournalEntry(2, mode=entry(ANN, TradingMode.NORMAL)))
    assert told == await store.after("main", 0, 10)
    await store.close()
    assert () == engine.flaws("main")
    assert list(told) == heard


async def test_an_order_goes_on_across_a_mode_in_its_journal(store):
    """The journal of the account is one: orders and modes share its numbers."""
    await placed(store, key_of(), Acknowledged("OTX-1"))
    await store.set_mode("main", entry(ANN), 1_010)
    await placed(store, key_of("b"), now_ns=1_020)
    kinds = [(each.order is not None, each.mode is not None) for each in await store.after("main", 0, 10)]
    assert [(True, False), (True, False), (False, True), (True, False)] == kinds


async def test_a_mode_is_kept_with_the_account_it_names(store):
    """Any other is a broken rule of ours, and leaves nothing."""
    with pytest.raises(Broken, match="account main, caller ann is not one of account second"):
        await store.set_mode("second", entry(ANN), 1_000)
    assert (0, ()) == (await store.last_sequence("second"), await store.modes("second"))


async def test_who_is_superseded_sets_no_mode(engine, store):
    """A stale owner's word is not written, and it is told so."""
    usurper = await engine.usurp()
    with pytest.raises(Busy) as refused:
        await store.set_mode("main", entry(ANN), 1_000)
    assert Reason.NOT_OWNER is refused.value.reason
    assert () == await usurper.modes("main")
    await usurper.close()


async def test_a_mode_outlives_its_entry_in_the_journal(store):
    """Retention drops the entry; what is in force stays in force."""
    await store.set_mode("main", entry(ANN), 1_000)
    assert 1 == await store.forget("main", events_before_ns=2_000, orders_before_ns=2_000, limit=10)
    assert (entry(ANN),) == await store.modes("main")


async def test_a_store_of_the_third_schema_is_taken_over_whole(tmp_path):
    """The journal moves into a table that knows modes: numbers, hashes and heads stay, and it goes on."""
    engine = OnDisk(tmp_path)
    store = await engine.open()
    await placed(store, key_of(), Acknowledged("OTX-1"))
    before = await store.after("main", 0, 10)
    await store.close()
    as_third_schema(engine.path)
    store = await engine.open()
    assert before == await store.after("main", 0, 10)
    await store.set_mode("main", entry(ANN), 1_010)
    assert 3 == await store.last_sequence("main")
    await store.close()
    assert () == engine.flaws("main")


def as_third_schema(path):
    """The file as the third build left it: without the table of modes, the journal without their kind."""
    third = scripts()[3]
    start = third.index("CREATE TABLE order_event_3")
    table = third[start : third.index(";", start) + 1].replace("order_event_3", "order_event")
    sql = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "DROP TABLE trading_mode",
        "ALTER TABLE order_event RENAME TO late",
        table,
        "INSERT INTO order_event SELECT * FROM late",
        "DROP TABLE late",
        "PRAGMA user_version = 3",
    ):
        sql.execute(statement)
    sql.close()
