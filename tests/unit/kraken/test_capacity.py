"""When calls may go, others that wait not counted: what GetLimits and plans are told, and when a look may begin."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rate_parts import spend, with_rates

from execsvc.domain.errors import Fault, Reason
from execsvc.kraken.breaker import TRADE
from execsvc.kraken.lanequeue import RESERVE
from execsvc.ports import CallClass, CapacityAnswer, CapacityQuestion

D = Decimal
PAIR = "BTC/USD"
LOCKED = Fault(Reason.VENUE_LOCKED_OUT, "locked out")


def may(rig, kind, count=1, **more):
    return rig.rates.capacity(CapacityQuestion(kind, PAIR, count, **more))


def capacity(kind, count=1, *, use=None, block=None, tier="starter", **more):
    """The answer of rates of which `use` points of the pair are spent and whose lanes are closed for 10 s."""

    def scenario(rig):
        if use is not None:
            rig.use(D(use))
        if block is not None:
            rig.breaker.open(block, 10.0, 10, LOCKED)
        return may(rig, kind, count, **more)

    return with_rates(scenario, tier)


# ---- capacity -------------------------------------------------------------------------------------------------------


def test_an_idle_pair_takes_all_that_it_may():
    """57 of 60: the rest is the margin; afterwards one a second."""
    assert CapacityAnswer(57, 0.0, 1.0) == capacity(CallClass.PLACE, 57)


def test_a_few_more_must_wait_until_all_of_them_may_go():
    """Ten are wanted and seven may go: three seconds."""
    assert CapacityAnswer(7, 3.0, 1.0) == capacity(CallClass.PLACE, 10, use=50)


def test_more_than_a_counter_holds_never_go_at_once():
    """58 are one more than ever fits."""
    assert CapacityAnswer(57, None, 1.0) == capacity(CallClass.PLACE, 58)


def test_more_orders_than_may_be_open_never_go():
    """However long one waits: something must be cancelled first."""

    def scenario(rig):
        for number in range(58):
            rig.rates.seen(PAIR, f"O{number}", is_open=True)
        return may(rig, CallClass.PLACE, 2), may(rig, CallClass.PLACE, 3)

    assert with_rates(scenario) == (CapacityAnswer(2, 0.0, 1.0), CapacityAnswer(2, None, 1.0))


def test_a_pair_with_more_orders_than_its_tier_allows_takes_none():
    """The tier was thought to be a higher one."""

    def scenario(rig):
        for number in range(70):
            rig.rates.seen(PAIR, f"O{number}", is_open=True)
        return may(rig, CallClass.PLACE)

    assert with_rates(scenario) == CapacityAnswer(0, None, 1.0)


def test_a_blocked_lane_lets_nothing_go_before_its_end():
    """The counter has room, the lane has none: the longer wait is told."""
    assert CapacityAnswer(0, 10.0, 1.0) == capacity(CallClass.PLACE, block={TRADE})


def test_a_counter_that_outlasts_the_block_is_the_longer_wait():
    """Both must be over."""
    assert CapacityAnswer(0, 20.0, 1.0) == capacity(CallClass.PLACE, 20, use=57, block={TRADE})


def test_a_blocked_lane_lets_nothing_go_however_few_orders_may_be_open():
    """More are wanted than may ever be open: none now, and no wait that heals it."""

    def scenario(rig):
        for number in range(58):
            rig.rates.seen(PAIR, f"O{number}", is_open=True)
        rig.breaker.open({TRADE}, 10.0, 10, LOCKED)
        return may(rig, CallClass.PLACE, 3)

    assert with_rates(scenario) == CapacityAnswer(0, None, 1.0)


def test_a_stopped_key_lets_nothing_go_ever():
    """No wait and no spacing can be named."""

    def scenario(rig):
        rig.breaker.stop(LOCKED)
        return may(rig, CallClass.PLACE), may(rig, CallClass.READ)

    assert with_rates(scenario) == (CapacityAnswer(0, None, None), CapacityAnswer(0, None, None))


def test_cancels_are_never_counted_out():
    """As many as are wanted, at any time."""
    assert CapacityAnswer(500, 0.0, None) == capacity(CallClass.CANCEL, 500, use=57)


@pytest.mark.parametrize(("age_s", "cost"), [(None, 4), (0.0, 4), (12.0, 2), (15.0, 1), (900.0, 1)])
def test_an_amend_costs_by_the_age_of_its_order(age_s, cost):
    """Unknown is the youngest, so the dearest; open orders do not grow by it."""
    assert CapacityAnswer(57 // cost, 0.0, float(cost)) == capacity(CallClass.AMEND, order_age_s=age_s)


def test_an_amend_needs_no_open_order_more():
    """A pair at its cap amends all the same."""

    def scenario(rig):
        for number in range(60):
            rig.rates.seen(PAIR, f"O{number}", is_open=True)
        return may(rig, CallClass.AMEND, order_age_s=20.0).wait_s

    assert with_rates(scenario) == 0.0


@pytest.mark.parametrize(
    ("kind", "allowed", "spacing"), [(CallClass.READ, 7, 1 / 0.33), (CallClass.HISTORY, 3, 2 / 0.33)]
)
def test_reads_leave_the_reserve(kind, allowed, spacing):
    """13.34 points may be used, six of them by looks alone."""
    answer = capacity(kind, allowed)
    assert (allowed, 0.0, round(spacing, 6)) == (answer.allowed_now, answer.wait_s, round(answer.spacing_s, 6))
    assert capacity(kind, allowed + 1).wait_s is None


@given(st.integers(0, 57), st.integers(1, 57))
def test_what_may_go_now_may_and_what_must_wait_must(used, count):
    """All of them at once exactly when the answer allows them, and after the wait they may."""

    def scenario(rig):
        rig.use(D(used))
        answer = may(rig, CallClass.PLACE, count)
        counter = rig.pair().counter
        just_before = counter.wait_s(D(count), max(0.0, answer.wait_s - 1e-3))
        then = counter.wait_s(D(count), answer.wait_s)
        return answer.allowed_now >= count, answer.wait_s, then, just_before

    at_once, wait_s, then, just_before = with_rates(scenario)
    assert (at_once, 0.0) == (wait_s == 0, then)
    assert (just_before > 0) == (wait_s > 0)


# ---- looks ----------------------------------------------------------------------------------------------------------


def look_wait(used, cost, leave):
    def scenario(rig):
        spend(rig.rest, D(used), 0.0)
        return round(rig.rates.look_wait_s(D(cost), leave=D(leave)), 3)

    return with_rates(scenario)


def test_a_look_that_leaves_what_it_must_begins_now():
    """Points are there."""
    assert 0.0 == look_wait("4.34", 3, RESERVE)


def test_a_look_waits_until_it_leaves_what_it_must():
    """A third of a point a second: one point is three seconds."""
    assert 3.03 == look_wait("5.34", 3, RESERVE)


def test_a_look_that_counts_may_use_the_reserve():
    """That is what it is for."""
    assert 0.0 == look_wait("10.34", 3, 0)


@pytest.mark.parametrize(("used", "wait_s"), [("0", 0.0), ("3.3", 10.0)])
def test_a_look_too_dear_for_the_counter_begins_when_that_is_empty(used, wait_s):
    """Or it would never begin."""
    assert wait_s == look_wait(used, 41, 0)
