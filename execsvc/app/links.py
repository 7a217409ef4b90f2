"""The connections of the public feeds: which are dialled, whether each is up, silent or awaited, and what is wished of it.

A connection dials again by itself; here is only what is known of it. What its news mean for topics and their readers is
app/feeds.py's business.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from execsvc.app.topics import worst
from execsvc.domain.market import FeedEvent, FeedState, Topic
from execsvc.ports import Clock, PublicFeed, PublicVenue, Tasks

STALENESS_BOUND_S = 5.0
BEATS_S = 2.5  # Kraken beats each second


@dataclass
class Upstream:
    """One connection. `told_stale`: its silence has been told, so that speech is told too."""

    feed: PublicFeed
    opened_at: float
    up: bool = False
    ever_up: bool = False
    last_frame_ns: int = 0
    last_frame_at: float | None = None
    told_stale: bool = False


class Links:
    """Connections by key. `handle(key, event)` is called with every event, in order."""

    def __init__(
        self, venue: PublicVenue, clock: Clock, tasks: Tasks, handle: Callable[[int, FeedEvent], None]
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._handle = handle
        self._upstreams: dict[int, Upstream] = {}

    def __len__(self) -> int:
        return len(self._upstreams)

    def want(self, wishes: Mapping[int, set[Topic]]) -> None:
        """Sets the whole wish of every connection; new ones are dialled, those without a wish stay."""
        for key in (*self._upstreams, *(key for key in wishes if key not in self._upstreams)):
            if key not in self._upstreams:
                link = self._upstreams[key] = Upstream(self._venue.feed(), self._clock.monotonic())
                self._tasks.supervise(f"public feed {key}", partial(self._pull, key, link))
            self._upstreams[key].feed.want(frozenset(wishes.get(key, ())))

    def beats(self, key: int) -> bool:
        """Whether the connection is up and frames come, heartbeats at least."""
        link = self._upstreams.get(key)
        if link is None or not link.up or link.last_frame_at is None:
            return False
        return self._clock.monotonic() - link.last_frame_at <= BEATS_S

    def away(self, key: int) -> bool:
        """Whether the connection is down or silent, and not merely being made for the first time."""
        link = self._upstreams.get(key)
        return link is not None and self._state(link) is FeedState.STALE

    def renew(self, key: int, topic: Topic) -> None:
        """Subscribes one topic anew; a snapshot follows."""
        self._upstreams[key].feed.renew(topic)

    def came_up(self, key: int) -> bool:
        """The connection stands; returns whether it did before."""
        link = self._upstreams[key]
        again, link.ever_up = link.ever_up, True
        link.up = True
        link.told_stale = False
        return again

    def went_down(self, key: int) -> None:
        """The connection is lost."""
        self._upstreams[key].up = False

    def heard(self, key: int, receive_ns: int) -> bool:
        """A frame came; returns whether that ends a silence that has been told."""
        link = self._upstreams[key]
        link.last_frame_ns = receive_ns
        link.last_frame_at = self._clock.monotonic()
        if not link.told_stale or not link.up:
            return False
        link.told_stale = False
        return True

    def fallen_silent(self) -> Iterator[int]:
        """Connections that are silent or late since the last look."""
        for key, link in self._upstreams.items():
            if self._state(link) is FeedState.STALE and not link.told_stale:
                link.told_stale = True
                yield key

    def starting(self, key: int) -> FeedState:
        """The state that a new topic begins with."""
        link = self._upstreams.get(key)
        return FeedState.STALE if link is not None and not link.up and link.ever_up else FeedState.RESYNCING

    @property
    def state(self) -> FeedState:
        """STALE when any connection is down or silent; none counts as LIVE."""
        return worst(map(self._state, self._upstreams.values()))

    @property
    def last_frame_ns(self) -> int | None:
        """When the last frame of any kind was read."""
        return max((link.last_frame_ns for link in self._upstreams.values()), default=0) or None

    def _state(self, link: Upstream) -> FeedState:
        now = self._clock.monotonic()
        if not link.ever_up and now - link.opened_at <= STALENESS_BOUND_S:
            return FeedState.RESYNCING  # its first connection is still being made
        if not link.up or link.last_frame_at is None:
            return FeedState.STALE
        return FeedState.STALE if now - link.last_frame_at > STALENESS_BOUND_S else FeedState.LIVE

    async def _pull(self, key: int, link: Upstream) -> None:
        async for event in link.feed.events():
            self._handle(key, event)
