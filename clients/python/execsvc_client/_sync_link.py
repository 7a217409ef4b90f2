"""The synchronous client's way to the gateway: what `_link.py` is, for programs without an event loop.

Calls may come from several threads. Time and waiting are handed in, so that a test of the repeats does not wait.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast

import grpc
from execsvc_api.v1 import admin_service_pb2

from execsvc_client._chance import Trace, current_trace, new_request_id
from execsvc_client._decode import facts_of
from execsvc_client._errors import ExecsvcError, error_of
from execsvc_client._guard import Guard
from execsvc_client._methods import GET_SERVER_INFO, A, Q, Stream, TwoWay, Unary
from execsvc_client._repeat import Attempts
from execsvc_client._settings import Settings, channel_options, refuse_plaintext


class SyncLink:
    """A connection to one gateway."""

    def __init__(
        self,
        settings: Settings,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        channel: grpc.Channel | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if channel is None:
            if credentials is None:
                refuse_plaintext(settings)
                channel = grpc.insecure_channel(settings.target, options=channel_options())
            else:
                channel = grpc.secure_channel(settings.target, credentials, options=channel_options())
        self.settings = settings
        self.guard = Guard(allow_live=settings.allow_live)
        self.clock = clock
        self.sleep = sleep
        self._channel = channel
        self._callables: dict[str, Any] = {}
        self.closed = False

    def close(self) -> None:
        """Close the channel; calls that are under way end with an error, streams end."""
        self.closed = True
        self._channel.close()

    def call(self, method: Unary[Q, A], request: Q, *, timeout: float | None = None, client_order_id: str = "") -> A:
        """One answer, within `timeout` seconds in all. Raises ExecsvcError."""
        attempts = Attempts(method.timeout if timeout is None else timeout, self.clock())
        trace = current_trace(wanted=method.changes)
        while True:
            try:
                if method.changes:
                    self.permit(attempts.left(self.clock()))
                return self._attempt(method, request, attempts.left(self.clock()), trace, client_order_id)
            except ExecsvcError as error:
                wait = attempts.next(error, self.clock())
            self.sleep(wait)

    def permit(self, left: float = 5.0) -> None:
        """Ask once whether this is paper or live, then let the guard decide. Raises LiveRefused."""
        if self.guard.must_ask:
            request = admin_service_pb2.GetServerInfoRequest()
            info = self._attempt(GET_SERVER_INFO, request, min(left, 5.0), current_trace(wanted=False), "")
            self.guard.conclude(info.venue)
        self.guard.check(self.settings.target)

    def _attempt(self, method: Unary[Q, A], request: Q, timeout: float, trace: Trace, client_order_id: str) -> A:
        request_id = new_request_id()
        headers = self.settings.headers(request_id, trace.parent)
        found: grpc.UnaryUnaryMultiCallable[Q, A] | None = self._callables.get(method.path)
        if found is None:
            found = self._channel.unary_unary(
                method.path, request_serializer=method.encode, response_deserializer=method.decode
            )
            self._callables[method.path] = found
        try:
            answer, call = found.with_call(request, timeout=timeout, metadata=headers)
        except grpc.RpcError as failed:
            raise self.error(
                failed, request_id, trace, changes=method.changes, client_order_id=client_order_id
            ) from None
        self.guard.note(call.trailing_metadata() or ())
        return answer

    def open(
        self, method: Stream[Q, A], request: Q, request_id: str, trace: Trace, *, timeout: float | None = None
    ) -> "grpc._CallIterator[A]":
        """Start a stream; `error()` reads what its iteration raises."""
        found: grpc.UnaryStreamMultiCallable[Q, A] | None = self._callables.get(method.path)
        if found is None:
            found = self._channel.unary_stream(
                method.path, request_serializer=method.encode, response_deserializer=method.decode
            )
            self._callables[method.path] = found
        return found(request, timeout=timeout, metadata=self.settings.headers(request_id, trace.parent))

    def open_both(
        self, method: TwoWay[Q, A], requests: Iterator[Q], request_id: str, trace: Trace
    ) -> "grpc._CallIterator[A]":
        """Start a stream in both directions; `requests` is read by a thread of gRPC's, one ahead of what is written."""
        found: grpc.StreamStreamMultiCallable[Q, A] = self._channel.stream_stream(
            method.path, request_serializer=method.encode, response_deserializer=method.decode
        )
        return found(requests, metadata=self.settings.headers(request_id, trace.parent))

    def error(
        self, failed: grpc.RpcError, request_id: str, trace: Trace, *, changes: bool = False, client_order_id: str = ""
    ) -> ExecsvcError:
        """What a failed call is raised as."""
        call = cast("grpc.Call", failed)  # what a channel raises is the call itself
        trailers = call.trailing_metadata() or ()
        facts = facts_of(
            call.code(),
            call.details() or "",
            trailers,
            request_id=request_id,
            trace_id=trace.trace_id,
            client_order_id=client_order_id,
        )
        if not facts.reason:
            self.guard.forget()
        self.guard.note(trailers)
        return error_of(facts, changes=changes)
