"""Books: a chain of changes by symbol and depth. Conflated readers get whole books, spaced; the others every change.

That a book is right is the venue's adapter's to see (checksums), and below the levels of the checksum audit.py's; what a
voided one means is followed.py's.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from execsvc.app.audit import Stretch, Unlike, coarsest
from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.topics import BookChange, BookState
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookSeen, BookTopic, BookView, FeedState, Level
from execsvc.ports import Clock, PublicVenue
from execsvc.telemetry import Telemetry

Key = tuple[str, int]

LEVELS = 3
LOOKED_AT = 10  # as many levels of the venue's are asked for
BEFORE_S = 2.0  # REST may lag by so much
ASKING_S = 3.0
AFTER_S = 1.0  # the stream may


class Books(Followed[Key, BookState, BookChange]):
    """Books by symbol and depth."""

    def __init__(self, clock: Clock, telemetry: Telemetry, starting: Callable[[int], FeedState]) -> None:
        super().__init__(clock, telemetry, starting)
        self._audited: dict[Key, Stretch] = {}

    @contextmanager
    def reading(self, symbol: str, depth: int, delivery: Delivery) -> Iterator[Mailbox[BookChange]]:
        """A reader's mailbox of one book."""
        box: Mailbox[BookChange] = Mailbox(delivery, self._clock, lambda _: self._refresh(state, box))
        with self._reading(box, ((symbol, depth),)) as (state,):
            self._refresh(state, box)
            yield box

    def saw(self, seen: BookSeen) -> None:
        """The book moved. What still comes of a picture that is void counts for nothing."""
        state = self._states.get((seen.topic.symbol, seen.topic.depth))
        if state is None or (state.last is None and not seen.snapshot):
            return
        state.last = seen
        state.version += 1
        if self._audited and (stretch := self._audited.get((seen.topic.symbol, seen.topic.depth))):
            stretch.saw(seen)
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
                self._refresh(state, box, snapshot=seen.snapshot)
            else:
                box.offer(seen.topic.symbol, change, snapshot=seen.snapshot)
        self._came(state, news=not seen.snapshot)

    def live(self, key: Key) -> BookView | None:
        """The book as it stands if it is LIVE."""
        state = self._states.get(key)
        return state.last.view() if state is not None and state.last and state.state is FeedState.LIVE else None

    async def agrees(self, key: Key, venue: PublicVenue, instrument: Instrument, by: float) -> bool:
        """By the best levels: two books of one moment have them in common."""
        theirs = await venue.book(instrument, min(key[1], LOOKED_AT), by)
        state = self._states.get(key)
        if state is None or state.last is None:
            return False
        ours = state.last.view()
        return _alike(ours.bids[:LEVELS], theirs.bids[:LEVELS]) and _alike(ours.asks[:LEVELS], theirs.asks[:LEVELS])

    async def unlike(self, key: Key, venue: PublicVenue, instrument: Instrument) -> Unlike | None:
        """Levels below the checksum's that differ from the venue's, and did all the while; None: it proves nothing.

        Takes a few seconds; one of a book at a time. Raises what the venue raises.
        """
        state = self._states.get(key)
        if state is None or state.last is None:
            return None
        stretch = self._audited[key] = Stretch(state.last.view())
        try:
            await self._clock.sleep(BEFORE_S)
            theirs = await venue.book(instrument, key[1], self._clock.monotonic() + ASKING_S)
            await self._clock.sleep(AFTER_S)
        finally:
            del self._audited[key]
        return stretch.unlike(theirs) if state.state is FeedState.LIVE and not stretch.broken else None

    def version(self, key: Key) -> int:
        """How often it changed; 0 when it is not followed."""
        state = self._states.get(key)
        return 0 if state is None else state.version

    def _new(self, key: Key) -> BookState:
        return BookState(BookTopic(*key))

    def _forget(self, state: BookState) -> None:
        state.last = None

    def _refresh(self, state: BookState, box: Mailbox[BookChange], *, snapshot: bool = True) -> None:
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


def _alike(ours: tuple[Level, ...], theirs: tuple[Level, ...]) -> bool:
    """As far as theirs is printed."""
    step = coarsest(theirs)
    return len(ours) == len(theirs) and all(
        mine.price == other.price and abs(mine.quantity - other.quantity) < step
        for mine, other in zip(ours, theirs, strict=True)
    )
