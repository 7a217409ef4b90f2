"""Spans and figures of calls, as an SDK in memory sees them."""

import grpc
import pytest
from execsvc_api.v1 import market_data_service_pb2 as market
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from execsvc.telemetry import ATTRIBUTES, Telemetry
from tests.rpc.stage import placement, refused
from tests.rpc.stage import stage as open_stage
from tests.rpc.streams_reading import Reader

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = (("traceparent", f"00-{TRACE}-{PARENT}-01"),)


class Watched:
    """Telemetry whose spans and figures a test reads."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        meters = MeterProvider(metric_readers=[self.reader])
        self.telemetry = Telemetry(tracers.get_tracer("execsvc"), meters.get_meter("execsvc"))

    def span(self, name):
        (found,) = [span for span in self.exporter.get_finished_spans() if span.name == name]
        return found

    def points(self, name):
        data = self.reader.get_metrics_data()
        return [
            point
            for resource in (data.resource_metrics if data is not None else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def watched():
    return Watched()


async def test_a_call_continues_the_callers_trace(watched):
    """The span of a placement is the server's child of the caller's, and the checks are its children."""
    async with open_stage(telemetry=watched.telemetry) as built:
        await built.orders.PlaceOrder(placement("one"), timeout=2, metadata=TRACEPARENT)
        stored = await built.orders.PlaceOrder(placement("one"), timeout=2)
    spans = [span for span in watched.exporter.get_finished_spans() if format(span.context.trace_id, "032x") == TRACE]
    (outer,) = [span for span in spans if span.name == "execsvc.v1.OrderService/PlaceOrder"]
    (checks,) = [span for span in spans if span.name == "order.check"]
    assert (SpanKind.SERVER, PARENT, outer.context.span_id, True) == (
        outer.kind,
        format(outer.parent.span_id, "016x"),
        checks.parent.span_id,
        stored.replayed,
    )


async def test_a_placements_span_tells_what_a_trader_asks_for(watched):
    """Caller, account, ids, symbol, side, type, outcome, code: and nothing outside the allow-list."""
    async with open_stage(telemetry=watched.telemetry) as built:
        await built.place("one")
    told = dict(watched.span("execsvc.v1.OrderService/PlaceOrder").attributes)
    expected = {
        "rpc.system": "grpc",
        "rpc.service": "execsvc.v1.OrderService",
        "rpc.method": "PlaceOrder",
        "rpc.grpc.status_code": 0,
        "execsvc.caller": "local",
        "execsvc.account": "main",
        "execsvc.mode": "paper",
        "execsvc.client_order_id": "one",
        "execsvc.order_id": "O00000",
        "execsvc.symbol": "BTC/USD",
        "execsvc.side": "buy",
        "execsvc.order_type": "limit",
        "execsvc.time_in_force": "gtc",
        "execsvc.outcome": "open",
        "execsvc.attempt": 0,
        "execsvc.replayed": False,
    }
    request_id = told.pop("execsvc.request_id")
    assert (expected, 32, set()) == (told, len(request_id), set(told) - ATTRIBUTES)


async def test_a_refusals_span_has_its_reason(watched):
    """The caller's error is no error of the server's span; the server's own is."""
    async with open_stage(telemetry=watched.telemetry) as built:
        await refused(built.place("-bad"))
        built.public.failure = ZeroDivisionError()
        await refused(built.market.GetTickers(market.GetTickersRequest(), timeout=2))
    bad, broken = (
        watched.span(f"execsvc.v1.{name}") for name in ("OrderService/PlaceOrder", "MarketDataService/GetTickers")
    )
    assert [("INVALID_REQUEST", 3, StatusCode.UNSET), ("INTERNAL", 13, StatusCode.ERROR)] == [
        (each.attributes["execsvc.reason"], each.attributes["rpc.grpc.status_code"], each.status.status_code)
        for each in (bad, broken)
    ]
    assert [("INTERNAL", 1)] == [(each.attributes["reason"], each.value) for each in watched.points("execsvc.own_bugs")]


async def test_calls_are_timed_by_method_and_code(watched):
    """rpc.server.call.duration has one series a method and outcome."""
    async with open_stage(telemetry=watched.telemetry) as built:
        await built.place("one")
        await refused(built.place("-bad"))
    found = {
        (each.attributes["rpc.method"], each.attributes["rpc.grpc.status_code"]): each.count
        for each in watched.points("rpc.server.call.duration")
    }
    assert {("PlaceOrder", 0): 1, ("PlaceOrder", 3): 1} == found


async def test_a_subscription_is_one_span_that_ends_when_it_is_open(watched):
    """A stream's span covers its opening, and names the stream; ticks have none; open streams are counted."""
    async with open_stage(telemetry=watched.telemetry) as built:
        reader = Reader(built.market.SubscribeTickers(market.SubscribeTickersRequest(symbols=["BTC/USD"])))
        (accepted,) = await reader.take(1)
        span = watched.span("execsvc.v1.MarketDataService/SubscribeTickers")
        counted = [each.value for each in watched.points("execsvc.stream.subscribers")]
        reader.call.cancel()
        await built.eventually(lambda: not built.feeds.readers)
    left = [each.value for each in watched.points("execsvc.stream.subscribers")]
    assert (accepted.accepted.stream_id, 0, [1], [0]) == (
        span.attributes["execsvc.stream"],
        span.attributes["rpc.grpc.status_code"],
        counted,
        left,
    )


async def test_a_caller_that_hung_up_is_measured_as_cancelled(watched):
    """Code 1 for calls whose caller left, so that they do not look like answers."""
    async with open_stage(telemetry=watched.telemetry) as built:
        built.public.silent = True
        call = built.market.GetTickers(market.GetTickersRequest(), timeout=5)
        await built.eventually(lambda: built.public.asked)
        call.cancel()
        await built.eventually(lambda: watched.points("rpc.server.call.duration"))
    assert [1] == [each.attributes["rpc.grpc.status_code"] for each in watched.points("rpc.server.call.duration")]
    assert grpc.StatusCode.CANCELLED.value[0] == 1


@pytest.mark.parametrize("header", ["nonsense", f"00-{TRACE}-{PARENT}-01" + "x" * 600, "00-" + "0" * 32 + "-1-01"])
async def test_a_trace_header_that_makes_no_sense_starts_a_new_trace(watched, header):
    """A malformed or endless traceparent is ignored, never an error."""
    async with open_stage(telemetry=watched.telemetry) as built:
        await built.orders.PlaceOrder(placement("one"), timeout=2, metadata=(("traceparent", header),))
    assert watched.span("execsvc.v1.OrderService/PlaceOrder").parent is None
