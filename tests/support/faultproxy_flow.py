"""One connection under toxics: two directions, each read ahead with its time, written through the toxics, and ended.

How a direction ends decides what the other end is shown: an end of stream, a close, a reset. Which toxics are at work is
told by faultproxy.py; what they do to HTTP stands in faultproxy_dialogue.py.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from random import Random
from typing import Literal

from tests.support.faultproxy_dialogue import Armed, Dialogue
from tests.support.faultproxy_http import FRAGMENT, Message, requests, responses
from tests.support.toxics import Chunk, Direction, Down, End, Ending, HttpToxic, Pass, SlowClose, Wait

HALF_OPEN_S = 20.0  # how long one direction may outlive the other
CHUNKS_MAX = 32  # read ahead of a toxic that holds back
CLOSE_S = 2.0
_RESET = b"\1\0\0\0\0\0\0\0"  # SO_LINGER on, 0 s: close with a reset

Ended = Literal["eof", "close", "reset sink", "reset source"]


async def run_both(up: "Flow", down: "Flow") -> None:
    """Runs both directions; how the first one ends decides what becomes of the other, and of the sockets."""
    flows = {asyncio.create_task(flow.run()): flow for flow in (up, down)}
    try:
        done, rest = await asyncio.wait(flows, return_when=asyncio.FIRST_COMPLETED)
        if rest and all(task.result() == "eof" for task in done):
            await asyncio.wait(rest, timeout=HALF_OPEN_S)
        for task in (each for each in flows if each.done()):
            if task.result() == "reset sink":
                reset(flows[task].sink)
            elif task.result() == "reset source":
                reset(down.sink if flows[task] is up else up.sink)
    finally:
        for task in flows:
            task.cancel()
        try:
            await asyncio.gather(*flows, return_exceptions=True)
            await asyncio.gather(_closed(up.sink), _closed(down.sink))
        finally:
            up.sink.transport.abort()
            down.sink.transport.abort()


async def _closed(writer: asyncio.StreamWriter) -> None:
    """Closed once what was written has left, or given up."""
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(CLOSE_S):
            await writer.wait_closed()


class _Ends(Exception):
    """A toxic ends the connection."""

    def __init__(self, how: Ending) -> None:
        self.how = how


class _Struck:
    """A connection under one toxic: its own draws, and how many bytes the toxic let pass."""

    def __init__(self, chance: Random) -> None:
        self.chance = chance
        self.passed = 0


class Flow:
    """One direction of one connection: what comes is read ahead with its time, then written through the toxics."""

    def __init__(
        self,
        direction: Direction,
        number: int,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        armed: list[Armed],
        dialogue: Dialogue | None,
    ) -> None:
        self.sink = sink
        self._direction = direction
        self._number = number
        self._source = source
        self._armed = armed
        self._dialogue = dialogue
        self._struck: dict[Armed, _Struck | None] = {}
        self._ahead: asyncio.Queue[tuple[float, Message | Ended]] = asyncio.Queue(CHUNKS_MAX)

    async def run(self) -> Ended:
        """Until it ends, and how."""
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(self._read())
            try:
                return await self._write()
            except OSError:
                return "reset source"
            except _Ends as ended:
                return "close" if ended.how == "close" else "reset sink"
            finally:
                reading.cancel()

    async def _read(self) -> None:
        end: Ended = "eof"
        try:
            async for message in self._messages():
                await self._ahead.put((_now(), message))
        except OSError:
            end = "reset sink"
        await self._ahead.put((_now(), end))

    def _messages(self) -> AsyncIterator[Message]:
        if self._dialogue is None:
            return _chunks(self._source)
        if self._direction == "upstream":
            return requests(self._source)
        return responses(self._source, self._dialogue.next_method)

    async def _write(self) -> Ended:
        while True:
            came_at, item = await self._ahead.get()
            if not isinstance(item, Message):
                return await self._finish(item)
            data = await self._treated(item)
            if data is None:
                return "close"
            if data:
                await self._through(data, came_at, 0)
            if self._dialogue is not None and self._direction == "upstream":
                self._dialogue.went()

    async def _treated(self, message: Message) -> bytes | None:
        if self._dialogue is None:
            return message.raw
        if self._direction == "upstream":
            return await self._dialogue.forward(message)
        return await self._dialogue.answer(message)

    async def _through(self, data: bytes, came_at: float, after: int) -> None:
        """Through the next toxic behind place `after`, looked for only now: it may have been added since."""
        armed, struck = self._next(after)
        if armed is None or struck is None:
            self.sink.write(data)
            await self.sink.drain()
            return
        chunk = Chunk(data, _now() - came_at, struck.passed)
        for step in armed.dose.toxic.steps(chunk, struck.chance):
            match step:
                case Pass(part):
                    struck.passed += len(part)
                    await self._through(part, came_at, armed.place)
                case Wait(seconds):
                    await armed.nap(seconds)
                    came_at += seconds
                case End(how) if not armed.gone.is_set():
                    raise _Ends(how)

    def _next(self, after: int) -> tuple[Armed | None, _Struck | None]:
        for armed in tuple(self._armed):
            if armed.place > after and (struck := self._meet(armed)) is not None:
                return armed, struck
        return None, None

    def _meet(self, armed: Armed) -> _Struck | None:
        """Decided once for a connection, when the first bytes come to the toxic."""
        dose = armed.dose
        if dose.direction != self._direction or isinstance(dose.toxic, HttpToxic | Down):
            return None
        if armed not in self._struck:
            chance = Random(f"{dose.seed} {self._number}")
            self._struck[armed] = _Struck(chance) if armed.strikes_next() else None
        return self._struck[armed]

    async def _finish(self, end: Ended) -> Ended:
        if self._dialogue is not None and self._direction == "upstream":
            await self._dialogue.until_answered()
        elif self._dialogue is not None:
            self._dialogue.over()
        for armed in tuple(self._armed):
            if isinstance(armed.dose.toxic, SlowClose) and self._meet(armed) is not None:
                await armed.nap(armed.dose.toxic.delay_s)
        if end == "eof" and self.sink.can_write_eof():
            self.sink.write_eof()
        return end


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[Message]:
    while data := await reader.read(FRAGMENT):
        yield Message(b"", data, whole=False)


def reset(writer: asyncio.StreamWriter) -> None:
    """Closes the socket with a TCP reset; what was not sent yet is lost."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


def _now() -> float:
    return asyncio.get_running_loop().time()
