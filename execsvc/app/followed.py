"""What all kinds of topics have in common: who reads them, how their states move, and when they are forgotten.

One room per kind stands on this (tickers.py, books.py, trades.py, candles.py) and knows what its pictures are. Which
connection says what is app/feeds.py's and app/links.py's business.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

from execsvc.app.hub import Gap, Mailbox
from execsvc.app.topics import TopicState, link_of, worst
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Desynced, FeedState, GapReason, Topic, TopicRefused
from execsvc.ports import Clock, PublicVenue
from execsvc.telemetry import Telemetry

K = TypeVar("K", bound=Hashable)
S = TypeVar("S", bound=TopicState[Any])
T = TypeVar("T")


class Followed(ABC, Generic[K, S, T]):
    """The topics of one kind, by a key of the kind's own."""

    def __init__(self, clock: Clock, telemetry: Telemetry, starting: Callable[[int], FeedState]) -> None:
        self._clock = clock
        self._telemetry = telemetry
        self._starting = starting
        self._states: dict[K, S] = {}
        self._read_by: dict[Mailbox[T], tuple[S, ...]] = {}

    def __len__(self) -> int:
        return len(self._states)

    # ---- what a kind says of itself ---------------------------------------------------------------------------------

    @abstractmethod
    def _new(self, key: K) -> S:
        """The state of a topic that nobody has followed yet."""

    @abstractmethod
    def _forget(self, state: S) -> None:
        """The picture is void."""

    @abstractmethod
    async def agrees(self, key: K, venue: PublicVenue, instrument: Instrument, by: float) -> bool:
        """Whether the venue shows nothing over REST that was not told here. Raises what the venue raises."""

    def _break(self, box: Mailbox[T], gap: Gap) -> None:
        """Tells a reader of a hole: what is pending is void with the picture."""
        box.void(gap)

    def _state_for(self, box: Mailbox[T], state: S) -> FeedState:  # noqa: ARG002 - candles look at who asks
        """The state as this reader has to know it."""
        return state.state

    # ---- readers ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _reading(self, box: Mailbox[T], keys: tuple[K, ...]) -> Iterator[tuple[S, ...]]:
        """Lets a reader follow these until the end of the block."""
        states = tuple(self._held(key) for key in keys)
        self._read_by[box] = states
        for state in states:
            state.boxes.add(box)
            state.idle_since = None
        box.state = self._worst(box)
        try:
            yield states
        finally:
            for state in self._read_by.pop(box):
                state.boxes.discard(box)
                if not state.boxes:
                    state.idle_since = self._clock.monotonic()

    @property
    def readers(self) -> int:
        """How many mailboxes are open."""
        return len(self._read_by)

    def new_among(self, keys: tuple[K, ...]) -> int:
        """How many of these are not followed yet."""
        return sum(key not in self._states for key in keys)

    def not_live(self, box: Mailbox[T]) -> tuple[str, ...]:
        """Symbols of this reader that are not to be relied on."""
        return tuple(
            state.topic.symbol
            for state in self._read_by.get(box, ())
            if self._state_for(box, state) is not FeedState.LIVE
        )

    # ---- topics -----------------------------------------------------------------------------------------------------

    def topics(self) -> Iterator[Topic]:
        """All that are followed."""
        return (state.topic for state in self._states.values())

    def refusal(self, key: K) -> str:
        """Why the venue refuses the topic; empty when it does not."""
        state = self._states.get(key)
        return "" if state is None else state.refused

    def forget_idle(self, before: float) -> bool:
        """Drops what nobody has read since; returns whether there was any."""
        idle = [key for key, each in self._states.items() if each.idle_since is not None and each.idle_since < before]
        for key in idle:
            del self._states[key]
        return bool(idle)

    # ---- news of links and topics -----------------------------------------------------------------------------------

    def link_stale(self, link: int) -> None:
        """The link is down or silent."""
        for state in self._on(link):
            self._move(state, FeedState.STALE)

    def link_up(self, link: int, *, again: bool) -> None:
        """The link stands: pictures are on their way; those of before are void."""
        for state in self._on(link):
            state.dead = False
            if again and state.seen:
                self._void(state, GapReason.UPSTREAM_RECONNECT)
            self._move(state, FeedState.RESYNCING)

    def link_revived(self, link: int) -> None:
        """A link that was merely silent speaks again: pictures that were never voided are good once more."""
        for state in self._on(link):
            if state.seen and not state.dead:
                self._move(state, FeedState.LIVE)

    def died(self, key: K) -> None:
        """It stands still while the venue goes on: its picture is void, and a new one is not believed at once."""
        state = self._states.get(key)
        if state is not None and not state.dead:
            state.dead = True
            self._void(state, GapReason.UPSTREAM_INTEGRITY)
            self._move(state, FeedState.STALE)

    def lives(self, key: K) -> None:
        """Its picture is the venue's: it may be believed again."""
        state = self._states.get(key)
        if state is not None and state.dead:
            state.dead = False
            if state.seen:
                self._move(state, FeedState.LIVE)

    def read(self, *, dead: bool) -> Iterator[Topic]:
        """Topics that somebody reads: those that are LIVE, or those that were found dead."""
        for state in self._states.values():
            if state.boxes and state.dead is dead and (dead or state.state is FeedState.LIVE):
                yield state.topic

    def trouble(self, key: K, event: Desynced | TopicRefused) -> None:
        """This topic's picture is void and on its way anew, or the venue does not serve it."""
        state = self._states.get(key)
        if state is None:
            return
        if isinstance(event, Desynced):
            self._void(state, GapReason.UPSTREAM_INTEGRITY)
            self._move(state, FeedState.RESYNCING)
        else:
            state.refused = event.why
            self._move(state, FeedState.STALE)

    # ---- state ------------------------------------------------------------------------------------------------------

    def _held(self, key: K) -> S:
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = self._new(key)
            state.state = self._starting(link_of(state.topic))
        return state

    def _on(self, link: int) -> list[S]:
        return [state for state in self._states.values() if link_of(state.topic) == link]

    def _came(self, state: S, *, news: bool = True) -> None:
        """A picture came: to be called when readers have it, for LIVE never precedes it.

        `news`: something happened, it is not only the picture that every subscription begins with.
        """
        state.seen = True
        state.refused = ""
        state.dead = state.dead and not news
        if not state.dead:
            self._move(state, FeedState.LIVE)

    def _move(self, state: S, to: FeedState) -> None:
        if state.state is to:
            return
        state.state = to
        for box in tuple(state.boxes):
            self._look(box)

    def _look(self, box: Mailbox[T]) -> None:
        """Tells a reader the worst state of what it reads."""
        box.move(self._worst(box))

    def _worst(self, box: Mailbox[T]) -> FeedState:
        return worst(self._state_for(box, each) for each in self._read_by[box])

    def _void(self, state: S, reason: GapReason) -> None:
        state.seen = False
        self._forget(state)
        self._telemetry.feed_gaps.add(1, {"reason": reason.value})
        for box in state.boxes:
            self._break(box, Gap(reason, (state.topic.symbol,)))
