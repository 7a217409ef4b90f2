"""Market-data use cases: what the venue lists, tickers, books, trades and candles.

Live pictures where a feed has them, else the venue's REST answer. Symbols arrive in any spelling and leave canonical.
Streaming is app/feeds.py; how a page token looks is rpc's business, here a page is an offset or a cursor.
"""

from dataclasses import dataclass

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import BookView, Candle, FeedState, Ticker, TradePage
from execsvc.ports import PublicVenue

DEPTHS = (10, 25, 100, 500, 1000)
VENUE_DEPTH_MAX = 500  # kraken.md 2.2: REST Depth serves at most 500 levels a side
INTERVALS_S = tuple(60 * minutes for minutes in (1, 5, 15, 30, 60, 240, 1440, 10080, 21600))


@dataclass(frozen=True)
class BookPicture:
    """A book with the state and version of its feed; STALE and version 0 when it was asked for over REST."""

    view: BookView
    state: FeedState
    version: int


class MarketData:
    """Reads for MarketDataService."""

    def __init__(self, venue: PublicVenue, catalog: Catalog, feeds: Feeds) -> None:
        self._venue = venue
        self.catalog = catalog
        self.feeds = feeds

    def instruments(self, spellings: tuple[str, ...], quote: str) -> tuple[Instrument, ...]:
        """By symbol; empty spellings mean all; quote (plain code, any case) filters."""
        chosen = self.catalog.all_of(spellings) if spellings else self.catalog.instruments()
        wanted = (each for each in chosen if not quote or each.quote == quote.strip().upper())
        return tuple(sorted(wanted, key=lambda each: each.symbol))

    async def tickers(self, spellings: tuple[str, ...], by: float) -> tuple[Ticker, ...]:
        """In request order; all of them by symbol when none is named. The feed's where it is LIVE."""
        wanted = self.catalog.all_of(spellings)
        if not wanted:
            every = [self.feeds.live_ticker(each.symbol) or each for each in await self._venue.tickers((), by)]
            return tuple(sorted(every, key=lambda each: each.symbol))
        live = {each.symbol: self.feeds.live_ticker(each.symbol) for each in wanted}
        missing = tuple(each for each in wanted if live[each.symbol] is None)
        asked = {each.symbol: each for each in await self._venue.tickers(missing, by)} if missing else {}
        found = (live[each.symbol] or asked.get(each.symbol) for each in wanted)
        return tuple(each for each in found if each is not None)

    async def book(self, spelling: str, depth: int, by: float) -> BookPicture:
        """Depth is one of DEPTHS. REST serves at most 500 levels; a live book serves all of its depth."""
        instrument = self.catalog.instrument(spelling)
        live = self.feeds.live_book(instrument.symbol, depth)
        if live is not None:
            return BookPicture(live, FeedState.LIVE, self.feeds.version_of(instrument.symbol, depth))
        view = await self._venue.book(instrument, min(depth, VENUE_DEPTH_MAX), by)
        return BookPicture(view, FeedState.STALE, 0)

    async def trades(self, spelling: str, since_ns: int | None, count: int, by: float) -> TradePage:
        """Oldest first."""
        return await self._venue.trades(self.catalog.instrument(spelling), since_ns, count, by)

    async def candles(self, spelling: str, interval_s: int, start_ns: int | None, by: float) -> tuple[Candle, ...]:
        """Oldest first, those that open at or after start; Kraken keeps about 720."""
        instrument = self.catalog.instrument(spelling)
        candles = await self._venue.candles(instrument, interval_s, None, by)
        return tuple(each for each in candles if start_ns is None or each.open_time_ns >= start_ns)
