"""Equal reads at one time are one call; nobody waits longer than it said, nobody is put off with another's short time."""

import asyncio

import pytest

from execsvc.domain.errors import Busy, Declined, Reason, refuse
from execsvc.kraken.merged import TRIES_MAX, Merged
from tests.support.simloop import SimClock, SimTasks, run_sim

UNREACHABLE = refuse(Reason.VENUE_UNREACHABLE, "no answer")


class Reads:
    """`call` answers after `takes_s` with its number; `began` holds the time each call had."""

    def __init__(self, takes_s=1.0):
        self.clock = SimClock()
        self.tasks = SimTasks()
        self.merged = Merged(self.clock, self.tasks)
        self.takes_s = takes_s
        self.began = []

    async def call(self, by):
        """As a read of the adapter's: it gives up at its own `by`."""
        self.began.append(by)
        number = len(self.began)
        if self.clock.monotonic() + self.takes_s > by:
            await self.clock.sleep(by - self.clock.monotonic())
            raise UNREACHABLE
        await self.clock.sleep(self.takes_s)
        return number

    def read(self, by, key="balances"):
        return asyncio.ensure_future(self.merged.read(key, by, self.call))


def reading(scenario, *args):
    async def main():
        here = Reads(*args)
        try:
            return await scenario(here)
        finally:
            await here.tasks.close()
            assert here.tasks.failures == []

    return run_sim(main())


def test_equal_reads_share_one_call():
    """Five ask, Kraken is asked once, all hear the same."""

    async def scenario(here):
        return await asyncio.gather(*(here.read(10.0) for _ in range(5))), here.began

    assert reading(scenario) == ([1] * 5, [10.0])


def test_one_that_comes_in_the_middle_gets_the_answer_that_is_on_its_way():
    """It waits for the rest of the time only."""

    async def scenario(here):
        first = here.read(10.0)
        await here.clock.sleep(0.9)
        return await here.read(10.0), await first, round(here.clock.monotonic(), 3)

    assert reading(scenario) == (1, 1, 1.0)


def test_different_reads_are_different_calls():
    """Only equal ones are one."""

    async def scenario(here):
        return await asyncio.gather(here.read(10.0, "a"), here.read(10.0, "b"))

    assert reading(scenario) == [1, 2]


def test_an_answer_is_not_kept():
    """Whoever asks later asks anew: this is no cache."""

    async def scenario(here):
        await here.read(10.0)
        return await here.read(10.0), repr(here.merged)

    assert reading(scenario) == (2, "<Merged 0 under way>")


def test_a_failure_is_shared_too():
    """One that is final is final for all; nothing is asked again."""

    async def scenario(here):
        async def refused(by):
            here.began.append(by)
            await here.clock.sleep(0.1)
            raise refuse(Reason.VENUE_PERMISSION_MISSING, "no right to")

        reads = [here.merged.read("balances", 10.0, refused) for _ in range(3)]
        return await asyncio.gather(*reads, return_exceptions=True), here.began

    results, began = reading(scenario)
    assert ([Declined] * 3, [10.0]) == ([type(each) for each in results], began)


def test_one_who_joins_with_more_time_asks_anew():
    """The first gave up at 0.5 s; that says nothing to whom had ten."""

    async def scenario(here):
        hasty, patient = here.read(0.5), here.read(10.0)
        return await asyncio.gather(hasty, patient, return_exceptions=True), here.began

    (hasty, patient), began = reading(scenario)
    assert (Reason.READ_TIMEOUT, 2, [0.5, 10.0]) == (hasty.reason, patient, began)


def test_those_who_join_with_more_time_ask_anew_together():
    """Once for all of them."""

    async def scenario(here):
        reads = [here.read(0.5), here.read(10.0), here.read(10.0)]
        results = await asyncio.gather(*reads, return_exceptions=True)
        return results[1:], here.began

    assert reading(scenario) == ([2, 2], [0.5, 10.0])


def test_one_who_joins_with_less_time_is_told_at_its_own():
    """And the shared call goes on for the others."""

    async def scenario(here):
        patient = here.read(10.0)
        await asyncio.sleep(0)
        with pytest.raises(Busy) as refusal:
            await here.read(0.25)
        return refusal.value.reason, here.clock.monotonic(), await patient

    assert reading(scenario) == (Reason.READ_TIMEOUT, 0.25, 1)


def test_the_first_ones_own_failure_is_its_own():
    """It had the time it said; it does not ask a second time."""

    async def scenario(here):
        async def failing(by):
            here.began.append(by)
            await here.clock.sleep(0.1)
            raise UNREACHABLE

        with pytest.raises(Busy) as refusal:
            await here.merged.read("balances", 10.0, failing)
        return refusal.value.reason, here.began

    assert reading(scenario) == (Reason.VENUE_UNREACHABLE, [10.0])


def test_a_caller_that_hangs_up_leaves_the_others_their_answer():
    """The call is the house's own."""

    async def scenario(here):
        first, second = here.read(10.0), here.read(10.0)
        await here.clock.sleep(0.1)
        first.cancel()
        return await second, here.began

    assert reading(scenario) == (1, [10.0])


def test_one_who_met_short_calls_only_asks_for_itself_in_the_end():
    """However many in a hurry begin one right after the other, it is answered."""

    async def scenario(here):
        hurried = []

        async def hasty(by):
            here.began.append(by)
            await here.clock.sleep(0.1)
            hurried.append(asyncio.ensure_future(here.merged.read("balances", here.clock.monotonic() + 0.15, hasty)))
            raise UNREACHABLE

        hurried.append(asyncio.ensure_future(here.merged.read("balances", 0.15, hasty)))
        await asyncio.sleep(0)
        answer = await here.read(30.0)
        met = len(hurried) - 1
        for each in hurried:
            each.cancel()
        await asyncio.gather(*hurried, return_exceptions=True)
        return answer == here.began.index(30.0) + 1, here.began.count(30.0), met >= TRIES_MAX

    assert reading(scenario) == (True, 1, True)


def test_a_failure_that_nobody_waits_for_any_more_is_no_failed_task():
    """Whoever asked has gone with a time-out of its own: the shared call ends in silence."""

    async def scenario(here):
        asked = here.read(0.5)
        with pytest.raises(Busy) as told:
            await asked
        await here.clock.sleep(1)
        return told.value.reason, here.tasks.failures

    assert reading(scenario) == (Reason.READ_TIMEOUT, [])


def test_each_that_shares_a_failure_gets_an_error_of_its_own():
    """One traceback is not raised in many places."""

    async def scenario(here):
        async def declined(_):
            await here.clock.sleep(0.1)
            raise refuse(Reason.VENUE_CREDENTIALS_REJECTED, "no")

        here.call = declined
        told = await asyncio.gather(here.read(5.0), here.read(5.0), return_exceptions=True)
        return [type(each) for each in told], told[0] is told[1], told[0].fault == told[1].fault

    assert reading(scenario) == ([Declined, Declined], False, True)
