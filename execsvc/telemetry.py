"""Spans and metrics of the house: one closed list of names, one allow-list of attributes, over the OpenTelemetry API.

The OpenTelemetry API is the seam: without an SDK every call here is silent and nearly free. Which SDK, exporter and
sampler stand behind it is runtime/otel.py's. Attributes pass an allow-list: no secret reaches a span by accident (P9).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from enum import StrEnum
from types import MappingProxyType

from opentelemetry import context as otel_context
from opentelemetry import metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind

ATTRIBUTES = frozenset({
    "rpc.system", "rpc.service", "rpc.method", "rpc.grpc.status_code", "execsvc.reason",
    "execsvc.caller", "execsvc.account", "execsvc.mode", "execsvc.request_id",
    "execsvc.client_order_id", "execsvc.order_id", "execsvc.symbol", "execsvc.side", "execsvc.order_type",
    "execsvc.time_in_force", "execsvc.outcome", "execsvc.attempt", "execsvc.replayed",
    "execsvc.journal.batch_size", "execsvc.lane", "execsvc.lane.wait_s", "execsvc.lane.queue_depth",
    "execsvc.nonce.age_s", "execsvc.venue_error", "execsvc.stream", "execsvc.why", "execsvc.sweeps", "execsvc.rule",
    "http.request.method", "http.response.status_code", "server.address", "server.port", "url.path",
})  # fmt: skip


_NOBODY = Context()  # of a caller that is not traced
_NO_CHILD: AbstractContextManager[Span] = nullcontext(INVALID_SPAN)
_unrecorded = ContextVar("execsvc_unrecorded", default=False)  # within an RPC whose trace is not recorded


class Spans(StrEnum):
    """Every span name below the RPC's own (which is `package.Service/Method`)."""

    CHECKS = "order.check"
    JOURNAL = "journal.commit"
    LANE = "ratelimit.wait"
    RESOLVE = "order.resolve"


class Telemetry:
    """What the rooms may tell. Build one in the composition root and hand it down."""

    def __init__(self, tracer: trace.Tracer, meter: metrics.Meter) -> None:
        self._tracer = tracer
        self._meter = meter
        self.call_seconds = meter.create_histogram(
            "rpc.server.call.duration", unit="s", description="Time from call to answer, by method and status."
        )
        self.order_seconds = meter.create_histogram(
            "execsvc.order.latency", unit="s", description="Stages of a placement: journal, wait, wire, ack."
        )
        self.orders = meter.create_counter("execsvc.orders", description="Placements by outcome and reason.")
        self.in_doubt = meter.create_up_down_counter("execsvc.orders.in_doubt", description="Orders in doubt now.")
        self.in_doubt.add(0)  # the figure that pages people exists from the first second on
        self.own_bugs = meter.create_counter("execsvc.own_bugs", description="What the contract counts as our bug.")
        self.callers_refused = meter.create_counter(
            "execsvc.callers.refused", description="Calls of nobody that is known here."
        )
        self.risk_refusals = meter.create_counter(
            "execsvc.risk.refusals",
            description="Orders that a limit refuses, or would if it were not only observed, by check.",
        )
        self.fast_cancels = meter.create_counter(
            "execsvc.risk.fast_cancels",
            description="Cancels that came faster than five a second of one caller; all went.",
        )
        self.nonce_rejections = meter.create_counter("execsvc.nonce_rejections", description="EAPI:Invalid nonce seen.")
        self.rate_wait_seconds = meter.create_histogram(
            "execsvc.rate.wait", unit="s", description="Waits for a turn and for Kraken's counters, by class."
        )
        self.rate_drift = meter.create_histogram(
            "execsvc.rate.drift", description="Points: our count of a pair's trading counter minus Kraken's own."
        )
        self.query_lag_seconds = meter.create_histogram(
            "execsvc.query_lag", unit="s", description="From Kraken's answer to first sight of the order, by source."
        )
        self.feed_gaps = meter.create_counter("execsvc.feed.gaps", description="Feed gaps, by reason.")
        self.feed_reconnects = meter.create_counter("execsvc.feed.reconnects", description="Feed reconnects.")
        self.checksum_failures = meter.create_counter(
            "execsvc.feed.checksum_failures", description="Book checksums that did not match."
        )
        self.subscribers = meter.create_up_down_counter(
            "execsvc.stream.subscribers", description="Streams open now, by method."
        )
        self.conflated = meter.create_counter(
            "execsvc.stream.conflated", description="Updates folded for slow readers."
        )

    def watch(self, name: str, description: str, read: Callable[[], Iterable[tuple[float, Mapping[str, str]]]]) -> None:
        """A gauge that is read whenever somebody collects: figures with their labels. `read` must not wait."""

        def observed(_: metrics.CallbackOptions) -> list[metrics.Observation]:
            return [metrics.Observation(figure, dict(labels)) for figure, labels in read()]

        self._meter.create_observable_gauge(name, callbacks=[observed], description=description)

    def span(
        self, name: str, attributes: Mapping[str, str | int | float | bool] = MappingProxyType({})
    ) -> AbstractContextManager[Span]:
        """A child of the current span; what escapes leaves it unset: whoever translates the error tells the outcome."""
        return self._child(name, SpanKind.INTERNAL, attributes)

    def client_span(
        self, name: str, attributes: Mapping[str, str | int | float | bool] = MappingProxyType({})
    ) -> AbstractContextManager[Span]:
        """The span of one call to Kraken."""
        return self._child(name, SpanKind.CLIENT, attributes)

    @contextmanager
    def server_span(self, name: str, carrier: Mapping[str, str]) -> Iterator[Span]:
        """The span of one RPC, continuing the caller's `traceparent` where the carrier has one."""
        parent = propagate.extract(dict(carrier)) if carrier else _NOBODY
        span = self._tracer.start_span(name, parent, SpanKind.SERVER)
        token = otel_context.attach(trace.set_span_in_context(span, parent))
        unrecorded = _unrecorded.set(not span.is_recording())
        try:
            yield span
        finally:
            _unrecorded.reset(unrecorded)
            otel_context.detach(token)
            span.end()

    def _child(
        self, name: str, kind: SpanKind, attributes: Mapping[str, str | int | float | bool]
    ) -> AbstractContextManager[Span]:
        """Of an RPC whose trace is not recorded there are none: making them costs more than the RPC's own span."""
        if _unrecorded.get():
            return _NO_CHILD
        return self._tracer.start_as_current_span(
            name, kind=kind, attributes=allowed(attributes), record_exception=False, set_status_on_exception=False
        )


def allowed(attributes: Mapping[str, str | int | float | bool]) -> dict[str, str | int | float | bool]:
    """The attributes of the closed list; anything else is a bug of ours and stays out."""
    return {name: value for name, value in attributes.items() if name in ATTRIBUTES}


def tell(span: Span, attributes: Mapping[str, str | int | float | bool]) -> None:
    """Sets listed attributes on a span."""
    if span.is_recording():
        span.set_attributes(allowed(attributes))


def trace_id_of_current() -> str:
    """The current trace's id in hex; empty outside any trace."""
    context = trace.get_current_span().get_span_context()
    return format(context.trace_id, "032x") if context.is_valid else ""


def silent() -> Telemetry:
    """Telemetry that tells nobody: the API's own no-op providers."""
    return Telemetry(trace.NoOpTracerProvider().get_tracer("execsvc"), metrics.NoOpMeterProvider().get_meter("execsvc"))
