"""The network in memory: scripted HTTP answers, and WebSocket lines whose other end is the test."""

import asyncio
import json
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from execsvc.ports import LineClosedError, NotSentError, Reply


@dataclass(frozen=True)
class Sent:
    """One request as it left."""

    method: str
    path: str
    params: dict
    headers: dict
    body: bytes | None
    at: float


def answer(result=None, *errors, status=200, headers=None):
    """A reply in Kraken's envelope."""
    body = {"error": list(errors)} if result is None else {"error": list(errors), "result": result}
    return Reply(status, headers or {}, json.dumps(body).encode())


class ScriptedHttp:
    """Answers by `script(sent)`, which returns a Reply, raises, or is a coroutine function of the same kind."""

    def __init__(self, script):
        self._script = script
        self.sent = []
        self.in_flight = 0
        self.most_in_flight = 0

    def calls(self, name):
        """The requests to the endpoint of that name."""
        return [sent for sent in self.sent if sent.path.endswith("/" + name)]

    async def send(self, method, url, headers, body, timeout_s):
        parts = urlsplit(url)
        query = (body or b"").decode() if method == "POST" else parts.query
        now = asyncio.get_running_loop().time()
        sent = Sent(method, parts.path, dict(parse_qsl(query)), dict(headers), body, now)
        self.sent.append(sent)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = self._script(sent)
            return await reply if asyncio.iscoroutine(reply) else reply
        finally:
            self.in_flight -= 1


class MemoryLine:
    """A line: the code under test has one end, the test `tell`s, reads `said` and may `cut`."""

    def __init__(self):
        self._frames = asyncio.Queue()
        self.said = []
        self.closed = False

    def tell(self, frame):
        self._frames.put_nowait(frame if isinstance(frame, bytes) else json.dumps(frame).encode())

    def cut(self, why="cut"):
        self._frames.put_nowait(LineClosedError(why))

    def asked(self, method):
        return [message for message in map(json.loads, self.said) if message["method"] == method]

    async def send(self, text):
        if self.closed:
            raise LineClosedError("closed")
        self.said.append(text)

    async def receive(self):
        frame = await self._frames.get()
        if isinstance(frame, LineClosedError):
            self._frames.put_nowait(frame)
            raise frame
        return frame

    async def close(self):
        self.closed = True
        self.cut("closed here")


class MemoryDialer:
    """Hands out lines in order; `refusals` many dials fail first."""

    def __init__(self, *, refusals=0):
        self.lines = []
        self.dials = []
        self.refusals = refusals

    async def dial(self, url, timeout_s):
        self.dials.append(asyncio.get_running_loop().time())
        if self.refusals:
            self.refusals -= 1
            raise NotSentError("refused")
        line = MemoryLine()
        self.lines.append(line)
        return line
