"""No limit is passed together, and no reservation stays: races, and every way out of a placement or an amend."""

import asyncio
from contextlib import suppress

import pytest

from execsvc.domain.errors import Busy, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.order import Status
from execsvc.domain.riskrules import DuplicateAction
from tests.support.amends import AmendFate, amending
from tests.support.risks import SetPrices, lifted
from tests.support.venue import FreeRoom
from tests.support.world import ME, limit
from tests.unit.app.risk_parts import D, gathered, in_world, timing, told
from tests.unit.kraken.rate_parts import Watched

FULL = refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=0.7)


# ---- races -----------------------------------------------------------------------------------------------------------

RACES = [
    ("max_open_orders", 7, {"max_open_orders": 7}),
    ("max_open_notional", 5, {"max_open_notional": D(300)}),
    ("max_daily_notional", 4, {"max_daily_notional": D(299)}),
    ("max_orders_per_s", 15, {"max_orders_per_s": 2}),
    ("duplicates", 1, {"duplicates": DuplicateAction.REFUSE}),
]


@pytest.mark.parametrize(("name", "passes", "limits"), RACES, ids=[name for name, *_ in RACES])
def test_orders_that_come_in_at_once_cannot_pass_a_limit_together(name, passes, limits):
    """As many as the limit allows, of sixty-four; the others are refused by it, and nothing is left held."""

    async def scenario(here):
        found = await gathered(*(here.place(f"c-{n}") for n in range(64)))
        assert {"OK": passes, name: 64 - passes} == found
        assert (passes, 0) == (len(here.venue.accepted), here.risk.held)

    in_world(scenario, rules=lifted(**limits))


@pytest.mark.parametrize(("name", "passes", "limits"), RACES, ids=[name for name, *_ in RACES])
def test_batches_that_come_in_at_once_cannot_either(name, passes, limits):
    """Row by row, whichever batch they are of."""

    async def scenario(here):
        batches = [[(f"b{batch}-{row}", limit()) for row in range(8)] for batch in range(8)]
        answers = await asyncio.gather(
            *(here.desk.place_many(ME, rows, timing(here)) for rows in batches), return_exceptions=True
        )
        refused = [each for answer in answers if not isinstance(answer, ExecsvcError) for each in answer]
        assert passes == sum(not isinstance(each, Fault) for each in refused)
        assert {name} == {each.metadata["check"] for each in refused if isinstance(each, Fault)} | {name}
        assert (passes, 0) == (len(here.venue.accepted), here.risk.held)

    in_world(scenario, rules=lifted(**limits))


def test_amends_that_grow_at_once_cannot_pass_a_limit_together():
    """What each adds is held from its first check on; what shrinks goes all the same."""

    async def scenario(here):
        for n in range(8):
            await here.place(f"c-{n}", limit("0.001", "60000.0"))
        grow = [here.amend("grow", order=f"c-{n}", base_quantity="0.002") for n in range(8)]
        assert {"OK": 3, "max_open_notional": 5} == await gathered(*grow)
        assert ("max_open_notional", "OK") == (
            await told(here.place("one more", limit("0.002"))),
            await told(here.amend("shrink", order="c-7", base_quantity="0.0005")),
        )
        assert 0 == here.risk.held

    in_world(scenario, rules=lifted(max_open_notional=D(660)))


# ---- every way out ---------------------------------------------------------------------------------------------------


def test_a_refusal_of_the_counters_gives_the_reservation_back():
    """So does a wait for room that ends in one."""

    async def scenario(here):
        here.venue.rates.refusals.extend([FULL, FULL, FULL])
        assert "LOCAL_RATE_LIMITED" == await told(here.place("c-1"))
        assert "LOCAL_RATE_LIMITED" == await told(here.desk.place(ME, "c-2", limit(), timing(here, queue_s=1.0)))
        assert 0 == here.risk.held
        assert ("OK", "max_open_orders") == (await told(here.place("c-3")), await told(here.place("c-4")))

    in_world(scenario, rules=lifted(max_open_orders=1))


def test_a_batch_that_finds_no_room_gives_all_of_its_reservations_back():
    """Each row's."""

    async def scenario(here):
        async def full(*_):
            raise FULL

        here.venue.rates.rooms = full
        assert "LOCAL_RATE_LIMITED" == await told(
            here.desk.place_many(ME, [("c-1", limit()), ("c-2", limit("0.002"))], timing(here))
        )
        assert 0 == here.risk.held

    in_world(scenario, rules=lifted(max_open_orders=2))


def test_a_store_that_fails_gives_the_reservation_back():
    """Nothing was written down, nothing is open."""

    async def scenario(here):
        async def failing(*_, **__):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))

        begin, here.store.begin = here.store.begin, failing
        assert "STORE_UNAVAILABLE" == await told(here.place("c-1"))
        here.store.begin = begin
        assert (0, "OK") == (here.risk.held, await told(here.place("c-2")))

    in_world(scenario, rules=lifted(max_open_orders=1))


def test_a_repeat_is_answered_at_the_limit_and_takes_nothing():
    """It places nothing: no limit, no pace and no twin is in its way."""

    async def scenario(here):
        await here.place("c-1")
        assert {"OK": 20} == await gathered(*(here.place("c-1") for _ in range(20)))
        assert (1, 0, "max_open_orders") == (len(here.venue.accepted), here.risk.held, await told(here.place("c-2")))

    in_world(scenario, rules=lifted(max_open_orders=1, max_orders_per_s=1, duplicates=DuplicateAction.REFUSE))


@pytest.mark.parametrize("placing", ["one", "batch", "amend"])
def test_a_call_that_is_given_up_at_any_await_leaves_no_reservation(placing):
    """Whatever became of its intent: placed it counts as an order, else nothing is left of it."""

    def call(here):
        if placing == "amend":
            return here.amend("r-1", order="base", base_quantity="0.002")
        if placing == "batch":
            return here.desk.place_many(ME, [("c-1", limit()), ("c-2", limit())], timing(here, queue_s=1.0))
        return here.desk.place(ME, "c-1", limit(), timing(here, queue_s=1.0))

    async def given_up_after(here, turns):
        await here.place("base")
        task = asyncio.ensure_future(call(here))
        for turn in range(turns):
            await asyncio.sleep(0 if turn % 8 else 0.01)
        over = task.done()
        task.cancel()
        with suppress(asyncio.CancelledError, ExecsvcError):
            await task
        await here.clock.sleep(30.0)
        assert 0 == here.risk.held
        live = await here.store.in_status("main", frozenset({Status.OPEN}))
        (used,) = (each.used for each in here.risk.usage(ME) if each.name == "max_open_orders")
        assert str(len(live)) == used
        return over

    turns = 0
    while not in_world(lambda here: given_up_after(here, turns), rules=lifted(max_open_orders=100)):  # noqa: B023 - at once
        turns += 1
        assert turns < 500
    assert turns > 5


def test_a_call_that_is_given_up_while_its_intent_is_written_still_counts():
    """The intent is on its way, and so is its reservation: no gap opens between the two."""

    async def scenario(here):
        begin = here.store.begin

        async def slow(*given):
            await here.clock.sleep(1.0)
            return await begin(*given)

        here.store.begin = slow
        task = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.5)
        task.cancel()
        await asyncio.sleep(0)
        assert (1, "max_open_orders") == (here.risk.held, await told(here.place("c-2")))
        await here.clock.sleep(5.0)
        assert (0, "max_open_orders") == (here.risk.held, await told(here.place("c-3")))

    in_world(scenario, rules=lifted(max_open_orders=1))


def test_an_amend_that_is_refused_gives_its_growth_back():
    """By Kraken or before it; while its fate is not known it counts as applied."""

    async def scenario(here, _):
        here.exchange.plan.append(AmendFate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "no")))
        assert "INSUFFICIENT_FUNDS" == await told(here.amend("r-1", base_quantity="0.002"))
        assert "60.00" == here.risk.usage(ME)[0].used
        here.exchange.plan.append(AmendFate(arrives_s=None, answers_s=None))
        await here.amend("r-2", base_quantity="0.002", timeout_s=3.0)
        assert ("120.00", 1) == (here.risk.usage(ME)[0].used, here.risk.held)
        await here.clock.sleep(60.0)
        assert ("60.00", 0) == (here.risk.usage(ME)[0].used, here.risk.held)

    amending(scenario, rules=lifted(max_open_notional=D(1000)))


@pytest.mark.parametrize("count", [1, 2])
def test_after_a_wait_for_room_the_market_is_looked_at_again(count):
    """It may have moved away meanwhile: then nothing is sent, and room and reservation are given back."""

    async def scenario(here):
        prices, rates = here.risk._prices._feeds, here.venue.rates
        here.venue.rates.refusals.append(FULL)
        granted = []

        async def moving(*asked):
            await here.clock.sleep(0.5)
            prices.set("BTC/USD", "40000", "40001")
            granted.extend(FreeRoom() for _ in range(count))
            return granted[0] if count == 1 else granted

        def place():
            if count == 1:
                return here.desk.place(ME, "c-1", limit(), timing(here, queue_s=2.0))
            return here.desk.place_many(ME, [("c-1", limit()), ("c-2", limit())], timing(here, queue_s=2.0))

        if count == 1:
            room, rates.room = rates.room, moving
            rates.room = first_refused(room, moving)
        else:
            rates.rooms = moving
        assert "max_marketable_distance" == await told(place())
        assert ([1] * count, 0, []) == ([each.released for each in granted], here.risk.held, here.venue.sends)

    rules = lifted(max_open_orders=9, max_limit_distance=D("0.05"), max_marketable_distance=D("0.01"))
    in_world(scenario, rules=rules, feeds=SetPrices(BTC_USD=("60000", "60001")))


def first_refused(first, later):
    """Two ways to ask for room, one after the other."""
    ways = iter((first, later))

    async def ask(*asked):
        return await next(ways)(*asked)

    return ask


def test_an_amend_that_only_shrinks_waits_for_no_turn():
    """However fast its caller has been; any other takes one."""

    async def scenario(here):
        for n in range(15):
            await here.place(f"c-{n}")
        assert ("max_orders_per_s", "OK", "max_orders_per_s") == (
            await told(here.amend("r-1", order="c-0", base_quantity="0.002")),
            await told(here.amend("r-2", order="c-0", base_quantity="0.0005")),
            await told(here.amend("r-3", order="c-0", limit_price="59999.0")),
        )

    in_world(scenario, rules=lifted(max_orders_per_s=1, max_open_orders=99))


def test_a_refusal_is_counted_by_its_limit_and_what_is_observed_too():
    """Once each, whichever way the order came; a repeat and a preview count for nothing."""
    watched = Watched()

    async def scenario(here):
        await here.place("c-1")
        await here.place("c-1")
        await told(here.place("c-2"))
        await told(here.desk.place_many(ME, [("c-3", limit()), ("c-4", limit())], timing(here)))
        await told(here.amend("r-1", base_quantity="5"))
        counted = {tuple(each.attributes.items()): each.value for each in watched.points("execsvc.risk.refusals")}
        assert {
            (("check", "max_order_quantity"), ("shadow", "true")): 1,
            (("check", "max_open_orders"), ("shadow", "false")): 3,
            (("check", "max_open_notional"), ("shadow", "false")): 1,
        } == counted

    rules = lifted(
        max_open_orders=1,
        max_open_notional=D(100),
        max_order_quantity=D("0.0001"),
        shadow=frozenset({"max_order_quantity"}),
    )
    in_world(scenario, rules=rules, telemetry=watched.telemetry)
