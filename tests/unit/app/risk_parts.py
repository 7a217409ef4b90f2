"""The rig of the tests about limits that add up: a world under some rules, calls and what refused them, fills of a day."""

import asyncio
from decimal import Decimal

from execsvc.app.timing import Timing
from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.market import EventTimes
from tests.support.amends import AmendWorld
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import new_disk

D = Decimal
LOST = Fate(arrives_s=None, answers_s=None)
DAY_NS = 24 * 3600 * 10**9


def in_world(scenario, **parts):
    async def main():
        here = await AmendWorld(parts.pop("disk", None) or new_disk(), **parts).start()
        try:
            found = await scenario(here)
        finally:
            await here.kill()
        return found

    return run_sim(main())


async def told(call):
    """What came of a call: OK, or the limit or reason that refused it."""
    try:
        await call
    except ExecsvcError as refusal:
        return refusal.fault.metadata.get("check") or refusal.reason.name
    return "OK"


async def gathered(*calls):
    found = await asyncio.gather(*map(told, calls))
    return {each: found.count(each) for each in found}


def timing(here, queue_s=0.0):
    now = here.clock.monotonic()
    return Timing(now, now + 10.0, 5.0, queue_s)


def fill(n, side, price, quantity, at_ns, *, caller="local", fee="0"):
    cost = D(price) * D(quantity)
    fees = (AssetAmount("USD", D(fee)),)
    return Fill(
        f"T{n}", "main", caller, "O1", "c-1", "BTC/USD", side, D(price), D(quantity), cost, fees, maker=True,
        times=EventTimes(at_ns, at_ns),
    )  # fmt: skip


async def traded(here, *fills):
    for each in fills:
        await here.store.record_fill(each, None, None, here.clock.wall_ns())
