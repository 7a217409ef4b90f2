"""The typed Python client of execsvc: exact amounts, one id per intent, doubt as a type, streams that cannot lie.

`Client` for asyncio, `SyncClient` for everything else; both have the same names. `raw` calls any method by name with
JSON. Everything public is here; modules with an underscore are not.
"""

from execsvc_client import raw
from execsvc_client._account import AccountHealth, Balance, Grant, LaneHealth, ModeEntry, ServerInfo, VenueStatus
from execsvc_client._admin import ModeChange, StreamInfo
from execsvc_client._amends import Amended, AmendInDoubt, AmendOptions
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
    FeePreference,
    GapReason,
    InstrumentStatus,
    ModeLike,
    OrderScope,
    OrderStatus,
    Reason,
    ScopeLike,
    SelfTradePrevention,
    Side,
    TimeInForce,
    TimelineKind,
    TradingMode,
    TriggerReference,
    VenueMode,
)
from execsvc_client._errors import (
    Conflict,
    ExecsvcError,
    Facts,
    InvalidRequest,
    LiveRefused,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotOffered,
    NotPermitted,
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
from execsvc_client._limits import (
    Breach,
    CallerLimit,
    Capacity,
    CapacityQuery,
    Counter,
    FeeEstimate,
    Limits,
    Preview,
    RiskCheck,
)
from execsvc_client._many import BatchRow, CancelRow, Cleared, NewOrder, Switch
from execsvc_client._market import Asset, Book, Candle, Instrument, Level, Ticker, Trade
from execsvc_client._orders import AssetAmount, Fill, Order, Placed, Times
from execsvc_client._requests import OrderLike, OrderOptions
from execsvc_client._session import SessionEvent
from execsvc_client._session_calls import OrderSession
from execsvc_client._settings import DEFAULT_TARGET, __version__
from execsvc_client._specs import (
    WHOLE_POSITION,
    Close,
    FeePreferenceLike,
    Quote,
    SelfTradePreventionLike,
    SideLike,
    Size,
    TimeInForceLike,
    TriggerReferenceLike,
)
from execsvc_client._statements import FeeRate, FeeRates, LedgerEntry, Margin, Position
from execsvc_client._story import Story, TimelineEvent
from execsvc_client._sync import SyncClient
from execsvc_client._sync_session import SyncOrderSession
from execsvc_client._tls import Tls

__all__ = [
    "DEFAULT_TARGET", "WHOLE_POSITION", "AccountHealth", "AmendInDoubt", "AmendOptions", "Amended", "Asset",
    "AssetAmount", "AssetStatus", "Balance", "BalanceEvent", "BalanceSnapshot", "BalanceUpdate", "BatchRow", "Book",
    "BookView", "Breach", "BreakerState", "CallClass", "CallerLimit", "CancelRow", "Candle", "CandleEvent",
    "CandleSnapshot", "CandleUpdate", "Capacity", "CapacityQuery", "Cleared", "Client", "Close", "Conflict",
    "Connected", "Counter", "CounterKind", "Disconnected", "ExecsvcError", "Facts", "FeeEstimate", "FeePreference",
    "FeePreferenceLike", "FeeRate", "FeeRates", "FeedState", "Fill", "FillUpdate", "Gap", "GapReason", "Grant",
    "Heartbeat", "InDoubt", "Instrument", "InstrumentStatus", "InvalidRequest", "LaneHealth", "LedgerEntry", "Level",
    "Limits", "LiveRefused", "Margin", "ModeChange", "ModeEntry", "ModeLike", "ModeUpdate", "NewOrder", "NotAllowed",
    "NotAuthenticated", "NotFound", "NotOffered", "NotPermitted", "NotPlaced", "Number", "OpenOrders", "Order",
    "OrderEvent", "OrderLike", "OrderOptions", "OrderScope", "OrderSession", "OrderStatus", "OrderUpdate",
    "OutcomeUnknown", "Placed", "Position", "Preview", "Quote", "Reason", "Refused", "RiskCheck", "ScopeLike",
    "SelfTradePrevention", "SelfTradePreventionLike", "ServerFault", "ServerInfo", "SessionEvent", "Side", "SideLike",
    "Size", "StateChanged", "Story", "StreamInfo", "Switch", "SyncClient", "SyncOrderSession", "Throttled", "Ticker",
    "TickerEvent", "TickerUpdate", "TimeInForce", "TimeInForceLike", "TimelineEvent", "TimelineKind", "Times", "Tls",
    "Trade", "TradeEvent", "TradeUpdate", "TradingMode", "TriggerReference", "TriggerReferenceLike", "Unavailable",
    "VenueMode", "VenueStatus", "Violation", "__version__", "new_client_order_id", "raw",
]  # fmt: skip
