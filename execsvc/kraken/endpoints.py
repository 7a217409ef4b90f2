"""The endpoints in use, as a table: where, signed or not, what a repeat would do, and which class its call waits in.

Whether a call may be repeated is data here, not a habit of the caller. Sources: kraken.md 2.2 to 2.4.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Effect(Enum):
    """READ: none. CANCEL: the same again changes nothing. ORDER: the same again may place another order."""

    READ = "read"
    CANCEL = "cancel"
    ORDER = "order"


class Rank(IntEnum):
    """Order of service in the lane of a key, first to last."""

    CANCEL = 0
    TRADE = 1
    RESOLVE = 2
    READ = 3


@dataclass(frozen=True)
class Endpoint:
    """One row. `rank` matters for signed calls only."""

    path: str
    effect: Effect = Effect.READ
    rank: Rank = Rank.READ

    @property
    def name(self) -> str:
        """Kraken's name of it, such as AddOrder."""
        return self.path.rsplit("/", 1)[-1]

    @property
    def signed(self) -> bool:
        """Whether the call needs the key."""
        return self.path.startswith("/0/private/")


TIME = Endpoint("/0/public/Time")
SYSTEM_STATUS = Endpoint("/0/public/SystemStatus")
ASSETS = Endpoint("/0/public/Assets")
ASSET_PAIRS = Endpoint("/0/public/AssetPairs")
TICKER = Endpoint("/0/public/Ticker")
DEPTH = Endpoint("/0/public/Depth")
OHLC = Endpoint("/0/public/OHLC")
TRADES = Endpoint("/0/public/Trades")

ADD_ORDER = Endpoint("/0/private/AddOrder", Effect.ORDER, Rank.TRADE)
CANCEL_ORDER = Endpoint("/0/private/CancelOrder", Effect.CANCEL, Rank.CANCEL)
SWEEP_OPEN = Endpoint("/0/private/OpenOrders", rank=Rank.RESOLVE)
SWEEP_CLOSED = Endpoint("/0/private/ClosedOrders", rank=Rank.RESOLVE)
QUERY_ORDERS = Endpoint("/0/private/QueryOrders")
RECONCILE = Endpoint("/0/private/QueryOrders", rank=Rank.RESOLVE)
BALANCE_EX = Endpoint("/0/private/BalanceEx")
TRADES_HISTORY = Endpoint("/0/private/TradesHistory")
# The stream makes looks needless, the key's check comes before all: both may use what reads leave.
API_KEY_INFO = Endpoint("/0/private/GetApiKeyInfo", rank=Rank.RESOLVE)
WEBSOCKETS_TOKEN = Endpoint("/0/private/GetWebSocketsToken", rank=Rank.RESOLVE)

ALL = (
    TIME, SYSTEM_STATUS, ASSETS, ASSET_PAIRS, TICKER, DEPTH, OHLC, TRADES,
    ADD_ORDER, CANCEL_ORDER, SWEEP_OPEN, SWEEP_CLOSED, QUERY_ORDERS, RECONCILE, BALANCE_EX, TRADES_HISTORY, API_KEY_INFO,
    WEBSOCKETS_TOKEN,
)  # fmt: skip
