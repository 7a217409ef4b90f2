"""Tickers: the newest picture of each symbol, absolute, handed to every reader.

A picture is whole, so nothing is ever missing of it but its age; what makes one void is followed.py's business.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from execsvc.app.followed import Followed
from execsvc.app.hub import Delivery, Mailbox
from execsvc.app.quiet import Best
from execsvc.app.topics import TickerState
from execsvc.domain.market import FeedState, Ticker, TickerTopic


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
        state.last = ticker
        first = snapshot or state.state is not FeedState.LIVE
        for box in state.boxes:
            box.offer(ticker.symbol, ticker, snapshot=first)
        self._came(state, news=not snapshot)

    def live(self, symbol: str) -> Ticker | None:
        """The last picture if it is LIVE."""
        state = self._states.get(symbol)
        return state.last if state is not None and state.state is FeedState.LIVE else None

    def best(self, symbol: str) -> Best | None:
        """Bid and ask as they stand."""
        state = self._states.get(symbol)
        return None if state is None or state.last is None else (state.last.bid_price, state.last.ask_price)

    def behind(self, symbols: tuple[str, ...]) -> tuple[str, ...]:
        """Those of the symbols that are not LIVE."""
        held = ((symbol, self._states.get(symbol)) for symbol in symbols)
        return tuple(symbol for symbol, state in held if state is None or state.state is not FeedState.LIVE)

    def _new(self, key: str) -> TickerState:
        return TickerState(TickerTopic(key))

    def _forget(self, state: TickerState) -> None:
        state.last = None

    def _refresh(self, box: Mailbox[Ticker], symbols: tuple[str, ...]) -> None:
        for symbol in symbols:
            state = self._states.get(symbol)
            if state is not None and state.last is not None:
                box.offer(symbol, state.last, snapshot=True)
