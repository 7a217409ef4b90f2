"""Kraken's counters, what may go when, and what placing an order would say, as values.

The counters are the gateway's own count, never below Kraken's. Asking costs nothing: Kraken is not asked. `wire` is the
message each answer was read from, with times to the nanosecond.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from execsvc_api.v1 import account_service_pb2, limits_pb2, order_pb2, order_service_pb2

from execsvc_client._amounts import known, seconds, when
from execsvc_client._decode import facts_inside
from execsvc_client._enums import CallClass, CounterKind
from execsvc_client._errors import Facts


@dataclass(frozen=True)
class Counter:
    """One of Kraken's counters, in points. `name`: the key's label, or the pair; `headroom`: what may be used now.

    Counts of open orders are of a pair; `venue_level` is Kraken's own figure where it told one.
    """

    kind: CounterKind
    name: str
    level: Decimal
    maximum: Decimal
    decay_per_second: Decimal
    headroom: Decimal
    as_of: datetime | None
    venue_level: Decimal | None
    open_orders: int
    max_open_orders: int
    blocked_until: datetime | None


@dataclass(frozen=True)
class CapacityQuery:
    """A question: when may `count` such calls go? `symbol` for PLACE, AMEND and CANCEL; `order_age` in seconds."""

    call_class: CallClass
    symbol: str = ""
    count: int = 1
    order_age: float | None = None


@dataclass(frozen=True)
class Capacity:
    """The answer. `allowed_now`: how many may go at once; `wait`: seconds until all of them may, None never."""

    query: CapacityQuery
    allowed_now: int
    wait: float | None
    ready_time: datetime | None


@dataclass(frozen=True)
class CallerLimit:
    """One of the limits that hold for the caller, in the unit that its name says; `used` is None where nothing accumulates.

    `caller`: whose orders it is for; empty: those of every caller, together where something accumulates.
    """

    name: str
    symbol: str
    used: Decimal | None
    limit: Decimal
    shadow: bool
    caller: str = ""


@dataclass(frozen=True)
class Limits:
    """Counters (keys first, then pairs), the answers in the order of the questions, and the caller's own limits."""

    account: str
    tier: str
    counters: tuple[Counter, ...]
    answers: tuple[Capacity, ...]
    caller_limits: tuple[CallerLimit, ...]
    wire: account_service_pb2.GetLimitsResponse = field(repr=False, compare=False)


@dataclass(frozen=True)
class Breach:
    """One rule that stands against an order. `field` is empty where the order is not to blame."""

    field: str
    reason: str
    value: str
    bound: str
    message: str
    fixed_by_rounding: bool


@dataclass(frozen=True)
class RiskCheck:
    """One limit and what it says to the rounded order; in shadow it refuses nothing."""

    name: str
    passed: bool
    value: Decimal | None
    limit: Decimal | None
    shadow: bool
    message: str


@dataclass(frozen=True)
class FeeEstimate:
    """Rates as fractions, and the fees of the order filled whole, in units of `asset`; None without a price."""

    asset: str
    maker_rate: Decimal
    taker_rate: Decimal
    maker_fee: Decimal | None
    taker_fee: Decimal | None


@dataclass(frozen=True)
class Preview:
    """What placing would say. `placeable`: the order with the rounded quantity and price would be sent now.

    `wait`: seconds until Kraken's counter lets it go, None never; `notional` and `reference_price` are None without a price,
    `quantity` is None for an order sized otherwise. `fees` is None where the account's rates are not known now.
    venue_error: what Kraken has against it, where it was asked.
    """

    account: str
    placeable: bool
    symbol: str
    quantity: Decimal | None
    limit_price: Decimal | None
    breaches: tuple[Breach, ...]
    risk_allowed: bool
    risk_checks: tuple[RiskCheck, ...]
    fees: FeeEstimate | None
    notional: Decimal | None
    reference_price: Decimal | None
    reference_time: datetime | None
    engine_cost: Decimal
    engine_counter: Counter
    wait: float | None
    venue_asked: bool
    venue_error: Facts | None
    rounded: order_pb2.OrderSpec = field(repr=False, compare=False)
    wire: order_service_pb2.PreviewOrderResponse = field(repr=False, compare=False)


def query_to_wire(query: CapacityQuery) -> limits_pb2.CapacityQuery:
    """A question for the wire. Raises ValueError for a negative age."""
    age = None if query.order_age is None else seconds(query.order_age, "order_age")
    return limits_pb2.CapacityQuery(
        call_class=limits_pb2.CallClass.ValueType(query.call_class),
        symbol=query.symbol,
        count=query.count,
        order_age=age,
    )


def read_limits(wire: account_service_pb2.GetLimitsResponse) -> Limits:
    """The counters and answers from the wire."""
    return Limits(
        account=wire.account,
        tier=wire.tier,
        counters=tuple(map(_read_counter, wire.counters)),
        answers=tuple(map(_read_capacity, wire.answers)),
        caller_limits=tuple(
            CallerLimit(each.name, each.symbol, known(each.used), Decimal(each.limit), each.shadow, each.caller)
            for each in wire.caller_limits
        ),
        wire=wire,
    )


def read_preview(wire: order_service_pb2.PreviewOrderResponse) -> Preview:
    """The verdict from the wire."""
    spec = wire.rounded_spec
    return Preview(
        account=wire.account,
        placeable=wire.placeable,
        symbol=spec.symbol,
        quantity=known(spec.base_quantity),
        limit_price=known(spec.limit.limit_price or spec.trigger.limit_price),
        breaches=tuple(
            Breach(each.field, each.reason, each.value, each.bound, each.message, each.fixed_by_rounding)
            for each in wire.breaches
        ),
        risk_allowed=wire.risk.allowed,
        risk_checks=tuple(
            RiskCheck(each.name, each.passed, known(each.value), known(each.limit), each.shadow, each.message)
            for each in wire.risk.checks
        ),
        fees=_read_fees(wire.fees) if wire.HasField("fees") else None,
        notional=known(wire.notional),
        reference_price=known(wire.reference_price),
        reference_time=when(wire.reference_time, present=wire.HasField("reference_time")),
        engine_cost=Decimal(wire.engine_cost),
        engine_counter=_read_counter(wire.engine_counter),
        wait=wire.wait.ToTimedelta().total_seconds() if wire.HasField("wait") else None,
        venue_asked=wire.venue_asked,
        venue_error=facts_inside(wire.venue_error) if wire.HasField("venue_error") else None,
        rounded=spec,
        wire=wire,
    )


def _read_fees(wire: order_service_pb2.FeeEstimate) -> FeeEstimate:
    return FeeEstimate(
        asset=wire.asset,
        maker_rate=Decimal(wire.maker_rate),
        taker_rate=Decimal(wire.taker_rate),
        maker_fee=known(wire.maker_fee),
        taker_fee=known(wire.taker_fee),
    )


def _read_counter(wire: limits_pb2.Counter) -> Counter:
    return Counter(
        kind=CounterKind(wire.kind),
        name=wire.name,
        level=Decimal(wire.level),
        maximum=Decimal(wire.max),
        decay_per_second=Decimal(wire.decay_per_second),
        headroom=Decimal(wire.headroom),
        as_of=when(wire.as_of_time, present=wire.HasField("as_of_time")),
        venue_level=Decimal(wire.venue_level) if wire.HasField("venue_level") else None,
        open_orders=wire.open_orders,
        max_open_orders=wire.max_open_orders,
        blocked_until=when(wire.blocked_until_time, present=wire.HasField("blocked_until_time")),
    )


def _read_capacity(wire: limits_pb2.CapacityAnswer) -> Capacity:
    asked = wire.query
    age = asked.order_age.ToTimedelta().total_seconds() if asked.HasField("order_age") else None
    return Capacity(
        query=CapacityQuery(CallClass(asked.call_class), asked.symbol, asked.count, age),
        allowed_now=wire.allowed_now,
        wait=wire.wait.ToTimedelta().total_seconds() if wire.HasField("wait") else None,
        ready_time=when(wire.ready_time, present=wire.HasField("ready_time")),
    )
