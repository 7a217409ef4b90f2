"""ports.WsDialer and Line over real loopback sockets: whole frames, honest ends, bounds."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest
from aiohttp import WSMsgType, web

from execsvc.ports import LineClosedError, NotSentError
from execsvc.runtime.ws import AiohttpDialer


@asynccontextmanager
async def serving(handle, **options):
    """A WebSocket server whose connections run `handle(socket, request)`; yields a dialer and its address."""

    async def serve(request):
        served = web.WebSocketResponse(autoping=False)
        await served.prepare(request)
        await handle(served, request)
        return served

    runner = web.ServerRunner(web.Server(serve), shutdown_timeout=0.2)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    dialer = AiohttpDialer(user_agent="execsvc/test", **options)
    try:
        yield dialer, f"ws://127.0.0.1:{runner.addresses[0][1]}/v2"
    finally:
        await dialer.close()
        await runner.cleanup()


async def echo(served, _):
    async for message in served:
        if message.type is WSMsgType.TEXT:
            await served.send_str(message.data)


async def test_frames_travel_whole_both_ways():
    """Text out, bytes in, in order, however long."""
    async with serving(echo) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        texts = ["{}", "ä" * 1000, "x" * 200_000]
        for text in texts:
            await line.send(text)
        assert [text.encode() for text in texts] == [await line.receive() for _ in texts]
        await line.close()


async def test_dialer_says_who_it_is():
    """Every request carries our User-Agent."""
    seen = []

    async def note(served, request):
        seen.append(request.headers["User-Agent"])

    async with serving(note) as (dialer, url):
        await (await dialer.dial(url, 1.0)).close()
    assert seen == ["execsvc/test"]


async def test_peer_that_closes_is_told_with_its_code():
    """1012: service restart."""

    async def restart(served, _):
        await served.close(code=1012)

    async with serving(restart) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        with pytest.raises(LineClosedError, match="1012"):
            await line.receive()
        with pytest.raises(LineClosedError):
            await line.receive()


async def test_cut_connection_is_closed():
    """No goodbye at all."""

    async def cut(served, request):
        request.transport.abort()

    async with serving(cut) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        with pytest.raises(LineClosedError):
            await line.receive()


async def test_sending_on_a_closed_line_fails():
    """It does not vanish in silence."""
    async with serving(echo) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        await line.close()
        with pytest.raises(LineClosedError):
            await line.send("{}")


async def test_close_wakes_whoever_receives():
    """A reader of a silent line is freed when another task closes it."""
    async with serving(echo) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        reading = asyncio.ensure_future(line.receive())
        await asyncio.sleep(0.02)
        await line.close()
        with pytest.raises(LineClosedError):
            await reading


async def test_close_of_a_deaf_peer_is_quick():
    """A peer that never answers the goodbye costs half a second, not ten."""

    async def deaf(served, _):
        await asyncio.sleep(3)

    async with serving(deaf) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        began = asyncio.get_running_loop().time()
        await line.close()
        assert asyncio.get_running_loop().time() - began < 1.5


async def test_frames_are_bounded_in_size():
    """One that is longer ends the line."""

    async def shout(served, _):
        await served.send_str("x" * 5000)
        await asyncio.sleep(0.5)

    async with serving(shout, frame_bytes_max=1000) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        with pytest.raises(LineClosedError):
            await line.receive()


async def test_binary_frame_is_no_text():
    """Kraken sends none."""

    async def binary(served, _):
        await served.send_bytes(b"\0")
        await asyncio.sleep(0.2)

    async with serving(binary) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        with pytest.raises(LineClosedError, match="binary"):
            await line.receive()


async def test_pings_are_answered_and_not_shown():
    """The protocol's own pings stay below."""
    pongs = []

    async def ping(served, _):
        await served.ping(b"?")
        pongs.append((await served.receive()).type)
        await served.send_str("after")

    async with serving(ping) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        assert await line.receive() == b"after"
    assert pongs == [WSMsgType.PONG]


async def test_cancelled_receive_loses_no_frame():
    """A reader that gave up waiting finds the frame at its next look."""

    async def later(served, _):
        await asyncio.sleep(0.1)
        await served.send_str("late")
        await asyncio.sleep(0.5)

    async with serving(later) as (dialer, url):
        line = await dialer.dial(url, 1.0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await line.receive()
        assert await line.receive() == b"late"
        await line.close()


async def test_nobody_there_is_not_sent():
    """Connection refused."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{free.getsockname()[1]}"
    dialer = AiohttpDialer(user_agent="execsvc/test")
    with pytest.raises(NotSentError):
        await dialer.dial(url, 1.0)
    await dialer.close()


async def test_refused_handshake_is_not_sent():
    """An HTTP error instead of the upgrade."""

    async def refuse(request):
        return web.Response(status=503)

    runner = web.ServerRunner(web.Server(refuse))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    dialer = AiohttpDialer(user_agent="execsvc/test")
    with pytest.raises(NotSentError, match="503"):
        await dialer.dial(f"ws://127.0.0.1:{runner.addresses[0][1]}", 1.0)
    await dialer.close()
    await runner.cleanup()


async def test_handshake_that_never_ends_is_given_up():
    """A server that accepts and says nothing: the dial's time bounds it."""
    server = await asyncio.start_server(lambda *_: asyncio.sleep(5), "127.0.0.1", 0)
    dialer = AiohttpDialer(user_agent="execsvc/test")
    with pytest.raises(NotSentError):
        await dialer.dial(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", 0.2)
    await dialer.close()
    server.close()
