"""Books under chance mishaps: while a reader says LIVE, its book is one that the exchange has, or had a moment ago.

The paper exchange runs in this process, so that every state its books ever had is known; the gateway is a process of its own,
its readers follow books of three depths. What a book may be late depends on what was struck last (docs/promises.md 6). Judged
by test_book_soak.py for seconds and by benchmarks/soak.py for minutes.
"""

import asyncio
import itertools
import json
import random
import time
from bisect import bisect_right
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal

import grpc
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import market_data_service_pb2_grpc as market_grpc

from execsvc.paper.control import answer_control
from execsvc.paper.mishap import Fault
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from tests.support.processes import clean_environ, free_port, running, wait_serving

SYMBOLS, DEPTHS = ("BTC/USD", "ETH/USD"), (10, 25, 100)
SUMMED = 10  # levels a side that Kraken's checksum covers
LOOK_S = 0.1
BEGIN_S = 20.0
TAKES_S = 0.15  # a stranger takes that often
TAKES_MOST = {
    "BTC/USD": 1.0,
    "ETH/USD": 10.0,
}  # some levels' worth, so that levels come and go with nearly every update
KEPT = 20_000  # states of a book that are remembered
ON_ITS_WAY_S = 2.0  # exchange to reader, on a machine with other work
UNTIL_NEXT_S = 3.0  # what was lost or spoilt shows with the next update
SILENT_S = 7.0  # no frame for 5 s, told within 1 s
FROZEN_S = 14.0  # 4.5 s or ten usual gaps, other topics looked at first, two looks
FROZEN_MS, SILENT_MS = 16_000, 7_000
DEEP_S = 60.0  # wrong below the checksum: its turn after 30 s, another look after 5 s, other suspects first

# What is struck: its fault (besides the symbol, for those of one book) and how late books may then be.
QUIET_KINDS = (
    ({"kind": "checksum_wrong"}, UNTIL_NEXT_S),
    ({"kind": "checksum_wrong", "times": 3}, UNTIL_NEXT_S),
    ({"kind": "update_lost"}, UNTIL_NEXT_S),
    ({"kind": "update_lost", "times": 3}, UNTIL_NEXT_S),
    ({"kind": "unknown_channel", "line": "public"}, ON_ITS_WAY_S),
    ({"kind": "feed_frozen", "channel": "book", "for_ms": FROZEN_MS}, FROZEN_S),
)
SOCKET_KINDS = (
    ({"kind": "drop_ws", "line": "public"}, ON_ITS_WAY_S),
    ({"kind": "cut_frame", "line": "public", "channel": "book"}, ON_ITS_WAY_S),
    ({"kind": "feed_silent", "line": "public", "for_ms": SILENT_MS}, SILENT_S),
    ({"kind": "drop_ws", "line": "public", "code": 1006}, ON_ITS_WAY_S),
)
OF_ONE_BOOK = {"checksum_wrong", "update_lost", "feed_frozen"}


def mishaps(chance):
    """Fault, symbol or None, bound, for ever: all that leaves sockets alone, in any sequence, and one that does not."""
    for turn in itertools.count():
        some = [*QUIET_KINDS, SOCKET_KINDS[turn % len(SOCKET_KINDS)]]
        for each, late_s in chance.sample(some, len(some)):
            symbol = chance.choice(SYMBOLS) if each["kind"] in OF_ONE_BOOK else None
            yield (each if symbol is None else {**each, "symbol": symbol}), symbol, late_s


class Truth:
    """Every state of every book, to the greatest depth, and since when: written down whenever the exchange publishes."""

    def __init__(self, exchange):
        self._exchange = exchange
        self._listings = {each.pair.symbol: each for each in exchange.venue.listings.values()}
        self.states = {symbol: deque(maxlen=KEPT) for symbol in SYMBOLS}
        self._publish = exchange.publish
        exchange.publish = self._published
        for symbol in SYMBOLS:
            self._note(symbol)

    def decimals(self, symbol):
        pair = self._listings[symbol].pair
        return pair.pair_decimals, pair.lot_decimals

    def _published(self):
        touched = [symbol for symbol in SYMBOLS if self._listings[symbol].touched]
        self._publish()
        for symbol in touched:
            self._note(symbol)

    def _note(self, symbol):
        book = self._listings[symbol].book
        now = [tuple(half.top(max(DEPTHS))) for half in (book.bids, book.asks)]
        if not self.states[symbol] or self.states[symbol][-1][1:] != (*now,):
            self.states[symbol].append((time.monotonic(), *now))

    def age(self, symbol, bids, asks, depth, now):
        """Seconds since the exchange had this book to this depth; 0 while it has it, None when it never had."""
        superseded = None
        for at, their_bids, their_asks in reversed(self.states[symbol]):
            if their_bids[:depth] == bids[:depth] and their_asks[:depth] == asks[:depth]:
                return 0.0 if superseded is None else now - superseded
            superseded = at
        return None


class Reader:
    """One reader of one book, which holds what the messages say and nothing else."""

    def __init__(self, symbol, depth, decimals):
        self.symbol, self.depth = symbol, depth
        self._scale = decimals
        self._sides = ({}, {})
        self._void = True
        self._state = common.FEED_STATE_RESYNCING
        self.snapshot_at = float("-inf")
        self.deep_since = None  # LIVE, and wrong below the checksum in every look
        self.reasons = Counter()
        self.deltas = 0

    @property
    def live(self):
        return self._state == common.FEED_STATE_LIVE and not self._void

    @property
    def book(self):
        bids, asks = self._sides
        return tuple(sorted(bids.items(), reverse=True)), tuple(sorted(asks.items()))

    async def follow(self, stub):
        request = market.SubscribeBookRequest(symbol=self.symbol, depth=self.depth)
        async for message in stub.SubscribeBook(request):
            self._take(message)
        raise AssertionError("a stream ended by itself")

    def _take(self, message):
        self._state = message.meta.feed_state
        match message.WhichOneof("event"):
            case "gap":
                self._void = True
                self.reasons[common.GapReason.Name(message.gap.reason).removeprefix("GAP_REASON_")] += 1
            case "snapshot":
                self._sides = ({}, {})
                self._void = False
                self.snapshot_at = time.monotonic()
                self._apply(message.snapshot)
            case "delta":
                self.deltas += 1
                self._apply(message.delta)

    def _apply(self, change):
        for side, rows in zip(self._sides, (change.bids, change.asks), strict=True):
            for row in rows:
                price, lots = (
                    int(Decimal(text).scaleb(places))
                    for text, places in zip((row.price, row.quantity), self._scale, strict=True)
                )
                side[price] = lots
                if not lots:
                    del side[price]


@dataclass
class Found:
    """What came of a run. `deep`: wrong below the ten levels that the checksum covers, after an update that was lost."""

    looks: int = 0
    live: int = 0
    late: int = 0
    deep: int = 0
    worst_deep_s: float = 0.0  # the longest that one book was so
    worst_s: float = 0.0  # the oldest book that said LIVE
    worst_calm_s: float = 0.0  # the same while nothing was struck
    bad: list[str] = field(default_factory=list)
    struck: Counter = field(default_factory=Counter)
    gaps: Counter = field(default_factory=Counter)
    deltas: int = 0
    states: int = 0


class Soak:
    """Strikes, looks, judges."""

    def __init__(self, server, truth, readers, seed):
        self._server, self._truth, self._readers = server, truth, readers
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self._struck = []  # until when, symbol or None, how late books may be
        self._lost_at = {symbol: [] for symbol in SYMBOLS}
        self.found = Found()

    async def trade(self):
        """Strangers take from either side in turn, for ever: every book moves all the time, and what it lost stays lost."""
        chance = random.Random(self._chance.random())
        for turn in itertools.count():
            for symbol in SYMBOLS:
                quantity = chance.uniform(0.001, TAKES_MOST[symbol])
                take = {"side": ("buy", "sell")[turn % 2], "qty": f"{quantity:.3f}"}
                body = json.dumps({"symbol": symbol, "take": take}).encode()
                answer_control(self._server.exchange, "POST", "/market", body, self._server.now())
            await asyncio.sleep(TAKES_S)

    async def strike(self, pause_s):
        """A mishap every so often, for ever."""
        for fault, symbol, late_s in mishaps(self._chance):
            await asyncio.sleep(pause_s * self._chance.uniform(0.5, 1.5))
            self._server.exchange.fault(Fault(**fault), self._server.now())
            now = time.monotonic()
            self._struck.append((now + fault.get("for_ms", 0) / 1000 + late_s, symbol, late_s))
            if fault["kind"] == "update_lost":
                self._lost_at[symbol].append(now)
            self.found.struck[fault["kind"]] += 1

    async def look(self, seconds):
        """Compares all books again and again."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            await asyncio.sleep(LOOK_S)
            for reader in self._readers:
                self._judge(reader, time.monotonic())
        for reader in self._readers:
            self.found.gaps.update(reader.reasons)
            self.found.deltas += reader.deltas
        self.found.states = sum(map(len, self._truth.states.values()))

    def _judge(self, reader, now):
        found = self.found
        found.looks += 1
        deep_since, reader.deep_since = reader.deep_since, None
        if not reader.live:
            return
        found.live += 1
        bids, asks = reader.book
        age = self._truth.age(reader.symbol, bids, asks, reader.depth, now)
        if age is None and reader.depth > SUMMED and self._lost_since(reader):
            found.deep += 1
            reader.deep_since = now if deep_since is None else deep_since
            age = self._truth.age(reader.symbol, bids, asks, SUMMED, now)
        most_s, calm = self._most_s(reader.symbol, now)
        who = f"{reader.symbol} {reader.depth}, {now - self._began:.1f} s after the begin"
        if reader.deep_since is not None:
            deep_s = now - reader.deep_since
            found.worst_deep_s = max(found.worst_deep_s, deep_s)
            if deep_s > DEEP_S:
                found.bad.append(f"{who}: wrong below the checksum for {deep_s:.1f} s, {DEEP_S:.0f} s are allowed")
        if age is None:
            found.bad.append(f"{who}: a book that the exchange never had")
        elif age > most_s:
            found.bad.append(f"{who}: a book of {age:.2f} s ago, {most_s:.0f} s are allowed")
        if age:
            found.late += 1
            found.worst_s = max(found.worst_s, age)
            found.worst_calm_s = max(found.worst_calm_s, age if calm else 0.0)

    def _lost_since(self, reader):
        """Whether an update of that book may have been lost since the reader's picture was whole."""
        lost = self._lost_at[reader.symbol]
        return bisect_right(lost, reader.snapshot_at - ON_ITS_WAY_S) < len(lost)

    def _most_s(self, symbol, now):
        self._struck = [each for each in self._struck if each[0] > now]
        late = [late_s for _, struck, late_s in self._struck if struck in {None, symbol}]
        return max(late, default=ON_ITS_WAY_S), not late


@asynccontextmanager
async def _gateway(home, environ):
    """Serving on that exchange; its address."""
    listen = f"127.0.0.1:{free_port()}"
    serving = clean_environ(home, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **environ)
    with running(["serve"], serving):
        await asyncio.to_thread(wait_serving, listen)
        yield listen


async def _all_live(readers):
    for _ in range(round(BEGIN_S / LOOK_S)):
        if all(reader.live for reader in readers):
            return
        await asyncio.sleep(LOOK_S)
    raise AssertionError("not every reader became LIVE")


async def soaked(home, *, seconds, pause_s, seed):
    """The whole run: what was found in so many seconds, once every reader has been LIVE."""
    server = PaperServer(PaperOptions(pairs=SYMBOLS, tier="unlimited", seed=seed))
    await server.start()
    try:
        truth = Truth(server.exchange)
        readers = [Reader(symbol, depth, truth.decimals(symbol)) for symbol in SYMBOLS for depth in DEPTHS]
        soak = Soak(server, truth, readers, seed)
        async with _gateway(home, server.environment()) as listen, grpc.aio.insecure_channel(listen) as channel:
            stub = market_grpc.MarketDataServiceStub(channel)
            going = [asyncio.create_task(each) for each in (soak.trade(), *(reader.follow(stub) for reader in readers))]
            await _all_live(readers)
            going.append(asyncio.create_task(soak.strike(pause_s)))
            looking = asyncio.create_task(soak.look(seconds))
            await asyncio.wait([looking, *going], return_when=asyncio.FIRST_COMPLETED)
            for task in going:
                if task.done():
                    task.result()  # a reader or the exchange that ended by itself
                task.cancel()
            await looking
            await asyncio.gather(*going, return_exceptions=True)
        return soak.found
    finally:
        await server.close()
