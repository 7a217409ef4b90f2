"""Tickers: the newest picture of each symbol, absolute, handed to every reader.

A picture is whole, so nothing is ever missing of it but its age; what makes one void is followed.py's business. While the
stream is away, readers get what was read over REST (polls.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.topics import TickerState
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import FeedState, Ticker, TickerTopic
from execsvc.ports import PublicVenue


class Tickers(Followed[str, TickerState, Ticker]):
    """Tickers by symbol."""

    @contextmanager
    def reading(self, symbols: tuple[str, ...], delivery: Delivery) -> Iterator[Mailbox[Ticker]]:
        """A reader's mailbox, first filled with what is known."""
        box: Mailbox[Ticker] = Mailbox(delivery, self._clock, lambda missed: self._refresh(box, missed))
        with self._reading(box, symbols):
            self._refresh(box, symbols)
            yield box

    def saw(self, ticker: Ticker, *, snapshot: bool) -> None:
        """A new picture."""
        state = self._states.get(ticker.symbol)
        if state is None:
            return
        state.last, state.polled = ticker, None
        first = snapshot or state.state is not FeedState.LIVE
        for box in state.boxes:
            box.offer(ticker.symbol, ticker, snapshot=first)
        self._came(state, news=not snapshot)

    def live(self, symbol: str) -> Ticker | None:
        """The last picture if it is LIVE."""
        state = self._states.get(symbol)
        return state.last if state is not None and state.state is FeedState.LIVE else None

    async def agrees(self, key: str, venue: PublicVenue, instrument: Instrument, by: float) -> bool:
        """By bid and ask."""
        (theirs,) = await venue.tickers((instrument,), by)
        state = self._states.get(key)
        if state is None or state.last is None:
            return False
        return (state.last.bid_price, state.last.ask_price) == (theirs.bid_price, theirs.ask_price)

    # ---- while the stream is away -----------------------------------------------------------------------------------

    def awaited(self) -> tuple[str, ...]:
        """Symbols that somebody reads, whose stream is away."""
        return tuple(symbol for symbol, state in self._states.items() if state.boxes and _is_away(state))

    def polled(self, ticker: Ticker) -> None:
        """A picture over REST: told as an update like any other, and what is STALE stays so."""
        state = self._states.get(ticker.symbol)
        if state is None or not _is_away(state):
            return
        first = state.last is None and state.polled is None
        state.polled = ticker
        for box in state.boxes:
            box.offer(ticker.symbol, ticker, snapshot=first)

    def link_up(self, link: int, *, again: bool) -> None:
        """The stream is back."""
        for state in self._on(link):
            state.polled = None
        super().link_up(link, again=again)

    def link_revived(self, link: int) -> None:
        """It was merely silent: LIVE is what the stream told, so that is told again wherever something else was."""
        for state in self._on(link):
            if state.polled is not None:
                state.polled = None
                for box in state.boxes:
                    self._refresh(box, (state.topic.symbol,))
        super().link_revived(link)

    def behind(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the symbols that are not LIVE."""
        held = ((symbol, self._states.get(symbol)) for symbol in symbols)
        return tuple(symbol for symbol, state in held if state is None or state.state is not FeedState.LIVE)

    def _new(self, key: str) -> TickerState:
        return TickerState(TickerTopic(key))

    def _forget(self, state: TickerState) -> None:
        state.last = state.polled = None

    def _refresh(self, box: Mailbox[Ticker], symbols: tuple[str, ...]) -> None:
        for symbol in symbols:
            state = self._states.get(symbol)
            picture = None if state is None else state.polled or state.last
            if picture is not None:
                box.offer(symbol, picture, snapshot=True)


def _is_away(state: TickerState) -> bool:
    """Not LIVE and no picture on its way, though the venue has one."""
    return state.state is FeedState.STALE and not state.refused
