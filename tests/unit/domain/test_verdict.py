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
    assert judge(evidence(EmptySweep(1_400, 1_410), EmptySweep(1_710, 1_720)), 1_720) == NotPlaced()


def test_one_sweep_is_not_enough():
    """The second look covers what became visible during the first."""
    assert judge(evidence(EmptySweep(1_400, 1_410)), 1_410) == AskAgain(1_710)


def test_sweeps_closer_than_the_visibility_bound_count_once():
    """An order on its way from the open orders to the closed ones may show in neither: the second look waits that out."""
    close = evidence(EmptySweep(1_400, 1_450), EmptySweep(1_749, 1_755))
    assert judge(close, 1_760) == AskAgain(1_760)
    assert judge(close.with_sweep(EmptySweep(1_760, 1_765)), 1_765) == NotPlaced()


def test_a_sweep_before_the_visibility_bound_does_not_count():
    """What got in at the last moment may still be invisible."""
    assert judge(evidence(EmptySweep(1_399, 1_405), EmptySweep(1_710, 1_720)), 1_720) == AskAgain(2_020)


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
        assert any(b.began >= a.ended + VISIBILITY for a in later for b in later if a is not b)
    else:
        assert isinstance(verdict, AskAgain)
        assert verdict.at >= now


@given(
    entered=st.one_of(st.none(), st.integers(0, 1_000)),
    closes_after=st.one_of(st.none(), st.integers(0, 2_500)),
    shows_after=st.integers(0, VISIBILITY),
    closed_shows_after=st.integers(0, VISIBILITY),
    pauses=st.lists(st.integers(1, 400), min_size=1, max_size=30),
)
def test_no_order_that_is_there_is_ever_called_absent(entered, closes_after, shows_after, closed_shows_after, pauses):
    """However it enters, closes and lags within V, looks at any moments either find it or prove nothing."""
    known, now = evidence(barrier=DEADLINE), 0
    for pause in pauses:
        began, open_at, closed_at = now + pause, now + pause + 1, now + pause + 3
        now = began + 4
        closes = None if entered is None or closes_after is None else entered + closes_after
        in_open = entered is not None and entered + shows_after <= open_at and (closes is None or closes > open_at)
        in_closed = closes is not None and closes + closed_shows_after <= closed_at
        if in_open or in_closed:
            return
        known = known.with_sweep(EmptySweep(began, now))
        if isinstance(judge(known, now), NotPlaced):
            assert entered is None
            return
