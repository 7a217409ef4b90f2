"""Public streams kept alive and honest: one upstream subscription per topic, however many readers.

Hands the news of the connections (links.py) to the rooms of the four kinds of topics, asks for what readers want, and
notices silence on a fixed clock, so that a dead link shows even if the socket never says so; topics that are silent on a
line that beats are lookout.py's, what readers get while it is away polls.py's. What a picture is and when it is LIVE is the
rooms' business, what a message looks like on the wire is rpc's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, assert_never

from execsvc.app.books import Books
from execsvc.app.candles import Candles
from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.links import STALENESS_BOUND_S, Links
from execsvc.app.lookout import Lookout, Place
from execsvc.app.polls import Polls
from execsvc.app.tickers import Tickers
from execsvc.app.topics import BookChange, CandlePicture, link_of
from execsvc.app.trades import Trades
from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    BookView,
    CandlesSeen,
    CandleTopic,
    Desynced,
    FeedEvent,
    FeedState,
    LinkDown,
    LinkUp,
    ModeSeen,
    Ticker,
    TickerSeen,
    TickerTopic,
    Topic,
    TopicRefused,
    Trade,
    TradesSeen,
    TradeTopic,
    VenueMode,
)
from execsvc.ports import Clock, PublicVenue, Tasks
from execsvc.telemetry import Telemetry

__all__ = ["LINGER_S", "MAX_TOPICS", "STALENESS_BOUND_S", "Feeds"]

WATCH_EVERY_S = 0.25
LINGER_S = 30.0
MAX_TOPICS = 2000


class Feeds:
    """All public subscriptions of the process."""

    def __init__(
        self,
        venue: PublicVenue,
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
        instrument_of: Callable[[str], Instrument],
    ) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._links = Links(venue, clock, tasks, self._handle)
        self._tickers = Tickers(clock, telemetry, self._links.starting)
        self._books = Books(clock, telemetry, self._links.starting)
        self._trades = Trades(clock, telemetry, self._links.starting)
        self._candles = Candles(venue, clock, tasks, telemetry, self._links)
        self._rooms: tuple[Followed[Any, Any, Any], ...] = (self._tickers, self._books, self._trades, self._candles)
        self._lookout = Lookout(venue, clock, tasks, self._links, self._place, instrument_of)
        self._polls = Polls(venue, clock, tasks, self._links, self._tickers, instrument_of)
        self.mode: VenueMode | None = None

    def __repr__(self) -> str:
        return f"<Feeds {sum(map(len, self._rooms))} topics, {len(self._links)} links>"

    # ---- readers: symbols are canonical and known to the catalog ---------------------------------------------------

    @contextmanager
    def tickers(self, symbols: tuple[str, ...], delivery: Delivery) -> Iterator[Mailbox[Ticker]]:
        """A reader's mailbox, first filled with what is known."""
        self._bound(self._tickers.new_among(symbols))
        with self._tickers.reading(symbols, delivery) as box:
            self._want()
            yield box

    @contextmanager
    def book(self, symbol: str, depth: int, delivery: Delivery) -> Iterator[Mailbox[BookChange]]:
        """A reader's mailbox of one book. Conflated readers get whole books, spaced; the others changes."""
        self._bound(self._books.new_among(((symbol, depth),)))
        with self._books.reading(symbol, depth, delivery) as box:
            self._want()
            yield box

    @contextmanager
    def trades(self, symbols: tuple[str, ...], delivery: Delivery) -> Iterator[Mailbox[Trade]]:
        """A reader's mailbox of trades from now on; delivery buffers."""
        self._bound(self._trades.new_among(symbols))
        with self._trades.reading(symbols, delivery) as box:
            self._want()
            yield box

    @contextmanager
    def candles(
        self, instruments: tuple[Instrument, ...], interval_s: int, history_count: int, delivery: Delivery
    ) -> Iterator[Mailbox[CandlePicture]]:
        """A reader's mailbox; each symbol begins with so many closed candles and the open one."""
        self._bound(self._candles.new_among(tuple(CandleTopic(each.symbol, interval_s) for each in instruments)))
        with self._candles.reading(instruments, interval_s, history_count, delivery) as box:
            self._want()
            yield box

    @property
    def readers(self) -> int:
        """How many mailboxes are open, of all kinds."""
        return sum(room.readers for room in self._rooms)

    # ---- pictures ---------------------------------------------------------------------------------------------------

    def live_ticker(self, symbol: str) -> Ticker | None:
        """The last ticker if the topic is LIVE."""
        return self._tickers.live(symbol)

    def live_book(self, symbol: str, depth: int) -> BookView | None:
        """The book as it stands if the topic is LIVE."""
        return self._books.live((symbol, depth))

    def version_of(self, symbol: str, depth: int) -> int:
        """The book's version; 0 when it is not followed."""
        return self._books.version((symbol, depth))

    def states_of(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the symbols whose ticker is not LIVE."""
        return self._tickers.behind(symbols)

    def trades_not_live(self, box: Mailbox[Trade]) -> tuple[str, ...]:
        """Symbols of a trade reader that are not LIVE."""
        return self._trades.not_live(box)

    def candles_not_live(self, box: Mailbox[CandlePicture]) -> tuple[str, ...]:
        """Symbols of a candle reader that are not LIVE, or that it has no snapshot of yet."""
        return self._candles.not_live(box)

    def refusal(self, topic: Topic) -> str:
        """Why the venue refuses the topic; empty when it does not."""
        room, key = self._place(topic)
        return room.refusal(key)

    @property
    def public_state(self) -> FeedState:
        """The public side as a whole: STALE when a followed link is down or silent, or a topic dead; idle counts as LIVE."""
        dead = any(True for room in self._rooms for _ in room.read(dead=True))
        return FeedState.STALE if dead else self._links.state

    @property
    def last_frame_ns(self) -> int | None:
        """When the last venue frame of any kind was read."""
        return self._links.last_frame_ns

    # ---- the loops --------------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notices silence and forgets topics nobody reads, for ever."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            for key in self._links.fallen_silent():
                for room in self._rooms:
                    room.link_stale(key)
            before = self._clock.monotonic() - LINGER_S
            dropped = [room.forget_idle(before) for room in self._rooms]
            if any(dropped):
                self._want()
            self._lookout.look(self._rooms)
            self._polls.look()

    def _handle(self, key: int, event: FeedEvent) -> None:
        match event:
            case TickerSeen(ticker, snapshot):
                self._heard(key, ticker.times.receive_ns)
                self._lookout.ticker(ticker, snapshot=snapshot)
                self._tickers.saw(ticker, snapshot=snapshot)
            case BookSeen():
                self._heard(key, event.times.receive_ns)
                self._lookout.heard(event.topic, snapshot=event.snapshot)
                self._books.saw(event)
            case TradesSeen():
                self._heard(key, event.receive_ns)
                self._lookout.trades(event)
                self._trades.saw(event)
            case CandlesSeen():
                self._heard(key, event.receive_ns)
                self._lookout.heard(event.topic, snapshot=event.snapshot)
                self._candles.saw(event)
            case Beat(receive_ns):
                self._heard(key, receive_ns)
            case LinkUp(receive_ns):
                self._links.heard(key, receive_ns)
                again = self._links.came_up(key)
                for room in self._rooms:
                    room.link_up(key, again=again)
            case LinkDown(_):
                self._links.went_down(key)
                self._telemetry.feed_reconnects.add(1, {"feed": "public"})
                for room in self._rooms:
                    room.link_stale(key)
            case Desynced() | TopicRefused():
                self._on_trouble(event)
            case ModeSeen(mode):
                self.mode = mode
            case _:
                assert_never(event)

    def _heard(self, key: int, receive_ns: int) -> None:
        if self._links.heard(key, receive_ns):
            for room in self._rooms:
                room.link_revived(key)

    def _on_trouble(self, event: Desynced | TopicRefused) -> None:
        """One topic's trouble: no other is touched."""
        if isinstance(event, Desynced):
            self._telemetry.checksum_failures.add(1, {"symbol": event.topic.symbol, "why": event.why})
        room, key = self._place(event.topic)
        room.trouble(key, event)

    def _place(self, topic: Topic) -> Place:
        """The room of a topic, and its key there."""
        match topic:
            case TickerTopic(symbol):
                return self._tickers, symbol
            case BookTopic(symbol, depth):
                return self._books, (symbol, depth)
            case TradeTopic(symbol):
                return self._trades, symbol
            case CandleTopic():
                return self._candles, topic
            case _:
                assert_never(topic)

    def _bound(self, new: int) -> None:
        if sum(map(len, self._rooms)) + new > MAX_TOPICS:
            raise error_of(Fault(Reason.TOO_MANY_STREAMS, f"already {MAX_TOPICS} topics are followed; close some"))

    def _want(self) -> None:
        wishes: dict[int, set[Topic]] = {}
        for room in self._rooms:
            for topic in room.topics():
                wishes.setdefault(link_of(topic), set()).add(topic)
        self._lookout.keep([topic for topics in wishes.values() for topic in topics])
        self._links.want(wishes)
