"""Dead man's switches: what goes off, when, once, and what Kraken's own timer is armed to."""

import asyncio

import pytest

from execsvc.app.deadman import Armed
from execsvc.app.house import Terms
from execsvc.domain.errors import Busy
from execsvc.domain.market import VenueMode
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.world import ME, OTHER, new_disk, world

CALL_S = 5.0


def in_world(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            await here.house.dead_man.load()
            here.tasks.start("dead man", here.house.dead_man.run())
            return await scenario(here)

    return run_sim(main())


def by(here):
    return here.clock.monotonic() + CALL_S


async def statuses(here):
    orders = await here.store.in_status("main", frozenset(Status))
    return {order.key.client_order_id: order.status for order in orders}


def test_a_callers_switch_cancels_its_orders_when_it_is_not_set_again():
    """Its own and nobody else's, at its time and not before."""

    async def scenario(here):
        await here.place("mine")
        await here.place("theirs", who=OTHER)
        began_ns = here.clock.wall_ns()
        assert Armed(began_ns + 10_000_000_000, None) == await here.house.dead_man.set_own(ME.name, 10)
        await here.clock.sleep(9.9)
        assert {"mine": Status.OPEN, "theirs": Status.OPEN} == await statuses(here)
        await here.clock.sleep(2.0)
        assert {"mine": Status.CANCELLED, "theirs": Status.OPEN} == await statuses(here)

    in_world(scenario)


def test_set_again_in_time_it_does_not_go_off():
    """The time counts from the last call."""

    async def scenario(here):
        await here.place("mine")
        for _ in range(4):
            await here.house.dead_man.set_own(ME.name, 10)
            await here.clock.sleep(8.0)
        assert {"mine": Status.OPEN} == await statuses(here)

    in_world(scenario)


def test_it_goes_off_once():
    """Orders placed afterwards are left alone until it is set anew."""

    async def scenario(here):
        await here.house.dead_man.set_own(ME.name, 5)
        await here.clock.sleep(7.0)
        await here.place("later")
        await here.clock.sleep(60.0)
        assert {"later": Status.OPEN} == await statuses(here)

    in_world(scenario)


def test_zero_takes_it_off():
    """Nothing goes off then."""

    async def scenario(here):
        await here.place("mine")
        await here.house.dead_man.set_own(ME.name, 5)
        assert Armed(None, None) == await here.house.dead_man.set_own(ME.name, 0)
        await here.clock.sleep(30.0)
        assert {"mine": Status.OPEN} == await statuses(here)

    in_world(scenario)


def test_one_whose_time_passed_while_nobody_ran_goes_off_at_the_start():
    """It is durable: a restart is no way out of it."""
    disk = new_disk()

    async def main():
        async with world(disk=disk) as here:
            await here.place("mine")
            await here.house.dead_man.set_own(ME.name, 5)
        await here.clock.sleep(6.0)
        async with world(disk=disk, venue=here.venue, clock=here.clock) as again:
            await again.house.dead_man.load()
            again.tasks.start("dead man", again.house.dead_man.run())
            await again.clock.sleep(2.0)
            assert {"mine": Status.CANCELLED} == await statuses(again)

    run_sim(main())


def test_a_store_that_is_down_only_delays_it():
    """Tried again each second; the operator is told once."""

    async def scenario(here):
        await here.place("mine")
        await here.house.dead_man.set_own(ME.name, 5)
        here.store.outage = True
        await here.clock.sleep(10.0)
        here.store.outage = False
        await here.clock.sleep(3.0)
        assert {"mine": Status.CANCELLED} == await statuses(here)
        assert 1 == len(here.alarms)

    in_world(scenario)


def test_one_that_could_not_be_kept_is_refused():
    """What is not durable was not promised: the time before it stands."""

    async def scenario(here):
        here.store.outage = True
        with pytest.raises(Busy):
            await here.house.dead_man.set_own(ME.name, 5)
        here.store.outage = False
        await here.place("mine")
        await here.clock.sleep(10.0)
        assert {"mine": Status.OPEN} == await statuses(here)

    in_world(scenario)


# ---- the account's ---------------------------------------------------------------------------------------------------


def test_krakens_timer_is_armed_to_the_earliest_of_all():
    """One timer for the account: each call arms it to whoever's time ends first, rounded down."""

    async def scenario(here):
        switch = here.house.dead_man
        await switch.set_account("a", 60, by(here))
        await here.clock.sleep(10.0)
        await switch.set_account("b", 20, by(here))
        await switch.set_account("b", 0, by(here))
        await switch.set_account("a", 0, by(here))
        first, second, third, fourth = here.venue.timers
        assert [60, 20, 0] == [first, second, fourth]
        assert 49 <= third <= 50

    in_world(scenario)


def test_after_it_went_off_the_next_callers_time_is_armed():
    """Kraken's fires once and is off then; another caller's still counts."""

    async def scenario(here):
        switch = here.house.dead_man
        await switch.set_account("slow", 60, by(here))
        await switch.set_account("fast", 10, by(here))
        await here.clock.sleep(12.0)
        assert [60, 10] == here.venue.timers[:2]
        assert 48 <= here.venue.timers[2] <= 50

    in_world(scenario)


def test_what_kraken_did_not_take_is_not_told_as_armed():
    """The call fails, and the caller's time before it counts on."""

    async def scenario(here):
        switch = here.house.dead_man
        here.venue.reachable = False
        with pytest.raises(Busy):
            await switch.set_account("a", 60, by(here))
        here.venue.reachable = True
        await here.clock.sleep(120.0)
        assert [] == here.venue.timers

    in_world(scenario)


POLICY = Terms(dead_man_s=60)


def test_the_policys_timer_is_wound_three_times_within_its_time():
    """As long as this process is well Kraken's timer never runs out."""

    async def scenario(here):
        await here.clock.sleep(61.0)
        assert [60, 60, 60, 60] == here.venue.timers

    in_world(scenario, terms=POLICY)


def test_the_policys_timer_is_never_wound_past_a_callers_time():
    """A caller that fell silent is not kept alive by us."""

    async def scenario(here):
        await here.clock.sleep(1.0)
        await here.house.dead_man.set_account("a", 50, by(here))
        await here.clock.sleep(45.0)
        wound = here.venue.timers[1:]
        assert [50, 30, 10] == [10 * -(-each // 10) for each in wound]

    in_world(scenario, terms=POLICY)


def test_a_planned_stop_takes_the_policys_timer_off():
    """Else Kraken would cancel everything a minute after a restart that costs nothing."""

    async def scenario(here):
        await here.clock.sleep(1.0)
        await here.house.dead_man.leave(by(here))
        await here.clock.sleep(60.0)
        assert [60, 0] == here.venue.timers

    in_world(scenario, terms=POLICY)


def test_a_planned_stop_leaves_a_callers_timer_alone():
    """The caller asked for it, and may be gone too."""

    async def scenario(here):
        await here.house.dead_man.set_account("a", 50, by(here))
        await here.house.dead_man.leave(by(here))
        assert 0 not in here.venue.timers

    in_world(scenario, terms=POLICY)


def test_in_maintenance_the_policys_timer_is_off():
    """An armed one would cancel everything as soon as the engine is back; afterwards it is wound again."""

    async def scenario(here):
        mode = [VenueMode.ONLINE]
        here.house.dead_man._mode = lambda: mode[0]
        await here.clock.sleep(1.0)
        mode[0] = VenueMode.MAINTENANCE
        await here.clock.sleep(60.0)
        assert [60, 0] == here.venue.timers
        mode[0] = VenueMode.ONLINE
        await here.clock.sleep(3.0)
        assert [60, 0, 60] == here.venue.timers

    in_world(scenario, terms=POLICY)


def test_two_calls_at_once_leave_krakens_timer_at_the_earlier():
    """Whichever answer comes last."""

    async def scenario(here):
        switch = here.house.dead_man
        await asyncio.gather(switch.set_account("a", 60, by(here)), switch.set_account("b", 20, by(here)))
        assert 20 == here.venue.timers[-1]

    in_world(scenario)
