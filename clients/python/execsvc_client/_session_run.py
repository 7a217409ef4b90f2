"""Keeps a session open for the asynchronous client: reads, writes, notices its loss, waits with jitter and opens it again.

What is asked and what a message means is _session.py's; what a caller calls is _session_calls.py.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import grpc
from execsvc_api.v1 import order_service_pb2 as orders_pb
from google.protobuf.message import Message
from grpc import aio

from execsvc_client._chance import Trace, current_trace, new_request_id
from execsvc_client._errors import ExecsvcError
from execsvc_client._events import Disconnected
from execsvc_client._link import Link
from execsvc_client._methods import ORDER_SESSION
from execsvc_client._repeat import Backoff
from execsvc_client._session import CLOSE, Asked, Changes, SessionEvent, SessionTerms, Talk, gone

Call: TypeAlias = "aio.StreamStreamCall[orders_pb.OrderSessionRequest, orders_pb.OrderSessionResponse]"


class SessionRun:
    """One session through its reconnects; belongs to the loop it was opened on."""

    def __init__(self, link: Link, terms: SessionTerms) -> None:
        self._link = link
        self._news = asyncio.Event()
        self._said = asyncio.Event()
        self._changes = Changes(self._news.set)
        self._closing = False
        self._runner: asyncio.Task[None] | None = None
        self.talk = Talk(terms)

    async def open(self, timeout: float) -> None:
        """Until the gateway has accepted it. Raises why it did not; that is not tried again."""
        opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._runner = asyncio.ensure_future(self._run(opened))
        try:
            async with asyncio.timeout(timeout):
                await opened
        except BaseException as failure:
            await self.abandon()
            if isinstance(failure, TimeoutError):
                raise gone(f"the session was not accepted within {timeout:g} s") from None
            raise

    async def close(self) -> None:
        """What was asked is answered first, as long as somebody waits for it; then the gateway is told that this is all."""
        self._closing = True
        self._said.set()
        clock = asyncio.get_running_loop().time
        if self._runner is not None:
            await asyncio.wait([self._runner], timeout=self.talk.last_by(clock()) - clock() + CLOSE)
        await self.abandon()

    async def abandon(self) -> None:
        """Ends it at once."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self.talk.end(gone("the session was closed"))
        self._news.set()

    async def ask(
        self, kind: str, message: Message, timeout: float, *, client_order_id: str = "", entry: float | None = None
    ) -> Message:
        """One answer, within `timeout` seconds in all. Raises ExecsvcError."""
        if timeout <= 0:
            raise ValueError(f"timeout is {timeout}: give the request some seconds")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Message] = loop.create_future()
        asked = Asked(kind, message, loop.time() + timeout, answer, client_order_id, entry)
        self.talk.ask(asked)
        self._said.set()
        try:
            async with asyncio.timeout_at(asked.by):
                return await answer
        except TimeoutError:
            raise self.talk.overdue(asked) from None
        finally:
            answer.cancel()
            self.talk.give_up(asked)

    async def changes(self) -> AsyncGenerator[SessionEvent, None]:
        """Events until the session is over. Raises what ended it, unless it was closed here."""
        while True:
            self._news.clear()
            while (event := self._changes.take()) is not None:
                yield event
            if self.talk.over is not None:
                if not self._closing:
                    raise self.talk.over
                return
            await self._news.wait()

    # ---- the task ---------------------------------------------------------------------------------------------------

    async def _run(self, opened: "asyncio.Future[None]") -> None:
        backoff = Backoff()
        while True:
            try:
                await self._once(opened, backoff)
            except ExecsvcError as error:
                wait = 0.0 if self.talk.recovers(error) else backoff.after(error)
                if not opened.done():
                    opened.set_exception(error)
                    return
                if wait is None or self._link.closed or (self._closing and self.talk.idle):
                    self.talk.end(error)
                    self._news.set()
                    return
                self._changes.put(Disconnected(error, wait))
                await asyncio.sleep(wait)
            else:
                return

    async def _once(self, opened: "asyncio.Future[None]", backoff: Backoff) -> None:
        """One stream, until it has ended well because we are done. Raises ExecsvcError how it ended else."""
        await self._link.permit()
        request_id, trace = new_request_id(), current_trace(wanted=False)
        call = self._link.open_both(ORDER_SESSION, request_id, trace)
        try:
            async with self._told(request_id, trace):
                async with asyncio.timeout(self.talk.silence):
                    await call.write(self.talk.begin())
                if not await self._hear(call):
                    raise gone("the session ended before it began", request_id, trace)
                backoff.succeeded()
                if not opened.done():
                    opened.set_result(None)
                writer = asyncio.ensure_future(self._write(call))
                try:
                    while await self._hear(call):
                        pass
                finally:
                    writer.cancel()
                if self._closing and await call.code() is grpc.StatusCode.OK:
                    return
                raise gone("the session ended without a word", request_id, trace)
        finally:
            call.cancel()

    async def _hear(self, call: Call) -> bool:
        """The next message, dealt with; False: there is none, for the stream has ended."""
        async with asyncio.timeout(self.talk.silence):
            message = await call.read()
        if not isinstance(message, orders_pb.OrderSessionResponse):
            return False
        for event in self.talk.receive(message):
            self._changes.put(event)
        return True

    @asynccontextmanager
    async def _told(self, request_id: str, trace: Trace) -> AsyncIterator[None]:
        """What a stream can fail with, as errors of ours."""
        try:
            yield
        except TimeoutError:
            silent = f"nothing was heard for {self.talk.silence:g} s, not even a heartbeat"
            raise gone(silent, request_id, trace) from None
        except aio.AioRpcError as failed:
            raise self._link.error(failed, request_id, trace) from None
        except asyncio.CancelledError:
            if not self._link.was_closed_under_us():
                raise
            raise gone("this client was closed", request_id, trace) from None

    async def _write(self, call: Call) -> None:
        """What is asked, in its sequence. A stream that is lost is noticed by who reads."""
        clock = asyncio.get_running_loop().time
        with suppress(aio.AioRpcError, asyncio.InvalidStateError):
            while True:
                self._said.clear()
                while (request := self.talk.next(clock())) is not None:
                    await call.write(request)
                if self._closing:
                    await call.done_writing()
                    return
                await self._said.wait()
