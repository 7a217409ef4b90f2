"""The endpoints in use, as a table: where, signed or not, what a repeat would do, and which class its call waits in.

Whether a call may be repeated is data here, not a habit of the caller. Sources: kraken.md 2.2 to 2.4.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum


class Effect(Enum):
    """READ: none. CANCEL: the same again changes nothing. ORDER: the same again may place another order.

    AMEND: the same again changes nothing, unless something else was changed in between: it is sent once, as an order is.
    """

    READ = "read"
    CANCEL = "cancel"
    ORDER = "order"
    AMEND = "amend"


class Rank(IntEnum):
    """Order of service in the lane of a key, first to last."""

    CANCEL = 0
    TRADE = 1
    RESOLVE = 2
    READ = 3


@dataclass(frozen=True)
class Endpoint:
    """One row. `rank` matters for signed calls only; json: its arrays need a JSON body (kraken.md 1)."""

    path: str
    effect: Effect = Effect.READ
    rank: Rank = Rank.READ
    json: bool = False

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
ADD_ORDER_DRY = Endpoint("/0/private/AddOrder")  # with validate=true: Kraken says what it thinks, and places nothing
CANCEL_ORDER = Endpoint("/0/private/CancelOrder", Effect.CANCEL, Rank.CANCEL)
CANCEL_BATCH = Endpoint("/0/private/CancelOrderBatch", Effect.CANCEL, Rank.CANCEL, json=True)
CANCEL_ALL = Endpoint("/0/private/CancelAll", Effect.CANCEL, Rank.CANCEL)
CANCEL_ALL_AFTER = Endpoint("/0/private/CancelAllOrdersAfter", Effect.CANCEL, Rank.CANCEL)
ADD_BATCH = Endpoint("/0/private/AddOrderBatch", Effect.ORDER, Rank.TRADE, json=True)
AMEND_ORDER = Endpoint("/0/private/AmendOrder", Effect.AMEND, Rank.TRADE)
ORDER_AMENDS = Endpoint("/0/private/OrderAmends", rank=Rank.RESOLVE)
SWEEP_OPEN = Endpoint("/0/private/OpenOrders", rank=Rank.RESOLVE)
SWEEP_CLOSED = Endpoint("/0/private/ClosedOrders", rank=Rank.RESOLVE)
QUERY_ORDERS = Endpoint("/0/private/QueryOrders")
RECONCILE = Endpoint("/0/private/QueryOrders", rank=Rank.RESOLVE)
BALANCE_EX = Endpoint("/0/private/BalanceEx")
TRADES_HISTORY = Endpoint("/0/private/TradesHistory")
MISSED_TRADES = Endpoint("/0/private/TradesHistory", rank=Rank.RESOLVE)
TRADE_BALANCE = Endpoint("/0/private/TradeBalance")
OPEN_POSITIONS = Endpoint("/0/private/OpenPositions")
LEDGERS = Endpoint("/0/private/Ledgers")
TRADE_VOLUME = Endpoint("/0/private/TradeVolume")
# The stream makes looks needless, the key's check comes before all: both may use what reads leave.
API_KEY_INFO = Endpoint("/0/private/GetApiKeyInfo", rank=Rank.RESOLVE)
WEBSOCKETS_TOKEN = Endpoint("/0/private/GetWebSocketsToken", rank=Rank.RESOLVE)

ALL = (
    TIME, SYSTEM_STATUS, ASSETS, ASSET_PAIRS, TICKER, DEPTH, OHLC, TRADES,
    ADD_ORDER, ADD_ORDER_DRY, ADD_BATCH, CANCEL_ORDER, CANCEL_BATCH, CANCEL_ALL, CANCEL_ALL_AFTER, SWEEP_OPEN, SWEEP_CLOSED,
    QUERY_ORDERS, RECONCILE, BALANCE_EX, TRADES_HISTORY, MISSED_TRADES, TRADE_BALANCE, OPEN_POSITIONS, LEDGERS,
    TRADE_VOLUME, AMEND_ORDER, ORDER_AMENDS, API_KEY_INFO, WEBSOCKETS_TOKEN,
)  # fmt: skip
