"""HTTP/2 as a hostile client writes it: single frames, in any order, over a plain socket.

Just enough of RFC 9113 and of HPACK's literal form (RFC 7541, section 6.2.2) to begin gRPC calls and to misbehave with them.
Nothing here keeps to the rules by itself: that is the caller's choice.
"""

import asyncio
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, END_HEADERS, ACK = 0x1, 0x4, 0x1
CANCEL = 8
NAMES = {
    DATA: "DATA", HEADERS: "HEADERS", RST_STREAM: "RST_STREAM", SETTINGS: "SETTINGS", PING: "PING", GOAWAY: "GOAWAY",
    WINDOW_UPDATE: "WINDOW_UPDATE", CONTINUATION: "CONTINUATION",
}  # fmt: skip


def frame(kind, flags=0, stream=0, payload=b""):
    """One frame: nine bytes and what it carries."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs):
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def ping(number=0):
    return frame(PING, payload=struct.pack(">Q", number))


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def headers(stream, method, *, more=(), end_headers=True, end_stream=False):
    """A gRPC call's headers, uncompressed: POST /method."""
    block = fields(((":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "localhost"),
                    ("content-type", "application/grpc"), ("te", "trailers"), *more))  # fmt: skip
    return frame(HEADERS, (END_HEADERS if end_headers else 0) | (END_STREAM if end_stream else 0), stream, block)


def fields(pairs):
    """Header fields as HPACK literals without indexing."""
    return b"".join(b"\x00" + _text(name) + _text(value) for name, value in pairs)


def message(stream, body, *, end=True):
    """A gRPC message in a DATA frame."""
    return frame(DATA, END_STREAM if end else 0, stream, struct.pack(">BI", 0, len(body)) + body)


def _text(text):
    raw = text.encode() if isinstance(text, str) else text
    return _length(len(raw)) + raw


def _length(number):
    """HPACK's integer with a prefix of seven bits."""
    if number < 127:
        return bytes((number,))
    number -= 127
    made = bytearray((127,))
    while number >= 128:
        made.append(number % 128 + 128)
        number //= 128
    made.append(number)
    return bytes(made)


async def dialled(port, *opening, greets=True, **options):
    """A connection; with the preface and settings unless it is to be rude, and then whatever else it begins with."""
    wire = Wire(*await asyncio.open_connection("127.0.0.1", port), greets=greets, **options)
    await wire.send(*((PREFACE, settings()) if greets else ()), *opening)
    return wire


async def dribbling(port, **options):
    """A connection that has been greeted and says nothing more by itself: its next frame may go out byte by byte."""
    wire = await dialled(port, **options)
    async with asyncio.timeout(5):
        await wire.greeted.wait()
    wire.greets = False
    return wire


class Wire:
    """One connection. What comes back is read in the background and kept as (kind, flags, stream, payload)."""

    def __init__(self, reader, writer, *, greets=True, kept=1000):
        self._reader, self.writer = reader, writer
        self.greets, self._kept = greets, kept
        self.greeted, self._news = asyncio.Event(), asyncio.Event()
        self.frames, self.counts = [], {}
        self.ends = 0  # calls that the server ended
        self.closed = asyncio.Event()
        self._listening = asyncio.ensure_future(self._listen())

    async def send(self, *frames):
        """Raises ConnectionError when the server has hung up."""
        if self.closed.is_set():
            raise ConnectionResetError("the server hung up")
        self.writer.write(b"".join(frames))
        await self.writer.drain()

    async def ended(self, within_s):
        """Whether the server hung up within so many seconds."""
        try:
            async with asyncio.timeout(within_s):
                await self.closed.wait()
        except TimeoutError:
            return False
        return True

    async def until(self, holds, within_s=3.0):
        """Until `holds()`, which what comes back decides; TimeoutError when it does not in time."""
        async with asyncio.timeout(within_s):
            while not holds():
                self._news.clear()
                await self._news.wait()

    def seen(self, kind):
        """How many frames of a kind came."""
        return self.counts.get(kind, 0)

    async def close(self):
        self._listening.cancel()
        self.writer.close()
        await asyncio.gather(self._listening, return_exceptions=True)

    async def _listen(self):
        try:
            while True:
                head = await self._reader.readexactly(9)
                kind, flags, stream = struct.unpack(">BBI", head[3:])
                payload = await self._reader.readexactly(int.from_bytes(head[:3]))
                self.counts[kind] = self.counts.get(kind, 0) + 1
                self.ends += kind == HEADERS and bool(flags & END_STREAM)
                if len(self.frames) < self._kept:
                    self.frames.append((kind, flags, stream, payload))
                self._news.set()
                if self.greets and kind in {SETTINGS, PING} and not flags & ACK:
                    self.writer.write(frame(kind, ACK, 0, payload if kind == PING else b""))
                if kind == SETTINGS and flags & ACK:
                    self.greeted.set()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
