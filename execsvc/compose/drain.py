"""Leaving: no new orders, finish those in flight, resolve, end the streams, close the door.

All accounts at once and within one time, whatever each of them has left: no order is to stay in doubt where that can be
helped. What is closed after it, loops, sockets and store, closes by itself.
"""

import asyncio
from collections.abc import Mapping

import structlog

from execsvc.compose.parts import Parts
from execsvc.compose.rooms import Rooms
from execsvc.rpc.server import Door

DRAIN_MOST_S = 25.0  # in all: below the 30 s that supervisors usually allow
IN_FLIGHT_WAIT_S = 10.0
CLOSE_GRACE_S = 1.0


async def drain(door: Door, built: Mapping[str, Rooms], parts: Parts) -> None:
    """Returns when the door is closed, DRAIN_MOST_S later at most."""
    door.drain()
    clock, houses = parts.clock, [each.house for each in built.values()]
    began = clock.monotonic()
    settled_by = began + DRAIN_MOST_S - CLOSE_GRACE_S
    while _in_flight(built) and clock.monotonic() < began + IN_FLIGHT_WAIT_S:
        await clock.sleep(0.02)
    settled = await asyncio.gather(*(_settled(each, settled_by) for each in built.values()))
    await asyncio.gather(*(house.dead_man.leave(clock.monotonic() + CLOSE_GRACE_S) for house in houses))
    await door.stop(CLOSE_GRACE_S)
    in_flight, log = _in_flight(built), structlog.get_logger()
    if all(settled) and not in_flight:
        log.info("service.drained")
    else:
        log.warning(
            "service.drained",
            count=sum(house.resolver.in_doubt + house.amends.doubts.in_doubt for house in houses) + in_flight,
            why="the journal resolves the rest at the next start",
        )


def _in_flight(built: Mapping[str, Rooms]) -> int:
    return sum(each.house.desk.in_flight + each.house.amends.in_flight for each in built.values())


async def _settled(rooms: Rooms, by: float) -> bool:
    """Whether nothing of the account is in doubt any more, waited for until monotonic `by`."""
    return await rooms.house.resolver.until_none(by) and await rooms.house.amends.until_none(by)
