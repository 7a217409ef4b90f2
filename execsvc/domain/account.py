"""An account's money and executions as values: balances, fills, key facts.

Assets are plain codes (BTC, USD); variants keep Kraken's suffix (DOT.S) as balances of their own. How they are read and
kept fresh is app/account.py's business.
"""

from dataclasses import dataclass
from decimal import Decimal

from execsvc.domain.market import EventTimes, Side


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

    `caller` and `client_order_id` are empty when the order was not placed through execsvc.
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


@dataclass(frozen=True)
class FillQuery:
    """start inclusive, end exclusive, both ns; offset counts rows from the newest. `symbol` empty means all."""

    symbol: str = ""
    start_ns: int | None = None
    end_ns: int | None = None
    offset: int = 0
    size: int = 100


@dataclass(frozen=True)
class KeyFacts:
    """What Kraken says of an API key (GetApiKeyInfo). Unknown figures are None."""

    name: str
    permissions: frozenset[str]
    nonce: int | None
    nonce_window: int | None
    valid_until_ns: int | None
    ip_allowlist: tuple[str, ...]
