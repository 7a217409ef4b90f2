"""Doubts: late answers count, a negative is looked for once more, clocks that are set do not hasten a verdict."""

import asyncio

import pytest

from execsvc.domain.errors import Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import Status, VenueOrder
from execsvc.domain.story import StepKind
from tests.support.simloop import SimClock, run_sim
from tests.support.venue import Fate
from tests.support.world import ME, new_disk, world

KEY = OrderKey("main", "local", "c-1")
REF = OrderRef(client_order_id="c-1")
LOST_REQUEST = Fate(arrives_s=None, answers_s=None)


def in_world(scenario):
    async def main():
        async with world() as here:
            return await scenario(here)

    return run_sim(main())


def kinds(steps):
    return [step.kind for step in steps]


async def asked(here, name="c-1", **more):
    try:
        return (await here.place(name, **more)).order.status
    except Declined as refused:
        return refused.reason
    except Exception as refused:  # noqa: BLE001  whatever the answer is, the test compares it
        return refused.reason


def test_a_late_answer_settles_a_doubt_that_no_look_could():
    """Kraken's queries fail, its answer comes after five seconds: the caller gets the order."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=0.1, answers_s=5.0))
        here.venue.sweep_failures = 100
        assert Status.OPEN is await asked(here)
        assert 5.0 <= here.clock.monotonic() < 5.5

    in_world(scenario)


def test_a_late_refusal_settles_a_doubt():
    """Refused after five seconds: final, with Kraken's reason."""

    async def scenario(here):
        here.venue.plan.append(Fate(answers_s=5.0, refusal=Fault(Reason.INSUFFICIENT_FUNDS, "no funds")))
        assert Reason.INSUFFICIENT_FUNDS is await asked(here)
        assert Status.REJECTED is (await here.store.get(KEY)).status

    in_world(scenario)


def test_a_late_answer_after_the_order_was_found_changes_nothing():
    """The look was first; the answer says the same thing later."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=0.1, answers_s=6.0))
        await asked(here)
        found = await here.store.get(KEY)
        await here.clock.sleep(10)
        assert found == await here.store.get(KEY)
        assert [] == here.alarms

    in_world(scenario)


def test_a_late_acceptance_after_a_negative_is_corrected_and_halts():
    """Should the world prove a verdict wrong: the truth is told, new orders stop, cancels pass."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=0.1, answers_s=25.0))
        here.venue.lag_s = 24.0  # queries that lie far longer than V allows for
        here.house.visibility._probed_at = here.clock.monotonic()
        assert Reason.NOT_PLACED is await asked(here, timeout_s=20.0)
        await here.clock.sleep(30)
        order = await here.desk.get(ME, REF)
        assert (Status.OPEN, Status.NOT_PLACED) == (order.status, order.corrected_from)
        assert Reason.TRADING_HALTED is await asked(here, "c-2")
        assert Status.CANCELLED is (await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)).status
        assert StepKind.CORRECTED in kinds(await here.store.story(KEY))

    in_world(scenario)


def test_a_negative_is_looked_for_once_more_after_a_minute():
    """The tripwire: what shows only then is corrected too, without anybody having asked."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        assert Reason.NOT_PLACED is await asked(here, timeout_s=20.0)
        order = await here.store.get(KEY)
        ghost = VenueOrder("OGHOST", order.venue_client_id, Status.OPEN)
        here.venue.orders[order.venue_client_id] = (ghost, here.clock.monotonic())
        await here.clock.sleep(58)
        assert Status.NOT_PLACED is (await here.store.get(KEY)).status
        await here.clock.sleep(4)
        assert Status.OPEN is (await here.store.get(KEY)).status
        assert 1 == len(here.alarms)

    in_world(scenario)


def test_a_tripwire_whose_look_fails_is_tried_again():
    """Kraken does not answer at that moment: a few more times, then it is let be."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        await asked(here, timeout_s=20.0)
        order = await here.store.get(KEY)
        here.venue.orders[order.venue_client_id] = (
            VenueOrder("OGHOST", order.venue_client_id, Status.OPEN),
            here.clock.monotonic(),
        )
        here.venue.sweep_failures = 2
        await here.clock.sleep(75)
        assert Status.OPEN is (await here.store.get(KEY)).status

    in_world(scenario)


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_wall_clock_that_is_set_does_not_hasten_or_delay_a_verdict(step_s):
    """Deadline, barrier and V are counted on the steady clock."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        placing = asyncio.ensure_future(asked(here, timeout_s=30.0))
        await here.clock.sleep(2.5)
        here.clock.skew_s += step_s
        assert Reason.NOT_PLACED is await placing
        assert 8.5 <= here.clock.monotonic() <= 12.0

    in_world(scenario)


def test_a_clock_set_back_between_two_lives_does_not_hold_a_verdict_for_long():
    """The next life believes no deadline to be further away than it was when the order was written down."""
    disk = new_disk()

    async def killed():
        async with world(disk=disk) as here:
            here.venue.plan.append(LOST_REQUEST)
            here.tasks.start("caller", asked(here, timeout_s=60.0))
            await here.clock.sleep(0.5)

    async def next_life():
        clock = SimClock()
        clock.skew_s = -3600.0
        async with world(disk=disk, clock=clock) as here:
            assert await here.resolver.until_none(60.0)
            assert 8.5 <= here.clock.monotonic() <= 12.0
            assert Status.NOT_PLACED is (await here.store.get(KEY)).status

    run_sim(killed())
    run_sim(next_life())


def test_a_bound_that_grows_meanwhile_counts_for_open_doubts():
    """V doubles while an order is in doubt: its negative waits for the new bound."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        placing = asyncio.ensure_future(asked(here, timeout_s=40.0))
        await here.clock.sleep(3.0)
        here.house.visibility.bound_s = 12.0
        assert Reason.NOT_PLACED is await placing
        assert here.clock.monotonic() >= 5.5 + 12.0

    in_world(scenario)


def test_a_doubt_says_what_it_waits_for():
    """In words, for ExplainOrder; nothing once it is settled."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        placing = asyncio.ensure_future(asked(here, timeout_s=30.0))
        await here.clock.sleep(3.0)
        assert "Looks count towards a negative from" in here.resolver.awaited(KEY)
        await placing
        assert "" == here.resolver.awaited(KEY)

    in_world(scenario)


def test_the_story_of_a_negative_is_whole():
    """Received, checked, journaled, sent, doubted, barrier, looks, verdict: in this order, durable with the verdict."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        await asked(here, timeout_s=30.0)
        told = kinds(await here.store.story(KEY))
        once = list(dict.fromkeys(told))
        assert [
            StepKind.RECEIVED,
            StepKind.CHECKED,
            StepKind.JOURNALED,
            StepKind.SENT,
            StepKind.DOUBTED,
            StepKind.BARRIER,
            StepKind.SWEPT,
            StepKind.RESOLVED,
        ] == once
        assert told.count(StepKind.SWEPT) >= 3

    in_world(scenario)


def test_a_cancel_wished_in_doubt_is_sent_when_the_order_is_found():
    """Unknown order proves nothing before the doubt is resolved; then the wish is carried out."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=0.1, answers_s=None))
        here.venue.lag_s = 2.5
        here.venue.sweep_failures = 0
        here.tasks.start("caller", asked(here, timeout_s=30.0))
        await here.clock.sleep(2.2)
        here.venue.cancels.clear()
        hidden, here.venue.orders = here.venue.orders, {}
        await here.desk.cancel(ME, REF, here.clock.monotonic() + 0.2)
        here.venue.orders = hidden
        await here.clock.sleep(5)
        assert Status.CANCELLED is (await here.store.get(KEY)).status

    in_world(scenario)
