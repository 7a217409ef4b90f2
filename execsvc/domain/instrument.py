"""Instruments and assets as Kraken lists them (kraken.md 2.2: ordermin, costmin, tick_size, lot_decimals).

The rules that an order must meet are domain/pairrules.py's. How pairs are spelled on the wire is the adapter's.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


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

    Increments are steps (price_increment 0.1), minimums in base (min_quantity) and quote (min_cost) units. has_index is None
    where it is not known.
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
    has_index: bool | None = None
    tokenized: bool = False
    venue_symbols: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asset:
    """One asset. `asset` is the plain code (BTC), `venue_asset` Kraken's id (XXBT), `venue_name` its short name (XBT)."""

    asset: str
    status: AssetStatus
    decimals: int
    display_decimals: int
    collateral_value: Decimal | None
    venue_asset: str
    venue_name: str = ""
