"""A minimal exchange in a process of its own: it takes a nonce only above all before it, per key, and counts.

HTTP/1.1 over loopback, kept alive, no signatures, no orders: what it answers is the least that our adapter can read. Each
message is late by a jitter of its own before it counts, and its answer by a fixed delay after that. Run alone it prints
its address and serves until it is ended; nonces.py measures against it.
"""

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qsl, urlsplit

RESULTS = {
    b"AddOrder": {"txid": ["OSTRCT-00000-000001"], "descr": {"order": ""}},
    b"CancelOrder": {"count": 1},
    b"OpenOrders": {"open": {}},
    b"ClosedOrders": {"closed": {}, "count": 0},
}
BODIES = {name: json.dumps({"error": [], "result": result}).encode() for name, result in RESULTS.items()}
EMPTY_BODY = json.dumps({"error": [], "result": {}}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STALE_BODY = json.dumps({"error": ["EAPI:Invalid nonce"]}).encode()


@dataclass
class Key:
    """One key: its highest nonce, and what was counted."""

    highest: int = 0
    calls: int = 0
    stale: int = 0
    under_way: int = 0
    most_under_way: int = 0
    held_s: float = 0.0
    answered_at: float = 0.0
    gaps_us: list[int] = field(default_factory=list)  # from an answer written to the next message read


class Exchange:
    """Every key, and how late messages and answers are."""

    def __init__(self) -> None:
        self.keys: dict[bytes, Key] = {}
        self.delay_s = 0.0
        self.jitter_s = 0.0
        self._chance = random.Random(1)

    def way_s(self) -> float:
        """How late a message is."""
        return self._chance.uniform(0, self.jitter_s) if self.jitter_s else 0.0

    def told(self, target: str) -> bytes:
        """The counters, or anew with other delays."""
        parts = urlsplit(target)
        counted = json.dumps({name.decode(): vars(key) for name, key in self.keys.items()}).encode()
        if parts.path == "/settings":
            asked = dict(parse_qsl(parts.query))
            self.keys = {}
            self.delay_s, self.jitter_s = float(asked["delay_s"]), float(asked["jitter_s"])
        return counted


class Line(asyncio.Protocol):
    """One connection: requests in, answers out, one after the other."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there."""
        self._transport = cast("asyncio.WriteTransport", transport)

    def data_received(self, data: bytes) -> None:
        """A request, or a part of one."""
        self._buffer += data
        head, end, body = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(_header(head, b"content-length") or 0)
        if len(body) >= length:
            self._buffer = b""
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        read_at = time.perf_counter()
        method, target, _ = head.split(b"\r\n", 1)[0].split(b" ")
        if method == b"GET":
            self._write(self._exchange.told(target.decode()))
            return
        key = self._exchange.keys.setdefault(_header(head, b"api-key"), Key())
        key.calls += 1
        key.under_way += 1
        key.most_under_way = max(key.most_under_way, key.under_way)
        if key.answered_at:
            key.gaps_us.append(round(1e6 * (read_at - key.answered_at)))
        nonce = int(body.split(b"&", 1)[0].removeprefix(b"nonce="))
        self._after(self._exchange.way_s(), self._arrived, key, nonce, target.rpartition(b"/")[2], read_at)

    def _arrived(self, key: Key, nonce: int, name: bytes, read_at: float) -> None:
        stale = nonce <= key.highest
        key.stale += stale
        key.highest = max(key.highest, nonce)
        body = STALE_BODY if stale else BODIES.get(name, EMPTY_BODY)
        self._after(self._exchange.delay_s, self._answered, key, body, read_at)

    def _answered(self, key: Key, body: bytes, read_at: float) -> None:
        key.answered_at = time.perf_counter()
        key.held_s += key.answered_at - read_at
        key.under_way -= 1
        self._write(body)

    def _after(self, seconds: float, act: Callable[..., None], *arguments: object) -> None:
        if seconds:
            self._loop.call_later(seconds, act, *arguments)
        else:
            act(*arguments)

    def _write(self, body: bytes) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        found, _, value = line.partition(b":")
        if found.lower() == name:
            return value.strip()
    return b""


async def serve() -> None:
    """Until it is ended."""
    exchange = Exchange()
    server = await asyncio.get_running_loop().create_server(lambda: Line(exchange), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"strict exchange on {host}:{port} ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
