"""The pair rules an order must meet before it is sent: status, steps, minimums, leverage, times.

Rules are the venue's own (kraken.md 2.2, 2.4). Nothing is rounded here: a breach names the increment and the nearest value
that would pass, and the field by its path in a request. What an order type may be combined with is rpc/between.py's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from execsvc.domain import money
from execsvc.domain.errors import Fault, FieldViolation, Reason
from execsvc.domain.instrument import Instrument, InstrumentStatus
from execsvc.domain.market import Side
from execsvc.domain.spec import ConditionalClose, OrderSpec, OrderType, TriggerReference

DISPLAYED_LEAST = 15  # an iceberg shows at least this part of itself (kraken.md 2.4)
SECOND_NS = 1_000_000_000
SHORTEST_GTD_NS = 5 * SECOND_NS
LONGEST_AHEAD_NS = 30 * 24 * 3600 * SECOND_NS  # Kraken says "one month": the shortest that is meant everywhere
_MEMBERS = {
    OrderType.MARKET: "market",
    OrderType.LIMIT: "limit",
    OrderType.STOP_LOSS: "trigger",
    OrderType.TAKE_PROFIT: "trigger",
    OrderType.TRAILING_STOP: "trailing_stop",
    OrderType.SETTLE_POSITION: "settle_position",
}


class Grid(Enum):
    """What a figure is a multiple of."""

    PRICE = "price"
    QUANTITY = "quantity"
    COST = "quote quantity"


@dataclass(frozen=True)
class Figure:
    """One figure of an order that must be on a grid, and where it stands in a request."""

    path: str
    value: Decimal
    grid: Grid


def step_of(instrument: Instrument, grid: Grid) -> Decimal:
    """The increment of the pair's grid."""
    match grid:
        case Grid.PRICE:
            return instrument.price_increment
        case Grid.QUANTITY:
            return instrument.quantity_increment
        case Grid.COST:
            return Decimal(1).scaleb(-instrument.cost_decimals)


def figures(spec: OrderSpec) -> Iterator[Figure]:
    """Every figure of the order that has a grid. A percentage has none."""
    if spec.base_quantity is not None:
        yield Figure("spec.base_quantity", spec.base_quantity, Grid.QUANTITY)
    if spec.quote_quantity is not None:
        yield Figure("spec.quote_quantity", spec.quote_quantity, Grid.COST)
    if spec.display_quantity is not None:
        yield Figure("spec.limit.display_quantity", spec.display_quantity, Grid.QUANTITY)
    yield from _prices(spec, "spec.")
    if spec.conditional_close is not None:
        yield from _prices(spec.conditional_close, "spec.conditional_close.")


def _prices(whole: OrderSpec | ConditionalClose, path: str) -> Iterator[Figure]:
    member = f"{path}{_MEMBERS[whole.order_type]}"
    if whole.trigger_price is not None:
        yield Figure(f"{member}.trigger_price", whole.trigger_price, Grid.PRICE)
    if whole.limit_price is not None:
        yield Figure(f"{member}.limit_price", whole.limit_price, Grid.PRICE)
    for name, offset in (("offset", whole.offset), ("limit_offset", whole.limit_offset)):
        if offset is not None and not offset.percent:
            yield Figure(f"{member}.{name}.absolute", offset.value, Grid.PRICE)


def pair_faults(instrument: Instrument, spec: OrderSpec, now_ns: int) -> tuple[Fault, ...]:
    """Every rule that the order breaks at `now_ns` (wall clock), the most telling first; empty: it may be sent."""
    return tuple(
        fault
        for fault in (
            _status_fault(instrument, spec),
            *(_step_fault(instrument, each) for each in figures(spec)),
            _minimum_fault(instrument, spec),
            _displayed_fault(instrument, spec),
            _leverage_fault(instrument, spec),
            _reference_fault(instrument, spec),
            *_time_faults(spec, now_ns),
        )
        if fault is not None
    )


def _status_fault(instrument: Instrument, spec: OrderSpec) -> Fault | None:
    allowed = {
        InstrumentStatus.ONLINE: True,
        InstrumentStatus.POST_ONLY: spec.post_only,
        InstrumentStatus.LIMIT_ONLY: spec.has_limit,
        InstrumentStatus.REDUCE_ONLY: spec.reduce_only or spec.order_type is OrderType.SETTLE_POSITION,
    }.get(instrument.status, False)
    if allowed:
        return None
    status = instrument.status.value
    return Fault(
        Reason.INSTRUMENT_STATUS,
        f"{instrument.symbol} is {status}: this order is not accepted there now",
        {"symbol": instrument.symbol, "status": status.upper()},
    )


def _step_fault(instrument: Instrument, figure: Figure) -> Fault | None:
    step = step_of(instrument, figure.grid)
    if money.is_multiple(figure.value, step):
        return None
    near = money.text(money.nearest(figure.value, step))
    message = (
        f"{figure.grid.value} {money.text(figure.value)} is not a multiple of {money.text(step)}; nearest is {near}"
    )
    return Fault(
        Reason.TICK_SIZE_VIOLATED,
        message,
        {"increment": money.text(step), "nearest": near, "symbol": instrument.symbol},
        (FieldViolation(figure.path, message),),
    )


def _minimum_fault(instrument: Instrument, spec: OrderSpec) -> Fault | None:
    """The cost of a market order cannot be known here, nor that of a whole position: only Kraken checks those."""
    if spec.quote_quantity is not None:
        if spec.quote_quantity < instrument.min_cost:
            return _too_little(instrument, "spec.quote_quantity", spec.quote_quantity, "min_cost")
        return None
    if spec.base_quantity is None:
        return None
    if spec.base_quantity < instrument.min_quantity:
        return _too_little(instrument, "spec.base_quantity", spec.base_quantity, "min_quantity")
    if spec.limit_price is None:
        return None
    cost = money.product(spec.base_quantity, spec.limit_price)
    return _too_little(instrument, "spec.base_quantity", cost, "min_cost") if cost < instrument.min_cost else None


def _too_little(instrument: Instrument, path: str, value: Decimal, bound: str) -> Fault:
    least, word, asset = {
        "min_quantity": (instrument.min_quantity, "quantity", instrument.base),
        "min_cost": (instrument.min_cost, "cost", instrument.quote),
    }[bound]
    message = f"{word} {money.text(value)} is below the least of {money.text(least)} {asset}"
    return Fault(
        Reason.ORDER_MINIMUM_NOT_MET,
        message,
        {bound: money.text(least), "symbol": instrument.symbol},
        (FieldViolation(path, message),),
    )


def _displayed_fault(instrument: Instrument, spec: OrderSpec) -> Fault | None:
    shown, whole = spec.display_quantity, spec.base_quantity
    if shown is None or whole is None:
        return None
    if shown > whole:
        return _bad(instrument, "spec.limit.display_quantity", "no more can be shown than the quantity of the order")
    if shown * DISPLAYED_LEAST < whole:
        return _bad(
            instrument,
            "spec.limit.display_quantity",
            f"{money.text(shown)} is below 1/{DISPLAYED_LEAST} of the quantity {money.text(whole)}",
        )
    return None


def _leverage_fault(instrument: Instrument, spec: OrderSpec) -> Fault | None:
    """The list of the side; a settlement goes against its position, so that either side's leverage may have opened it."""
    if not spec.leverage:
        return None
    listed = set(instrument.leverage_buy if spec.side is Side.BUY else instrument.leverage_sell)
    if spec.order_type is OrderType.SETTLE_POSITION:
        listed = {*instrument.leverage_buy, *instrument.leverage_sell}
    if spec.leverage in listed:
        return None
    known = ", ".join(map(str, sorted(listed)))
    words = f"one of {known}" if known else f"{instrument.symbol} cannot be traded with leverage on this side"
    return _bad(instrument, "spec.leverage", words)


def _reference_fault(instrument: Instrument, spec: OrderSpec) -> Fault | None:
    if spec.trigger_reference is not TriggerReference.INDEX or instrument.has_index is not False:
        return None
    message = f"{instrument.symbol} has no index: use the last price as reference"
    path = f"spec.{_MEMBERS[spec.order_type]}.reference"
    return Fault(
        Reason.TRIGGER_INDEX_UNAVAILABLE, message, {"symbol": instrument.symbol}, (FieldViolation(path, message),)
    )


def _time_faults(spec: OrderSpec, now_ns: int) -> Iterator[Fault]:
    start, expire = spec.start_time_ns, spec.expire_time_ns
    if start is not None and not now_ns < start <= now_ns + LONGEST_AHEAD_NS:
        yield _bad_time("spec.start_time", "must be ahead, by at most 30 days")
    if expire is None:
        return
    counted = expire - expire % SECOND_NS
    if counted < now_ns + SHORTEST_GTD_NS or expire > now_ns + LONGEST_AHEAD_NS:
        words = "must be at least 5 s and at most 30 days ahead; Kraken counts whole seconds, parts of one are cut off"
        yield _bad_time("spec.expire_time", words)
    elif start is not None and expire <= start:
        yield _bad_time("spec.expire_time", "must be later than start_time")


def _bad(instrument: Instrument, path: str, words: str) -> Fault:
    message = f"{path}: {words}"
    return Fault(Reason.INVALID_REQUEST, message, {"symbol": instrument.symbol}, (FieldViolation(path, words),))


def _bad_time(path: str, words: str) -> Fault:
    return Fault(Reason.INVALID_REQUEST, f"{path} {words}", {}, (FieldViolation(path, words),))
