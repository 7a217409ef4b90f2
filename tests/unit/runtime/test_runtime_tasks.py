"""Owned work outlives its callers; loops are restarted by rule, or the service ends."""

import asyncio

import pytest

from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.runtime.tasks import RESTARTS_MAX, Supervisor
from tests.support.entropy import FixedEntropy
from tests.support.simloop import SimClock, run_sim


class Told:
    def __init__(self):
        self.failures = []
        self.fatal = []
        self.clock = SimClock()
        self.supervisor = Supervisor(
            self.clock,
            FixedEntropy(0.5),
            on_failure=lambda name, failure: self.failures.append((name, repr(failure))),
            on_fatal=lambda name, failure: self.fatal.append((name, repr(failure))),
        )


async def after(seconds, value):
    await asyncio.sleep(seconds)
    return value


async def failing(failure, seconds=0.0):
    await asyncio.sleep(seconds)
    raise failure


def test_handle_gives_the_result():
    """Awaited once or twice."""

    async def live():
        told = Told()
        handle = told.supervisor.start("work", after(1, "done"))
        return await handle, await handle, told.failures

    assert run_sim(live()) == ("done", "done", [])


def test_cancelled_waiter_leaves_the_work_running():
    """The caller hangs up, the work goes on, and another waiter still gets the result."""

    async def live():
        told = Told()
        handle = told.supervisor.start("work", after(2, "done"))

        async def wait():
            return await handle

        caller = asyncio.ensure_future(wait())
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.gather(caller, return_exceptions=True)
        return caller.cancelled(), await handle

    assert run_sim(live()) == (True, "done")


def test_failure_goes_to_the_waiter():
    """Whoever waits is told, nobody else."""

    async def live():
        told = Told()
        handle = told.supervisor.start("work", failing(ValueError("no"), 1))
        with pytest.raises(ValueError, match="no"):
            await handle
        return told.failures

    assert run_sim(live()) == []


def test_failure_nobody_waits_for_is_told():
    """Also when the only waiter has gone."""

    async def live():
        told = Told()
        told.supervisor.start("alone", failing(ValueError("no")))

        async def wait(handle):
            return await handle

        caller = asyncio.ensure_future(wait(told.supervisor.start("left", failing(ValueError("no"), 2))))
        await asyncio.sleep(1)
        caller.cancel()
        await asyncio.sleep(2)
        return [name for name, _ in told.failures]

    assert run_sim(live()) == ["alone", "left"]


def test_broken_rule_is_fatal():
    """Even where somebody waits."""

    async def live():
        told = Told()
        handle = told.supervisor.start("work", failing(Broken(Fault(Reason.INTERNAL, "a rule"))))
        with pytest.raises(Broken):
            await handle
        return [name for name, _ in told.fatal]

    assert run_sim(live()) == ["work"]


def test_waiting_for_idle():
    """True when all started work has ended, false when time runs out; loops do not count."""

    async def live():
        told = Told()
        told.supervisor.supervise("loop", lambda: after(1000, None))
        told.supervisor.start("short", after(1, None))
        told.supervisor.start("long", after(5, None))
        results = await told.supervisor.wait_idle(2.0), await told.supervisor.wait_idle(10.0)
        at = told.clock.monotonic()
        await told.supervisor.close()
        return results, at

    assert run_sim(live()) == ((False, True), 5.0)


def test_close_leaves_nothing():
    """Loops and tasks are cancelled and waited for."""

    async def live():
        told = Told()
        told.supervisor.supervise("loop", lambda: after(1000, None))
        told.supervisor.start("task", after(1000, None))
        await asyncio.sleep(1)
        await told.supervisor.close()
        return repr(told.supervisor), len(asyncio.all_tasks()), told.failures

    assert run_sim(live()) == ("<Supervisor 0 tasks, 0 loops>", 1, [])


def test_dying_loop_is_restarted_with_growing_pauses():
    """Each death is told; the pauses double."""
    starts = []

    async def live():
        told = Told()

        async def loop():
            starts.append(round(told.clock.monotonic(), 3))
            if len(starts) < 4:
                raise ValueError("dies")
            await asyncio.sleep(1000)

        told.supervisor.supervise("loop", loop)
        await asyncio.sleep(100)
        await told.supervisor.close()
        return len(told.failures), told.fatal

    assert run_sim(live()) == (3, [])
    assert starts == [0.0, 0.2, 0.5, 1.0]


def test_loop_that_ends_has_died():
    """A loop that must run for ever does not simply return."""

    async def live():
        told = Told()
        told.supervisor.supervise("loop", lambda: after(1, None))
        await asyncio.sleep(1.01)
        await told.supervisor.close()
        return [name for name, _ in told.failures]

    assert run_sim(live()) == ["loop"]


@pytest.mark.parametrize(
    ("failure", "deaths"), [(ValueError("again"), RESTARTS_MAX), (Broken(Fault(Reason.INTERNAL, "a rule")), 1)]
)
def test_too_many_deaths_or_a_broken_rule_end_the_service(failure, deaths):
    """Ten deaths in a minute are enough; a broken rule is at once."""
    starts = []

    async def live():
        told = Told()

        async def loop():
            starts.append(1)
            raise failure

        told.supervisor.supervise("loop", loop)
        await asyncio.sleep(60)
        return [name for name, _ in told.fatal]

    assert run_sim(live()) == ["loop"]
    assert len(starts) == deaths
