"""Money in and out: what the grammar takes, what it refuses, and that nothing is lost on the way."""

import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from execsvc_client._amounts import known, moment, seconds, to_wire, when
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")

decimals = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**17), max_value=10**17, places=10)


@given(decimals)
def test_decimals_round_trip(value):
    """A Decimal that the grammar can hold arrives as the same number with the same digits."""
    if value.is_zero():
        value = abs(value)
    text = to_wire(value, "quantity")
    assert GRAMMAR.fullmatch(text)
    assert known(text) == value
    assert format(value, "f") == text


@given(st.integers(min_value=-(10**18) + 1, max_value=10**18 - 1))
def test_ints_round_trip(value):
    """An int arrives as itself."""
    assert known(to_wire(value, "quantity")) == value


@given(st.text(max_size=25))
def test_strings_are_taken_as_the_grammar_says(text):
    """A string passes exactly if the contract's grammar takes it and it is no negative zero."""
    allowed = bool(GRAMMAR.fullmatch(text)) and not (text.startswith("-") and Decimal(text) == 0)
    try:
        passed = to_wire(text, "quantity") == text
    except ValueError:
        passed = False
    assert allowed == passed


@pytest.mark.parametrize("text", ["1e-3", "+1", "01", "1.", ".5", "-0", "-0.00", "1,000", "", " 1", "NaN", "1" * 19])
def test_refused_spellings(text):
    """Exponents, signs, grouping, leading zeros, negative zero and too many digits are refused."""
    with pytest.raises(ValueError, match="limit_price"):
        to_wire(text, "limit_price")


@pytest.mark.parametrize("value", [0.1, 1.0, float("nan")])
def test_floats_are_refused(value):
    """A float is a TypeError that names the field and the remedy."""
    with pytest.raises(TypeError, match=r'quantity is a float.*Decimal\("…"\)'):
        to_wire(value, "quantity")


@pytest.mark.parametrize("value", [True, None, b"1", 1j])
def test_other_types_are_refused(value):
    """A bool is no quantity, nor is anything else that only looks like one."""
    with pytest.raises(TypeError, match="must be a Decimal, a string or an int"):
        to_wire(value, "quantity")


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("Infinity")])
def test_infinite_decimals_are_refused(value):
    """An amount is finite."""
    with pytest.raises(ValueError, match="finite"):
        to_wire(value, "quantity")


def test_exponents_of_decimals_are_written_out():
    """A Decimal in scientific notation is the same number in plain digits."""
    assert to_wire(Decimal("1E-8"), "quantity") == "0.00000001"


def test_empty_is_unknown_and_not_zero():
    """An empty amount on the wire is None."""
    assert known("") is None
    assert known("0") == Decimal(0)


def test_times_need_a_zone():
    """A time without a zone could mean any hour, and is refused."""
    with pytest.raises(ValueError, match="since has no time zone"):
        moment(datetime(2026, 1, 1), "since")  # noqa: DTZ001 - the missing zone is the test
    there = datetime(2026, 1, 1, tzinfo=UTC)
    assert when(moment(there, "since"), present=True) == there
    assert when(Timestamp(), present=False) is None


def test_spans_are_not_negative():
    """A negative wait is refused; a fraction of a second is kept."""
    assert seconds(1.25, "timeout").ToMilliseconds() == 1250
    with pytest.raises(ValueError, match="not negative"):
        seconds(-1, "timeout")
