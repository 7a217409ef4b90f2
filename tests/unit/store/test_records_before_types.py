"""Rows of the build that placed market and limit orders only: they are read as they were meant, and go on living."""

from decimal import Decimal

import pytest

from execsvc.domain.market import Side
from execsvc.domain.order import Acknowledged, Seen, Status, VenueOrder
from execsvc.domain.spec import OrderSpec, OrderType, TimeInForce, content_hash
from execsvc.store.records import order_of, text_of

REST = (
    '"filled_quantity":"0","filled_cost":"0","fees":[],"fees_of_fills":{"quantity":"0","fees":[]},'
    '"fees_in_total":{"quantity":"0","fees":[]},"open_time_ns":null,"end_fault":null,"corrected_from":null,'
    '"attempt_time_ns":7}'
)
LIMIT = (
    '{"key":{"account":"main","caller":"bot","client_order_id":"c-1"},"spec":{"symbol":"BTC/USD","side":"buy",'
    '"base_quantity":"3","order_type":"limit","limit_price":"99999.9","post_only":false,"time_in_force":"ioc",'
    '"label":"grid 7"},"status":"pending","content_hash":"Cp1HcMvHpIzjyUJ4CzW/m3/OlOoOwy0tJJQdoB1Thdk=","attempt":0,'
    '"venue_client_id":"wire-0","key_label":"trade-key","entry_deadline_ns":5000,'
    '"trace_id":"0af7651916cd43dd8448eb211c80319c","create_time_ns":7,"update_time_ns":8,"version":2,'
    f'"venue_order_id":"OTX","cancel_requested":false,{REST}'
)
MARKET = (
    '{"key":{"account":"main","caller":"bot","client_order_id":"c-1"},"spec":{"symbol":"BTC/USD","side":"sell",'
    '"base_quantity":"0.00100000","order_type":"market","limit_price":null,"post_only":false,"time_in_force":"gtc",'
    '"label":""},"status":"open","content_hash":"Qy+FQhZObujzQY3vt73AqKcnhevFFkYGmM65BQ/Ih80=","attempt":0,'
    '"venue_client_id":"wire-0","key_label":"trade-key","entry_deadline_ns":5000,"trace_id":"","create_time_ns":7,'
    f'"update_time_ns":9,"version":2,"venue_order_id":"OTX","cancel_requested":false,{REST}'
)
LIMIT_SPEC = OrderSpec(
    *("BTC/USD", Side.BUY, Decimal(3), OrderType.LIMIT, Decimal("99999.9")),
    time_in_force=TimeInForce.IOC,
    label="grid 7",
)
MARKET_SPEC = OrderSpec("BTC/USD", Side.SELL, Decimal("0.00100000"), OrderType.MARKET)


@pytest.mark.parametrize(("row", "wish"), [(LIMIT, LIMIT_SPEC), (MARKET, MARKET_SPEC)], ids=["limit", "market"])
def test_a_row_from_before_is_read_as_it_was_meant(row, wish):
    """The wish, and nothing that nobody wished for; no trigger, no parent."""
    order = order_of(row)
    assert (wish, None, False, "") == (
        order.spec,
        order.current_trigger_price,
        order.triggered,
        order.parent_order_id,
    )


@pytest.mark.parametrize("row", [LIMIT, MARKET], ids=["limit", "market"])
def test_a_repeat_of_an_order_from_before_is_the_same_order(row):
    """The hash in the row is the one that the same wish has today."""
    order = order_of(row)
    assert order.content_hash == content_hash("main", order.spec)


def test_an_order_from_before_goes_on():
    """It leaves a passing PENDING, fills, and is written and read like any other."""
    opened = order_of(LIMIT).apply(Acknowledged("OTX"), 20)
    filled = opened.apply(Seen(VenueOrder("OTX", None, Status.OPEN, Decimal(3), Decimal(300))), 30)
    assert (Status.OPEN, Status.FILLED) == (opened.status, filled.status)
    assert filled == order_of(text_of(filled))
