"""What is held of each topic and link of the public feeds: the last picture, its state, and who reads it.

Plain records, changed by app/feeds.py alone; how a state moves is decided there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from execsvc.app.hub import Mailbox
from execsvc.domain.market import BookSeen, BookTopic, EventTimes, FeedState, Level, Ticker, TickerTopic
from execsvc.ports import PublicFeed

_WORST = (FeedState.STALE, FeedState.RESYNCING, FeedState.LIVE)


@dataclass(frozen=True)
class BookChange:
    """One message's worth of book: all levels (snapshot) or changes that apply to version - 1."""

    symbol: str
    depth: int
    snapshot: bool
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]
    version: int
    checksum: int | None
    times: EventTimes


@dataclass
class TickerState:
    """One symbol's ticker. `refused` says why the venue does not serve it; idle_since: since when nobody reads it."""

    topic: TickerTopic
    boxes: "set[Mailbox[Ticker]]" = field(default_factory=set)
    last: Ticker | None = None
    state: FeedState = FeedState.RESYNCING
    idle_since: float | None = None
    refused: str = ""


@dataclass
class BookState:
    """One book to one depth; `version` counts its changes since it was first followed."""

    topic: BookTopic
    boxes: "set[Mailbox[BookChange]]" = field(default_factory=set)
    last: BookSeen | None = None
    version: int = 0
    state: FeedState = FeedState.RESYNCING
    idle_since: float | None = None
    refused: str = ""


TopicState = TickerState | BookState
Box = Mailbox[Ticker] | Mailbox[BookChange]


@dataclass
class Upstream:
    """One connection of the public feed. `told_stale`: its silence has been told, so that speech is told too."""

    feed: PublicFeed
    opened_at: float
    up: bool = False
    ever_up: bool = False
    last_frame_ns: int = 0
    last_frame_at: float | None = None
    told_stale: bool = False


def worst(states: Iterable[FeedState]) -> FeedState:
    """STALE before RESYNCING before LIVE; of nothing, LIVE."""
    return min(states, key=_WORST.index, default=FeedState.LIVE)
