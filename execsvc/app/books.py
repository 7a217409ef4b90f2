"""Books: a chain of changes by symbol and depth. Conflated readers get whole books, spaced; the others every change.

That a book is right is the venue's adapter's to see (checksums); what a voided one means is followed.py's.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.topics import BookChange, BookState
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookSeen, BookTopic, BookView, FeedState, Level
from execsvc.ports import PublicVenue

Key = tuple[str, int]

LEVELS = 3
LOOKED_AT = 10  # as many levels of the venue's are asked for


class Books(Followed[Key, BookState, BookChange]):
    """Books by symbol and depth."""

    @contextmanager
    def reading(self, symbol: str, depth: int, delivery: Delivery) -> Iterator[Mailbox[BookChange]]:
        """A reader's mailbox of one book."""
        box: Mailbox[BookChange] = Mailbox(delivery, self._clock, lambda _: self._refresh(state, box))
        with self._reading(box, ((symbol, depth),)) as (state,):
            self._refresh(state, box)
            yield box

    def saw(self, seen: BookSeen) -> None:
        """The book moved."""
        state = self._states.get((seen.topic.symbol, seen.topic.depth))
        if state is None:
            return
        state.last = seen
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
        return _best(state.last.view()) == _best(theirs)

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


def _best(view: BookView) -> tuple[tuple[Level, ...], tuple[Level, ...]]:
    return view.bids[:LEVELS], view.asks[:LEVELS]
