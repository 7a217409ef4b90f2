"""Reads a stream, notices its loss, waits with jitter and opens it again: the waiting half of following.

A blocked read cannot be timed out from within, so a small thread cancels the call when nothing is heard for longer than
three heartbeats. It counts only while the reader waits: a slow reader does not lose its stream.
"""

import threading
from collections.abc import Callable, Generator
from typing import Self, TypeVar

import grpc

from execsvc_client._chance import Trace, current_trace, new_request_id
from execsvc_client._errors import ExecsvcError, Facts, Unavailable
from execsvc_client._follow import Follower
from execsvc_client._methods import A, Q, Stream
from execsvc_client._repeat import Backoff
from execsvc_client._sync_link import SyncLink

E = TypeVar("E")


def sync_follow(link: SyncLink, method: Stream[Q, A], follower: Follower[Q, A, E]) -> Generator[E]:
    """Events for as long as the reader wants them and the client is open.

    Raises what does not pass by itself, such as an unknown symbol.
    """
    backoff = Backoff()
    while not link.closed:
        try:
            for message in _once(link, method, follower):
                backoff.succeeded()
                yield from follower.receive(message)
        except ExecsvcError as error:
            again = 0.0 if follower.recovers(error) else backoff.after(error)
            if link.closed:
                return
            if again is None:
                raise
            wait = again
            yield from follower.lost(error, wait)
        link.sleep(wait)


def _once(link: SyncLink, method: Stream[Q, A], follower: Follower[Q, A, E]) -> Generator[A]:
    """The messages of one call; ends by raising, always."""
    request_id, trace = new_request_id(), current_trace(wanted=False)
    call = link.open(method, follower.request(), request_id, trace)
    with Watchdog(call, link.clock) as watchdog:
        try:
            while True:
                watchdog.listen(follower.silence)
                message = next(call, None)
                watchdog.rest()
                if message is None:
                    raise Unavailable(_facts("the stream ended without a word", request_id, trace))
                yield message
        except grpc.RpcError as failed:
            if watchdog.barked:
                silent = f"nothing was heard for {follower.silence:g} s, not even a heartbeat"
                raise Unavailable(_facts(silent, request_id, trace)) from None
            raise link.error(failed, request_id, trace) from None


def _facts(message: str, request_id: str, trace: Trace) -> Facts:
    return Facts(grpc.StatusCode.UNAVAILABLE, message, request_id=request_id, trace_id=trace.trace_id)


class Watchdog:
    """Cancels a call when one wait for a message takes too long, and when the reader leaves.

    It looks a few times a second instead of being told of each message, which would cost more than the message.
    """

    LOOK = 0.25

    def __init__(self, call: grpc.RpcContext, clock: Callable[[], float]) -> None:
        self.barked = False
        self._call = call
        self._clock = clock
        self._late_at: float | None = None
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._look, name="execsvc-stream-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left.set()
        self._call.cancel()
        self._thread.join()

    def listen(self, bound: float) -> None:
        """A wait of at most `bound` seconds begins."""
        self._late_at = self._clock() + bound

    def rest(self) -> None:
        """Something was heard: what the reader does with it may take as long as it likes."""
        self._late_at = None

    def _look(self) -> None:
        while not self._left.wait(self.LOOK):
            late_at = self._late_at
            if late_at is not None and self._clock() > late_at:
                self.barked = True
                self._call.cancel()
                return
