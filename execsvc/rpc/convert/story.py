"""An order's story outward: each step of it as one TimelineEvent.

Only the way out exists, since no request carries a step. What a kind means is told in docs/reference/timeline.md.
"""

from execsvc_api.v1 import order_pb2
from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.domain.market import EventTimes
from execsvc.domain.story import Step, StepKind
from execsvc.rpc.convert.orders import STATUSES
from execsvc.rpc.scalars import duration_of_ns, event_times, timestamp
from execsvc.rpc.status import call_error

KINDS: dict[StepKind, wire.TimelineKind.ValueType] = {
    kind: wire.TimelineKind.Value(f"TIMELINE_KIND_{kind.name}") for kind in StepKind
}


def event(step: Step) -> wire.TimelineEvent:
    """One step; what it has nothing to say of is absent, empty or unspecified."""
    return wire.TimelineEvent(
        time=timestamp(step.at_ns),
        kind=KINDS[step.kind],
        attempt=step.attempt,
        took=None if step.took_ns is None else duration_of_ns(step.took_ns),
        waited_for=step.waited_for,
        verdict=step.verdict,
        text=step.text,
        status=order_pb2.ORDER_STATUS_UNSPECIFIED if step.status is None else STATUSES[step.status],
        error=None if step.fault is None else call_error(step.fault),
        trace_id=step.trace_id,
        venue_times=None if step.venue_ns is None else event_times(EventTimes(step.venue_ns, step.at_ns)),
    )
