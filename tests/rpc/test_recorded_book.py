"""A session that Kraken's book channel really had, replayed to a running gateway and read through SubscribeBook.

The public feed is a WebSocket server of the test's own, which plays the recorded frames byte for byte; everything else the
gateway asks is answered by a paper exchange. The book's checksums are recomputed here from what the reader holds.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from zlib import crc32

import grpc
import pytest
from aiohttp import WSMsgType, web
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import market_data_service_pb2_grpc as market_grpc

from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

RECORDED = Path(__file__).parents[1] / "vectors" / "ws_book_sequence_recorded.json"
SYMBOL, DEPTH, PRICE_DECIMALS, QUANTITY_DECIMALS = "BTC/USD", 10, 1, 8
READ_S = 20.0


class Held:
    """A book as whoever follows the changes holds it, by price."""

    def __init__(self):
        self.bids, self.asks = {}, {}

    def apply(self, bids, asks):
        for side, rows in ((self.bids, bids), (self.asks, asks)):
            for price, quantity in rows:
                side[price] = quantity
                if not quantity:
                    del side[price]

    def cut(self):
        """To the depth, as a follower of Kraken's own frames has to."""
        self.bids = dict(sorted(self.bids.items(), reverse=True)[:DEPTH])
        self.asks = dict(sorted(self.asks.items())[:DEPTH])

    @property
    def rows(self):
        return sorted(self.bids.items(), reverse=True), sorted(self.asks.items())

    @property
    def checksum(self):
        """Asks, then bids, best first: digits without the point and without zeros in front."""
        bids, asks = self.rows
        figures = [(f"{p:.{PRICE_DECIMALS}f}", f"{q:.{QUANTITY_DECIMALS}f}") for p, q in (*asks, *bids)]
        return crc32("".join(part.replace(".", "").lstrip("0") for pair in figures for part in pair).encode())


TEXTS = [json.dumps(frame, separators=(",", ":")) for frame in json.loads(RECORDED.read_text())["messages"]]
FRAMES = [json.loads(text, parse_float=Decimal)["data"][0] for text in TEXTS]


def books_of_the_recording():
    """The book after every frame, made of the frames alone, and whether its checksum is the one that Kraken sent."""
    book = Held()
    for frame in FRAMES:
        book.apply(*([(row["price"], row["qty"]) for row in frame[side]] for side in ("bids", "asks")))
        book.cut()
        yield book.rows, book.checksum == frame["checksum"]


class Player:
    """A public WebSocket of Kraken's that plays the recording to whoever subscribes to the book, and beats."""

    def __init__(self):
        self.asked = []

    async def serve(self, request):
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        beating = asyncio.create_task(self._beat(socket))
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                await self._answer(socket, json.loads(message.data))
        beating.cancel()
        return socket

    async def _answer(self, socket, asked):
        if asked["method"] == "ping":
            await socket.send_json({"method": "pong", "req_id": asked["req_id"]})
            return
        self.asked.append((asked["method"], asked["params"]))
        result = {"channel": "book", "depth": DEPTH, "snapshot": True, "symbol": SYMBOL}
        await socket.send_json({"method": "subscribe", "req_id": asked["req_id"], "result": result, "success": True})
        for text in TEXTS:
            await socket.send_str(text)

    async def _beat(self, socket):
        while True:
            await asyncio.sleep(1.0)
            await socket.send_str('{"channel":"heartbeat"}')


@asynccontextmanager
async def playing(player):
    """The player on loopback; its address."""
    runner = web.ServerRunner(web.Server(player.serve), shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"ws://127.0.0.1:{runner.addresses[0][1]}/v2"
    finally:
        await runner.cleanup()


async def read(target):
    """What a reader has, message by message, until it has had a change for every frame."""
    seen = []
    async with asyncio.timeout(READ_S), grpc.aio.insecure_channel(target) as channel:
        stub = market_grpc.MarketDataServiceStub(channel)
        async for message in stub.SubscribeBook(market.SubscribeBookRequest(symbol=SYMBOL, depth=DEPTH)):
            seen.append(message)
            if message.delta.version == len(TEXTS):
                return seen
    raise AssertionError("the stream ended")


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """All messages that one reader had, and what the gateway asked of the player."""
    home = tmp_path_factory.mktemp("recorded")
    with paper_exchange(home) as exchange:
        return asyncio.run(_session(home, exchange.environ))


async def _session(home, environ):
    player, listen = Player(), f"127.0.0.1:{free_port()}"
    async with playing(player) as address:
        venue = {name: value for name, value in environ.items() if "CONTROL" not in name}
        venue |= {"EXECSVC_KRAKEN_WS_URL": address, "EXECSVC_LISTEN": listen, "EXECSVC_HTTP_LISTEN": "off"}
        with running(["serve"], clean_environ(home, **venue)):
            await asyncio.to_thread(wait_serving, listen)
            return await read(listen), player.asked


def changes_of(messages):
    """The snapshot and the changes, in their sequence."""
    named = ((message, message.WhichOneof("event")) for message in messages)
    return [(getattr(message, kind), message.meta) for message, kind in named if kind in {"snapshot", "delta"}]


def sides(change):
    """Bids and asks as pairs of decimals."""
    return [[(Decimal(row.price), Decimal(row.quantity)) for row in side] for side in (change.bids, change.asks)]


def test_the_recording_is_what_it_says():
    """A snapshot and 200 updates whose checksums all hold: else nothing could be learnt from it."""
    assert [True] * 201 == [holds for _, holds in books_of_the_recording()]


def test_a_reader_has_the_recorded_book_after_every_update(session):
    """Snapshot and changes, applied and never cut, give exactly the levels that the frames give."""
    book, held = Held(), []
    for change, _ in changes_of(session[0]):
        book.apply(*sides(change))
        held.append(book.rows)
    assert [rows for rows, _ in books_of_the_recording()] == held


def test_every_change_carries_the_checksum_of_the_book_it_leads_to(session):
    """Kraken's own figure, and the one computed from what the reader holds then."""
    book, computed, carried = Held(), [], []
    for change, _ in changes_of(session[0]):
        book.apply(*sides(change))
        computed.append(book.checksum)
        carried += [change.checksum] if change.DESCRIPTOR.name == "BookDelta" else []
    assert [frame["checksum"] for frame in FRAMES] == computed
    assert computed[1:] == carried


def test_one_subscription_and_one_unbroken_chain(session):
    """Versions 1 to 201 after one snapshot, no gap, LIVE from the snapshot on, numbers without a hole; asked for once."""
    messages, asked = session
    changes = changes_of(messages)
    assert [("subscribe", "book", DEPTH)] == [
        (how, what["channel"], what["depth"]) for how, what in asked if what["channel"] == "book"
    ]
    assert list(range(1, 202)) == [change.version for change, _ in changes]
    assert {common.FEED_STATE_LIVE} == {meta.feed_state for _, meta in changes}
    assert list(range(1, len(messages) + 1)) == [message.meta.seq for message in messages]
    assert [] == [message for message in messages if message.WhichOneof("event") == "gap"]
