"""Telemetry: metrics text always, traces only where asked for, orders always sampled."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased
from opentelemetry.trace import Status, StatusCode

from execsvc.runtime.otel import ListedOnly, OrdersAlways, build
from execsvc.telemetry import Telemetry, trace_id_of_current

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}


async def test_metrics_text_has_our_names_in_seconds():
    """Counters end in _total, histograms have buckets for seconds, two builds do not mix."""
    telemetry, text, shutdown = build("execsvc", "paper", {})
    telemetry.orders.add(1, {"outcome": "Accepted"})
    telemetry.call_seconds.record(0.003, {"method": "PlaceOrder"})
    telemetry.in_doubt.add(1)
    shown = text()
    assert 'execsvc_orders_total{outcome="Accepted"} 1.0' in shown
    assert 'rpc_server_call_duration_seconds_bucket{le="0.005",method="PlaceOrder"} 1.0' in shown
    assert 'rpc_server_call_duration_seconds_bucket{le="0.002",method="PlaceOrder"} 0.0' in shown
    assert "execsvc_orders_in_doubt 1.0" in shown
    _, other, shutdown_other = build("execsvc", "paper", {})
    assert "Accepted" not in other()
    await shutdown()
    await shutdown_other()


async def test_without_an_endpoint_no_span_is_built():
    """Silent and nearly free."""
    telemetry, _, shutdown = build("execsvc", "paper", {})
    with telemetry.span("order.check") as span:
        assert not span.is_recording()
    await shutdown()


def test_without_an_endpoint_no_exporter_is_imported():
    """Nor its gRPC stubs."""
    code = (
        "import sys; from execsvc.runtime.otel import build; build('execsvc', 'paper', {});"
        "print([m for m in sys.modules if m.startswith('opentelemetry.exporter.otlp')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
async def test_with_an_endpoint_orders_are_recorded(monkeypatch, name):
    """Either variable turns traces on; shutting down with nobody there ends all the same."""
    monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    telemetry, _, shutdown = build("execsvc", "paper", {name: "http://127.0.0.1:1"})
    with telemetry.server_span("execsvc.v1.OrderService/PlaceOrder", {}) as span:
        assert span.is_recording()
    await shutdown()


class Kept(SpanExporter):
    """Keeps what it is given."""

    def __init__(self):
        self.spans, self.ended = [], []

    def export(self, spans):
        self.spans.extend(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self):
        self.ended.append("shutdown")

    def force_flush(self, timeout_millis=30000):
        self.ended.append(timeout_millis)
        return True


def exported(fill):
    """What leaves of one span, which `fill(span)` may write on."""
    kept = Kept()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ListedOnly(kept)))
    with provider.get_tracer("t").start_as_current_span("s", attributes={"execsvc.symbol": "BTC/USD"}) as span:
        fill(span)
    (span,) = kept.spans
    return span


def test_a_recorded_error_leaves_without_its_words():
    """Somebody else's instrumentation records exceptions; its text, its stack and the status's sentence stay here."""

    def fill(span):
        span.record_exception(ValueError("hunter2"))
        span.set_status(Status(StatusCode.ERROR, "ValueError: hunter2"))

    left = exported(fill)
    assert "hunter2" not in left.to_json()
    assert [("exception", {})] == [(event.name, dict(event.attributes)) for event in left.events]
    assert (StatusCode.ERROR, None) == (left.status.status_code, left.status.description)
    assert {"execsvc.symbol": "BTC/USD"} == dict(left.attributes)


def test_an_unlisted_attribute_does_not_leave():
    """Also one that was set past telemetry.py; name, times and parents stay."""
    left = exported(lambda span: span.set_attribute("http.request.header.api-sign", "hunter2"))
    assert "hunter2" not in left.to_json()
    assert "s" == left.name
    assert left.end_time >= left.start_time > 0


def test_a_span_of_ours_leaves_as_it_is():
    """Nothing is copied where all is listed; the gate's status is a reason's name."""

    def fill(span):
        span.set_status(Status(StatusCode.ERROR, "RISK_REFUSED"))
        seen.append(span)

    seen = []
    left = exported(fill)
    assert "RISK_REFUSED" == left.status.description
    assert seen[0].get_span_context() == left.context


def test_ending_and_flushing_go_through():
    """The exporter behind it is flushed and shut down."""
    kept = Kept()
    listed = ListedOnly(kept)
    assert listed.force_flush(7)
    listed.shutdown()
    assert [7, "shutdown"] == kept.ended


def test_orders_are_always_sampled_and_reads_by_ratio():
    """Decided from the name before a span exists; children follow their parent."""
    tracer = TracerProvider(sampler=ParentBased(OrdersAlways(0.0))).get_tracer("t")
    with tracer.start_as_current_span("execsvc.v1.OrderService/PlaceOrder") as order, tracer.start_span("x") as child:
        assert order.is_recording()
        assert child.is_recording()
    with tracer.start_as_current_span("execsvc.v1.MarketDataService/GetBook") as read, tracer.start_span("x") as child:
        assert isinstance(read, trace.NonRecordingSpan)
        assert isinstance(child, trace.NonRecordingSpan)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        (ENDPOINT | {"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http/protobuf"),
        (ENDPOINT | {"OTEL_TRACES_SAMPLER_ARG": "often"}, "often"),
        (ENDPOINT | {"OTEL_TRACES_SAMPLER_ARG": "2"}, "2"),
    ],
)
def test_setting_that_cannot_be_followed_is_named(environ, named):
    """Not ignored in silence."""
    with pytest.raises(ValueError, match=named):
        build("execsvc", "paper", environ)


async def test_of_a_call_that_is_not_recorded_there_are_no_children():
    """Neither sampled nor made: `order.check` would cost more than the call's own span; the trace's id stays known."""
    asked = []

    class Never(OrdersAlways):
        def should_sample(self, parent_context, trace_id, name, *args, **kwargs):
            asked.append(name)
            return super().should_sample(parent_context, trace_id, name, *args, **kwargs)

    tracer = TracerProvider(sampler=Never(0.0)).get_tracer("t")
    telemetry = Telemetry(tracer, NoOpMeterProvider().get_meter("t"))
    with (
        telemetry.server_span("execsvc.v1.MarketDataService/GetBook", {}) as read,
        telemetry.span("order.check") as child,
        telemetry.client_span("kraken") as call,
    ):
        assert (False, False, False) == (read.is_recording(), child.is_recording(), call.is_recording())
        assert format(read.get_span_context().trace_id, "032x") == trace_id_of_current()
    with telemetry.span("order.resolve"):
        pass
    assert ["execsvc.v1.MarketDataService/GetBook", "order.resolve"] == asked


async def test_of_a_call_that_is_recorded_there_are_children():
    """Under the call's own span, and none of them outlives it as the current one."""
    telemetry = Telemetry(TracerProvider().get_tracer("t"), NoOpMeterProvider().get_meter("t"))
    with (
        telemetry.server_span("execsvc.v1.OrderService/PlaceOrder", {}) as outer,
        telemetry.span("order.check") as child,
    ):
        assert (True, outer.get_span_context().span_id) == (child.is_recording(), child.parent.span_id)
    assert "" == trace_id_of_current()
