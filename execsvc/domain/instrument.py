"""Instruments and assets, and the pair rules an order must meet before it is sent.

Rules are the venue's own (kraken.md 2.2: ordermin, costmin, tick_size, lot_decimals). Prices are never rounded here:
a breach names the increment and the nearest value that would pass. How pairs are spelled on the wire is the adapter's.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from execsvc.domain import money
from execsvc.domain.errors import Fault, FieldViolation, Reason


class InstrumentStatus(Enum):
    """Kraken's pair status."""

    ONLINE = "online"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"
    LIMIT_ONLY = "limit_only"
    REDUCE_ONLY = "reduce_only"
    MAINTENANCE = "maintenance"
    WORK_IN_PROGRESS = "work_in_progress"
    DELISTED = "delisted"


class AssetStatus(Enum):
    """Kraken's asset status."""

    ENABLED = "enabled"
    DEPOSIT_ONLY = "deposit_only"
    WITHDRAWAL_ONLY = "withdrawal_only"
    FUNDING_DISABLED = "funding_temporarily_disabled"
    DISABLED = "disabled"


@dataclass(frozen=True)
class Instrument:
    """One pair. `symbol` is canonical BASE/QUOTE; `venue_symbols` is every other spelling accepted on input.

    Increments are steps (price_increment 0.1), minimums in base (min_quantity) and quote (min_cost) units.
    """

    symbol: str
    base: str
    quote: str
    status: InstrumentStatus
    price_increment: Decimal
    price_decimals: int
    quantity_increment: Decimal
    quantity_decimals: int
    min_quantity: Decimal
    min_cost: Decimal
    cost_decimals: int
    leverage_buy: tuple[int, ...] = ()
    leverage_sell: tuple[int, ...] = ()
    long_position_limit: Decimal | None = None
    short_position_limit: Decimal | None = None
    has_index: bool = False
    tokenized: bool = False
    venue_symbols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    """One asset. `asset` is the plain code (BTC), `venue_asset` Kraken's id (XXBT)."""

    asset: str
    status: AssetStatus
    decimals: int
    display_decimals: int
    collateral_value: Decimal | None
    venue_asset: str


def pair_faults(
    instrument: Instrument, *, quantity: Decimal, limit_price: Decimal | None, post_only: bool
) -> tuple[Fault, ...]:
    """Every pair rule an order breaks, the most telling first; empty means it may be sent.

    `limit_price` None is a market order: its cost cannot be known here, so only Kraken checks the cost minimum.
    """
    checks = (
        _status_fault(instrument, limit_price=limit_price, post_only=post_only),
        _step_fault(instrument, "quantity", quantity, instrument.quantity_increment, "spec.base_quantity"),
        _minimum_fault(instrument, quantity, limit_price),
        None
        if limit_price is None
        else _step_fault(instrument, "price", limit_price, instrument.price_increment, "spec.limit.limit_price"),
    )
    return tuple(fault for fault in checks if fault is not None)


def _status_fault(instrument: Instrument, *, limit_price: Decimal | None, post_only: bool) -> Fault | None:
    allowed = {
        InstrumentStatus.ONLINE: True,
        InstrumentStatus.POST_ONLY: post_only,
        InstrumentStatus.LIMIT_ONLY: limit_price is not None,
    }.get(instrument.status, False)
    if allowed:
        return None
    status = instrument.status.value
    return Fault(
        Reason.INSTRUMENT_STATUS,
        f"{instrument.symbol} is {status}: this order is not accepted there now",
        {"symbol": instrument.symbol, "status": status.upper()},
    )


def _step_fault(instrument: Instrument, word: str, value: Decimal, step: Decimal, path: str) -> Fault | None:
    if money.is_multiple(value, step):
        return None
    near = money.text(money.nearest(value, step))
    message = f"{word} {money.text(value)} is not a multiple of {money.text(step)}; nearest is {near}"
    return Fault(
        Reason.TICK_SIZE_VIOLATED,
        message,
        {"increment": money.text(step), "nearest": near, "symbol": instrument.symbol},
        (FieldViolation(path, message),),
    )


def _minimum_fault(instrument: Instrument, quantity: Decimal, limit_price: Decimal | None) -> Fault | None:
    if quantity < instrument.min_quantity:
        return _too_little(instrument, "quantity", quantity, "min_quantity", instrument.min_quantity, instrument.base)
    if limit_price is None:
        return None
    cost = money.product(quantity, limit_price)
    if cost < instrument.min_cost:
        return _too_little(instrument, "cost", cost, "min_cost", instrument.min_cost, instrument.quote)
    return None


def _too_little(instrument: Instrument, word: str, value: Decimal, bound: str, least: Decimal, asset: str) -> Fault:
    message = f"{word} {money.text(value)} is below the least of {money.text(least)} {asset}"
    return Fault(
        Reason.ORDER_MINIMUM_NOT_MET,
        message,
        {bound: money.text(least), "symbol": instrument.symbol},
        (FieldViolation("spec.base_quantity", message),),
    )
