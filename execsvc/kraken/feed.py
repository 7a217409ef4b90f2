"""The public stream, sans I/O: wishes in, requests out; frames in, market events out.

Integrity is by checksum (ladder.py), order of subscriptions by subscriptions.py. Kraken's book frames name no depth, so one
connection carries a symbol's book at one depth only: a second depth is refused, loudly, and belongs on another feed.
"""

from collections import deque
from collections.abc import Callable

from execsvc.domain.instrument import Instrument
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    CandlesSeen,
    CandleTopic,
    Desynced,
    EventTimes,
    FeedEvent,
    LinkUp,
    ModeSeen,
    TickerSeen,
    Topic,
    TopicRefused,
    TradesSeen,
    TradeTopic,
    VenueMode,
)
from execsvc.kraken import frames, wire
from execsvc.kraken.figures import stamp_ns
from execsvc.kraken.ladder import Desync, Ladder
from execsvc.kraken.pictures import candle_of_stream, ticker_of_stream, trade_of_stream
from execsvc.kraken.pulse import Pulse
from execsvc.kraken.subscriptions import Key, Subscriptions
from execsvc.kraken.wishes import MINUTE_S, depth_of, key_of, text_of

BEAT_EVERY_NS = 500_000_000
RESYNCS_MAX = 3  # in a window: after that the symbol is asked for at a slower pace
RESYNCS_WINDOW_S = 60.0
RESYNC_PAUSE_S = 5.0

MODES = {mode.value: mode for mode in VenueMode}

BOOK_UPDATE = b'{"channel":"book","type":"update",'  # as Kraken prints the hottest frame; otherwise it takes two steps
_A_BOOK = frames.Frame(channel="book")

_frame = wire.decoder(frames.Frame)
_book_update = wire.decoder(frames.BookUpdate)
_ack = wire.decoder(frames.AckResult)
_tickers = wire.decoder(list[frames.TickerData])
_books = wire.decoder(list[frames.BookData])
_trades = wire.decoder(list[frames.TradeData])
_candles = wire.decoder(list[frames.CandleData])
_statuses = wire.decoder(list[frames.StatusData])


class FeedSession:
    """The protocol of one feed; it outlives its connections and subscribes everything anew on each."""

    def __init__(self, *, instrument: Callable[[str], Instrument | None], pulse: Callable[[], Pulse]) -> None:
        self._instrument = instrument
        self._new_pulse = pulse
        self._pulse = pulse()
        self._subscriptions = Subscriptions()
        self._topics: dict[Key, Topic] = {}
        self._told: list[FeedEvent] = []
        self._ladders: dict[str, Ladder] = {}  # of the books whose updates count now
        self._desyncs: dict[str, deque[float]] = {}
        self._beat_ns = 0
        self.doubts_decimals = False  # a book keeps failing: the pair's decimals may have changed
        self.restless = False  # there may be something to send before any timer says so
        self.ended = ""

    def __repr__(self) -> str:
        return f"<FeedSession {self._subscriptions!r} ended={self.ended!r}>"

    def want(self, topics: frozenset[Topic]) -> None:
        """Sets the whole wish."""
        before = set(self._topics.values())
        self._topics = {}
        for topic in sorted(topics, key=lambda each: (type(each).__name__, each)):
            self._wish(topic, told_before=topic in before)
        self._subscriptions.want({key: depth_of(topic) for key, topic in self._topics.items()})
        for ladder in [each for each in self._ladders.values() if self._topics.get(key_of(each.topic)) != each.topic]:
            del self._ladders[ladder.topic.symbol]
            self._subscriptions.renew(key_of(ladder.topic))  # wished again at once, it needs a snapshot again

    def renew(self, topic: Topic, *, not_before: float = 0.0) -> None:
        """Subscribes one topic anew."""
        if self._topics.get(key_of(topic)) == topic:
            self._ladders.pop(topic.symbol, None) if isinstance(topic, BookTopic) else None
            self._subscriptions.renew(key_of(topic), not_before=not_before)

    def opened(self, now: float, wall_ns: int) -> list[FeedEvent]:
        """A connection stands: all is asked for anew."""
        self.ended = ""
        self._pulse = self._new_pulse()
        self._pulse.opened(now)
        self._subscriptions.opened()
        self._ladders.clear()
        return [LinkUp(wall_ns)]

    def due(self, now: float, wall_ns: int) -> list[str]:
        """Texts to send now."""
        self.ended = self.ended or self._pulse.silent(now)
        requests = [text_of(request) for request in self._subscriptions.due(now)]
        return requests + self._pulse.due(now, wall_ns)

    def next_timer(self, now: float) -> float:
        """When `due` should be asked again."""
        return min(self._pulse.next_timer(now), self._subscriptions.next_timer(now))

    def receive(self, text: bytes, now: float, wall_ns: int) -> list[FeedEvent]:
        """The events of one frame, at least a Beat every half second. Raises ProtocolBroken."""
        if text.startswith(BOOK_UPDATE):
            rows = _book_update(text).data
            self._pulse.heard(_A_BOOK, now, wall_ns)
            events = self._on_changes(rows, now, wall_ns)
        else:
            frame = _frame(text)
            self._pulse.heard(frame, now, wall_ns)
            events = self._of_frame(frame, now, wall_ns)
        for key in self._subscriptions.quiet(now):
            events.extend(self._empty(key, wall_ns))
        if self._told:
            events = [*self._told, *events]
            self._told = []
        if not events or wall_ns - self._beat_ns >= BEAT_EVERY_NS:
            self._beat_ns = wall_ns
            events.append(Beat(wall_ns))
        return events

    def _of_frame(self, frame: frames.Frame, now: float, wall_ns: int) -> list[FeedEvent]:
        if frame.channel == "book":
            return self._on_books(frame, now, wall_ns)
        if frame.channel == "ticker":
            return self._on_tickers(frame, wall_ns)
        if frame.channel == "trade":
            return self._on_trades(frame, wall_ns)
        if frame.channel == "ohlc":
            return self._on_candles(frame, wall_ns)
        if frame.channel == "status":
            modes = (MODES.get(row.system) for row in _statuses(frame.data))
            return [ModeSeen(mode) for mode in modes if mode is not None]
        if frame.method in {"subscribe", "unsubscribe"} or frame.error:
            return self._on_answer(frame, now)
        return []  # heartbeat, pong, and channels we do not know

    def _on_answer(self, frame: frames.Frame, now: float) -> list[FeedEvent]:
        symbol = frame.symbol or (_ack(frame.result).symbol if bytes(frame.result) else "")
        error = "" if frame.success else frame.error or "refused without a reason"
        refusals = self._subscriptions.answered(frame.req_id, symbol, error=error, now=now)
        self.restless = self.restless or frame.method == "unsubscribe"  # what was given up may be asked for again now
        return [
            TopicRefused(self._topics[refusal.key], refusal.why) for refusal in refusals if refusal.key in self._topics
        ]

    def _on_tickers(self, frame: frames.Frame, wall_ns: int) -> list[FeedEvent]:
        snapshot = frame.type == "snapshot"
        return [
            TickerSeen(ticker_of_stream(row, wall_ns), snapshot)
            for row in _tickers(frame.data)
            if self._subscriptions.data(Key("ticker", row.symbol), snapshot=snapshot)
        ]

    def _on_trades(self, frame: frames.Frame, wall_ns: int) -> list[FeedEvent]:
        """A frame may hold several symbols; what comes before the snapshot is as good as one (it is never an older trade)."""
        rows: dict[str, list[frames.TradeData]] = {}
        for row in _trades(frame.data):
            rows.setdefault(row.symbol, []).append(row)
        return [
            TradesSeen(
                TradeTopic(symbol),
                tuple(trade_of_stream(row, wall_ns) for row in some),
                snapshot=frame.type == "snapshot",
                receive_ns=wall_ns,
            )
            for symbol, some in rows.items()
            if self._subscriptions.data(Key("trade", symbol), snapshot=True)
        ]

    def _on_candles(self, frame: frames.Frame, wall_ns: int) -> list[FeedEvent]:
        rows: dict[Key, list[frames.CandleData]] = {}
        for row in _candles(frame.data):
            rows.setdefault(Key("ohlc", row.symbol, row.interval), []).append(row)
        snapshot = frame.type == "snapshot"
        return [
            CandlesSeen(
                CandleTopic(key.symbol, key.interval * MINUTE_S),
                tuple(candle_of_stream(row, wall_ns) for row in some),
                snapshot=snapshot,
                receive_ns=wall_ns,
            )
            for key, some in rows.items()
            if self._subscriptions.data(key, snapshot=snapshot)
        ]

    def _empty(self, key: Key, wall_ns: int) -> list[FeedEvent]:
        """The snapshot of a topic that has no rows: it is live, only nothing has happened there."""
        match self._topics.get(key):
            case TradeTopic() as topic:
                return [TradesSeen(topic, (), snapshot=True, receive_ns=wall_ns)]
            case CandleTopic() as topic:
                return [CandlesSeen(topic, (), snapshot=True, receive_ns=wall_ns)]
            case _:
                return []

    def _on_books(self, frame: frames.Frame, now: float, wall_ns: int) -> list[FeedEvent]:
        rows = _books(frame.data)
        if frame.type == "snapshot":
            return [event for row in rows for event in self._on_snapshot(row, now, wall_ns)]
        return self._on_changes(rows, now, wall_ns)

    def _on_changes(self, rows: list[frames.BookData], now: float, wall_ns: int) -> list[FeedEvent]:
        events: list[FeedEvent] = []
        for row in rows:
            ladder = self._ladders.get(row.symbol)
            if ladder is None:
                continue  # of a subscription that is being given up, or whose snapshot has not come
            times = EventTimes(stamp_ns(row.timestamp), wall_ns)
            try:
                bids, asks = ladder.apply(row.bids, row.asks, row.checksum, times)
            except Desync as failure:
                events.append(self._desynced(ladder.topic, str(failure), now))
            else:
                events.append(BookSeen(ladder.topic, False, bids, asks, row.checksum, times, ladder.view))  # noqa: FBT003  positional: the hottest line
        return events

    def _on_snapshot(self, row: frames.BookData, now: float, wall_ns: int) -> list[FeedEvent]:
        topic = self._topics.get(Key("book", row.symbol))
        if not isinstance(topic, BookTopic) or not self._subscriptions.data(Key("book", row.symbol), snapshot=True):
            return []
        times = EventTimes(stamp_ns(row.timestamp), wall_ns)
        try:
            ladder = self._ladder(topic)
            ladder.load(row.bids, row.asks, row.checksum, times)
        except Desync as failure:
            return [self._desynced(topic, str(failure), now)]
        self._ladders[row.symbol] = ladder
        bids, asks = ladder.levels()
        return [
            BookSeen(topic, snapshot=True, bids=bids, asks=asks, checksum=row.checksum, times=times, view=ladder.view)
        ]

    def _desynced(self, topic: BookTopic, why: str, now: float) -> Desynced:
        times = self._desyncs.setdefault(topic.symbol, deque(maxlen=RESYNCS_MAX + 1))
        times.append(now)
        often = len(times) > RESYNCS_MAX and now - times[0] < RESYNCS_WINDOW_S
        self.doubts_decimals = self.doubts_decimals or often
        self.renew(topic, not_before=now + (RESYNC_PAUSE_S if often else 0.0))
        return Desynced(topic, why)

    def _ladder(self, topic: BookTopic) -> Ladder:
        instrument = self._instrument(topic.symbol)
        if instrument is None:
            raise Desync("the pair's decimals are not known")
        return Ladder(topic, price_decimals=instrument.price_decimals, quantity_decimals=instrument.quantity_decimals)

    def _wish(self, topic: Topic, *, told_before: bool) -> None:
        held = self._topics.setdefault(key_of(topic), topic)
        if held != topic and not told_before:
            why = f"this connection carries the book of {topic.symbol} at depth {depth_of(held)} already"
            self._told.append(TopicRefused(topic, why))
