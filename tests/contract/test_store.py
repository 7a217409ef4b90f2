"""One suite for every store: what ports.Store promises, shown on the embedded one and on its twin in memory."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from store_rig import placed, settled, together

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Broken, Busy, Conflict, Fault, Reason
from execsvc.domain.ids import wire_id
from execsvc.domain.order import (
    LIVE,
    UNRESOLVED,
    Acknowledged,
    CancelWished,
    Doubted,
    NeverSent,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
)
from execsvc.domain.story import Step, StepKind
from execsvc.ports import Fresh, Known, OrderQuery
from tests.unit.store.samples import SECRET, elsewhere, fill_of, intent_of, key_of, report_of, spec_of

REFUSED = Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"}))
ABSENT = ProvedAbsent(Fault(Reason.NOT_PLACED, "proved"))
UNSENT = NeverSent(Fault(Reason.VENUE_UNREACHABLE, "no connection"))


# ---- begin -------------------------------------------------------------------------------------------------------


async def test_an_intent_is_there_once_begun(store):
    """What begin answers is what is read back, SUBMITTED, with the wire id of attempt 0."""
    begun = await store.begin(intent_of(), 1_000)
    assert Fresh(begun.order) == begun
    assert (Status.SUBMITTED, 0, wire_id(SECRET, key_of(), 0)) == (
        begun.order.status,
        begun.order.attempt,
        begun.order.venue_client_id,
    )
    assert begun.order == await store.get(key_of())


async def test_the_same_content_again_is_known_as_it_stands_now(store):
    """A repeat learns the order's present state and writes nothing; numbers count by value, not by scale."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    again = await store.begin(intent_of(spec=spec_of("0.5", price="50000")), 2_000)
    assert Known(order) == again
    assert 2 == await store.last_sequence("main")


@pytest.mark.parametrize(
    "end", [REFUSED, ABSENT, Seen(report_of(status=Status.CANCELLED))], ids=lambda end: type(end).__name__
)
async def test_an_ended_order_is_known_and_not_sent_again(store, end):
    """Only NEVER_SENT gives the id another attempt: every other end is final."""
    order = await placed(store, None, Doubted("late"), end)
    assert Known(order) == await store.begin(intent_of(), 2_000)
    assert 3 == await store.last_sequence("main")


async def test_other_content_under_the_same_id_is_refused(store):
    """The refusal carries both hashes and Kraken's id, says that the id is used, and writes nothing."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    other = intent_of(spec=spec_of("0.6"))
    with pytest.raises(Conflict) as refused:
        await store.begin(other, 2_000)
    assert Reason.CLIENT_ORDER_ID_REUSED is refused.value.reason
    assert {
        "content_hash": other.content_hash.hex(),
        "stored_content_hash": order.content_hash.hex(),
        "order_id": "OTX-1",
        "id_used": "true",
    } == refused.value.fault.metadata
    assert 2 == await store.last_sequence("main")


@pytest.mark.parametrize("other", [key_of("b"), key_of(caller="rest"), key_of(account="second")], ids=str)
async def test_an_id_is_of_one_caller_and_account(store, other):
    """The same client order id of another caller or account is another order."""
    await placed(store)
    assert isinstance(await store.begin(intent_of(other, spec_of("0.6")), 2_000), Fresh)


# ---- orders placed elsewhere ---------------------------------------------------------------------------------------


async def test_an_order_placed_elsewhere_is_there_once_adopted(store):
    """With the steps of its story, by both its ids, among the live ones; an event goes on from it."""
    step = Step(1_000, StepKind.STATUS, "Seen.", status=Status.OPEN)
    order = await store.adopt(elsewhere(), 1_000, (step,))
    assert (elsewhere(), elsewhere(), (elsewhere(),), (step,)) == (
        order,
        await store.find("main", venue_order_id="OTX-9"),
        await store.in_status("main", LIVE),
        await store.story(order.key),
    )
    later = await store.record(order.key, Seen(report_of("OTX-9", status=Status.CANCELLED)), 2_000)
    assert [elsewhere(), later] == [entry.order for entry in await store.after("main", 0, 9)]


async def test_one_that_is_known_is_left_as_it_is(store):
    """Two who see it at once adopt it once, in one commit as in two."""
    first = await store.adopt(elsewhere(), 1_000)
    ended = await store.record(first.key, Seen(report_of("OTX-9", status=Status.CANCELLED)), 2_000)
    assert ended == await store.adopt(elsewhere(now_ns=3_000), 3_000)
    assert 2 == await store.last_sequence("main")


async def test_two_that_adopt_one_order_at_once(store, engine):
    """The second of one commit is answered with what the first one wrote."""
    calls = [store.adopt(elsewhere(now_ns=now_ns), now_ns) for now_ns in (1_000, 1_001)]
    assert [elsewhere(), elsewhere()] == await together(engine, store, *calls)


async def test_an_order_of_ours_is_not_adopted(store):
    """Neither one that Kraken names by the same id, nor anything that has a caller, a wire id, no id, or is in doubt."""
    await placed(store, None, Acknowledged("OTX-1"))
    wrong = (
        elsewhere("OTX-1"),
        elsewhere(key=key_of("b")),
        elsewhere(venue_client_id="w-1"),
        replace(elsewhere(), venue_order_id=""),
        elsewhere(status=Status.IN_DOUBT),
    )
    for order in wrong:
        with pytest.raises(Broken):
            await store.adopt(order, 2_000)
    assert 2 == await store.last_sequence("main")


@pytest.mark.parametrize("statuses", [frozenset(), LIVE], ids=["all", "live"])
async def test_a_page_may_leave_out_what_was_placed_elsewhere(store, statuses):
    """Without that wish it shows everything."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    other = await store.adopt(elsewhere(now_ns=2_000), 2_000)
    assert (order,) == await store.page(OrderQuery("main", statuses=statuses, placed_here=True))
    assert (other, order) == await store.page(OrderQuery("main", statuses=statuses))


# ---- attempts ------------------------------------------------------------------------------------------------------


async def test_a_never_sent_order_starts_its_next_attempt(store):
    """Same content after NEVER_SENT: Fresh, attempt 1, a new wire id, no fault left."""
    await placed(store, None, UNSENT)
    again = await store.begin(intent_of(), 2_000)
    assert isinstance(again, Fresh)
    assert (Status.SUBMITTED, 1, wire_id(SECRET, key_of(), 1), None) == (
        again.order.status,
        again.order.attempt,
        again.order.venue_client_id,
        again.order.end_fault,
    )
    assert again.order == await store.get(key_of())


async def test_other_content_after_never_sent_is_refused_all_the_same(store):
    """An id keeps its meaning even when nothing was sent under it."""
    await placed(store, None, UNSENT)
    with pytest.raises(Conflict):
        await store.begin(intent_of(spec=spec_of("0.6")), 2_000)


@pytest.mark.parametrize("shared", [True, False], ids=["one commit", "as it comes"])
async def test_of_many_who_begin_at_once_one_wins(engine, store, shared):
    """64 callers, 8 ids: every id is Fresh exactly once, and Known to all others."""
    calls = [store.begin(intent_of(key_of(f"id{number % 8}")), number) for number in range(64)]
    answers = await (together(engine, store, *calls) if shared else settled(*calls))
    fresh = [answer.order.key for answer in answers if isinstance(answer, Fresh)]
    assert [key_of(f"id{number}") for number in range(8)] == sorted(fresh)
    assert 8 == await store.last_sequence("main")


async def test_of_many_who_begin_a_never_sent_order_one_wins(engine, store):
    """The next attempt of an order is won by one as well."""
    await placed(store, None, UNSENT)
    answers = await together(engine, store, *[store.begin(intent_of(), 2_000) for _ in range(64)])
    assert 64 == store.last_batch_size
    assert 1 == sum(isinstance(answer, Fresh) for answer in answers)
    assert {1} == {answer.order.attempt for answer in answers}


# ---- record ------------------------------------------------------------------------------------------------------


async def test_an_event_is_folded_and_kept(store):
    """An event is answered with the new state, which is what is read back: version and time moved on."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    assert (Status.OPEN, "OTX-1", 2, 1_001) == (order.status, order.venue_order_id, order.version, order.update_time_ns)
    assert order == await store.get(key_of())


async def test_an_event_without_news_writes_nothing(store):
    """The same report twice is one entry, and one version."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    assert order == await store.record(key_of(), Acknowledged("OTX-1"), 9_000)
    assert 2 == await store.last_sequence("main")


async def test_an_impossible_move_is_broken_and_leaves_no_trace(store):
    """A rejected order does not become doubtful again; the refusal changes nothing."""
    order = await placed(store, None, Doubted("late"), REFUSED)
    with pytest.raises(Broken):
        await store.record(key_of(), UNSENT, 9_000)
    assert order == await store.get(key_of())
    assert 3 == await store.last_sequence("main")


async def test_an_event_on_an_unknown_order_is_broken(store):
    """Only what was begun can be recorded."""
    with pytest.raises(Broken, match="not in the journal"):
        await store.record(key_of(), Doubted("late"), 1_000)


async def test_events_that_come_at_once_build_on_each_other(engine, store):
    """Each event is folded into what the one before it left, also within one commit."""
    order = await placed(store)
    events = [Acknowledged("OTX-1"), CancelWished(), Seen(report_of(filled="0.20")), Seen(report_of(filled="0.30"))]
    answers = await together(engine, store, *[store.record(order.key, event, 2_000) for event in events])
    assert [2, 3, 4, 5] == [answer.version for answer in answers]
    assert (True, Decimal("0.30")) == (answers[-1].cancel_requested, answers[-1].filled_quantity)
    assert answers[-1] == await store.get(order.key)


# ---- one fails, the others do not ----------------------------------------------------------------------------------


async def test_what_fails_by_rule_fails_alone(engine, store):
    """A conflict and broken writes among good ones in one commit: the good ones are kept, sequence without a hole."""
    order = await placed(store)
    answers = await together(
        engine,
        store,
        store.begin(intent_of(key_of("b")), 2_000),
        store.begin(intent_of(spec=spec_of("0.6")), 2_000),
        store.record(key_of("nobody"), Doubted("late"), 2_000),
        store.record(key_of(), Doubted("late"), 2_000),
        store.reserve("key", 0, 0),
        store.begin(intent_of(key_of("c")), 2_000),
    )
    assert [Fresh, Conflict, Broken, type(order), Broken, Fresh] == [type(a) for a in answers]
    assert [1, 2, 3, 4] == [entry.sequence for entry in await store.after("main", 0, 100)]


@pytest.mark.parametrize("neighbours", [0, 5])
async def test_a_wire_id_that_was_used_is_refused_alone(engine, store, neighbours):
    """Two orders under one wire id cannot be told apart at Kraken: the second is Broken, its neighbours are kept."""
    await store.begin(intent_of(key_of("a"), wires=["w-1"]), 1_000)
    answers = await together(
        engine,
        store,
        *[store.begin(intent_of(key_of(f"n{number}")), 1_000) for number in range(neighbours)],
        store.begin(intent_of(key_of("b"), wires=["w-1"]), 1_000),
    )
    assert [Fresh] * neighbours + [Broken] == [type(answer) for answer in answers]
    assert None is await store.get(key_of("b"))
    assert 1 + neighbours == await store.last_sequence("main")


async def test_two_in_one_commit_under_one_wire_id_are_not_both_kept(engine, store):
    """The rule holds within a commit too: the first is kept, the second is Broken."""
    calls = [store.begin(intent_of(key_of(name), wires=["w-1"]), 1_000) for name in "ab"]
    answers = await together(engine, store, *calls)
    assert [Fresh, Broken] == [type(answer) for answer in answers]


async def test_the_next_attempt_needs_a_wire_id_of_its_own(store):
    """A repeat under the old wire id could not be told from the first attempt."""
    await store.begin(intent_of(wires=["w-1", "w-1"]), 1_000)
    await store.record(key_of(), UNSENT, 1_001)
    with pytest.raises(Broken):
        await store.begin(intent_of(wires=["w-1", "w-1"]), 2_000)


async def test_a_venue_order_id_stands_for_one_order(store):
    """Two of our orders cannot be one order at Kraken; of another account's ids nothing is known."""
    await placed(store, key_of("a"), Acknowledged("OTX-1"))
    await placed(store, key_of("b"))
    await placed(store, key_of("c", account="second"), Acknowledged("OTX-1"))
    with pytest.raises(Broken):
        await store.record(key_of("b"), Acknowledged("OTX-1"), 2_000)
    assert Status.SUBMITTED is (await store.get(key_of("b"))).status


async def test_an_order_can_change_its_venue_order_id(store):
    """The id it had before is free again."""
    await placed(store, key_of("a"), Acknowledged("OTX-1"), Seen(report_of("OTX-2")))
    assert None is await store.find("main", venue_order_id="OTX-1")
    await placed(store, key_of("b"), Acknowledged("OTX-1"))
    assert key_of("b") == (await store.find("main", venue_order_id="OTX-1")).key


# ---- fills -------------------------------------------------------------------------------------------------------


async def test_a_fill_and_its_order_are_told_in_that_order(store):
    """The fill comes first, the order that includes it follows; nothing lies between them."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    filled = await store.record_fill(fill_of(), order.key, Seen(report_of(filled="0.20")), 3_000)
    assert Decimal("0.20") == filled.filled_quantity
    fill_entry, order_entry = await store.after("main", 2, 10)
    assert (3, fill_of(), None) == (fill_entry.sequence, fill_entry.fill, fill_entry.order)
    assert (4, None, filled) == (order_entry.sequence, order_entry.fill, order_entry.order)


async def test_a_fill_seen_before_is_not_written_twice(engine, store):
    """The same fill again, alone or in one commit, leaves one entry; what it says of the order still counts."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    for _ in range(2):
        await together(engine, store, *[store.record_fill(fill_of(), order.key, None, 3_000) for _ in range(2)])
    filled = await store.record_fill(fill_of(), order.key, Seen(report_of(filled="0.20")), 3_000)
    assert Decimal("0.20") == filled.filled_quantity
    assert [fill_of(), None] == [entry.fill for entry in await store.after("main", 2, 10)]


async def test_a_fill_told_again_adds_nothing_to_its_order(engine, store):
    """Its picture may be news, what it added is not: neither later nor in the same commit; another fill adds."""
    order = await placed(store, None, Acknowledged("OTX-1"))
    added = {"added_quantity": Decimal("0.20"), "added_fees": (AssetAmount("USD", Decimal("0.50")),)}
    event = Seen(replace(report_of(filled="0.20"), **added))
    both = await together(engine, store, *[store.record_fill(fill_of(), order.key, event, 3_000) for _ in range(2)])
    late = await store.record_fill(fill_of(), order.key, event, 4_000)
    assert [both[0]] * 2 == [both[1], late]
    assert (AssetAmount("USD", Decimal("0.50")),) == late.fees
    event = Seen(replace(report_of(filled="0.40"), **added))
    other = await store.record_fill(fill_of("T2"), order.key, event, 5_000)
    assert (AssetAmount("USD", Decimal("1.00")),) == other.fees


async def test_a_fill_of_an_order_that_is_not_ours_is_kept(store):
    """A person's order fills: an entry, and no order to answer with."""
    assert None is await store.record_fill(fill_of(), None, None, 3_000)
    assert [fill_of()] == [entry.fill for entry in await store.after("main", 0, 10)]


async def test_a_fill_whose_event_is_impossible_is_not_kept(store):
    """Fill and event are one commit: neither is kept without the other."""
    await placed(store, None, Acknowledged("OTX-1"))
    with pytest.raises(Broken):
        await store.record_fill(fill_of(), key_of(), UNSENT, 3_000)
    assert 2 == await store.last_sequence("main")


@pytest.mark.parametrize(
    ("fill", "key", "event"),
    [
        (fill_of(), None, Doubted("late")),
        (fill_of(account="second"), key_of(), None),
        (fill_of(), key_of("nobody"), None),
    ],
    ids=["event without order", "another account's", "unknown order"],
)
async def test_a_fill_that_does_not_fit_its_order_is_broken(store, fill, key, event):
    """Fill, order and event must speak of one thing."""
    await placed(store)
    with pytest.raises(Broken):
        await store.record_fill(fill, key, event, 3_000)
    assert 1 == await store.last_sequence("main")


async def test_accounts_number_their_fills_apart(store):
    """One fill id in two accounts is two fills."""
    for account in ("main", "second"):
        await store.record_fill(fill_of(account=account), None, None, 3_000)
    assert [1, 1] == [await store.last_sequence(account) for account in ("main", "second")]


# ---- nonces ------------------------------------------------------------------------------------------------------


async def test_nonces_rise_above_the_floor_and_above_each_other(store):
    """Each block lies above the floor and above everything reserved before, whatever the clock says."""
    assert None is await store.high_water("key")
    assert range(1_001, 1_011) == await store.reserve("key", 1_000, 10)
    assert range(1_011, 1_021) == await store.reserve("key", 5, 10)
    assert range(5_001, 5_003) == await store.reserve("key", 5_000, 2)
    assert 5_002 == await store.high_water("key")


async def test_blocks_asked_for_at_once_do_not_overlap(engine, store):
    """64 blocks in one go are disjoint, also within a commit; another key counts for itself."""
    calls = [store.reserve("key", 100, 10) for _ in range(64)]
    blocks = await together(engine, store, *calls, store.reserve("other", 7, 1))
    assert list(range(101, 741)) == sorted(nonce for block in blocks[:-1] for nonce in block)
    assert range(8, 9) == blocks[-1]


async def test_nonces_use_all_of_a_u64_and_no_more(store):
    """Twenty digits are kept exactly; past the last there is only a new key."""
    top = 2**64 - 1
    assert range(top - 1, top + 1) == await store.reserve("key", top - 2, 2)
    assert top == await store.high_water("key")
    with pytest.raises(Broken, match="new key"):
        await store.reserve("key", 0, 1)


# ---- reads -------------------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_either_of_krakens_ids(store):
    """By the order id, and by the wire id of any attempt, of its own account only."""
    await placed(store, None, UNSENT)
    await store.begin(intent_of(), 2_000)
    order = await store.record(key_of(), Acknowledged("OTX-1"), 2_001)
    wires = [wire_id(SECRET, key_of(), attempt) for attempt in range(3)]
    assert order == await store.find("main", venue_order_id="OTX-1")
    assert [order, order, None] == [await store.find("main", venue_client_id=wire) for wire in wires]
    assert order == await store.find("main", venue_order_id="OTX-9", venue_client_id=wires[0])
    assert [None, None, None] == [
        await store.find("second", venue_order_id="OTX-1"),
        await store.find("second", venue_client_id=wires[0]),
        await store.find("main"),
    ]


async def test_orders_in_a_state_come_oldest_first(store):
    """What a start must look after: of this account, in these states, by age, then by key."""
    await placed(store, key_of("late"), now_ns=3_000)
    await placed(store, key_of("b"), Doubted("late"), now_ns=1_000)
    await placed(store, key_of("a"), now_ns=1_000)
    await placed(store, key_of("open"), Acknowledged("OTX-1"), now_ns=2_000)
    await placed(store, key_of("done"), REFUSED, now_ns=500)
    await placed(store, key_of("theirs", account="second"), now_ns=500)
    asked = [UNRESOLVED | LIVE, frozenset(Status), LIVE, frozenset({Status.REJECTED}), frozenset()]
    found = [[o.key.client_order_id for o in await store.in_status("main", statuses)] for statuses in asked]
    assert [["a", "b", "open", "late"], ["done", "a", "b", "open", "late"], ["open"], ["done"], []] == found


async def many(store):
    """Twelve orders, two to an instant, of two callers and two symbols, every third one open."""
    for number in range(12):
        key = key_of(f"id{number:02}", caller=("bot", "rest")[number % 2])
        spec = spec_of(symbol=("BTC/USD", "ETH/USD")[number // 6])
        await store.begin(intent_of(key, spec), 1_000 + number // 2)
        if number % 3 == 0:
            await store.record(key, Acknowledged(f"OTX-{number}"), 5_000)
    await placed(store, key_of("theirs", account="second"))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]),
        ({"caller": "rest"}, [11, 9, 7, 5, 3, 1]),
        ({"symbol": "ETH/USD"}, [10, 11, 8, 9, 6, 7]),
        ({"statuses": frozenset({Status.OPEN})}, [9, 6, 3, 0]),
        ({"start_ns": 1_001, "end_ns": 1_003}, [4, 5, 2, 3]),
        ({"caller": "bot", "symbol": "BTC/USD", "statuses": frozenset({Status.SUBMITTED}), "start_ns": 1_001}, [4, 2]),
        ({"start_ns": -(10**20), "end_ns": 10**20}, [10, 11, 8, 9, 6, 7, 4, 5, 2, 3, 0, 1]),
        ({"statuses": frozenset({Status.OPEN, Status.FILLED}), "end_ns": 1_004}, [6, 3, 0]),
        ({"statuses": frozenset({Status.OPEN}), "caller": "bot", "end_ns": 1_003}, [0]),
        ({"start_ns": 10**20}, []),
        ({"caller": "nobody"}, []),
    ],
    ids=[
        *("all", "of a caller", "of a symbol", "in a status", "of a time", "all filters", "of all time"),
        *("in two statuses", "of a caller and a status", "after the end", "of nobody"),
    ],
)
async def test_a_page_shows_what_its_filters_name_newest_first(store, query, expected):
    """Filters join; equal times are ordered by key, the larger one first; no timestamp is too large to ask for."""
    await many(store)
    # Of two orders of one instant the caller decides: "rest" is larger than "bot".
    expected = sorted(expected, key=lambda number: (1_000 + number // 2, number % 2), reverse=True)
    found = await store.page(OrderQuery("main", **query))
    assert [f"id{number:02}" for number in expected] == [order.key.client_order_id for order in found]


@pytest.mark.parametrize("statuses", [frozenset(), frozenset({Status.SUBMITTED})], ids=["all", "submitted"])
@pytest.mark.parametrize("size", [1, 2, 5])
async def test_pages_joined_are_the_whole(store, size, statuses):
    """Page after page, each from the last one's end: nothing twice, nothing left out."""
    await many(store)
    whole = await store.page(OrderQuery("main", statuses=statuses))
    joined, before = [], None
    while page := await store.page(OrderQuery("main", statuses=statuses, size=size, before=before)):
        joined += page
        before = (page[-1].create_time_ns, page[-1].key)
    assert [order.key for order in whole] == [order.key for order in joined]


# ---- the journal -------------------------------------------------------------------------------------------------


async def test_the_journal_tells_every_change_with_its_whole_state(store):
    """Intent and event each leave one entry, numbered from 1 without a hole, per account."""
    states = [(await store.begin(intent_of(), 1_000)).order]
    states += [await store.record(key_of(), event, 2_000) for event in (Doubted("late"), Acknowledged("OTX-1"))]
    await placed(store, key_of("theirs", account="second"))
    entries = await store.after("main", 0, 100)
    assert [(1, states[0]), (2, states[1]), (3, states[2])] == [(entry.sequence, entry.order) for entry in entries]
    assert 1 == await store.last_sequence("second")


async def test_the_journal_is_resumed_where_one_stopped(store):
    """Exactly what follows, at most so much of it, oldest first."""
    for number in range(6):
        await placed(store, key_of(f"id{number}"))
    assert [3, 4] == [entry.sequence for entry in await store.after("main", 2, 2)]
    assert [5, 6] == [entry.sequence for entry in await store.after("main", 4, 10)]
    assert () == await store.after("main", 6, 10)
    assert () == await store.after("empty", 0, 10)


async def test_a_resume_point_that_is_gone_is_refused(engine):
    """A token older than what is kept is refused, not answered with a hole; the oldest that still works does."""
    store = await engine.open()
    for number in range(6):
        await placed(store, key_of(f"id{number}"), *[REFUSED] * (number < 2))
    await store.forget("main", events_before_ns=9_000, orders_before_ns=0, limit=3)
    await store.close()
    store = await engine.open()
    for gone in (0, 2, -1):
        with pytest.raises(Conflict) as refused:
            await store.after("main", gone, 10)
        assert Reason.RESUME_TOKEN_EXPIRED is refused.value.reason
    assert [4, 5, 6, 7, 8] == [entry.sequence for entry in await store.after("main", 3, 10)]
    await placed(store, key_of("next"))
    assert 9 == await store.last_sequence("main")
    await store.close()
    assert () == engine.flaws("main")


@pytest.mark.parametrize("account", ["main", "empty"])
async def test_a_resume_point_that_never_was_is_refused(store, account):
    """A token from a journal that ran further (a backup was restored) is refused: waiting for it would skip entries."""
    await placed(store)
    with pytest.raises(Conflict) as refused:
        await store.after(account, 2, 10)
    assert Reason.RESUME_TOKEN_EXPIRED is refused.value.reason


async def test_listeners_hear_every_entry_in_order(store):
    """Each account's entries arrive in sequence, all of them, and are what the journal holds."""
    heard = []
    store.subscribe(heard.append)
    calls = [store.begin(intent_of(key_of(f"id{n}", account=("main", "second")[n % 2])), n) for n in range(40)]
    await asyncio.gather(*calls)
    await placed(store, key_of("last"), Acknowledged("OTX-1"))
    mine = [entry for entry in heard if entry.order.key.account == "main"]
    assert list(await store.after("main", 0, 100)) == mine
    assert list(range(1, 23)) == [entry.sequence for entry in mine]


async def test_a_listener_hears_before_the_writer_does(store):
    """Whoever has its answer finds that the listeners have been told."""
    heard = []
    store.subscribe(heard.append)
    order = await placed(store)
    assert [order] == [entry.order for entry in heard]


async def test_a_listener_that_stopped_hears_no_more(store):
    """Stopping is at once, and harmless when repeated."""
    heard = []
    stop = store.subscribe(heard.append)
    await placed(store, key_of("a"))
    stop()
    stop()
    await placed(store, key_of("b"))
    assert ["a"] == [entry.order.key.client_order_id for entry in heard]


async def test_a_listener_stopped_by_another_hears_no_more(store):
    """Stopping counts even for an entry that is already on its way."""
    heard, stops = [], []
    store.subscribe(lambda _: stops.pop()())
    stops.append(store.subscribe(heard.append))
    await placed(store)
    assert [] == heard


async def test_a_listener_that_fails_fails_alone(store):
    """Its error is reported by the loop; the writer is answered and the other listeners hear."""
    reported, heard = [], []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))
    store.subscribe(lambda entry: [][entry.sequence])
    store.subscribe(heard.append)
    order = await placed(store)
    assert [order] == [entry.order for entry in heard]
    assert [IndexError] == [type(error) for error in reported]


async def test_what_failed_is_not_published(store):
    """No listener hears of a write that was refused."""
    heard = []
    await placed(store)
    store.subscribe(heard.append)
    await settled(store.begin(intent_of(spec=spec_of("0.6")), 2_000), store.record(key_of("b"), Doubted("late"), 2_000))
    assert [] == heard


# ---- callers that give up, openings, ends --------------------------------------------------------------------------


async def test_a_caller_that_is_cancelled_cancels_nothing(store):
    """The write goes on when nobody waits for it any more."""
    waiting = asyncio.ensure_future(store.begin(intent_of(), 1_000))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert isinstance(await store.begin(intent_of(), 2_000), Known)


async def test_closing_finishes_what_is_queued(engine):
    """Everything asked for before close is there after it."""
    store = await engine.open()
    calls = [asyncio.ensure_future(store.begin(intent_of(key_of(f"id{number}")), 1_000)) for number in range(300)]
    await asyncio.sleep(0)
    await store.close()
    assert [Fresh] * 300 == [type(answer) for answer in await asyncio.gather(*calls)]
    successor = await engine.open()
    assert 300 == await successor.last_sequence("main")
    await successor.close()


async def test_a_closed_store_refuses_everything(store):
    """After close every call is Busy with STORE_UNAVAILABLE; closing again is harmless."""
    await store.close()
    await store.close()
    for call in (store.begin(intent_of(), 1), store.get(key_of()), store.reserve("key", 0, 1)):
        with pytest.raises(Busy) as refused:
            await call
        assert Reason.STORE_UNAVAILABLE is refused.value.reason


async def test_a_full_queue_refuses_at_once(engine):
    """More than the queue holds is Busy with a hint when to retry; what got in is done."""
    store = await engine.open(writes_most=4)
    calls = [store.begin(intent_of(key_of(f"id{number}")), 1) for number in range(6)]
    answers = await together(engine, store, *calls)
    assert [Fresh, Fresh, Fresh, Fresh, Busy, Busy] == [type(answer) for answer in answers]
    assert (Reason.STORE_UNAVAILABLE, 0.1) == (answers[-1].reason, answers[-1].fault.retry_after_s)
    assert 4 == await store.last_sequence("main")
    await store.close()


async def test_everything_is_there_after_reopening(engine):
    """Orders, fills, entries, nonces, secret and name survive; the epoch grows by one."""
    first = await engine.open()
    order = await placed(first, None, Acknowledged("OTX-1"))
    await first.record_fill(fill_of(), None, None, 3_000)
    block = await first.reserve("key", 0, 10)
    entries = await first.after("main", 0, 10)
    await first.close()
    second = await engine.open()
    assert (first.installation_secret, first.journal_id, first.epoch + 1) == (
        second.installation_secret,
        second.journal_id,
        second.epoch,
    )
    assert (order, entries) == (await second.get(key_of()), await second.after("main", 0, 10))
    assert block[-1] < (await second.reserve("key", 0, 1))[0]
    assert None is await second.record_fill(fill_of(), None, None, 3_000)
    assert 3 == await second.last_sequence("main")
    await second.close()


async def test_the_secret_is_never_shown(store):
    """Neither the store's repr nor its insides' tell the installation secret."""
    shown = repr(store) + repr(vars(store))
    assert 32 == len(store.installation_secret)
    assert repr(store.installation_secret) not in shown
    assert store.installation_secret.hex() not in shown


async def test_the_journal_is_chained(engine):
    """After all kinds of writes and a reopening, the audit chain of each account is whole."""
    for attempt in range(2):
        store = await engine.open()
        await placed(store, key_of(f"a{attempt}"), UNSENT)
        await placed(store, key_of(f"a{attempt}"), Doubted("late"), now_ns=2_000)
        await placed(store, key_of(f"b{attempt}", account="second"))
        await store.record_fill(fill_of(f"T{attempt}"), key_of(f"a{attempt}"), Seen(report_of(f"O{attempt}")), 3_000)
        await store.close()
    assert [(), ()] == [engine.flaws(account) for account in ("main", "second")]


async def test_an_order_read_is_the_order_written_digit_for_digit(store):
    """Scales survive: a quantity of 0.10 is not read as 0.1."""
    key = key_of("scale")
    await store.begin(intent_of(key, replace(spec_of("0.10"), limit_price=Decimal("50000.00"))), 1_000)
    spec = (await store.get(key)).spec
    assert ("0.10", "50000.00") == (str(spec.base_quantity), str(spec.limit_price))
