"""What the streams tell: changes, and everything a reader must know to trust them or not.

A stream reconnects by itself and says so: `Disconnected` before it waits, `Connected` when it is back. Between the two,
and while the state is not LIVE, what is held is old.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from execsvc_client._account import ModeEntry
from execsvc_client._enums import FeedState, GapReason
from execsvc_client._errors import ExecsvcError
from execsvc_client._market import Book, Ticker
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
    """A hole: what is held of these symbols (none: of all) is void until the snapshot that follows."""

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
class OpenOrders:
    """Every order in scope that is not terminal: what is held and not in it has ended meanwhile."""

    orders: tuple[Order, ...]
    resume_token: str


@dataclass(frozen=True)
class OrderUpdate:
    """An order's full new state. At least once: the higher `version` is the newer one."""

    order: Order
    resume_token: str


@dataclass(frozen=True)
class FillUpdate:
    """An execution; the order that includes it follows. At least once: deduplicate by `fill_id`."""

    fill: Fill
    resume_token: str


@dataclass(frozen=True)
class ModeUpdate:
    """A trading mode that touches this caller changed."""

    entry: ModeEntry
    resume_token: str


@dataclass(frozen=True)
class BookView:
    """The book after a change. `stale`: do not quote on it; `cause` says why when something just happened to it."""

    book: Book
    stale: bool
    cause: Gap | Disconnected | StateChanged | None = None


TickerEvent: TypeAlias = TickerUpdate | StateChanged | Gap | Heartbeat | Connected | Disconnected
OrderEvent: TypeAlias = (
    OrderUpdate | FillUpdate | OpenOrders | ModeUpdate | StateChanged | Gap | Heartbeat | Connected | Disconnected
)
