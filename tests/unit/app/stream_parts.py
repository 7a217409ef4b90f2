"""A gateway's life in virtual time whose private stream says what a test tells it, and trades to tell of."""

import asyncio
from dataclasses import replace
from decimal import Decimal

from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.errors import Busy, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import EventTimes, Side
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import ExecutionSeen, OrdersSnapshot
from tests.support.simloop import SimClock, run_sim
from tests.support.world import limit, new_disk, world

EPOCH_NS = SimClock.EPOCH_NS
SHOWN = 50
FULL = Busy(Fault(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=3.0))


def fill(number, *, at_s=None, txid="OHAND"):
    at_ns = EPOCH_NS + int((60.0 + number if at_s is None else at_s) * 1e9)
    return Fill(
        fill_id=f"T{number:05d}",
        account="",
        caller="",
        venue_order_id=txid,
        client_order_id="",
        symbol="BTC/USD",
        side=Side.BUY,
        price=Decimal(60000),
        quantity=Decimal("0.00001"),
        cost=Decimal("0.6"),
        fees=(AssetAmount("USD", Decimal("0.01")),),
        maker=True,
        times=EventTimes(at_ns, at_ns),
    )


def seen(each):
    report = VenueOrder(each.venue_order_id, None, Status.OPEN, added_fees=each.fees, added_quantity=each.quantity)
    return ExecutionSeen(report, each)


HAND = VenueOrder("OHAND", None, Status.OPEN, spec=limit("1"))
BY_HAND = VenueOrder("OMAN", None, Status.OPEN, open_time_ns=7, spec=limit("0.5"))
KEY = OrderKey("main", "", "ext-OMAN")


def news(**changed):
    """What the stream tells of the order OMAN."""
    return ExecutionSeen(replace(BY_HAND, **changed), None)


def picture(trades, reports=(HAND,)):
    """As Kraken's stream opens: the last fifty."""
    last = sorted(trades, key=lambda each: each.times.venue_ns)[-SHOWN:]
    return OrdersSnapshot(tuple(reports), tuple(map(seen, last)), trades_whole=len(trades) < SHOWN)


async def told(store):
    """Ids of the fills in the journal, in its order."""
    return [entry.fill.fill_id for entry in await store.after("main", 0, 100_000) if entry.fill is not None]


def lived(script, disk=None):
    """Runs `script(here, tell)` in one life of a gateway whose private stream is what `tell` says."""

    async def main():
        async with world(disk=disk or new_disk()) as here:
            events = asyncio.Queue()

            async def stream():
                while True:
                    yield await events.get()

            here.venue.events = stream
            here.venue.orders["by hand"] = (HAND, 0.0)
            executions = here.house.executions
            here.tasks.start("executions", executions.follow())
            here.tasks.start("reconcile", executions.reconcile_now_and_then())
            await here.clock.sleep(0.01)

            async def tell(*happened, wait_s=0.2):
                for event in happened:
                    events.put_nowait(event)
                await here.clock.sleep(wait_s)

            await script(here, tell)

    run_sim(main())
