"""How far the prices of an order lie from the market: what the price collar measures, and nothing of what it allows.

A price that takes at once is measured beyond the mid, one that rests on either side of it. A trigger is where the market has
to go first, so it is not measured, but what it fires is: against the trigger. The same holds of a trailing stop's distance.
A conditional close may want as much as it likes; where it would give away, that is measured against the price of its order.
What closes a position at the market has no price.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal

from execsvc.domain.market import Side
from execsvc.domain.spec import Offset, OrderSpec, OrderType

_WIDE = Context(prec=60)
_HUNDRED = Decimal(100)


@dataclass(frozen=True)
class Market:
    """What the exchange shows of a pair now: both sides of the touch, and the base units traded in 24 h."""

    bid: Decimal
    ask: Decimal
    volume: Decimal

    @property
    def mid(self) -> Decimal:
        """Halfway between the touches."""
        return _WIDE.divide(_WIDE.add(self.bid, self.ask), Decimal(2))


@dataclass(frozen=True)
class Reach:
    """One price of an order: how far it lies from what it is measured against, as a fraction. takes: at once, if it can."""

    what: str
    price: Decimal
    against: Decimal
    distance: Decimal
    takes: bool


def has_price(spec: OrderSpec) -> bool:
    """Whether there is anything to measure."""
    close = spec.conditional_close
    if close is not None and (close.limit_price is not None or close.limit_offset is not None):
        return True
    if spec.order_type is OrderType.TRAILING_STOP:
        return spec.limit_offset is not None
    closes = spec.full_position or spec.reduce_only or spec.order_type is OrderType.SETTLE_POSITION
    return spec.has_limit or not closes


def reaches(spec: OrderSpec, market: Market) -> tuple[Reach, ...]:
    """Every price of the order that is measured."""
    return (*_own(spec, market), *_close(spec, market))


def _own(spec: OrderSpec, market: Market) -> Iterator[Reach]:
    side, trigger = spec.side, spec.trigger_price
    if spec.order_type is OrderType.TRAILING_STOP:
        if spec.limit_offset is not None:
            yield _offset("trailing limit", spec.limit_offset, market.mid)
        return
    if trigger is not None and not _fires_at_once(spec, trigger, market.mid):
        if spec.limit_price is not None:
            yield _reach("limit price, from its trigger,", spec.limit_price, trigger, takes=False)
        return
    if spec.limit_price is None:
        if has_price(spec):
            yield _market(side, market)
        return
    touches = spec.limit_price >= market.ask if side is Side.BUY else spec.limit_price <= market.bid
    yield _reach("limit price", spec.limit_price, market.mid, takes=touches and not spec.post_only)


def _market(side: Side, market: Market) -> Reach:
    """A market order takes the touch first: where the spread is torn open, even that is far away."""
    return _reach("market price", market.ask if side is Side.BUY else market.bid, market.mid, takes=True)


def _fires_at_once(spec: OrderSpec, trigger: Decimal, mid: Decimal) -> bool:
    """A stop waits for the price to go against its owner, a take-profit for it to come along."""
    waits_above = (spec.side is Side.BUY) is (spec.order_type is OrderType.STOP_LOSS)
    return mid >= trigger if waits_above else mid <= trigger


def _close(spec: OrderSpec, market: Market) -> Iterator[Reach]:
    close = spec.conditional_close
    if close is None:
        return
    against = spec.limit_price or spec.trigger_price or market.mid
    if close.limit_price is not None and close.trigger_price is not None:
        yield _reach("closing limit, from its trigger,", close.limit_price, close.trigger_price, takes=False)
    elif close.limit_price is not None and _gives_away(spec, close.limit_price, against):
        yield _reach("closing limit", close.limit_price, against, takes=True)
    if close.limit_offset is not None:
        yield _offset("closing trailing limit", close.limit_offset, against)


def _gives_away(spec: OrderSpec, price: Decimal, against: Decimal) -> bool:
    """Whether a close at that price, on the other side, is worse than what its order had: it then takes at once."""
    return price < against if spec.side is Side.BUY else price > against


def _reach(what: str, price: Decimal, against: Decimal, *, takes: bool) -> Reach:
    distance = _WIDE.divide(abs(_WIDE.subtract(price, against)), against)
    return Reach(what, price, against, distance, takes)


def _offset(what: str, offset: Offset, against: Decimal) -> Reach:
    value = abs(offset.value)
    distance = _WIDE.divide(value, _HUNDRED if offset.percent else against)
    return Reach(what, value, against, distance, takes=False)


def prices_of(spec: OrderSpec) -> tuple[object, ...]:
    """All that decides what is measured: equal for two orders whose prices are the same."""
    return (spec.side, spec.order_type, spec.limit_price, spec.trigger_price, spec.limit_offset, spec.conditional_close)
