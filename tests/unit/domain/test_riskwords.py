"""No figure of a limit is rounded to nothing or onto its limit; whoever is refused learns what is left, and until when."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain import riskwords
from execsvc.domain.riskrules import Bound, RiskScope

D = Decimal
ANY = "every caller, every pair"
AMOUNTS = st.decimals("0", "1000000000000000000", places=18)


@pytest.mark.parametrize(
    ("fraction", "limit", "words"),
    [
        ("0.05", "0.05", "5 %"),
        ("0.01234", "0.05", "1.23 %"),
        ("12", "0.05", "1200 %"),
        ("0.0000000625", "0.000001", "0.00000625 %"),
        ("0.00000062512", "0.000001", "0.0000625 %"),
        ("0.050001", "0.05", "5.0001 %"),
        ("0.049999", "0.05", "4.9999 %"),
        ("0", "0.05", "0 %"),
        ("0.000001", "0.000001", "0.0001 %"),
    ],
)
def test_a_fraction_in_words_is_in_percent(fraction, limit, words):
    """To two places, and further where those say nothing of it."""
    assert words == riskwords.percent(D(fraction), D(limit))


@pytest.mark.parametrize(
    ("value", "limit", "shown"),
    [
        ("60.1", "60", "60.10"),
        ("100.001", "100", "100.001"),
        ("0.0034", "0.001", "0.00340"),
        ("99.999", "100", "99.999"),
    ],
)
def test_dollars_are_shown_to_the_cent_or_finer(value, limit, shown):
    """Where the cent would be the limit itself, or nothing."""
    assert shown == riskwords.dollars(D(value), D(limit))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(D("0.0500"), "0.0500"), (D(100) / 60000, "0.00166667"), (D(1) / 3 / 10**9, "0.000000000333")],
)
def test_a_quantity_is_shown_as_it_is_unless_it_does_not_end(value, shown):
    """An order in quote units is divided by the ask."""
    assert shown == riskwords.units(value, D(1))


@given(AMOUNTS, AMOUNTS, st.sampled_from([riskwords.CENTS, riskwords.FRACTION]))
def test_a_figure_that_is_shown_stands_to_its_limit_as_the_figure_does(value, limit, places):
    """Above, at or below it, and it is nothing only where there is nothing."""
    shown = riskwords.figure(value, limit, places)
    assert (value.compare(limit), bool(value)) == (shown.compare(limit), bool(shown))


@given(st.integers(1, 10**6), st.sampled_from([7, 9, 11, 13]))
def test_a_figure_that_does_not_end_stands_to_its_limit_all_the_same(n, by):
    """However near it comes."""
    value = D(n) / D(by)
    limit = value.quantize(D("1e-18"))
    assert value.compare(limit) == riskwords.figure(value, limit, riskwords.FRACTION).compare(limit)


# ---- what adds up ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "total", "this", "words"),
    [
        (
            "max_daily_notional", "4055.04", "2500",
            (f"today's notional of {ANY}: 1555.04 USD used and 2500.00 USD of this order make 4055.04 USD, above the limit "
            "of 2000 USD; 444.96 USD is left, and the day ends at 00:00 UTC"),
        ),
        (
            "max_daily_notional", "2600", "500",
            (f"today's notional of {ANY}: 2100.00 USD used and 500.00 USD of this order make 2600.00 USD, above the limit "
            "of 2000 USD; nothing is left, and the day ends at 00:00 UTC"),
        ),
        (
            "max_daily_notional", "1700", "500",
            (f"today's notional of {ANY}: 1200.00 USD used and 500.00 USD of this order make 1700.00 USD, within the limit "
            "of 2000 USD; 300.00 USD is left after it, and the day ends at 00:00 UTC"),
        ),
        (
            "max_daily_notional", "2600", None,
            (f"today's notional of {ANY}: 2600.00 USD with the order as amended, above the limit of 2000 USD; "
            "the day ends at 00:00 UTC"),
        ),
        (
            "max_open_notional", "2100", "500",
            (f"open notional of {ANY}: 1600.00 USD used and 500.00 USD of this order make 2100.00 USD, above the limit "
            "of 2000 USD; 400.00 USD is left"),
        ),
        (
            "max_open_notional", "2100", None,
            f"open notional of {ANY}: 2100.00 USD with the order as amended, above the limit of 2000 USD",
        ),
    ],
)  # fmt: skip
def test_a_sum_says_what_is_used_what_the_order_adds_and_what_is_left(name, total, this, words):
    """And of the day, when it ends."""
    bound, over = Bound(name, D(2000), RiskScope()), D(total) > 2000
    assert words == riskwords.notional(bound, D(total), this and D(this), over=over)


def test_what_is_left_is_never_more_than_there_is():
    """Rounded down, where what is used is rounded otherwise."""
    said = riskwords.notional(Bound("max_open_notional", D(2000), RiskScope()), D("2001.004"), D("100"), over=True)
    assert "1901.00 USD used" in said
    assert said.endswith("98.99 USD is left")


@pytest.mark.parametrize(
    ("lost", "over", "words"),
    [
        (
            "500", True,
            (f"today's loss of {ANY}: 500.00 USD has reached the limit of 500 USD; reduce_only without a conditional close "
            "passes, and the day ends at 00:00 UTC"),
        ),
        (
            "499.999", False,
            f"today's loss of {ANY}: 499.999 USD, within the limit of 500 USD; the day ends at 00:00 UTC",
        ),
    ],
)  # fmt: skip
def test_a_loss_that_has_reached_its_limit_says_what_passes(lost, over, words):
    """And when the day ends, either way."""
    assert words == riskwords.loss(Bound("max_daily_loss", D(500), RiskScope()), D(lost), over=over)


@pytest.mark.parametrize(
    ("count", "limit", "words"),
    [
        (1, 2, "1 order with this one, within the limit of 2 orders"),
        (2, 1, "2 orders with this one, above the limit of 1 order"),
        (1, 0, "1 order with this one, above the limit of 0 orders"),
    ],
)
def test_one_order_is_not_several(count, limit, words):
    """Of what is counted and of the limit."""
    bound = Bound("max_open_orders", D(limit), RiskScope("ann"))
    said = riskwords.open_orders(bound, D(count), over=count > limit)
    assert f"open orders of caller ann, every pair: {words}" == said
