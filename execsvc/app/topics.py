"""What is held of each topic of the public feeds: its state, who reads it, the last picture.

Plain records, changed by the rooms alone (app/followed.py and its heirs); how a state moves is decided there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from execsvc.app.candletape import CandleTape
from execsvc.app.hub import Mailbox
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import (
    BookSeen,
    BookTopic,
    Candle,
    CandleTopic,
    EventTimes,
    FeedState,
    Level,
    Ticker,
    TickerTopic,
    Topic,
    Trade,
    TradeTopic,
)

T = TypeVar("T")

SHARED_LINK = 10  # tickers, trades and candles share the connection of the depth-10 books
CandleMark = tuple[int, int]
"""How far candles have come: when the newest opened (ns), and how many trades are in it."""

_WORST = (FeedState.STALE, FeedState.RESYNCING, FeedState.LIVE)


@dataclass(frozen=True, eq=False)
class BookChange:
    """One message's worth of book: all levels (snapshot) or changes that apply to version - 1.

    Known by itself and not by its levels: readers of a book share it, and so what is made of it.
    """

    symbol: str
    depth: int
    snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    version: int
    checksum: int | None
    times: EventTimes


@dataclass(frozen=True)
class CandlePicture:
    """Candles of one symbol, oldest first: its last ones (a snapshot; the open one last) or one that changed."""

    symbol: str
    candles: tuple[Candle, ...]


@dataclass(eq=False)
class TopicState(Generic[T]):
    """One topic. `seen`: its picture has come since the link stands. `refused`: why the venue does not serve it.

    dead: it stood still while the venue went on, and has not spoken since; idle_since: since when nobody reads it.
    """

    topic: Topic
    state: FeedState = FeedState.RESYNCING
    boxes: "set[Mailbox[T]]" = field(default_factory=set)
    seen: bool = False
    dead: bool = False
    idle_since: float | None = None
    refused: str = ""


@dataclass(eq=False)
class TickerState(TopicState[Ticker]):
    """One symbol's ticker. `polled`: what was read over REST since the stream went away, and nothing was told since."""

    topic: TickerTopic
    last: Ticker | None = None
    polled: Ticker | None = None


@dataclass(eq=False)
class BookState(TopicState[BookChange]):
    """One book to one depth; `version` counts its changes since it was first followed."""

    topic: BookTopic
    last: BookSeen | None = None
    version: int = 0


@dataclass(eq=False)
class TradeState(TopicState[Trade]):
    """One symbol's trades; `recent` are ids that were seen lately, `newest` the highest of all; none yet: -1.

    newest_ns: when the newest happened, as the venue says; None: it did not, or there is none.
    """

    topic: TradeTopic
    recent: dict[str, None] = field(default_factory=dict)
    newest: int = -1
    newest_ns: int | None = None


@dataclass(eq=False)
class CandleState(TopicState[CandlePicture]):
    """One symbol's candles; `wanted`: how many closed ones each reader's snapshot has; `waiting`: who has none yet.

    before: the newest traded candle that the venue showed over REST while the stream had none.
    """

    topic: CandleTopic
    instrument: Instrument | None = None
    tape: CandleTape = field(default_factory=CandleTape)
    wanted: "dict[Mailbox[CandlePicture], int]" = field(default_factory=dict)
    waiting: "set[Mailbox[CandlePicture]]" = field(default_factory=set)
    asking: bool = False
    before: CandleMark | None = None


def link_of(topic: Topic) -> int:
    """The connection a topic is on: one for each depth of book, so that Kraken need not tell two apart."""
    return topic.depth if isinstance(topic, BookTopic) else SHARED_LINK


def worst(states: Iterable[FeedState]) -> FeedState:
    """STALE before RESYNCING before LIVE; of nothing, LIVE."""
    return min(states, key=_WORST.index, default=FeedState.LIVE)
