"""Clock, chance and loop of the real world."""

import asyncio
import gc

import pytest

from execsvc.runtime import loop
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy


async def test_timeout_is_in_the_clocks_own_seconds():
    """It ends its block at monotonic `by`, at once when that is past, never for None."""
    clock = RealClock()
    for by in (clock.monotonic() + 0.02, clock.monotonic() - 5.0):
        with pytest.raises(TimeoutError):
            async with clock.timeout_at(by):
                await clock.sleep(5)
    async with clock.timeout_at(None):
        await clock.sleep(-1)


async def test_clock_goes_on():
    """Both readings move with time."""
    clock = RealClock()
    monotonic, wall = clock.monotonic(), clock.wall_ns()
    await clock.sleep(0.01)
    assert clock.monotonic() - monotonic >= 0.009
    assert clock.wall_ns() - wall >= 9_000_000


def test_chance_is_in_range_and_differs():
    """Bytes of the size asked, draws below one."""
    entropy = RealEntropy().branch("x")
    assert (len(entropy.token(16)), entropy.token(16) != entropy.token(16)) == (16, True)
    assert all(0.0 <= entropy.uniform() < 1.0 for _ in range(1000))


def test_run_uses_uvloop_where_it_is():
    """And gives the result back."""

    async def which():
        return type(asyncio.get_running_loop()).__module__

    assert loop.run(which()).startswith("uvloop")


def test_run_falls_back_to_asyncio(monkeypatch):
    """Where uvloop is not installed."""
    monkeypatch.setattr(loop.importlib.util, "find_spec", lambda _: None)

    async def which():
        return type(asyncio.get_running_loop()).__module__

    assert loop.run(which()).startswith("asyncio")


def test_what_lives_from_the_start_on_is_never_looked_through_for_garbage():
    """And looks are rarer than Python's own; they go on."""

    async def kept():
        return gc.get_freeze_count(), gc.get_threshold(), gc.isenabled()

    before = gc.get_threshold()
    try:
        frozen, thresholds, enabled = loop.run(kept())
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
    assert (True, (loop.GARBAGE_AFTER, loop.MIDDLE_AFTER, loop.OLD_AFTER), True) == (
        frozen > 10_000,
        thresholds,
        enabled,
    )
