"""An account's money as values: balances, fills, margin, positions, the ledger, fee rates, key facts.

Assets are plain codes (BTC, USD); variants keep Kraken's suffix (DOT.S) as balances of their own. None is what Kraken did
not tell, never zero. How they are read and kept fresh is app/account.py's business.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, TypeVar

from execsvc.domain.market import EventTimes, Side

T = TypeVar("T")


@dataclass(frozen=True)
class AssetAmount:
    """So much of one asset."""

    asset: str
    amount: Decimal


@dataclass(frozen=True)
class Balance:
    """available = total + credit - credit_used - held."""

    asset: str
    total: Decimal
    held: Decimal
    credit: Decimal
    credit_used: Decimal
    receive_ns: int

    @property
    def available(self) -> Decimal:
        """What a new order may use."""
        return self.total + self.credit - self.credit_used - self.held


@dataclass(frozen=True)
class Fill:
    """One execution; `fill_id` is Kraken's trade id and the deduplication key.

    `caller` and `client_order_id` are empty when the order was not placed through execsvc. `position_id` is that of the
    margin position it opened, where Kraken told: the private stream does not.
    """

    fill_id: str
    account: str
    caller: str
    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fees: tuple[AssetAmount, ...]
    maker: bool
    times: EventTimes
    position_id: str = ""


@dataclass(frozen=True)
class Mark:
    """Where a listing goes on, in Kraken's ids: the row it began with, how many were passed from there, the last of them.

    What is newer than `newest` is not of this listing, so it does not shift the later pages.
    """

    newest: str
    passed: int
    last: str


@dataclass(frozen=True)
class Page(Generic[T]):
    """So many rows, newest first; next: None on the last page. A page may be short, even empty, with more to come."""

    rows: tuple[T, ...]
    next: Mark | None


@dataclass(frozen=True)
class FillQuery:
    """start inclusive, end exclusive, both ns; offset counts rows from the newest. `symbol` empty means all.

    mark: of the page before, in place of an offset.
    """

    symbol: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    offset: int = 0
    size: int = 100
    mark: Mark | None = None


@dataclass(frozen=True)
class LedgerQuery:
    """As FillQuery. asset: plain code; kind: Kraken's word; empty means all."""

    asset: str = ""
    kind: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    size: int = 50
    mark: Mark | None = None


@dataclass(frozen=True)
class LedgerEntry:
    """One change of one balance; amount is signed and before the fee. kind and subkind are Kraken's words: an open list."""

    entry_id: str
    ref_id: str
    kind: str
    subkind: str
    asset: str
    amount: Decimal
    fee: Decimal
    balance: Decimal | None
    time_ns: int


@dataclass(frozen=True)
class Margin:
    """TradeBalance, all in units of one asset; level: equity by margin used, a fraction, None without positions."""

    asset: str
    equivalent_balance: Decimal | None
    trade_balance: Decimal | None
    margin_used: Decimal | None
    unrealized_pnl: Decimal | None
    cost_basis: Decimal | None
    valuation: Decimal | None
    equity: Decimal | None
    free_margin: Decimal | None
    unexecuted_value: Decimal | None
    level: Decimal | None


@dataclass(frozen=True)
class Position:
    """One open margin position, BUY long and SELL short; money in units of the quote, quantities of the base."""

    position_id: str
    order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    closed_quantity: Decimal
    cost: Decimal
    fee: Decimal
    margin: Decimal
    value: Decimal | None
    unrealized_pnl: Decimal | None
    terms: str
    open_ns: int
    rollover_ns: int | None


@dataclass(frozen=True)
class FeeRate:
    """Rates as fractions; a maker rate below zero is a rebate. next_tier_volume: None where there is no lower rate."""

    symbol: str
    maker_rate: Decimal
    taker_rate: Decimal
    next_tier_volume: Decimal | None


@dataclass(frozen=True)
class FeeSchedule:
    """Rates of some pairs, in the order asked, and the 30-day volume they follow from, in units of volume_asset."""

    rates: tuple[FeeRate, ...]
    volume: Decimal
    volume_asset: str


@dataclass(frozen=True)
class KeyFacts:
    """What Kraken says of an API key (GetApiKeyInfo). Unknown figures are None."""

    name: str
    permissions: frozenset[str]
    nonce: int | None
    nonce_window: int | None
    valid_until_ns: int | None
    ip_allowlist: tuple[str, ...]
