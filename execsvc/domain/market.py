"""Market data as values: ticker, trade, candle, book, feed state, and the events a public feed yields.

Times are integer nanoseconds since the epoch; 0 never stands for "unknown", None does. Decimals keep the scale the venue
printed. The hub's sequence numbers and the contract's messages are other rooms' business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


class FeedState(Enum):
    """LIVE: fresh; STALE: silent or the link is down; RESYNCING: link back, snapshot on its way."""

    LIVE = "live"
    STALE = "stale"
    RESYNCING = "resyncing"


class GapReason(Enum):
    """Why what a reader holds is void until the next snapshot."""

    UPSTREAM_RECONNECT = "upstream_reconnect"
    UPSTREAM_INTEGRITY = "upstream_integrity"
    SLOW_CONSUMER = "slow_consumer"


class Side(Enum):
    """BUY or SELL; of an order its own side, of a public trade the taker's."""

    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True)
class EventTimes:
    """venue_ns: None where the channel has none; receive_ns: when the frame was read."""

    venue_ns: int | None
    receive_ns: int


@dataclass(frozen=True)
class Ticker:
    """Absolute picture of one symbol. A price of None: that side of the book is empty.

    polled: read over REST, not told by the stream.
    """

    symbol: str
    bid_price: Decimal | None
    bid_quantity: Decimal | None
    ask_price: Decimal | None
    ask_quantity: Decimal | None
    last_price: Decimal | None
    volume_24h: Decimal
    vwap_24h: Decimal
    low_24h: Decimal
    high_24h: Decimal
    change_24h: Decimal | None
    times: EventTimes
    polled: bool = False


@dataclass(frozen=True)
class Level:
    """One price level; quantity 0 in a delta removes it."""

    price: Decimal
    quantity: Decimal


@dataclass(frozen=True)
class BookView:
    """One book at one instant, best first, at most `depth` levels a side."""

    symbol: str
    depth: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    times: EventTimes


@dataclass(frozen=True)
class Trade:
    """One public trade."""

    symbol: str
    trade_id: str
    price: Decimal
    quantity: Decimal
    taker_side: Side
    times: EventTimes


@dataclass(frozen=True)
class Candle:
    """One candle; `closed` is worked out here, Kraken has no such flag."""

    symbol: str
    interval_s: int
    open_time_ns: int
    open_price: Decimal
    high_price: Decimal
    low_price: Decimal
    close_price: Decimal
    volume: Decimal
    vwap: Decimal
    trade_count: int
    closed: bool
    receive_ns: int


@dataclass(frozen=True)
class TradePage:
    """Trades oldest first; `cursor_ns` is what to ask since for the next page."""

    trades: tuple[Trade, ...]
    cursor_ns: int


class VenueMode(Enum):
    """The whole venue's state, as Kraken's SystemStatus says it."""

    ONLINE = "online"
    MAINTENANCE = "maintenance"
    CANCEL_ONLY = "cancel_only"
    POST_ONLY = "post_only"


@dataclass(frozen=True, order=True)
class TickerTopic:
    """Wish: live tickers of one symbol."""

    symbol: str


@dataclass(frozen=True, order=True)
class BookTopic:
    """Wish: the live book of one symbol to a depth of 10, 25, 100, 500 or 1000."""

    symbol: str
    depth: int


@dataclass(frozen=True, order=True)
class TradeTopic:
    """Wish: the public trades of one symbol as they happen."""

    symbol: str


@dataclass(frozen=True, order=True)
class CandleTopic:
    """Wish: the candles of one symbol; the interval is one that Kraken has (1, 5, 15 … 21600 minutes)."""

    symbol: str
    interval_s: int


Topic = TickerTopic | BookTopic | TradeTopic | CandleTopic


@dataclass(frozen=True)
class LinkUp:
    """The feed's connection stands; snapshots of all topics follow."""

    receive_ns: int


@dataclass(frozen=True)
class LinkDown:
    """The connection is lost; the feed dials again by itself. `why` is for logs."""

    why: str


@dataclass(frozen=True)
class Beat:
    """A frame of any kind came: the link is alive."""

    receive_ns: int


@dataclass(frozen=True)
class TickerSeen:
    """A new picture of one ticker."""

    ticker: Ticker
    snapshot: bool


@dataclass(frozen=True)
class BookSeen:
    """A book moved and its checksum held.

    `bids` and `asks` are the changes since the event before (all levels on a snapshot), with explicit removals (quantity
    0) of levels that fell out of the depth. `view()` gives the whole book as it stands when called.
    """

    topic: BookTopic
    snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    checksum: int
    times: EventTimes
    view: Callable[[], BookView]


@dataclass(frozen=True)
class TradesSeen:
    """Trades of one symbol, oldest first. A snapshot holds the last ones, not new ones; it may be empty."""

    topic: TradeTopic
    trades: tuple[Trade, ...]
    snapshot: bool
    receive_ns: int


@dataclass(frozen=True)
class CandlesSeen:
    """Candles of one topic, oldest first. None is marked closed: Kraken's stream does not say it. A snapshot may be empty."""

    topic: CandleTopic
    candles: tuple[Candle, ...]
    snapshot: bool
    receive_ns: int


@dataclass(frozen=True)
class Desynced:
    """This topic's picture is void (checksum, order of levels); it is being subscribed anew."""

    topic: Topic
    why: str


@dataclass(frozen=True)
class TopicRefused:
    """The venue does not serve this topic; it is not asked for again until wished anew."""

    topic: Topic
    why: str


@dataclass(frozen=True)
class ModeSeen:
    """The venue told its mode."""

    mode: VenueMode


FeedEvent = (
    LinkUp | LinkDown | Beat | TickerSeen | BookSeen | TradesSeen | CandlesSeen | Desynced | TopicRefused | ModeSeen
)
