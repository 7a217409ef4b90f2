"""Amends as every store keeps them: durable with their audit record, one under way per order, gone with their order.

The fourth part of the suite for every store, after test_store_retention.py.
"""

import sqlite3
from dataclasses import replace
from decimal import Decimal

import pytest
from store_rig import OnDisk, placed, settled, together

from execsvc.domain.amend import (
    AmendDoubted,
    AmendIntent,
    AmendKey,
    AmendNeverSent,
    AmendRefused,
    AmendStatus,
    Applied,
    ProvedNotApplied,
)
from execsvc.domain.errors import Broken, Busy, Conflict, Declined, Fault, Reason
from execsvc.domain.order import Acknowledged, Doubted, Refused, Seen, Status
from execsvc.domain.story import Step, StepKind
from execsvc.ports import FreshAmend, KnownAmend
from execsvc.store.database import scripts
from tests.support.amends import wish_of
from tests.unit.store.samples import intent_of, key_of, report_of

REFUSED = AmendRefused(Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD", "id_used": "true"}))
ABSENT = ProvedNotApplied(Fault(Reason.NOT_PLACED, "proved", {"id_used": "true"}))
UNSENT = AmendNeverSent(Fault(Reason.VENUE_UNREACHABLE, "no connection"))
NOTED = Step(2_050, StepKind.SENT, "AmendOrder left.")
LATE = 10**18


@pytest.fixture
async def order(store):
    """One that stands at Kraken, of 0.50 at 50000.0, at version 2."""
    return await placed(store, key_of(), Acknowledged("OTX-1"))


def amend(request_id="r-1", key=None, if_version=None, **figures):
    wish = wish_of(**(figures or {"limit_price": "51000.0"}))
    return AmendIntent(AmendKey(key or key_of(), request_id), wish, 9_000, "trace", if_version)


async def begun(store, *events, request_id="r-1", now_ns=2_000, **figures):
    """An amend that was begun, with these events recorded."""
    intent = amend(request_id, **figures)
    found = (await store.amends.begin(intent, now_ns)).amend
    for later, event in enumerate(events, now_ns + 1):
        found, _ = await store.amends.record(intent.key, event, later)
    return found


# ---- beginning ------------------------------------------------------------------------------------------------------


async def test_a_new_amend_is_fresh_and_durable(engine, store, order):
    """With all that it is, and there again after a reopening."""
    fresh = await store.amends.begin(amend(), 2_000)
    assert isinstance(fresh, FreshAmend)
    assert (AmendStatus.SUBMITTED, 0, "BTC/USD", 2_000) == (
        fresh.amend.status,
        fresh.amend.attempt,
        fresh.amend.symbol,
        fresh.amend.create_time_ns,
    )
    await store.close()
    again = await engine.open()
    assert KnownAmend(fresh.amend, order) == await again.amends.get(amend().key)
    await again.close()


async def test_an_amend_changes_no_order_before_it_is_applied(store, order):
    """Begun, doubted, refused: the order is as it was, to the version."""
    await begun(store, AmendDoubted("late"), REFUSED)
    assert order == await store.get(order.key)


async def test_the_same_request_again_is_known(store, order):
    """With the state it has by now, and nothing is written."""
    found = await begun(store, Applied("T1"))
    before = await store.last_sequence("main")
    known = await store.amends.begin(amend(limit_price="51000.00"), 5_000)
    assert (KnownAmend, found, before) == (type(known), known.amend, await store.last_sequence("main"))


async def test_the_same_id_for_other_figures_is_refused_with_both_hashes(store, order):
    """It stands for what it stood for."""
    await begun(store)
    with pytest.raises(Conflict) as refused:
        await store.amends.begin(amend(limit_price="51000.1"), 5_000)
    assert Reason.CLIENT_ORDER_ID_REUSED is refused.value.reason
    assert amend().content_hash.hex() == refused.value.fault.metadata["stored_content_hash"]


async def test_an_amend_that_was_never_sent_starts_its_next_attempt(store, order):
    """Same id, same figures: fresh again, attempt by attempt."""
    await begun(store, UNSENT)
    fresh = await store.amends.begin(amend(), 3_000)
    assert (FreshAmend, 1, AmendStatus.SUBMITTED, None) == (
        type(fresh),
        fresh.amend.attempt,
        fresh.amend.status,
        fresh.amend.end_fault,
    )


@pytest.mark.parametrize("event", [None, AmendDoubted("late")])
async def test_one_amend_of_an_order_is_under_way_at_a_time(store, order, event):
    """The next one waits until the first is settled, whoever asks."""
    await begun(store, *([] if event is None else [event]))
    with pytest.raises(Conflict) as refused:
        await store.amends.begin(amend("r-2"), 3_000)
    assert (Reason.ORDER_IN_DOUBT, "r-1") == (refused.value.reason, refused.value.fault.metadata["amend_request_id"])
    await store.amends.record(amend().key, Applied("T1"), 4_000)
    assert isinstance(await store.amends.begin(amend("r-2"), 5_000), FreshAmend)


async def test_of_two_that_begin_in_one_commit_one_wins(engine, store, order):
    """Nobody sends both."""
    first, second = await together(
        engine, store, store.amends.begin(amend("r-1"), 2_000), store.amends.begin(amend("r-2"), 2_000)
    )
    assert (FreshAmend, Reason.ORDER_IN_DOUBT) == (type(first), second.reason)


async def test_a_settled_one_makes_room_in_the_same_commit(engine, store, order):
    """What the batch holds counts, not only what is on the shelf."""
    await begun(store)
    _, second = await together(
        engine, store, store.amends.record(amend().key, REFUSED, 3_000), store.amends.begin(amend("r-2"), 3_000)
    )
    assert isinstance(second, FreshAmend)


@pytest.mark.parametrize(
    ("events", "if_version", "error", "reason"),
    [
        ((), None, Conflict, Reason.ORDER_IN_DOUBT),
        ((Doubted("late"),), None, Conflict, Reason.ORDER_IN_DOUBT),
        ((Refused(Fault(Reason.VENUE_ERROR, "no")),), None, Declined, Reason.ORDER_TERMINAL),
        ((Acknowledged("O"), Seen(report_of("O", status=Status.CANCELLED))), None, Declined, Reason.ORDER_TERMINAL),
        ((Acknowledged("O"),), 1, Conflict, Reason.VERSION_MISMATCH),
    ],
)
async def test_what_only_the_commit_knows_is_checked_there(store, events, if_version, error, reason):
    """State and version of the order are those of that moment; nothing is written."""
    await placed(store, key_of(), *events)
    before = await store.last_sequence("main")
    with pytest.raises(error) as refused:
        await store.amends.begin(amend(if_version=if_version), 2_000)
    assert (reason, "false", before) == (
        refused.value.reason,
        refused.value.fault.metadata["id_used"],
        await store.last_sequence("main"),
    )


async def test_an_order_that_was_never_begun_cannot_be_amended(store):
    """That would be a defect of ours."""
    with pytest.raises(Broken):
        await store.amends.begin(amend(), 2_000)


# ---- recording ------------------------------------------------------------------------------------------------------


async def test_what_was_applied_changes_the_order_in_the_same_commit(store, order):
    """The journal tells the amend, then the order: both or none."""
    heard = []
    store.subscribe(heard.append)
    await begun(store)
    del heard[:]
    found, changed = await store.amends.record(amend().key, Applied("T1"), 3_000)
    assert replace(order.spec, limit_price=Decimal("51000.0")) == changed.spec
    assert (order.version + 1, 3_000) == (changed.version, changed.update_time_ns)
    assert [(found, None), (None, changed)] == [(entry.amend, entry.order) for entry in heard]
    assert changed == await store.get(order.key)


async def test_what_the_stream_told_before_is_not_told_twice(store, order):
    """The order stands so already: the amend is settled, the order no version older."""
    await begun(store)
    shown = replace(report_of("OTX-1"), spec=replace(order.spec, limit_price=Decimal("51000.0")))
    seen = await store.record(order.key, Seen(shown), 2_500)
    _, changed = await store.amends.record(amend().key, Applied("T1"), 3_000)
    assert (order.version + 1, seen) == (seen.version, changed)


async def test_what_was_overtaken_leaves_the_order_as_it_is(store, order):
    """It was applied, and somebody changed the order again."""
    await begun(store)
    found, same = await store.amends.record(amend().key, Applied("T1", superseded=True), 3_000)
    assert (AmendStatus.APPLIED, order) == (found.status, same)


async def test_news_that_is_none_writes_nothing(store, order):
    """But the steps that were noted."""
    await begun(store, Applied("T1"))
    before, steps = await store.last_sequence("main"), len(await store.story(order.key))
    found, _ = await store.amends.record(amend().key, Applied("T1"), 9_000, (NOTED,))
    assert (before, steps + 1) == (await store.last_sequence("main"), len(await store.story(order.key)))
    assert AmendStatus.APPLIED is found.status


@pytest.mark.parametrize(
    ("events", "then"),
    [((Applied("T1"),), REFUSED), ((REFUSED,), Applied("T1")), ((ABSENT,), Applied("T1")), ((REFUSED,), ABSENT)],
)
async def test_a_verdict_never_changes(store, order, events, then):
    """And one that is refused leaves no trace."""
    found = await begun(store, *events)
    before = await store.last_sequence("main")
    with pytest.raises(Broken):
        await store.amends.record(amend().key, then, 9_000)
    assert (found, before) == ((await store.amends.get(amend().key)).amend, await store.last_sequence("main"))


async def test_an_amend_that_was_never_begun_cannot_be_recorded(store, order):
    """That would be a defect of ours."""
    with pytest.raises(Broken):
        await store.amends.record(amend().key, Applied("T1"), 2_000)


async def test_the_story_of_the_order_tells_of_its_amends(store, order):
    """Asked for, noted steps, what it changed, applied: each with the commit it belongs to."""
    before = len(await store.story(order.key))
    await store.amends.begin(amend(), 2_000)
    await store.amends.record(amend().key, Applied("T1"), 3_000, (NOTED,))
    told = [(step.kind, step.at_ns, step.verdict) for step in (await store.story(order.key))[before:]]
    assert [
        (StepKind.AMENDED, 2_000, ""),
        (StepKind.SENT, 2_050, ""),
        (StepKind.AMENDED, 3_000, "applied"),
        (StepKind.AMENDED, 3_000, "applied"),
    ] == told


# ---- the journal ----------------------------------------------------------------------------------------------------


async def test_every_state_of_an_amend_is_in_the_audit_chain(engine, store, order):
    """Chained with the orders: before it is sent, and all that became of it."""
    await begun(store, AmendDoubted("late"), ABSENT)
    entries = await store.after("main", 2, 10)
    assert ["SUBMITTED", "IN_DOUBT", "NOT_APPLIED"] == [entry.amend.status.name for entry in entries]
    assert [3, 4, 5] == [entry.sequence for entry in entries]
    await store.close()
    assert () == engine.flaws("main")
    await (await engine.open()).close()


async def test_those_without_a_fate_are_found_oldest_first(store):
    """What a start must resolve, of one account."""
    for name, account in (("a", "main"), ("b", "main"), ("c", "main"), ("a", "second")):
        key = key_of(name, account=account)
        await placed(store, key, Acknowledged(f"O-{name}"))
        await store.amends.begin(amend("r-1", key), 9_000 if name == "a" else 5_000)
    await store.amends.record(AmendKey(key_of("c"), "r-1"), Applied("T1"), 9_500)
    await store.amends.record(AmendKey(key_of("b"), "r-1"), AmendDoubted("late"), 9_500)
    found = await store.amends.unsettled("main")
    assert [("b", AmendStatus.IN_DOUBT), ("a", AmendStatus.SUBMITTED)] == [
        (each.key.order.client_order_id, each.status) for each in found
    ]


async def test_those_of_late_are_found_newest_first_and_bounded(store, order):
    """By when they were last begun."""
    for number in range(4):
        await begun(store, Applied(f"T{number}"), request_id=f"r-{number}", now_ns=2_000 + 100 * number)
    found = await store.amends.since("main", 2_100, 2)
    assert ["r-3", "r-2"] == [each.key.request_id for each in found]
    assert 3 == len(await store.amends.since("main", 2_100, 9))


async def test_all_amends_of_an_order_are_found(store, order):
    """In the order in which they were begun."""
    await begun(store, Applied("T1"), request_id="r-2")
    await begun(store, REFUSED, request_id="r-1", now_ns=3_000)
    assert ["r-2", "r-1"] == [each.key.request_id for each in await store.amends.of(order.key)]
    assert () == await store.amends.of(key_of("other"))


async def test_amends_go_with_their_order_and_not_before(store, order):
    """As long as the order is remembered, so is every request_id of it."""
    await begun(store, Applied("T1"))
    await store.record(order.key, Seen(report_of("OTX-1", status=Status.CANCELLED)), 3_000)
    await store.forget("main", events_before_ns=LATE, orders_before_ns=0, limit=100)
    assert 1 == len(await store.amends.of(order.key))
    await store.forget("main", events_before_ns=LATE, orders_before_ns=LATE, limit=100)
    assert (None, ()) == (await store.get(order.key), await store.amends.of(order.key))
    assert () == await store.amends.since("main", 0, 9)


async def test_a_commit_that_fails_leaves_no_amend(engine, store, order):
    """Another process has the store: nothing of it is written down."""
    other = await engine.usurp()
    (answer,) = await settled(store.amends.begin(amend(), 2_000))
    assert (Busy, Reason.NOT_OWNER) == (type(answer), answer.reason)
    assert () == await other.amends.of(order.key)
    await other.close()


# ---- the schema -----------------------------------------------------------------------------------------------------


async def test_a_store_of_the_second_schema_is_taken_over_whole(tmp_path):
    """The journal moves into a table that knows amends: numbers, hashes and heads stay, and it goes on."""
    engine = OnDisk(tmp_path)
    store = await engine.open()
    await placed(store, key_of(), Acknowledged("OTX-1"))
    before = await store.after("main", 0, 10)
    await store.close()
    as_second_schema(engine.path)
    store = await engine.open()
    assert before == await store.after("main", 0, 10)
    await begun(store, Applied("T1"))
    assert 5 == await store.last_sequence("main")
    await store.close()
    assert () == engine.flaws("main")


def as_second_schema(path):
    """The file as the second build left it: without the table of amends, the journal without their kind."""
    first = scripts()[1]
    start = first.index("CREATE TABLE order_event")
    table = first[start : first.index(";", start) + 1]
    sql = sqlite3.connect(path, isolation_level=None)
    for statement in (
        "DROP TABLE trading_mode",
        "DROP TABLE amend",
        "ALTER TABLE order_event RENAME TO late",
        table,
        "INSERT INTO order_event SELECT * FROM late",
        "DROP TABLE late",
        "PRAGMA user_version = 2",
    ):
        sql.execute(statement)
    sql.close()


async def test_two_amends_under_way_would_be_refused_by_the_schema_itself(tmp_path):
    """Should the check before it ever fail, the commit does."""
    engine = OnDisk(tmp_path)
    store = await engine.open()
    await placed(store, key_of(), Acknowledged("OTX-1"))
    await begun(store)
    await store.close()
    sql = sqlite3.connect(engine.path)
    with pytest.raises(sqlite3.IntegrityError):
        sql.execute(
            "INSERT INTO amend (account, caller, client_order_id, request_id, status, attempt_ns, body)"
            " SELECT account, caller, client_order_id, 'r-2', status, attempt_ns, body FROM amend"
        )
    sql.close()


def test_an_intent_names_what_it_is_of():
    """The content is what is changed, not which order: that is the key's."""
    here, there = amend(), amend(key=intent_of(key_of("b")).key)
    assert here.content_hash == there.content_hash
    assert here.content_hash != amend(limit_price="51000.1").content_hash
