"""Figures and times: only what money and clocks can be, to the last digit."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.errors import ProtocolBroken
from execsvc.kraken.figures import figure, positive, stamp_ns, unix_ns, whole

D = Decimal


@pytest.mark.parametrize(
    "text", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+999999", "1E+99999", "1E-999999", "1" * 29, "1E-19"]
)
def test_what_is_no_money_is_refused(text):
    """Not finite, too large, too fine."""
    with pytest.raises(ProtocolBroken):
        figure(D(text))
    assert whole(D(text), 8) is None or text == "1" * 29


@pytest.mark.parametrize(("text", "digits"), [("1E+2", "100"), ("-0.00", "0.00"), ("1e-08", "1E-8"), ("0.10", "0.10")])
def test_figures_print_as_digits(text, digits):
    """Exponents above zero are written out, minus zero is zero, scales stay."""
    assert digits == str(figure(D(text)))


def test_negative_is_no_price():
    """Prices and quantities are not below zero."""
    with pytest.raises(ProtocolBroken):
        positive(D("-0.1"))


@given(st.integers(0, 10**15), st.integers(0, 8))
def test_whole_units_are_exact(units, decimals):
    """A value of so many decimals is a whole number of its smallest unit; one digit finer is none."""
    value = D(units).scaleb(-decimals)
    assert units == whole(value, decimals)
    assert whole(value + D(1).scaleb(-decimals - 1), decimals) is None


@given(st.integers(0, 4 * 10**18))
def test_stamps_read_back_to_the_nanosecond(at_ns):
    """RFC 3339 with nine digits, and Unix seconds with fraction."""
    text = f"{datetime.fromtimestamp(at_ns // 10**9, UTC):%Y-%m-%dT%H:%M:%S}.{at_ns % 10**9:09d}Z"
    assert at_ns == stamp_ns(text) == unix_ns(D(at_ns).scaleb(-9))


@pytest.mark.parametrize(
    "text", ["yesterday", "2023-09-25T09:04:31", "2023-09-25T09:04:31.1x2Z", "2023-13-25T09:04:31Z"]
)
def test_unreadable_stamp_is_broken(text):
    """No time is guessed."""
    with pytest.raises(ProtocolBroken):
        stamp_ns(text)
