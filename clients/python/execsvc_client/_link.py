"""The asynchronous client's way to the gateway: one channel, deadlines, headers, typed errors, own repeats.

A changing call goes through the guard first, and after a lost answer goes again with the same request while there is
time. Everything that decides is elsewhere (`_repeat`, `_guard`, `_decode`); here it is carried out.
"""

import asyncio
from typing import Any, TypeVar

import grpc
from execsvc_api.v1 import admin_service_pb2
from grpc import aio

from execsvc_client._chance import Trace, current_trace, new_request_id
from execsvc_client._decode import facts_of
from execsvc_client._errors import ExecsvcError, Facts, error_of
from execsvc_client._guard import Guard
from execsvc_client._methods import GET_SERVER_INFO, A, Q, Stream, TwoWay, Unary
from execsvc_client._repeat import Attempts
from execsvc_client._settings import Settings, channel_options, refuse_plaintext

C = TypeVar("C", bound=aio.Call)


class Link:
    """A connection to one gateway. The channel is made on first use, so that it belongs to the loop that uses it."""

    def __init__(
        self,
        settings: Settings,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        channel: aio.Channel | None = None,
    ) -> None:
        if channel is None and credentials is None:
            refuse_plaintext(settings)
        self.settings = settings
        self.guard = Guard(allow_live=settings.allow_live)
        self._credentials = credentials
        self._channel = channel
        self._callables: dict[str, Any] = {}
        self._streams: set[aio.Call] = set()
        self.closed = False

    async def close(self) -> None:
        """Close the channel; calls that are under way end with an error, streams end."""
        self.closed = True
        for stream in tuple(self._streams):  # not every grpcio cancels a read that waits
            stream.cancel()
        if self._channel is not None:
            await self._channel.close()

    async def call(
        self, method: Unary[Q, A], request: Q, *, timeout: float | None = None, client_order_id: str = ""
    ) -> A:
        """One answer, within `timeout` seconds in all. Raises ExecsvcError."""
        clock = asyncio.get_running_loop().time
        attempts = Attempts(method.timeout if timeout is None else timeout, clock())
        trace = current_trace(wanted=method.changes)
        while True:
            try:
                if method.changes:
                    await self.permit(attempts.left(clock()))
                return await self._attempt(method, request, attempts.left(clock()), trace, client_order_id)
            except ExecsvcError as error:
                wait = attempts.next(error, clock())
            await asyncio.sleep(wait)

    async def permit(self, left: float = 5.0) -> None:
        """Ask once whether this is paper or live, then let the guard decide. Raises LiveRefused."""
        if self.guard.must_ask:
            request = admin_service_pb2.GetServerInfoRequest()
            info = await self._attempt(GET_SERVER_INFO, request, min(left, 5.0), current_trace(wanted=False), "")
            self.guard.conclude(info.venue)
        self.guard.check(self.settings.target)

    async def _attempt(self, method: Unary[Q, A], request: Q, timeout: float, trace: Trace, client_order_id: str) -> A:
        request_id = new_request_id()
        headers = aio.Metadata(*self.settings.headers(request_id, trace.parent))
        call = self._unary(method)(request, timeout=timeout, metadata=headers)
        try:
            answer = await call
            self.guard.note(await call.trailing_metadata())
        except aio.AioRpcError as failed:
            raise self.error(
                failed, request_id, trace, changes=method.changes, client_order_id=client_order_id
            ) from None
        except asyncio.CancelledError:
            if not self.was_closed_under_us():
                raise
            facts = Facts(
                grpc.StatusCode.CANCELLED,
                "this client was closed",
                request_id=request_id,
                trace_id=trace.trace_id,
                client_order_id=client_order_id,
            )
            raise error_of(facts, changes=method.changes) from None
        return answer

    def was_closed_under_us(self) -> bool:
        """Whether a CancelledError comes from close(), which must not look like the cancellation of our own task."""
        task = asyncio.current_task()
        return self.closed and task is not None and not task.cancelling()

    def _unary(self, method: Unary[Q, A]) -> "aio.UnaryUnaryMultiCallable[Q, A]":
        found: aio.UnaryUnaryMultiCallable[Q, A] | None = self._callables.get(method.path)
        if found is None:
            found = self._open_channel().unary_unary(
                method.path, request_serializer=method.encode, response_deserializer=method.decode
            )
            self._callables[method.path] = found
        return found

    def open(
        self, method: Stream[Q, A], request: Q, request_id: str, trace: Trace, *, timeout: float | None = None
    ) -> "aio.UnaryStreamCall[Q, A]":
        """Start a stream; `error()` reads what its call raises."""
        headers = aio.Metadata(*self.settings.headers(request_id, trace.parent))
        found: aio.UnaryStreamMultiCallable[Q, A] | None = self._callables.get(method.path)
        if found is None:
            found = self._open_channel().unary_stream(
                method.path, request_serializer=method.encode, response_deserializer=method.decode
            )
            self._callables[method.path] = found
        return self._kept(found(request, timeout=timeout, metadata=headers))

    def open_session(
        self, method: Stream[Q, A], requests: list[Q], request_id: str, trace: Trace
    ) -> "aio.StreamStreamCall[Q, A]":
        """Start a stream in both directions, its requests known beforehand."""
        found: aio.StreamStreamMultiCallable[Q, A] = self._open_channel().stream_stream(
            method.path, request_serializer=method.encode, response_deserializer=method.decode
        )
        headers = aio.Metadata(*self.settings.headers(request_id, trace.parent))
        return self._kept(found(iter(requests), metadata=headers))

    def open_both(self, method: TwoWay[Q, A], request_id: str, trace: Trace) -> "aio.StreamStreamCall[Q, A]":
        """Start a stream in both directions, for its user to write to and read from."""
        found: aio.StreamStreamMultiCallable[Q, A] = self._open_channel().stream_stream(
            method.path, request_serializer=method.encode, response_deserializer=method.decode
        )
        return self._kept(found(metadata=aio.Metadata(*self.settings.headers(request_id, trace.parent))))

    def _kept(self, call: C) -> C:
        self._streams.add(call)
        call.add_done_callback(lambda _: self._streams.discard(call))
        return call

    def error(
        self,
        failed: aio.AioRpcError,
        request_id: str,
        trace: Trace,
        *,
        changes: bool = False,
        client_order_id: str = "",
    ) -> ExecsvcError:
        """What a failed call is raised as."""
        trailers = failed.trailing_metadata() or ()
        facts = facts_of(
            failed.code(),
            failed.details() or "",
            trailers,
            request_id=request_id,
            trace_id=trace.trace_id,
            client_order_id=client_order_id,
        )
        if not facts.reason:
            self.guard.forget()
        self.guard.note(trailers)
        return error_of(facts, changes=changes)

    def _open_channel(self) -> aio.Channel:
        if self._channel is None:
            target, options = self.settings.target, channel_options()
            if self._credentials is None:
                self._channel = aio.insecure_channel(target, options=options)
            else:
                self._channel = aio.secure_channel(target, self._credentials, options=options)
        return self._channel
