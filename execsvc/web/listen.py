"""Who may be connected to the HTTP address, how many at once, and for how long without asking anything.

aiohttp accepts whoever comes and waits for ever for a request that is dribbled in, and each connection costs a file
descriptor that an order may need. So connections are accepted here, counted from the first byte of their TLS handshake on,
and closed when they keep this address waiting.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from execsvc.ports import Clock, Tasks

CONNECTIONS_MOST = 128
PATIENCE_S = 15.0  # from connecting, and from each request, to the next one, its answer taken
HANDSHAKE_S = 10.0
LOOK_EVERY_S = 1.0
_BACKLOG = 128


class Listener:
    """The sockets of one door, and the connections that came through them."""

    def __init__(self, tls: ssl.SSLContext | None, clock: Clock, tasks: Tasks) -> None:
        self._tls = tls
        self._clock = clock
        self._tasks = tasks
        self._sockets: list[socket.socket] = []
        self._server: web.Server | None = None
        self._shaking = 0
        self._since: dict[RequestHandler, float] = {}

    def __repr__(self) -> str:
        return f"<Listener {len(self._connected)} connections, {self._shaking} shake hands>"

    async def open(self, host: str, port: int, server: web.Server) -> int:
        """Listens on every address that the host has, for `server`; the port it got. Raises OSError."""
        self._server = server
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, address in dict.fromkeys(found):
                self._sockets.append(_listening(family, address))
        except OSError:
            self.close()
            raise
        self._listen()
        self._tasks.supervise("http", self._watch)
        bound: int = self._sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        """Accepts nobody any more."""
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        self._sockets.clear()

    def _listen(self) -> None:
        for each in self._sockets:
            asyncio.get_running_loop().add_reader(each, self._accept, each)

    def heard(self, request: web.Request) -> None:
        """Its connection asked something: its time begins anew."""
        self._since[request.protocol] = self._clock.monotonic()

    @property
    def _connected(self) -> list[RequestHandler]:
        return [] if self._server is None else self._server.connections

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_BACKLOG):
            try:
                connection, _ = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:
                asyncio.get_running_loop().remove_reader(listening)  # no descriptor is left: until the next look
                return
            if self._shaking + len(self._connected) >= CONNECTIONS_MOST:
                connection.close()
                continue
            self._shaking += 1
            self._tasks.start("http.connection", self._take(connection))

    async def _take(self, connection: socket.socket) -> None:
        """Hands it to aiohttp, after the handshake where there is one."""
        server = self._server
        if server is None:
            raise AssertionError("nobody is accepted before the door is open")
        connection.settimeout(0)
        try:
            with suppress(OSError, TimeoutError):  # it left, or does not speak TLS: its own affair
                await asyncio.get_running_loop().connect_accepted_socket(
                    server, connection, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE_S if self._tls else None
                )
        finally:
            self._shaking -= 1

    async def _watch(self) -> None:
        while True:
            self._listen()
            self._look()
            await self._clock.sleep(LOOK_EVERY_S)

    def _look(self) -> None:
        """Closes whoever asked nothing for too long, and does not wait for them to read their answer."""
        now = self._clock.monotonic()
        self._since = {each: self._since.get(each, now) for each in self._connected}
        for connection, since in self._since.items():
            if now - since > PATIENCE_S and connection.transport is not None:
                connection.transport.abort()


def _listening(family: int, address: Any) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.settimeout(0)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made
