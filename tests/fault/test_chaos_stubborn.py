"""Callers that repeat on every error, and after every success, through weather on both links: still one order for each id.

One gateway is called by plain grpcio with a service config that retries every code, another by this project's own client. The
weather is drawn from a seed: a toxic here, a toxic there, for some seconds. What was told is judged against the exchange by
the history checker, which shares no code with the house. The toxics one by one stand in test_chaos_matrix.py.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

import pytest

from tests.support.faultproxy_callers import ATTEMPTS_LEAST, OwnCaller, PlainCaller, definite, insist, told_of
from tests.support.faultproxy_rig import hall, opened, wish
from tests.support.history import Entered, History, judge
from tests.support.toxics import (
    Bandwidth,
    Dose,
    Down,
    DropReply,
    Duplicate,
    Latency,
    LimitData,
    Overtake,
    ReplacePage,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
)

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

IDS = 20
ENTRY_S = 3.0
WEATHER_S = 14.0
QUERIES_LAG_MS = 500
SEED = 6
PLACE = "/AddOrder"
MISHAPS_LEAST = 6
# --- the weather -------------------------------------------------------------------------------------------------------


def bytes_weather(chance):
    """A toxic for any link."""
    direction = chance.choice(("upstream", "downstream"))
    toxic = chance.choice(
        (
            Latency(0.4, 0.4),
            Down(),
            Bandwidth(1500),
            SlowClose(0.5),
            Timeout(),
            Timeout(0.3),
            ResetPeer(),
            ResetPeer(0.1),
            Slicer(4, 3, 0.001),
            LimitData(chance.randrange(20, 600)),
        )
    )
    return Dose(toxic, direction, seed=chance.randrange(1000))


def exchange_weather(chance):
    """A toxic for the link to the exchange: every second time one that knows requests."""
    if chance.random() < 0.5:
        return bytes_weather(chance)
    toxic = chance.choice(
        (
            DropReply(PLACE),
            DropReply(silent=True),
            ReplacePage(502, PLACE),
            ReplacePage(520),
            Duplicate(PLACE, "first", after_s=0.2),
            Duplicate(PLACE, "second"),
            Overtake(PLACE, hold_s=3.0),
        )
    )
    if isinstance(toxic, Duplicate):
        return Dose(toxic, times=1)  # several in a row have a file of their own: test_chaos_copies.py
    return Dose(toxic, chance=0.7, seed=chance.randrange(1000))


async def blow(proxy, drawn, chance, by):
    """Toxics one after the other, with clear moments between; gives those that were on and struck somebody."""
    struck = []
    while time.monotonic() < by:
        armed = proxy.add(drawn(chance))
        await asyncio.sleep(chance.uniform(0.3, 1.8))
        proxy.remove(armed)
        struck += [armed.dose] if armed.strikes else []
        await asyncio.sleep(chance.uniform(0.0, 0.4))
    return struck


# --- both kinds of callers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """What one kind of caller did and heard, what struck on the way, and what exchange and journal hold in the end.

    `left` is how often a placement of each order left the gateway.
    """

    wishes: tuple
    calls: dict
    struck: list
    accepted: dict
    journal: dict
    left: dict

    @property
    def history(self):
        """For the checker."""
        entered = [
            Entered(order["order_id"], quantity, opened(order), order["status"], *map(Decimal, figures(order)))
            for quantity, orders in self.accepted.items()
            for order in orders
        ]
        finals = {name: told_of(self.journal[name].wire) if name in self.journal else None for name in self.calls}
        return History([call for calls in self.calls.values() for call in calls], entered, finals=finals)


def figures(order):
    return order["vol_exec"], order["cost"], order["fee"]


async def run_one(here, name, make_caller, first):
    """One kind of caller in its weather: on every link, and twenty orders that begin somewhere in it."""
    desk = await here.open_desk(name)
    wishes = tuple(wish(first + each, fills=each % 4 != 0, entry_s=ENTRY_S) for each in range(IDS))
    by = time.monotonic() + WEATHER_S
    weather = [
        asyncio.create_task(blow(desk.links[link], drawn, Random(f"{SEED} {desk.name} {link}"), by))
        for link, drawn in (("rest", exchange_weather), ("ws", bytes_weather), ("caller", bytes_weather))
    ]
    starts = Random(f"{SEED} {desk.name} starts")
    loop = asyncio.get_running_loop()
    with make_caller(desk.target) as caller, ThreadPoolExecutor(IDS) as pool:
        jobs = [
            loop.run_in_executor(pool, insist, caller, each, starts.uniform(0.0, WEATHER_S * 0.7)) for each in wishes
        ]
        calls = await asyncio.gather(*jobs)
    struck = [dose for gale in await asyncio.gather(*weather) for dose in gale]
    return Run(
        wishes,
        {each.client_order_id: told for each, told in zip(wishes, calls, strict=True)},
        struck,
        {},
        await desk.journal(here.exchange),
        {each.client_order_id: len(desk.placements(each)) for each in wishes},
    )


async def run(home):
    """Both kinds at once, each on a gateway of its own."""
    async with hall(home) as here:
        here.exchange.fault(kind="index_lag", ms=QUERIES_LAG_MS)
        plain, own = await asyncio.gather(
            run_one(here, "plain", PlainCaller, 1), run_one(here, "own", OwnCaller, IDS + 1)
        )
        accepted, dead = here.accepted(), here.dead()
    assert dead == {}
    return {
        name: replace(one, accepted={each.quantity: accepted.get(each.quantity, []) for each in one.wishes})
        for name, one in (("plain grpcio", plain), ("execsvc_client", own))
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return asyncio.run(run(tmp_path_factory.mktemp("stubborn")))


KINDS = pytest.mark.parametrize("kind", ["plain grpcio", "execsvc_client"])


@KINDS
def test_ten_attempts_and_more_are_one_order_at_most(runs, kind):
    """However often a caller repeats, the exchange accepts one order for its id."""
    one = runs[kind]
    assert all(len(calls) >= ATTEMPTS_LEAST for calls in one.calls.values())
    assert [] == [orders for orders in one.accepted.values() if len(orders) > 1]
    assert sum(map(len, one.accepted.values())) > 0


@KINDS
def test_a_placement_leaves_the_gateway_once(runs, kind):
    """Not even the wire sees an order twice, but for what the weather itself copied."""
    assert max(runs[kind].left.values()) == 1


@KINDS
def test_the_last_answer_is_definite_and_true(runs, kind):
    """Placed, and the exchange has it; or told as not placed or refused, and it has not."""
    one = runs[kind]
    for each in one.wishes:
        told = one.calls[each.client_order_id][-1].told
        assert definite(told), one.calls[each.client_order_id]
        expected = [] if told.id_used else [told.venue_id]
        assert expected == [order["order_id"] for order in one.accepted[each.quantity]], told


@KINDS
def test_the_history_checker_finds_nothing(runs, kind):
    """No answer on the way was contradicted, nothing entered late, and the journal ends as the exchange does."""
    assert judge(runs[kind].history) == []


@KINDS
def test_the_weather_was_bad(runs, kind):
    """Many toxics of many kinds struck, callers lost answers, and were told of doubts: else the rest would prove little."""
    one = runs[kind]
    lost = [call for calls in one.calls.values() for call in calls if call.told is None]
    assert len({type(dose.toxic) for dose in one.struck}) >= MISHAPS_LEAST
    assert len(lost) >= MISHAPS_LEAST
