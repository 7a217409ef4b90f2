"""What a caller wants: the order's spec, with every type and option of the contract, and the hash that tells two apart.

The values keep their own shape: which parts a type has, one size, no zero amounts. What a caller may combine is the
contract's matrix (rpc/between.py), what a pair allows is domain/pairrules.py's. How Kraken spells it is the adapter's.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import Enum

from execsvc.domain import money
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.market import Side


class OrderType(Enum):
    """Kinds of order. A stop, a take-profit and a trailing stop end in a market order, or with a limit in a limit order."""

    MARKET = "market"
    LIMIT = "limit"
    STOP_LOSS = "stop-loss"
    TAKE_PROFIT = "take-profit"
    TRAILING_STOP = "trailing-stop"
    SETTLE_POSITION = "settle-position"


class TimeInForce(Enum):
    """GTC rests until cancelled; IOC fills at once what it can; FOK fills at once and whole; GTD rests until its time."""

    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    GTD = "gtd"


class TriggerReference(Enum):
    """The price that is watched: the last trade, or Kraken's index."""

    LAST = "last"
    INDEX = "index"


class SelfTradePrevention(Enum):
    """Which order gives way when two of one account would trade."""

    CANCEL_NEWEST = "cancel-newest"
    CANCEL_OLDEST = "cancel-oldest"
    CANCEL_BOTH = "cancel-both"


class FeePreference(Enum):
    """The asset that fees are taken in."""

    QUOTE = "quote"
    BASE = "base"


@dataclass(frozen=True)
class Offset:
    """A signed distance in price: in quote units, or in percent ("1.5" is 1.5 %) of the price it is measured from."""

    value: Decimal
    percent: bool = False


# The parts a type needs, and those it may have besides; all other parts are absent.
_PARTS: Mapping[OrderType, tuple[frozenset[str], frozenset[str]]] = {
    OrderType.MARKET: (frozenset(), frozenset()),
    OrderType.LIMIT: (frozenset({"limit_price"}), frozenset({"display_quantity"})),
    OrderType.STOP_LOSS: (frozenset({"trigger_price"}), frozenset({"limit_price"})),
    OrderType.TAKE_PROFIT: (frozenset({"trigger_price"}), frozenset({"limit_price"})),
    OrderType.TRAILING_STOP: (frozenset({"offset"}), frozenset({"limit_offset"})),
    OrderType.SETTLE_POSITION: (frozenset(), frozenset()),
}
_NAMES = frozenset[str]().union(*(needed | allowed for needed, allowed in _PARTS.values()))
TRIGGERED_TYPES = frozenset({OrderType.STOP_LOSS, OrderType.TAKE_PROFIT, OrderType.TRAILING_STOP})
CLOSING_TYPES = TRIGGERED_TYPES | {OrderType.LIMIT}


@dataclass(frozen=True)
class ConditionalClose:
    """Template: every fill spawns one such order on the opposite side, of the fill's size. Parts as in OrderSpec."""

    order_type: OrderType
    limit_price: Decimal | None = None
    trigger_price: Decimal | None = None
    offset: Offset | None = None
    limit_offset: Offset | None = None

    def __post_init__(self) -> None:
        if self.order_type not in CLOSING_TYPES:
            raise _broken(f"a conditional close is no {self.order_type.value} order")
        _demand_parts(self)


@dataclass(frozen=True)
class OrderSpec:
    """What the caller wants. Prices are in quote units, quantities in base units, all above 0; times in ns since the epoch.

    Exactly one size: base_quantity, quote_quantity (units of the quote), or full_position (that of the position closed or
    settled). limit_price: of a limit order, or of what a trigger_price fires. offset: how far a trailing stop keeps from the
    best price; limit_offset: its limit's signed distance from the trigger. leverage 0 is spot.
    """

    symbol: str
    side: Side
    base_quantity: Decimal | None
    order_type: OrderType
    limit_price: Decimal | None = None
    post_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC
    label: str = ""
    quote_quantity: Decimal | None = None
    full_position: bool = False
    display_quantity: Decimal | None = None
    trigger_price: Decimal | None = None
    offset: Offset | None = None
    limit_offset: Offset | None = None
    trigger_reference: TriggerReference = TriggerReference.LAST
    expire_time_ns: int | None = None
    start_time_ns: int | None = None
    leverage: int = 0
    reduce_only: bool = False
    self_trade_prevention: SelfTradePrevention = SelfTradePrevention.CANCEL_NEWEST
    fee_preference: FeePreference = FeePreference.QUOTE
    conditional_close: ConditionalClose | None = None

    def __post_init__(self) -> None:
        sizes = (self.base_quantity is not None, self.quote_quantity is not None, self.full_position)
        if sum(sizes) != 1:
            raise _broken("an order has exactly one size: a base quantity, a quote quantity or the full position")
        _demand_parts(self)
        for name in ("base_quantity", "quote_quantity", "display_quantity"):
            amount = getattr(self, name)
            if amount is not None and amount <= money.ZERO:
                raise _broken(f"{name} is above zero")
        if (self.expire_time_ns is None) is (self.time_in_force is TimeInForce.GTD):
            raise _broken("an order good till a date has that date, any other has none")
        if self.trigger_reference is TriggerReference.INDEX and not self.is_triggered_type:
            raise _broken("only an order with a trigger watches the index")

    @property
    def is_triggered_type(self) -> bool:
        """Whether it waits for a price before it goes into the book."""
        return self.order_type in TRIGGERED_TYPES

    @property
    def waits(self) -> bool:
        """Whether Kraken may hold it for long before it goes into the book: for a price, or for its time."""
        return self.is_triggered_type or self.start_time_ns is not None

    @property
    def has_limit(self) -> bool:
        """Whether what goes into the book has a limit price."""
        return self.limit_price is not None or self.limit_offset is not None

    def amended(self, shown: "OrderSpec") -> "OrderSpec":
        """This wish with the figures of `shown`, Kraken's picture of the same order: those that an amend can change.

        A figure that `shown` does not tell stays, and so does one that is the same by value.
        """
        if shown.order_type is not self.order_type:
            return self
        return replace(
            self,
            base_quantity=_changed(self.base_quantity, shown.base_quantity),
            display_quantity=shown.display_quantity
            if self.display_quantity is None
            else _changed(self.display_quantity, shown.display_quantity),
            limit_price=_changed(self.limit_price, shown.limit_price),
            trigger_price=_changed(self.trigger_price, shown.trigger_price),
        )


def _changed(ours: Decimal | None, theirs: Decimal | None) -> Decimal | None:
    """What Kraken tells of a figure that we have; ours, digit for digit, where it is the same by value."""
    return ours if ours is None or theirs is None or ours == theirs else theirs


def size_text(spec: OrderSpec) -> str:
    """The size in words, for a person: "0.5", "100 of the quote asset", "the whole position"."""
    if spec.base_quantity is not None:
        return money.text(spec.base_quantity)
    if spec.quote_quantity is not None:
        return f"{money.text(spec.quote_quantity)} of the quote asset"
    return "the whole position"


# ---- content ----------------------------------------------------------------------------------------------------


def content_hash(account: str, spec: OrderSpec) -> bytes:
    """SHA-256 of what makes two placements the same: account and canonical spec, decimals by value, only what is set.

    The first eight parts are hashed as the first build hashed them, for stored hashes must stay equal. What came later is
    hashed over that digest, so that no label can be taken for it.
    """
    parts = {
        "account": account,
        "symbol": spec.symbol,
        "side": spec.side.value,
        "base_quantity": _numeral(spec.base_quantity),
        "order_type": spec.order_type.value,
        "limit_price": _numeral(spec.limit_price),
        "post_only": "true" if spec.post_only else "",
        "time_in_force": spec.time_in_force.value,
        "label": spec.label,
    }
    first = hashlib.sha256(_canonical(parts)).digest()
    later = _canonical(dict(_later_parts(spec)))
    return hashlib.sha256(first + later).digest() if later else first


def _later_parts(spec: OrderSpec) -> Iterator[tuple[str, str]]:
    """Parts of which none is free text; empty where the default stands."""
    yield "quote_quantity", _numeral(spec.quote_quantity)
    yield "full_position", "true" if spec.full_position else ""
    yield "display_quantity", _numeral(spec.display_quantity)
    yield "trigger_price", _numeral(spec.trigger_price)
    yield "offset", _offset(spec.offset)
    yield "limit_offset", _offset(spec.limit_offset)
    yield "trigger_reference", "index" if spec.trigger_reference is TriggerReference.INDEX else ""
    yield "expire_time_ns", "" if spec.expire_time_ns is None else str(spec.expire_time_ns)
    yield "start_time_ns", "" if spec.start_time_ns is None else str(spec.start_time_ns)
    yield "leverage", str(spec.leverage) if spec.leverage else ""
    yield "reduce_only", "true" if spec.reduce_only else ""
    prevention = spec.self_trade_prevention
    yield "self_trade_prevention", "" if prevention is SelfTradePrevention.CANCEL_NEWEST else prevention.value
    yield "fee_preference", "base" if spec.fee_preference is FeePreference.BASE else ""
    close = spec.conditional_close
    if close is not None:
        yield "close.order_type", close.order_type.value
        yield "close.limit_price", _numeral(close.limit_price)
        yield "close.trigger_price", _numeral(close.trigger_price)
        yield "close.offset", _offset(close.offset)
        yield "close.limit_offset", _offset(close.limit_offset)


def _canonical(parts: Mapping[str, str]) -> bytes:
    return "\n".join(f"{name}={value}" for name, value in sorted(parts.items()) if value).encode()


def _numeral(value: Decimal | None) -> str:
    return "" if value is None else money.numeral(value)


def _offset(value: Offset | None) -> str:
    return "" if value is None else f"{money.numeral(value.value)}{'%' if value.percent else ''}"


# ---- shape ------------------------------------------------------------------------------------------------------


def _demand_parts(whole: OrderSpec | ConditionalClose) -> None:
    """Each type has its own parts, prices are above zero, a trailing stop keeps a distance above zero."""
    needed, allowed = _PARTS[whole.order_type]
    present = {name for name in _NAMES if getattr(whole, name, None) is not None}
    word = whole.order_type.value
    if missing := sorted(needed - present):
        raise _broken(f"a {word} order has {' and '.join(missing)}")
    if beyond := sorted(present - needed - allowed):
        raise _broken(f"a {word} order has no {' and no '.join(beyond)}")
    prices = (whole.limit_price, whole.trigger_price, None if whole.offset is None else whole.offset.value)
    if any(price is not None and price <= money.ZERO for price in prices):
        raise _broken("a price is above zero, and so is the distance of a trailing stop")


def _broken(message: str) -> Broken:
    return Broken(Fault(Reason.INTERNAL, message))
