"""What a grant lets through of an order with a conditional close: each fill of it places another one, on the other side."""

from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.errors import Reason
from execsvc.domain.market import Side
from execsvc.domain.spec import ConditionalClose, OrderType
from tests.support.specs import spec

TRADE = Grant(frozenset({Permission.TRADE}))
CLOSE = ConditionalClose(OrderType.STOP_LOSS, trigger_price=Decimal(90))
ENTRY = spec(limit_price=Decimal(100), conditional_close=CLOSE)


@pytest.mark.parametrize(
    ("bounds", "granted"),
    [
        ({}, True),
        ({"sides": {Side.BUY}}, False),
        ({"sides": {Side.BUY, Side.SELL}}, True),
        ({"order_types": {OrderType.LIMIT}}, False),
        ({"order_types": {OrderType.LIMIT, OrderType.STOP_LOSS}}, True),
    ],
    ids=["anything", "buys alone", "both sides", "limits alone", "limits and stops"],
)
def test_what_a_conditional_close_would_place_has_to_be_granted_too(bounds, granted):
    """A caller that may only buy gets nothing sold by it, and one that may not place stops gets none."""
    grant = replace(TRADE, **{name: frozenset(value) for name, value in bounds.items()})
    assert ENTRY.side is Side.BUY
    assert granted is (grant.refusal(ENTRY) is None)
    assert grant.refusal(replace(ENTRY, conditional_close=None)) is None


def test_the_refusal_says_that_it_is_the_close():
    """With what is granted, as of an order."""
    fault = replace(TRADE, sides=frozenset({Side.BUY})).refusal(ENTRY)
    assert (Reason.PERMISSION_MISSING, "buy", "false") == (
        fault.reason,
        fault.metadata["granted"],
        fault.metadata["id_used"],
    )
    assert fault.message.startswith("the side sell of its conditional close is not granted")


def test_the_close_of_a_sale_is_a_purchase():
    """Whoever may only sell gets nothing bought by it."""
    fault = replace(TRADE, sides=frozenset({Side.SELL})).refusal(replace(ENTRY, side=Side.SELL))
    assert fault.message.startswith("the side buy of its conditional close is not granted")
