"""Kraken's counters and questions about capacity, between contract and domain.

Questions go both ways: in as they were asked, out again with their defaults filled in. Points are sums of ours, so they are
written without trailing zeros.
"""

from decimal import Decimal

from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import limits_pb2 as wire

from execsvc.app.limits import LimitsReport
from execsvc.app.risk import CallerLimit
from execsvc.domain import money
from execsvc.ports import CallClass, CapacityAnswer, CapacityQuestion, CounterKind, CounterState
from execsvc.rpc.scalars import decimal, duration, seconds_of, timestamp, timestamp_or_none

KINDS: dict[CounterKind, wire.CounterKind.ValueType] = {
    kind: wire.CounterKind.Value(f"COUNTER_KIND_{kind.name}") for kind in CounterKind
}
CALL_CLASSES: dict[CallClass, wire.CallClass.ValueType] = {
    each: wire.CallClass.Value(f"CALL_CLASS_{each.name}") for each in CallClass
}
CALL_CLASS_OF = {number: each for each, number in CALL_CLASSES.items()}
AGED = frozenset({CallClass.AMEND, CallClass.CANCEL})
UINT32_MAX = 2**32 - 1


def question_of(given: wire.CapacityQuery) -> CapacityQuestion:
    """The question; its pair still as the caller spelt it."""
    return CapacityQuestion(
        call_class=CALL_CLASS_OF[given.call_class],
        symbol=given.symbol,
        count=given.count or 1,
        order_age_s=seconds_of(given.order_age) if given.HasField("order_age") else None,
    )


def response(name: str, report: LimitsReport) -> account.GetLimitsResponse:
    """Everything of one account as of one moment."""
    return account.GetLimitsResponse(
        account=name,
        tier=report.tier,
        counters=[counter(each, report.as_of_ns) for each in report.counters],
        answers=[answer(asked, told, report.as_of_ns) for asked, told in report.answers],
        caller_limits=map(caller_limit, report.caller_limits),
    )


def counter(value: CounterState, as_of_ns: int) -> wire.Counter:
    """One counter; counts of orders belong to a pair and are 0 for a key."""
    return wire.Counter(
        kind=KINDS[value.kind],
        name=value.name,
        level=points(value.level),
        max=points(value.maximum),
        decay_per_second=points(value.decay_per_s),
        headroom=points(value.headroom),
        as_of_time=timestamp(as_of_ns),
        venue_level=None if value.venue_level is None else decimal(value.venue_level),
        open_orders=value.open_orders,
        max_open_orders=value.max_open_orders,
        blocked_until_time=timestamp_or_none(value.blocked_until_ns),
    )


def answer(asked: CapacityQuestion, told: CapacityAnswer, as_of_ns: int) -> wire.CapacityAnswer:
    """One answer beside its question; without a wait there is no moment either."""
    wait = None if told.wait_s is None else duration(told.wait_s)
    return wire.CapacityAnswer(
        query=wire.CapacityQuery(
            call_class=CALL_CLASSES[asked.call_class],
            symbol=asked.symbol,
            count=asked.count,
            order_age=duration(asked.order_age_s or 0.0) if asked.call_class in AGED else None,
        ),
        allowed_now=min(told.allowed_now, UINT32_MAX),
        wait=wait,
        ready_time=None if wait is None else timestamp(as_of_ns + wait.ToNanoseconds()),
    )


def caller_limit(value: CallerLimit) -> wire.CallerLimit:
    """One limit, and what is used of it."""
    return wire.CallerLimit(
        name=value.name,
        symbol=value.symbol,
        used=value.used,
        limit=value.limit,
        shadow=value.shadow,
        caller=value.caller,
    )


def points(value: Decimal) -> str:
    """Points of a counter."""
    return money.numeral(value)
