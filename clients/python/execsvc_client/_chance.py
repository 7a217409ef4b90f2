"""Ids and jitter: the only place of this package that draws random numbers.

Client order ids are made here once per intent; trace context comes from OpenTelemetry where the program uses it, else
it is fresh. Nothing here is a secret.
"""

import random
import sys
import uuid
from typing import NamedTuple

_DICE = random.SystemRandom()


class Trace(NamedTuple):
    """The trace a call belongs to: `parent` is the traceparent header, `trace_id` its 32 hex digits."""

    parent: str
    trace_id: str


def new_client_order_id() -> str:
    """A fresh id for one intent: make it once, keep it, and repeat with it as often as need be."""
    return str(uuid.uuid4())


def new_request_id() -> str:
    """A fresh id for one request."""
    return uuid.uuid4().hex


def jitter(seconds: float) -> float:
    """A wait somewhere between half of `seconds` and all of it, so that many clients do not come back at once."""
    return seconds * _DICE.uniform(0.5, 1.0)


def current_trace(*, wanted: bool) -> Trace:
    """The current span's context, or a fresh one; `wanted` asks the server to record a fresh one (orders, not reads).

    OpenTelemetry is asked only if the program has loaded it: without that there can be no current span, and this
    package does not depend on it.
    """
    otel = sys.modules.get("opentelemetry.trace")
    if otel is not None:
        context = otel.get_current_span().get_span_context()
        if context.is_valid:
            trace_id = format(context.trace_id, "032x")
            return Trace(f"00-{trace_id}-{context.span_id:016x}-{context.trace_flags:02x}", trace_id)
    trace_id = uuid.uuid4().hex
    return Trace(f"00-{trace_id}-{uuid.uuid4().hex[:16]}-{wanted:02x}", trace_id)
