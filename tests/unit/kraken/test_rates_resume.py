"""The counters at the start of a life: as full as earlier ones may have left them, by what the journal holds."""

from dataclasses import replace
from decimal import Decimal

import pytest
from kraken_parts import an_order
from rate_parts import with_rates

from execsvc.domain.order import LIVE, TERMINAL, UNRESOLVED, Status
from execsvc.kraken.lanequeue import RESERVE

D = Decimal
S = 10**9
USABLE_REST = D("13.34")  # of a starter's 15
LIFE = 1000.0  # seconds that the machine has run when this life starts
IN_THE_PAST = sorted(LIVE | TERMINAL - {Status.CANCELLED}, key=lambda status: status.value)


def past_order(clock, ago_s, status=Status.OPEN, **more):
    """One whose entry deadline lies that long ago."""
    now_ns = clock.wall_ns()
    written_ns = now_ns - int((ago_s + 5) * S)
    order = replace(
        an_order(clock, f"order-{ago_s}"),
        status=status,
        venue_order_id="O1",
        create_time_ns=written_ns,
        attempt_time_ns=written_ns,
        update_time_ns=written_ns,
        entry_deadline_ns=now_ns - int(ago_s * S),
    )
    return replace(order, **more)


def resumed(*pasts, after_s=0.0, **order):
    """The pair's level so long after a start at which orders of so long ago were known."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        orders = tuple(past_order(rig.clock, ago_s, **order) for ago_s in pasts)
        rig.rates.resume(orders, looks_ran=False, wall_ns=rig.clock.wall_ns())
        await rig.clock.sleep(after_s)
        return rig.level()

    return with_rates(scenario)


def rest_level(past, **parts):
    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        rig.rates.resume(past, wall_ns=rig.clock.wall_ns(), **parts)
        return rig.rest.level(LIFE)

    return with_rates(scenario)


# ---- the key's counter ----------------------------------------------------------------------------------------------


def test_a_new_exchange_starts_with_an_empty_key():
    """It is as new as this process."""
    assert D(0) == rest_level(None, looks_ran=False)


def test_reads_of_an_earlier_life_have_left_the_reserve():
    """They may not use it, so it is there."""
    assert USABLE_REST - RESERVE == rest_level((), looks_ran=False)


def test_looks_of_an_earlier_life_may_have_used_everything():
    """The margin too, for Kraken may lag."""
    assert D(15) == rest_level((), looks_ran=True)


def test_two_looks_fit_right_after_a_start_without_doubts():
    """That is what the reserve is for."""

    def scenario(rig):
        rig.rates.resume((), looks_ran=False, wall_ns=rig.clock.wall_ns())
        return rig.rates.look_wait_s(D(6), leave=D(0))

    assert with_rates(scenario) == 0.0


# ---- the pairs' counters --------------------------------------------------------------------------------------------


def test_no_past_is_an_empty_pair():
    """Nothing was placed."""
    assert D(0) == resumed()


@pytest.mark.parametrize("status", IN_THE_PAST)
def test_every_placement_cost_its_point(status):
    """Whatever became of it: Kraken counts what it received."""
    assert D("0.5") == resumed(0.5, status=status)


def test_placements_of_the_past_have_sunk_as_krakens_count_has():
    """Two at one time, one later: their points go one a second, from the first of them on."""
    assert D(2) == resumed(1.0, 1.0, 0.5)


def test_they_sink_in_the_order_of_time():
    """Whichever order the journal tells them in: an idle time between them is no credit."""
    assert resumed(0.5, 30.0) == resumed(30.0, 0.5) == D("0.5")


def test_what_is_old_costs_nothing_any_more():
    """Its point is long gone."""
    assert D(0) == resumed(100.0, 200.0)


def test_an_order_whose_entry_deadline_is_yet_to_come_costs_in_full():
    """It may have come in just now."""
    assert D(1) == resumed(-3.0)


@pytest.mark.parametrize("status", sorted(UNRESOLVED, key=lambda status: status.value))
def test_one_in_doubt_costs_until_kraken_cannot_count_it_any_more(status):
    """Its deadline and half a minute for a late request; only then it sinks."""
    assert D(1) == resumed(-4.0, status=status, venue_order_id="", after_s=33.9)
    assert D("0.5") == resumed(-4.0, status=status, venue_order_id="", after_s=34.5)


def test_one_in_doubt_with_a_deadline_beyond_reason_is_held_a_minute_and_a_half():
    """A clock that was set does not hold its point for ever."""
    assert D(1) == resumed(-9999.0, status=Status.IN_DOUBT, venue_order_id="", after_s=90.0)
    assert D(0) == resumed(-9999.0, status=Status.IN_DOUBT, venue_order_id="", after_s=91.0)


def test_a_cancelled_order_cost_its_cancel_at_the_dearest():
    """Nobody knows how old it was: eight points, from when its end was written down."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        ended_ns = rig.clock.wall_ns() - 3 * S
        order = past_order(rig.clock, 100.0, Status.CANCELLED, update_time_ns=ended_ns)
        rig.rates.resume((order,), looks_ran=False, wall_ns=rig.clock.wall_ns())
        return rig.level()

    assert with_rates(scenario) == D(5)


@pytest.mark.parametrize("status", [Status.OPEN, Status.PENDING, Status.IN_DOUBT])
def test_a_wished_cancel_of_an_order_that_may_stand_counts_from_now(status):
    """It may have been sent a moment ago; the placement's own point is an old one, or in doubt."""
    expected = D(9) if status is Status.IN_DOUBT else D(8)
    assert expected == resumed(100.0, status=status, cancel_requested=True)


def test_a_wished_cancel_of_an_order_that_ended_counts_from_its_end():
    """It was filled before: written down 103 s ago, and long sunk."""
    assert D(0) == resumed(98.0, status=Status.FILLED, cancel_requested=True)


def test_pairs_are_rebuilt_each_by_its_own_orders():
    """Kraken counts by pair."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        here = past_order(rig.clock, 0.0)
        there = past_order(rig.clock, 0.25, spec=replace(here.spec, symbol="ETH/USD"), venue_order_id="O2")
        rig.rates.resume((here, there), looks_ran=False, wall_ns=rig.clock.wall_ns())
        return rig.level(), rig.level("ETH/USD")

    assert with_rates(scenario) == (D(1), D("0.75"))


# ---- open orders ----------------------------------------------------------------------------------------------------


def open_orders(*orders):
    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        past = [past_order(rig.clock, 100.0, status, venue_order_id=txid) for status, txid in orders]
        rig.rates.resume(tuple(past), looks_ran=False, wall_ns=rig.clock.wall_ns())
        return rig.pair().open_orders(LIFE)

    return with_rates(scenario)


def test_orders_that_were_open_count_as_open():
    """Until the stream shows them ended."""
    assert 2 == open_orders((Status.OPEN, "O1"), (Status.PENDING, "O2"), (Status.FILLED, "O3"), (Status.OPEN, ""))


@pytest.mark.parametrize(("ago_s", "cost"), [(1.0, 8), (100.0, 1), (400.0, 0), (-3.0, 8)])
def test_an_open_order_is_as_old_as_its_entry_deadline_says(ago_s, cost):
    """So a cancel of it costs by that age; it is never born in the future."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        rig.rates.resume((past_order(rig.clock, ago_s),), looks_ran=False, wall_ns=rig.clock.wall_ns())
        before = rig.level()
        rig.rates.cancelling("BTC/USD", "O1")
        return rig.level() - before

    assert with_rates(scenario) == D(cost)


def test_an_earlier_life_in_which_the_clock_ran_ahead_makes_nothing_younger_than_now():
    """A clock that was set back since: the end of an order lies in the future, and counts from now."""

    async def scenario(rig):
        await rig.clock.sleep(LIFE)
        order = past_order(rig.clock, 100.0, Status.CANCELLED, update_time_ns=rig.clock.wall_ns() + 3600 * S)
        rig.rates.resume((order,), looks_ran=False, wall_ns=rig.clock.wall_ns())
        await rig.clock.sleep(1.0)
        return rig.level()

    assert with_rates(scenario) == D(7)
