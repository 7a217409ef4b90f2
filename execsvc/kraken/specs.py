"""Kraken's pictures of an order → the wish behind it, as the domain knows it; None where it cannot be said for certain.

Two pictures: REST's order object (kraken.md 2.3) and the full rows of the executions channel (5.4). Neither tells all: REST
has no time in force but for a date, the stream has no leverage, so that an order on margin is told by REST alone. A text
that fits no shape of ours is no error: Kraken has kinds of orders that this house does not place.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypedDict

from execsvc.domain.errors import Broken
from execsvc.domain.market import Side
from execsvc.domain.spec import (
    TRIGGERED_TYPES,
    ConditionalClose,
    FeePreference,
    Offset,
    OrderSpec,
    OrderType,
    TimeInForce,
    TriggerReference,
)
from execsvc.kraken import frames, wire
from execsvc.kraken.figures import figure, positive, stamp_ns, unix_ns
from execsvc.kraken.names import Names

SIDES: Mapping[str, Side] = {"buy": Side.BUY, "sell": Side.SELL}
# Kraken's word → the type, and whether what it fires has a limit.
ORDER_TYPES: Mapping[str, tuple[OrderType, bool]] = {
    "market": (OrderType.MARKET, False),
    "limit": (OrderType.LIMIT, True),
    "iceberg": (OrderType.LIMIT, True),
    "stop-loss": (OrderType.STOP_LOSS, False),
    "take-profit": (OrderType.TAKE_PROFIT, False),
    "stop-loss-limit": (OrderType.STOP_LOSS, True),
    "take-profit-limit": (OrderType.TAKE_PROFIT, True),
    "trailing-stop": (OrderType.TRAILING_STOP, False),
    "trailing-stop-limit": (OrderType.TRAILING_STOP, True),
    "settle-position": (OrderType.SETTLE_POSITION, False),
}
"""The words of `ordertype`; a limit order that shows a part of itself only is an iceberg there."""

FIRED = frozenset({"stopped", "touched"})  # in `misc`: the trigger has fired (kraken.md 2.3)
_LEVERAGE_DIGITS = 3
_TIMES_IN_FORCE = {each.value: each for each in TimeInForce}
_RELATIVE = re.compile(r"([+-]?)([0-9]{1,18}(?:\.[0-9]{1,18})?)(%?)", re.ASCII)
_CLOSE = re.compile(r"close position @ ([a-z ]+?) ([+-]?[0-9.]+%?)(?: -> limit ([+-]?[0-9.]+%?))?", re.ASCII)


class _Foreign(Exception):
    """What the picture shows cannot be said here."""


class _Prices(TypedDict):
    limit_price: Decimal | None
    trigger_price: Decimal | None
    offset: Offset | None
    limit_offset: Offset | None


@dataclass(frozen=True)
class _Price:
    """A price as Kraken shows it; signed or in percent it is relative."""

    value: Decimal
    relative: bool = False
    percent: bool = False


def of_row(row: wire.OrderRow, names: Names) -> OrderSpec | None:
    """The wish behind an order of REST."""
    try:
        return _of_row(row, names)
    except (_Foreign, Broken):
        return None


def _of_row(row: wire.OrderRow, names: Names) -> OrderSpec:
    descr = row.descr
    symbol, side = names.symbol(descr.pair), SIDES.get(descr.type)
    flags = frozenset(row.oflags.split(","))
    if symbol is None or side is None or row.vol is None or ("viqc" in flags and not row.vol):
        raise _Foreign
    order_type, prices = _parts(descr.ordertype, _told(descr.price), _told(descr.price2))
    amount = positive(row.vol)
    return OrderSpec(
        symbol=symbol,
        side=side,
        base_quantity=amount if amount and "viqc" not in flags else None,
        quote_quantity=amount if "viqc" in flags else None,
        full_position=not amount,
        order_type=order_type,
        **prices,
        display_quantity=_amount(row.displayvol),
        post_only="post" in flags,
        time_in_force=TimeInForce.GTD if row.expiretm else TimeInForce.GTC,
        expire_time_ns=unix_ns(row.expiretm) if row.expiretm else None,
        start_time_ns=unix_ns(row.starttm) if row.starttm else None,
        trigger_reference=_reference(order_type, row.trigger or ""),
        leverage=_leverage(descr.leverage),
        reduce_only=row.reduce_only,
        fee_preference=FeePreference.BASE if "fcib" in flags else FeePreference.QUOTE,
        conditional_close=_close_of(descr.close),
    )


def of_execution(row: frames.ExecutionData, names: Names) -> OrderSpec | None:
    """The wish behind an order of the stream, all its deltas put together. Of one on margin the leverage is not told."""
    try:
        return _of_execution(row, names)
    except (_Foreign, Broken):
        return None


def _of_execution(row: frames.ExecutionData, names: Names) -> OrderSpec:
    side = SIDES.get(row.side)
    if side is None or not row.symbol:
        raise _Foreign
    trigger = row.triggers or frames.TriggersData()
    limit = _typed(row.limit_price, row.limit_price_type)
    fires = _typed(trigger.price, trigger.price_type)
    order_type, prices = _parts(row.order_type, limit if fires is None else fires, None if fires is None else limit)
    quote, expire_ns = _amount(row.cash_order_qty), stamp_ns(row.expire_time)
    in_force = _TIMES_IN_FORCE.get(row.time_in_force.lower(), TimeInForce.GTC)
    if (in_force is TimeInForce.GTD) is (expire_ns is None):
        in_force = TimeInForce.GTC if expire_ns is None else TimeInForce.GTD
    return OrderSpec(
        symbol=names.symbol(row.symbol) or row.symbol,
        side=side,
        base_quantity=_amount(row.order_qty) if quote is None else None,
        quote_quantity=quote,
        order_type=order_type,
        **prices,
        display_quantity=_amount(row.display_qty),
        post_only=bool(row.post_only),
        time_in_force=in_force,
        expire_time_ns=expire_ns,
        start_time_ns=stamp_ns(row.effective_time),
        trigger_reference=_reference(order_type, trigger.reference),
        reduce_only=bool(row.reduce_only),
        fee_preference=FeePreference.BASE if row.fee_ccy_pref == "fcib" else FeePreference.QUOTE,
        conditional_close=None if row.contingent is None else _contingent(row.contingent),
    )


# ---- parts ------------------------------------------------------------------------------------------------------


def _parts(word: str, price: _Price | None, price2: _Price | None) -> tuple[OrderType, _Prices]:
    """The type of Kraken's word, and its prices; `price` is the trigger of the kinds that have one, else the limit."""
    if word not in ORDER_TYPES:
        raise _Foreign
    order_type, limited = ORDER_TYPES[word]
    found = _Prices(limit_price=None, trigger_price=None, offset=None, limit_offset=None)
    match order_type:
        case OrderType.LIMIT:
            found["limit_price"] = _absolute(price)
        case OrderType.STOP_LOSS | OrderType.TAKE_PROFIT:
            found["trigger_price"] = _absolute(price)
            found["limit_price"] = _absolute(price2) if limited else None
        case OrderType.TRAILING_STOP:
            found["offset"] = _offset(price)
            found["limit_offset"] = _offset(price2) if limited else None
        case OrderType.MARKET | OrderType.SETTLE_POSITION:
            pass
    return order_type, found


def _told(text: str) -> _Price | None:
    """A price of `descr`; "0" and nothing mean that there is none."""
    matched = _RELATIVE.fullmatch(text)
    if matched is None:
        if text:
            raise _Foreign
        return None
    sign, digits, percent = matched.groups()
    value = Decimal(f"{sign}{digits}")
    return _Price(value, bool(sign or percent), bool(percent)) if value or sign else None


def _typed(value: Decimal | None, kind: str) -> _Price | None:
    """A price of the stream, and whether it is static, in quote units from another one, or in percent of it."""
    return None if not value else _Price(figure(value), kind in {"pct", "quote"}, kind == "pct")


def _absolute(price: _Price | None) -> Decimal:
    if price is None or price.relative:
        raise _Foreign
    return price.value


def _offset(price: _Price | None) -> Offset:
    if price is None or not price.relative:
        raise _Foreign
    return Offset(price.value, percent=price.percent)


def _amount(value: Decimal | None) -> Decimal | None:
    """A quantity; zero means that it is not told."""
    return positive(value) if value else None


def _reference(order_type: OrderType, word: str) -> TriggerReference:
    watched = word == TriggerReference.INDEX.value and order_type in TRIGGERED_TYPES
    return TriggerReference.INDEX if watched else TriggerReference.LAST


def _leverage(text: str) -> int:
    """Of "5:1" the 5; "none" is 0."""
    head = text.partition(":")[0]
    if head in {"", "none"}:
        return 0
    if not (head.isascii() and head.isdecimal() and len(head) <= _LEVERAGE_DIGITS):
        raise _Foreign
    return int(head)


def _close_of(text: str) -> ConditionalClose | None:
    """The template that the sentence of `descr.close` describes: "close position @ stop loss 22000.0 -> limit 21000.0"."""
    matched = _CLOSE.fullmatch(text)
    if matched is None:
        if text:
            raise _Foreign
        return None
    words, price, price2 = matched.groups()
    word = words.replace(" ", "-")
    limited = f"{word}-limit" if price2 is not None else word
    order_type, prices = _parts(limited, _told(price), _told(price2 or ""))
    return ConditionalClose(order_type, **prices)


def _contingent(told: frames.ContingentData) -> ConditionalClose:
    limit = _typed(told.limit_price, told.limit_price_type)
    fires = _typed(told.trigger_price, told.trigger_price_type)
    order_type, prices = _parts(told.order_type, limit if fires is None else fires, None if fires is None else limit)
    return ConditionalClose(order_type, **prices)
