"""Public streams kept alive and honest: one upstream subscription per topic, however many readers.

Pulls the venue's feeds, keeps the last picture and the state (LIVE, STALE, RESYNCING) of every topic, and puts changes into
the readers' mailboxes. Silence is noticed on a fixed clock here, so a dead link shows even if the socket never says so.
What a message looks like on the wire is rpc's business.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import assert_never

from execsvc.app.hub import Delivery, Gap, Mailbox
from execsvc.app.topics import BookChange, BookState, Box, TickerState, TopicState, Upstream, worst
from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    BookView,
    Desynced,
    FeedEvent,
    FeedState,
    GapReason,
    LinkDown,
    LinkUp,
    ModeSeen,
    Ticker,
    TickerSeen,
    TickerTopic,
    Topic,
    TopicRefused,
    VenueMode,
)
from execsvc.ports import Clock, PublicVenue, Tasks
from execsvc.telemetry import Telemetry

STALENESS_BOUND_S = 5.0
WATCH_EVERY_S = 0.25
LINGER_S = 30.0
MAX_TOPICS = 2000
TICKER_FEED = 10  # tickers share the connection of the depth-10 books


class Feeds:
    """All public subscriptions of the process."""

    def __init__(self, venue: PublicVenue, clock: Clock, tasks: Tasks, telemetry: Telemetry) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry
        self._upstreams: dict[int, Upstream] = {}
        self._tickers: dict[str, TickerState] = {}
        self._books: dict[tuple[str, int], BookState] = {}
        self._read_by: dict[Box, tuple[TopicState, ...]] = {}
        self.mode: VenueMode | None = None

    def __repr__(self) -> str:
        return f"<Feeds {len(self._tickers)} tickers, {len(self._books)} books, {len(self._upstreams)} links>"

    # ---- readers ------------------------------------------------------------------------------------------------

    @contextmanager
    def tickers(self, symbols: tuple[str, ...], delivery: Delivery) -> Iterator[Mailbox[Ticker]]:
        """A reader's mailbox, first filled with what is known. Symbols are canonical and known to the catalog."""
        box: Mailbox[Ticker] = Mailbox(delivery, self._clock, lambda missed: self._refresh_tickers(box, missed))
        states = tuple(self._ticker(symbol) for symbol in symbols)
        self._read_by[box] = states
        for state in states:
            state.boxes.add(box)
            state.idle_since = None
            if state.last is not None:
                box.offer(state.topic.symbol, state.last, snapshot=True)
        box.state = worst(state.state for state in states)
        self._want()
        try:
            yield box
        finally:
            self._leave(box)

    @contextmanager
    def book(self, symbol: str, depth: int, delivery: Delivery) -> Iterator[Mailbox[BookChange]]:
        """A reader's mailbox of one book. Conflated readers get whole books, spaced; the others changes."""
        box: Mailbox[BookChange] = Mailbox(delivery, self._clock, lambda _: self._refresh_book(state, box))
        state = self._book(symbol, depth)
        self._read_by[box] = (state,)
        state.boxes.add(box)
        state.idle_since = None
        self._refresh_book(state, box)
        box.state = state.state
        self._want()
        try:
            yield box
        finally:
            self._leave(box)

    # ---- pictures -----------------------------------------------------------------------------------------------

    def live_ticker(self, symbol: str) -> Ticker | None:
        """The last ticker if the topic is LIVE; a wish for it lingers, so asking often makes it live."""
        state = self._tickers.get(symbol)
        return state.last if state is not None and state.state is FeedState.LIVE else None

    def live_book(self, symbol: str, depth: int) -> BookView | None:
        """The book as it stands if the topic is LIVE."""
        state = self._books.get((symbol, depth))
        return state.last.view() if state is not None and state.last and state.state is FeedState.LIVE else None

    def version_of(self, symbol: str, depth: int) -> int:
        """The book's version; 0 when it is not followed."""
        state = self._books.get((symbol, depth))
        return 0 if state is None else state.version

    def states_of(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the symbols whose ticker is not LIVE."""
        held = ((symbol, self._tickers.get(symbol)) for symbol in symbols)
        return tuple(symbol for symbol, state in held if state is None or state.state is not FeedState.LIVE)

    def refusal(self, topic: Topic) -> str:
        """Why the venue refuses the topic; empty when it does not."""
        state: TopicState | None
        match topic:
            case TickerTopic(symbol):
                state = self._tickers.get(symbol)
            case BookTopic(symbol, depth):
                state = self._books.get((symbol, depth))
            case _:
                assert_never(topic)
        return "" if state is None else state.refused

    @property
    def public_state(self) -> FeedState:
        """The public side as a whole: STALE when any followed link is down or silent; idle counts as LIVE."""
        return worst(self._link_state(link) for link in self._upstreams.values())

    @property
    def last_frame_ns(self) -> int | None:
        """When the last venue frame of any kind was read."""
        return max((link.last_frame_ns for link in self._upstreams.values()), default=0) or None

    # ---- the loops ----------------------------------------------------------------------------------------------

    async def watch(self) -> None:
        """Notices silence and forgets topics nobody reads, for ever."""
        while True:
            await self._clock.sleep(WATCH_EVERY_S)
            for key, link in self._upstreams.items():
                if self._link_state(link) is FeedState.STALE and not link.told_stale:
                    link.told_stale = True
                    for state in self._states_on(key):
                        self._move(state, FeedState.STALE)
            self._forget_idle()

    async def _pull(self, key: int, link: Upstream) -> None:
        async for event in link.feed.events():
            self._handle(key, link, event)

    def _handle(self, key: int, link: Upstream, event: FeedEvent) -> None:
        match event:
            case LinkUp(receive_ns):
                self._heard(link, receive_ns)
                self._on_up(key, link)
            case LinkDown(_):
                link.up = False
                self._telemetry.feed_reconnects.add(1, {"feed": "public"})
                for state in self._states_on(key):
                    self._move(state, FeedState.STALE)
            case Beat(receive_ns):
                self._heard(link, receive_ns)
                self._revive(key, link)
            case TickerSeen(ticker, snapshot):
                self._heard(link, ticker.times.receive_ns)
                self._revive(key, link)
                self._on_ticker(ticker, snapshot=snapshot)
            case BookSeen():
                self._heard(link, event.times.receive_ns)
                self._revive(key, link)
                self._on_book(event)
            case Desynced(topic, why):
                self._on_desync(topic, why)
            case TopicRefused(topic, why):
                self._on_refused(topic, why)
            case ModeSeen(mode):
                self.mode = mode
            case _:
                assert_never(event)

    def _heard(self, link: Upstream, receive_ns: int) -> None:
        link.last_frame_ns = receive_ns
        link.last_frame_at = self._clock.monotonic()

    def _on_up(self, key: int, link: Upstream) -> None:
        link.up = True
        link.told_stale = False
        for state in self._states_on(key):
            if link.ever_up and state.last is not None:
                self._void(state, GapReason.UPSTREAM_RECONNECT)
            self._move(state, FeedState.RESYNCING)
        link.ever_up = True

    def _revive(self, key: int, link: Upstream) -> None:
        """A link that was merely silent speaks again: pictures that were never voided are good once more."""
        if not link.told_stale or not link.up:
            return
        link.told_stale = False
        for state in self._states_on(key):
            if state.state is FeedState.STALE and state.last is not None:
                self._move(state, FeedState.LIVE)

    def _on_ticker(self, ticker: Ticker, *, snapshot: bool) -> None:
        state = self._tickers.get(ticker.symbol)
        if state is None:
            return
        state.last = ticker
        state.refused = ""
        first = snapshot or state.state is not FeedState.LIVE
        for box in state.boxes:
            box.offer(ticker.symbol, ticker, snapshot=first)
        self._move(state, FeedState.LIVE)

    def _on_book(self, seen: BookSeen) -> None:
        state = self._books.get((seen.topic.symbol, seen.topic.depth))
        if state is None:
            return
        state.last = seen
        state.refused = ""
        state.version += 1
        change = BookChange(
            seen.topic.symbol,
            seen.topic.depth,
            seen.snapshot,
            seen.bids,
            seen.asks,
            state.version,
            seen.checksum,
            seen.times,
        )
        for box in state.boxes:
            if box.conflates:
                self._refresh_book(state, box, snapshot=seen.snapshot)
            else:
                box.offer(seen.topic.symbol, change, snapshot=seen.snapshot)
        self._move(state, FeedState.LIVE)

    def _on_desync(self, topic: Topic, why: str) -> None:
        self._telemetry.checksum_failures.add(1, {"symbol": topic.symbol, "why": why})
        state = self._state_of(topic)
        if state is not None:
            self._void(state, GapReason.UPSTREAM_INTEGRITY)
            self._move(state, FeedState.RESYNCING)

    def _on_refused(self, topic: Topic, why: str) -> None:
        state = self._state_of(topic)
        if state is not None:
            state.refused = why
            self._move(state, FeedState.STALE)

    # ---- state --------------------------------------------------------------------------------------------------

    def _link_state(self, link: Upstream) -> FeedState:
        now = self._clock.monotonic()
        if not link.ever_up and now - link.opened_at <= STALENESS_BOUND_S:
            return FeedState.RESYNCING  # its first connection is still being made
        if not link.up or link.last_frame_at is None:
            return FeedState.STALE
        return FeedState.STALE if now - link.last_frame_at > STALENESS_BOUND_S else FeedState.LIVE

    def _move(self, state: TopicState, to: FeedState) -> None:
        if state.state is to:
            return
        state.state = to
        boxes: tuple[Box, ...] = tuple(state.boxes)
        for box in boxes:
            box.move(worst(other.state for other in self._read_by[box]))

    def _void(self, state: TopicState, reason: GapReason) -> None:
        state.last = None
        self._telemetry.feed_gaps.add(1, {"reason": reason.value})
        for box in state.boxes:
            box.void(Gap(reason, (state.topic.symbol,)))

    def _states_on(self, key: int) -> tuple[TopicState, ...]:
        books: list[TopicState] = [state for (_, depth), state in self._books.items() if depth == key]
        return (*(self._tickers.values() if key == TICKER_FEED else ()), *books)

    def _state_of(self, topic: Topic) -> TopicState | None:
        match topic:
            case TickerTopic(symbol):
                return self._tickers.get(symbol)
            case BookTopic(symbol, depth):
                return self._books.get((symbol, depth))
            case _:
                assert_never(topic)

    def _ticker(self, symbol: str) -> TickerState:
        if symbol not in self._tickers:
            self._bound()
            self._tickers[symbol] = TickerState(TickerTopic(symbol), state=self._starting_state(TICKER_FEED))
        return self._tickers[symbol]

    def _book(self, symbol: str, depth: int) -> BookState:
        if (symbol, depth) not in self._books:
            self._bound()
            self._books[symbol, depth] = BookState(BookTopic(symbol, depth), state=self._starting_state(depth))
        return self._books[symbol, depth]

    def _starting_state(self, key: int) -> FeedState:
        link = self._upstreams.get(key)
        return FeedState.STALE if link is not None and not link.up and link.ever_up else FeedState.RESYNCING

    def _bound(self) -> None:
        if len(self._tickers) + len(self._books) >= MAX_TOPICS:
            raise error_of(Fault(Reason.TOO_MANY_STREAMS, f"already {MAX_TOPICS} topics are followed; close some"))

    def _refresh_tickers(self, box: Mailbox[Ticker], symbols: tuple[str, ...]) -> None:
        for symbol in symbols:
            last = self._ticker(symbol).last
            if last is not None:
                box.offer(symbol, last, snapshot=True)

    def _refresh_book(self, state: BookState, box: Mailbox[BookChange], *, snapshot: bool = True) -> None:
        if state.last is None:
            return
        view = state.last.view()
        whole = BookChange(
            symbol=view.symbol,
            depth=view.depth,
            snapshot=True,
            bids=view.bids,
            asks=view.asks,
            version=state.version,
            checksum=None,
            times=view.times,
        )
        box.offer(view.symbol, whole, snapshot=snapshot)

    def _leave(self, box: Box) -> None:
        for state in self._read_by.pop(box):
            state.boxes.discard(box)
            if not state.boxes:
                state.idle_since = self._clock.monotonic()

    def _forget_idle(self) -> None:
        before = self._clock.monotonic() - LINGER_S
        idle_tickers = [
            key for key, state in self._tickers.items() if state.idle_since is not None and state.idle_since < before
        ]
        idle_books = [
            key for key, state in self._books.items() if state.idle_since is not None and state.idle_since < before
        ]
        for symbol in idle_tickers:
            del self._tickers[symbol]
        for book in idle_books:
            del self._books[book]
        if idle_tickers or idle_books:
            self._want()

    def _want(self) -> None:
        wishes: dict[int, set[Topic]] = {key: set() for key in self._upstreams}
        if self._tickers:
            wishes.setdefault(TICKER_FEED, set()).update(state.topic for state in self._tickers.values())
        for state in self._books.values():
            wishes.setdefault(state.topic.depth, set()).add(state.topic)
        for key, topics in wishes.items():
            if key not in self._upstreams:
                link = self._upstreams[key] = Upstream(self._venue.feed(), self._clock.monotonic())
                self._tasks.supervise(f"public feed {key}", partial(self._pull, key, link))
            self._upstreams[key].feed.want(frozenset(topics))
