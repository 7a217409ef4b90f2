"""The floor: a grpc.aio server that reads a PlaceOrderRequest and answers a constant, on uvloop.

`echo.py` has nothing else on; place.py measures the gateway against it. `echo.py house` opens the spans that an order has in
the gateway, `echo.py instrumented` has OpenTelemetry's own gRPC instrumentation; both trace as OTEL_… settings say, for
tracing.py. It prints its address and serves until it is ended. Other people's Python can run it: execsvc is imported by
`house` only.
"""

import sys
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import uvloop
from execsvc_api.v1 import common_pb2, order_pb2, order_service_pb2

MARK = "id-of-this-call-00000000"
BARE, HOUSE, INSTRUMENTED = "bare", "house", "instrumented"
METHOD = "execsvc.v1.OrderService/PlaceOrder"

Place = Callable[[Any, Any], Awaitable[Any]]


def request() -> Any:
    """The order that every call places; the load puts an id of its own in the mark's place."""
    spec = order_pb2.OrderSpec(
        symbol="BTC/USD",
        side=common_pb2.SIDE_BUY,
        base_quantity="0.00100000",
        limit=order_pb2.LimitOrder(limit_price="27500.0"),
        time_in_force=order_pb2.TIME_IN_FORCE_GTC,
    )
    return order_service_pb2.PlaceOrderRequest(client_order_id=MARK, spec=spec)


def answer() -> Any:
    """What every call is answered."""
    order = order_pb2.Order(
        account="main",
        caller="local",
        client_order_id=MARK,
        order_id="OBENCH-00000-000001",
        venue_client_id="6d1b345e-2821-40e2-ad83-4ecb18a06876",
        spec=request().spec,
        status=order_pb2.ORDER_STATUS_OPEN,
        filled_quantity="0",
        filled_cost="0",
        version=2,
    )
    order.create_time.GetCurrentTime()
    order.update_time.GetCurrentTime()
    return order_service_pb2.PlaceOrderResponse(order=order)


def bare() -> tuple[Place, list[Any]]:
    """The handler, and no interceptor."""
    constant = answer()

    async def place(_request: Any, _context: Any) -> Any:
        return constant

    return place, []


def house() -> tuple[Place, list[Any]]:
    """The spans of one placement with all they are told, in the sequence in which the gateway opens them."""
    import os

    from execsvc.runtime import otel
    from execsvc.telemetry import Spans, tell, trace_id_of_current

    telemetry = otel.build("execsvc", "paper", os.environ)[0]
    constant = answer()
    rpc = {"rpc.system": "grpc", "rpc.service": "execsvc.v1.OrderService", "rpc.method": "PlaceOrder"}
    who = {"execsvc.caller": "local", "execsvc.account": "main", "execsvc.request_id": "0" * 32}
    facts = {"execsvc.client_order_id": MARK, "execsvc.symbol": "BTC/USD", "execsvc.side": "buy"}
    sent = {"http.request.method": "POST", "server.address": "127.0.0.1", "url.path": "/0/private/AddOrder"}

    async def place(_request: Any, _context: Any) -> Any:
        with telemetry.server_span(METHOD, {}) as span:  # headers are read for more than traces
            tell(span, facts)
            with telemetry.span(Spans.CHECKS, facts):
                trace_id_of_current()
            with telemetry.span(Spans.JOURNAL):
                trace_id_of_current()
            with telemetry.span(Spans.LANE, {"execsvc.lane": "order", "execsvc.lane.queue_depth": 0}) as wait:
                tell(wait, {"execsvc.lane.wait_s": 0.0})
            with telemetry.client_span("kraken POST /0/private/AddOrder", sent) as call:
                tell(call, {"execsvc.nonce.age_s": 0.0})
                tell(call, {"http.response.status_code": 200})
            tell(span, facts | {"execsvc.outcome": "open"})
            tell(span, who | rpc)
            tell(span, {"execsvc.mode": "paper", "rpc.grpc.status_code": 0})
        return constant

    return place, []


def instrumented() -> tuple[Place, list[Any]]:
    """The bare handler behind the interceptor that OpenTelemetry's documentation shows."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.grpc import aio_server_interceptor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    return bare()[0], [aio_server_interceptor(provider)]


def main(what: str = BARE) -> None:
    """Serves."""
    place, interceptors = {BARE: bare, HOUSE: house, INSTRUMENTED: instrumented}[what]()

    async def serve() -> None:
        server = grpc.aio.server(interceptors=interceptors)
        kind, write = order_service_pb2.PlaceOrderRequest, order_service_pb2.PlaceOrderResponse.SerializeToString
        handlers = {"PlaceOrder": grpc.unary_unary_rpc_method_handler(place, kind.FromString, write)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("execsvc.v1.OrderService", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        print(f"echo on 127.0.0.1:{port} ready", flush=True)
        await server.wait_for_termination()

    uvloop.run(serve())


if __name__ == "__main__":
    main(*sys.argv[1:])
