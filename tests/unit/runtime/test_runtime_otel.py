"""Telemetry: metrics text always, traces only where asked for, orders always sampled."""

import subprocess
import sys

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased

from execsvc.runtime.otel import OrdersAlways, build

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
