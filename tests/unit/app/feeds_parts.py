"""Parts that the tests of the feeds share: a feed and a venue that a test scripts, and a scene with readers."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal

from execsvc.app.feeds import Feeds
from execsvc.app.hub import Delivery
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import (
    Beat,
    BookSeen,
    BookTopic,
    BookView,
    Candle,
    CandlesSeen,
    CandleTopic,
    EventTimes,
    Level,
    Side,
    Ticker,
    Trade,
    TradePage,
    TradesSeen,
    TradeTopic,
)
from execsvc.telemetry import silent
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.venue import BTC_USD

TICKS = Delivery(conflate=True)
EVERY = Delivery(conflate=False)
ZERO = Decimal(0)


class Feed:
    """The port's double: the test puts events in, and reads what is wished for."""

    def __init__(self):
        self.queue = asyncio.Queue()
        self.topics = frozenset()
        self.renewed = []

    def want(self, topics):
        self.topics = topics

    def renew(self, topic):
        self.renewed.append(topic)

    async def events(self):
        while True:
            yield await self.queue.get()


class Venue:
    """The port's double: `past` is what it answers for candles (an error is raised), `asked` how often it was asked.

    `newest` and `minutes` are the ids of trades and the candles that REST shows to a look; None: it does not answer.
    """

    def __init__(self, clock):
        self._clock = clock
        self.feeds = []
        self.past = ()
        self.asked = []
        self.looks = []  # what REST was asked for, by (what, when)
        self.rest = None  # the best that REST shows: (bid, ask); None: it does not answer
        self.newest = None
        self.minutes = None
        self.named = []  # symbols of each call for tickers
        self.takes_s = 0.0
        self.refusal = None  # of any call for tickers

    def feed(self):
        self.feeds.append(Feed())
        return self.feeds[-1]

    async def tickers(self, instruments, by):
        self.looks.append(("ticker", self._clock.monotonic()))
        self.named.append(tuple(each.symbol for each in instruments))
        await self._clock.sleep(self.takes_s)
        if self.refusal is not None:
            raise self.refusal
        bid, ask = self._best()
        symbols = [each.symbol for each in instruments] or ["BTC/USD", "ETH/USD"]
        times = EventTimes(None, 0)
        return tuple(
            Ticker(each, bid, ZERO, ask, ZERO, bid, ZERO, ZERO, ZERO, ZERO, ZERO, times, polled=True)
            for each in symbols
        )

    async def trades(self, instrument, since_ns, count, by):
        """Trades number n happen at n seconds."""
        self.looks.append(("trades", self._clock.monotonic()))
        shown = self._shown(self.newest)
        rows = [trade(each, symbol=instrument.symbol) for each in shown if since_ns is None or each * 10**9 > since_ns]
        return TradePage(tuple(rows[-count:] if since_ns is None else rows[:count]), 0)

    async def book(self, instrument, depth, by):
        self.looks.append(("book", self._clock.monotonic()))
        bid, ask = self._best()
        asks = () if ask is None else (Level(ask, Decimal(1)),)
        return BookView("BTC/USD", depth, (Level(bid, Decimal(1)),), asks, EventTimes(None, 0))

    def _best(self):
        if self.rest is None:
            raise refuse(Reason.VENUE_UNREACHABLE, "no answer")
        return self.rest

    def _shown(self, what):
        if what is None:
            raise refuse(Reason.VENUE_UNREACHABLE, "no answer")
        return what

    async def candles(self, instrument, interval_s, since_ns, by):
        if self.minutes is not None or since_ns is not None:
            self.looks.append(("candles", self._clock.monotonic()))
            return [row for row in self._shown(self.minutes) if since_ns is None or row.open_time_ns >= since_ns]
        self.asked.append((instrument.symbol, interval_s))
        await self._clock.sleep(0.1)
        if isinstance(self.past, Exception):
            raise self.past
        return self.past


class Scene:
    """Feeds over a scripted venue, in virtual time."""

    def __init__(self):
        self.clock = SimClock()
        self.tasks = SimTasks()
        self.venue = Venue(self.clock)
        self.feeds = Feeds(self.venue, self.clock, self.tasks, silent(), lambda symbol: replace(BTC_USD, symbol=symbol))
        self.open = ExitStack()
        self.tasks.start("watch", self.feeds.watch())

    def now_ns(self):
        return self.clock.wall_ns()

    async def tell(self, *events, feed=0):
        for event in events:
            self.venue.feeds[feed].queue.put_nowait(event)
        await self.clock.sleep(0.001)

    def tick(self, symbol, price="100", bid=None):
        times = EventTimes(None, self.now_ns())
        value = Decimal(price)
        lowest = value if bid is None else Decimal(bid)
        return Ticker(symbol, lowest, ZERO, value, ZERO, value, ZERO, ZERO, ZERO, ZERO, ZERO, times)

    def book(self, price, *, snapshot=False, depth=10):
        topic = BookTopic("BTC/USD", depth)
        times = EventTimes(None, self.now_ns())
        bids = (Level(Decimal(price), Decimal(1)),)
        return BookSeen(topic, snapshot, bids, (), 7, times, lambda: BookView("BTC/USD", depth, bids, (), times))

    def read_tickers(self, *symbols, delivery=TICKS):
        return self.open.enter_context(self.feeds.tickers(symbols, delivery))

    def read_book(self, delivery=EVERY, depth=10):
        return self.open.enter_context(self.feeds.book("BTC/USD", depth, delivery))

    def read_trades(self, *symbols, delivery=EVERY):
        return self.open.enter_context(self.feeds.trades(symbols, delivery))

    def read_candles(self, *instruments, count=0, interval_s=60, delivery=TICKS):
        return self.open.enter_context(self.feeds.candles(instruments or (BTC_USD,), interval_s, count, delivery))

    def trades(self, *ids, symbol="BTC/USD", snapshot=False):
        return TradesSeen(
            TradeTopic(symbol), tuple(trade(each, symbol=symbol) for each in ids), snapshot, self.now_ns()
        )

    def candles(self, *minutes, symbol="BTC/USD", price="1", interval_s=60, snapshot=False, count=1):
        rows = tuple(candle(each, symbol=symbol, price=price, interval_s=interval_s, count=count) for each in minutes)
        return CandlesSeen(CandleTopic(symbol, interval_s), rows, snapshot, self.now_ns())

    async def quiet_for(self, seconds, *, feed=0):
        """The line beats and says nothing else."""
        for _ in range(int(seconds * 2)):
            await self.clock.sleep(0.5)
            await self.tell(Beat(self.now_ns()), feed=feed)

    async def drain(self, box):
        mails = []
        while (mail := await box.take(self.clock.monotonic() + 0.001)) is not None:
            mails.append(mail)
        return mails


def scene(script):
    async def main():
        here = Scene()
        try:
            await script(here)
        finally:
            here.open.close()
            await here.tasks.close()
        assert here.tasks.failures == []

    run_sim(main())


def trade(number, *, symbol="BTC/USD"):
    """The trade number `number`, of that second."""
    one = Decimal(1)
    return Trade(symbol, str(number), one, one, Side.BUY, EventTimes(number * 10**9, 7))


def candle(index, *, symbol="BTC/USD", price="1", interval_s=60, closed=False, count=1):
    """The candle number `index`, counted from the epoch."""
    figure = Decimal(price)
    return Candle(
        symbol,
        interval_s,
        index * interval_s * 10**9,
        figure,
        figure,
        figure,
        figure,
        figure,
        figure,
        count,
        closed=closed,
        receive_ns=7,
    )


def shown(candles):
    """Candles as (number, closed)."""
    return [(each.open_time_ns // 10**9 // each.interval_s, each.closed) for each in candles]
