"""The one way in, for every door: admit, open the span, run in time, translate, measure.

Doors turn bytes and headers into a Knock, and an Answer into their own words; a servicer sees neither. This is the only place
in the service where any error becomes a status: what is no ExecsvcError is our fault, is told to the operator whole and to
the caller without a word of it.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message
from opentelemetry.trace import Status, StatusCode

from execsvc.app.overview import About
from execsvc.domain.errors import ExecsvcError, Fault, Reason, refuse
from execsvc.ports import Clock
from execsvc.rpc.admit import Admission, Knock, Visit
from execsvc.rpc.call import Call
from execsvc.rpc.openstreams import OpenStream, OpenStreams
from execsvc.rpc.permits import Effect
from execsvc.rpc.status import Verdict, verdict
from execsvc.telemetry import Telemetry, tell

OK, CANCELLED = 0, 1
REPEAT_MS = 200  # the wait where an error itself names none
ATTEMPT_S = 0.5  # the least time another attempt of a read or cancel is worth
TIMER_EARLY_S = 0.01  # loops round their timers to a millisecond and may fire that much early
_TRACE = ("traceparent", "tracestate")
_TRACE_MAX = 512

Unary = Callable[[Call, Any], Awaitable[Message]]
Streamed = Callable[[Call, Any], AsyncGenerator[Message, None]]
Begun = tuple[OpenStream, Message, AsyncGenerator[Message, None]]
Rescue = Callable[[Call, Any], Awaitable[Message]]
Report = Callable[[str, BaseException, Mapping[str, str]], None]
"""Tells the operator of an error nobody expected: event name, the error, listed facts."""


@dataclass(frozen=True)
class Handlers:
    """What stands behind the gate, by full method name.

    A rescue says what is durable of a placement whose handling broke (or raises ORDER_NOT_FOUND), so that a bug of ours
    reads as a doubt and never as "nothing was sent".
    """

    unary: Mapping[str, Unary]
    streams: Mapping[str, Streamed]
    rescues: Mapping[str, Rescue]


@dataclass(frozen=True)
class Answer:
    """How a call ended: a response or a verdict, and the trailers that go with either."""

    response: Message | None
    verdict: Verdict | None
    trailers: Mapping[str, str]


class Gate:
    """Every call of every door passes here."""

    def __init__(
        self,
        *,
        handlers: Handlers,
        admission: Admission,
        streams: OpenStreams,
        about: About,
        clock: Clock,
        telemetry: Telemetry,
        report: Report,
    ) -> None:
        self._handlers = handlers
        self._admission = admission
        self._streams = streams
        self._about = about
        self._clock = clock
        self._telemetry = telemetry
        self._report = report

    def __repr__(self) -> str:
        return f"<Gate {len(self._handlers.unary)} calls, {len(self._streams)} streams open>"

    async def unary(self, knock: Knock) -> Answer:
        """One request, one answer. A caller that hangs up cancels this, never what the servicer started for good."""
        visit = self._admission.visit(knock)
        answer: Answer | None = None
        with self._telemetry.server_span(knock.method, _carrier(knock.meta)) as visit.span:
            try:
                answer = self._answer(visit, response=await self._run(visit, knock))
            except Exception as error:  # noqa: BLE001 - the gate is where any error becomes a status
                answer = await self._failed(visit, error)
            finally:
                self._admission.leave(visit)
                self._tell(visit, answer)
                self._measure(visit, answer)
        return answer

    async def stream(self, knock: Knock) -> AsyncGenerator[Message | Answer, None]:
        """The messages of a stream, then one Answer that says how it ended: well only a session, when its caller is done.

        The span covers the opening only: a span per tick would cost more than the tick.
        """
        visit = self._admission.visit(knock)
        end: Answer | None = None
        try:
            begun = await self._open(visit, knock)
            if isinstance(begun, Answer):
                end = begun
            else:
                opened, first, messages = begun
                try:
                    async with aclosing(messages):
                        yield first
                        while not isinstance(step := await self._step(opened, messages), Answer):
                            yield step
                    end = step
                finally:
                    self._streams.leave(opened)
            yield end
        finally:
            self._admission.leave(visit)
            self._measure(visit, end)

    # ---- running ------------------------------------------------------------------------------------------------

    async def _run(self, visit: Visit, knock: Knock) -> Message:
        call, request = self._admission.admit(visit, knock)
        handler = self._handlers.unary[knock.method]
        if call.permit.effect is not Effect.READ:
            return await handler(call, request)
        try:
            async with self._clock.timeout_at(call.guard_by):
                return await handler(call, request)
        except TimeoutError:
            if self._clock.monotonic() < call.guard_by - TIMER_EARLY_S:
                raise  # not ours: something below let it escape
            raise refuse(
                Reason.READ_TIMEOUT,
                f"{call.permit.short} was not answered within {call.by - call.arrived:.1f} s; ask again with more time",
            ) from None

    async def _open(self, visit: Visit, knock: Knock) -> Answer | Begun:
        """A stream that began is looked after until whoever has it says that it left."""
        answer: Answer | None = None
        opened: OpenStream | None = None
        begun: Begun | None = None
        with self._telemetry.server_span(knock.method, _carrier(knock.meta)) as visit.span:
            try:
                call, request = self._admission.admit(visit, knock)
                opened = self._streams.enter(visit, call)
                messages = self._handlers.streams[knock.method](call, request)
                first = await anext(messages)
                begun = opened, first, messages
                answer = self._answer(visit)
            except Exception as error:  # noqa: BLE001 - the gate is where any error becomes a status
                answer = await self._failed(visit, error)
                return answer
            finally:
                if opened is not None and begun is None:
                    self._streams.leave(opened)
                self._tell(visit, answer)
        return begun

    async def _step(self, opened: OpenStream, messages: AsyncGenerator[Message, None]) -> Message | Answer:
        """The next message, or how the stream ended: by itself, or because its caller may not have it any more."""
        visit = opened.visit
        if opened.end is not None:
            return await self._failed(visit, opened.end)
        cancelled_before = opened.task.cancelling()
        opened.waiting = True
        try:
            return await anext(messages)
        except asyncio.CancelledError:
            if opened.end is not None and opened.was_struck(cancelled_before):
                return await self._failed(visit, opened.end)
            raise
        except StopAsyncIteration:
            return self._answer(visit)
        except Exception as error:  # noqa: BLE001 - the gate is where any error becomes a status
            return await self._failed(visit, error)
        finally:
            opened.waiting = False

    # ---- translating --------------------------------------------------------------------------------------------

    async def _failed(self, visit: Visit, error: Exception) -> Answer:
        fault = self._fault_of(visit, error)
        if visit.permit is not None and visit.permit.places and "id_used" not in fault.metadata:
            rescued = await self._rescued(visit)
            if isinstance(rescued, Message):
                return self._answer(visit, response=rescued)
            fault = fault.with_metadata(id_used="false") if rescued is None else rescued
        return self._answer(visit, fault=fault)

    async def _rescued(self, visit: Visit) -> Message | Fault | None:
        """What is durable of a placement that broke while it ran: its answer, None for nothing, else a fault."""
        rescue = self._handlers.rescues.get(visit.method)
        if visit.call is None or rescue is None:
            return None  # refused before anything was done
        try:
            return await rescue(visit.call, visit.request)
        except Exception as error:  # noqa: BLE001 - the gate is where any error becomes a status
            if isinstance(error, ExecsvcError):
                if error.reason is Reason.ORDER_NOT_FOUND:
                    return None
                if "id_used" in error.fault.metadata:
                    return error.fault
            self._report("rpc.rescue_failed", error, self._facts(visit))
            return Fault(
                Reason.ORDER_IN_DOUBT,
                "whether the order was sent cannot be told now; send the same request again, or ask GetOrder",
                {"id_used": "false"},
            )

    def _fault_of(self, visit: Visit, error: Exception) -> Fault:
        if isinstance(error, ExecsvcError) and error.reason is not Reason.INTERNAL:
            return error.fault
        self._report("rpc.broken", error, self._facts(visit))
        self._telemetry.own_bugs.add(1, {"reason": Reason.INTERNAL.name})
        return Fault(Reason.INTERNAL, f"the server failed; its log has more under request id {visit.request_id}")

    def _answer(self, visit: Visit, *, response: Message | None = None, fault: Fault | None = None) -> Answer:
        trailers = {
            "x-request-id": visit.request_id,
            "x-server-epoch": self._about.server_epoch,
            "x-execsvc-mode": self._about.mode,
        }
        if fault is None:
            return Answer(response, None, trailers)
        told = verdict(fault, venue=self._about.venue, request_id=visit.request_id, caller=visit.caller)
        if told.healed_by_waiting:
            told = replace(told, pushback_ms=self._repeat_in_ms(visit, told))
        return Answer(None, told, trailers)

    def _repeat_in_ms(self, visit: Visit, told: Verdict) -> int:
        """When a library should try again by itself: never, where the caller's time does not allow wait and attempt.

        A repeat that cannot be answered in time would only swap our reason for the library's own bare deadline.
        """
        wait_ms = REPEAT_MS if told.pushback_ms is None else told.pushback_ms
        if visit.call is None or wait_ms < 0:
            return wait_ms
        places = visit.permit is not None and visit.permit.places
        needed_s = self._about.least_place_timeout_s if places else ATTEMPT_S
        fits = self._clock.monotonic() + wait_ms / 1000 + needed_s <= visit.call.by
        return wait_ms if fits else -1

    # ---- measuring ----------------------------------------------------------------------------------------------

    def _facts(self, visit: Visit) -> dict[str, str]:
        """For the operator's log."""
        call = visit.call
        facts = {
            "method": visit.method,
            "caller": visit.caller,
            "account": "" if call is None else call.account,
            "stream": "" if call is None else call.stream_id,
            "request_id": visit.request_id,
        }
        return {name: value for name, value in facts.items() if value}

    def _tell(self, visit: Visit, answer: Answer | None) -> None:
        if not visit.span.is_recording():
            return
        service, _, method = visit.method.partition("/")
        named = {f"execsvc.{name}": value for name, value in self._facts(visit).items()}
        tell(visit.span, {**named, "rpc.system": "grpc", "rpc.service": service, "rpc.method": method})
        tell(visit.span, {"execsvc.mode": self._about.mode, "rpc.grpc.status_code": _number(answer)})
        if answer is not None and answer.verdict is not None:
            tell(visit.span, {"execsvc.reason": answer.verdict.reason.name})
            if answer.verdict.server_fault:
                visit.span.set_status(Status(StatusCode.ERROR, answer.verdict.reason.name))

    def _measure(self, visit: Visit, answer: Answer | None) -> None:
        service, _, method = visit.method.partition("/")
        self._telemetry.call_seconds.record(
            self._clock.monotonic() - visit.arrived,
            {"rpc.service": service, "rpc.method": method, "rpc.grpc.status_code": _number(answer)},
        )


def _number(answer: Answer | None) -> int:
    """The gRPC code of an end; without an answer the caller hung up."""
    if answer is None:
        return CANCELLED
    return OK if answer.verdict is None else answer.verdict.number


def _carrier(meta: Mapping[str, str]) -> dict[str, str]:
    """The caller's trace, and nothing else of its headers."""
    return {name: meta[name] for name in _TRACE if name in meta and len(meta[name]) <= _TRACE_MAX}
