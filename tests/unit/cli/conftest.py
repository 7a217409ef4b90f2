"""A gateway that says what a test tells it to, for the verbs: a real grpc server on loopback, in threads.

The verbs run in the test's own process through `execsvc.cli.main.run`; what they print is captured by pytest.
"""

import json
import time
from collections import defaultdict, deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

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
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from execsvc.cli.main import run

FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)


@dataclass(frozen=True)
class Fail:
    """An error as execsvc sends it; without `reason` it is somebody else's."""

    code: grpc.StatusCode
    reason: str = ""
    message: str = "no"
    metadata: tuple = ()
    retry_after: float | None = None
    bad: tuple = ()

    def trailers(self):
        found = [("grpc-retry-pushback-ms", "-1")]
        if not self.reason:
            return tuple(found)
        details = [
            error_details_pb2.ErrorInfo(reason=self.reason, domain="execsvc", metadata=dict(self.metadata)),
        ]
        if self.retry_after is not None:
            details.append(error_details_pb2.RetryInfo())
            details[-1].retry_delay.FromMilliseconds(round(self.retry_after * 1000))
        if self.bad:
            details.append(error_details_pb2.BadRequest())
            for field, description in self.bad:
                details[-1].field_violations.add(field=field, description=description)
        status = status_pb2.Status(code=self.code.value[0], message=self.message)
        for detail in details:
            packed = Packed()
            packed.Pack(detail)
            status.details.append(packed)
        return (*found, ("grpc-status-details-bin", status.SerializeToString()))


class Gateway:
    """Scripted answers by method; the last one is repeated. A stream's answer is a list, numbers are pauses."""

    def __init__(self):
        self.mode = "paper"
        self.requests = defaultdict(list)
        self.metadata = {}
        self._scripts = defaultdict(deque)
        self._server = grpc.server(ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(tuple(self._handlers()))
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self.takes_orders(yes=True)
        self.target = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.script("GetServerInfo", admin_service_pb2.GetServerInfoResponse(version="0.1.0", caller="local"))

    def start(self):
        self._server.start()

    def stop(self):
        self._server.stop(0).wait()

    def script(self, method, *answers):
        self._scripts[method] = deque(answers)

    def takes_orders(self, *, yes):
        """What gRPC health says of the OrderService."""
        said = health_pb2.HealthCheckResponse
        self._health.set("execsvc.v1.OrderService", said.SERVING if yes else said.NOT_SERVING)

    def _handlers(self):
        for file in FILES:
            for service in file.DESCRIPTOR.services_by_name.values():
                rows = {method.name: self._handler(method) for method in service.methods}
                yield grpc.method_handlers_generic_handler(service.full_name, rows)

    def _handler(self, method):
        decode = GetMessageClass(method.input_type).FromString
        name = method.name

        def begin(request, context):
            self.requests[name].append(request)
            self.metadata = dict(context.invocation_metadata())
            context.set_trailing_metadata((("x-execsvc-mode", self.mode),))
            script = self._scripts[name]
            if not script:
                return Fail(grpc.StatusCode.UNIMPLEMENTED, "NOT_IMPLEMENTED", f"{name} is not scripted")
            return script.popleft() if len(script) > 1 else script[0]

        def unary(request, context):
            answer = begin(request, context)
            if callable(answer):
                answer = answer(request)
            if isinstance(answer, Fail):
                self._abort(context, answer)
            return answer.SerializeToString()

        def stream(request, context):
            answer = begin(request, context)
            yield from self._steps(context, [answer] if isinstance(answer, Fail) else answer)

        if method.client_streaming:
            return grpc.stream_stream_rpc_method_handler(stream)
        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(stream, request_deserializer=decode)
        return grpc.unary_unary_rpc_method_handler(unary, request_deserializer=decode)

    def _steps(self, context, script):
        for step in script:
            if isinstance(step, Fail):
                self._abort(context, step)
            elif isinstance(step, int | float):
                until = time.monotonic() + step
                while context.is_active() and time.monotonic() < until:
                    time.sleep(0.02)
            else:
                yield step.SerializeToString()

    def _abort(self, context, fail):
        context.set_trailing_metadata((("x-execsvc-mode", self.mode), *fail.trailers()))
        context.abort(fail.code, fail.message)


def make_order(client_order_id="c-1", status="OPEN", **more):
    order = order_pb2.Order(
        account="main",
        caller="local",
        client_order_id=client_order_id,
        order_id="" if status == "IN_DOUBT" else "OAAAAA-BBBBB-CCCCCC",
        status=order_pb2.OrderStatus.Value(f"ORDER_STATUS_{status}"),
        filled_quantity="0",
        filled_cost="0",
        version=1,
        **more,
    )
    order.spec.symbol, order.spec.side, order.spec.base_quantity = "BTC/USD", 1, "0.00100000"
    order.spec.limit.limit_price = "60000.0"
    order.create_time.seconds = 1_700_000_000
    return order


def ticks(*bids):
    """A stream of tickers, one update a bid, that then stays open."""
    first = market_data_service_pb2.SubscribeTickersResponse()
    first.accepted.stream_id = "s-1"
    messages = [first]
    for bid in bids:
        message = market_data_service_pb2.SubscribeTickersResponse()
        message.meta.feed_state = 1
        message.update.tickers.add(symbol="BTC/USD", bid_price=bid, ask_price="11", last_price="10", change_24h="1")
        messages.append(message)
    return [*messages, 30]


@dataclass(frozen=True)
class Said:
    """What one command line did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one JSON value on stdout; fails if there is more or less."""
        return json.loads(self.out)

    @property
    def lines(self):
        """Each line of stdout as JSON."""
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def gateway(monkeypatch):
    made = Gateway()
    made.start()
    monkeypatch.setenv("EXECSVC_TARGET", made.target)
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _bare(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # the token of a gateway on this machine is not ours
    for name in ("EXECSVC_TARGET", "EXECSVC_TOKEN", "EXECSVC_TOKEN_FILE", "EXECSVC_OUTPUT", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def execsvc(capsys):
    """Runs a command line and tells what it did."""

    def call(*arguments):
        code = run(arguments)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return call


@pytest.fixture
def fail():
    return Fail


@pytest.fixture
def order():
    return make_order


@pytest.fixture
def placed():
    return lambda *args, **more: order_service_pb2.PlaceOrderResponse(order=make_order(*args, **more))
