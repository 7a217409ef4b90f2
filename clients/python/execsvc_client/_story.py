"""An order's story as values: every wait, send, reply, doubt and verdict, in the gateway's own sentences.

What happened is told here and nothing is concluded from it: where the order stands is `Order.status`. `wire` is the
message each value was read from, with times to the nanosecond.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from execsvc_api.v1 import order_service_pb2

from execsvc_client._decode import facts_inside
from execsvc_client._enums import OrderStatus, TimelineKind
from execsvc_client._errors import Facts
from execsvc_client._orders import Order, Times, read_order, read_times


@dataclass(frozen=True)
class TimelineEvent:
    """One step. `text` is a sentence for people, `verdict` one word where something was decided, else empty.

    `took` is the length of a wait or a round trip that ended at `time`, `waited_for` the counter or lane of a wait;
    `status` is the order's after the step, None where it stayed; `times` are there where the exchange told it.
    """

    time: datetime
    kind: TimelineKind
    attempt: int
    took: timedelta | None
    waited_for: str
    verdict: str
    text: str
    status: OrderStatus | None
    error: Facts | None
    trace_id: str
    times: Times | None
    wire: order_service_pb2.TimelineEvent = field(repr=False, compare=False)


@dataclass(frozen=True)
class Story:
    """An order as it is now, and how it came to be so, oldest first; in doubt, the last event says what is awaited."""

    order: Order
    events: tuple[TimelineEvent, ...]
    wire: order_service_pb2.ExplainOrderResponse = field(repr=False, compare=False)


def read_story(wire: order_service_pb2.ExplainOrderResponse) -> Story:
    """A story from the wire."""
    name = wire.order.client_order_id
    return Story(read_order(wire.order), tuple(_read_event(each, name) for each in wire.events), wire)


def _read_event(wire: order_service_pb2.TimelineEvent, client_order_id: str) -> TimelineEvent:
    return TimelineEvent(
        time=wire.time.ToDatetime(tzinfo=UTC),
        kind=TimelineKind(wire.kind),
        attempt=wire.attempt,
        took=wire.took.ToTimedelta() if wire.HasField("took") else None,
        waited_for=wire.waited_for,
        verdict=wire.verdict,
        text=wire.text,
        status=OrderStatus(wire.status) if wire.status else None,
        error=facts_inside(wire.error, client_order_id) if wire.HasField("error") else None,
        trace_id=wire.trace_id,
        times=read_times(wire.venue_times) if wire.HasField("venue_times") else None,
        wire=wire,
    )
