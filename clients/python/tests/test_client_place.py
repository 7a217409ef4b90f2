"""Placing through a real server: ids, repeats, deadlines, headers, and what must not be sent at all."""

import asyncio
from datetime import datetime
from decimal import Decimal

import pytest
from execsvc_api.v1 import order_pb2, order_service_pb2
from execsvc_client import (
    Client,
    Close,
    Conflict,
    InvalidRequest,
    NotPlaced,
    OrderStatus,
    OutcomeUnknown,
    Placed,
    Refused,
    Side,
    Throttled,
    TimeInForce,
    Unavailable,
)
from grpc import StatusCode

PLACE, INFO, GET = "OrderService/PlaceOrder", "AdminService/GetServerInfo", "OrderService/GetOrder"


async def test_place_sends_what_was_meant(gateway, placed):
    """Symbol, side, size, price and options arrive as given, digits kept, and the order comes back as a value."""
    gateway.script(PLACE, placed("mine"))
    async with Client(gateway.target) as client:
        result = await client.buy(
            "BTC/USD",
            quantity=Decimal("0.00100000"),
            limit_price="60000.0",
            post_only=True,
            time_in_force="GTC",
            client_order_id="mine",
            label="dca",
            max_queue_wait=1.5,
        )
    request = gateway.seen(PLACE)[0].request
    assert ("BTC/USD", 1, "0.00100000") == (request.spec.symbol, request.spec.side, request.spec.base_quantity)
    assert ("60000.0", True) == (request.spec.limit.limit_price, request.spec.limit.post_only)
    assert ("mine", "dca") == (request.client_order_id, request.spec.label)
    assert request.spec.time_in_force == TimeInForce.GTC
    assert request.max_queue_wait.ToTimedelta().total_seconds() == 1.5
    assert not request.HasField("max_entry_delay")
    assert isinstance(result, Placed)
    assert (OrderStatus.OPEN, Decimal("60000.0"), "OAAAAA-BBBBB-CCCCCC") == (
        result.order.status,
        result.order.limit_price,
        result.order.order_id,
    )


async def test_market_order_is_said_in_words(gateway, placed):
    """A market order takes market=True; without price and without the word nothing is sent."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        with pytest.raises(ValueError, match="market=True"):
            await client.sell("BTC/USD", quantity=1)
        with pytest.raises(ValueError, match="one of the two"):
            await client.sell("BTC/USD", quantity=1, market=True, limit_price=5)
        with pytest.raises(ValueError, match="no post_only"):
            await client.sell("BTC/USD", quantity=1, market=True, post_only=True)
        await client.sell("BTC/USD", quantity=1, market=True)
    (seen,) = gateway.seen(PLACE)
    assert seen.request.spec.WhichOneof("order_type") == "market"
    assert seen.request.spec.side == order_pb2.OrderSpec(side=2).side


async def test_floats_are_refused_before_anything_is_sent(gateway):
    """A float is a TypeError that names the field and the remedy, for quantity and for price."""
    async with Client(gateway.target) as client:
        with pytest.raises(TypeError, match=r"quantity is a float.*Decimal"):
            await client.buy("BTC/USD", quantity=0.1, limit_price=1)
        with pytest.raises(TypeError, match=r"limit_price is a float.*Decimal"):
            await client.buy("BTC/USD", quantity=1, limit_price=0.1)
    assert gateway.calls == []


async def test_unknown_option_is_a_type_error(gateway):
    """A misspelt option is refused, not ignored."""
    async with Client(gateway.target) as client:
        with pytest.raises(TypeError, match="post_onyl"):
            await client.buy("BTC/USD", quantity=1, limit_price=1, post_onyl=True)


async def test_grpc_retry_reuses_the_client_order_id(gateway, placed, fail):
    """UNAVAILABLE is retried by the service config, each time with the id that was made once."""
    busy = fail(StatusCode.UNAVAILABLE, "NOT_OWNER", metadata={"id_used": "false"})
    gateway.script(PLACE, busy, busy, placed())
    async with Client(gateway.target) as client:
        result = await client.buy("BTC/USD", quantity=1, limit_price=1)
    ids = [call.request.client_order_id for call in gateway.seen(PLACE)]
    assert len(ids) == 3
    assert len(set(ids)) == 1
    assert len(ids[0]) == 36
    assert isinstance(result, Placed)


async def test_two_intents_have_two_ids(gateway, placed):
    """An id is made per call of place()."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
        await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert len({call.request.client_order_id for call in gateway.seen(PLACE)}) == 2


async def test_lost_answer_is_repeated_with_the_same_request(gateway, placed, fail):
    """An error that is not execsvc's own is answered by the same request again, word for word."""
    gateway.script(PLACE, fail(StatusCode.INTERNAL, message="RST_STREAM"), placed())
    async with Client(gateway.target) as client:
        result = await client.buy("BTC/USD", quantity=1, limit_price=1)
    first, second = gateway.seen(PLACE)
    assert first.request == second.request
    assert first.metadata["traceparent"] == second.metadata["traceparent"]
    assert first.metadata["x-request-id"] != second.metadata["x-request-id"]
    assert isinstance(result, Placed)


async def test_outcome_unknown_carries_the_id(gateway, fail):
    """When the answer stays lost, the error is OutcomeUnknown and names the id to repeat or ask with."""
    gateway.script(PLACE, fail(StatusCode.INTERNAL, message="RST_STREAM"))
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1, client_order_id="keep-me")
    assert caught.value.client_order_id == "keep-me"
    assert "keep-me" in str(caught.value)
    assert caught.value.reason == ""
    assert {call.request.client_order_id for call in gateway.seen(PLACE)} == {"keep-me"}


async def test_error_info_of_a_stranger_does_not_count(gateway, fail):
    """Only an ErrorInfo of the domain execsvc says what became of an order."""
    gateway.script(PLACE, fail(StatusCode.FAILED_PRECONDITION, "RATE_LIMIT", domain="proxy.example"))
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown):
            await client.buy("BTC/USD", quantity=1, limit_price=1)


async def test_deadline_travels(gateway, placed):
    """Every call has a deadline: the contract's ten seconds, or the caller's."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
        await client.buy("BTC/USD", quantity=1, limit_price=1, timeout=3)
    first, second = gateway.seen(PLACE)
    assert 9 < first.time_left < 10.1
    assert 2 < second.time_left < 3.1


async def test_own_deadline_is_outcome_unknown_and_not_repeated(gateway):
    """When the caller's time is up without an answer, nobody knows, and nothing more is sent."""

    async def sleeps(request, context):
        await asyncio.sleep(5)

    gateway.script(PLACE, sleeps)
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1, timeout=0.3)
    assert caught.value.code == StatusCode.DEADLINE_EXCEEDED
    assert len(gateway.seen(PLACE)) == 1


async def test_headers_travel(gateway, placed):
    """Name, version, request id, trace context and the token go with each call."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target, token="s3cret", name="my-bot") as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
    sent = gateway.seen(PLACE)[0].metadata
    assert (sent["x-client-name"], sent["x-client-version"]) == ("my-bot", "0.1.0")
    assert sent["authorization"] == "Bearer s3cret"
    assert len(sent["x-request-id"]) == 32
    version, trace_id, span_id, flags = sent["traceparent"].split("-")
    assert ("00", 32, 16, "01") == (version, len(trace_id), len(span_id), flags)


async def test_no_token_no_authorization(gateway, placed):
    """Without a token no authorization header is sent."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert "authorization" not in gateway.seen(PLACE)[0].metadata


async def test_trace_of_the_current_span(gateway, placed):
    """With OpenTelemetry in the program the call continues the current span's trace."""
    from opentelemetry import trace

    context = trace.SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=trace.TraceFlags(1))
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        with trace.use_span(trace.NonRecordingSpan(context)):
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert gateway.seen(PLACE)[0].metadata["traceparent"] == f"00-{0xABC:032x}-{0xDEF:016x}-01"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (StatusCode.INVALID_ARGUMENT, "TICK_SIZE_VIOLATED", InvalidRequest),
        (StatusCode.ALREADY_EXISTS, "CLIENT_ORDER_ID_REUSED", Conflict),
        (StatusCode.ABORTED, "NOT_PLACED", NotPlaced),
        (StatusCode.ABORTED, "VENUE_DEADLINE_ELAPSED", NotPlaced),
        (StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", Refused),
        (StatusCode.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", Unavailable),
        (StatusCode.FAILED_PRECONDITION, "A_REASON_OF_TOMORROW", Refused),
    ],
)
async def test_errors_are_typed_by_what_to_do_next(gateway, fail, code, reason, kind):
    """The gRPC code and the reason choose the class; the reason survives even when it is newer than the client."""
    gateway.script(PLACE, fail(code, reason, "because", {"id_used": "false", "increment": "0.1"}))
    async with Client(gateway.target) as client:
        with pytest.raises(kind) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert (reason, code, "because") == (caught.value.reason, caught.value.code, caught.value.message)
    assert caught.value.id_used is False
    assert caught.value.metadata["increment"] == "0.1"
    assert caught.value.request_id == "seen-by-server"


async def test_pushback_is_obeyed(gateway, placed, fail):
    """RESOURCE_EXHAUSTED with pushback is tried again after that time, by gRPC itself."""
    full = fail(StatusCode.RESOURCE_EXHAUSTED, "LOCAL_RATE_LIMITED", retry_after=0.2, pushback_ms=200)
    gateway.script(PLACE, full, placed())
    clock = asyncio.get_running_loop().time
    async with Client(gateway.target) as client:
        await client.server_info()
        before = clock()
        await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert 0.18 < clock() - before < 1.0


async def test_negative_pushback_is_not_repeated(gateway, fail):
    """Pushback -1 means that waiting does not help: one attempt, and the error has no retry_after."""
    gateway.script(PLACE, fail(StatusCode.RESOURCE_EXHAUSTED, "VENUE_ORDER_LIMIT", pushback_ms=-1))
    async with Client(gateway.target) as client:
        with pytest.raises(Throttled) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1)
    assert caught.value.retry_after is None
    assert len(gateway.seen(PLACE)) == 1


async def test_no_gateway_means_nothing_was_sent():
    """Where nobody listens, the question for the mode fails first: Unavailable, and not OutcomeUnknown."""
    async with Client("127.0.0.1:1") as client:
        with pytest.raises(Unavailable):
            await client.buy("BTC/USD", quantity=1, limit_price=1)


async def test_gateway_lost_in_the_middle_is_outcome_unknown(gateway):
    """A connection that breaks while the order is on its way leaves the outcome open, whatever fails afterwards."""
    breaking = set()

    async def breaks(request, context):
        breaking.add(asyncio.create_task(gateway.stop()))
        await asyncio.sleep(5)

    gateway.script(PLACE, breaks)
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown) as caught:
            await client.buy("BTC/USD", quantity=1, limit_price=1, timeout=4, client_order_id="c-9")
    await asyncio.gather(*breaking)
    assert caught.value.client_order_id == "c-9"


async def test_refusal_after_a_lost_answer_keeps_the_outcome_open(gateway, fail):
    """After a lost answer "nothing was sent" is true of the second attempt only, so the outcome stays unknown."""
    gateway.script(
        PLACE,
        fail(StatusCode.INTERNAL, message="RST_STREAM"),
        fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", metadata={"id_used": "false"}, pushback_ms=-1),
    )
    async with Client(gateway.target) as client:
        with pytest.raises(OutcomeUnknown):
            await client.buy("BTC/USD", quantity=1, limit_price=1)


async def test_cancel_and_get_by_either_id(gateway, order):
    """An order is named by the caller's id, by Kraken's, or by a value that knows one; never by none or two."""
    gateway.script(GET, order_service_pb2.GetOrderResponse(order=order("c-1")))
    gateway.script("OrderService/CancelOrder", order_service_pb2.CancelOrderResponse(order=order("c-1")))
    async with Client(gateway.target) as client:
        found = await client.get_order("c-1")
        await client.get_order(order_id="OZZ")
        await client.cancel(found)
        for wrong in ({}, {"order": "c-1", "order_id": "OZZ"}):
            with pytest.raises(TypeError, match="name one order"):
                await client.get_order(**wrong)
    first, second = (call.request.order for call in gateway.seen(GET))
    assert ("c-1", "OZZ") == (first.client_order_id, second.order_id)
    assert gateway.seen("OrderService/CancelOrder")[0].request.order.order_id == "OAAAAA-BBBBB-CCCCCC"


async def test_closing_the_client_in_the_middle_leaves_the_outcome_open(gateway):
    """close() while an order is on its way is OutcomeUnknown to whoever waits, and no cancellation of their task."""
    arrived = asyncio.Event()

    async def thinks(request, context):
        arrived.set()
        await asyncio.sleep(5)

    gateway.script(PLACE, thinks)
    client = Client(gateway.target)
    placing = asyncio.create_task(client.buy("BTC/USD", quantity=1, limit_price=1, client_order_id="c-1"))
    await arrived.wait()
    await client.close()
    with pytest.raises(OutcomeUnknown, match="closed") as caught:
        await placing
    assert caught.value.client_order_id == "c-1"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"side": "bid"}, "buy or sell"),
        ({"side": Side.UNSPECIFIED}, "buy or sell"),
        ({"side": "buy", "time_in_force": "DAY"}, "GTC, IOC, FOK or GTD"),
        ({"side": "buy", "time_in_force": TimeInForce.UNSPECIFIED}, "GTC, IOC, FOK or GTD"),
        ({"side": "buy", "stop": "1", "take_profit": "2"}, "one of stop"),
        ({"side": "buy", "trail": "1.5%"}, "use trail_limit"),
        ({"side": "buy", "settle": True}, "no limit_price"),
        ({"side": "buy", "stop": "1", "post_only": True}, "of limit orders"),
        ({"side": "buy", "trail_limit": "1"}, "goes with trail"),
        ({"side": "buy", "trigger_reference": "index"}, "goes with stop"),
        ({"side": "buy", "stop": "1", "trigger_reference": "mid"}, "last or index"),
        ({"side": "buy", "self_trade_prevention": "cancel"}, "cancel_newest, cancel_oldest or cancel_both"),
        ({"side": "buy", "fee_preference": "usd"}, "base or quote"),
        ({"side": "buy", "close": Close()}, "a close has one of"),
        ({"side": "buy", "close": Close(stop="1", trail="2")}, "a close has one of"),
        ({"side": "buy", "close": Close(trail="1", limit_price="2")}, "trail_limit"),
        ({"side": "buy", "close": Close(stop="1", trail_limit="2")}, "goes with trail"),
        ({"side": "buy", "expire_time": datetime(2030, 1, 1)}, "no time zone"),  # noqa: DTZ001 - what is refused
        ({"side": "buy", "max_queue_wait": -1}, "not negative"),
        ({"side": "buy", "timeout": 0}, "some seconds"),
    ],
    ids=str,
)
async def test_what_cannot_be_meant_is_a_value_error(gateway, options, said):
    """Sides, times in force and spans that make no sense are refused before anything is sent."""
    async with Client(gateway.target) as client:
        with pytest.raises(ValueError, match=said):
            await client.place("BTC/USD", quantity=1, limit_price=1, **options)
    assert gateway.seen(PLACE) == []


async def test_sides_are_words_or_members(gateway, placed):
    """Side.SELL is "sell"."""
    gateway.script(PLACE, placed())
    async with Client(gateway.target) as client:
        await client.place("BTC/USD", Side.SELL, quantity=1, limit_price=1)
        await client.place("BTC/USD", "sell", quantity=1, limit_price=1)
    assert [2, 2] == [call.request.spec.side for call in gateway.seen(PLACE)]
