"""MarketDataService: convert in, ask, convert out.

Pages are cut here, because what a page token looks like is the contract's affair; everything else is app/market.py's.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from dataclasses import astuple
from typing import TypeVar

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as wire
from google.protobuf.message import Message

from execsvc.app.hub import Batch
from execsvc.app.market import BookPicture, MarketData
from execsvc.app.topics import BookChange, CandlePicture
from execsvc.app.tradepages import TapeMark, trade_page
from execsvc.domain.market import BookTopic, CandleTopic, FeedState, Ticker, TickerTopic, Trade, TradeTopic
from execsvc.rpc.call import Call
from execsvc.rpc.convert import market as convert
from execsvc.rpc.convert.streams import delivery, delivery_of
from execsvc.rpc.scalars import FEED_STATES, NS, ns_of, span_ns
from execsvc.rpc.streams import FeedSource, Part, Pumps, Terms, heartbeat_s
from execsvc.rpc.tokens import cursor_of, page_size, page_token

T = TypeVar("T")

DEFAULT_DEPTH = 10
Listing = wire.ListInstrumentsRequest | wire.ListAssetsRequest


class MarketDataService:
    """Every built method, by its name in snake case."""

    def __init__(self, market_data: MarketData, pumps: Pumps) -> None:
        self._market = market_data
        self._feeds = market_data.feeds
        self._pumps = pumps
        self._ticker_batches = convert.TickerBatches()

    async def list_instruments(self, _: Call, request: wire.ListInstrumentsRequest) -> wire.ListInstrumentsResponse:
        """Pairs, ordered by symbol."""
        found = self._market.instruments(tuple(request.symbols), request.quote)
        page, token = _page(request, found, lambda each: each.symbol)
        return wire.ListInstrumentsResponse(instruments=map(convert.instrument, page), next_page_token=token)

    async def list_assets(self, _: Call, request: wire.ListAssetsRequest) -> wire.ListAssetsResponse:
        """Assets, ordered by code."""
        page, token = _page(request, self._market.catalog.assets(), lambda each: each.asset)
        return wire.ListAssetsResponse(assets=map(convert.asset, page), next_page_token=token)

    async def get_tickers(self, call: Call, request: wire.GetTickersRequest) -> wire.GetTickersResponse:
        """In the order of the request, or all by symbol."""
        tickers = await self._market.tickers(tuple(request.symbols), call.answer_by)
        return wire.GetTickersResponse(tickers=map(convert.ticker, tickers))

    async def get_book(self, call: Call, request: wire.GetBookRequest) -> wire.GetBookResponse:
        """From the feed where it is LIVE; a book that was asked for just now does not claim that state."""
        picture = await self._market.book(request.symbol, request.depth or DEFAULT_DEPTH, call.answer_by)
        return wire.GetBookResponse(book=convert.book(picture.view, picture.version), feed_state=_state(picture))

    async def list_trades(self, call: Call, request: wire.ListTradesRequest) -> wire.ListTradesResponse:
        """Oldest first; without a start the latest ones, after which there is no page for now."""
        start_ns, mark = ns_of(request.start_time) if request.HasField("start_time") else None, None
        match cursor_of(request, request.page_token, (int, int, int)):
            case [int(cursor_ns), int(last_id), int(given)]:
                mark = TapeMark(cursor_ns, last_id, given)
        size = page_size(request.page_size)
        found = await trade_page(self._market, request.symbol, start_ns, mark, size, call.answer_by)
        token = "" if found.next is None else page_token(request, *astuple(found.next))
        return wire.ListTradesResponse(trades=map(convert.trade, found.trades), next_page_token=token)

    async def list_candles(self, call: Call, request: wire.ListCandlesRequest) -> wire.ListCandlesResponse:
        """Oldest first."""
        cursor = cursor_of(request, request.page_token, (int,))
        start_ns = ns_of(request.start_time) if request.HasField("start_time") else None
        if cursor is not None and isinstance(cursor[0], int):
            start_ns = cursor[0]
        found = await self._market.candles(request.symbol, span_ns(request.interval) // NS, start_ns, call.answer_by)
        size = page_size(request.page_size)
        page, rest = found[:size], found[size:]
        return wire.ListCandlesResponse(
            candles=map(convert.candle, page),
            next_page_token=page_token(request, rest[0].open_time_ns) if rest else "",
        )

    async def subscribe_tickers(
        self, call: Call, request: wire.SubscribeTickersRequest
    ) -> AsyncGenerator[Message, None]:
        """Conflated unless asked otherwise."""
        symbols = tuple(each.symbol for each in self._market.catalog.all_of(request.symbols))
        wanted = delivery_of(request.delivery, conflates=True)
        with self._feeds.tickers(symbols, wanted) as box:

            def render(batch: Batch[Ticker]) -> Sequence[Part]:
                behind = self._feeds.states_of(tuple(each.symbol for each in batch.items))
                held = self._ticker_batches.of(batch.items)
                return _tickers(batch, held, box.state if behind else FeedState.LIVE)

            topics = tuple(map(TickerTopic, symbols))
            source = FeedSource(box, self._feeds, topics, render, lambda: self._feeds.states_of(symbols))
            terms = Terms(heartbeat_s(request), delivery(wanted))
            async with aclosing(self._pumps.pump(call, wire.SubscribeTickersResponse, source, terms)) as messages:
                async for message in messages:
                    yield message

    async def subscribe_book(self, call: Call, request: wire.SubscribeBookRequest) -> AsyncGenerator[Message, None]:
        """Every change unless asked otherwise."""
        symbol = self._market.catalog.instrument(request.symbol).symbol
        topic = BookTopic(symbol, request.depth or DEFAULT_DEPTH)
        wanted = delivery_of(request.delivery, conflates=False)
        with self._feeds.book(symbol, topic.depth, wanted) as box:

            def render(batch: Batch[BookChange]) -> Sequence[Part]:
                return _book(batch, box.state)

            def not_live() -> Sequence[str]:
                return () if box.state is FeedState.LIVE else (symbol,)

            source = FeedSource(box, self._feeds, (topic,), render, not_live)
            terms = Terms(heartbeat_s(request), delivery(wanted))
            async with aclosing(self._pumps.pump(call, wire.SubscribeBookResponse, source, terms)) as messages:
                async for message in messages:
                    yield message

    async def subscribe_trades(self, call: Call, request: wire.SubscribeTradesRequest) -> AsyncGenerator[Message, None]:
        """Every trade from now on."""
        symbols = tuple(each.symbol for each in self._market.catalog.all_of(request.symbols))
        wanted = delivery_of(request.delivery, conflates=False)
        with self._feeds.trades(symbols, wanted) as box:

            def render(batch: Batch[Trade]) -> Sequence[Part]:
                told = {each.symbol for each in batch.items}
                return _trades(batch, _state_of(told, self._feeds.trades_not_live(box), box.state))

            topics = tuple(map(TradeTopic, symbols))
            source = FeedSource(box, self._feeds, topics, render, lambda: self._feeds.trades_not_live(box))
            terms = Terms(heartbeat_s(request), delivery(wanted))
            async with aclosing(self._pumps.pump(call, wire.SubscribeTradesResponse, source, terms)) as messages:
                async for message in messages:
                    yield message

    async def subscribe_candles(
        self, call: Call, request: wire.SubscribeCandlesRequest
    ) -> AsyncGenerator[Message, None]:
        """Conflated unless asked otherwise; a candle that closes is told in any case."""
        pairs = self._market.catalog.all_of(request.symbols)
        interval_s = span_ns(request.interval) // NS
        wanted = delivery_of(request.delivery, conflates=True)
        with self._feeds.candles(pairs, interval_s, request.history_count, wanted) as box:

            def render(batch: Batch[CandlePicture]) -> Sequence[Part]:
                told = {each.symbol for each in batch.items}
                return _candles(batch, _state_of(told, self._feeds.candles_not_live(box), box.state))

            topics = tuple(CandleTopic(each.symbol, interval_s) for each in pairs)
            source = FeedSource(box, self._feeds, topics, render, lambda: self._feeds.candles_not_live(box))
            terms = Terms(heartbeat_s(request), delivery(wanted))
            async with aclosing(self._pumps.pump(call, wire.SubscribeCandlesResponse, source, terms)) as messages:
                async for message in messages:
                    yield message


def _page(request: Listing, found: Sequence[T], key: Callable[[T], str]) -> tuple[Sequence[T], str]:
    """A page in the order of its keys, after the key in the token: it holds even when the list changes meanwhile."""
    cursor = cursor_of(request, request.page_token, (str,))
    ordered = sorted(found, key=key)
    left = [each for each in ordered if cursor is None or key(each) > str(cursor[0])]
    page = left[: page_size(request.page_size)]
    return page, page_token(request, key(page[-1])) if len(left) > len(page) else ""


def _state(picture: BookPicture) -> common.FeedState.ValueType:
    """LIVE is the feed's alone (version above 0)."""
    return FEED_STATES[picture.state if picture.version else FeedState.STALE]


def _state_of(symbols: AbstractSet[str], not_live: Sequence[str], worst: FeedState) -> FeedState:
    """The state of a message about these symbols, in a stream that is as bad as its worst."""
    return FeedState.LIVE if symbols.isdisjoint(not_live) else worst


def _tickers(batch: Batch[Ticker], held: wire.TickerBatch, state: FeedState) -> Sequence[Part]:
    return (Part({"snapshot" if batch.snapshot else "update": held}, state, batch.folded),)


def _book(batch: Batch[BookChange], state: FeedState) -> Sequence[Part]:
    """One message a change: a delta has a version of its own. What was folded is told with the last one."""
    parts = [
        Part({"snapshot": convert.snapshot(each)} if each.snapshot else {"delta": convert.delta(each)}, state)
        for each in batch.items
    ]
    parts[-1] = Part(parts[-1].fields, state, batch.folded)
    return parts


def _trades(batch: Batch[Trade], state: FeedState) -> Sequence[Part]:
    return (Part({"trades": wire.TradeBatch(trades=map(convert.trade, batch.items))}, state),)


def _candles(batch: Batch[CandlePicture], state: FeedState) -> Sequence[Part]:
    """A snapshot is one symbol's, a message of its own; changes go together. What was folded is told with the last one."""
    if batch.snapshot:
        parts = [Part({"snapshot": convert.candles(each)}, state) for each in batch.items]
        parts[-1] = Part(parts[-1].fields, state, batch.folded)
        return parts
    changed = [convert.candle(row) for each in batch.items for row in each.candles]
    return (Part({"update": wire.CandleBatch(candles=changed)}, state, batch.folded),)
