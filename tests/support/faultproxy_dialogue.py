"""What the proxy does to requests and answers: drop, replace, duplicate, hold back. Connections are faultproxy.py's affair.

One `Dialogues` for a proxy remembers what was asked and what went on; one `Dialogue` for a connection pairs each answer with
its request. Bounded all over: what is remembered, what is held, how long a copy may take.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from tests.support.faultproxy_http import HEAD_MAX, Message, responses
from tests.support.toxics import Dose, DropReply, Duplicate, Overtake, ReplacePage

REMEMBERED_MAX = 10_000
COPY_S = 15.0
COPIES_MAX = 64
DRAIN_S = 15.0  # a client that hung up does not take its unanswered requests with it


class Armed:
    """A dose at work: what is left of it, whom it struck, and whether it was removed."""

    def __init__(self, dose: Dose, place: int) -> None:
        self.dose = dose
        self.place = place
        self.strikes = 0
        self.gone = asyncio.Event()
        self._skip = dose.skip
        self._left = dose.times
        self._chance = Random(f"{dose.seed} whom")

    def strikes_next(self) -> bool:
        """Whether the next connection or request is struck; counts it."""
        if self.gone.is_set() or self._left == 0:
            return False
        if self._skip:
            self._skip -= 1
            return False
        if self._chance.random() >= self.dose.chance:
            return False
        if self._left is not None:
            self._left -= 1
        self.strikes += 1
        return True

    async def nap(self, seconds: float) -> None:
        """So long, or until it is removed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.gone.wait()


class News:
    """Wakes whoever waits for something of the proxy to become true."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def tell(self) -> None:
        """Something changed."""
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, condition: Callable[[], bool], within_s: float) -> bool:
        """Whether it came true in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while not condition():
                    await self._event.wait()
        return condition()


@dataclass(frozen=True)
class Request:
    """One request: its number on this proxy from 1, and the loop's time when it came."""

    number: int
    at: float
    message: Message

    def is_for(self, path: str) -> bool:
        """Whether its path ends so."""
        return self.message.path.endswith(path)


class Dialogues:
    """All HTTP of one proxy. `asked` as clients sent it, `sent` what went on to the server whole, in that order."""

    def __init__(self, upstream: tuple[str, int], armed: list[Armed], news: News) -> None:
        self.asked: deque[Request] = deque(maxlen=REMEMBERED_MAX)
        self.sent: deque[Request] = deque(maxlen=REMEMBERED_MAX)
        self.news = news
        self.latest_answered = 0
        self._upstream = upstream
        self._armed = armed
        self._numbers = 0
        self._copies: set[asyncio.Task[Message | None]] = set()

    def ask(self, message: Message) -> Request:
        """A request came in."""
        self._numbers += 1
        request = Request(self._numbers, asyncio.get_running_loop().time(), message)
        self.asked.append(request)
        self.news.tell()
        return request

    def went(self, request: Request) -> None:
        """Its last byte was handed to the server's socket."""
        self.sent.append(request)
        self.news.tell()

    def answered(self, request: Request) -> None:
        """The server's answer to it was read."""
        self.latest_answered = max(self.latest_answered, request.number)
        self.news.tell()

    async def hold(self, request: Request) -> None:
        """Where it is to be overtaken: until a later one was answered, the toxic is gone, or its time is over."""
        for armed in tuple(self._armed):
            match armed.dose.toxic:
                case Overtake(path, hold_s) if request.is_for(path) and armed.strikes_next():
                    await self.news.until(partial(self._let_go, request, armed), hold_s)
                    return

    def _let_go(self, request: Request, armed: Armed) -> bool:
        return armed.gone.is_set() or self.latest_answered > request.number

    def mishap(self, request: Request) -> DropReply | ReplacePage | Duplicate | None:
        """What becomes of the answer to it, by the first toxic that fits: one that was added meanwhile counts."""
        for armed in self._armed:
            match armed.dose.toxic:
                case DropReply() | ReplacePage() | Duplicate() as toxic:
                    if request.is_for(toxic.path) and armed.strikes_next():
                        return toxic
        return None

    def copy(self, request: Request, after_s: float) -> "asyncio.Task[Message | None]":
        """Sends it again beside, on a connection of its own; the task gives the answer, None where none came."""
        task = asyncio.create_task(self._again(request, after_s if len(self._copies) < COPIES_MAX else None))
        self._copies.add(task)
        task.add_done_callback(self._copies.discard)
        return task

    async def _again(self, request: Request, after_s: float | None) -> Message | None:
        if after_s is None:
            return None
        await asyncio.sleep(after_s)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(COPY_S):
                reader, writer = await asyncio.open_connection(*self._upstream, limit=HEAD_MAX)
                try:
                    writer.write(request.message.raw)
                    await writer.drain()
                    self.went(request)
                    async for answer in responses(reader, lambda: request.message.method):
                        if answer.whole and not answer.preliminary:
                            return answer
                finally:
                    writer.close()
        return None

    async def close(self) -> None:
        """Ends the copies under way."""
        for task in self._copies:
            task.cancel()
        await asyncio.gather(*self._copies, return_exceptions=True)


class Dialogue:
    """The requests of one connection that wait for their answers, in order."""

    def __init__(self, all_of_them: Dialogues) -> None:
        self._all = all_of_them
        self._waiting: deque[Request] = deque()
        self._leaving: Request | None = None

    def next_method(self) -> str:
        """Of the request that the next answer is for."""
        return self._waiting[0].message.method if self._waiting else ""

    async def forward(self, message: Message) -> bytes:
        """The bytes that go on to the server; they come late when the request is held back."""
        if not message.whole:
            return message.raw
        request = self._all.ask(message)
        await self._all.hold(request)
        self._waiting.append(request)
        self._leaving = request
        return message.raw

    def went(self) -> None:
        """What `forward` gave has been written."""
        if self._leaving is not None:
            self._all.went(self._leaving)
            self._leaving = None

    async def answer(self, message: Message) -> bytes | None:
        """The bytes that go on to the client; None: it is cut off instead."""
        if not message.whole or message.preliminary or not self._waiting:
            return message.raw
        request = self._waiting.popleft()
        self._all.answered(request)
        match self._all.mishap(request):
            case DropReply(silent=silent):
                return b"" if silent else None
            case ReplacePage(status=status):
                return page(status)
            case Duplicate(told="first", after_s=after_s):
                self._all.copy(request, after_s)
                return message.raw
            case Duplicate(after_s=after_s):
                second = await self._all.copy(request, after_s)
                return None if second is None else second.raw
            case _:
                return message.raw

    def over(self) -> None:
        """The server has hung up: nothing is answered any more."""
        self._waiting.clear()
        self._all.news.tell()

    async def until_answered(self) -> None:
        """Until nothing waits for an answer, or for so long as a client's death may be kept from the server."""
        await self._all.news.until(lambda: not self._waiting, DRAIN_S)


def page(status: int) -> bytes:
    """What an edge server answers for a server it could not hear."""
    words = {502: "Bad gateway", 520: "Web server is returning an unknown error"}.get(status, "Error")
    body = (
        f"<!DOCTYPE html>\n<html><head><title>{status}: {words}</title></head>\n"
        f"<body><h1>{words}</h1><p>Error code {status}</p></body></html>\n"
    ).encode()
    head = (
        f"HTTP/1.1 {status} {words}\r\nServer: cloudflare\r\nContent-Type: text/html; charset=UTF-8\r\n"
        f"Content-Length: {len(body)}\r\nConnection: keep-alive\r\n\r\n"
    )
    return head.encode() + body
