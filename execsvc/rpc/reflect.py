"""Reflection: what the contract is, told to tools such as grpcurl; to everybody under `dev`, elsewhere to who has `admin`.

The answers are the library's. Here is who may ask, how many at once and for how long: it stands outside the gate.
"""

from collections.abc import AsyncGenerator, AsyncIterator

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from execsvc.domain.caller import Permission
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.ports import Clock
from execsvc.rpc.bounds import REFLECTION_S, REFLECTIONS_MOST
from execsvc.rpc.callers import Callers, demand
from execsvc.rpc.handlers import Context, ends, meta, refused
from execsvc.rpc.permits import SERVICES
from execsvc.rpc.tls import names

# The newer name of the same messages, which newer tools ask for first.
_NAMES = (reflection.SERVICE_NAME, "grpc.reflection.v1.ServerReflection")
_TOLD = (*SERVICES, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)


class Reflection:
    """callers None: everybody may ask."""

    def __init__(self, callers: Callers | None, clock: Clock, venue: str) -> None:
        self._callers = callers
        self._clock = clock
        self._venue = venue
        self._library = reflection.aio.ReflectionServicer(_TOLD)
        self._open = 0

    def __repr__(self) -> str:
        return f"<Reflection {'for admins' if self._callers else 'for all'}, {self._open} open>"

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """For the server, under both names of the service."""
        run = grpc.stream_stream_rpc_method_handler(
            self._serve,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return tuple(grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": run}) for name in _NAMES)

    async def _serve(self, requests: AsyncIterator[Message], context: Context) -> AsyncGenerator[Message, None]:
        try:
            self._admit(context)
        except ExecsvcError as error:
            await refused(context, error, venue=self._venue)
            return
        self._open += 1
        try:
            async with self._clock.timeout_at(self._clock.monotonic() + REFLECTION_S):
                async for response in self._library.ServerReflectionInfo(requests, context):
                    yield response
        except TimeoutError:
            await ends(context, grpc.StatusCode.DEADLINE_EXCEEDED, f"open for {REFLECTION_S:g} s; ask again")
        finally:
            self._open -= 1

    def _admit(self, context: Context) -> None:
        if self._callers is not None:
            demand(self._callers, (Permission.ADMIN,), meta(context), context.peer(), names(context.auth_context()))
        if self._open >= REFLECTIONS_MOST:
            raise refuse(Reason.TOO_MANY_STREAMS, f"{self._open} others ask what the contract is; ask again")
