"""The order path under seeded mishaps: many orders, lost and late messages, restarts; judged by the exchange's own log.

A small forerunner of the full simulation: same rules (at most once, every fate resolved, no wrong verdict), scripted venue.
"""

import asyncio
import random

import pytest

from execsvc.domain.errors import ExecsvcError, Fault, Reason
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import ME, limit, new_disk, world

ORDERS = 12
SEEDS = range(40)


def fate(chance):
    draw = chance.random()
    if draw < 0.45:
        return Fate(arrives_s=chance.uniform(0.001, 0.5), answers_s=chance.uniform(0.5, 1.9))
    if draw < 0.60:
        return Fate(arrives_s=chance.uniform(0.001, 6.0), answers_s=None)
    if draw < 0.75:
        return Fate(arrives_s=None, answers_s=None)
    if draw < 0.85:
        return Fate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "EOrder:Insufficient funds"))
    if draw < 0.92:
        return Fate(unsent=Fault(Reason.VENUE_UNREACHABLE, "refused"))
    return Fate(status=Status.FILLED)


async def caller(here, name, chance):
    """A stubborn caller: repeats the same id until it has a definite answer or gives up."""
    for _ in range(6):
        try:
            placed = await here.place(name, limit(), timeout_s=chance.choice([3.0, 10.0]))
        except ExecsvcError as refusal:
            if refusal.fault.metadata["id_used"] == "true":
                return
        else:
            if placed.order.status not in {Status.SUBMITTED, Status.IN_DOUBT}:
                return
        await here.clock.sleep(chance.uniform(0, 1))


async def story(seed):
    chance = random.Random(seed)
    disk, venue = new_disk(), None
    for life in range(2):
        async with world(disk=disk, venue=venue) as here:
            if venue is None:
                venue = here.venue
                venue.lag_s = chance.uniform(0, 2.5)
                venue.plan.extend(fate(chance) for _ in range(3 * ORDERS))
            venue.sweep_failures = chance.randrange(4)
            callers = [
                asyncio.ensure_future(caller(here, f"c-{number}", random.Random(f"{seed}/{life}/{number}")))
                for number in range(ORDERS)
            ]
            if life == 0:
                await here.clock.sleep(chance.uniform(0.1, 6))
                for each in callers:
                    each.cancel()
                await asyncio.gather(*callers, return_exceptions=True)
            else:
                await asyncio.gather(*callers)
                assert await here.resolver.until_none(here.clock.monotonic() + 60)
                orders = {number: await here.store.get(_key(number)) for number in range(ORDERS)}
    return orders, venue


def _key(number):
    from execsvc.domain.ids import OrderKey

    return OrderKey(ME.accounts[0], ME.name, f"c-{number}")


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_is_placed_once_or_provably_not_at_all(seed):
    """Whatever is lost, late or killed: no id has two orders at the exchange and every verdict is the truth."""
    orders, venue = run_sim(story(seed))
    accepted = [wire_id for wire_id, _ in venue.accepted]
    assert len(accepted) == len(set(accepted))
    for order in filter(None, orders.values()):
        at_venue = [wire_id for wire_id in accepted if wire_id == order.venue_client_id]
        attempts = [wire_id for wire_id in venue.sends if wire_id == order.venue_client_id]
        assert len(attempts) <= 1
        placed = order.status in {Status.OPEN, Status.FILLED, Status.CANCELLED}
        assert placed is bool(at_venue), order
        assert order.status not in {Status.SUBMITTED, Status.IN_DOUBT}


def test_one_seed_tells_one_story():
    """The simulation is deterministic: same seed, same log."""
    first, again = run_sim(story(7)), run_sim(story(7))
    assert first[1].accepted == again[1].accepted
    assert first[0] == again[0]
