"""The contract's methods as gRPC's handlers: bytes and headers become a Knock, an Answer becomes a response or a status.

Every request is read here and not by gRPC, for two reasons: bytes nobody can read are answered in the contract's words, and
one that was announced and does not come is not waited for longer than crowd.py allows. On the wire a unary call is a stream
of one message, so which of gRPC's kinds of handler serves it is nobody's business but ours.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from execsvc.domain.errors import ExecsvcError
from execsvc.rpc.admit import Knock, Read
from execsvc.rpc.bearer import HEADER
from execsvc.rpc.crowd import Crowd, OutOfPatienceError, crowded_out
from execsvc.rpc.gate import Answer, Gate
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.status import verdict
from execsvc.rpc.tls import names
from execsvc.rpc.untaken import Untaken

Context = grpc.aio.ServicerContext[bytes, Message]
Requests = AsyncIterator[bytes]
Run = Callable[[Knock, Context], Awaitable[Message | None]]

_ID_MAX = 64


@dataclass(frozen=True)
class Handlers:
    """Makes the handlers of one door; `venue` is named in what the door refuses by itself.

    certified: whether callers' certificates are verified here, so that their names are worth looking for.
    """

    gate: Gate
    crowd: Crowd
    untaken: Untaken
    venue: str
    certified: bool

    def of(self, service: str, method: Any) -> "grpc.RpcMethodHandler[bytes, Message]":
        """One method of the contract, by its descriptor. KeyError for one without a row in permits.py."""
        name = f"{service}/{method.name}"
        kind: type[Message] = GetMessageClass(method.input_type)
        if method.server_streaming:
            run = self._handler(name, kind, self._stream, session=method.client_streaming)
            return grpc.stream_stream_rpc_method_handler(run, None, _serialize)
        return grpc.stream_unary_rpc_method_handler(self._handler(name, kind, self._unary), None, _serialize)

    def _handler(self, name: str, kind: type[Message], run: Run, *, session: bool = False) -> Any:
        permit, crowd = PERMITS[name], self.crowd

        async def handler(requests: Requests, context: Context) -> Message | None:
            try:
                read = _reader(kind, await first(crowd, context))
            except OutOfPatienceError:
                await refused(context, crowded_out(permit), venue=self.venue)
                return None
            knock = Knock(
                name,
                read,
                meta(context),
                context.peer(),
                left_s=context.time_remaining(),
                names=names(context.auth_context()) if self.certified else (),
                requests=requests if session else None,
            )
            try:
                room = crowd.enter(permit)
            except ExecsvcError as full:
                await refused(context, full, venue=self.venue)
                return None
            try:
                return await run(knock, context)
            finally:
                crowd.leave(room)

        return handler

    async def _unary(self, knock: Knock, context: Context) -> Message | None:
        answer = await self.gate.unary(knock)
        if answer.response is None:
            await _failed(context, answer)
            return None
        context.set_trailing_metadata(tuple(answer.trailers.items()))
        self.untaken.given(answer.response.ByteSize())
        return answer.response

    async def _stream(self, knock: Knock, context: Context) -> None:
        """Written, not yielded: gRPC never closes a handler's generator, and a reader that left must free its mailbox now."""
        async with aclosing(self.gate.stream(knock)) as steps:
            async for step in steps:
                if not isinstance(step, Answer):
                    await context.write(step)
                elif step.verdict is None:
                    context.set_trailing_metadata(tuple(step.trailers.items()))
                else:
                    await _failed(context, step)


async def first(crowd: Crowd, context: Context) -> bytes | None:
    """The bytes of a call's first message; None where none came, or none in time. Raises OutOfPatienceError in a crowd."""
    try:
        read = await crowd.arriving.wait(context.read(), peer=context.peer())
    except OutOfPatienceError as over:
        if over.crowded:
            raise
        return None
    return read if isinstance(read, bytes) else None


def meta(context: Context) -> Mapping[str, str]:
    """Text headers by name, the first of each. Two credentials are none: which of them is meant is not for us to guess."""
    found: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str) and (name not in found or name == HEADER):
            found[name] = f"{found[name]},{value}" if name in found else value
    return found


async def refused(context: Context, error: ExecsvcError, *, venue: str) -> None:
    """Ends a call that the door itself refuses, in the words of the contract."""
    asked = meta(context).get("x-request-id", "")
    told = verdict(error.fault, venue=venue, request_id=asked if asked.isprintable() and len(asked) <= _ID_MAX else "")
    await _failed(context, Answer(None, told, {}))


async def ends(
    context: Context, code: grpc.StatusCode, message: str, trailers: Sequence[tuple[str, str | bytes]] = ()
) -> None:
    """Ends a call with a status and nothing before it (so that libraries may try again); its handler has only to return.

    gRPC holds the error of its `abort` for the call, and the error's frames hold the call: a ring that only the search for
    garbage finds, and after a flood of refusals that search stopped everybody for a tenth of a second. gRPC ends the call
    without our passing its error on.
    """
    try:
        await context.abort(code, message, tuple(trailers))
    except grpc.aio.AbortError as aborted:
        aborted.__traceback__ = None


def _reader(kind: type[Message], request: bytes | None) -> Read:
    def read() -> Message:
        if request is None:
            raise DecodeError("it never came")
        return kind.FromString(request)

    return read


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


async def _failed(context: Context, answer: Answer) -> None:
    """Everything about the failure goes out in trailers."""
    failed = answer.verdict
    if failed is None:
        raise AssertionError("an answer has a response or a verdict")
    trailers: list[tuple[str, str | bytes]] = [*answer.trailers.items(), ("grpc-status-details-bin", failed.status)]
    if failed.pushback_ms is not None:
        trailers.append(("grpc-retry-pushback-ms", str(failed.pushback_ms)))
    await ends(context, failed.code, failed.message, trailers)
