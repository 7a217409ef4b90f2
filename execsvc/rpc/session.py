"""OrderSession: place, amend and cancel many times on one stream, each request through the gate as its unary twin would go.

Answers leave as they are ready. A request holds one of `max_in_flight` places until its answer is taken to be written, so
whoever does not read is not read either, and nothing piles up here. What a session's orders mean is app/sessions.py's.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as wire
from google.protobuf.message import DecodeError, Message

from execsvc.app.sessions import GONE, Line, Sessions
from execsvc.app.timing import DEFAULT_ENTRY_DELAY_S
from execsvc.domain.caller import Permission
from execsvc.domain.errors import FieldViolation, Reason, error_of, invalid, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.market import FeedState
from execsvc.domain.order import Order
from execsvc.ports import Clock, Tasks
from execsvc.rpc.admit import Knock
from execsvc.rpc.call import Call, Incoming
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.permits import PACKAGE
from execsvc.rpc.scalars import seconds_of
from execsvc.rpc.streams import Part, Pumps, Terms, heartbeat_s

IN_FLIGHT = 64
CHANGES_MAX = 4096  # order changes that wait to be written: a reader so far behind is told so and ended
CANCEL_S = 10.0
METHODS = {"place": "PlaceOrder", "amend": "AmendOrder", "cancel": "CancelOrder", "cancel_all": "CancelAllOrders"}


@dataclass(frozen=True)
class Reply:
    """How a request of the session ended: a response, or the error its unary twin would have failed with."""

    response: Message | None
    error: common.CallError | None


Ask = Callable[[Knock], Awaitable[Reply]]


class _EndedError(Exception):
    """The caller has said all, and was answered all."""


class OrderSessions:
    """The method itself, for one account; `ask` is the gate."""

    def __init__(
        self,
        *,
        sessions: Sessions,
        pumps: Pumps,
        clock: Clock,
        tasks: Tasks,
        private_state: Callable[[], FeedState],
        ask: Ask,
    ) -> None:
        self._ask = ask
        self._sessions = sessions
        self._pumps = pumps
        self._clock = clock
        self._tasks = tasks
        self._private_state = private_state

    async def order_session(self, call: Call, request: wire.OrderSessionRequest) -> AsyncGenerator[Message, None]:
        """From the first message on, until the caller is done, is lost, or breaks the rules of the session."""
        incoming, asked = _opening(call, request)
        if asked.cancel_on_disconnect:
            call.demand(Permission.CANCEL, "cancel_on_disconnect")
        line = self._sessions.open(call.who.name, call.stream_id, asked.resume_stream_id)
        session = Session(
            call,
            incoming,
            line,
            sessions=self._sessions,
            ask=self._ask,
            in_flight=asked.max_in_flight or IN_FLIGHT,
            private_state=self._private_state,
            clock=self._clock,
            tasks=self._tasks,
        )
        terms = Terms(heartbeat_s(asked), common.DeliveryPolicy())
        heard = session.heard if asked.follow_orders else _unheard
        with (
            self._sessions.attached(line, cancel_when_lost=asked.cancel_on_disconnect),
            self._sessions.followed(line, heard),
            suppress(_EndedError),
        ):
            self._tasks.start(f"session {call.stream_id}", session.read())
            try:
                pumped = self._pumps.pump(call, wire.OrderSessionResponse, session, terms)
                async with aclosing(pumped) as messages:
                    async for message in messages:
                        yield message
            finally:
                session.close()


class Session:
    """One session: the source of its stream, and the reader of its requests."""

    announced = False

    def __init__(
        self,
        call: Call,
        incoming: Incoming,
        line: Line,
        *,
        sessions: Sessions,
        ask: Ask,
        in_flight: int,
        private_state: Callable[[], FeedState],
        clock: Clock,
        tasks: Tasks,
    ) -> None:
        self._call = call
        self._incoming = incoming
        self._line = line
        self._sessions = sessions
        self._placing: Counter[OrderKey] = Counter()
        self._ask = ask
        self._clock = clock
        self._tasks = tasks
        self._places = asyncio.Semaphore(in_flight)
        self._answers: deque[Part] = deque()
        self._changes: deque[Part] = deque()
        self._wake = asyncio.Event()
        self._asking = 0
        self._number = 1
        self._closed = False
        self._end: Exception | None = None
        self._private_state = private_state

    # ---- what the pump asks -------------------------------------------------------------------------------------

    @property
    def state(self) -> FeedState:
        """That of the private feed."""
        return self._private_state()

    def demand(self) -> None:
        """Nothing ends it between two messages."""

    def opening(self) -> Sequence[Part]:
        """Nothing besides `accepted`, which answers the first request."""
        return ()

    async def take(self, by: float) -> Sequence[Part]:
        """What is ready. Raises what ends the session, once all that was asked is answered."""
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                while not (self._answers or self._changes or self._is_over):
                    self._wake.clear()
                    await self._wake.wait()
        parts = [*self._changes, *self._answers]
        self._changes.clear()
        for _ in range(len(self._answers)):
            self._answers.popleft()
            self._places.release()
        if not parts and self._is_over and self._end is not None:
            raise self._end
        return parts

    def heartbeat(self) -> common.Heartbeat:
        """How much is asked and not answered yet."""
        return common.Heartbeat(queue_depth=self._asking)

    def stamp(self) -> Mapping[str, Any]:
        """Nothing besides meta."""
        return {}

    @property
    def _is_over(self) -> bool:
        return self._end is not None and not self._asking

    # ---- what happens beside ------------------------------------------------------------------------------------

    def heard(self, order: Order) -> None:
        """A later change of one of its orders."""
        if len(self._changes) >= CHANGES_MAX:
            self._finish(
                refuse(Reason.SLOW_CONSUMER, "order changes of this session were not read; open a new one and read on")
            )
            return
        self._changes.append(Part({"order": convert.order(order)}, self.state))
        self._wake.set()

    def close(self) -> None:
        """Nothing is read or asked any more; what was asked goes on, and nobody hears of it here."""
        self._closed = True

    async def read(self) -> None:
        """Requests in their sequence, as many at once as there are places."""
        try:
            async for raw in self._incoming.requests:
                await self._places.acquire()
                if self._closed:
                    return
                request = self._checked(raw)
                self._asking += 1
                self._tasks.start(f"session request {request.request_number}", self._answer(request))
        except Exception as end:  # noqa: BLE001 - whatever it was, the stream must end with it and not hang
            self._finish(end)
        else:
            self._finish(_EndedError())

    def _finish(self, end: Exception) -> None:
        self._end = self._end or end
        self._wake.set()

    def _checked(self, raw: bytes) -> wire.OrderSessionRequest:
        """Raises INVALID_REQUEST for what has no place in a session."""
        try:
            request = wire.OrderSessionRequest.FromString(raw)
        except DecodeError as error:
            raise invalid((FieldViolation("", "not a request of a session: it cannot be read"),)) from error
        self._number += 1
        if request.request_number != self._number:
            raise invalid((FieldViolation("request_number", f"rises by one: {self._number} was to come"),))
        if request.WhichOneof("request") not in METHODS:
            raise invalid((FieldViolation("request", f"one of {', '.join(METHODS)}"),))
        return request

    async def _answer(self, request: wire.OrderSessionRequest) -> None:
        kind = request.WhichOneof("request") or ""
        asked = getattr(request, kind)
        try:
            if kind == "place":
                reply = await self._placed(asked)
            else:
                reply = await self._reply(kind, asked)
            name, event = (kind, reply.response) if reply.error is None else ("error", reply.error)
            self._answers.append(Part({"request_number": request.request_number, name: event}, self.state))
        finally:
            self._asking -= 1
            self._wake.set()

    async def _placed(self, asked: Any) -> Reply:
        """The session's order before it is placed, for its first news may come before its answer; else not for long."""
        key = OrderKey(self._call.account, self._call.who.name, asked.client_order_id)
        is_new = self._sessions.take(self._line, key)
        self._placing[key] += 1
        try:
            reply = await self._reply("place", asked)
        finally:
            self._placing[key] -= 1
            self._placing = +self._placing  # without those that count nothing
        if _has_ended(reply) or (_was_not_placed(reply) and is_new and not self._placing[key]):
            self._sessions.let_go(self._line, key)
        return reply

    async def _reply(self, kind: str, asked: Any) -> Reply:
        if asked.account not in {"", self._call.account}:
            words = f"empty or {self._call.account!r}, the session's"
            return await self._refused(kind, asked, words)
        asked.account = self._call.account
        return await self._ask(self._knock(kind, lambda: asked, _left_s(kind, asked)))

    async def _refused(self, kind: str, asked: Any, words: str) -> Reply:
        def read() -> Message:
            raise invalid((FieldViolation("account", words),))

        return await self._ask(self._knock(kind, read, _left_s(kind, asked)))

    def _knock(self, kind: str, read: Callable[[], Message], left_s: float) -> Knock:
        method = f"{PACKAGE}.OrderService/{METHODS[kind]}"
        incoming = self._incoming
        return Knock(method, read, incoming.meta, incoming.peer, left_s, names=incoming.names)


def _opening(call: Call, request: wire.OrderSessionRequest) -> tuple[Incoming, wire.OpenOrderSession]:
    if call.incoming is None:
        raise error_of(refuse(Reason.NOT_IMPLEMENTED, "a session needs gRPC's own streams", method="").fault)
    if request.request_number != 1:
        raise invalid((FieldViolation("request_number", "the first is 1"),))
    return call.incoming, request.open


def _left_s(kind: str, asked: Any) -> float:
    """The time of one request, as a unary call has its deadline."""
    if kind in {"cancel", "cancel_all"}:
        return CANCEL_S
    return seconds_of(asked.max_entry_delay) if asked.HasField("max_entry_delay") else DEFAULT_ENTRY_DELAY_S


def _has_ended(reply: Reply) -> bool:
    """Known before, and over: no news of it will come."""
    return (
        isinstance(reply.response, wire.PlaceOrderResponse) and convert.STATUS_OF[reply.response.order.status] in GONE
    )


def _was_not_placed(reply: Reply) -> bool:
    """By this request. What cannot be told now may stand."""
    return reply.error is not None and reply.error.reason != Reason.ORDER_IN_DOUBT.name


def _unheard(_: Order) -> None:
    """The session did not ask for changes."""
