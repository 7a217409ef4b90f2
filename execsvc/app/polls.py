"""Tickers read over REST while the stream is away, so that whoever follows one sees at least where the market is.

All symbols in one call, few calls, and none once the link is back. Such a picture is marked as what it is and makes nothing
LIVE; where the venue does not answer, nothing is told. What a link is and when it counts as away is links.py's business.
"""

from collections.abc import Callable

from execsvc.app.links import Links
from execsvc.app.tickers import Tickers
from execsvc.app.topics import SHARED_LINK
from execsvc.domain.errors import Declined, ExecsvcError
from execsvc.domain.instrument import Instrument
from execsvc.ports import Clock, PublicVenue, Tasks

SPACING_S = 2.0  # between two calls: half of what an address may ask for (kraken.md 3.1)
ANSWER_S = 5.0
NAMED_MAX = 100  # more symbols than these make too long an address: then all are asked for


class Polls:
    """The tickers' stand-in. `instrument_of` raises for a pair that is not known."""

    def __init__(
        self,
        venue: PublicVenue,
        clock: Clock,
        tasks: Tasks,
        links: Links,
        tickers: Tickers,
        instrument_of: Callable[[str], Instrument],
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._links = links
        self._tickers = tickers
        self._instrument_of = instrument_of
        self._next_at = float("-inf")  # seconds
        self._asking = False
        self._by_name = True

    def __repr__(self) -> str:
        return f"<Polls asking={self._asking} by_name={self._by_name}>"

    def look(self) -> None:
        """Called at short intervals: asks when it is time to."""
        if not self._links.away(SHARED_LINK):
            self._by_name = True
            return
        now = self._clock.monotonic()
        if self._asking or now < self._next_at or not (symbols := self._tickers.awaited()):
            return
        self._next_at = now + SPACING_S
        self._asking = True
        self._tasks.start("tickers over REST", self._ask(symbols, now + ANSWER_S))

    async def _ask(self, symbols: tuple[str, ...], by: float) -> None:
        try:
            for ticker in await self._venue.tickers(self._named(symbols), by):
                self._tickers.polled(ticker)
        except Declined:
            self._by_name = False  # a pair that is listed no more must not cost the others their price
        except ExecsvcError:
            return  # asked again at the next turn
        finally:
            self._asking = False

    def _named(self, symbols: tuple[str, ...]) -> tuple[Instrument, ...]:
        """What to ask for; nothing means all that the venue has."""
        if not self._by_name or len(symbols) > NAMED_MAX:
            return ()
        return tuple(map(self._instrument_of, symbols))
