"""Every type and option of an order, from place()'s arguments to the wire, and from the wire to a value."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from execsvc_api.v1 import order_pb2
from execsvc_client import (
    WHOLE_POSITION,
    Client,
    Close,
    FeePreference,
    Quote,
    SelfTradePrevention,
    SyncClient,
    TimeInForce,
    TriggerReference,
)
from execsvc_client._orders import read_order
from google.protobuf import text_format

PLACE = "OrderService/PlaceOrder"
AT = datetime(2030, 1, 31, 12, tzinfo=UTC)
ROWS = {
    "market": ({"quantity": 1, "market": True}, 'base_quantity: "1" market {}'),
    "market in quote": ({"quantity": Quote("100.50"), "market": True}, 'quote_quantity: "100.50" market {}'),
    "limit": (
        {"quantity": "1", "limit_price": "2", "time_in_force": "FOK"},
        'base_quantity: "1" limit {limit_price: "2"} time_in_force: TIME_IN_FORCE_FOK',
    ),
    "iceberg": (
        {"quantity": "1", "limit_price": "2", "display_quantity": "0.1", "post_only": True},
        'base_quantity: "1" limit {limit_price: "2" post_only: true display_quantity: "0.1"}',
    ),
    "stop": (
        {"quantity": "1", "stop": Decimal("55000.0")},
        'base_quantity: "1" trigger {kind: KIND_STOP_LOSS trigger_price: "55000.0"}',
    ),
    "take profit limit": (
        {"quantity": "1", "take_profit": "70000", "limit_price": "69900", "trigger_reference": "index"},
        (
            'base_quantity: "1" trigger {kind: KIND_TAKE_PROFIT trigger_price: "70000" limit_price: "69900" '
            "reference: TRIGGER_REFERENCE_INDEX}"
        ),
    ),
    "trailing stop": (
        {"quantity": "1", "trail": 250, "trigger_reference": TriggerReference.LAST},
        'base_quantity: "1" trailing_stop {offset {absolute: "250"} reference: TRIGGER_REFERENCE_LAST}',
    ),
    "trailing stop limit": (
        {"quantity": "1", "trail": "1.5%", "trail_limit": "-0.5%"},
        'base_quantity: "1" trailing_stop {offset {percent: "1.5"} limit_offset {percent: "-0.5"}}',
    ),
    "settle": (
        {"quantity": WHOLE_POSITION, "settle": True, "leverage": 3},
        "full_position: true settle_position {} leverage: 3",
    ),
    "good till a date": (
        {"quantity": "1", "limit_price": "2", "expire_time": AT, "start_time": AT},
        (
            'base_quantity: "1" limit {limit_price: "2"} time_in_force: TIME_IN_FORCE_GTD '
            "expire_time {seconds: 1896091200} start_time {seconds: 1896091200}"
        ),
    ),
    "options": (
        {
            "quantity": "1",
            "limit_price": "2",
            "leverage": 2,
            "reduce_only": True,
            "self_trade_prevention": "cancel_both",
            "fee_preference": FeePreference.BASE,
            "label": "mine",
        },
        (
            'base_quantity: "1" limit {limit_price: "2"} leverage: 2 reduce_only: true label: "mine" '
            "self_trade_prevention: SELF_TRADE_PREVENTION_CANCEL_BOTH fee_preference: FEE_PREFERENCE_BASE"
        ),
    ),
    "close at a limit": (
        {"quantity": "1", "limit_price": "2", "close": Close(limit_price="3")},
        'base_quantity: "1" limit {limit_price: "2"} conditional_close {limit {limit_price: "3"}}',
    ),
    "close by a stop": (
        {"quantity": "1", "limit_price": "2", "close": Close(stop="1", limit_price="0.9")},
        (
            'base_quantity: "1" limit {limit_price: "2"} '
            'conditional_close {trigger {kind: KIND_STOP_LOSS trigger_price: "1" limit_price: "0.9"}}'
        ),
    ),
    "close by a trail": (
        {"quantity": "1", "limit_price": "2", "close": Close(trail="5", trail_limit="1")},
        (
            'base_quantity: "1" limit {limit_price: "2"} '
            'conditional_close {trailing_stop {offset {absolute: "5"} limit_offset {absolute: "1"}}}'
        ),
    ),
}


@pytest.mark.parametrize("name", ROWS)
async def test_arguments_become_this_spec(gateway, placed, name):
    """Each type and option as the contract says it, digits kept, and nothing besides."""
    arguments, wanted = ROWS[name]
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.sell("BTC/USD", **arguments)
    (call,) = gateway.seen(PLACE)
    assert text_format.Parse(f'symbol: "BTC/USD" side: SIDE_SELL {wanted}', order_pb2.OrderSpec()) == call.request.spec


async def test_the_waiting_client_takes_the_same(gateway, placed):
    """Both clients make one spec of one wish."""
    arguments, wanted = ROWS["trailing stop limit"]
    gateway.script(PLACE, placed())

    def wait():
        with SyncClient(gateway.target) as client:
            client.buy("BTC/USD", **arguments)

    await asyncio.to_thread(wait)
    (call,) = gateway.seen(PLACE)
    assert text_format.Parse(f'symbol: "BTC/USD" side: SIDE_BUY {wanted}', order_pb2.OrderSpec()) == call.request.spec


def test_an_enum_may_be_given_by_member_or_by_name():
    """In any case; the members have the contract's numbers."""
    assert (1, 2, 3) == tuple(SelfTradePrevention)[1:]
    assert TimeInForce.GTD == order_pb2.TIME_IN_FORCE_GTD


def test_an_order_on_its_way_down_a_trail_is_read_whole():
    """Where its trigger stands, whether it fired, whose child it is, and what was wished of it."""
    wire = text_format.Parse(
        'spec {symbol: "BTC/USD" side: SIDE_SELL base_quantity: "1" leverage: 2 reduce_only: true '
        'trigger {kind: KIND_STOP_LOSS trigger_price: "55000" limit_price: "54900"} '
        "time_in_force: TIME_IN_FORCE_GTD expire_time {seconds: 1896091200} start_time {seconds: 1896091200}} "
        'current_trigger_price: "55010.5" triggered: true parent_order_id: "OAAAAA-BBBBB-CCCCCC"',
        order_pb2.Order(),
    )
    found = read_order(wire)
    assert ("trigger", Decimal(55000), Decimal(54900), Decimal("55010.5"), True, "OAAAAA-BBBBB-CCCCCC") == (
        *(found.type, found.trigger_price, found.limit_price, found.current_trigger_price, found.triggered),
        found.parent_order_id,
    )
    assert (2, True, TimeInForce.GTD, AT, AT) == (
        *(found.leverage, found.reduce_only, found.time_in_force, found.expire_time, found.start_time),
    )


def test_an_order_sized_by_cost_has_no_quantity():
    """None is "there is none", never zero; what remains cannot be told."""
    wire = text_format.Parse('spec {quote_quantity: "100" market {}}', order_pb2.Order())
    found = read_order(wire)
    assert (None, Decimal(100), None) == (found.quantity, found.quote_quantity, found.remaining)
