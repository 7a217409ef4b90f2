"""HTTP/1.1 as a proxy must know it: where one message ends and the next begins. Bytes are kept exactly as they came.

Content-Length, chunked, bodies that end with the connection, answers that have none, upgrades. What cannot be read as HTTP,
was cut off or waits for a 100-continue goes on as fragments: a proxy does not correct its neighbours. No toxics here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

HEAD_MAX = 64 * 1024
BODY_MAX = 8 * 1024 * 1024
FRAGMENT = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_SWITCHING, _NO_CONTENT, _NOT_MODIFIED = 101, 204, 304


@dataclass(frozen=True)
class Message:
    """A request or an answer. A fragment is not `whole`: its bytes are in `body` and its head is empty."""

    head: bytes
    body: bytes = b""
    whole: bool = True

    @property
    def raw(self) -> bytes:
        """Every byte of it."""
        return self.head + self.body

    @property
    def start(self) -> list[str]:
        """The words of the first line."""
        return self.head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")

    @property
    def method(self) -> str:
        """Of a request."""
        return self.start[0]

    @property
    def path(self) -> str:
        """Of a request, without its query."""
        return self.start[1].partition("?")[0]

    @property
    def status(self) -> int:
        """Of an answer."""
        return int(self.start[1])

    @property
    def preliminary(self) -> bool:
        """An answer that is not the last word: 100, 102, 103."""
        return self.whole and 100 <= self.status < 200 and self.status != _SWITCHING

    def header(self, name: str) -> str:
        """The value, joined by commas where it stands more than once; empty where it does not."""
        rows = (row.partition(":") for row in self.head.decode("latin-1").split("\r\n")[1:])
        return ",".join(value.strip() for key, _, value in rows if key.strip().lower() == name)


async def requests(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    """Requests as they come; after one that asks for an upgrade only fragments."""
    while True:
        head = await _head(reader, lambda words: len(words) == 3 and words[2].startswith("HTTP/1."))
        if head is None or not head.whole:
            break
        if head.header("expect"):
            head = Message(b"", head.raw, whole=False)
            break
        message = await _with_body(reader, head, _body_rule(head, to_the_end=False))
        if message.whole:
            yield message
        if not message.whole or message.header("upgrade"):
            head = None if message.whole else message
            break
    async for fragment in _fragments(reader, head):
        yield fragment


async def responses(reader: asyncio.StreamReader, asked: Callable[[], str]) -> AsyncIterator[Message]:
    """Answers as they come; `asked` tells the method of the request the next one is for. After an upgrade fragments."""
    while True:
        head = await _head(reader, lambda words: words[0].startswith("HTTP/1.") and words[1:2] and words[1].isdigit())
        if head is None or not head.whole:
            break
        bare = asked() == "HEAD" or head.status < 200 or head.status in {_NO_CONTENT, _NOT_MODIFIED}
        message = head if bare else await _with_body(reader, head, _body_rule(head, to_the_end=True))
        if message.whole:
            yield message
        if not message.whole or head.status == _SWITCHING:
            head = None if message.whole else message
            break
    async for fragment in _fragments(reader, head):
        yield fragment


async def _head(reader: asyncio.StreamReader, fits: Callable[[list[str]], object]) -> Message | None:
    """A head; a fragment where there is none; None at the end of the stream."""
    try:
        raw = await reader.readuntil(_END_OF_HEAD)
    except asyncio.IncompleteReadError as cut:
        return Message(b"", cut.partial, whole=False) if cut.partial else None
    except asyncio.LimitOverrunError:
        return Message(b"", await reader.read(FRAGMENT), whole=False)
    head = Message(raw)
    return head if fits(head.start) else Message(b"", raw, whole=False)


def _body_rule(head: Message, *, to_the_end: bool) -> int | str:
    """How long the body is, `chunked`, `end`, or `lost` where nobody can tell."""
    if "chunked" in head.header("transfer-encoding").lower():
        return "chunked"
    length = head.header("content-length")
    if not length:
        return "end" if to_the_end else 0
    return int(length) if length.isdecimal() and int(length) <= BODY_MAX else "lost"


async def _with_body(reader: asyncio.StreamReader, head: Message, rule: int | str) -> Message:
    body = bytearray()
    try:
        match rule:
            case "chunked":
                await _chunked(reader, body)
            case "end":
                while len(body) <= BODY_MAX and (data := await reader.read(FRAGMENT)):
                    body += data
            case int(length):
                body += await reader.readexactly(length)
    except asyncio.IncompleteReadError as cut:
        return Message(b"", head.raw + bytes(body) + cut.partial, whole=False)
    except (asyncio.LimitOverrunError, _NotChunkedError):
        return Message(b"", head.raw + bytes(body), whole=False)
    if rule == "lost" or len(body) > BODY_MAX:
        return Message(b"", head.raw + bytes(body), whole=False)
    return Message(head.head, bytes(body))


class _NotChunkedError(Exception):
    """What stands where a chunk's size should be is none, or the body is too long to be held."""


async def _chunked(reader: asyncio.StreamReader, body: bytearray) -> None:
    """Adds the chunks to `body`, framing and trailers included."""
    while True:
        line = await reader.readuntil(b"\r\n")
        body += line
        digits = line.partition(b";")[0].strip()
        if not digits or digits.strip(b"0123456789abcdefABCDEF") or len(body) + int(digits, 16) > BODY_MAX:
            raise _NotChunkedError
        if int(digits, 16) == 0:
            break
        body += await reader.readexactly(int(digits, 16) + 2)
    while line != b"\r\n" and len(body) <= BODY_MAX:
        line = await reader.readuntil(b"\r\n")
        body += line


async def _fragments(reader: asyncio.StreamReader, first: Message | None) -> AsyncIterator[Message]:
    if first is not None:
        yield first
    while data := await reader.read(FRAGMENT):
        yield Message(b"", data, whole=False)
