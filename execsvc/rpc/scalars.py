"""The scalars every message uses: times, spans, decimals, sides, feed states; exact to the nanosecond.

A protobuf Timestamp or Duration that is out of range is refused by validate.py before anything here reads it.
"""

from decimal import Context, Decimal

from execsvc_api.v1 import common_pb2 as common
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.domain import money
from execsvc.domain.market import EventTimes, FeedState, GapReason, Side

NS = 1_000_000_000
FRACTION_DIGITS = 18
_FINEST = Decimal(1).scaleb(-FRACTION_DIGITS)
_WIDE = Context(prec=60)

SIDES: dict[Side, common.Side.ValueType] = {Side.BUY: common.SIDE_BUY, Side.SELL: common.SIDE_SELL}
SIDE_OF = {wire: side for side, wire in SIDES.items()}
FEED_STATES: dict[FeedState, common.FeedState.ValueType] = {
    FeedState.LIVE: common.FEED_STATE_LIVE,
    FeedState.STALE: common.FEED_STATE_STALE,
    FeedState.RESYNCING: common.FEED_STATE_RESYNCING,
}
GAP_REASONS: dict[GapReason, common.GapReason.ValueType] = {
    GapReason.UPSTREAM_RECONNECT: common.GAP_REASON_UPSTREAM_RECONNECT,
    GapReason.UPSTREAM_INTEGRITY: common.GAP_REASON_UPSTREAM_INTEGRITY,
    GapReason.SLOW_CONSUMER: common.GAP_REASON_SLOW_CONSUMER,
}


def timestamp(ns: int) -> Timestamp:
    """The instant, nanoseconds since the epoch."""
    return Timestamp(seconds=ns // NS, nanos=ns % NS)


def timestamp_or_none(ns: int | None) -> Timestamp | None:
    """None where the instant is unknown: an absent field."""
    return None if ns is None else timestamp(ns)


def ns_of(stamp: Timestamp) -> int:
    """Nanoseconds since the epoch."""
    return stamp.seconds * NS + stamp.nanos


def duration(seconds: float) -> Duration:
    """The span, rounded to the nanosecond."""
    return duration_of_ns(round(seconds * NS))


def duration_of_ns(ns: int) -> Duration:
    """The span; both parts carry its sign."""
    whole, rest = divmod(abs(ns), NS)
    return Duration(seconds=whole, nanos=rest) if ns >= 0 else Duration(seconds=-whole, nanos=-rest)


def span_ns(span: Duration) -> int:
    """Nanoseconds, signed."""
    return span.seconds * NS + span.nanos


def seconds_of(span: Duration) -> float:
    """Seconds, signed."""
    return span_ns(span) / NS


def decimal(value: Decimal) -> str:
    """The contract's text: scale kept; a derived figure finer than 18 digits (an average) is rounded to them."""
    text = money.text(value or value.copy_abs())  # -0 is no figure of the contract
    if len(text.partition(".")[2]) <= FRACTION_DIGITS:
        return text
    value = value.quantize(_FINEST, context=_WIDE)
    return money.text(value or value.copy_abs())


def decimal_or_empty(value: Decimal | None) -> str:
    """Empty where the figure is unknown."""
    return "" if value is None else decimal(value)


def event_times(times: EventTimes) -> common.EventTimes:
    """The two clocks of an event."""
    return common.EventTimes(
        venue_time=timestamp_or_none(times.venue_ns),
        receive_time=timestamp(times.receive_ns),
    )
