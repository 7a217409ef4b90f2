"""ports.PublicVenue over Kraken: market data without a key, over REST and one WebSocket per feed.

`names` and `venue_time` learn here and, as the counted door `rest`, are shared with the private side: public attributes.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing

from msgspec import Raw

from execsvc.domain.errors import Declined, Reason, error_of
from execsvc.domain.instrument import Asset, Instrument
from execsvc.domain.market import BookView, Candle, Desynced, FeedEvent, Ticker, Topic, TradePage, VenueMode
from execsvc.kraken import indexes, pictures, tables, wire
from execsvc.kraken.encode import pair, seconds
from execsvc.kraken.endpoints import ASSET_PAIRS, ASSETS, DEPTH, OHLC, SYSTEM_STATUS, TICKER, TIME, TRADES, Endpoint
from execsvc.kraken.feed import FeedSession
from execsvc.kraken.names import Names
from execsvc.kraken.publicrest import READ_PATIENCE_S, PublicRest
from execsvc.kraken.pulse import SILENT_AFTER_S, Pulse
from execsvc.kraken.stream import Session, Stream
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, ClockReading, Entropy, Http, Tasks, WsDialer
from execsvc.telemetry import Telemetry

TABLE_TIMEOUT_S = 20.0
DEPTH_MAX = 500  # REST's own bound (kraken.md 2.2)
TRADES_MAX = 1000
RELEARN_EVERY_S = 60.0

_time = wire.decoder(wire.ServerTime)


class KrakenPublic:
    """Market data of Kraken's spot venue."""

    def __init__(
        self,
        *,
        rest_url: str,
        ws_url: str,
        http: Http,
        dialer: WsDialer,
        clock: Clock,
        entropy: Entropy,
        tasks: Tasks,
        telemetry: Telemetry,
        read_patience_s: float = READ_PATIENCE_S,
        silent_after_s: float = SILENT_AFTER_S,
    ) -> None:
        self.names = Names()
        self.venue_time = VenueTime()
        self._ws_url = ws_url
        self._dialer = dialer
        self._clock = clock
        self._entropy = entropy
        self._tasks = tasks
        self._silent_after_s = silent_after_s
        self.rest = PublicRest(
            base_url=rest_url,
            http=http,
            clock=clock,
            entropy=entropy,
            tasks=tasks,
            telemetry=telemetry,
            venue_time=self.venue_time,
            patience_s=read_patience_s,
        )

    def __repr__(self) -> str:
        return f"<KrakenPublic {self.names!r}>"

    async def instruments(self) -> tuple[Instrument, ...]:
        """Every pair, by symbol; the tables of assets and pairs are read anew."""
        by = self._clock.monotonic() + TABLE_TIMEOUT_S
        assets = await self._assets(by)
        instruments = tables.instruments(await self.rest.read(ASSET_PAIRS, {}, by), assets)
        self.names.learn_instruments(instruments)
        return instruments

    async def assets(self) -> tuple[Asset, ...]:
        """Every asset, by code."""
        return await self._assets(self._clock.monotonic() + TABLE_TIMEOUT_S)

    async def indexed(self) -> Mapping[str, bool]:
        """Over a line of its own: only the instrument channel tells it."""
        return await indexes.read(self._dialer, self._ws_url, self._clock)

    async def tickers(self, instruments: tuple[Instrument, ...], by: float) -> tuple[Ticker, ...]:
        """Pictures over REST, in the order asked; empty asks for all that are known, by symbol."""
        if not instruments and not self.names.known:
            await self.instruments()
        params = {"pair": ",".join(pair(each) for each in instruments)} if instruments else {}
        result = await self._read(TICKER, params, by, instruments)
        now_ns = self._clock.wall_ns()
        rows = pictures.tickers(result)
        if len(instruments) == 1 and len(rows) == 1:  # whatever name a lone pair comes back under
            return (pictures.ticker(instruments[0].symbol, next(iter(rows.values())), now_ns),)
        named = ((self.names.symbol(name), row) for name, row in rows.items())
        seen = {symbol: pictures.ticker(symbol, row, now_ns) for symbol, row in named if symbol is not None}
        if not instruments:
            return tuple(seen[symbol] for symbol in sorted(seen))
        missing = [each.symbol for each in instruments if each.symbol not in seen]
        if missing:
            raise wire.broken(f"no ticker of {', '.join(missing[:5])} came")
        return tuple(seen[each.symbol] for each in instruments)

    async def book(self, instrument: Instrument, depth: int, by: float) -> BookView:
        """The book over REST; at most 500 levels a side."""
        depth = min(depth, DEPTH_MAX)
        params = {"pair": pair(instrument), "count": str(depth)}
        result = await self._read(DEPTH, params, by, (instrument,))
        return pictures.book(result, instrument, depth, self._clock.wall_ns())

    async def candles(
        self, instrument: Instrument, interval_s: int, since_ns: int | None, by: float
    ) -> tuple[Candle, ...]:
        """Oldest first, the open one last; those that opened at `since_ns` or later, at most about 720."""
        params = {"pair": pair(instrument), "interval": str(interval_s // 60)}
        if since_ns is not None:
            params["since"] = seconds((since_ns // 1_000_000_000 - interval_s) * 1_000_000_000)
        result = await self._read(OHLC, params, by, (instrument,))
        rows = pictures.candles(result, instrument, interval_s, self._clock.wall_ns())
        return tuple(row for row in rows if since_ns is None or row.open_time_ns >= since_ns)

    async def trades(self, instrument: Instrument, since_ns: int | None, count: int, by: float) -> TradePage:
        """Oldest first, since exclusive; None: the latest. At most 1000."""
        params = {"pair": pair(instrument), "count": str(max(1, min(count, TRADES_MAX)))}
        if since_ns is not None:
            params["since"] = str(since_ns)
        result = await self._read(TRADES, params, by, (instrument,))
        return pictures.trades(result, instrument, self._clock.wall_ns())

    async def mode(self, by: float) -> VenueMode:
        """SystemStatus."""
        return pictures.mode(await self.rest.read(SYSTEM_STATUS, {}, by))

    async def clock(self, by: float) -> ClockReading:
        """Reads Kraken's clock once; the answer is the estimate of all readings so far, this one included."""
        await read_clock(self.rest, self.venue_time, self._clock, by)
        return self.venue_time.reading(self._clock.wall_ns())

    def feed(self) -> "KrakenFeed":
        """A new feed, not yet dialled."""
        return KrakenFeed(
            self, self._ws_url, self._dialer, self._clock, self._entropy, self._tasks, self._silent_after_s
        )

    async def _assets(self, by: float) -> tuple[Asset, ...]:
        assets = tables.assets(await self.rest.read(ASSETS, {}, by))
        self.names.learn_assets(assets)
        return assets

    async def _read(
        self, endpoint: Endpoint, params: Mapping[str, str], by: float, asked: tuple[Instrument, ...]
    ) -> Raw:
        try:
            return await self.rest.read(endpoint, params, by)
        except Declined as failure:
            if failure.reason is not Reason.UNKNOWN_SYMBOL or len(asked) != 1:
                raise
            near = ",".join(self.names.suggest(asked[0].symbol))
            raise error_of(failure.fault.with_metadata(symbol=asked[0].symbol, suggestions=near)) from None


async def read_clock(rest: PublicRest, venue_time: VenueTime, clock: Clock, by: float) -> None:
    """Asks for Kraken's time once and takes it into the estimate."""
    sent_ns = clock.wall_ns()
    told = _time(await rest.read(TIME, {}, by))
    venue_time.observe_seconds(sent_ns=sent_ns, received_ns=clock.wall_ns(), unixtime=told.unixtime)


class KrakenFeed:
    """ports.PublicFeed: one market-data connection that dials again by itself."""

    def __init__(  # noqa: PLR0917  made by KrakenPublic.feed only
        self,
        venue: KrakenPublic,
        url: str,
        dialer: WsDialer,
        clock: Clock,
        entropy: Entropy,
        tasks: Tasks,
        silent_after_s: float,
    ) -> None:
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self._relearned_at = clock.monotonic()
        self._session = FeedSession(
            instrument=venue.names.instrument,
            pulse=lambda: Pulse(venue.venue_time, silent_after_s=silent_after_s),
        )
        self._stream: Stream[FeedEvent] = Stream(
            name="kraken public feed",
            url=url,
            dialer=dialer,
            clock=clock,
            entropy=entropy,
            tasks=tasks,
            open_session=self._opened,
        )

    def __repr__(self) -> str:
        return f"<KrakenFeed {self._session!r}>"

    def want(self, topics: frozenset[Topic]) -> None:
        """Sets the whole wish; requests follow soon, in bounded bursts."""
        self._session.want(topics)
        self._stream.nudge()

    def renew(self, topic: Topic) -> None:
        """Subscribes one topic anew; a snapshot follows."""
        self._session.renew(topic)
        self._stream.nudge()

    async def events(self) -> AsyncIterator[FeedEvent]:
        """Events in order, for ever. One reader."""
        async with aclosing(self._stream.events()) as events:
            async for event in events:
                if isinstance(event, Desynced) or self._session.restless:
                    self._session.restless = False
                    self._stream.nudge()
                if isinstance(event, Desynced):
                    self._relearn_if_doubted()
                yield event

    async def _opened(self) -> Session[FeedEvent]:
        """The pairs' decimals are needed before the first book."""
        if not self._venue.names.known:
            await self._venue.instruments()
        return self._session

    def _relearn_if_doubted(self) -> None:
        now = self._clock.monotonic()
        if self._session.doubts_decimals and now - self._relearned_at >= RELEARN_EVERY_S:
            self._relearned_at = now
            self._session.doubts_decimals = False
            self._tasks.start("kraken pairs anew", self._venue.instruments())
