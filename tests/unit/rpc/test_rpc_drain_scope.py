"""The drain's scope: it ends a wait, and only a wait of its own."""

import asyncio

import pytest

from execsvc.domain.errors import Busy, Reason
from execsvc.rpc.drain import Drain
from tests.support.simloop import SimClock, run_sim


async def waits(drain, seconds=60.0):
    with drain.interruptible():
        await asyncio.sleep(seconds)
    return "slept"


def test_a_wait_is_ended_by_the_drain():
    """Whoever waits inside the scope gets SHUTTING_DOWN at once, and its task is not left cancelled."""

    async def main():
        drain, clock = Drain(), SimClock()
        task = asyncio.ensure_future(waits(drain))
        await clock.sleep(1)
        drain.end()
        with pytest.raises(Busy) as caught:
            await task
        return caught.value.reason, clock.monotonic(), task.cancelled(), drain.refusing

    assert (Reason.SHUTTING_DOWN, 1.0, False, True) == run_sim(main())


def test_after_the_drain_no_wait_begins():
    """A scope entered later raises before its wait."""

    async def main():
        drain = Drain()
        drain.end()
        with pytest.raises(Busy):
            await waits(drain)

    run_sim(main())


def test_a_wait_that_is_over_is_left_alone():
    """The drain does not reach a task outside the scope."""

    async def main():
        drain, clock = Drain(), SimClock()

        async def two():
            first = await waits(drain, 0.5)
            await asyncio.sleep(2)
            return first

        task = asyncio.ensure_future(two())
        await clock.sleep(1)
        drain.end()
        return await task

    assert "slept" == run_sim(main())


def test_a_caller_that_hangs_up_wins():
    """With a cancellation of the caller's own at the same moment the task is cancelled, not told of the drain."""

    async def main():
        drain, clock = Drain(), SimClock()
        task = asyncio.ensure_future(waits(drain))
        await clock.sleep(1)
        drain.end()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run_sim(main())


def test_a_cancellation_without_a_drain_stays_one():
    """The scope swallows no cancellation that is not its own."""

    async def main():
        drain, clock = Drain(), SimClock()
        task = asyncio.ensure_future(waits(drain))
        await clock.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return repr(drain)

    assert "<Drain open, 0 waiting>" == run_sim(main())


def test_a_timeout_inside_stays_a_timeout():
    """Scopes nest: a timeout within is told as one, and the drain ends a wait under a timeout."""

    async def main():
        drain, clock = Drain(), SimClock()

        async def timed(seconds):
            with drain.interruptible():
                async with clock.timeout_at(clock.monotonic() + seconds):
                    await asyncio.sleep(60)

        with pytest.raises(TimeoutError):
            await timed(1)
        task = asyncio.ensure_future(timed(30))
        await clock.sleep(1)
        drain.end()
        with pytest.raises(Busy):
            await task

    run_sim(main())


def test_refusing_alone_ends_nothing():
    """refuse() lets what is open go on."""

    async def main():
        drain = Drain()
        drain.refuse()
        return await waits(drain, 0.1)

    assert "slept" == run_sim(main())
