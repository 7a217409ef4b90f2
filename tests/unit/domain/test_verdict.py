"""The proof of a negative."""

from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.order import Status, VenueOrder
from execsvc.domain.verdict import AskAgain, EmptySweep, Evidence, NotPlaced, Placed, judge

REPORT = VenueOrder("OTX", "wire", Status.OPEN)
DEADLINE, VISIBILITY = 1_000, 300
SWEEPS = st.lists(st.builds(lambda b, d: EmptySweep(b, b + d), st.integers(0, 3_000), st.integers(1, 200)), max_size=5)


def evidence(*sweeps, barrier=1_100, found=None):
    return Evidence(DEADLINE, VISIBILITY, found, barrier, tuple(sweeps))


def test_an_order_found_is_placed_whatever_else_is_known():
    """A positive outranks two empty sweeps."""
    assert judge(evidence(EmptySweep(2_000, 2_010), EmptySweep(2_020, 2_030), found=REPORT), 3_000) == Placed(REPORT)


def test_two_sweeps_after_deadline_barrier_and_visibility_prove_absence():
    """The full proof."""
    assert judge(evidence(EmptySweep(1_400, 1_410), EmptySweep(1_410, 1_420)), 1_420) == NotPlaced()


def test_one_sweep_is_not_enough():
    """The second look covers what became visible during the first."""
    assert judge(evidence(EmptySweep(1_400, 1_410)), 1_410) == AskAgain(1_410)


def test_sweeps_that_overlap_count_once():
    """The second must begin after the first ended."""
    assert judge(evidence(EmptySweep(1_400, 1_450), EmptySweep(1_420, 1_460)), 1_460) == AskAgain(1_460)


def test_a_sweep_before_the_visibility_bound_does_not_count():
    """What got in at the last moment may still be invisible."""
    assert judge(evidence(EmptySweep(1_399, 1_405), EmptySweep(1_410, 1_420)), 1_420) == AskAgain(1_420)


def test_without_a_barrier_nothing_is_proved():
    """The request could still get in."""
    sweeps = (EmptySweep(5_000, 5_010), EmptySweep(5_020, 5_030))
    assert judge(evidence(*sweeps, barrier=None), 6_000) == AskAgain(6_000)


@given(SWEEPS, st.one_of(st.none(), st.integers(0, 2_000)), st.integers(0, 5_000))
def test_a_negative_always_has_its_three_facts(sweeps, barrier, now):
    """No evidence leads to NotPlaced without barrier, deadline + V, and two later sweeps in a row."""
    verdict = judge(evidence(*sweeps, barrier=barrier), now)
    if isinstance(verdict, NotPlaced):
        assert barrier is not None
        settled = max(DEADLINE, barrier) + VISIBILITY
        later = [sweep for sweep in sweeps if sweep.began >= settled]
        assert any(b.began >= a.ended for a in later for b in later if a is not b)
    else:
        assert isinstance(verdict, AskAgain)
        assert verdict.at >= now
