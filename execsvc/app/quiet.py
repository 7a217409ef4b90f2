"""Topics that fall silent while their line still beats: a quiet market, or a subscription that died without a word.

Heartbeats do not tell which. So a topic that has said nothing for long, by its own habit, is compared with what the venue
shows over REST, one topic at a time, for such calls are few. What differs twice, a second apart, without a word on the
stream between, is dead. What is compared is the rooms' own (followed.py), what is done about it lookout.py's.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from execsvc.domain.errors import ExecsvcError
from execsvc.domain.market import BookTopic, TickerTopic, Topic
from execsvc.ports import Clock

LEAST_S = 4.5  # with the two looks that follow: told within six seconds
HABITS = 10  # silent for so many of its usual gaps
AGAIN_S = 5.0  # a topic that was found dead is looked at this often
LOOK_S = 3.0
SETTLE_S = 1.0
SPACING_S = 2.0
SMOOTH = 8


@dataclass
class _Quiet:
    heard_at: float
    gap_s: float = 0.0
    news: int = 0
    asked_at: float | None = None
    broken: bool = False  # its silence was a death


class QuietTopics:
    """What is known of each topic's habit."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._known: dict[Topic, _Quiet] = {}
        self._asked_at = float("-inf")  # seconds

    def __repr__(self) -> str:
        return f"<QuietTopics {len(self._known)} known>"

    def heard(self, topic: Topic, *, snapshot: bool = False) -> None:
        """The topic spoke. The silence before a snapshot, or of a death, was no habit."""
        now = self._clock.monotonic()
        known = self._known.get(topic)
        if known is None:
            self._known[topic] = _Quiet(now)
            return
        if not snapshot and not known.broken:
            known.gap_s += (now - known.heard_at - known.gap_s) / SMOOTH
        known.broken = known.broken and snapshot
        known.heard_at = now
        known.news += 1
        known.asked_at = None

    def heard_at(self, topic: Topic) -> float | None:
        """When it last spoke, monotonic; None: never."""
        known = self._known.get(topic)
        return None if known is None else known.heard_at

    def keep(self, topics: Iterable[Topic]) -> None:
        """Forgets all others."""
        kept = set(topics)
        self._known = {topic: known for topic, known in self._known.items() if topic in kept}

    def next(self, live: Iterable[Topic], dead: Iterable[Topic]) -> Topic | None:
        """Which to look at now; None: none, or the last look is too short ago.

        What is quoted on goes first, then the longest silent: a look that finds nothing wrong makes the next one rarer, so
        that nothing waits for ever.
        """
        now = self._clock.monotonic()
        if now - self._asked_at < SPACING_S:
            return None
        due = [topic for topic in live if topic in self._known and now >= self._due_at(self._known[topic])]
        due += [topic for topic in dead if topic in self._known and now >= self._dead_due_at(self._known[topic])]
        return min(due, key=self._turn, default=None)

    async def is_dead(self, topic: Topic, agrees: Callable[[float], Awaitable[bool]]) -> bool | None:
        """Whether the venue goes on while the topic stands still; None: it spoke, or the venue did not answer.

        `agrees(by)` asks the venue, and says whether it shows nothing that was not told.
        """
        known = self._known[topic]
        known.asked_at = self._asked_at = self._clock.monotonic()
        news = known.news
        for settle_s in (SETTLE_S, 0.0):
            try:
                agreed = await agrees(self._clock.monotonic() + LOOK_S)
            except ExecsvcError:
                return None
            if known.news != news:
                return None
            if agreed:
                return False
            await self._clock.sleep(settle_s)
        known.broken = known.broken or known.news == news
        return True if known.news == news else None

    def convicted(self, topic: Topic) -> None:
        """It was found dead without a look: the next one comes when a subscription anew has had its time."""
        known = self._known.get(topic)
        if known is not None:
            known.asked_at = self._clock.monotonic()
            known.broken = True

    def _turn(self, topic: Topic) -> tuple[bool, float]:
        return not isinstance(topic, TickerTopic | BookTopic), self._known[topic].heard_at

    def _due_at(self, known: _Quiet) -> float:
        """After a look that found nothing wrong, when the silence has lasted twice as long."""
        if known.asked_at is not None:
            return known.asked_at + max(LEAST_S, known.asked_at - known.heard_at)
        return known.heard_at + max(LEAST_S, HABITS * known.gap_s)

    def _dead_due_at(self, known: _Quiet) -> float:
        return (known.heard_at if known.asked_at is None else known.asked_at) + AGAIN_S
