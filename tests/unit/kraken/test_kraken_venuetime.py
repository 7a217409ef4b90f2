"""Kraken's clock: the truth is always inside the bounds, and they only get narrower while clocks behave."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.kraken.venuetime import UNREAD_UNCERTAINTY_S, VenueTime

S = 10**9


def test_unread_clock_is_ours_give_or_take_half_a_second():
    """Before any stamp."""
    reading = VenueTime().reading(0)
    assert (0.0, UNREAD_UNCERTAINTY_S) == (reading.offset_s, reading.uncertainty_s)


@given(
    st.integers(-100 * S, 100 * S),
    st.lists(
        st.tuples(st.integers(1, 30 * S), st.integers(0, S), st.integers(0, S), st.booleans()), min_size=1, max_size=20
    ),
)
def test_true_offset_is_inside_the_bounds(offset_ns, samples):
    """Whatever the journeys of request and answer: whole seconds or exact stamps."""
    estimate, now = VenueTime(), 1_000_000 * S
    for pause, there, back, whole_seconds in samples:
        sent = now + pause
        received = now = sent + there + back
        stamp = sent + there + offset_ns
        if whole_seconds:
            estimate.observe_seconds(sent_ns=sent, received_ns=received, unixtime=stamp // S)
        else:
            estimate.observe(sent_ns=sent, received_ns=received, earliest_ns=stamp, latest_ns=stamp)
        reading = estimate.reading(now)
        assert abs(offset_ns / S - reading.offset_s) <= reading.uncertainty_s + 1e-6
        assert estimate.earliest_ns(now) <= now + offset_ns + 1000


def test_many_readings_are_narrower_than_one():
    """Whole seconds, read at different moments, bound the offset far below half a second."""
    estimate = VenueTime()
    for step in range(40):
        at = 1000 * S + step * S * 27 // 20
        estimate.observe_seconds(sent_ns=at, received_ns=at + S // 100, unixtime=at // S)
    assert estimate.reading(1054 * S).uncertainty_s < 0.1


def test_stepped_clock_starts_anew():
    """A stamp that contradicts all before it is believed."""
    estimate = VenueTime()
    estimate.observe(sent_ns=0, received_ns=0, earliest_ns=0, latest_ns=0)
    estimate.observe(sent_ns=S, received_ns=S, earliest_ns=61 * S, latest_ns=61 * S)
    assert estimate.reading(S).offset_s == pytest.approx(60.0)


def test_certainty_fades_with_age():
    """Clocks drift: an hour later the bounds are wider."""
    estimate = VenueTime()
    estimate.observe(sent_ns=0, received_ns=0, earliest_ns=0, latest_ns=0)
    assert estimate.reading(3600 * S).uncertainty_s == pytest.approx(0.36)
