"""The typed Python client of execsvc: exact amounts, one id per intent, doubt as a type, streams that cannot lie.

`Client` for asyncio, `SyncClient` for everything else; both have the same names. `raw` calls any method by name with
JSON. Everything public is here; modules with an underscore are not.
"""

from execsvc_client import raw
from execsvc_client._account import AccountHealth, Balance, Grant, LaneHealth, ModeEntry, ServerInfo, VenueStatus
from execsvc_client._amounts import Number
from execsvc_client._chance import new_client_order_id
from execsvc_client._client import Client
from execsvc_client._doubt import InDoubt
from execsvc_client._enums import (
    AssetStatus,
    BreakerState,
    CallClass,
    CounterKind,
    FeedState,
    GapReason,
    InstrumentStatus,
    OrderScope,
    OrderStatus,
    Reason,
    Side,
    TimeInForce,
    TimelineKind,
    TradingMode,
    VenueMode,
)
from execsvc_client._errors import (
    Conflict,
    ExecsvcError,
    Facts,
    InvalidRequest,
    LiveRefused,
    NotAllowed,
    NotFound,
    NotOffered,
    NotPlaced,
    OutcomeUnknown,
    Refused,
    ServerFault,
    Throttled,
    Unavailable,
    Violation,
)
from execsvc_client._events import (
    BalanceEvent,
    BalanceSnapshot,
    BalanceUpdate,
    BookView,
    CandleEvent,
    CandleSnapshot,
    CandleUpdate,
    Connected,
    Disconnected,
    FillUpdate,
    Gap,
    Heartbeat,
    ModeUpdate,
    OpenOrders,
    OrderEvent,
    OrderUpdate,
    StateChanged,
    TickerEvent,
    TickerUpdate,
    TradeEvent,
    TradeUpdate,
)
from execsvc_client._limits import Breach, CallerLimit, Capacity, CapacityQuery, Counter, Limits, Preview, RiskCheck
from execsvc_client._market import Asset, Book, Candle, Instrument, Level, Ticker, Trade
from execsvc_client._orders import AssetAmount, Fill, Order, Placed, Times
from execsvc_client._requests import OrderLike, OrderOptions, SideLike, TimeInForceLike
from execsvc_client._settings import DEFAULT_TARGET, __version__
from execsvc_client._story import Story, TimelineEvent
from execsvc_client._sync import SyncClient

__all__ = [
    "DEFAULT_TARGET", "AccountHealth", "Asset", "AssetAmount", "AssetStatus", "Balance", "BalanceEvent",
    "BalanceSnapshot", "BalanceUpdate", "Book", "BookView", "Breach", "BreakerState", "CallClass", "CallerLimit",
    "Candle", "CandleEvent", "CandleSnapshot", "CandleUpdate", "Capacity", "CapacityQuery", "Client", "Conflict",
    "Connected", "Counter", "CounterKind", "Disconnected", "ExecsvcError", "Facts", "FeedState", "Fill", "FillUpdate",
    "Gap", "GapReason", "Grant", "Heartbeat", "InDoubt", "Instrument", "InstrumentStatus", "InvalidRequest",
    "LaneHealth", "Level", "Limits", "LiveRefused", "ModeEntry", "ModeUpdate", "NotAllowed", "NotFound", "NotOffered",
    "NotPlaced", "Number", "OpenOrders", "Order", "OrderEvent", "OrderLike", "OrderOptions", "OrderScope",
    "OrderStatus", "OrderUpdate", "OutcomeUnknown", "Placed", "Preview", "Reason", "Refused", "RiskCheck",
    "ServerFault", "ServerInfo", "Side", "SideLike", "StateChanged", "Story", "SyncClient", "Throttled", "Ticker",
    "TickerEvent", "TickerUpdate", "TimeInForce", "TimeInForceLike", "TimelineEvent", "TimelineKind", "Times", "Trade",
    "TradeEvent", "TradeUpdate", "TradingMode", "Unavailable", "VenueMode", "VenueStatus", "Violation", "__version__",
    "new_client_order_id", "raw",
]  # fmt: skip
