"""A gateway that answers by script: what the real one shows only when the exchange or the network misbehaves.

It is a real grpc.aio server with the contract's messages, and no more behind it than one order. It notes every call with
its time, so that a test can tell what a client in another language did: how often it asked, when, and by which id.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Never

import grpc
import grpc.aio
from execsvc_api.v1 import (
    admin_service_pb2,
    admin_service_pb2_grpc,
    common_pb2,
    market_data_pb2,
    market_data_service_pb2,
    market_data_service_pb2_grpc,
    order_pb2,
    order_service_pb2,
    order_service_pb2_grpc,
)
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

TickerMessage = market_data_service_pb2.SubscribeTickersResponse
LIVE = common_pb2.FEED_STATE_LIVE


@dataclass(frozen=True)
class Failure:
    """How a call fails: with ErrorInfo where there is a reason (ours, by its domain), else as a bare proxy fails it."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "as the script says"
    metadata: dict[str, str] = field(default_factory=dict)
    pushback_ms: int | None = None
    retry_after_ms: int | None = None
    domain: str = "execsvc"

    def trailers(self) -> Iterator[tuple[str, str | bytes]]:
        """Give the trailers of the answer, google.rpc.Status among them."""
        if self.pushback_ms is not None:
            yield "grpc-retry-pushback-ms", str(self.pushback_ms)
        if not self.reason:
            return
        info = error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata)
        details = [any_pb2.Any(), any_pb2.Any()][: 1 if self.retry_after_ms is None else 2]
        details[0].Pack(info)
        if self.retry_after_ms is not None:
            delay = duration_pb2.Duration()
            delay.FromMilliseconds(self.retry_after_ms)
            details[1].Pack(error_details_pb2.RetryInfo(retry_delay=delay))
        status = status_pb2.Status(code=self.code.value[0], message=self.message, details=details)
        yield "grpc-status-details-bin", status.SerializeToString()


@dataclass(frozen=True)
class Call:
    """One call as it came in: when on the monotonic clock, with how much time left, by which id, with what metadata."""

    method: str
    at: float
    time_left: float
    client_order_id: str
    metadata: dict[str, str]
    limit_price: str = ""


def update(symbol: str, bid: str, state: int = LIVE) -> TickerMessage:
    """One changed ticker, in the feed state given by number: one that no stub knows is possible."""
    return _message(state, update=_batch({symbol: bid}))


def snapshot(bids: dict[str, str]) -> TickerMessage:
    """The tickers of these symbols, live."""
    return _message(LIVE, snapshot=_batch(bids))


def gap(*symbols: str) -> TickerMessage:
    """A hole: what is held for these symbols is void."""
    reason = common_pb2.GAP_REASON_UPSTREAM_RECONNECT
    return _message(common_pb2.FEED_STATE_RESYNCING, gap=common_pb2.Gap(reason=reason, symbols=symbols))


def newer_event() -> TickerMessage:
    """An event of a server that is newer than the stub: the oneof is unset."""
    return _message(LIVE)


def _batch(bids: dict[str, str]) -> market_data_service_pb2.TickerBatch:
    tickers = [market_data_pb2.Ticker(symbol=symbol, bid_price=bid) for symbol, bid in bids.items()]
    return market_data_service_pb2.TickerBatch(tickers=tickers)


def _message(state: int, **event: Any) -> TickerMessage:
    number: Any = state  # an enum of proto3 is open: it goes over the wire whether or not this stub has a name for it
    return TickerMessage(meta=common_pb2.StreamMeta(seq=1, feed_state=number), **event)


STEADY = (snapshot({"BTC/USD": "60000.1", "ETH/USD": "3000.01"}), update("BTC/USD", "60000.1"))


@dataclass
class Script:
    """What the gateway does. Of a list, each call takes the next entry, and the last one stays in force.

    A placement is answered by an order status, by number, or fails; GetOrder tells the statuses of `found` until a cancel
    is recorded, then CANCELLED. The ticker stream sends `tickers` once and then repeats its last message every `tick_s`.
    """

    placements: list[int | Failure] = field(default_factory=lambda: [order_pb2.ORDER_STATUS_OPEN])
    found: list[int | Failure] = field(default_factory=lambda: [order_pb2.ORDER_STATUS_OPEN])
    tickers: tuple[TickerMessage, ...] = STEADY
    subscriptions: list[Failure | None] = field(default_factory=lambda: [None])
    tick_s: float = 0.0
    venue: str = "paper"
    calls: list[Call] = field(default_factory=list)

    def made(self, method: str) -> list[Call]:
        """Give the calls of one method, oldest first."""
        return [call for call in self.calls if call.method == method]


def _next(entries: list[Any]) -> Any:
    return entries.pop(0) if len(entries) > 1 else entries[0]


async def _fail(context: grpc.aio.ServicerContext, failure: Failure) -> Never:
    await context.abort(failure.code, failure.message, tuple(failure.trailers()))


class _Noting:
    """What the three services share: the script, and the notes of what came in."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def note(self, method: str, context: grpc.aio.ServicerContext, **facts: str) -> None:
        metadata = {str(key): str(value) for key, value in context.invocation_metadata() or ()}
        time_left = context.time_remaining()
        self.script.calls.append(
            Call(
                method,
                time.monotonic(),
                float("inf") if time_left is None else time_left,
                facts.get("client_order_id", ""),
                metadata,
                facts.get("limit_price", ""),
            )
        )


class Admin(_Noting, admin_service_pb2_grpc.AdminServiceServicer):
    async def GetServerInfo(self, request, context):  # noqa: N802 - the contract's name
        self.note("GetServerInfo", context)
        return admin_service_pb2.GetServerInfoResponse(version="0.1.0", venue=self.script.venue, caller="dev")


class MarketData(_Noting, market_data_service_pb2_grpc.MarketDataServiceServicer):
    async def ListInstruments(self, request, context):  # noqa: N802 - the contract's name
        self.note("ListInstruments", context)
        pair = market_data_pb2.Instrument(symbol="BTC/USD", price_increment="0.1", min_quantity="0.00005")
        return market_data_service_pb2.ListInstrumentsResponse(instruments=[pair])

    async def SubscribeTickers(self, request, context):  # noqa: N802 - the contract's name
        self.note("SubscribeTickers", context)
        if (failure := _next(self.script.subscriptions)) is not None:
            await _fail(context, failure)
        for message in self.script.tickers:
            yield message
        # Bounded: a client that never has enough ends by its own deadline, and a stalled one by flow control.
        for _ in range(100_000):
            yield self.script.tickers[-1]
            await asyncio.sleep(self.script.tick_s)


class Orders(_Noting, order_service_pb2_grpc.OrderServiceServicer):
    def __init__(self, script: Script) -> None:
        super().__init__(script)
        self.cancelled = False

    def order(self, client_order_id: str, status: int, **facts: Any) -> order_pb2.Order:
        number: Any = status  # open enum, as above
        return order_pb2.Order(
            client_order_id=client_order_id, order_id="OPAPER-1", status=number, filled_quantity="0", **facts
        )

    async def PlaceOrder(self, request, context):  # noqa: N802 - the contract's name
        facts = {"client_order_id": request.client_order_id, "limit_price": request.spec.limit.limit_price}
        self.note("PlaceOrder", context, **facts)
        answer = _next(self.script.placements)
        if isinstance(answer, Failure):
            await _fail(context, answer)
        return order_service_pb2.PlaceOrderResponse(order=self.order(request.client_order_id, answer))

    async def GetOrder(self, request, context):  # noqa: N802 - the contract's name
        client_order_id = request.order.client_order_id
        self.note("GetOrder", context, client_order_id=client_order_id)
        answer = order_pb2.ORDER_STATUS_CANCELLED if self.cancelled else _next(self.script.found)
        if isinstance(answer, Failure):
            await _fail(context, answer)
        return order_service_pb2.GetOrderResponse(order=self.order(client_order_id, answer))

    async def CancelOrder(self, request, context):  # noqa: N802 - the contract's name
        client_order_id = request.order.client_order_id
        self.note("CancelOrder", context, client_order_id=client_order_id)
        self.cancelled = True
        order = self.order(client_order_id, order_pb2.ORDER_STATUS_OPEN, cancel_requested=True)
        return order_service_pb2.CancelOrderResponse(order=order)


@asynccontextmanager
async def gateway(script: Script) -> AsyncIterator[str]:
    """Serve the script on a free loopback port; gives the address."""
    server = grpc.aio.server()
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(Admin(script), server)
    market_data_service_pb2_grpc.add_MarketDataServiceServicer_to_server(MarketData(script), server)
    order_service_pb2_grpc.add_OrderServiceServicer_to_server(Orders(script), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(0)
