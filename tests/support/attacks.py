"""What a hostile client does to the gRPC door, each attack a coroutine that tells in figures how far it came.

`python -m tests.support.attacks NAME PORT` runs one in a process of its own, so that the attacker's load is not the victim's,
and prints the figures as JSON. EXECSVC_TOKEN is the attacker's token, where it has one.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress

import grpc

from tests.support import http2
from tests.support.http2 import dialled, dribbling, frame, headers, message, ping, reset, settings

INFO = "/execsvc.v1.AdminService/GetServerInfo"
LISTING = "/execsvc.v1.MarketDataService/ListInstruments"
TICKERS = "/execsvc.v1.MarketDataService/SubscribeTickers"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
PATIENCE_S = 0.3  # of calls that make the gateway wait for the exchange
HANG_UP = (ConnectionError, OSError)


def credentials():
    token = os.environ.get("EXECSVC_TOKEN", "")
    return (("authorization", f"Bearer {token}"),) if token else ()


async def closed(wires):
    await asyncio.gather(*(wire.close() for wire in wires))


async def nobody(_, seconds=3.0):
    """No attack: the processor is used, and what that alone costs whoever is measured beside it is known."""
    until, turns = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        turns += 1
    return {"turns": turns}


async def half_open(port, count=1000, seconds=3.0):
    """Connections that send part of HTTP/2's preface and wait."""
    wires = []
    for _ in range(count):
        with suppress(*HANG_UP):
            wires.append(await dialled(port, http2.PREFACE[:10], greets=False, kept=0))
    await asyncio.sleep(seconds)
    shut = sum(wire.closed.is_set() for wire in wires)
    await closed(wires)
    return {"tried": count, "closed": count - len(wires) + shut}


async def dribbled(port, count=300, seconds=3.0):
    """Connections that send a call's headers a byte at a time."""
    wires, block = [], headers(1, INFO)
    for _ in range(count):
        with suppress(*HANG_UP):
            wires.append(await dribbling(port, kept=0))
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until and sent < len(block) - 1:
        for wire in wires:
            with suppress(*HANG_UP):
                await wire.send(block[sent : sent + 1])
        sent += 1
        await asyncio.sleep(0.05)
    await closed(wires)
    return {"tried": count, "bytes_each": sent}


async def unsent(port, streams=1000, connections=4, seconds=3.0, method=CHECK):
    """Calls that are announced and never sent: headers without a request, on many streams."""
    wires = [await dialled(port, kept=0) for _ in range(connections)]
    for number in range(streams):
        for wire in wires:
            with suppress(*HANG_UP):
                await wire.send(headers(1 + 2 * number, method, more=credentials()))
    await asyncio.sleep(seconds)
    ended = sum(wire.seen(http2.HEADERS) for wire in wires)
    await closed(wires)
    return {"calls": streams * connections, "answered": ended}


async def pings(port, count=20_000):
    """Pings without end."""
    wire, sent = await dialled(port, kept=0), 0
    with suppress(*HANG_UP):
        for number in range(count):
            await wire.send(ping(number))
            sent += 1
    hung_up = await wire.ended(5)
    await closed([wire])
    return {"sent": sent, "hung_up": hung_up}


async def resets(port, count=10_000, connections=1, seconds=0.0):
    """Rapid reset: a call opened and taken back at once, again and again."""
    wires, sent, until = [await dialled(port, kept=0) for _ in range(connections)], 0, time.monotonic() + seconds
    with suppress(*HANG_UP):
        while sent < count or time.monotonic() < until:
            stream = 1 + 2 * (sent // connections)
            opening = headers(stream, INFO, more=credentials()), message(stream, b"")
            await wires[sent % connections].send(*opening, reset(stream))
            sent += 1
            if sent % 100 == 0:
                await asyncio.sleep(0)
    await asyncio.sleep(0.5)
    shut = sum(wire.closed.is_set() for wire in wires)
    await closed(wires)
    return {"sent": sent, "hung_up": shut}


async def settings_flood(port, count=50_000):
    """Settings that each ask for an acknowledgement, which nobody reads."""
    wire, sent = await dialled(port, kept=0), 0
    with suppress(*HANG_UP):
        for number in range(count):
            await wire.send(settings((4, 65_535 + number % 2)))
            sent += 1
    await closed([wire])
    return {"sent": sent}


async def continuations(port, count=10_000):
    """Headers that never end."""
    wire, sent = await dialled(port, headers(1, INFO, end_headers=False), kept=0), 0
    with suppress(*HANG_UP):
        for number in range(count):
            await wire.send(frame(http2.CONTINUATION, 0, 1, http2.fields(((f"x{number}", "y" * 1000),))))
            sent += 1
    await closed([wire])
    return {"sent": sent}


async def streams(port, count=10_000, seconds=2.0):
    """One caller opens stream after stream of market data, a thousand on each connection."""
    body = b"\x0a\x07BTC/USD"
    wires = [await dialled(port, settings((4, 2**20)), kept=0) for _ in range(-(-count // 1000))]
    for number in range(count):
        stream = 1 + 2 * (number // len(wires))
        with suppress(*HANG_UP):
            await wires[number % len(wires)].send(headers(stream, TICKERS, more=credentials()), message(stream, body))
        if number % 50 == 0:
            await asyncio.sleep(0)
    await asyncio.sleep(seconds)
    ended = sum(wire.ends for wire in wires)
    await closed(wires)
    return {"tried": count, "refused": ended}


async def untaken(port, count=900, seconds=3.0):
    """Long answers that are asked for and not taken: the window for them stays shut."""
    wire = await dialled(port, settings((4, 0)), kept=0)
    with suppress(*HANG_UP):
        for number in range(count):
            stream = 1 + 2 * number
            await wire.send(headers(stream, LISTING, more=credentials()), message(stream, b""))
    await asyncio.sleep(seconds)
    await closed([wire])
    return {"asked": count, "cut": wire.seen(http2.RST_STREAM) + wire.ends}


async def watchers(port, count=1000, seconds=1.0):
    """Nobody in particular watches the health, on many streams."""
    wire = await dialled(port, kept=0)
    for number in range(count):
        with suppress(*HANG_UP):
            await wire.send(headers(1 + 2 * number, WATCH), message(1 + 2 * number, b""))
    await asyncio.sleep(seconds)
    refused = wire.ends
    await closed([wire])
    return {"tried": count, "refused": refused}


async def nonsense(port, count=10_000, seed=1, at_once=64):
    """Messages that nobody means, over the wire (fuzz.py makes them)."""
    from tests.support import fuzz  # it brings the contract with it, which no other attack needs

    chance, ends = random.Random(seed), Counter()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_retries", 0),)) as channel:

        async def one(number):
            method, kind, streamed = fuzz.METHODS[number % len(fuzz.METHODS)]
            call = channel.unary_stream(f"/{method}")(
                fuzz.request(chance, kind),
                timeout=PATIENCE_S,
                metadata=(*credentials(), ("x-request-id", f"n{number}")),
            )
            with suppress(grpc.aio.AioRpcError):
                if await call.read() is not grpc.aio.EOF and streamed:
                    call.cancel()
            ends[(await call.code()).name] += 1

        for first in range(0, count, at_once):
            await asyncio.gather(*(one(number) for number in range(first, min(count, first + at_once))))
    return {"sent": count, **ends}


async def http_dribbled(port, count=300, seconds=3.0):
    """Requests to the HTTP address that come a byte at a time. `port` is that one's."""
    held = []
    for _ in range(count):
        with suppress(*HANG_UP):
            held.append(await asyncio.open_connection("127.0.0.1", port))
    until, sent = time.monotonic() + seconds, b"GET /metrics HTTP/1.1\r\nX-Slow: "
    while time.monotonic() < until:
        byte, sent = sent[:1] or b"a", sent[1:]
        for reader, writer in held:
            if not reader.at_eof():
                writer.write(byte)
        await asyncio.sleep(0.05)
    shut = sum(reader.at_eof() for reader, _ in held)
    for _, writer in held:
        writer.close()
    return {"tried": count, "closed": count - len(held) + shut}


async def http_pipelined(port, count=20_000):
    """Requests written one after the other, and the answers not read until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    whole = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    answered = 0
    with suppress(*HANG_UP, TimeoutError):
        for _ in range(count // 100):
            writer.write(whole * 100)
            await asyncio.wait_for(writer.drain(), 5)
    writer.write_eof()
    with suppress(*HANG_UP, TimeoutError):
        while data := await asyncio.wait_for(reader.read(2**16), 5):
            answered += data.count(b"HTTP/1.1 200")
    writer.close()
    return {"asked": count, "answered": answered}


ATTACKS = {
    each.__name__: each
    for each in (
        nobody, half_open, dribbled, unsent, pings, resets, settings_flood, continuations, streams, untaken, watchers,
        nonsense, http_dribbled, http_pipelined,
    )
}  # fmt: skip


def main(name, port, **more):
    sys.stdout.write(json.dumps(asyncio.run(ATTACKS[name](int(port), **more))) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], **{name: float(value) if "." in value else int(value) for name, value in (
        each.split("=") for each in sys.argv[3:])})  # fmt: skip
