"""Topics that fall silent while their line still beats: a quiet market, or a subscription that died without a word.

Heartbeats do not tell which. So a ticker or book that has said nothing for long, by its own habit, is compared with the
venue's picture over REST, one topic at a time, for such calls are few. What differs twice, a second apart, without a word
on the stream between, is dead. What is done about it is app/feeds.py's and followed.py's.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from execsvc.domain.errors import ExecsvcError
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookTopic, TickerTopic, Topic
from execsvc.ports import Clock, PublicVenue

LEAST_S = 4.5  # with the two looks that follow: told within six seconds
HABITS = 10  # silent for so many of its usual gaps
AGAIN_S = 5.0  # a topic that was found dead is looked at this often
LOOK_S = 3.0
SETTLE_S = 1.0
SPACING_S = 2.0
LEVELS = 3
SMOOTH = 8

Best = tuple[object, ...]
"""The best of a picture: what two pictures of one moment must have in common."""


@dataclass
class _Quiet:
    heard_at: float
    gap_s: float = 0.0
    news: int = 0
    asked_at: float | None = None


class QuietTopics:
    """What is known of each topic's habit. `instrument_of` raises for a pair that is not known."""

    def __init__(self, venue: PublicVenue, clock: Clock, instrument_of: Callable[[str], Instrument]) -> None:
        self._venue = venue
        self._clock = clock
        self._instrument_of = instrument_of
        self._known: dict[Topic, _Quiet] = {}
        self._asked_at = float("-inf")  # seconds

    def __repr__(self) -> str:
        return f"<QuietTopics {len(self._known)} known>"

    def heard(self, topic: Topic) -> None:
        """The topic spoke."""
        now = self._clock.monotonic()
        known = self._known.get(topic)
        if known is None:
            self._known[topic] = _Quiet(now)
            return
        known.gap_s += (now - known.heard_at - known.gap_s) / SMOOTH
        known.heard_at = now
        known.news += 1
        known.asked_at = None

    def keep(self, topics: Iterable[Topic]) -> None:
        """Forgets all others."""
        kept = set(topics)
        self._known = {topic: known for topic, known in self._known.items() if topic in kept}

    def next(self, live: Iterable[Topic], dead: Iterable[Topic]) -> Topic | None:
        """Which to look at now, the longest silent first; None: none, or the last look is too short ago."""
        now = self._clock.monotonic()
        if now - self._asked_at < SPACING_S:
            return None
        due = [topic for topic in live if topic in self._known and now >= self._due_at(self._known[topic])]
        due += [topic for topic in dead if topic in self._known and now >= self._dead_due_at(self._known[topic])]
        return min(due, key=lambda topic: self._known[topic].heard_at, default=None)

    async def is_dead(self, topic: Topic, ours: Callable[[], Best | None]) -> bool | None:
        """Whether the venue's picture goes on while the topic stands still; None: it spoke, or the venue did not answer."""
        known = self._known[topic]
        known.asked_at = self._asked_at = self._clock.monotonic()
        news = known.news
        for settle_s in (SETTLE_S, 0.0):
            try:
                theirs = await self._best(topic)
            except ExecsvcError:
                return None
            if known.news != news:
                return None
            if ours() == theirs:
                return False
            await self._clock.sleep(settle_s)
        return True if known.news == news else None

    def _due_at(self, known: _Quiet) -> float:
        """After a look that found nothing wrong, when the silence has lasted twice as long."""
        if known.asked_at is not None:
            return known.asked_at + max(LEAST_S, known.asked_at - known.heard_at)
        return known.heard_at + max(LEAST_S, HABITS * known.gap_s)

    def _dead_due_at(self, known: _Quiet) -> float:
        return (known.heard_at if known.asked_at is None else known.asked_at) + AGAIN_S

    async def _best(self, topic: Topic) -> Best:
        by = self._clock.monotonic() + LOOK_S
        instrument = self._instrument_of(topic.symbol)
        if isinstance(topic, TickerTopic):
            (ticker,) = await self._venue.tickers((instrument,), by)
            return ticker.bid_price, ticker.ask_price
        view = await self._venue.book(instrument, min(topic.depth, 10) if isinstance(topic, BookTopic) else 10, by)
        return view.bids[:LEVELS], view.asks[:LEVELS]
