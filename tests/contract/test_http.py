"""ports.Http over real loopback sockets: one request, sent at most once, and honest about what may have left."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from execsvc.ports import NotSentError, Reply, ReplyLostError
from execsvc.runtime.http import AiohttpHttp

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


class RawServer:
    """Reads whole requests and does to each connection what `act(number of request, writer)` says."""

    def __init__(self, act):
        self._act = act
        self.requests = []
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.split(b":")[1])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length")
                    ),
                    0,
                )
                self.requests.append((head, await reader.readexactly(length)))
                await self._act(len(self.requests), writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(act, **options):
    raw = RawServer(act)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0)
    http = AiohttpHttp(user_agent="execsvc/test", **options)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw, http, url
    finally:
        await http.close()
        server.close()
        await server.wait_closed()


def answering(*replies):
    """Each reply to its request; None hangs up, a number waits so many seconds first."""

    async def act(number, writer):
        reply = replies[min(number, len(replies)) - 1]
        if isinstance(reply, float):
            await asyncio.sleep(reply)
            reply = OK
        if reply is None:
            writer.close()
            return
        writer.write(reply)
        await writer.drain()

    return act


def post(http, url, *, timeout_s=2.0, method="POST"):
    return http.send(method, url + "/0/private/AddOrder", {"API-Key": "k"}, b"nonce=1", timeout_s)


async def test_request_goes_out_as_given():
    """Method, path, headers, body and our User-Agent; the reply comes back whole."""
    async with serving(answering(OK)) as (raw, http, url):
        reply = await post(http, url)
    head, body = raw.requests[0]
    assert (reply.status, reply.body, body) == (200, b"hi", b"nonce=1")
    assert isinstance(reply, Reply)
    assert head.startswith(b"POST /0/private/AddOrder HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: execsvc/test\r\n" in head
    assert b"\r\nAPI-Key: k\r\n" in head


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_hung_up_connection_is_not_tried_again(method):
    """A server that reads the request and closes has seen it once, on a fresh connection and on a kept one."""
    async with serving(answering(None)) as (raw, http, url):
        with pytest.raises(ReplyLostError):
            await post(http, url, method=method)
        await asyncio.sleep(0.05)
        assert len(raw.requests) == 1
    async with serving(answering(OK, None, OK)) as (raw, http, url):
        await post(http, url, method=method)
        with pytest.raises(ReplyLostError):
            await post(http, url, method=method)
        await asyncio.sleep(0.05)
        assert (len(raw.requests), raw.connections) == (2, 1)


async def test_reset_after_the_request_is_a_lost_reply():
    """RST instead of an answer: it may have been carried out."""

    async def reset(_, writer):
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    async with serving(reset) as (raw, http, url):
        with pytest.raises(ReplyLostError):
            await post(http, url)
        await asyncio.sleep(0.05)
    assert len(raw.requests) == 1


async def test_silence_ends_with_the_patience():
    """No answer in time: lost, once, about when the time is over."""
    async with serving(answering(5.0)) as (raw, http, url):
        began = asyncio.get_running_loop().time()
        with pytest.raises(ReplyLostError):
            await post(http, url, timeout_s=0.2)
        took = asyncio.get_running_loop().time() - began
    assert len(raw.requests) == 1
    assert 0.15 < took < 2.0


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal",
        b"HTTP/1.1 200 OK\r\nCont",
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nxxxx",
    ],
)
async def test_torn_answer_is_a_lost_reply(reply):
    """Cut off in head or body, or no HTTP, or not what it says it is."""

    async def torn(_, writer):
        writer.write(reply)
        await writer.drain()
        writer.close()

    async with serving(torn) as (raw, http, url):
        with pytest.raises(ReplyLostError):
            await post(http, url)
    assert len(raw.requests) == 1


async def test_redirect_is_an_answer():
    """It is handed on, not followed: a POST is never sent elsewhere."""
    moved = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    async with serving(answering(moved)) as (raw, http, url):
        reply = await post(http, url)
    assert (reply.status, len(raw.requests)) == (307, 1)


async def test_error_status_is_an_answer():
    """502 with a page is for the fault table to judge."""
    page = b"HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>"
    async with serving(answering(page)) as (_, http, url):
        reply = await post(http, url)
    assert (reply.status, reply.body) == (502, b"<html>")


async def test_answers_are_bounded_in_size():
    """What is longer than the bound is given up, not stored."""
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000
    async with serving(answering(long), body_bytes_max=1000) as (_, http, url):
        with pytest.raises(ReplyLostError, match="longer than 1000"):
            await post(http, url)


async def test_connections_are_kept():
    """The second request goes over the first one's connection."""
    async with serving(answering(OK)) as (raw, http, url):
        for _ in range(5):
            await post(http, url)
    assert (len(raw.requests), raw.connections) == (5, 1)


async def test_slow_call_does_not_hold_up_the_next():
    """While one waits for its answer, another goes out over a second connection."""
    async with serving(answering(0.5, OK)) as (raw, http, url):
        slow = asyncio.ensure_future(post(http, url))
        await asyncio.sleep(0.05)
        await post(http, url)
        assert (slow.done(), raw.connections) == (False, 2)
        await slow


async def test_cancelled_call_closes_its_connection():
    """Its late answer cannot be taken for the next one's."""
    async with serving(answering(0.3, OK)) as (raw, http, url):
        doomed = asyncio.ensure_future(post(http, url))
        await asyncio.sleep(0.05)
        doomed.cancel()
        await asyncio.gather(doomed, return_exceptions=True)
        reply = await post(http, url)
        assert (reply.body, raw.connections) == (b"hi", 2)


async def test_refused_connection_was_not_sent():
    """Nobody listens: certain."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    http = AiohttpHttp(user_agent="execsvc/test")
    with pytest.raises(NotSentError):
        await post(http, f"http://127.0.0.1:{port}")
    await http.close()


async def test_unknown_name_was_not_sent():
    """DNS failure: certain."""
    http = AiohttpHttp(user_agent="execsvc/test")
    with pytest.raises(NotSentError):
        await post(http, "http://no-such-host.invalid")
    await http.close()


async def test_failed_tls_was_not_sent():
    """A peer that speaks no TLS has not seen the request."""
    async with serving(answering(OK)) as (raw, http, url):
        with pytest.raises(NotSentError):
            await post(http, url.replace("http:", "https:"))
    assert raw.requests == []


async def test_connection_that_does_not_come_about_was_not_sent():
    """A full backlog: the connect gives up at half the patience, so it is still known that nothing left."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
        fillers.append(filler)
    await asyncio.sleep(0.05)
    http = AiohttpHttp(user_agent="execsvc/test")
    with pytest.raises(NotSentError):
        await post(http, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout_s=0.4)
    await http.close()
    for each in (listener, *fillers):
        each.close()
