"""Notes between commits: kept until they are durable, bounded, and lost by nobody but a crash."""

import asyncio

import pytest

from execsvc.app.chronicle import NOTES_MAX, ORDERS_MAX, Chronicle
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Doubted
from execsvc.domain.story import Step, StepKind
from tests.support.simloop import SimClock, run_sim

KEY = OrderKey("main", "me", "c-1")


class Journal:
    """Takes what is recorded; `failures` many commits fail first, `meanwhile` runs inside the next one."""

    def __init__(self):
        self.recorded = []
        self.failures = 0
        self.meanwhile = None
        self.slow = False

    async def record(self, key, event, now_ns, steps=()):
        if self.meanwhile:
            self.meanwhile()
        if self.slow:
            await asyncio.sleep(1)
        if self.failures:
            self.failures -= 1
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
        self.recorded.append(steps)
        return event


def swept(number):
    return Step(number, StepKind.SWEPT, f"look {number}")


def chronicle_over(journal, scenario):
    async def main():
        return await scenario(Chronicle(journal, SimClock()))

    return run_sim(main())


def test_notes_go_with_the_next_commit_once():
    """Two notes, one commit; the next commit has none of them."""
    journal = Journal()

    async def scenario(chronicle):
        chronicle.note(KEY, swept(1))
        chronicle.note(KEY, swept(2))
        await chronicle.record(KEY, Doubted("x"))
        await chronicle.record(KEY, Doubted("y"))
        return chronicle.noted(KEY)

    assert () == chronicle_over(journal, scenario)
    assert [(swept(1), swept(2)), ()] == journal.recorded


def test_a_commit_that_fails_leaves_the_notes():
    """Nothing is lost to a full disk."""
    journal = Journal()
    journal.failures = 1

    async def scenario(chronicle):
        chronicle.note(KEY, swept(1))
        with pytest.raises(Busy):
            await chronicle.record(KEY, Doubted("x"))
        return chronicle.noted(KEY)

    assert (swept(1),) == chronicle_over(journal, scenario)


def test_what_is_noted_during_a_commit_waits_for_the_next():
    """And what is being committed can still be told meanwhile."""
    journal = Journal()
    seen = []

    async def scenario(chronicle):
        chronicle.note(KEY, swept(1))

        def meanwhile():
            seen.append(chronicle.noted(KEY))
            chronicle.note(KEY, swept(2))

        journal.meanwhile = meanwhile
        await chronicle.record(KEY, Doubted("x"))
        return chronicle.noted(KEY)

    assert (swept(2),) == chronicle_over(journal, scenario)
    assert [(swept(1),)] == seen


def test_two_commits_at_once_take_each_note_once():
    """The stream and the answer settle an order at the same moment: nothing is told twice."""
    journal = Journal()

    async def scenario(chronicle):
        chronicle.note(KEY, swept(1))
        first = asyncio.ensure_future(chronicle.record(KEY, Doubted("x")))
        await asyncio.gather(first, chronicle.record(KEY, Doubted("y")))
        return chronicle.noted(KEY)

    journal.slow = True
    assert () == chronicle_over(journal, scenario)
    assert [(), (swept(1),)] == sorted(journal.recorded)


def test_the_notes_of_one_order_are_bounded_and_say_what_was_left_out():
    """The beginning and the end are kept; between them stands how many steps are missing."""

    async def scenario(chronicle):
        for number in range(500):
            chronicle.note(KEY, swept(number))
        return chronicle.noted(KEY)

    notes = chronicle_over(Journal(), scenario)
    half = NOTES_MAX // 2
    assert NOTES_MAX == len(notes)
    assert [f"look {number}" for number in range(half - 1)] == [note.text for note in notes[: half - 1]]
    assert [f"look {number}" for number in range(500 - half, 500)] == [note.text for note in notes[half:]]
    assert f"{500 - NOTES_MAX + 1} more steps, left out." == notes[half - 1].text


def test_orders_with_notes_are_bounded():
    """The longest untouched goes first."""

    async def scenario(chronicle):
        for number in range(ORDERS_MAX + 1):
            chronicle.note(OrderKey("main", "me", str(number)), swept(1))
        return chronicle.noted(OrderKey("main", "me", "0")), chronicle.noted(OrderKey("main", "me", "1"))

    assert ((), (swept(1),)) == chronicle_over(Journal(), scenario)
