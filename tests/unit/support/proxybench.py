"""Both ends of a proxied link, for the tests of the proxy: a server that says what reached it, and plain clients.

Real sockets on loopback. What is measured in seconds has a lower bound that proves the toxic and a generous upper one.
"""

import asyncio
from contextlib import asynccontextmanager

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector, web

PATIENCE_S = 5.0


class EchoServer:
    """Echoes every read. `reads` are (bytes) in order, `ends` how each connection ended: eof, reset or closed."""

    def __init__(self):
        self.port = 0
        self.connections = 0
        self.reads = []
        self.ends = []
        self.parting = b""  # said, and then hung up, as soon as something was read

    @property
    def received(self):
        return b"".join(self.reads)

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while data := await reader.read(65536):
                self.reads.append(data)
                writer.write(self.parting or data)
                await writer.drain()
                if self.parting:
                    self.ends.append("closed")
                    return
            self.ends.append("eof")
        except ConnectionError:
            self.ends.append("reset")
        finally:
            writer.close()


@asynccontextmanager
async def echo_server():
    echo = EchoServer()
    server = await asyncio.start_server(echo.serve, "127.0.0.1", 0)
    echo.port = server.sockets[0].getsockname()[1]
    try:
        yield echo
    finally:
        server.close()


class Line:
    """A client's connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def say(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self, count):
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(count)

    async def ask(self, data):
        """Says it and hears the echo; gives the seconds that took."""
        began = now()
        await self.say(data)
        assert await self.hear(len(data)) == data
        return now() - began

    async def rest(self):
        """All that still comes, and how it ends: eof or reset."""
        told = bytearray()
        async with asyncio.timeout(PATIENCE_S):
            try:
                while data := await self.reader.read(65536):
                    told += data
            except ConnectionResetError:
                return bytes(told), "reset"
        return bytes(told), "eof"

    async def hears_nothing(self, seconds):
        try:
            async with asyncio.timeout(seconds):
                return not await self.reader.read(1)
        except TimeoutError:
            return True


@asynccontextmanager
async def dialled(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def until(condition, seconds=PATIENCE_S):
    """Waits for what is known to come."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  the servers of these tests have no event to wait for
            await asyncio.sleep(0.005)


def now():
    return asyncio.get_running_loop().time()


class WebServer:
    """An aiohttp server that numbers what it carries out. `done` are the bodies, `peers` the connections they came over."""

    def __init__(self):
        self.port = 0
        self.done = []
        self.peers = set()

    async def answer(self, request):
        self.done.append((await request.read()).decode())
        self.peers.add(request.transport.get_extra_info("peername"))
        return web.Response(text=f"{len(self.done)}: {self.done[-1]}")

    async def in_chunks(self, request):
        answer = web.StreamResponse()
        answer.enable_chunked_encoding()
        await answer.prepare(request)
        for part in (b"one ", b"two ", b"three"):
            await answer.write(part)
        await answer.write_eof()
        return answer

    async def nothing(self, request):
        return web.Response(status=204)

    async def socket(self, request):
        line = web.WebSocketResponse()
        await line.prepare(request)
        async for message in line:
            await line.send_str(message.data.upper())
        return line


@asynccontextmanager
async def web_server():
    server = WebServer()
    app = web.Application()
    app.router.add_route("*", "/private/{call}", server.answer)
    app.router.add_get("/chunks", server.in_chunks)
    app.router.add_get("/nothing", server.nothing)
    app.router.add_get("/socket", server.socket)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        await runner.cleanup()


class Browser:
    """A client that never repeats a request by itself: POST only, one connection kept alive."""

    def __init__(self, session, port):
        self.session = session
        self.url = f"http://127.0.0.1:{port}"

    async def post(self, call, body, timeout_s=PATIENCE_S):
        """Status and text of the answer."""
        timeout = ClientTimeout(total=timeout_s)
        async with self.session.post(f"{self.url}/private/{call}", data=body, timeout=timeout) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def browser(port):
    async with ClientSession(connector=TCPConnector(), cookie_jar=DummyCookieJar()) as session:
        yield Browser(session, port)
