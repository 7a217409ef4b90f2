"""An order's story: what is durable and what is only noted, in one sequence, and the last word on an order without a fate."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.app.chronicle import Chronicle
from execsvc.app.explain import READS_MAX, Explain
from execsvc.domain.errors import Declined, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.intent import Intent
from execsvc.domain.order import Acknowledged, Status, submitted
from execsvc.domain.story import Step, StepKind
from tests.support.simloop import SimClock, run_sim
from tests.support.world import ME, limit

KEY = OrderKey("main", ME.name, "c-1")
REF = OrderRef(client_order_id="c-1")
DEADLINE_NS = SimClock.EPOCH_NS + 5_250_000_000
ORDER = submitted(Intent(KEY, limit(), DEADLINE_NS, "key-1", "ab" * 16, lambda attempt: f"wire-{attempt}"), 1)
PLACED = ORDER.apply(Acknowledged("O1"), 2)
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "timeline.md"


def step(at, text="", kind=StepKind.SENT, **more):
    """A step at nanosecond `at` of the made-up time."""
    return Step(SimClock.EPOCH_NS + at, kind, text or f"step {at}", **more)


class Shelf:
    """Desk and journal of one order: `orders` are what successive look-ups find, the last one again and again."""

    def __init__(self, *orders, steps=()):
        self.orders = list(orders)
        self.steps = steps
        self.asked = []
        self.read = 0
        self.during_read = lambda: None

    async def get(self, who, ref):
        self.asked.append((who, ref))
        return self.orders.pop(0) if len(self.orders) > 1 else self.orders[0]

    async def story(self, key):
        self.read += 1
        told = self.steps if key == KEY else ()
        self.during_read()
        return told


class Teller:
    """Explain over a shelf, with notes that a test adds."""

    def __init__(self, shelf, awaited=""):
        self.clock = SimClock()
        self.chronicle = Chronicle(shelf, self.clock)
        self.asked = []
        self.explain = Explain(
            desk=shelf, journal=shelf, chronicle=self.chronicle, clock=self.clock, awaited=self._awaited
        )
        self._sentence = awaited

    def _awaited(self, key):
        self.asked.append(key)
        return self._sentence

    def tell(self, after_s=0.0):
        async def main():
            await self.clock.sleep(after_s)
            return await self.explain.tell(ME, REF)

        return run_sim(main())


def test_durable_steps_come_first_and_then_those_noted():
    """One sequence by time: what the store kept, what was noted since."""
    teller = Teller(Shelf(PLACED, steps=(step(1), step(2))))
    teller.chronicle.note(KEY, step(3))
    assert (PLACED, (step(1), step(2), step(3))) == teller.tell()


def test_steps_of_one_moment_keep_their_sequence():
    """Sorting by time is stable: durable before noted, and each as it was given."""
    teller = Teller(Shelf(PLACED, steps=(step(1, "a"), step(1, "b"))))
    for text in ("c", "d"):
        teller.chronicle.note(KEY, step(1, text))
    assert ["a", "b", "c", "d"] == [each.text for each in teller.tell()[1]]


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5), max_size=20))
def test_no_step_is_lost_and_none_is_out_of_time(durable, noted):
    """Whatever the times, every step is told once, none before an earlier one."""
    kept = tuple(step(at, f"durable {n}") for n, at in enumerate(durable))
    teller = Teller(Shelf(PLACED, steps=kept))
    notes = [step(at, f"noted {n}") for n, at in enumerate(noted)]
    for each in notes:
        teller.chronicle.note(KEY, each)
    _, told = teller.tell()
    assert sorted(each.text for each in (*kept, *notes)) == sorted(each.text for each in told)
    assert sorted(each.at_ns for each in told) == [each.at_ns for each in told]


def test_a_note_that_becomes_durable_meanwhile_is_told_once():
    """The notes are read before the store: a commit in between can show a step twice, and it is told once."""
    shelf = Shelf(PLACED, steps=(step(1), step(2)))
    teller = Teller(shelf)
    teller.chronicle.note(KEY, step(2))
    assert (step(1), step(2)) == teller.tell()[1]


def test_a_note_that_is_taken_while_the_store_is_read_is_not_lost():
    """What was noted when the story was asked for is told, also when a commit takes it away the next moment."""
    shelf = Shelf(PLACED, steps=(step(1),))
    teller = Teller(shelf)
    teller.chronicle.note(KEY, step(2))
    shelf.during_read = lambda: teller.chronicle._notes.pop(KEY)
    assert (step(1), step(2)) == teller.tell()[1]


def test_notes_of_other_orders_stay_out():
    """A story is of one order."""
    teller = Teller(Shelf(PLACED, steps=(step(1),)))
    teller.chronicle.note(replace(KEY, client_order_id="c-2"), step(2))
    assert (step(1),) == teller.tell()[1]


def test_an_order_that_changes_meanwhile_is_read_again():
    """Order and story are of one moment: the story that belongs to the newer order is told."""
    shelf = Shelf(ORDER, PLACED, PLACED, steps=(step(1),))
    assert (PLACED, 2) == (Teller(shelf).tell()[0], shelf.read)


def test_an_order_that_never_rests_is_told_all_the_same():
    """Reading again has a bound: after it the newest order is told with the last story read."""
    versions = [replace(PLACED, version=PLACED.version + n) for n in range(9)]
    shelf = Shelf(*versions, steps=(step(1),))
    assert (versions[READS_MAX], (step(1),), READS_MAX) == (*Teller(shelf).tell(), shelf.read)


def test_a_story_that_was_dropped_is_empty():
    """An order outlives its story: the order is told, and no step is invented."""
    assert (PLACED, ()) == Teller(Shelf(PLACED), awaited="never told").tell()


@pytest.mark.parametrize("status", Status, ids=lambda each: each.name)
def test_what_is_awaited_is_told_of_an_order_without_a_fate_only(status):
    """The resolver is asked of SUBMITTED and IN_DOUBT, and its sentence is the last step."""
    teller = Teller(Shelf(replace(ORDER, status=status, attempt=1), steps=(step(1),)), awaited="A sweep at 10:00.")
    _, told = teller.tell(after_s=2.0)
    last = step(2_000_000_000, "A sweep at 10:00.", StepKind.WAITED, attempt=1, trace_id="ab" * 16)
    unresolved = status in {Status.SUBMITTED, Status.IN_DOUBT}
    assert ((step(1), last), [KEY]) == (told, teller.asked) if unresolved else ((step(1),), []) == (told, teller.asked)


def test_while_the_send_is_on_its_way_its_answer_is_awaited():
    """Where the resolver has nothing to say the entry deadline is told, to the millisecond."""
    _, (last,) = Teller(Shelf(ORDER)).tell()
    assert (
        "Kraken's answer is awaited. The order can get in until 14:13:25.250 UTC;"
        " without an answer it is looked for, and not sent again."
    ) == last.text
    assert (StepKind.WAITED, None, None) == (last.kind, last.took_ns, last.status)


def test_the_last_word_is_last_whatever_the_clock_does():
    """A clock that was set back puts the last word at the time of the newest step, not before it."""
    teller = Teller(Shelf(ORDER, steps=(step(9_000_000_000),)))
    _, told = teller.tell(after_s=1.0)
    assert [SimClock.EPOCH_NS + 9_000_000_000] * 2 == [each.at_ns for each in told]


# ---- who may hear it, and the page that explains the kinds -----------------------------------------------------------


class ClosedShelf(Shelf):
    """A desk that shows the order to nobody."""

    async def get(self, who, ref):
        await super().get(who, ref)
        raise refuse(Reason.ORDER_NOT_FOUND, "no such order")


def test_what_the_desk_does_not_show_is_not_told():
    """Caller and reference go to the desk as they are; where it refuses, no story is read."""
    shelf = ClosedShelf(PLACED, steps=(step(1),))
    with pytest.raises(Declined) as refused:
        Teller(shelf).tell()
    assert (Reason.ORDER_NOT_FOUND, [(ME, REF)], 0) == (refused.value.reason, shelf.asked, shelf.read)


def test_every_kind_of_step_stands_in_the_reference():
    """The page of the timeline has one row for each kind, with a sentence, and no other rows."""
    rows = dict(re.findall(r"^\| `([A-Z]+)` \| [^|]+ \| ([^|]+) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    assert {kind.name for kind in StepKind} == rows.keys()
    assert [] == [kind for kind, sentence in rows.items() if not sentence.strip()]
