"""Who may be connected to the HTTP address, how many at once, and for how long without asking anything.

aiohttp accepts whoever comes, as fast as they come, and waits for ever for a request that is dribbled in; each connection
costs a file descriptor that an order may need, and a moment of the loop. So connections are accepted here, one at a time,
counted from the first byte of their TLS handshake on, and the one that keeps this address waiting longest makes room.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from aiohttp import web

from execsvc.ports import Clock, Tasks
from execsvc.web.visitor import Visitor

CONNECTIONS_MOST = 32  # a scraper and a balancer need two
CROWD = CONNECTIONS_MOST // 2  # from here on a connection gets one answer, so that those who wait outside get in
PATIENCE_S = 15.0  # from connecting, and from each answer made, to the next request, the answer taken
HANDSHAKE_S = 10.0
LOOK_EVERY_S = 1.0
ACCEPT_EVERY_S = 0.005
_BACKLOG = 128  # wait outside: two thirds of a second when each of them gets in


class Listener:
    """The sockets of one door, and the connections that came through them."""

    def __init__(self, tls: ssl.SSLContext | None, clock: Clock, tasks: Tasks) -> None:
        self._tls = tls
        self._clock = clock
        self._tasks = tasks
        self._sockets: list[socket.socket] = []
        self._server: web.Server | None = None
        self._shaking: dict[asyncio.Task[Any], float] = {}

    def __repr__(self) -> str:
        return f"<Listener {len(self._visitors)} connections, {len(self._shaking)} shake hands>"

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
        for each in self._sockets:
            self._listen(each)
        self._tasks.supervise("http", self._watch)
        bound: int = self._sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        """Accepts nobody any more."""
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        self._sockets.clear()

    @property
    def is_crowded(self) -> bool:
        """Whether so many are connected that nobody should stay for a second request."""
        return self._taken > CROWD

    @property
    def _visitors(self) -> list[Visitor]:
        connected = () if self._server is None else self._server.connections
        return [each for each in connected if isinstance(each, Visitor) and not each.ended]

    @property
    def _taken(self) -> int:
        return len(self._visitors) + len(self._shaking)

    def _listen(self, listening: socket.socket) -> None:
        if listening in self._sockets:
            asyncio.get_running_loop().add_reader(listening, self._knocked, listening)

    def _knocked(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(listening)
        self._tasks.start("http.accept", self._accept(listening))

    async def _accept(self, listening: socket.socket) -> None:
        """Takes one of those who knock, once there is room for it; then listens again."""
        pause = ACCEPT_EVERY_S
        while not self._has_room():  # not for long: those who are in the way are answered one by one
            await self._clock.sleep(pause)
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            pass
        except OSError:
            pause = LOOK_EVERY_S  # no descriptor is left
        else:
            self._tasks.start("http.connection", self._take(connection))
        await self._clock.sleep(pause)
        self._listen(listening)

    def _has_room(self) -> bool:
        """Whether one more may come in, after whoever kept us waiting longest had to go if need be."""
        if self._taken < CONNECTIONS_MOST:
            return True
        waited_for: list[tuple[float, Callable[[], object]]] = [
            *((since, task.cancel) for task, since in self._shaking.items()),
            *((each.since, each.end) for each in self._visitors if not each.asking),
        ]
        if not waited_for:
            return False
        _, end = min(waited_for, key=lambda each: each[0])
        end()
        return True

    async def _take(self, connection: socket.socket) -> None:
        """Hands it to aiohttp, after the handshake where there is one."""
        server, task = self._server, asyncio.current_task()
        if server is None or task is None:
            raise AssertionError("nobody is accepted before the door is open")
        connection.settimeout(0)
        self._shaking[task] = self._clock.monotonic()
        try:
            with suppress(OSError, TimeoutError):  # it left, or does not speak TLS: its own affair
                await asyncio.get_running_loop().connect_accepted_socket(
                    lambda: Visitor(server, self._clock),
                    connection,
                    ssl=self._tls,
                    ssl_handshake_timeout=HANDSHAKE_S if self._tls else None,
                )
        finally:
            del self._shaking[task]

    async def _watch(self) -> None:
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            self._look()

    def _look(self) -> None:
        """Ends whoever asked nothing for too long, and does not wait for them to read their answer."""
        now = self._clock.monotonic()
        for each in self._visitors:
            if not each.asking and now - each.since > PATIENCE_S:
                each.end()


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
