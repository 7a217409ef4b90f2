"""What a store keeps besides orders and their journal, and for how long: stories, facts, ownership, retention.

The second half of the suite for every store; test_store.py is the first.
"""

from dataclasses import replace

import pytest
from store_rig import placed, settled, together

from execsvc.domain.errors import Broken, Busy, Conflict, Fault, Reason
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
from execsvc.domain.story import Step, StepKind, step_of
from execsvc.ports import Known
from execsvc.store.stories import STEPS_MOST
from tests.unit.store.samples import fill_of, intent_of, key_of, report_of, spec_of

REFUSED = Refused(Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"}))
ABSENT = ProvedAbsent(Fault(Reason.NOT_PLACED, "proved"))
UNSENT = NeverSent(Fault(Reason.VENUE_UNREACHABLE, "no connection"))
GONE = Seen(report_of(status=Status.CANCELLED))
TRACE = intent_of().trace_id
RECEIVED = Step(900, StepKind.RECEIVED, "It came in.", trace_id=TRACE)
SWEPT = Step(1_500, StepKind.SWEPT, "Looked for it in vain.", took_ns=7, waited_for="trade", verdict="absent")


def told(steps):
    return [(step.kind, step.at_ns) for step in steps]


# ---- stories -----------------------------------------------------------------------------------------------------


async def test_a_story_begins_with_what_led_to_the_intent(store):
    """The steps handed in, then that it is durable: with its attempt, its trace and the status it got."""
    await store.begin(intent_of(), 1_000, (RECEIVED, replace(RECEIVED, kind=StepKind.CHECKED)))
    *before, journaled = await store.story(key_of())
    assert [RECEIVED, replace(RECEIVED, kind=StepKind.CHECKED)] == before
    assert (1_000, StepKind.JOURNALED, 0, Status.SUBMITTED, TRACE) == (
        journaled.at_ns,
        journaled.kind,
        journaled.attempt,
        journaled.status,
        journaled.trace_id,
    )


async def test_a_repeat_adds_nothing_to_a_story(store):
    """What led to a repeat, or to a conflict, is not the order's story."""
    await store.begin(intent_of(), 1_000, (RECEIVED,))
    story = await store.story(key_of())
    assert isinstance(await store.begin(intent_of(), 2_000, (SWEPT,)), Known)
    with pytest.raises(Conflict):
        await store.begin(intent_of(spec=spec_of("0.6")), 2_000, (SWEPT,))
    assert story == await store.story(key_of())


async def test_the_next_attempt_is_told_in_the_same_story(store):
    """Attempt 0, its end, attempt 1: each with its number."""
    await placed(store, None, UNSENT)
    await store.begin(intent_of(), 2_000, (RECEIVED,))
    assert [
        (StepKind.JOURNALED, 0),
        (StepKind.STATUS, 0),
        (StepKind.RECEIVED, 0),
        (StepKind.JOURNALED, 1),
    ] == [(step.kind, step.attempt) for step in await store.story(key_of())]


@pytest.mark.parametrize(
    "event",
    [
        *(Acknowledged("OTX-1"), Doubted("late"), REFUSED, ABSENT, UNSENT),
        *(CancelWished(), CancelWished(Fault(Reason.TRADING_HALTED, "news", {"by": "ops"}))),
        Seen(report_of(filled="0.20")),
    ],
    ids=lambda event: type(event).__name__,
)
async def test_an_event_is_told_after_what_led_to_it(store, event):
    """The steps handed in, then the event's own step, digit for digit as the domain words it."""
    before = await placed(store)
    after = await store.record(key_of(), event, 2_000, (SWEPT,))
    assert (SWEPT, step_of(event, before, after, 2_000)) == (await store.story(key_of()))[1:]
    assert after == await store.get(key_of())


async def test_a_correction_is_told(store):
    """A verdict that the world undoes is kept as such, order and story."""
    before = await placed(store, None, Doubted("late"), ABSENT)
    after = await store.record(key_of(), Corrected(report_of()), 2_000)
    assert (Status.OPEN, Status.NOT_PLACED) == (after.status, after.corrected_from)
    assert after == await store.get(key_of())
    assert step_of(Corrected(report_of()), before, after, 2_000) == (await store.story(key_of()))[-1]


async def test_without_news_only_what_led_there_is_told(store):
    """A report that says nothing new leaves the steps handed in, no entry, and nobody hears of it."""
    order, heard = await placed(store, None, Acknowledged("OTX-1")), []
    store.subscribe(heard.append)
    assert order == await store.record(key_of(), Acknowledged("OTX-1"), 2_000, (SWEPT,))
    assert SWEPT == (await store.story(key_of()))[-1]
    assert (2, []) == (await store.last_sequence("main"), heard)


async def test_without_news_and_steps_nothing_is_told(store):
    """The same report once more leaves the story as it was."""
    await placed(store, None, Acknowledged("OTX-1"))
    story = await store.story(key_of())
    await store.record(key_of(), Acknowledged("OTX-1"), 2_000)
    assert story == await store.story(key_of())


async def test_an_impossible_event_tells_nothing(store):
    """What is refused leaves neither event nor steps."""
    await placed(store, None, Doubted("late"), REFUSED)
    story = await store.story(key_of())
    with pytest.raises(Broken):
        await store.record(key_of(), UNSENT, 9_000, (SWEPT,))
    assert story == await store.story(key_of())


@pytest.mark.parametrize("venue_ns", [7_000, None])
async def test_a_fill_is_told_with_krakens_time(store, venue_ns):
    """The event of a fill is a step with the fill's own stamp, where Kraken gave one."""
    before = await placed(store, None, Acknowledged("OTX-1"))
    fill = replace(fill_of(), times=replace(fill_of().times, venue_ns=venue_ns))
    event = Seen(report_of(filled="0.20"))
    after = await store.record_fill(fill, key_of(), event, 3_000)
    last = (await store.story(key_of()))[-1]
    assert replace(step_of(event, before, after, 3_000), venue_ns=venue_ns) == last
    assert (StepKind.FILLED, venue_ns) == (last.kind, last.venue_ns)


@pytest.mark.parametrize("event", [None, Acknowledged("OTX-1")], ids=["no event", "no news"])
async def test_a_fill_that_changes_nothing_is_not_told(store, event):
    """A fill whose order stays as it is adds no step."""
    await placed(store, None, Acknowledged("OTX-1"))
    story = await store.story(key_of())
    await store.record_fill(fill_of(), key_of(), event, 3_000)
    assert story == await store.story(key_of())


async def test_what_shares_a_commit_is_told_in_order(engine, store):
    """Several events of one order in one commit are all told, each where it belongs; other orders' stories are theirs."""
    await placed(store, key_of("other"))
    await together(
        engine,
        store,
        store.begin(intent_of(), 1_000, (RECEIVED,)),
        store.record(key_of(), Doubted("late"), 1_001),
        store.record(key_of("other"), Doubted("late"), 1_002),
        store.record(key_of(), Doubted("late"), 1_003, (SWEPT,)),
        store.record(key_of(), Acknowledged("OTX-1"), 1_004),
    )
    assert [
        (StepKind.RECEIVED, 900),
        (StepKind.JOURNALED, 1_000),
        (StepKind.DOUBTED, 1_001),
        (StepKind.SWEPT, 1_500),
        (StepKind.RESOLVED, 1_004),
    ] == told(await store.story(key_of()))
    assert [(StepKind.JOURNALED, 1_000), (StepKind.DOUBTED, 1_002)] == told(await store.story(key_of("other")))


async def test_an_order_nobody_knows_has_no_story(store):
    """Empty, and no error."""
    await placed(store)
    assert () == await store.story(key_of("nobody"))


async def test_a_story_is_there_after_reopening(engine):
    """It is as durable as the order it tells of."""
    first = await engine.open()
    await placed(first, None, Doubted("late"))
    story = await first.story(key_of())
    await first.close()
    second = await engine.open()
    assert 2 == len(story)
    assert story == await second.story(key_of())
    await second.close()


@pytest.mark.parametrize("parts", [1, 3, STEPS_MOST])
async def test_a_story_does_not_grow_without_end(store, parts):
    """After so many steps it says once that it is long, then only changes of status are kept, one after the other."""
    await placed(store, None, Acknowledged("OTX-1"))
    steps = tuple(replace(SWEPT, at_ns=number) for number in range(STEPS_MOST + 20))
    for part in range(parts):
        some = steps[part * len(steps) // parts : (part + 1) * len(steps) // parts]
        await store.record(key_of(), Acknowledged("OTX-1"), 2_000, some)
    await store.record(key_of(), Seen(report_of(filled="0.20")), 3_000, (SWEPT,))
    await store.record(key_of(), GONE, 3_001, (SWEPT,))
    *kept, note, end = await store.story(key_of())
    assert STEPS_MOST == len(kept)
    assert [step.at_ns for step in kept[2:]] == list(range(STEPS_MOST - 2))
    assert (StepKind.STATUS, "The story is long") == (note.kind, note.text[:17])
    assert (3_001, Status.CANCELLED) == (end.at_ns, end.status)


async def test_a_step_that_cannot_be_written_fails_alone(engine, store):
    """Text that is no Unicode breaks its own call; its neighbours are kept, of itself nothing is."""
    spoilt = replace(SWEPT, text="\ud800")
    order = await placed(store)
    answers = await together(
        engine,
        store,
        store.begin(intent_of(key_of("b")), 2_000, (spoilt,)),
        store.record(key_of(), Acknowledged("OTX-1"), 2_000, (spoilt,)),
        store.record(key_of(), Doubted("late"), 2_001),
    )
    assert [Broken, Broken, type(order)] == [type(answer) for answer in answers]
    assert None is await store.get(key_of("b"))
    assert [(StepKind.JOURNALED, 1_000), (StepKind.DOUBTED, 2_001)] == told(await store.story(key_of()))


# ---- facts -------------------------------------------------------------------------------------------------------


async def test_a_fact_is_recalled_until_it_changes(store):
    """The last value counts, an empty one forgets; what was never remembered is empty."""
    found = [await store.recall("main", "halt")]
    for value in ("by hand", "ü 2", ""):
        await store.remember("main", "halt", value)
        found.append(await store.recall("main", "halt"))
    assert ["", "by hand", "ü 2", ""] == found


async def test_facts_are_told_apart_by_account_and_name(store):
    """One name in two accounts, two names in one: four facts and no mixture."""
    named = [(account, name) for account in ("main", "second") for name in ("halt", "bound")]
    for account, name in named:
        await store.remember(account, name, f"{account} {name}")
    await store.remember("main", "halt", "")
    assert ["", "main bound", "second halt", "second bound"] == [await store.recall(*which) for which in named]


@pytest.mark.parametrize("values", [("1", "", "2"), ("1", "2", "")])
async def test_of_facts_in_one_commit_the_last_counts(engine, store, values):
    """Remembered, forgotten and remembered at once: as it was asked."""
    await together(engine, store, *[store.remember("main", "halt", value) for value in values])
    assert values[-1] == await store.recall("main", "halt")


async def test_facts_are_there_after_reopening(engine):
    """A standing halt stands after a restart."""
    first = await engine.open()
    await first.remember("main", "halt", "by hand")
    await first.close()
    second = await engine.open()
    assert "by hand" == await second.recall("main", "halt")
    await second.close()


async def test_a_fact_that_cannot_be_written_fails_alone(engine, store):
    """Text that is no Unicode is Broken; the store works on."""
    answers = await together(
        engine, store, store.remember("main", "halt", "\ud800"), store.remember("main", "bound", "3")
    )
    assert [Broken, type(None)] == [type(answer) for answer in answers]
    assert ("", "3") == (await store.recall("main", "halt"), await store.recall("main", "bound"))


# ---- who owns it -------------------------------------------------------------------------------------------------


async def test_the_latest_opening_is_confirmed(store):
    """Nothing is said and nothing is written."""
    await placed(store)
    assert None is await store.confirm()
    assert 1 == await store.last_sequence("main")


@pytest.mark.parametrize(
    "call",
    [
        lambda store: store.confirm(),
        lambda store: store.begin(intent_of(), 1_000),
        lambda store: store.remember("main", "halt", ""),
        lambda store: store.reserve("key", 0, 1),
        lambda store: store.forget("main", events_before_ns=0, orders_before_ns=0, limit=1),
    ],
    ids=["confirm", "begin", "remember", "reserve", "forget"],
)
async def test_a_superseded_opening_is_told_so(engine, store, call):
    """Once another process has opened the store, looking and writing are NOT_OWNER for the first one, and fine for it."""
    usurper = await engine.usurp()
    with pytest.raises(Busy, match=r"another process has opened it since; this one must stop$") as refused:
        await call(store)
    assert (Reason.NOT_OWNER, 1.0) == (refused.value.reason, refused.value.fault.retry_after_s)
    await call(usurper)
    await usurper.close()


async def test_a_superseded_opening_shows_in_health(engine, store):
    """Every write is told, and `failing` says why; the usurper is well."""
    usurper = await engine.usurp()
    answers = await settled(*[store.begin(intent_of(key_of(f"id{number}")), 1_000) for number in range(5)])
    assert [(Busy, Reason.NOT_OWNER)] * 5 == [(type(answer), answer.reason) for answer in answers]
    assert "another process has opened it since" in store.failing
    assert "" == usurper.failing
    await usurper.close()


async def test_a_closed_store_confirms_nothing(store):
    """Whether it is still ours cannot be told: STORE_UNAVAILABLE, not NOT_OWNER."""
    await store.close()
    with pytest.raises(Busy) as refused:
        await store.confirm()
    assert Reason.STORE_UNAVAILABLE is refused.value.reason
