"""Everything that placing an order would say, without placing it: rules, limits, counters, and the order that would pass.

The one place where prices and quantities are rounded, and only as an offer: the quantity down to the lot, the price to the
passive side. Nothing is written down or set aside, and Kraken is asked only where a caller wants its word too. What a
placement does besides is app/desk.py's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import TypedDict, TypeVar

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.fees import FeeBook, FeeEstimate
from execsvc.app.risk import RiskDesk
from execsvc.app.worth import Worth, worth
from execsvc.domain import money
from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, Fault, Reason
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Side
from execsvc.domain.pairrules import Grid, figures, pair_faults, step_of
from execsvc.domain.risk import Verdict
from execsvc.domain.spec import ConditionalClose, Offset, OrderSpec, OrderType
from execsvc.ports import CallClass, CapacityQuestion, Clock, CounterState, Rates

SYMBOL = "spec.symbol"
T = TypeVar("T", Decimal, Decimal | None)
# Asks Kraken to judge an order without placing it, until a monotonic instant, on behalf of a caller: its objection.
Ask = Callable[[OrderSpec, Instrument, float, str], Awaitable[Fault | None]]
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
class Previewed:
    """What placing would say. `placeable`: the rounded order would be sent now; wait_s: until there is room, None never.

    checks: what every limit says to the rounded order. objection: what Kraken has against it, where it was asked; fees: None
    where the rates are not known.
    """

    who: Caller
    given: OrderSpec
    placeable: bool
    rounded: OrderSpec
    breaches: tuple[Breach, ...]
    checks: tuple[Verdict, ...]
    worth: Worth | None
    cost: Decimal
    counter: CounterState
    wait_s: float | None
    as_of_ns: int
    venue_asked: bool = False
    objection: Fault | None = None
    fees: FeeEstimate | None = None


class Preview:
    """Looks at orders of one account. `refusal` is the desk's word why no such order is taken now."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        feeds: Feeds,
        risk: RiskDesk,
        rates: Rates,
        clock: Clock,
        refusal: Callable[[Caller, OrderSpec], Fault | None],
        ask: Ask,
        fees: FeeBook,
    ) -> None:
        self._catalog = catalog
        self._feeds = feeds
        self._risk = risk
        self._rates = rates
        self._clock = clock
        self._refusal = refusal
        self._ask = ask
        self._fees = fees

    def look(self, who: Caller, spec: OrderSpec) -> Previewed:
        """The verdict on the order as it is now. Raises UNKNOWN_SYMBOL, and VENUE_UNREACHABLE while no pair is known."""
        instrument = self._catalog.instrument(spec.symbol, SYMBOL)
        given = replace(spec, symbol=instrument.symbol)
        rounded = rounded_spec(instrument, given)
        _, counter = self._rates.counters((instrument.symbol,))
        capacity = self._rates.capacity(CapacityQuestion(CallClass.PLACE, instrument.symbol))
        now_ns = self._clock.wall_ns()
        broken = rule_breaches(instrument, given, rounded, now_ns)
        breaches = (*self._shut(who, rounded), *broken, *_crowded(counter, capacity.wait_s))
        checks = self._risk.look(who, instrument, rounded)
        return Previewed(
            who=who,
            given=given,
            placeable=all(each.fixed_by_rounding for each in breaches)
            and not any(each.refuses for each in checks)
            and capacity.wait_s == 0,
            rounded=rounded,
            breaches=breaches,
            checks=checks,
            worth=worth(rounded, self._feeds),
            cost=self._rates.place_cost(),
            counter=counter,
            wait_s=capacity.wait_s,
            as_of_ns=now_ns,
        )

    async def priced(self, previewed: Previewed, by: float, caller: str) -> Previewed:
        """The same with what the rounded order would cost, if filled whole, at the account's rates.

        What a limit lacked, what is used of it or a price that comes in now, is looked at first.
        """
        missing = tuple(dict.fromkeys(pair for each in previewed.checks for pair in each.missing))
        lacked = not self._risk.ready
        await self._risk.restore()
        if await self._risk.arrive(missing, by) or lacked:
            previewed = self.look(previewed.who, previewed.given)
        rounded = previewed.rounded
        instrument = self._catalog.instrument(rounded.symbol, SYMBOL)
        fees = await self._fees.estimate(instrument, rounded, previewed.worth, by, caller=caller)
        return replace(previewed, fees=fees)

    async def asked(self, previewed: Previewed, by: float, caller: str) -> Previewed:
        """The same with Kraken's own word on the rounded order. Raises as reads do when Kraken cannot be asked in time."""
        instrument = self._catalog.instrument(previewed.rounded.symbol, SYMBOL)
        objection = await self._ask(previewed.rounded, instrument, by, caller)
        placeable = previewed.placeable and objection is None
        return replace(previewed, placeable=placeable, venue_asked=True, objection=objection)

    def _shut(self, who: Caller, rounded: OrderSpec) -> tuple[Breach, ...]:
        """What stands against it whatever its figures: a right, a mode, a desk that takes none, rules too old to trust."""
        closed = self._refusal(who, rounded)
        if closed is not None:
            return (_general(closed),)
        try:
            self._catalog.demand_fresh()
        except ExecsvcError as refusal:
            return (_general(refusal.fault),)
        return ()


# ---- rounding, pure ---------------------------------------------------------------------------------------------


def rounded_spec(instrument: Instrument, spec: OrderSpec) -> OrderSpec:
    """Quantities down to their step, prices to the passive side; what would become zero stays as it is.

    What an iceberg shows is rounded up, so that it is not too little. A trigger's passive side is where it fires later, that
    of a distance is the longer one.
    """
    lot = instrument.quantity_increment
    quantity = _stepped(spec.base_quantity, lot, up=False)
    shown = _stepped(spec.display_quantity, lot, up=True)
    close = spec.conditional_close
    if close is not None:
        opposite = Side.SELL if spec.side is Side.BUY else Side.BUY
        close = replace(close, **_rounded_prices(instrument, close, opposite))
    return replace(
        spec,
        base_quantity=quantity,
        quote_quantity=_stepped(spec.quote_quantity, step_of(instrument, Grid.COST), up=False),
        display_quantity=shown if shown is None or quantity is None else min(shown, quantity),
        conditional_close=close,
        **_rounded_prices(instrument, spec, spec.side),
    )


class _Prices(TypedDict):
    limit_price: Decimal | None
    trigger_price: Decimal | None
    offset: Offset | None
    limit_offset: Offset | None


def _rounded_prices(instrument: Instrument, whole: OrderSpec | ConditionalClose, side: Side) -> _Prices:
    """A buy's limit goes down. A buy that waits for the price to rise, a stop, fires later higher up."""
    tick, sells = instrument.price_increment, side is Side.SELL
    fires_higher = sells is (whole.order_type is OrderType.TAKE_PROFIT)
    return _Prices(
        limit_price=_stepped(whole.limit_price, tick, up=sells),
        trigger_price=_stepped(whole.trigger_price, tick, up=fires_higher),
        offset=_stepped_offset(whole.offset, tick, up=True),
        limit_offset=_stepped_offset(whole.limit_offset, tick, up=sells),
    )


def _stepped_offset(offset: Offset | None, step: Decimal, *, up: bool) -> Offset | None:
    if offset is None or offset.percent:
        return offset
    return replace(offset, value=_stepped(offset.value, step, up=up))


def _stepped(value: T, step: Decimal, *, up: bool) -> T:
    if value is None or money.is_multiple(value, step):
        return value
    whole = _WIDE.divide(value, step).to_integral_value(ROUND_CEILING if up else ROUND_FLOOR, _WIDE)
    return money.product(whole, step) if whole else value


# ---- breaches, pure ---------------------------------------------------------------------------------------------


def rule_breaches(instrument: Instrument, given: OrderSpec, rounded: OrderSpec, now_ns: int) -> tuple[Breach, ...]:
    """Pair rules that the order breaks as given, then those that it breaks only once it is rounded."""
    before, after = pair_faults(instrument, given, now_ns), pair_faults(instrument, rounded, now_ns)
    left = {_mark(fault) for fault in after}
    known = {_mark(fault) for fault in before}
    return (
        *(_breach(fault, given, fixed=_mark(fault) not in left) for fault in before),
        *(_breach(fault, rounded, fixed=False) for fault in after if _mark(fault) not in known),
    )


def _mark(fault: Fault) -> tuple[Reason, str]:
    """Which rule it is. Least quantity and least cost are one: the second is not looked at where the first is broken."""
    return fault.reason, _field(fault)


def _field(fault: Fault) -> str:
    return fault.fields[0].path if fault.fields else SYMBOL


def _breach(fault: Fault, spec: OrderSpec, *, fixed: bool) -> Breach:
    field, told = _field(fault), fault.metadata
    values = {each.path: money.text(each.value) for each in figures(spec)}
    values |= {SYMBOL: spec.symbol, "spec.leverage": str(spec.leverage)}
    value = values.get(field, "")
    if "min_cost" in told and spec.limit_price is not None and spec.base_quantity is not None:
        value = money.text(money.product(spec.limit_price, spec.base_quantity))
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
