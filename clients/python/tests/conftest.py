"""A gateway that says what a test tells it to: a real grpc.aio server on loopback, without any logic of its own.

`gateway.script("OrderService/PlaceOrder", answer, Fail(…), …)` queues what the next calls get; `gateway.calls` is what
came in. A stream's answer is a list of messages, pauses in seconds and a Fail at the end.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    market_data_service_pb2,
    order_pb2,
    order_service_pb2,
)
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)


@dataclass(frozen=True)
class Fail:
    """An error as execsvc sends it; without `reason` it is somebody else's."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    pushback_ms: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    domain: str = "execsvc"

    def trailers(self) -> tuple[tuple[str, str | bytes], ...]:
        """The details as they travel."""
        found: list[tuple[str, str | bytes]] = []
        if self.pushback_ms is not None:
            found.append(("grpc-retry-pushback-ms", str(self.pushback_ms)))
        if not self.reason:
            return tuple(found)
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain=self.domain, metadata=self.metadata)]
        if self.retry_after is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(round(self.retry_after * 1000))
            details.append(retry)
        if self.fields:
            bad = error_details_pb2.BadRequest()
            for path, description in self.fields:
                bad.field_violations.add(field=path, description=description)
            details.append(bad)
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = Packed()
            packed.Pack(detail)
            status.details.append(packed)
        return (*found, ("grpc-status-details-bin", status.SerializeToString()))


@dataclass(frozen=True)
class Seen:
    """One call as it came in."""

    method: str
    request: Any
    metadata: dict[str, str]
    time_left: float


class Gateway:
    """Scripted answers by method; the last one is repeated. With credentials it speaks TLS; `peers` are who came."""

    def __init__(self, mode: str = "paper", credentials: grpc.ServerCredentials | None = None) -> None:
        self.mode = mode
        self.credentials = credentials
        self.peers: list[tuple[str, ...]] = []
        self.calls: list[Seen] = []
        self.target = ""
        self._scripts: dict[str, deque[Any]] = defaultdict(deque)
        self._server: aio.Server | None = None
        self._port = 0
        self.script("AdminService/GetServerInfo", admin_service_pb2.GetServerInfoResponse(venue="paper"))

    def script(self, method: str, *answers: Any) -> None:
        """Say what the next calls of a method get, in order, from now on."""
        self._scripts[method] = deque(answers)

    def seen(self, method: str) -> list[Seen]:
        """The calls of one method."""
        return [call for call in self.calls if call.method == method]

    async def start(self) -> None:
        """Listen; on the same port as before after a stop."""
        self._server = aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers(tuple(self._handlers()))
        address = f"127.0.0.1:{self._port}"
        self._port = (
            self._server.add_insecure_port(address)
            if self.credentials is None
            else self._server.add_secure_port(address, self.credentials)
        )
        self.target = f"127.0.0.1:{self._port}"
        await self._server.start()

    async def stop(self) -> None:
        """Close every connection at once."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    def _handlers(self):
        for file in FILES:
            for service in file.DESCRIPTOR.services_by_name.values():
                rows = {
                    method.name: self._handler(f"{service.name}/{method.name}", method) for method in service.methods
                }
                yield grpc.method_handlers_generic_handler(service.full_name, rows)

    def _handler(self, name: str, method):
        decode = GetMessageClass(method.input_type).FromString

        def note(request, context) -> None:
            self.calls.append(Seen(name, request, dict(context.invocation_metadata()), context.time_remaining()))
            self.peers.append(tuple(name.decode() for name in context.auth_context().get("x509_common_name", ())))
            context.set_trailing_metadata((("x-execsvc-mode", self.mode), ("x-request-id", "seen-by-server")))

        async def unary(request, context):
            note(request, context)
            answer = self._next(name)
            if callable(answer):
                answer = await answer(request, context)
            if isinstance(answer, Fail):
                await self._abort(context, answer)
            return answer.SerializeToString()

        async def stream(request, context):
            note(request, context)
            for step in self._next(name):
                if isinstance(step, Fail):
                    await self._abort(context, step)
                elif isinstance(step, int | float):
                    await asyncio.sleep(step)
                else:
                    yield step.SerializeToString()

        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(stream)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, request_deserializer=decode)
        return grpc.unary_unary_rpc_method_handler(unary, request_deserializer=decode)

    def _next(self, name: str) -> Any:
        script = self._scripts[name]
        if not script:
            return Fail(grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", "not scripted")
        return script.popleft() if len(script) > 1 else script[0]

    async def _abort(self, context, fail: Fail) -> None:
        trailers = (("x-execsvc-mode", self.mode), ("x-request-id", "seen-by-server"), *fail.trailers())
        await context.abort(fail.code, fail.message, trailers)


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    """A scripted gateway that listens."""
    made = Gateway()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def fail() -> type[Fail]:
    """How a test writes an error down."""
    return Fail


def make_order(client_order_id: str = "c-1", status: str = "OPEN", **more: Any) -> order_pb2.Order:
    order = order_pb2.Order(
        account="main",
        caller="local",
        client_order_id=client_order_id,
        order_id="" if status in {"SUBMITTED", "IN_DOUBT", "NOT_PLACED", "NEVER_SENT"} else "OAAAAA-BBBBB-CCCCCC",
        status=order_pb2.OrderStatus.Value(f"ORDER_STATUS_{status}"),
        filled_quantity="0",
        filled_cost="0",
        version=more.pop("version", 1),
        **more,
    )
    order.spec.symbol, order.spec.side, order.spec.base_quantity = "BTC/USD", 1, "0.00100000"
    order.spec.limit.limit_price = "60000.0"
    return order


@pytest.fixture
def order():
    """Makes an order as it stands on the wire."""
    return make_order


@pytest.fixture
def placed():
    """Makes the answer to a placement."""
    return lambda *args, **more: order_service_pb2.PlaceOrderResponse(order=make_order(*args, **more))


@pytest.fixture
def in_thread():
    """Runs a function of the synchronous client beside the loop that its gateway lives on."""
    return asyncio.to_thread
