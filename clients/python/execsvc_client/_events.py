"""What the streams tell: changes, and everything a reader must know to trust them or not.

A stream reconnects by itself and says so: `Disconnected` before it waits, `Connected` when it is back. Between the two,
and while the state is not LIVE, what is held is old.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from execsvc_client._account import Balance, ModeEntry
from execsvc_client._enums import FeedState, GapReason
from execsvc_client._errors import ExecsvcError
from execsvc_client._market import Book, Candle, Ticker, Trade
from execsvc_client._orders import Fill, Order


@dataclass(frozen=True)
class Connected:
    """The stream is open. `resumed`: nothing was missed; else a snapshot follows and what was held is void."""

    stream_id: str
    server_epoch: str
    resumed: bool = False


@dataclass(frozen=True)
class Disconnected:
    """The stream is lost, and is opened again in `retry_in` seconds. Until then everything held is stale."""

    error: ExecsvcError
    retry_in: float


@dataclass(frozen=True)
class StateChanged:
    """The exchange feed changed its state; `not_live` are the symbols of this stream that are not LIVE."""

    state: FeedState
    not_live: tuple[str, ...]


@dataclass(frozen=True)
class Gap:
    """A hole: what is held of these symbols (none: of all) is void until the snapshot that follows.

    Of trades no snapshot follows: `lost` are missing (None: nobody knows how many), and trades(since=…) has them.
    """

    reason: GapReason
    symbols: tuple[str, ...]
    lost: int | None
    since: datetime | None


@dataclass(frozen=True)
class Heartbeat:
    """A sign of life, sent on a fixed clock. `queue_depth`: messages waiting for this reader."""

    last_upstream: datetime | None
    queue_depth: int
    not_live: tuple[str, ...]


@dataclass(frozen=True)
class TickerUpdate:
    """A ticker, whole. `snapshot`: the state before any update; `conflated`: updates folded into this message."""

    ticker: Ticker
    state: FeedState
    snapshot: bool
    conflated: int
    send_time: datetime | None


@dataclass(frozen=True)
class TradeUpdate:
    """A trade that just happened."""

    trade: Trade
    state: FeedState
    send_time: datetime | None


@dataclass(frozen=True)
class CandleSnapshot:
    """The last candles of one symbol, oldest first, the open one last: replaces what is held of it."""

    symbol: str
    candles: tuple[Candle, ...]
    state: FeedState
    conflated: int
    send_time: datetime | None


@dataclass(frozen=True)
class CandleUpdate:
    """A changed candle: replaces the one with its `open_time`. `conflated`: updates folded into this message."""

    candle: Candle
    state: FeedState
    conflated: int
    send_time: datetime | None


@dataclass(frozen=True)
class BalanceSnapshot:
    """All balances that are not zero, ordered by asset: an asset in none is zero. Replaces what is held."""

    balances: tuple[Balance, ...]
    state: FeedState
    send_time: datetime | None


@dataclass(frozen=True)
class BalanceUpdate:
    """A changed balance: replaces the one of its asset. `conflated`: earlier changes of it folded into this message."""

    balance: Balance
    state: FeedState
    conflated: int
    send_time: datetime | None


@dataclass(frozen=True)
class OpenOrders:
    """Every order in scope that is not terminal: what is held and not in it has ended meanwhile.

    `state`, here and in the other news of orders: that of the private feed when this was sent.
    """

    orders: tuple[Order, ...]
    resume_token: str
    state: FeedState = FeedState.UNSPECIFIED


@dataclass(frozen=True)
class OrderUpdate:
    """An order's full new state. At least once: the higher `version` is the newer one."""

    order: Order
    resume_token: str
    state: FeedState = FeedState.UNSPECIFIED


@dataclass(frozen=True)
class FillUpdate:
    """An execution; the order that includes it follows. At least once: deduplicate by `fill_id`."""

    fill: Fill
    resume_token: str
    state: FeedState = FeedState.UNSPECIFIED


@dataclass(frozen=True)
class ModeUpdate:
    """A trading mode that touches this caller changed."""

    entry: ModeEntry
    resume_token: str
    state: FeedState = FeedState.UNSPECIFIED


@dataclass(frozen=True)
class BookView:
    """The book after a change. `stale`: do not quote on it; `cause` says why when something just happened to it."""

    book: Book
    stale: bool
    cause: Gap | Disconnected | StateChanged | None = None


FeedEvent: TypeAlias = StateChanged | Gap | Heartbeat | Connected | Disconnected
TickerEvent: TypeAlias = TickerUpdate | FeedEvent
TradeEvent: TypeAlias = TradeUpdate | FeedEvent
CandleEvent: TypeAlias = CandleSnapshot | CandleUpdate | FeedEvent
BalanceEvent: TypeAlias = BalanceSnapshot | BalanceUpdate | FeedEvent
OrderEvent: TypeAlias = (
    OrderUpdate | FillUpdate | OpenOrders | ModeUpdate | StateChanged | Gap | Heartbeat | Connected | Disconnected
)
