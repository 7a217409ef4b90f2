"""Looks that cost points: which of them count, when the next one may be made, and what else proves a barrier."""

import asyncio
from dataclasses import replace

import pytest

from execsvc.app.timing import Timing
from execsvc.domain.errors import Conflict, Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Status
from execsvc.domain.story import StepKind
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import ME, limit, world

KEY = OrderKey("main", "local", "c-1")
LOST = Fate(arrives_s=None, answers_s=None)
LOST_REPLY = Fate(answers_s=None)
ENTRY_S = 5.0
V_S = 3.0  # the visibility bound of a fresh world


def full(wait_s):
    return refuse(Reason.LOCAL_RATE_LIMITED, "the key's call counter is full", retry_after_s=wait_s)


def in_world(scenario):
    async def main():
        async with world() as here:
            return await scenario(here)

    return run_sim(main())


def doubted(here, fate=LOST, name="c-1"):
    """A placement without an answer; the caller is not waited for."""
    here.venue.plan.append(fate)
    return asyncio.ensure_future(ask(here, name))


async def ask(here, name):
    try:
        return (await here.place(name, timeout_s=60.0)).order.status
    except Conflict as refusal:
        return refusal.reason


def at(here, number):
    return round(here.venue.looks[number][0], 2)


# ---- which looks count ----------------------------------------------------------------------------------------------


def test_a_look_before_the_deadline_does_not_count():
    """It may find the order, it proves no absence: the last points are not for it."""

    async def scenario(here):
        asking = doubted(here)
        await asking
        return here.venue.looks

    looks = in_world(scenario)
    early = [counts for when, counts in looks if when < ENTRY_S + V_S]
    late = [counts for when, counts in looks if when >= ENTRY_S + V_S]
    assert (False, True) == (any(early), all(late))
    assert early
    assert len(late) >= 2


def test_a_look_after_the_deadline_counts_while_the_barrier_is_missing():
    """It brings the barrier, if nothing else does."""

    async def scenario(here):
        here.venue.sweep_failures = 8
        asking = doubted(here)
        await here.clock.sleep(ENTRY_S + 6.0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return [counts for when, counts in here.venue.looks if ENTRY_S + 0.1 <= when <= ENTRY_S + 6.0]

    counts = in_world(scenario)
    assert counts
    assert all(counts)


def test_one_doubt_for_which_a_look_counts_makes_it_count():
    """The others go along, for it costs no more."""

    async def scenario(here):
        first = doubted(here)
        await here.clock.sleep(ENTRY_S + 1.0)
        second = doubted(here, name="c-2")
        await first
        counted = [when for when, counts in here.venue.looks if counts]
        await second
        return counted[0] < ENTRY_S + V_S + 1.0

    assert in_world(scenario)


def test_a_tripwires_look_does_not_count():
    """It looks for what was told as not placed, a minute later: the points are for doubts."""

    async def scenario(here):
        await doubted(here)
        before = len(here.venue.looks)
        await here.clock.sleep(65.0)
        return [counts for _, counts in here.venue.looks[before:]]

    assert in_world(scenario) == [False]


# ---- how far back ---------------------------------------------------------------------------------------------------


def test_a_look_goes_back_to_when_the_first_was_written_down():
    """On our own clock; the venue allows for its errors."""

    async def scenario(here):
        doubts = [doubted(here)]
        await here.clock.sleep(1.0)
        doubts.append(doubted(here, name="c-2"))
        await here.clock.sleep(2.5)
        first = (await here.store.get(KEY)).attempt_time_ns
        return here.venue.looked_since[-1] == first, [each.cancel() for each in doubts]

    assert in_world(scenario)[0]


def test_a_row_too_old_to_say_when_it_was_written_leaves_it_open():
    """Rows from before the field."""

    async def scenario(here):
        asking = doubted(here)
        await here.clock.sleep(2.1)
        (doubt,) = here.resolver._doubts.values()
        here.store.disk.orders[KEY] = doubt.order = replace(doubt.order, attempt_time_ns=0)
        await here.clock.sleep(1.5)
        asking.cancel()
        return here.venue.looked_since[0] is not None, here.venue.looked_since[-1]

    assert in_world(scenario) == (True, None)


# ---- no room for a look ---------------------------------------------------------------------------------------------


def test_a_look_without_points_is_made_when_there_are_some():
    """To the moment that the refusal names; looks before would be in vain."""

    async def scenario(here):
        here.venue.look_refusals.append(full(1.7))
        asking = doubted(here, LOST_REPLY)
        await asking
        return at(here, 0), at(here, 1), len(here.venue.looks)

    first, second, looks = in_world(scenario)
    assert (round(first + 1.7, 2), 2) == (second, looks)


def test_a_look_without_points_is_no_look_that_failed():
    """Nothing was asked: the story tells of none, and no longer pause is made."""

    async def scenario(here):
        here.venue.look_refusals.append(full(0.5))
        await doubted(here, LOST_REPLY)
        steps = await here.store.story(KEY)
        return [step.text for step in steps if step.kind is StepKind.SWEPT]

    assert in_world(scenario) == ["Looked among open, then closed orders: it is there."]


def test_a_look_that_counts_need_not_wait_for_one_that_does_not():
    """More points are for it, so it is tried as soon as it counts: at the deadline, long before the wait that was told."""

    async def scenario(here):
        here.venue.look_refusals.append(full(30.0))
        await doubted(here)
        return at(here, 1), here.venue.looks[1][1]

    assert in_world(scenario) == (ENTRY_S + 0.05, True)


def test_a_counting_look_without_points_waits_as_told():
    """Nothing else may be used."""

    async def scenario(here):
        asking = doubted(here)
        await here.clock.sleep(ENTRY_S + V_S - 0.5)
        here.venue.look_refusals.append(full(4.0))
        made = len(here.venue.looks)
        await asking
        return round(at(here, made + 1) - at(here, made), 2), here.venue.looks[made][1]

    assert in_world(scenario) == (4.0, True)


@pytest.mark.parametrize("refusal", [full(None), refuse(Reason.VENUE_RATE_LIMITED, "no", retry_after_s=30.0)])
def test_any_other_refusal_is_a_look_that_failed(refusal):
    """Told in the story, and tried again at the usual pace."""

    async def scenario(here):
        here.venue.look_refusals.append(refusal)
        await doubted(here, LOST_REPLY)
        steps = [step.text for step in await here.store.story(KEY) if step.kind is StepKind.SWEPT]
        return round(at(here, 1) - at(here, 0), 2), steps[0]

    pause_s, told = in_world(scenario)
    assert (0.2, f"A look failed and proves nothing: {refusal.fault.message}.") == (pause_s, told)


# ---- glances --------------------------------------------------------------------------------------------------------


def test_a_glance_that_finds_the_order_settles_it():
    """Points were short, open orders were looked at alone, and there it is."""

    async def scenario(here):
        here.venue.glances = 1
        status = await doubted(here, LOST_REPLY)
        return status, len(here.venue.looks)

    assert in_world(scenario) == (Status.OPEN, 1)


def test_a_glance_that_does_not_find_it_proves_no_absence():
    """However many: the verdict comes from looks that were whole."""

    async def scenario(here):
        here.venue.glances = 10**6
        asking = doubted(here)
        await here.clock.sleep(40.0)
        glanced = (await here.store.get(KEY)).status
        (doubt,) = here.resolver._doubts.values()
        empty = doubt.evidence.empty_sweeps
        here.venue.glances = 0
        return glanced, empty, await asking

    assert in_world(scenario) == (Status.IN_DOUBT, (), Reason.NOT_PLACED)


def test_a_glance_is_a_barrier():
    """Its answer is a later nonce's: the negative is as soon as after a whole look."""

    async def scenario(here):
        here.venue.glances = 1
        await doubted(here)
        kinds = [step.kind for step in await here.store.story(KEY)]
        return kinds.index(StepKind.BARRIER) < kinds.index(StepKind.SWEPT), here.clock.monotonic() < 12.0

    assert in_world(scenario) == (True, True)


# ---- other barriers -------------------------------------------------------------------------------------------------


def test_any_later_call_that_was_answered_is_a_barrier():
    """No look has succeeded, and the story tells of the barrier once."""

    async def scenario(here):
        here.venue.sweep_failures = 3
        asking = doubted(here)
        await here.clock.sleep(2.01)  # the patience is over: it is a doubt
        here.venue.accepted_at = here.clock.monotonic()
        await here.clock.sleep(0.5)
        (doubt,) = here.resolver._doubts.values()
        barrier = doubt.evidence.barrier
        await asking
        kinds = [step.kind for step in await here.store.story(KEY)]
        return barrier == here.venue.accepted_at, kinds.count(StepKind.BARRIER)

    assert in_world(scenario) == (True, 1)


def test_an_answer_to_a_call_from_before_the_doubt_is_none():
    """It proves nothing of a nonce that was taken later."""

    async def scenario(here):
        here.venue.accepted_at = 1.0
        here.venue.sweep_failures = 100
        asking = doubted(here)
        await here.clock.sleep(4.0)
        (doubt,) = here.resolver._doubts.values()
        asking.cancel()
        return doubt.evidence.barrier

    assert in_world(scenario) is None


def test_the_first_barrier_stays():
    """A later answer does not put the verdict off."""

    async def scenario(here):
        asking = doubted(here)
        await here.clock.sleep(3.0)
        (doubt,) = here.resolver._doubts.values()
        first = doubt.evidence.barrier
        here.venue.accepted_at = here.clock.monotonic()
        await here.clock.sleep(2.0)
        asking.cancel()
        return first is not None, doubt.evidence.barrier == first

    assert in_world(scenario) == (True, True)


def test_an_order_adopted_with_its_deadline_waits_for_that():
    """A placement of this life is looked for by its own deadline, whatever the wall clock says of it."""

    async def scenario(here):
        now = here.clock.monotonic()
        here.venue.plan.append(LOST)
        asking = asyncio.ensure_future(here.desk.place(ME, "c-1", limit(), Timing(now, now + 60.0, 20.0)))
        await here.clock.sleep(3.0)
        (doubt,) = here.resolver._doubts.values()
        asking.cancel()
        return round(doubt.evidence.deadline, 3)

    assert in_world(scenario) == 20.05


# ---- in words -------------------------------------------------------------------------------------------------------


def awaited(at_s, *, sweep_failures=0):
    async def scenario(here):
        here.venue.sweep_failures = sweep_failures
        asking = doubted(here)
        await here.clock.sleep(at_s)
        said = here.resolver.awaited(KEY)
        asking.cancel()
        return said

    return in_world(scenario)


def test_a_doubt_without_a_barrier_says_that_a_look_is_awaited():
    """None has succeeded yet."""
    assert awaited(2.5, sweep_failures=99).startswith("A look at Kraken that succeeds is awaited; the next one is in ")


def test_a_doubt_says_from_when_on_looks_count():
    """By deadline, barrier and V."""
    assert awaited(3.01).startswith("Looks count towards a negative from 5.0 s on")


def test_a_doubt_says_how_many_looks_are_made():
    """The first of two, and when the second is."""
    assert "Of two looks without a find 1 are made; the next is in 2." in awaited(ENTRY_S + V_S + 0.5)
