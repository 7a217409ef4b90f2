"""Pair rules an order must meet."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.domain.errors import Reason
from execsvc.domain.instrument import Instrument, InstrumentStatus, pair_faults

PAIR = Instrument(
    symbol="BTC/USD",
    base="BTC",
    quote="USD",
    status=InstrumentStatus.ONLINE,
    price_increment=Decimal("0.1"),
    price_decimals=1,
    quantity_increment=Decimal("0.00000001"),
    quantity_decimals=8,
    min_quantity=Decimal("0.0001"),
    min_cost=Decimal("0.5"),
    cost_decimals=5,
)


def faults(quantity="0.001", price="60000.0", *, post_only=False, pair=PAIR):
    limit = None if price is None else Decimal(price)
    return pair_faults(pair, quantity=Decimal(quantity), limit_price=limit, post_only=post_only)


def test_an_order_within_the_rules_has_no_fault():
    """Tick, lot, minimum, cost and status hold."""
    assert faults() == ()


@pytest.mark.parametrize(("price", "nearest"), [("60000.05", "60000.0"), ("60000.06", "60000.1"), ("0.14", "0.1")])
def test_an_off_tick_price_is_refused_with_increment_and_nearest(price, nearest):
    """Prices are never rounded silently; the caller is offered the nearest."""
    (fault,) = faults(quantity="10", price=price)
    assert fault.reason is Reason.TICK_SIZE_VIOLATED
    assert (fault.metadata["increment"], fault.metadata["nearest"]) == ("0.1", nearest)
    assert [bad.path for bad in fault.fields] == ["spec.limit.limit_price"]


def test_a_quantity_finer_than_the_lot_is_refused():
    """More decimals than the pair has are named, not cut."""
    (fault,) = faults(quantity="0.001000001")
    assert (fault.reason, fault.metadata["nearest"]) == (Reason.TICK_SIZE_VIOLATED, "0.00100000")


@pytest.mark.parametrize(("quantity", "refused"), [("0.0001", False), ("0.00009999", True)])
def test_the_least_quantity_is_inclusive(quantity, refused):
    """Exactly the minimum passes, one lot less does not."""
    assert [fault.metadata for fault in faults(quantity)] == (
        [{"min_quantity": "0.0001", "symbol": "BTC/USD"}] if refused else []
    )


@pytest.mark.parametrize(("price", "refused"), [("50.0", False), ("49.9", True)])
def test_the_least_cost_is_inclusive_for_limit_orders(price, refused):
    """Quantity times price must reach the cost minimum of the pair."""
    assert [fault.reason for fault in faults("0.01", price)] == ([Reason.ORDER_MINIMUM_NOT_MET] if refused else [])


def test_a_market_orders_cost_is_left_to_the_exchange():
    """Its price is not known here, so only its quantity is judged."""
    assert faults("0.0001", None) == ()


@pytest.mark.parametrize(
    ("status", "price", "post_only", "refused"),
    [
        (InstrumentStatus.CANCEL_ONLY, "60000.0", True, True),
        (InstrumentStatus.REDUCE_ONLY, "60000.0", False, True),
        (InstrumentStatus.POST_ONLY, "60000.0", True, False),
        (InstrumentStatus.POST_ONLY, "60000.0", False, True),
        (InstrumentStatus.LIMIT_ONLY, "60000.0", False, False),
        (InstrumentStatus.LIMIT_ONLY, None, False, True),
        (InstrumentStatus.MAINTENANCE, "60000.0", False, True),
    ],
)
def test_the_pairs_status_decides_what_may_be_sent(status, price, post_only, refused):
    """Cancel-only takes nothing, post-only only resting orders, limit-only no market orders."""
    found = faults(price=price, post_only=post_only, pair=replace(PAIR, status=status))
    assert [fault.reason for fault in found] == ([Reason.INSTRUMENT_STATUS] if refused else [])


def test_every_broken_rule_is_told_at_once():
    """A caller mends all of it in one go."""
    found = faults(quantity="0.000000001", price="0.15")
    assert {fault.reason for fault in found} == {Reason.TICK_SIZE_VIOLATED, Reason.ORDER_MINIMUM_NOT_MET}
    assert len(found) == 3
