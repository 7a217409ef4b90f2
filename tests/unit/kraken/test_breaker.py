"""What keeps a key's calls from going out: blocks by lane, one probe after their end, and a stop that has none."""

import pytest

from execsvc.domain.errors import Fault, Reason
from execsvc.kraken.breaker import CANCEL, LANES, READ, TRADE, Breaker
from execsvc.kraken.endpoints import Rank

LOCKED = Fault(Reason.VENUE_LOCKED_OUT, "locked out")
THROTTLED = Fault(Reason.VENUE_RATE_LIMITED, "throttled")
ALL_BUT_CANCELS = {READ, TRADE}
WALL_NS = 1_000


def blocked(lanes=LANES, until=10.0, fault=LOCKED):
    breaker = Breaker()
    breaker.open(lanes, until, WALL_NS, fault)
    return breaker


def refused(breaker, now):
    return [rank for rank in Rank if breaker.refusal(rank, now) is not None]


def test_a_new_breaker_is_closed():
    """Every call may go."""
    breaker = Breaker()
    assert ([], True) == (refused(breaker, 0.0), breaker.lets(Rank.TRADE))
    assert (("closed", None), 0.0) == (breaker.state(READ, 0.0), breaker.left_s(READ, 0.0))


def test_a_lockout_is_for_every_call():
    """Cancels too: Kraken would lengthen it."""
    assert list(Rank) == refused(blocked(), 5.0)


def test_a_throttle_lets_cancels_pass():
    """All but them."""
    assert [Rank.TRADE, Rank.RESOLVE, Rank.READ] == refused(blocked(ALL_BUT_CANCELS, fault=THROTTLED), 5.0)


def test_a_refusal_names_the_exact_wait():
    """Of what is left of the block, to the millisecond, with its reason."""
    refusal = blocked().refusal(Rank.READ, 7.25)
    assert (Reason.VENUE_LOCKED_OUT, 2.75) == (refusal.reason, refusal.retry_after_s)


def test_a_block_ends_by_itself():
    """At its end nothing is refused any more."""
    assert [] == refused(blocked(), 10.0)


def test_how_long_a_lane_stays_closed_is_told():
    """Down to nothing, never below."""
    breaker = blocked(ALL_BUT_CANCELS)
    assert [10.0, 4.0, 0.0, 0.0] == [breaker.left_s(READ, now) for now in (0.0, 6.0, 10.0, 60.0)]
    assert 0.0 == breaker.left_s(CANCEL, 0.0)


def test_a_longer_block_takes_the_place_of_a_shorter_one():
    """And its reason is the one told."""
    breaker = blocked(ALL_BUT_CANCELS, 5.0, THROTTLED)
    breaker.open(LANES, 900.0, WALL_NS, LOCKED)
    assert (Reason.VENUE_LOCKED_OUT, 899.0) == (breaker.refusal(Rank.READ, 1.0).reason, breaker.left_s(READ, 1.0))


def test_a_shorter_block_does_not_end_a_longer_one():
    """A throttle inside a lockout changes nothing."""
    breaker = blocked(LANES, 900.0)
    breaker.open(ALL_BUT_CANCELS, 5.0, WALL_NS, THROTTLED)
    assert (Reason.VENUE_LOCKED_OUT, 899.0) == (breaker.refusal(Rank.READ, 1.0).reason, breaker.left_s(READ, 1.0))


def test_one_call_goes_as_a_probe_after_the_end():
    """The others wait for its answer."""
    breaker = blocked()
    assert breaker.lets(Rank.READ)
    breaker.went(Rank.READ, "probe")
    assert not any(breaker.lets(rank) for rank in Rank)


def test_a_probe_of_one_lane_leaves_other_lanes_alone():
    """A throttle never closed the cancels."""
    breaker = blocked(ALL_BUT_CANCELS)
    breaker.went(Rank.TRADE, "probe")
    assert [Rank.CANCEL] == [rank for rank in Rank if breaker.lets(rank)]


def test_a_probe_that_is_answered_closes_the_breaker():
    """In all lanes of the block."""
    breaker = blocked()
    breaker.went(Rank.READ, "probe")
    breaker.came_back("probe", answered=True)
    assert [("closed", None)] * 3 == [breaker.state(lane, 11.0) for lane in LANES]


def test_a_probe_without_an_answer_leaves_the_next_one_to_try():
    """One at a time still."""
    breaker = blocked()
    breaker.went(Rank.READ, "probe")
    breaker.came_back("probe", answered=False)
    assert breaker.lets(Rank.TRADE)
    breaker.went(Rank.TRADE, "second probe")
    assert not breaker.lets(Rank.READ)


def test_another_calls_answer_does_not_close_it():
    """Only the probe's own proves anything."""
    breaker = blocked()
    breaker.went(Rank.READ, "probe")
    breaker.came_back("an older call", answered=True)
    assert not breaker.lets(Rank.READ)


def test_a_second_call_takes_no_probes_place():
    """The first one stays it."""
    breaker = blocked()
    breaker.went(Rank.READ, "probe")
    breaker.went(Rank.TRADE, "second")
    breaker.came_back("second", answered=True)
    assert not breaker.lets(Rank.READ)


def test_a_probe_that_brings_a_new_block_does_not_open_it():
    """Its answer is the block, even a shorter one: the probe proved the old one over."""
    breaker = blocked(until=900.0)
    breaker.went(Rank.READ, "probe")
    breaker.open(ALL_BUT_CANCELS, 805.0, WALL_NS, THROTTLED)
    breaker.came_back("probe", answered=True)
    assert [Rank.TRADE, Rank.RESOLVE, Rank.READ] == refused(breaker, 801.0)


def test_states_are_told_by_lane():
    """Open with the end on the wall clock, probing after it, closed elsewhere."""
    breaker = blocked(ALL_BUT_CANCELS)
    assert [("closed", None), ("open", WALL_NS)] == [breaker.state(lane, 9.0) for lane in (CANCEL, READ)]
    assert ("probing", None) == breaker.state(READ, 10.0)


@pytest.mark.parametrize("before", [Breaker(), blocked()])
def test_a_stop_has_no_end(before):
    """Whatever else is closed: every call is told its reason, without a wait."""
    fault = Fault(Reason.VENUE_CREDENTIALS_REJECTED, "bad key")
    before.stop(fault)
    assert [fault] * 4 == [before.refusal(rank, 1e9) for rank in Rank]
    assert (("open", None), None) == (before.state(CANCEL, 1e9), before.left_s(CANCEL, 1e9))


def test_it_shows_which_lanes_are_closed():
    """For a log line."""
    stopped = blocked()
    stopped.stop(LOCKED)
    assert ["<Breaker closed>", "<Breaker trade>", "<Breaker stopped>"] == [
        repr(each) for each in (Breaker(), blocked({TRADE}), stopped)
    ]
