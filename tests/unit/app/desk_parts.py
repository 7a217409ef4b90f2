"""Placements through the desk whose time limits a test names, and what became of their room."""

import pytest

from execsvc.app.timing import Timing
from execsvc.domain.errors import Busy, Conflict, Declined
from tests.support.simloop import run_sim
from tests.support.world import ME, limit, world


def in_world(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            return await scenario(here)

    return run_sim(main())


async def place(here, name="c-1", *, queue_s=0.0, timeout_s=10.0, entry_s=5.0, spec=None):
    now = here.clock.monotonic()
    timing = Timing(now, now + timeout_s, entry_s, queue_s)
    return await here.desk.place(ME, name, spec or limit(), timing)


async def refused(here, name="c-1", **more):
    with pytest.raises((Busy, Declined, Conflict)) as refusal:
        await place(here, name, **more)
    return refusal.value.fault


def released(here):
    return [room.released for room in here.venue.rates.rooms_set_aside]
