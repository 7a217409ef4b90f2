"""What tickers to many readers cost without us: a plain grpc.aio server, and grpcio itself in a tight loop.

`fanpeers.py plain URL` reads the exchange's ticker channel and sends every reader a message per tick, as anybody would begin:
a queue a reader, the message serialised for each. `fanpeers.py tight TICKS` writes the same bytes again and again to whoever
reads. Both run on uvloop, print their address and serve until they are ended.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import Any

import aiohttp
import grpc
import uvloop
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_pb2 as market
from execsvc_api.v1 import market_data_service_pb2 as wire

PLAIN, TIGHT = "plain", "tight"
WAITING = 1024  # messages a reader may be behind; the plain server then drops the oldest
SYMBOLS = (
    "BTC/USD",
    "ETH/USD",
    "SOL/USD",
    "ADA/USD",
    "DOT/USD",
    "LINK/USD",
    "LTC/USD",
    "ATOM/USD",
    "AVAX/USD",
    "XRP/USD",
)
FIGURES = {
    "bid_price": "bid",
    "bid_quantity": "bid_qty",
    "ask_price": "ask",
    "ask_quantity": "ask_qty",
    "last_price": "last",
    "volume_24h": "volume",
    "vwap_24h": "vwap",
    "low_24h": "low",
    "high_24h": "high",
    "change_24h": "change",
}


def ticker(row: dict[str, Any]) -> Any:
    """A row of the channel as the contract's message; figures keep their text."""
    at = common.EventTimes()
    at.venue_time.FromDatetime(datetime.fromisoformat(row["timestamp"]))
    at.receive_time.GetCurrentTime()
    figures = {ours: row[theirs] for ours, theirs in FIGURES.items()}
    return market.Ticker(symbol=row["symbol"], times=at, **figures)


def message(seq: int, *tickers: Any) -> Any:
    """One message of the stream, as ours are."""
    meta = common.StreamMeta(seq=seq, feed_state=common.FEED_STATE_LIVE)
    meta.send_time.GetCurrentTime()
    return wire.SubscribeTickersResponse(meta=meta, update=wire.TickerBatch(tickers=tickers))


class Plain:
    """A message per tick and reader."""

    def __init__(self) -> None:
        self._readers: set[asyncio.Queue[Any]] = set()

    async def follow(self, url: str) -> None:
        """The exchange's ticks into every reader's queue, for ever."""
        async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
            await socket.send_json(
                {"method": "subscribe", "params": {"channel": "ticker", "symbol": SYMBOLS}, "req_id": 1}
            )
            async for frame in socket:
                told = json.loads(frame.data, parse_float=str)
                if told.get("channel") == "ticker":
                    for row in told["data"]:
                        self._tell(ticker(row))

    def _tell(self, news: Any) -> None:
        for queue in self._readers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(news)

    async def subscribe(self, request: Any, _: Any) -> AsyncIterator[Any]:
        """One reader."""
        wanted = frozenset(request.symbols)
        queue: asyncio.Queue[Any] = asyncio.Queue(WAITING)
        self._readers.add(queue)
        seq = 1
        yield wire.SubscribeTickersResponse(meta=common.StreamMeta(seq=seq), accepted=common.StreamAccepted())
        try:
            while True:
                news = await queue.get()
                if news.symbol in wanted:
                    seq += 1
                    yield message(seq, news)
        finally:
            self._readers.discard(queue)


def tight(ticks: int) -> Callable[[Any, Any], Awaitable[None]]:
    """Nothing but writing, of bytes that are made once."""
    figures = dict.fromkeys(FIGURES.values(), "89706.77771")
    rows = [
        ticker({"symbol": each, "timestamp": "2026-01-01T00:00:00.000001+00:00", **figures}) for each in SYMBOLS[:ticks]
    ]
    same = message(1, *rows).SerializeToString()

    async def subscribe(_: Any, context: Any) -> None:
        while True:
            await context.write(same)

    return subscribe


async def serve(kind: str, what: str) -> None:
    """Opens the door; the first argument says which."""
    server = grpc.aio.server()
    background = None
    if kind == PLAIN:
        plain = Plain()
        background = asyncio.create_task(plain.follow(what))
        read, write = wire.SubscribeTickersRequest.FromString, wire.SubscribeTickersResponse.SerializeToString
        handler = grpc.unary_stream_rpc_method_handler(plain.subscribe, read, write)
    else:
        handler = grpc.unary_stream_rpc_method_handler(tight(int(what)))
    methods = {"SubscribeTickers": handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("execsvc.v1.MarketDataService", methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"{kind} on 127.0.0.1:{port} ready", flush=True)
    await (background or server.wait_for_termination())


if __name__ == "__main__":
    uvloop.run(serve(*sys.argv[1:]))
