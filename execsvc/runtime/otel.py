"""The OpenTelemetry SDK behind execsvc.telemetry: a Prometheus text for /metrics always, OTLP traces only where asked for.

Without OTEL_EXPORTER_OTLP_ENDPOINT (or its traces variant) no exporter is imported and no span is ever built. With it,
whether a span is recorded is decided before it exists: orders always, other calls by OTEL_TRACES_SAMPLER_ARG (default 1 %),
or by the SDK's own samplers when OTEL_TRACES_SAMPLER names one. What leaves has passed the allow-list of telemetry.py once
more, so that a span of somebody else's making, or an error recorded on one, carries nothing out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import Link, SpanKind, Status, TraceState
from opentelemetry.util.types import Attributes
from prometheus_client import CollectorRegistry, generate_latest

from execsvc.telemetry import ATTRIBUTES, Telemetry

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
READS_SAMPLED = 0.01
# Seconds; from a journal commit (0.2 ms) to a slow venue (10 s).
_BUCKETS_S = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_ALWAYS = "OrderService/"

Built = tuple[Telemetry, Callable[[], str], Callable[[], Awaitable[None]]]


class OrdersAlways(Sampler):
    """Spans of the order service are always recorded, the others by ratio of their trace id."""

    def __init__(self, ratio: float) -> None:
        self._others = TraceIdRatioBased(ratio)
        self._orders = TraceIdRatioBased(1.0)

    def should_sample(  # noqa: PLR0917  the SDK's signature
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """The SDK asks before it builds a root span."""
        chosen = self._orders if _ALWAYS in name else self._others
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """For the SDK's own debugging."""
        return f"OrdersAlways({self._others.rate})"


class ListedOnly(SpanExporter):
    """Before the exporter: unlisted attributes, the text of recorded errors and the words of a status stay here."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """As the SDK asks."""
        return self._exporter.export([_listed(span) for span in spans])

    def shutdown(self) -> None:
        """As the SDK asks."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """As the SDK asks."""
        return self._exporter.force_flush(timeout_millis)


def build(service_name: str, mode: str, environ: Mapping[str, str]) -> Built:
    """Telemetry, the text of /metrics, and how to flush and stop. Raises ValueError for a setting it cannot follow."""
    resource = Resource.create({"service.name": service_name, "execsvc.mode": mode})
    registry = CollectorRegistry()
    reader = PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=registry)
    meters = MeterProvider(metric_readers=[reader], resource=resource, views=[_seconds_view()])
    tracers = _tracers(resource, environ)
    telemetry = Telemetry(tracers.get_tracer(service_name), meters.get_meter(service_name))

    def metrics_text() -> str:
        return generate_latest(registry).decode()

    async def shutdown() -> None:
        if isinstance(tracers, TracerProvider):
            await asyncio.to_thread(tracers.shutdown)
        await asyncio.to_thread(meters.shutdown)

    return telemetry, metrics_text, shutdown


def _tracers(resource: Resource, environ: Mapping[str, str]) -> trace.TracerProvider:
    if not any(environ.get(name) for name in ENDPOINTS) or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return trace.NoOpTracerProvider()
    protocol = next((environ[name] for name in PROTOCOLS if environ.get(name)), "grpc")
    if protocol != "grpc":
        raise ValueError(f"{PROTOCOLS[1]}={protocol} is not in this build: only grpc is")
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    # Without a sampler of ours the SDK reads OTEL_TRACES_SAMPLER itself.
    sampler = None if environ.get("OTEL_TRACES_SAMPLER") else ParentBased(OrdersAlways(_ratio(environ)))
    provider = TracerProvider(sampler=sampler, resource=resource)
    provider.add_span_processor(BatchSpanProcessor(ListedOnly(OTLPSpanExporter())))
    return provider


def _listed(span: ReadableSpan) -> ReadableSpan:
    """The span itself where all of it may leave, as ours may; else a copy without the rest."""
    plain = not span.events and not span.links and _reason(span.status.description) == span.status.description
    if plain and (span.attributes or {}).keys() <= ATTRIBUTES:
        return span
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_of_list(span.attributes),
        events=[Event(event.name, _of_list(event.attributes), event.timestamp) for event in span.events],
        links=[Link(link.context, _of_list(link.attributes)) for link in span.links],
        kind=span.kind,
        status=Status(span.status.status_code, _reason(span.status.description)),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _of_list(attributes: Attributes) -> Attributes:
    return {name: value for name, value in (attributes or {}).items() if name in ATTRIBUTES}


def _reason(description: str | None) -> str | None:
    """The gate's are a reason's name; a sentence is somebody else's, perhaps an error's."""
    return description if description and description.isidentifier() else None


def _ratio(environ: Mapping[str, str]) -> float:
    text = environ.get("OTEL_TRACES_SAMPLER_ARG", str(READS_SAMPLED))
    try:
        ratio = float(text)
    except ValueError:
        ratio = -1.0
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG={text!r} is not a ratio between 0 and 1")
    return ratio


def _seconds_view() -> View:
    """The SDK's default buckets are made for milliseconds; ours are seconds."""
    return View(
        instrument_type=Histogram,
        instrument_unit="s",
        aggregation=ExplicitBucketHistogramAggregation(boundaries=_BUCKETS_S),
    )
