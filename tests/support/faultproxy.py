"""A TCP proxy that spoils a link on purpose: toxiproxy's toxics, and with `http=True` those that know requests.

It stands between real processes, in the loop of whoever starts it (faultproxy_thread.py gives it a loop of its own). Without
a toxic it changes nothing: bytes, half-closed connections, resets. What the toxics are stands in toxics.py. No TLS.
"""

import asyncio
import socket
from typing import Self

from tests.support.faultproxy_dialogue import Armed, Dialogue, Dialogues, News, Request
from tests.support.faultproxy_flow import Flow, reset, run_both
from tests.support.faultproxy_http import HEAD_MAX
from tests.support.toxics import Dose, Down, HttpToxic

CONNECTIONS_MAX = 512
CONNECT_S = 5.0


class FaultProxy:
    """Listens on a port of its own and passes everything on to `host:port`; `async with` starts and closes it."""

    def __init__(self, port: int, *, host: str = "127.0.0.1", http: bool = False) -> None:
        self.port = 0
        self.connections = 0
        self._upstream = (host, port)
        self._armed: list[Armed] = []
        self._places = 0
        self._news = News()
        self._dialogues = Dialogues(self._upstream, self._armed, self._news) if http else None
        self._reserved: socket.socket | None = None
        self._listener: socket.socket | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._failures: list[BaseException] = []

    async def __aenter__(self) -> Self:
        # Bound and never listening: the port stays ours while Down refuses connections on it.
        self._reserved = _bound(0)
        self.port = self._reserved.getsockname()[1]
        self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.clear()
        self._stop_listening()
        await self._cut_all()
        if self._dialogues is not None:
            await self._dialogues.close()
        if self._reserved is not None:
            self._reserved.close()
        if self._failures:
            raise self._failures[0]

    # ---- toxics ---------------------------------------------------------------------------------------------------

    def add(self, dose: Dose) -> Armed:
        """At work from now on, for the connections that stand as well. Raises ValueError for HTTP where there is none."""
        if isinstance(dose.toxic, HttpToxic) and self._dialogues is None:
            raise ValueError(f"{dose.toxic}: this proxy does not read HTTP")
        self._places += 1
        armed = Armed(dose, self._places)
        self._armed.append(armed)
        if isinstance(dose.toxic, Down):
            armed.strikes += 1
            self._stop_listening()
            for link in self._links:
                link.cancel()
        return armed

    def remove(self, armed: Armed) -> None:
        """It does nothing any more; what it held back goes on."""
        if armed not in self._armed:
            return
        self._armed.remove(armed)
        armed.gone.set()
        self._news.tell()
        if isinstance(armed.dose.toxic, Down) and not any(isinstance(each.dose.toxic, Down) for each in self._armed):
            self._listen()

    def clear(self) -> None:
        """Removes every toxic."""
        for armed in tuple(self._armed):
            self.remove(armed)

    # ---- what it saw ----------------------------------------------------------------------------------------------

    @property
    def asked(self) -> tuple[Request, ...]:
        """Requests as clients sent them, in the order they came; of a proxy that reads HTTP."""
        return () if self._dialogues is None else tuple(self._dialogues.asked)

    @property
    def sent(self) -> tuple[Request, ...]:
        """Requests that went on to the server whole, copies included, in the order they went."""
        return () if self._dialogues is None else tuple(self._dialogues.sent)

    @property
    def open_connections(self) -> int:
        """How many stand now."""
        return len(self._links)

    async def until_sent(self, path: str, count: int = 1, within_s: float = 10.0) -> bool:
        """Whether so many requests whose path ends in `path` went on to the server in time."""
        return await self._news.until(lambda: sum(each.is_for(path) for each in self.sent) >= count, within_s)

    # ---- listening ------------------------------------------------------------------------------------------------

    def _listen(self) -> None:
        self._listener = _bound(self.port)
        self._listener.listen(128)
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _stop_listening(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        try:
            client, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return  # whoever knocked has gone
        self.connections += 1
        if len(self._links) >= CONNECTIONS_MAX:
            client.close()
            return
        link = asyncio.create_task(self._serve(client, self.connections))
        self._links.add(link)
        link.add_done_callback(self._ended)

    def _ended(self, link: "asyncio.Task[None]") -> None:
        self._links.discard(link)
        failure = None if link.cancelled() else link.exception()
        if failure is not None:
            self._failures.append(failure)

    async def _serve(self, client: socket.socket, number: int) -> None:
        client.setblocking(False)
        from_client, to_client = await asyncio.open_connection(sock=client, limit=HEAD_MAX)
        try:
            async with asyncio.timeout(CONNECT_S):
                from_server, to_server = await asyncio.open_connection(*self._upstream, limit=HEAD_MAX)
        except (OSError, TimeoutError):
            reset(to_client)
            return
        dialogue = None if self._dialogues is None else Dialogue(self._dialogues)
        up = Flow("upstream", number, from_client, to_server, self._armed, dialogue)
        down = Flow("downstream", number, from_server, to_client, self._armed, dialogue)
        await run_both(up, down)

    async def _cut_all(self) -> None:
        links = tuple(self._links)
        for link in links:
            link.cancel()
        await asyncio.gather(*links, return_exceptions=True)


def _bound(port: int) -> socket.socket:
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.setblocking(False)
    bound.bind(("127.0.0.1", port))
    return bound
