"""Keeps a session open for the synchronous client: what _session_run.py is, in a thread of its own.

Calls may come from several threads; the lock is held while anything is decided, never while anything is waited for.
"""

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import Future

import grpc
from execsvc_api.v1 import order_service_pb2 as orders_pb
from google.protobuf.message import Message

from execsvc_client._chance import current_trace, new_request_id
from execsvc_client._errors import ExecsvcError
from execsvc_client._events import Disconnected
from execsvc_client._methods import ORDER_SESSION
from execsvc_client._repeat import Backoff
from execsvc_client._session import CLOSE, Asked, Changes, SessionEvent, SessionTerms, Talk, gone
from execsvc_client._sync_link import SyncLink
from execsvc_client._sync_watch import Watchdog

TURN = 0.25  # seconds after which a thread that waits looks whether it is still wanted


class SyncSessionRun:
    """One session through its reconnects."""

    def __init__(self, link: SyncLink, terms: SessionTerms) -> None:
        self._link = link
        self._news = threading.Condition()
        self._changes = Changes(lambda: None)
        self._closing = False
        self._left = threading.Event()
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="execsvc-session", daemon=True)
        self._call: grpc.RpcContext | None = None
        self.talk = Talk(terms)

    def open(self, timeout: float) -> None:
        """Until the gateway has accepted it. Raises why it did not; that is not tried again."""
        self._thread.start()
        try:
            self._opened.result(timeout)
        except TimeoutError:
            self.abandon()
            raise gone(f"the session was not accepted within {timeout:g} s") from None
        except BaseException:
            self.abandon()
            raise

    def close(self) -> None:
        """What was asked is answered first, as long as somebody waits for it; then the gateway is told that this is all."""
        with self._news:
            self._closing = True
            self._news.notify_all()
            patience = self.talk.last_by(self._link.clock()) - self._link.clock() + CLOSE
        self._thread.join(patience)
        self.abandon()

    def abandon(self) -> None:
        """Ends it at once."""
        self._left.set()
        with self._news:
            if self._call is not None:
                self._call.cancel()
            self._news.notify_all()
        self._thread.join()
        self._end(gone("the session was closed"))

    def ask(
        self, kind: str, message: Message, timeout: float, *, client_order_id: str = "", entry: float | None = None
    ) -> Message:
        """One answer, within `timeout` seconds in all. Raises ExecsvcError."""
        if timeout <= 0:
            raise ValueError(f"timeout is {timeout}: give the request some seconds")
        answer: Future[Message] = Future()
        asked = Asked(kind, message, self._link.clock() + timeout, answer, client_order_id, entry)
        with self._news:
            self.talk.ask(asked)
            self._news.notify_all()
        try:
            return answer.result(timeout)
        except TimeoutError:
            with self._news:
                if not answer.cancel():
                    return answer.result()  # it came at the last moment
                raise self.talk.overdue(asked) from None
        finally:
            with self._news:
                answer.cancel()
                self.talk.give_up(asked)

    def changes(self) -> Generator[SessionEvent]:
        """Events until the session is over. Raises what ended it, unless it was closed here."""
        while True:
            with self._news:
                while (event := self._changes.take()) is None:
                    if self.talk.over is not None:
                        if not self._closing:
                            raise self.talk.over
                        return
                    self._news.wait(TURN)
            yield event

    # ---- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        backoff = Backoff()
        while True:
            try:
                self._once(backoff)
            except ExecsvcError as error:
                wait = 0.0 if self.talk.recovers(error) else backoff.after(error)
                if not self._opened.done():
                    self._opened.set_exception(error)
                    return
                if wait is None or self._link.closed or self._left.is_set() or (self._closing and self.talk.idle):
                    self._end(error)
                    return
                self._put(Disconnected(error, wait))
                self._left.wait(wait)
            else:
                return

    def _once(self, backoff: Backoff) -> None:
        """One stream, until it has ended well because we are done. Raises how it ended else."""
        if self._link.closed:
            raise gone("this client was closed")
        self._link.permit()
        request_id, trace = new_request_id(), current_trace(wanted=False)
        accepted, over = threading.Event(), threading.Event()
        call = self._link.open_both(ORDER_SESSION, self._requests(accepted, over), request_id, trace)
        with self._news:
            self._call = call
        if self._left.is_set():
            call.cancel()
        with Watchdog(call, self._link.clock) as watchdog:
            try:
                while (message := self._heard(call, watchdog)) is not None:
                    with self._news:
                        for event in self.talk.receive(message):
                            self._changes.put(event)
                        self._news.notify_all()
                    if not accepted.is_set():
                        backoff.succeeded()
                        accepted.set()
                        if not self._opened.done():
                            self._opened.set_result(None)
            except grpc.RpcError as failed:
                if watchdog.barked:
                    silent = f"nothing was heard for {self.talk.silence:g} s, not even a heartbeat"
                    raise gone(silent, request_id, trace) from None
                raise self._link.error(failed, request_id, trace) from None
            finally:
                over.set()
                with self._news:
                    self._news.notify_all()
        if not self._closing:
            raise gone("the session ended without a word", request_id, trace)

    def _heard(
        self, call: "grpc._CallIterator[orders_pb.OrderSessionResponse]", watchdog: Watchdog
    ) -> orders_pb.OrderSessionResponse | None:
        watchdog.listen(self.talk.silence)
        message = next(call, None)
        watchdog.rest()
        return message

    def _requests(self, accepted: threading.Event, over: threading.Event) -> Iterator[orders_pb.OrderSessionRequest]:
        """What is asked, in its sequence; read by a thread of gRPC's."""
        with self._news:
            first = self.talk.begin()
        yield first
        while not accepted.wait(TURN):
            if over.is_set():
                return
        while not over.is_set():
            with self._news:
                request = self.talk.next(self._link.clock())
                if request is None:
                    if self._closing:
                        return
                    self._news.wait(TURN)
                    continue
            yield request

    def _put(self, event: SessionEvent) -> None:
        with self._news:
            self._changes.put(event)
            self._news.notify_all()

    def _end(self, why: ExecsvcError) -> None:
        with self._news:
            self.talk.end(why)
            self._news.notify_all()
