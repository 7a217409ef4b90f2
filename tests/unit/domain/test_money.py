"""Rules of decimal money."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain import money

STEPS = st.sampled_from([Decimal("0.1"), Decimal("0.00000001"), Decimal("0.5"), Decimal(1), Decimal("0.0005")])
VALUES = st.decimals(min_value=0, max_value=10**9, places=10, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("text", ["0", "1", "0.1", "0.10000000", "123456789012345678.123456789012345678"])
def test_a_decimal_of_the_grammar_keeps_its_digits(text):
    """What is parsed prints as it was written."""
    assert money.text(money.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "+1",
        "1.",
        ".5",
        "01",
        "1e5",
        "1E-8",
        "1,000",
        "NaN",
        "Infinity",
        "1" * 19,
        "0." + "1" * 19,
        "\u0661",
    ],
)
def test_what_is_not_of_the_grammar_is_malformed(text):
    """No exponent, sign, grouping, leading zero, blank or foreign digit passes."""
    with pytest.raises(money.Malformed):
        money.parse(text)


def test_a_negative_passes_only_where_asked_for():
    """The minus sign is allowed by the field, not by the text."""
    assert money.parse("-1.5", signed=True) == Decimal("-1.5")
    with pytest.raises(money.Malformed, match="negative"):
        money.parse("-1.5")


def test_minus_zero_is_refused_even_where_signs_are_allowed():
    """-0 is not a number of the contract."""
    with pytest.raises(money.Malformed, match="-0"):
        money.parse("-0.0", signed=True)


@given(VALUES)
def test_one_value_has_one_numeral(value):
    """Scale does not change the numeral, and the numeral is the value."""
    assert money.numeral(value) == money.numeral(value.normalize()) == money.numeral(value + Decimal("0.000"))
    assert Decimal(money.numeral(value)) == value


@given(VALUES, STEPS)
def test_the_nearest_multiple_is_a_multiple_at_most_half_a_step_away(value, step):
    """The offer made to a caller would pass the check it failed."""
    near = money.nearest(value, step)
    assert money.is_multiple(near, step)
    assert abs(near - value) <= step / 2


@given(VALUES, STEPS)
def test_a_value_off_the_step_is_no_multiple(value, step):
    """Adding a third of a step to a multiple always breaks it."""
    multiple = money.nearest(value, step)
    assert money.is_multiple(multiple, step)
    assert not money.is_multiple(multiple + step / 4, step)


def test_products_are_exact_beyond_28_digits():
    """Price times quantity is never rounded by a context."""
    left, right = Decimal("123456789.123456789123456789"), Decimal("987654321.987654321987654321")
    assert Fraction(left) * Fraction(right) == Fraction(money.product(left, right))
