"""An order-entry session, decided without I/O: what is asked, under which number, what an answer and what a loss mean.

A session lives through reconnects. What was asked and not answered is asked again on the next stream, as it was: with the
same client_order_id or request_id, which the gateway answers from its journal and sends once. Nothing is ever repeated under
another id, and nothing after its own time is up; then it is OutcomeUnknown. Who reads, writes and waits is _session_run.py
and _sync_session_run.py.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import grpc
from execsvc_api.v1 import order_service_pb2 as orders_pb
from google.protobuf.message import Message

from execsvc_client._amounts import seconds
from execsvc_client._chance import Trace
from execsvc_client._decode import facts_inside
from execsvc_client._enums import FeedState, GapReason
from execsvc_client._errors import ExecsvcError, Facts, OutcomeUnknown, Unavailable, error_of
from execsvc_client._events import Connected, Disconnected, Gap, OrderUpdate, StateChanged
from execsvc_client._follow import SLACK, Pulse, silence_of
from execsvc_client._orders import read_order
from execsvc_client._repeat import SILENT_ON_THE_ORDER

ENTRY = 5.0  # the server's default for max_entry_delay, in seconds
OPEN = 10.0  # seconds until the gateway has accepted a session
CLOSE = 1.0  # seconds that the gateway may take to end a session whose requests are all answered
CHANGES_MAX = 4096  # events that wait for their reader

SessionEvent: TypeAlias = OrderUpdate | StateChanged | Gap | Connected | Disconnected


class Promise(Protocol):
    """What both kinds of futures have."""

    def done(self) -> bool:
        """Whether it is answered, failed or given up."""
        ...

    def set_result(self, result: Any, /) -> None:
        """The answer."""
        ...

    def set_exception(self, exception: Any, /) -> None:
        """Why there is none."""
        ...


@dataclass(frozen=True)
class SessionTerms:
    """What a session is opened with; `heartbeat` in seconds."""

    account: str
    cancel_on_disconnect: bool
    follow: bool
    heartbeat: float
    max_in_flight: int

    def to_wire(self, resume_stream_id: str) -> orders_pb.OpenOrderSession:
        """The first request. Raises ValueError for what cannot be meant."""
        opening = orders_pb.OpenOrderSession(
            account=self.account,
            cancel_on_disconnect=self.cancel_on_disconnect,
            follow_orders=self.follow,
            max_in_flight=self.max_in_flight,
            resume_stream_id=resume_stream_id,
        )
        opening.heartbeat_interval.CopyFrom(seconds(self.heartbeat, "heartbeat"))
        return opening


@dataclass(eq=False)
class Asked:
    """One request. `kind`: the wire's field; `by`: when its time is up; `entry`: seconds it may take to take effect.

    `left`: it may have left us, so the gateway may have it; `again`: it is asked a second time.
    """

    kind: str
    message: Message
    by: float
    answer: Promise
    client_order_id: str
    entry: float | None = None
    left: bool = False
    again: bool = False


class Talk:
    """All that is asked in one session, through its reconnects, and the events it tells. One thread at a time."""

    def __init__(self, terms: SessionTerms) -> None:
        self._terms = terms
        self._outbox: deque[Asked] = deque()
        self._asked: dict[int, Asked] = {}
        self._number = 0
        self._pulse = Pulse()
        self.stream_id = ""
        self.over: ExecsvcError | None = None
        self.silence = 3 * terms.heartbeat + SLACK

    @property
    def idle(self) -> bool:
        """Nothing is asked that is not answered."""
        return not any(not each.answer.done() for each in (*self._outbox, *self._asked.values()))

    def last_by(self, now: float) -> float:
        """When nobody waits for an answer any more."""
        return max((each.by for each in (*self._outbox, *self._asked.values()) if not each.answer.done()), default=now)

    def ask(self, asked: Asked) -> None:
        """In its turn. Raises Unavailable when the session is over."""
        if self.over is not None:
            raise self._unsent(f"the session is over: {self.over.message}", asked)
        self._outbox.append(asked)

    def begin(self) -> orders_pb.OrderSessionRequest:
        """A stream begins: its first request. What has no answer yet is asked again, before anything newer."""
        for _, asked in sorted(self._asked.items(), reverse=True):
            if not asked.answer.done():
                asked.again = True
                self._outbox.appendleft(asked)
        self._asked.clear()
        self._number = 1
        self._pulse = Pulse()
        return orders_pb.OrderSessionRequest(request_number=1, open=self._terms.to_wire(self.stream_id))

    def next(self, now: float) -> orders_pb.OrderSessionRequest | None:
        """What is to be written next; None: nothing for now. What nobody waits for any more is left out."""
        while self._outbox:
            asked = self._outbox.popleft()
            if asked.answer.done() or asked.by <= now:
                continue
            if asked.entry is not None:
                # What goes again has as much time as is left of it, as a repeated call has.
                delay: Any = asked.message
                delay.max_entry_delay.CopyFrom(seconds(min(asked.entry, asked.by - now), "max_entry_delay"))
            self._number += 1
            self._asked[self._number] = asked
            asked.left = True
            fields: dict[str, Any] = {"request_number": self._number, asked.kind: asked.message}
            return orders_pb.OrderSessionRequest(**fields)
        return None

    def receive(self, message: orders_pb.OrderSessionResponse) -> Iterator[SessionEvent]:
        """Answers go to who asked; the rest are events."""
        event = message.WhichOneof("event")
        if event == "accepted":
            resumed = bool(self.stream_id)
            self.stream_id = message.accepted.stream_id
            self.silence = silence_of(message.accepted, self._terms.heartbeat)
            yield Connected(message.accepted.stream_id, message.accepted.server_epoch, resumed=resumed)
        changed = self._pulse.told(message.meta, ())
        if changed is not None:
            yield changed
        if event == "order":
            yield OrderUpdate(read_order(message.order), "", FeedState(message.meta.feed_state))
        elif message.request_number > 1:
            self._answer(message, event)

    def _answer(self, message: orders_pb.OrderSessionResponse, event: str | None) -> None:
        asked = self._asked.pop(message.request_number, None)
        if asked is None or asked.answer.done():
            return  # whoever asked has given up
        if event == "error":
            error = error_of(facts_inside(message.error, asked.client_order_id), changes=True)
            if asked.again and error.id_used is not True and isinstance(error, SILENT_ON_THE_ORDER):
                error = self._lost(
                    f"the first answer was lost, and the second says nothing of it: {error.message}", asked
                )
            asked.answer.set_exception(error)
        elif event == asked.kind:
            asked.answer.set_result(getattr(message, asked.kind))
        else:
            facts = _facts(grpc.StatusCode.UNKNOWN, f"an answer newer than this client: {event}", asked)
            asked.answer.set_exception(OutcomeUnknown(facts))

    def give_up(self, asked: Asked) -> None:
        """Nobody waits for it any more. What has left is answered by the gateway all the same."""
        with suppress(ValueError):
            self._outbox.remove(asked)

    def recovers(self, error: ExecsvcError) -> bool:
        """The gateway does not know the lost session: the next one is a new one, and Connected says resumed=False."""
        if error.reason == "RESUME_TOKEN_EXPIRED" and self.stream_id:
            self.stream_id = ""
            return True
        return False

    def end(self, why: ExecsvcError) -> None:
        """Nothing is asked any more. What may have left has an unknown outcome, the rest was not sent."""
        if self.over is not None:
            return
        self.over = why
        for asked in (*self._asked.values(), *self._outbox):
            if not asked.answer.done():
                asked.answer.set_exception(self._lost(why.message, asked))
        self._asked.clear()
        self._outbox.clear()

    def overdue(self, asked: Asked) -> ExecsvcError:
        """Its time is up without an answer; it is not asked any more."""
        self.give_up(asked)
        return self._lost("no answer came in time", asked, grpc.StatusCode.DEADLINE_EXCEEDED)

    def _lost(
        self, why: str, asked: Asked, code: grpc.StatusCode = grpc.StatusCode.UNAVAILABLE
    ) -> OutcomeUnknown | Unavailable:
        if not asked.left:
            return self._unsent(why, asked)
        return OutcomeUnknown(_facts(code, f"{why}; ask for it, or repeat it under the same id", asked))

    def _unsent(self, why: str, asked: Asked) -> Unavailable:
        return Unavailable(_facts(grpc.StatusCode.UNAVAILABLE, f"{why}; nothing was sent", asked))


def gone(message: str, request_id: str = "", trace: Trace | None = None) -> Unavailable:
    """Why a stream of the session is no more."""
    trace_id = "" if trace is None else trace.trace_id
    return Unavailable(Facts(grpc.StatusCode.UNAVAILABLE, message, request_id=request_id, trace_id=trace_id))


def _facts(code: grpc.StatusCode, message: str, asked: Asked) -> Facts:
    return Facts(code, message, client_order_id=asked.client_order_id)


class Changes:
    """Events that wait for their reader, CHANGES_MAX at most: of more than that the older are dropped, and a Gap says so."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._events: deque[SessionEvent] = deque()
        self._lost = 0
        self._wake = wake

    def put(self, event: SessionEvent) -> None:
        """The newest."""
        if len(self._events) >= CHANGES_MAX:
            self._lost += 1
            self._events.popleft()
        self._events.append(event)
        self._wake()

    def take(self) -> SessionEvent | None:
        """The oldest; None: there is none."""
        if self._lost:
            lost, self._lost = self._lost, 0
            return Gap(GapReason.SLOW_CONSUMER, (), lost, None)
        return self._events.popleft() if self._events else None
