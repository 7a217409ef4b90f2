"""How far an order's prices lie from the market: which of them are measured, against what, and which take at once."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.collar import Market, has_price, reaches
from execsvc.domain.market import Side
from execsvc.domain.spec import ConditionalClose, Offset, OrderType
from tests.support.specs import spec

D = Decimal
AT_100 = Market(D(99), D(101), D(50))  # the mid is 100
STOP, PROFIT, TRAIL = OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP
BUY, SELL = Side.BUY, Side.SELL


def measured(order):
    """Distance in percent and whether it takes, of each price."""
    return [(each.distance * 100, each.takes) for each in reaches(order, AT_100)]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (spec(limit_price=D(98)), [(2, False)]),
        (spec(limit_price=D("100.9")), [(D("0.9"), False)]),
        (spec(limit_price=D(101)), [(1, True)]),
        (spec(limit_price=D(103)), [(3, True)]),
        (spec(limit_price=D(103), post_only=True), [(3, False)]),
        (spec(limit_price=D(104), side=SELL), [(4, False)]),
        (spec(limit_price=D(99), side=SELL), [(1, True)]),
        (spec(limit_price=D(90), side=SELL), [(10, True)]),
        (spec(OrderType.MARKET), [(1, True)]),
        (spec(OrderType.MARKET, side=SELL), [(1, True)]),
    ],
)
def test_a_price_is_measured_from_the_mid_and_takes_where_it_crosses(order, found):
    """On either side; a post-only order never takes; a market order is at the touch."""
    assert found == measured(order)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (spec(STOP, trigger_price=D(150)), []),
        (spec(STOP, trigger_price=D(150), limit_price=D(153)), [(2, False)]),
        (spec(STOP, side=SELL, trigger_price=D(50), limit_price=D(49)), [(2, False)]),
        (spec(PROFIT, side=SELL, trigger_price=D(200)), []),
        (spec(STOP, trigger_price=D(90)), [(1, True)]),
        (spec(STOP, side=SELL, trigger_price=D(110)), [(1, True)]),
        (spec(PROFIT, side=SELL, trigger_price=D(90), limit_price=D(80)), [(20, True)]),
        (spec(PROFIT, trigger_price=D(110), limit_price=D(95)), [(5, False)]),
    ],
)
def test_a_trigger_is_not_measured_and_what_it_fires_is(order, found):
    """Against its trigger; one that fires at once is as the order it fires."""
    assert found == measured(order)


@pytest.mark.parametrize(
    ("order", "found"),
    [
        (spec(TRAIL, offset=Offset(D(30))), []),
        (spec(TRAIL, offset=Offset(D(30)), limit_offset=Offset(D(-2))), [(2, False)]),
        (spec(TRAIL, offset=Offset(D(3), percent=True), limit_offset=Offset(D(-4), percent=True)), [(4, False)]),
    ],
)
def test_of_a_trailing_stop_only_its_limit_is_measured(order, found):
    """In percent, or against the mid."""
    assert found == measured(order)


@pytest.mark.parametrize(
    ("close", "found"),
    [
        (ConditionalClose(OrderType.LIMIT, limit_price=D(150)), []),
        (ConditionalClose(OrderType.LIMIT, limit_price=D(49)), [(50, True)]),
        (ConditionalClose(STOP, trigger_price=D(50)), []),
        (ConditionalClose(STOP, trigger_price=D(50), limit_price=D(45)), [(10, False)]),
        (ConditionalClose(TRAIL, offset=Offset(D(9)), limit_offset=Offset(D(-49))), [(50, False)]),
    ],
)
def test_a_close_is_measured_where_it_gives_away(close, found):
    """Against the price of its order, 98 here; of profit it may want as much as it likes."""
    assert [(2, False), *found] == measured(spec(limit_price=D(98), conditional_close=close))


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_close_of_a_sale_gives_away_above_it(side):
    """The mirror image."""
    price = D(97) if side is BUY else D(103)
    close = ConditionalClose(OrderType.LIMIT, limit_price=price)
    taking = [
        each for each in reaches(spec(limit_price=D(100), side=side, conditional_close=close), AT_100) if each.takes
    ]
    assert [D("0.03")] == [each.distance for each in taking]


@pytest.mark.parametrize(
    "order",
    [
        spec(OrderType.SETTLE_POSITION, full_position=True, leverage=2),
        spec(OrderType.MARKET, full_position=True, leverage=2),
        spec(OrderType.MARKET, reduce_only=True, leverage=2),
        spec(STOP, trigger_price=D(90), reduce_only=True, leverage=2),
    ],
)
def test_what_closes_at_the_market_has_no_price(order):
    """Nothing keeps a position from being closed, a torn book least of all."""
    assert (False, []) == (has_price(order), measured(order))


def test_what_closes_at_a_limit_has_one():
    """A price typed wrong gives a position away."""
    assert [(30, True)] == measured(spec(side=SELL, limit_price=D(70), reduce_only=True, leverage=2))


@given(price=st.decimals("0.01", "1000", places=2), side=st.sampled_from(Side), post_only=st.booleans())
def test_a_limit_price_lies_as_far_away_as_it_does(price, side, post_only):
    """One reach, its distance that from the mid, and no order takes that does not cross."""
    (found,) = reaches(spec(limit_price=price, side=side, post_only=post_only), AT_100)
    crosses = price >= AT_100.ask if side is BUY else price <= AT_100.bid
    assert (abs(price - 100) / 100, crosses and not post_only) == (found.distance, found.takes)
