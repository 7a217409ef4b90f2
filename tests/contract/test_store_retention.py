"""How a store forgets: from the old end, whole, bounded, and never what is still wanted. For every store.

The third part of the suite for every store, after test_store.py and test_store_keeping.py.
"""

from dataclasses import replace
from decimal import Decimal

import pytest
from store_rig import placed, settled, together

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Broken, Conflict, Fault, Reason
from execsvc.domain.ids import wire_id
from execsvc.domain.order import (
    Acknowledged,
    CancelWished,
    Corrected,
    Doubted,
    NeverSent,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
)
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Fresh, Known, OrderQuery
from execsvc.store.retention import FILL_IDS_LEAST
from tests.unit.store.samples import SECRET, elsewhere, fill_of, intent_of, key_of, report_of

REFUSED = Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"}))
ABSENT = ProvedAbsent(Fault(Reason.NOT_PLACED, "proved"))
UNSENT = NeverSent(Fault(Reason.VENUE_UNREACHABLE, "no connection"))
SWEPT = Step(1_500, StepKind.SWEPT, "Looked for it in vain.")
LATE = 10**18


async def forget(store, *, events=LATE, orders=0, limit=100, account="main"):
    return await store.forget(account, events_before_ns=events, orders_before_ns=orders, limit=limit)


async def kept(store, account="main"):
    """The sequences of the entries that are there: all after the oldest one that can be resumed from."""
    for start in range(await store.last_sequence(account) + 1):
        answer = (await settled(store.after(account, start, 10_000)))[0]
        if not isinstance(answer, Conflict):
            return [entry.sequence for entry in answer]
        assert Reason.RESUME_TOKEN_EXPIRED is answer.reason
    return pytest.fail("not even the end of the journal can be resumed from")


# ---- events ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((REFUSED,), []),
        ((UNSENT,), []),
        ((Doubted("late"), ABSENT), []),
        ((Acknowledged("O"), Seen(report_of("O", status=Status.CANCELLED))), []),
        ((Acknowledged("O"), Seen(report_of("O", status=Status.EXPIRED))), []),
        ((Acknowledged("O"), Seen(report_of("O", filled="0.50"))), []),
        ((), [1]),
        ((Doubted("late"),), [1, 2]),
        ((Seen(report_of("O", status=Status.PENDING)),), [1, 2]),
        ((Acknowledged("O"), Seen(report_of("O", filled="0.20"))), [1, 2, 3]),
        ((Doubted("late"), ABSENT, Corrected(report_of("O"))), [1, 2, 3, 4]),
    ],
    ids=lambda value: "-".join(type(each).__name__ for each in value) if isinstance(value, tuple) else str(len(value)),
)
async def test_the_events_of_what_has_ended_go(engine, store, events, expected):
    """Every end lets an order's entries go, NEVER_SENT too; of an order that may still change none goes."""
    order = await placed(store, None, *events)
    await forget(store)
    assert expected == await kept(store)
    assert (order, 1 + len(events)) == (await store.get(key_of()), await store.last_sequence("main"))
    assert () == engine.flaws("main")


async def test_events_go_up_to_the_first_of_an_order_that_has_not_ended(engine, store):
    """What came after that entry stays as well, however old: the chain is cut at one place only."""
    await placed(store, key_of("a"), REFUSED, now_ns=1_000)
    await placed(store, key_of("live"), Acknowledged("OTX-1"), now_ns=2_000)
    await placed(store, key_of("b"), REFUSED, now_ns=3_000)
    await forget(store)
    assert [3, 4, 5, 6] == await kept(store)
    await store.record(key_of("live"), Seen(report_of(status=Status.CANCELLED)), 4_000)
    await forget(store)
    assert [] == await kept(store)
    assert () == engine.flaws("main")


async def test_only_what_is_older_goes(engine, store):
    """An entry of that very instant stays."""
    for number in range(4):
        await placed(store, key_of(f"id{number}"), REFUSED, now_ns=1_000 * number)
    await forget(store, events=2_000)
    assert [5, 6, 7, 8] == await kept(store)
    await forget(store, events=2_001)
    assert [6, 7, 8] == await kept(store)
    assert () == engine.flaws("main")


async def test_fills_go_with_the_events_among_which_they_are(store):
    """A fill is an entry like others: an order that has not ended keeps its own, a foreign one goes when it is old."""
    await store.record_fill(fill_of("T1"), None, None, 1_000)
    await placed(store, None, Acknowledged("OTX-1"), now_ns=2_000)
    await store.record_fill(fill_of("T2"), key_of(), Seen(report_of(filled="0.20")), 3_000)
    await forget(store)
    assert [2, 3, 4, 5] == await kept(store)


async def test_an_attempt_after_the_first_was_forgotten_holds_what_follows(store):
    """A NEVER_SENT order whose entries went and that is placed again keeps its new entries like any other."""
    await placed(store, None, UNSENT)
    await forget(store)
    assert isinstance(await store.begin(intent_of(), 2_000), Fresh)
    await placed(store, key_of("b"), REFUSED, now_ns=3_000)
    await forget(store)
    assert [3, 4, 5] == await kept(store)


async def test_the_journal_goes_on_after_everything_went(engine):
    """Numbers and chain continue where they were, also after a restart; nothing can be resumed from before."""
    store = await engine.open()
    await placed(store, key_of("a"), REFUSED)
    await forget(store)
    await store.close()
    store = await engine.open()
    await placed(store, key_of("b"), REFUSED, now_ns=2_000)
    assert [3, 4] == await kept(store)
    with pytest.raises(Conflict) as refused:
        await store.after("main", 1, 10)
    assert Reason.RESUME_TOKEN_EXPIRED is refused.value.reason
    await store.close()
    assert () == engine.flaws("main")


async def test_accounts_forget_apart(engine, store):
    """Another account's journal, orders and fills are not touched."""
    for account in ("main", "second"):
        await placed(store, key_of("a", account=account), REFUSED)
        await store.record_fill(fill_of(account=account), None, None, 3_000)
    await forget(store, orders=LATE)
    assert ([], [1, 2, 3]) == (await kept(store), await kept(store, "second"))
    assert 2 == len(await store.story(key_of("a", account="second")))
    assert Status.REJECTED is (await store.get(key_of("a", account="second"))).status
    assert ((), ()) == (engine.flaws("main"), engine.flaws("second"))


async def test_an_account_that_never_wrote_has_nothing_to_forget(store):
    """Nothing went, and its journal begins as ever."""
    assert 0 == await forget(store, account="empty", orders=LATE)
    await placed(store, key_of(account="empty"))
    assert [1] == await kept(store, "empty")


# ---- stories -----------------------------------------------------------------------------------------------------


async def test_stories_go_with_the_events(store):
    """An ended order's story goes with its entries; one that has not ended keeps its own."""
    await placed(store, key_of("a"), Doubted("late"), ABSENT)
    await placed(store, key_of("live"), Doubted("late"), now_ns=2_000)
    await forget(store)
    assert (0, 2) == (len(await store.story(key_of("a"))), len(await store.story(key_of("live"))))


async def test_part_of_a_story_goes_with_part_of_the_events(store):
    """Entries that stay keep their steps."""
    await placed(store, None, Doubted("late"), ABSENT, now_ns=1_000)
    await forget(store, events=1_002)
    assert ([3], [1_002]) == (await kept(store), [step.at_ns for step in await store.story(key_of())])


async def test_steps_without_an_event_go_with_the_entry_before_them(store):
    """What was noted of an order belongs to its last entry; noted after that entry went, it stays as long as the order."""
    await placed(store, None, REFUSED, now_ns=1_000)
    await placed(store, key_of("b"), REFUSED, now_ns=2_000)
    await store.record(key_of(), REFUSED, 3_000, (SWEPT,))
    await forget(store, events=1_001)
    assert [StepKind.STATUS, StepKind.SWEPT] == [step.kind for step in await store.story(key_of())]
    await forget(store, events=1_002)
    assert ([3, 4], ()) == (await kept(store), await store.story(key_of()))
    await store.record(key_of(), REFUSED, 4_000, (SWEPT,))
    await forget(store)
    assert ((SWEPT,), ()) == (await store.story(key_of()), await store.story(key_of("b")))


# ---- orders ------------------------------------------------------------------------------------------------------


async def test_an_orders_row_outlives_its_events(store):
    """As long as the row is there its id is known, and is never placed again."""
    order = await placed(store, None, Doubted("late"), ABSENT, now_ns=1_000)
    await forget(store, orders=1_002)
    assert ([], order) == (await kept(store), await store.get(key_of()))
    assert Known(order) == await store.begin(intent_of(), 9_000)


async def test_an_orders_row_goes_with_all_that_hangs_on_it(engine, store):
    """It ended before that time: neither id finds it, no list shows it, and the ids are free for a new order."""
    await placed(store, None, UNSENT, now_ns=1_000)
    await store.begin(intent_of(), 2_000)
    await store.record(key_of(), Seen(report_of(status=Status.CANCELLED)), 2_001)
    await forget(store, orders=2_002)
    wires = [wire_id(SECRET, key_of(), attempt) for attempt in range(2)]
    assert None is await store.get(key_of())
    assert [None] * 3 == [
        await store.find("main", venue_order_id="OTX-1"),
        *[await store.find("main", venue_client_id=wire) for wire in wires],
    ]
    assert ((), (), ()) == (
        await store.page(OrderQuery("main")),
        await store.in_status("main", frozenset(Status)),
        await store.story(key_of()),
    )
    await placed(store, None, UNSENT, now_ns=3_000)
    again = await store.begin(intent_of(), 3_002)
    assert (Fresh, 1, 3_000) == (type(again), again.order.attempt, again.order.create_time_ns)
    await store.record(key_of(), Acknowledged("OTX-1"), 3_003)
    assert [5, 6, 7, 8] == await kept(store)
    assert () == engine.flaws("main")


async def test_an_order_whose_events_are_kept_keeps_its_row(store):
    """However old it is: the journal never tells of an order that the store does not know."""
    await placed(store, key_of("live"), now_ns=1_000)
    order = await placed(store, key_of("a"), REFUSED, now_ns=2_000)
    assert 0 == await forget(store, orders=LATE)
    assert order == await store.get(key_of("a"))


async def test_a_fill_keeps_its_orders_row(store):
    """An entry of a fill is an entry of its order, also where it said nothing new."""
    await placed(store, None, Acknowledged("OTX-1"), Seen(report_of(filled="0.50")), now_ns=1_000)
    order = await store.record_fill(fill_of(), key_of(), Seen(report_of(filled="0.50")), 5_000)
    await forget(store, events=5_000, orders=LATE)
    assert ([4], order) == (await kept(store), await store.get(key_of()))
    await forget(store, events=5_001, orders=LATE)
    assert ([], None) == (await kept(store), await store.get(key_of()))


async def test_rows_go_in_the_order_of_their_ends(store):
    """A long-lived order that ended late holds back only what ended after it."""
    await placed(store, key_of("old"), Acknowledged("OTX-1"), now_ns=1_000)
    for name, now_ns in (("a", 2_000), ("b", 5_000)):
        await placed(store, key_of(name), REFUSED, now_ns=now_ns)
    await store.record(key_of("old"), Seen(report_of(status=Status.CANCELLED)), 4_000)
    await forget(store, orders=4_000)
    assert ["b", "old"] == [order.key.client_order_id for order in await store.page(OrderQuery("main"))]
    await forget(store, orders=5_002)
    assert () == await store.page(OrderQuery("main"))


async def test_what_was_placed_elsewhere_goes_like_the_rest(store):
    """It has no wire id that could go with it, and its row goes all the same."""
    order = await store.adopt(elsewhere(), 1_000)
    await store.record(order.key, Seen(report_of("OTX-9", status=Status.CANCELLED)), 2_000)
    await forget(store, events=LATE, orders=LATE)
    assert ((), None) == (await store.page(OrderQuery("main")), await store.find("main", venue_order_id="OTX-9"))
    assert elsewhere(now_ns=3_000) == await store.adopt(elsewhere(now_ns=3_000), 3_000)


# ---- ids of fills ------------------------------------------------------------------------------------------------


async def many_fills(store, first, last):
    for number in range(first, last):
        await store.record_fill(fill_of(f"T{number}"), None, None, 1_000 + number)


async def test_a_fill_of_old_is_not_written_twice(engine, store):
    """Its entry went, its id did not: the exchange's snapshot tells old fills at every start."""
    await store.record_fill(fill_of(), None, None, 1_000)
    await forget(store, orders=LATE)
    await store.record_fill(fill_of(), None, None, 2_000)
    assert (1, []) == (await store.last_sequence("main"), await kept(store))


async def test_ids_of_fills_go_when_orders_of_that_age_do(store):
    """Past the newest thousand, an id goes by its own age; the time of events does not matter."""
    await many_fills(store, 0, FILL_IDS_LEAST + 3)
    await forget(store, orders=1_002, limit=2_000)
    for number in (0, 1, 2):
        await store.record_fill(fill_of(f"T{number}"), None, None, 9_000)
    last = FILL_IDS_LEAST + 5
    assert ([last - 1, last], last) == (await kept(store), await store.last_sequence("main"))


async def test_the_newest_ids_of_fills_are_kept_for_ever(store):
    """However old the last thousand are, a repeat of theirs is no news."""
    await many_fills(store, 0, FILL_IDS_LEAST + 3)
    while await forget(store, orders=LATE, limit=2_000):
        assert [] == await kept(store)
    await many_fills(store, 3, FILL_IDS_LEAST + 3)
    assert [] == await kept(store)
    await many_fills(store, 0, 3)
    assert 3 == len(await kept(store))


async def test_the_id_of_a_fill_stays_while_its_entry_does(store):
    """An entry that an order holds back keeps its fill known."""
    await placed(store, key_of("live"), now_ns=1)
    await many_fills(store, 0, FILL_IDS_LEAST + 3)
    await forget(store, orders=LATE, limit=2_000)
    await many_fills(store, 0, 3)
    assert FILL_IDS_LEAST + 4 == await store.last_sequence("main")


# ---- in pieces ---------------------------------------------------------------------------------------------------


async def test_a_piece_is_bounded(engine, store):
    """At most so many entries at once; asked again and again everything goes, and the pieces add up."""
    for number in range(7):
        await placed(store, key_of(f"id{number}"), REFUSED, now_ns=1_000 + number)
    pieces, left = [], []
    while gone := await forget(store, orders=LATE, limit=4):
        pieces.append(gone)
        left.append(len(await kept(store)))
        assert () == engine.flaws("main")
    # Fourteen entries and seven orders; of each kind at most four in a piece.
    assert 14 + 7 == sum(pieces)
    assert 8 >= max(pieces)
    assert [10, 6, 2, 0] == left
    assert () == await store.page(OrderQuery("main"))


async def test_a_piece_of_nothing_is_broken(store):
    """A limit below one would never come to an end."""
    await placed(store, None, REFUSED)
    with pytest.raises(Broken):
        await forget(store, limit=0)
    assert [1, 2] == await kept(store)


async def test_what_shares_the_commit_is_as_if_it_came_after(engine, store):
    """An id, a wire id and a fill that are dropped in a commit are free, or news, for what follows in the same one."""
    await placed(store, None, Seen(report_of(status=Status.CANCELLED)))
    await many_fills(store, 0, FILL_IDS_LEAST + 1)
    answers = await together(
        engine,
        store,
        forget(store, orders=1_500, limit=2_000),
        forget(store, orders=1_500, limit=2_000),
        store.record(key_of(), CancelWished(), 5_000),
        store.begin(intent_of(), 5_000),
        store.record(key_of(), Acknowledged("OTX-1"), 5_001),
        store.record_fill(fill_of("T0"), None, None, 5_002),
    )
    assert [int, int, Broken, Fresh, type(answers[4]), type(None)] == [type(answer) for answer in answers]
    assert 0 == answers[1]
    last = FILL_IDS_LEAST + 3
    assert [last + 1, last + 2, last + 3] == await kept(store)
    assert answers[4] == await store.find("main", venue_order_id="OTX-1")
    assert [5_000, 5_001] == [step.at_ns for step in await store.story(key_of())]
    assert () == engine.flaws("main")


async def test_what_the_commit_itself_writes_stays(engine, store):
    """An order that is touched, or placed again, in the commit that forgets keeps its row and what was written."""
    await placed(store, key_of("a"), UNSENT)
    await placed(store, key_of("b"), REFUSED, now_ns=1_000)
    answers = await together(
        engine,
        store,
        store.begin(intent_of(key_of("a")), 2_000),
        store.record(key_of("b"), REFUSED, 2_000, (SWEPT,)),
        forget(store, orders=LATE),
    )
    assert (Fresh, 0) == (type(answers[0]), answers[2])
    assert Status.SUBMITTED is (await store.get(key_of("a"))).status
    assert SWEPT == (await store.story(key_of("b")))[-1]
    assert [1, 2, 3, 4, 5] == await kept(store)
    assert () == engine.flaws("main")


async def test_an_ended_order_that_the_commit_tells_of_keeps_its_row(engine, store):
    """Late fees, or a step, of an order whose entries are long gone: the row outlives the commit that they share."""
    await placed(store, key_of("fees"), Seen(report_of("O1", status=Status.CANCELLED)))
    await placed(store, key_of("step"), Seen(report_of("O2", status=Status.CANCELLED)), now_ns=2_000)
    await forget(store)
    late = replace(report_of("O1", status=Status.CANCELLED), total_fees=(AssetAmount("USD", Decimal("0.10")),))
    late = replace(late, filled_quantity=Decimal("0.10"))
    answers = await together(
        engine,
        store,
        store.record(key_of("fees"), Seen(late), 5_000),
        forget(store, orders=LATE),
    )
    assert (0, answers[0]) == (answers[1], await store.get(key_of("fees")))
    await together(
        engine,
        store,
        store.record(key_of("step"), Seen(report_of("O2", status=Status.CANCELLED)), 5_000, (SWEPT,)),
        forget(store, orders=LATE),
    )
    assert (SWEPT,) == await store.story(key_of("step"))
    assert () == engine.flaws("main")


async def test_nonces_and_facts_are_not_forgotten(store):
    """They are not dated: a nonce must never come again, a halt stands until it is lifted."""
    block = await store.reserve("key", 0, 10)
    await store.remember("main", "halt", "by hand")
    await placed(store, None, REFUSED)
    await forget(store, orders=LATE)
    assert ("by hand", block[-1]) == (await store.recall("main", "halt"), await store.high_water("key"))
