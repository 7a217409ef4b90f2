"""Mishaps on real sockets: a frame that breaks off, the second answer, the control port and what it takes."""

import asyncio
import json
import struct
import time
from typing import get_args

import aiohttp
import pytest

from execsvc.paper.mishap import Kind
from execsvc.paper.server import _frame_head
from tests.unit.paper.wirebench import receive

UPGRADE = (
    "GET {path} HTTP/1.1\r\nHost: paper\r\nUser-Agent: raw\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def raw_bytes(server, *, until_closed_s=3.0):
    """Open a WebSocket by hand and return all the bytes after the handshake, up to the end of the connection."""
    host, port = server.rest_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(UPGRADE.format(path="/v2").encode())
    await reader.readuntil(b"\r\n\r\n")
    said = await asyncio.wait_for(reader.read(-1), until_closed_s)
    writer.close()
    return said


async def test_half_a_frame_is_sent(server, trader):
    """The header promises the whole message, half of it comes, and then the connection ends without a close frame."""
    await trader.control("POST", "/faults", kind="cut_frame", channel="status")
    said = await raw_bytes(server)
    kind, mark, size = struct.unpack("!BBH", said[:4])
    assert (0x81, 126) == (kind, mark)
    assert size // 2 == len(said) - 4
    assert said[4:].startswith(b'{"channel":"status"')


@pytest.mark.parametrize(
    ("size", "head"), [(125, "817d"), (126, "817e007e"), (65_535, "817effff"), (65_536, "817f0000000000010000")]
)
def test_frame_heads(size, head):
    """The three lengths of a frame's length, as RFC 6455 writes them."""
    assert head == _frame_head(size).hex()


async def test_client_sees_a_cut_not_a_message(server, http, trader):
    """A client of the half frame gets what came before, then an abnormal end; nothing of the half message."""
    async with http.ws_connect(server.ws_url, autoclose=False) as socket:
        await socket.receive(timeout=3)
        await socket.send_json({"method": "subscribe", "params": {"channel": "ticker", "symbol": ["BTC/USD"]}})
        await trader.control("POST", "/faults", kind="cut_frame", channel="heartbeat")
        await trader.control("POST", "/market", frozen=True)
        kinds = []
        while not kinds or kinds[-1] is aiohttp.WSMsgType.TEXT:
            message = await socket.receive(timeout=3)
            assert b"heartbeat" not in (message.data or "").encode()
            kinds.append(message.type)
        assert aiohttp.WSMsgType.CLOSED == kinds[-1]
        assert 1006 == socket.close_code
    await asyncio.sleep(0.01)
    assert {} == server.exchange.audience.lines


async def test_second_answer_on_the_wire(trader):
    """Of a doubled request the second answer is heard, as late as its copy came, and the order stands."""
    await trader.control("POST", "/faults", kind="duplicate", call="AddOrder", answer="second", ms=150)
    began = time.monotonic()
    answer = await trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01")
    assert ["EAPI:Invalid nonce"] == answer["error"]
    assert time.monotonic() - began >= 0.15
    assert 1 == len((await trader.control("GET", "/orders"))["orders"])
    calls = (await trader.control("GET", "/calls"))["calls"]
    assert [(True, False), (False, True)] == [(call["applied"], call["answered"]) for call in calls]


async def test_slow_matching_on_the_wire(trader):
    """A slow engine holds up orders and nobody else."""
    await trader.control("POST", "/faults", kind="slow_matching", ms=200, spread_ms=50)
    began = time.monotonic()
    order = asyncio.create_task(trader.call("AddOrder", pair="XBTUSD", type="buy", ordertype="market", volume="0.01"))
    await asyncio.sleep(0.02)
    assert [] == (await trader.call("Balance"))["error"]
    assert time.monotonic() - began < 0.15
    assert [] == (await order)["error"]
    assert time.monotonic() - began >= 0.2


async def test_expired_token_on_the_wire(server, http, trader):
    """A subscription is refused once, the same line takes a fresh token."""
    await trader.control("POST", "/faults", kind="token_expired")
    async with http.ws_connect(server.ws_auth_url) as socket:
        answers = []
        for _ in range(2):
            token = (await trader.call("GetWebSocketsToken"))["result"]["token"]
            await socket.send_json({"method": "subscribe", "params": {"channel": "executions", "token": token}})
            answers.append(await receive(socket, lambda frame: frame.get("method") == "subscribe"))
    assert [False, True] == [answer["success"] for answer in answers]
    assert "ESession:Invalid session" == answers[0]["error"]


async def test_clock_skew_on_the_wire(server, http, trader):
    """Time is as far off as asked."""
    await trader.control("POST", "/faults", kind="clock_skew", ms=-90_000)
    async with http.get(f"{server.rest_url}/0/public/Time") as reply:
        unixtime = (await reply.json())["result"]["unixtime"]
    assert -92 < unixtime - time.time() < -88


@pytest.mark.parametrize("kind", get_args(Kind))
async def test_every_mishap_can_be_asked_for(trader, kind):
    """The control port takes every kind there is, and clears it."""
    await trader.control("POST", "/faults", kind=kind, ms=5, call="Time", channel="book", for_ms=50)
    assert {"faults": []} == await trader.control("DELETE", "/faults")
    state = await trader.control("GET", "/state")
    assert ([], "online") == (state["faults"], state["system"])
    assert state["clock"] == state["time"]


async def test_mishap_that_makes_no_sense_is_refused(server, http):
    """A figure that cannot be meant is answered with 400 and its name."""
    body = json.dumps({"kind": "delay", "ms": -5}).encode()
    async with http.post(f"{server.control_url}/faults", data=body) as reply:
        assert 400 == reply.status
        assert "ms must not be negative" in (await reply.json())["error"]
