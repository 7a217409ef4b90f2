"""The door to a pair's counter: room now or in turn, and exact waits that are kept."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from room_parts import A_MOMENT, STARTER, at_door

from execsvc.domain.errors import Busy, Reason
from execsvc.kraken.room import CLAIMS_MAX, GRACE_S

# ---- now ------------------------------------------------------------------------------------------------------------


def test_where_there_is_room_it_is_set_aside_at_once():
    """The next asker sees a point less."""

    async def scenario(here):
        await here.ask()
        return here.pair.counter.headroom(0.0), here.pair.open_orders(0.0)

    assert at_door(scenario, 2) == (Decimal(1), 1)


def test_the_last_point_is_given_and_the_margin_is_not():
    """All that may be used is used, no more."""

    async def scenario(here):
        await here.ask()
        return (await here.refused()).reason

    assert Reason.LOCAL_RATE_LIMITED is at_door(scenario, 1)


def test_a_refusal_names_counter_level_and_wait():
    """What a caller needs to act: whose counter, how full, when there is room."""

    async def scenario(here):
        return await here.refused()

    fault = at_door(scenario)
    expected = {"subject": "kraken:engine:BTC/USD", "level": "57", "max": "60"}
    assert (expected, 1.0) == (dict(fault.metadata), fault.retry_after_s)
    assert "nothing was sent, there is room for it in 1.000 s" in fault.message


def test_too_many_open_orders_are_refused_without_a_wait():
    """No time heals that, only a cancel."""

    async def scenario(here):
        here.pair.open_orders_max = 1
        here.pair.seen_open("O1", 0.0)
        return await here.refused(by=100.0)

    fault = at_door(scenario, 9)
    assert (Reason.VENUE_ORDER_LIMIT, None) == (fault.reason, fault.retry_after_s)
    assert {"limit": "1", "symbol": "BTC/USD"} == dict(fault.metadata)


def test_an_order_that_ends_makes_room_for_the_next():
    """The cap is of orders that may be open."""

    async def scenario(here):
        here.pair.open_orders_max = 1
        here.pair.accepted((await here.ask()).adding, "O1", 0.0)
        refusal = (await here.refused()).reason
        here.pair.seen_ended("O1", 0.0)
        await here.ask()
        return refusal, len(here.granted)

    assert at_door(scenario, 9) == (Reason.VENUE_ORDER_LIMIT, 2)


# ---- promises -------------------------------------------------------------------------------------------------------


def test_who_comes_when_told_gets_room():
    """The wait that was told is exact."""

    async def scenario(here):
        await here.clock.sleep(await here.wait())
        await here.ask()
        return here.granted

    assert at_door(scenario) == [("me", 1.0)]


def test_who_comes_a_moment_early_is_told_the_moment():
    """No earlier: a wait told is not rounded down."""

    async def scenario(here):
        await here.clock.sleep(await here.wait() - 0.1)
        return await here.wait("other")

    assert at_door(scenario) == 1.1  # behind the one who was promised the first


def test_a_promised_place_is_kept_for_a_moment():
    """Somebody who comes meanwhile is told to wait for the one after."""

    async def scenario(here):
        await here.wait("first")
        await here.clock.sleep(1.0 + GRACE_S - A_MOMENT)
        waited = await here.wait("second")
        await here.ask("first")
        return here.granted, round(waited, 3)

    granted, waited = at_door(scenario)
    assert ([("first", 1.499)], 0.501) == (granted, waited)


def test_a_promise_is_not_kept_for_ever():
    """After its moment of grace the place is the next one's."""

    async def scenario(here):
        await here.wait("first")
        await here.clock.sleep(1.0 + GRACE_S + A_MOMENT)
        await here.ask("second")
        return here.granted, len(here.turns)

    assert at_door(scenario) == ([("second", 1.501)], 0)


def test_several_callers_are_promised_one_after_the_other():
    """Each the time at which there is room for it behind those before."""

    async def scenario(here):
        return [await here.wait(caller) for caller in "abc"]

    assert at_door(scenario) == [1.0, 2.0, 3.0]


def test_a_caller_that_asks_without_pause_holds_so_many_places_only():
    """Further asks are told the wait of its last one, and take nobody's turn."""

    async def scenario(here):
        waits = [await here.wait() for _ in range(CLAIMS_MAX + 3)]
        return waits, len(here.turns), await here.wait("other")

    waits, places, other = at_door(scenario)
    assert [float(number) for number in range(1, CLAIMS_MAX + 1)] == waits[:CLAIMS_MAX]
    assert ([float(CLAIMS_MAX)] * 3, CLAIMS_MAX) == (waits[CLAIMS_MAX:], places)
    assert other == 2.0  # behind one turn of the flood, not behind the flood


def test_a_flood_gets_every_second_point_when_another_wants_them_too():
    """Asking a hundred times as often brings no more than a share."""

    async def scenario(here):
        async def flood():
            while here.clock.monotonic() < 20.0:
                with suppress(Busy):
                    await here.ask("flood")
                await here.clock.sleep(0.05)

        async def steady():
            while here.clock.monotonic() < 20.0:
                try:
                    await here.ask("steady")
                except Busy as refusal:
                    await here.clock.sleep(refusal.fault.retry_after_s)

        await asyncio.gather(flood(), steady())
        names = [caller for caller, _ in here.granted]
        return names.count("flood"), names.count("steady")

    flood, steady = at_door(scenario)
    assert flood + steady >= 19
    assert abs(flood - steady) <= 2


def test_a_promise_that_others_have_overrun_is_given_anew():
    """Kraken told that its count is higher: whoever comes in time is told the new time and keeps its place."""

    async def scenario(here):
        await here.clock.sleep(await here.wait("first"))
        here.pair.counter.fill(1.0)
        first = await here.wait("first")
        return first, await here.wait("second"), len(here.turns)

    assert at_door(scenario) == (4.0, 5.0, 2)


# ---- in turn --------------------------------------------------------------------------------------------------------


def test_who_has_time_waits_inside():
    """Until there is room, to the moment."""

    async def scenario(here):
        await here.ask(by=1.0)
        return here.granted

    assert at_door(scenario) == [("me", 1.0)]


@pytest.mark.parametrize("by", [1.0, 1.4, 30.0])
def test_who_was_told_to_come_again_may_wait_in_that_place(by):
    """It does not stand behind itself."""

    async def scenario(here):
        await here.wait()
        await here.ask(by=by)
        return here.granted, len(here.turns)

    assert at_door(scenario) == ([("me", 1.0)], 0)


def test_a_place_in_which_a_call_waits_already_is_not_another_ones():
    """Two calls of one caller wait in two places."""

    async def scenario(here):
        await here.wait()
        await asyncio.gather(here.ask(by=30.0), here.ask(by=30.0))
        return here.granted

    assert at_door(scenario) == [("me", 1.0), ("me", 2.0)]


def test_who_waited_in_its_place_in_vain_keeps_it():
    """Told the new time, it may come again."""

    async def scenario(here):
        await here.wait()
        waited = await here.wait(by=0.5)
        await here.clock.sleep(waited)
        await here.ask()
        return waited, here.granted

    assert at_door(scenario) == (1.0, [("me", 1.0)])


def test_who_has_too_little_time_is_told_at_once():
    """Nobody waits for what cannot be."""

    async def scenario(here):
        waited = await here.wait(by=0.999)
        return waited, here.clock.monotonic()

    assert at_door(scenario) == (1.0, 0.0)


def test_those_who_wait_are_served_fairly():
    """Four calls of one caller, one of another that came last: it is second."""

    async def scenario(here):
        flood = [here.waiting("flood") for _ in range(4)]
        await asyncio.sleep(0)
        await asyncio.gather(*flood, here.waiting("other"))
        return here.granted

    assert at_door(scenario) == [("flood", 1.0), ("other", 2.0), ("flood", 3.0), ("flood", 4.0), ("flood", 5.0)]


def test_a_caller_of_more_weight_gets_more_turns():
    """Shares are the operator's."""

    async def scenario(here):
        calls = [here.waiting(caller) for caller in ("light", "heavy") for _ in range(4)]
        await asyncio.gather(*calls)
        return "".join(caller[0] for caller, _ in here.granted)

    assert at_door(scenario, weights={"heavy": 2}).startswith("hlhhlh")


def test_who_waits_knows_at_once_when_room_is_given_back():
    """A send that never left frees its point for the one who waits, before any point has sunk."""

    async def scenario(here):
        room = await here.ask()
        waiting = here.waiting("next")
        await here.clock.sleep(0.25)
        room.release()
        await waiting
        return here.granted

    assert at_door(scenario, 1) == [("me", 0.0), ("next", 0.25)]


def test_who_gives_up_leaves_its_turn_to_the_next():
    """The one behind moves up, and gets there as if nobody had been before it."""

    async def scenario(here):
        first, second = here.waiting("first"), here.waiting("second")
        await here.clock.sleep(0.5)
        first.cancel()
        await second
        return here.granted, len(here.turns)

    assert at_door(scenario) == ([("second", 1.0)], 0)


def test_a_counter_that_turns_out_fuller_is_waited_for_as_long_as_there_is_time():
    """Kraken says that it is full: the one who waits does not go, and is told when its time cannot do."""

    async def scenario(here):
        patient, hasty = here.waiting("patient", 6.0), here.waiting("hasty", 3.0)
        await here.clock.sleep(0.5)
        here.pair.counter.fill(0.5)
        results = await asyncio.gather(patient, hasty, return_exceptions=True)
        return here.granted, results[1].fault.retry_after_s

    assert at_door(scenario) == ([("patient", 4.5)], 3.5)


def test_a_pair_that_becomes_crowded_refuses_those_who_wait():
    """Room of points is no room for one order more; the place is given up."""

    async def scenario(here):
        waiting = here.waiting("me")
        await asyncio.sleep(0)
        here.pair.open_orders_max = 0
        (result,) = await asyncio.gather(waiting, return_exceptions=True)
        return result.reason, len(here.turns)

    assert at_door(scenario) == (Reason.VENUE_ORDER_LIMIT, 0)


def test_a_counter_too_small_for_any_placement_never_has_room():
    """Said so, instead of waiting for ever."""

    async def scenario(here):
        return await here.wait(by=1e9)

    assert at_door(scenario, tier=replace(STARTER, engine_max=0)) == float("inf")


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0, 20), st.sampled_from([0.0, 0.5, 3.0, 30.0])),
        min_size=1,
        max_size=30,
    )
)
def test_nobody_goes_before_there_is_room_and_nobody_is_forgotten(asks):
    """Never more granted than points have sunk, each one served in its time or told, and no place left over."""

    async def scenario(here):
        async def come(caller, at, patience_s):
            await here.clock.sleep(at)
            by = here.clock.monotonic() + patience_s
            try:
                room = await here.ask(caller, by)
            except Busy as refusal:
                return here.clock.monotonic() <= by + 1e-6 and refusal.fault.retry_after_s > 0
            here.pair.refused(room.adding, here.clock.monotonic())
            return here.clock.monotonic() <= by + 1e-6

        fine = await asyncio.gather(*(come(*ask) for ask in asks))
        times = sorted(at for _, at in here.granted)
        overdrawn = [at for number, at in enumerate(times, 1) if number > at + A_MOMENT]
        idle = [place for place in here.turns if place.value.waits]
        return all(fine), overdrawn, idle

    assert at_door(scenario) == (True, [], [])


def test_it_shows_its_pair_and_who_waits():
    """For a log line."""

    async def scenario(here):
        await here.wait()
        return repr(here.door)

    assert at_door(scenario) == "<PairDoor <PairCounter BTC/USD <Counter 57/60> 0 open> 1 waiting>"


def test_who_waits_inside_goes_when_a_promise_before_it_is_lost():
    """One was told to come after 1 s and does not: its place is given up half a second later."""

    async def scenario(here):
        await here.wait("gone")
        await here.ask("patient", 100.0)
        return here.granted

    assert at_door(scenario) == [("patient", 1.0 + GRACE_S)]
