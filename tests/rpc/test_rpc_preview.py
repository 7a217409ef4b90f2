"""PreviewOrder over the wire: what PlaceOrder would say, and nothing placed."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from execsvc_client import Client, SyncClient

from execsvc.domain.errors import Fault, Reason
from execsvc.ports import CapacityAnswer
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.scalars import ns_of, span_ns
from tests.rpc.stage import limit_spec, link_up, order_key, placement, refused, seen
from tests.rpc.stage import stage as open_stage
from tests.rpc.streams_reading import Reader
from tests.support.setrates import PAIR, SetRates
from tests.support.specs import KINDS


@pytest.fixture
def rates():
    return SetRates()


async def looked(stage, **fields):
    request = orders.PreviewOrderRequest(spec=limit_spec(**fields))
    return await stage.orders.PreviewOrder(request, timeout=2)


async def test_an_order_in_order_would_go(rates):
    """Everything that is known of it: the spec with the canonical symbol, worth, fees, points, counter, no wait."""
    async with open_stage(rates=rates) as stage:
        found = await looked(stage, symbol="XBTUSD")
    assert (True, limit_spec(time_in_force=order.TIME_IN_FORCE_GTC), [], True, []) == (
        found.placeable,
        found.rounded_spec,
        list(found.breaches),
        found.risk.allowed,
        list(found.risk.checks),
    )
    assert ("main", "60.0000", "60000.0", False, "1", "12.345", 3) == (
        *(found.account, found.notional, found.reference_price, found.HasField("reference_time")),
        *(found.engine_cost, found.engine_counter.level, found.engine_counter.open_orders),
    )
    assert (True, 0, True, False, False) == (
        *(found.HasField("wait"), span_ns(found.wait)),
        *(found.HasField("fees"), found.venue_asked, found.HasField("venue_error")),
    )


async def test_a_halted_callers_order_would_not_go(rates):
    """A trading mode stands against it as it would stand against placing, in the same words."""
    scope = limits.TradingScope(caller="local", symbol="BTC/USD")
    halt = admin.SetTradingModeRequest(scope=scope, mode="TRADING_MODE_HALTED", comment="fat finger")
    async with open_stage(rates=rates) as stage:
        await stage.admin.SetTradingMode(halt, timeout=5)
        found = await looked(stage)
        placed = await refused(stage.orders.PlaceOrder(placement("one"), timeout=5))
    (breach,) = found.breaches
    assert (False, "TRADING_HALTED", placed.message) == (found.placeable, breach.reason, breach.message)


async def test_looking_leaves_no_trace(rates):
    """Nothing is sent, nothing written, no room taken: the same order is then placed as if never looked at."""
    async with open_stage(rates=rates) as stage:
        await looked(stage)
        assert ([], [], None) == (stage.venue.sends, stage.public.asked, await stage.store.get(order_key("one")))


async def test_breaches_are_told_by_path_with_what_rounding_mends(rates):
    """The rounded spec is what may be placed instead."""
    async with open_stage(rates=rates) as stage:
        found = await looked(
            stage, side=2, base_quantity="0.0010000001", limit=order.LimitOrder(limit_price="60000.01", post_only=True)
        )
    assert [
        ("spec.base_quantity", "TICK_SIZE_VIOLATED", "0.0010000001", "0.00000001", True),
        ("spec.limit.limit_price", "TICK_SIZE_VIOLATED", "60000.01", "0.1", True),
    ] == [(each.field, each.reason, each.value, each.bound, each.fixed_by_rounding) for each in found.breaches]
    assert all(each.message for each in found.breaches)
    assert (True, "0.00100000", "60000.1", True) == (
        found.placeable,
        found.rounded_spec.base_quantity,
        found.rounded_spec.limit.limit_price,
        found.rounded_spec.limit.post_only,
    )


async def test_the_rounded_order_is_one_that_placing_takes():
    """What was offered is placed as it is."""
    async with open_stage() as stage:
        stage.venue.rates.counters = lambda symbols: (None, *(replace(PAIR, name=each) for each in symbols))
        found = await looked(stage, base_quantity="0.0010000001", limit=order.LimitOrder(limit_price="60000.01"))
        placed = await stage.place("one", spec=found.rounded_spec)
    assert (order.ORDER_STATUS_OPEN, found.rounded_spec) == (placed.order.status, placed.order.spec)


async def test_a_halted_desk_is_told_with_its_reason(rates):
    """OK, not placeable, the reason in a breach of no field."""
    async with open_stage(rates=rates) as stage:
        stage.house.switch.close("test", Fault(Reason.TRADING_HALTED, "trading is halted: a test"))
        found = await looked(stage)
    assert (False, [("", "TRADING_HALTED", "trading is halted: a test")]) == (
        found.placeable,
        [(each.field, each.reason, each.message) for each in found.breaches],
    )


async def test_a_limit_that_refuses_is_told_with_its_figures(rates):
    """The verdict of the risk desk on the rounded order."""
    async with open_stage(rates=rates, max_order_notional=Decimal(50)) as stage:
        found = await looked(stage)
    (check,) = found.risk.checks
    assert (False, False, "max_order_notional", False, "60.00", "50", False) == (
        *(found.placeable, found.risk.allowed, check.name),
        *(check.passed, check.value, check.limit, check.shadow),
    )


@pytest.mark.parametrize(("wait_s", "wait_ns"), [(0.43, 430_000_000), (None, None)])
async def test_a_counter_without_room_is_told_with_the_wait(rates, wait_s, wait_ns):
    """How long, or absent for never; not placeable now."""
    rates.answer = CapacityAnswer(0, wait_s, 0.43)
    async with open_stage(rates=rates) as stage:
        found = await looked(stage)
    assert (False, wait_ns) == (found.placeable, span_ns(found.wait) if found.HasField("wait") else None)


async def test_a_market_order_is_reckoned_with_the_live_price(rates):
    """Touch and slippage cap, with the time it was read; a market order has no time in force."""
    async with open_stage(rates=rates) as stage:
        reader = Reader(stage.market.SubscribeTickers(market.SubscribeTickersRequest(symbols=["BTC/USD"])))
        await reader.take(1)
        await stage.tell(link_up(), seen("BTC/USD", "99", snapshot=True))
        found = await looked(stage, base_quantity="2", market=order.MarketOrder())
    assert ("202.00", "101.00", 1) == (
        str(Decimal(found.notional).quantize(Decimal("0.01"))),
        str(Decimal(found.reference_price).quantize(Decimal("0.01"))),
        ns_of(found.reference_time),
    )
    assert ("market", order.TIME_IN_FORCE_UNSPECIFIED) == (
        found.rounded_spec.WhichOneof("order_type"),
        found.rounded_spec.time_in_force,
    )


@pytest.mark.parametrize(
    "objection",
    [
        None,
        Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"venue_error": "EOrder:Insufficient funds", "asset": "USD"}),
    ],
)
async def test_kraken_is_asked_where_the_caller_wants_its_word(rates, objection):
    """About the rounded order; what it has against it stands in the answer, and the order would not go."""
    async with open_stage(rates=rates) as stage:
        stage.venue.objection = objection
        request = orders.PreviewOrderRequest(spec=limit_spec(base_quantity="0.0010000001"), ask_venue=True)
        found = await stage.orders.PreviewOrder(request, timeout=2)
    assert (True, objection is None, objection is not None) == (
        found.venue_asked,
        found.placeable,
        found.HasField("venue_error"),
    )
    said = ("", "") if objection is None else ("INSUFFICIENT_FUNDS", "EOrder:Insufficient funds")
    assert said == (found.venue_error.reason, found.venue_error.metadata["venue_error"])
    assert [Decimal("0.00100000")] == [each.base_quantity for each in stage.venue.judged]
    assert [] == stage.venue.sends


async def test_kraken_is_not_asked_unasked(rates):
    """Looking costs nothing."""
    async with open_stage(rates=rates) as stage:
        await looked(stage)
        assert [] == stage.venue.judged


@pytest.mark.parametrize("name", sorted(KINDS))
async def test_an_order_of_every_kind_is_looked_at(rates, name):
    """What was wished comes back rounded; nothing of it is dropped."""
    async with open_stage(rates=rates) as stage:
        request = orders.PreviewOrderRequest(spec=convert.spec(KINDS[name]))
        found = await stage.orders.PreviewOrder(request, timeout=2)
    assert request.spec == found.rounded_spec


async def test_an_unknown_pair_is_not_found(rates):
    """At spec.symbol, as placing would say."""
    async with open_stage(rates=rates) as stage:
        refusal = await refused(looked(stage, symbol="FOO/USD"))
    assert (grpc.StatusCode.NOT_FOUND, ["spec.symbol"]) == (refusal.code, list(refusal.bad))


async def test_both_clients_say_the_same(rates):
    """preview() takes what place() takes, asynchronous or not."""
    wish = {"quantity": "0.0010000001", "limit_price": "60000.01", "post_only": True, "label": "mine"}

    def wait(address):
        with SyncClient(address) as waiting:
            return waiting.preview("BTC/USD", "buy", **wish)

    async with open_stage(rates=rates) as stage, Client(stage.door.address) as client:
        found = await client.preview("BTC/USD", "buy", **wish)
        waited = await asyncio.to_thread(wait, stage.door.address)
    assert (True, Decimal("0.001"), Decimal("60000.0"), 0.0, ["TICK_SIZE_VIOLATED"] * 2, "mine") == (
        *(found.placeable, found.quantity, found.limit_price, found.wait),
        *([each.reason for each in found.breaches], found.rounded.label),
    )
    assert (found.breaches, found.rounded) == (waited.breaches, waited.rounded)
