"""V is watched: lags are timed, a rare slow one is enough to double it, and what has grown stays grown."""

from dataclasses import replace

from execsvc.app.visibility import Visibility
from execsvc.telemetry import silent
from tests.support.simloop import run_sim
from tests.support.world import new_disk, world


async def built(here, alarms, disk_store=None):
    return Visibility(
        account="main",
        venue=here.venue,
        journal=here.store,
        facts=disk_store or here.store,
        clock=here.clock,
        tasks=here.tasks,
        telemetry=silent(),
        alarm=alarms.append,
        owner=here.house.owner,
    )


def watching(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            alarms = []
            visibility = await built(here, alarms)
            visibility._probed_at = here.clock.monotonic()  # no probe unless a test wants one
            order = (await here.place("c-1")).order
            await scenario(here, visibility, order, alarms)

    run_sim(main())


def named(order, number):
    return replace(order, venue_client_id=f"wire-{number}")


def test_a_lag_within_half_the_bound_changes_nothing():
    """1.4 s of 3: counted, no alarm."""

    async def scenario(here, visibility, order, alarms):
        visibility.answered(order)
        await here.clock.sleep(1.4)
        visibility.streamed(order.venue_client_id)
        assert (3.0, []) == (visibility.bound_s, alarms)

    watching(scenario)


def test_a_slow_sight_doubles_the_bound_aloud():
    """1.6 s of 3, the first order ever timed: more than one in a thousand is slow."""

    async def scenario(here, visibility, order, alarms):
        visibility.answered(order)
        await here.clock.sleep(1.6)
        visibility.streamed(order.venue_client_id)
        assert 6.0 == visibility.bound_s
        assert 1 == len(alarms)

    watching(scenario)


def test_one_slow_sight_in_two_thousand_is_the_tail_it_may_have():
    """The rule is about the 99.9th percentile."""

    async def scenario(here, visibility, order, alarms):
        for number in range(2000):
            visibility.answered(named(order, number))
            visibility.streamed(f"wire-{number}")
        visibility.answered(named(order, "slow"))
        await here.clock.sleep(2.9)
        visibility.streamed("wire-slow")
        assert (3.0, []) == (visibility.bound_s, alarms)

    watching(scenario)


def test_a_stream_that_was_quicker_than_the_answer_is_no_lag():
    """Seen before it was acknowledged; the fill that comes an hour later is not taken for its first sight."""

    async def scenario(here, visibility, order, alarms):
        visibility.streamed(order.venue_client_id)
        visibility.answered(order)
        await here.clock.sleep(3600)
        visibility.streamed(order.venue_client_id)
        assert (3.0, []) == (visibility.bound_s, alarms)

    watching(scenario)


def test_what_our_own_standstill_delays_is_no_lag():
    """A process that was stopped sees everything late, also after it has confirmed its tenure again."""

    async def scenario(here, visibility, order, alarms):
        for confirmed in (False, True):
            visibility.answered(named(order, str(confirmed)))
            here.house.owner._confirmed -= 10
            await here.clock.sleep(1.0 if confirmed else 0.0)
            visibility.streamed(f"wire-{confirmed}")
            await here.clock.sleep(1.0)
        assert (3.0, []) == (visibility.bound_s, alarms)
        assert 0 == visibility._seen

    watching(scenario)


def test_what_a_broken_link_delays_is_no_lag():
    """The stream was away: first sights after it are not counted."""

    async def scenario(here, visibility, order, alarms):
        visibility.answered(order)
        visibility.link_broken()
        await here.clock.sleep(30)
        visibility.streamed(order.venue_client_id)
        assert (3.0, []) == (visibility.bound_s, alarms)

    watching(scenario)


def test_a_grown_bound_outlives_the_process():
    """The next life begins with it, whatever its setting says."""
    disk = new_disk()

    async def grow(here, visibility, order, alarms):
        visibility.answered(order)
        await here.clock.sleep(2.0)
        visibility.streamed(order.venue_client_id)
        await here.clock.sleep(1.0)

    watching(grow, disk=disk)

    async def next_life():
        async with world(disk=disk) as here:
            visibility = await built(here, [])
            assert 3.0 == visibility.bound_s
            await visibility.restore()
            assert 6.0 == visibility.bound_s

    run_sim(next_life())


def test_now_and_then_an_order_is_looked_for_at_once():
    """The probe asks until the order shows: queries that lag by 2 s are found out without any doubt having come up."""

    async def main():
        async with world() as here:
            here.venue.lag_s = 2.0
            await here.place("c-1")
            await here.clock.sleep(8)
            assert 6.0 == here.house.visibility.bound_s
            before = len(here.venue.sweeps)
            await here.place("c-2")
            await here.clock.sleep(8)
            assert before == len(here.venue.sweeps)  # one probe a minute

    run_sim(main())


def test_a_probe_without_an_answer_is_no_lag():
    """Kraken does not answer the look: nothing is learnt."""

    async def main():
        async with world() as here:
            here.venue.sweep_failures = 50
            await here.place("c-1")
            await here.clock.sleep(10)
            assert 3.0 == here.house.visibility.bound_s

    run_sim(main())


def test_the_bound_stops_at_a_minute():
    """However slow the world, a verdict is never a matter of hours."""

    async def scenario(here, visibility, order, alarms):
        for number in range(8):
            visibility.answered(named(order, number))
            await here.clock.sleep(59)
            visibility.streamed(f"wire-{number}")
        assert 60.0 == visibility.bound_s

    watching(scenario)
