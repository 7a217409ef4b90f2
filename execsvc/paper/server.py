"""The paper exchange on loopback: one port speaks Kraken's REST and both WebSocket roles, another takes orders itself.

This is the only place with a clock, a socket or a task. REST lives under `/0/`, public WebSocket under `/v2`,
private under `/v2/auth`; the control port, if wanted, is separate, so that no client meets it by accident.
"""

import asyncio
import ipaddress
import os
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import WSMsgType, web

from .control import answer_control
from .exchange import PaperExchange
from .figures import NS
from .ledger import LedgerBroken
from .line import CUT, Line, LineKind
from .options import PaperOptions
from .restface import Reply, Request
from .traffic import Cut, Ticket

_NAP_MIN_S, _NAP_MAX_S = 0.01, 0.2
_FRAME_MAX = 1 << 20
_CLOSE_S = 1.0
_FINAL_TEXT, _SHORT_FRAME_MAX = 0x81, 125
_PUBLIC_PATH, _PRIVATE_PATH = "/v2", "/v2/auth"
_PRIVATE_TOO = "/auth/v2"  # for clients that append /v2 to the address of each role themselves
_WS_KINDS: dict[str, LineKind] = {_PUBLIC_PATH: "public", _PRIVATE_PATH: "private", _PRIVATE_TOO: "private"}

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class PaperServer:
    """One exchange, listening. `start`, then read the addresses; `close` ends every connection and task."""

    def __init__(self, options: PaperOptions | None = None) -> None:
        options = options or PaperOptions()
        self._options = replace(options, life=options.life or str(time.time_ns()))
        self.exchange = PaperExchange(self._options, time.time_ns())
        self._runners: list[web.ServerRunner] = []
        self._ports: list[int] = []
        self._ticking: asyncio.Task[None] | None = None
        self._wakes: dict[int, asyncio.Event] = {}
        self._broken: LedgerBroken | None = None

    @property
    def rest_url(self) -> str:
        """Base address; Kraken's paths (/0/…) follow it."""
        return f"http://{self._authority(0)}"

    @property
    def ws_url(self) -> str:
        """Public WebSocket v2 address."""
        return f"ws://{self._authority(0)}{_PUBLIC_PATH}"

    @property
    def ws_auth_url(self) -> str:
        """Private WebSocket v2 address."""
        return f"ws://{self._authority(0)}{_PRIVATE_PATH}"

    @property
    def control_url(self) -> str | None:
        """Control address, if there is one."""
        return f"http://{self._authority(1)}" if len(self._ports) > 1 else None

    @property
    def api_key(self) -> str:
        """The account's key; starts with PAPER."""
        return self.exchange.venue.key.api_key

    @property
    def api_secret(self) -> str:
        """The key's secret, base64."""
        return self.exchange.venue.key.api_secret

    def key_of(self, account: str) -> tuple[str, str]:
        """Return an account's key and secret; raises KeyError for a name that is none."""
        key = self.exchange.venue.accounts[account].key
        return key.api_key, key.api_secret

    def environment(self) -> dict[str, str]:
        """Return what a client needs, by the names execsvc reads, in the order they are printed."""
        names = {
            "EXECSVC_KRAKEN_REST_URL": self.rest_url,
            "EXECSVC_KRAKEN_WS_URL": self.ws_url,
            "EXECSVC_KRAKEN_WS_AUTH_URL": self.ws_auth_url,
            "KRAKEN_API_KEY": self.api_key,
            "KRAKEN_API_SECRET": self.api_secret,
            "EXECSVC_TIER": self._options.tier,
        }
        for number, account in enumerate(self._options.others, 2):
            names[f"KRAKEN_API_KEY_{number}"], names[f"KRAKEN_API_SECRET_{number}"] = self.key_of(account.name)
        if self.control_url is not None:
            names["EXECSVC_PAPER_CONTROL_URL"] = self.control_url
        return names

    async def start(self) -> None:
        """Listen; raises OSError naming the port when it is taken, ValueError when the host is not loopback."""
        _check_host(self._options)
        try:
            await self._listen(self._serve, self._options.port)
            if self._options.control_port is not None:
                await self._listen(self._control, self._options.control_port)
        except OSError:
            await self.close()
            raise
        self._ticking = asyncio.create_task(self._tick())

    async def failed(self) -> None:
        """Return only by raising: a rule of the exchange itself was broken, and it stands still."""
        if self._ticking is not None:
            await asyncio.shield(self._ticking)

    async def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.gather(self._ticking, return_exceptions=True)
            self._ticking = None
        for line in list(self.exchange.audience.lines.values()):
            line.close()
        self._wake()
        for runner in self._runners:
            await runner.cleanup()
        self._runners.clear()

    def now(self) -> int:
        """Return the instant on the wall clock; it never goes back for the exchange."""
        return max(time.time_ns(), self.exchange.now)

    async def _listen(self, handler: Handler, port: int) -> None:
        host = self._options.host
        runner = web.ServerRunner(web.Server(handler, access_log=None), shutdown_timeout=_CLOSE_S)
        self._runners.append(runner)
        await runner.setup()
        site = web.TCPSite(runner, host, port)
        try:
            await site.start()
        except OSError as taken:
            why = os.strerror(taken.errno) if taken.errno else str(taken)
            raise OSError(taken.errno, f"cannot listen on {host}, port {port}: {why}") from taken
        self._ports.append(runner.addresses[0][1])

    def _authority(self, place: int) -> str:
        host = f"[{self._options.host}]" if ":" in self._options.host else self._options.host
        return f"{host}:{self._ports[place]}"

    async def _tick(self) -> None:
        """Let time pass: wake up when something is due, at least five times a second."""
        while True:
            if self._broken is not None:
                raise self._broken
            now = self.now()
            self.exchange.advance(now)
            self._wake()
            due = self.exchange.due
            nap = _NAP_MAX_S if due is None else (due - now) / NS
            await asyncio.sleep(min(max(nap, _NAP_MIN_S), _NAP_MAX_S))

    def _wake(self) -> None:
        for name, line in list(self.exchange.audience.lines.items()):
            if line.waiting and name in self._wakes:
                self._wakes[name].set()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        kind = _WS_KINDS.get(request.path)
        if kind is not None:
            return await self._serve_line(request, kind)
        try:
            ticket = self.exchange.http(await _read(request), self.now())
            outcome = await self._outcome(ticket)
        except LedgerBroken as broken:
            self._broken = broken
            raise
        self._wake()
        if isinstance(outcome, Cut):
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=500)
        return web.Response(status=outcome.status, headers=outcome.headers, body=outcome.body)

    async def _outcome(self, ticket: Ticket) -> Reply | Cut:
        while not ticket.ready(self.now()) or ticket.outcome is None:
            await asyncio.sleep(max(ticket.due - self.now(), 0) / NS)
            self.exchange.advance(self.now())
        return ticket.outcome

    async def _serve_line(self, request: web.BaseRequest, kind: LineKind) -> web.StreamResponse:
        socket = web.WebSocketResponse(max_msg_size=_FRAME_MAX, compress=False, timeout=_CLOSE_S)
        await socket.prepare(request)
        line = self.exchange.open(kind, self.now())
        wake = self._wakes[line.id] = asyncio.Event()
        wake.set()
        writing = asyncio.create_task(_write(request, socket, line, wake))
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self.exchange.hear(line, message.data, self.now())
                    self._wake()
        finally:
            self.exchange.close(line)
            del self._wakes[line.id]
            wake.set()
            await asyncio.gather(writing, return_exceptions=True)
        return socket

    async def _control(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        status, answer = answer_control(self.exchange, request.method, request.path, body, self.now())
        self._wake()
        return web.Response(status=status, body=answer, content_type="application/json")


async def serve(options: PaperOptions, *, announce: Callable[[dict[str, str]], None], stop: asyncio.Event) -> None:
    """Run an exchange until `stop` is set; `announce` gets the environment once it listens.

    Raises what `PaperServer.start` raises, and LedgerBroken should the exchange ever break its own rules.
    """
    server = PaperServer(options)
    await server.start()
    ends = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(server.failed())]
    try:
        announce(server.environment())
        done, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in done:
            end.result()
    finally:
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)
        await server.close()


async def _write(request: web.BaseRequest, socket: web.WebSocketResponse, line: Line, wake: asyncio.Event) -> None:
    """Send what the line has to say; close the socket, or cut it, once the exchange has hung up."""
    while not socket.closed:
        await wake.wait()
        wake.clear()
        try:
            for text in line.drain():
                await socket.send_str(text)
            if line.closed == CUT and request.transport is not None:
                _cut(request.transport, line)
                return
            if line.closed is not None:
                await socket.close(code=line.closed)
        except ConnectionError:
            return


def _cut(transport: asyncio.Transport, line: Line) -> None:
    """End a connection without a close frame; a torn message is begun first, its frame promising all of it."""
    if line.torn is None:
        transport.abort()
        return
    transport.write(_frame_head(line.torn.size) + line.torn.part)
    transport.close()


def _frame_head(size: int) -> bytes:
    """Return the header of an unmasked final text frame of `size` bytes (RFC 6455, section 5.2)."""
    if size <= _SHORT_FRAME_MAX:
        return struct.pack("!BB", _FINAL_TEXT, size)
    if size < 1 << 16:
        return struct.pack("!BBH", _FINAL_TEXT, _SHORT_FRAME_MAX + 1, size)
    return struct.pack("!BBQ", _FINAL_TEXT, _SHORT_FRAME_MAX + 2, size)


async def _read(request: web.BaseRequest) -> Request:
    headers = {name.lower(): value for name, value in request.headers.items()}
    url = request.rel_url
    return Request(request.method, url.raw_path, url.raw_query_string, headers, await request.read())


def _check_host(options: PaperOptions) -> None:
    try:
        loopback = ipaddress.ip_address(options.host).is_loopback
    except ValueError:
        loopback = options.host == "localhost"
    if not loopback and not options.insecure_bind:
        raise ValueError(
            f"the paper exchange listens on loopback only, not on {options.host}: its keys are no secret; "
            "set insecure_bind to listen there all the same"
        )
