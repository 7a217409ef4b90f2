"""Doubt as a type, through a real server: what it is, how it resolves, and what is never taken for a success."""

import asyncio

import pytest
from execsvc_api.v1 import order_service_pb2
from execsvc_client import Client, InDoubt, NotPlaced, OrderStatus, OutcomeUnknown, Refused, Unavailable
from grpc import StatusCode

PLACE, GET, WATCH = "OrderService/PlaceOrder", "OrderService/GetOrder", "OrderService/SubscribeOrders"


async def test_in_doubt_is_a_type_of_its_own(gateway, placed):
    """OK with IN_DOUBT gives InDoubt: no order's fields, no truth value, and words that say what to do."""
    gateway.script(PLACE, placed("c-1", "IN_DOUBT"))
    async with Client(gateway.target) as client:
        result = await client.buy("BTC/USD", quantity=1, limit_price=1, client_order_id="c-1")
    assert isinstance(result, InDoubt)
    assert result.client_order_id == "c-1"
    assert result.so_far.status is OrderStatus.IN_DOUBT
    for name in ("order", "order_id", "status", "filled_quantity"):
        with pytest.raises(AttributeError, match=r"c-1 is not known yet: resolve\(\)"):
            getattr(result, name)
    with pytest.raises(TypeError, match="neither a success nor a failure"):
        bool(result)


@pytest.mark.parametrize("status", [0, 1, 2, 77])
async def test_only_a_definite_status_is_placed(gateway, order, status):
    """SUBMITTED, UNSPECIFIED and a status newer than the client are doubt, never success."""
    message = order("c-1")
    message.status = status
    gateway.script(PLACE, order_service_pb2.PlaceOrderResponse(order=message))
    async with Client(gateway.target) as client:
        assert isinstance(await client.buy("BTC/USD", quantity=1, limit_price=1), InDoubt)


async def test_resolve_waits_for_the_stream(gateway, placed, order):
    """resolve() listens to the order stream and asks again when the order moves."""
    gateway.script(PLACE, placed("c-1", "IN_DOUBT"))
    doubt, truth = order("c-1", "IN_DOUBT"), order("c-1", "OPEN", version=2)
    gateway.script(
        GET, order_service_pb2.GetOrderResponse(order=doubt), order_service_pb2.GetOrderResponse(order=truth)
    )
    snapshot = order_service_pb2.SubscribeOrdersResponse()
    snapshot.snapshot.orders.append(doubt)
    snapshot.snapshot.complete = True
    gateway.script(WATCH, [snapshot, 0.1, order_service_pb2.SubscribeOrdersResponse(order=truth), 30])
    clock = asyncio.get_running_loop().time
    async with Client(gateway.target) as client:
        result = await client.buy("BTC/USD", quantity=1, limit_price=1, client_order_id="c-1")
        assert isinstance(result, InDoubt)
        before = clock()
        resolved = await result.resolve(timeout=10)
    assert resolved.order.status is OrderStatus.OPEN
    assert clock() - before < 2
    assert {"c-1"} == {call.request.order.client_order_id for call in gateway.seen(GET)}


async def test_resolve_without_a_stream_still_finds_the_truth(gateway, order, fail):
    """A stream that cannot be had makes resolve() slower, not wrong; a failed question is asked again."""
    gateway.script(
        GET,
        fail(StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE", pushback_ms=-1),
        order_service_pb2.GetOrderResponse(order=order("c-1", "IN_DOUBT")),
        order_service_pb2.GetOrderResponse(order=order("c-1", "FILLED")),
    )
    async with Client(gateway.target) as client:
        resolved = await client.resolve("c-1", timeout=10)
    assert resolved.order.status is OrderStatus.FILLED


async def test_resolve_raises_the_truth_when_it_is_a_refusal(gateway, order):
    """A doubt that ends NOT_PLACED raises NotPlaced, REJECTED raises what the exchange said."""
    gone = order("c-1", "NOT_PLACED")
    refused = order("c-1", "REJECTED")
    refused.end_error.code, refused.end_error.reason = 9, "INSUFFICIENT_FUNDS"
    gateway.script(
        GET, order_service_pb2.GetOrderResponse(order=gone), order_service_pb2.GetOrderResponse(order=refused)
    )
    async with Client(gateway.target) as client:
        with pytest.raises(NotPlaced):
            await client.resolve("c-1")
        with pytest.raises(Refused) as caught:
            await client.resolve("c-1")
    assert caught.value.reason == "INSUFFICIENT_FUNDS"


async def test_resolve_gives_up_in_time(gateway, order):
    """Time that runs out before the truth is known is OutcomeUnknown, with the id."""
    gateway.script(GET, order_service_pb2.GetOrderResponse(order=order("c-1", "IN_DOUBT")))
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown, match=r"still not known after 0\.6 s") as caught:
            await client.resolve("c-1", timeout=0.6)
    assert caught.value.client_order_id == "c-1"


async def test_wait_for_terminal(gateway, order):
    """wait_for_terminal() returns the ended order, or raises TimeoutError naming where it stands."""
    gateway.script(
        GET,
        order_service_pb2.GetOrderResponse(order=order("c-1", "OPEN")),
        order_service_pb2.GetOrderResponse(order=order("c-1", "CANCELLED", version=2)),
    )
    async with Client(gateway.target) as client:
        ended = await client.wait_for_terminal("c-1", timeout=10)
        assert ended.status is OrderStatus.CANCELLED
        gateway.script(GET, order_service_pb2.GetOrderResponse(order=order("c-1", "OPEN")))
        with pytest.raises(TimeoutError, match="c-1 is still OPEN"):
            await client.wait_for_terminal("c-1", timeout=0.5)


@pytest.mark.parametrize(
    ("status", "kind"), [("REJECTED", Refused), ("NOT_PLACED", NotPlaced), ("NEVER_SENT", Unavailable)]
)
async def test_an_end_without_a_reason_is_still_no_success(gateway, placed, status, kind):
    """An answer OK with an order that was not placed raises by its status, though the server does not say why."""
    gateway.script(PLACE, placed("c-1", status))
    async with Client(gateway.target) as client:
        with pytest.raises(kind, match=status) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert caught.value.client_order_id == "c-1"
