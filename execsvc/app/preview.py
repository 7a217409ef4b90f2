"""Everything that placing an order would say, without placing it: rules, limits, counters, and the order that would pass.

The one place where prices and quantities are rounded, and only as an offer: the quantity down to the lot, the price to the
passive side. Nothing is written down, set aside or asked of Kraken. What a placement does besides is app/desk.py's.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Context, Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.limits import NOTIONAL_LIMIT
from execsvc.app.risk import Limits, RiskDesk
from execsvc.app.worth import Worth, cents, in_dollars, worth
from execsvc.domain import money
from execsvc.domain.errors import ExecsvcError, Fault, Reason
from execsvc.domain.instrument import Instrument, pair_faults
from execsvc.domain.market import Side
from execsvc.domain.order import OrderSpec
from execsvc.ports import CallClass, CapacityQuestion, Clock, CounterState, Rates

QUANTITY, PRICE, SYMBOL = "spec.base_quantity", "spec.limit.limit_price", "spec.symbol"
_WIDE = Context(prec=60)


@dataclass(frozen=True)
class Breach:
    """One rule that stands against the order. `field` is its path, empty where no field of the order is to blame."""

    field: str
    reason: Reason
    value: str
    bound: str
    message: str
    fixed_by_rounding: bool = False


@dataclass(frozen=True)
class RiskCheck:
    """One limit and what it says to the rounded order; value: the order's figure, empty where it cannot be worked out."""

    name: str
    value: str
    limit: str
    message: str
    passed: bool


@dataclass(frozen=True)
class Previewed:
    """What placing would say. `placeable`: the rounded order would be sent now; wait_s: until there is room, None never."""

    placeable: bool
    rounded: OrderSpec
    breaches: tuple[Breach, ...]
    checks: tuple[RiskCheck, ...]
    worth: Worth | None
    cost: Decimal
    counter: CounterState
    wait_s: float | None
    as_of_ns: int


class Preview:
    """Looks at orders of one account. `closed_because` is the desk's word why no order is taken now."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        feeds: Feeds,
        risk: RiskDesk,
        limits: Limits,
        rates: Rates,
        clock: Clock,
        closed_because: Callable[[], Fault | None],
    ) -> None:
        self._catalog = catalog
        self._feeds = feeds
        self._risk = risk
        self._limits = limits
        self._rates = rates
        self._clock = clock
        self._closed_because = closed_because

    def look(self, spec: OrderSpec) -> Previewed:
        """The verdict on the order as it is now. Raises UNKNOWN_SYMBOL, and VENUE_UNREACHABLE while no pair is known."""
        instrument = self._catalog.instrument(spec.symbol, SYMBOL)
        given = replace(spec, symbol=instrument.symbol)
        rounded = rounded_spec(instrument, given)
        _, counter = self._rates.counters((instrument.symbol,))
        capacity = self._rates.capacity(CapacityQuestion(CallClass.PLACE, instrument.symbol))
        breaches = (*self._shut(), *rule_breaches(instrument, given, rounded), *_crowded(counter, capacity.wait_s))
        checks = self._checks(instrument, rounded)
        return Previewed(
            placeable=all(each.fixed_by_rounding for each in breaches)
            and all(each.passed for each in checks)
            and capacity.wait_s == 0,
            rounded=rounded,
            breaches=breaches,
            checks=checks,
            worth=worth(rounded, self._feeds),
            cost=self._rates.place_cost(),
            counter=counter,
            wait_s=capacity.wait_s,
            as_of_ns=self._clock.wall_ns(),
        )

    def _shut(self) -> tuple[Breach, ...]:
        """What stands against any order now: a desk that takes none, rules too old to trust."""
        closed = self._closed_because()
        if closed is not None:
            return (_general(closed),)
        try:
            self._catalog.demand_fresh()
        except ExecsvcError as refusal:
            return (_general(refusal.fault),)
        return ()

    def _checks(self, instrument: Instrument, rounded: OrderSpec) -> tuple[RiskCheck, ...]:
        """The risk desk's own verdict, with the figures beside it; no check is made where no limit is set."""
        limit = self._limits.max_order_notional
        if limit is None:
            return ()
        reckoned = worth(rounded, self._feeds)
        dollars = None if reckoned is None else in_dollars(reckoned.notional, instrument.quote, self._feeds)
        value, bound = "" if dollars is None else cents(dollars), money.text(limit)
        try:
            self._risk.check(instrument, rounded)
        except ExecsvcError as refusal:
            return (RiskCheck(NOTIONAL_LIMIT, value, bound, refusal.fault.message, passed=False),)
        message = f"order notional {value} USD is within the limit of {bound} USD"
        return (RiskCheck(NOTIONAL_LIMIT, value, bound, message, passed=True),)


# ---- rounding, pure ---------------------------------------------------------------------------------------------


def rounded_spec(instrument: Instrument, spec: OrderSpec) -> OrderSpec:
    """Quantity down to the lot, price to the passive side; what would become zero stays as it is."""
    quantity = _stepped(spec.base_quantity, instrument.quantity_increment, up=False)
    if spec.limit_price is None:
        return replace(spec, base_quantity=quantity)
    price = _stepped(spec.limit_price, instrument.price_increment, up=spec.side is Side.SELL)
    return replace(spec, base_quantity=quantity, limit_price=price)


def _stepped(value: Decimal, step: Decimal, *, up: bool) -> Decimal:
    if money.is_multiple(value, step):
        return value
    steps = _WIDE.divide_int(value, step) + (1 if up else 0)
    return money.product(steps, step) if steps else value


# ---- breaches, pure ---------------------------------------------------------------------------------------------


def rule_breaches(instrument: Instrument, given: OrderSpec, rounded: OrderSpec) -> tuple[Breach, ...]:
    """Pair rules that the order breaks as given, then those that it breaks only once it is rounded."""
    before, after = _faults(instrument, given), _faults(instrument, rounded)
    left = {_mark(fault) for fault in after}
    known = {_mark(fault) for fault in before}
    return (
        *(_breach(fault, given, fixed=_mark(fault) not in left) for fault in before),
        *(_breach(fault, rounded, fixed=False) for fault in after if _mark(fault) not in known),
    )


def _faults(instrument: Instrument, spec: OrderSpec) -> tuple[Fault, ...]:
    return pair_faults(instrument, quantity=spec.base_quantity, limit_price=spec.limit_price, post_only=spec.post_only)


def _mark(fault: Fault) -> tuple[Reason, str]:
    """Which rule it is. Least quantity and least cost are one: the second is not looked at where the first is broken."""
    return fault.reason, _field(fault)


def _field(fault: Fault) -> str:
    return fault.fields[0].path if fault.fields else SYMBOL


def _breach(fault: Fault, spec: OrderSpec, *, fixed: bool) -> Breach:
    field, told = _field(fault), fault.metadata
    value = spec.symbol
    if field == PRICE and spec.limit_price is not None:
        value = money.text(spec.limit_price)
    elif "min_cost" in told and spec.limit_price is not None:
        value = money.text(money.product(spec.limit_price, spec.base_quantity))
    elif field == QUANTITY:
        value = money.text(spec.base_quantity)
    bound = next((told[name] for name in ("increment", "min_quantity", "min_cost", "status") if name in told), "")
    return Breach(field, fault.reason, value, bound, fault.message, fixed)


def _general(fault: Fault) -> Breach:
    return Breach("", fault.reason, "", "", fault.message)


def _crowded(counter: CounterState, wait_s: float | None) -> tuple[Breach, ...]:
    """Too many open orders of the pair: no wait heals that."""
    if wait_s is not None or counter.open_orders < counter.max_open_orders:
        return ()
    message = f"{counter.open_orders} orders of {counter.name} may be open, Kraken allows {counter.max_open_orders}"
    value, bound = str(counter.open_orders), str(counter.max_open_orders)
    return (Breach(SYMBOL, Reason.VENUE_ORDER_LIMIT, value, bound, message),)
