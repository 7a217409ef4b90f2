"""Health, asked of the service at the moment of the question: nothing here is set, so nothing can be stale.

"" is alive until the drain; OrderService only while a placement would be taken; MarketDataService on its own; AccountService
once the account's key has been checked. No token, no permission: it stands outside the gate.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health_pb2

from execsvc.app.standing import Phase
from execsvc.domain.errors import Busy
from execsvc.rpc.bounds import HEALTH_MOST
from execsvc.rpc.crowd import Crowd, OutOfPatienceError
from execsvc.rpc.handlers import Context, Requests, ends, first
from execsvc.rpc.permits import PACKAGE
from execsvc.rpc.services import Services

SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
WATCH_EVERY_S = 0.25
Serving = health_pb2.HealthCheckResponse


def states(services: Services) -> Mapping[str, bool]:
    """Whether each service serves now, by the name health is asked for."""
    overview = services.overview
    alive = not services.drain.refusing and overview.phase is not Phase.DRAINING
    known = overview.phase in {Phase.RECONCILING, Phase.SERVING}
    return {
        "": alive,
        f"{PACKAGE}.AdminService": alive,
        f"{PACKAGE}.MarketDataService": alive and services.market.catalog.ready,
        f"{PACKAGE}.AccountService": alive and known,
        f"{PACKAGE}.OrderService": alive and overview.trading_ready,
    }


class Health:
    """grpc.health.v1 over `states`."""

    def __init__(self, services: Services, crowd: Crowd) -> None:
        self._services = services
        self._crowd = crowd
        self._open = 0

    def __repr__(self) -> str:
        return f"<Health, {self._open} calls>"

    def handlers(self) -> grpc.GenericRpcHandler:
        """For the server. Requests are read here, so that one that never comes is not waited for."""
        made: dict[str, Any] = {
            "Check": grpc.stream_unary_rpc_method_handler(self._check, None, _serialize),
            "List": grpc.stream_unary_rpc_method_handler(self._list, None, _serialize),
            "Watch": grpc.stream_stream_rpc_method_handler(self._watch, None, _serialize),
        }
        return grpc.method_handlers_generic_handler(SERVICE, made)

    async def _check(self, _: Requests, context: Context) -> Message | None:
        """The state now; NOT_FOUND for a service that is not here."""
        asked = await self._asked(context)
        if asked is None:
            return None
        serving = states(self._services).get(asked)
        if serving is None:
            await ends(context, grpc.StatusCode.NOT_FOUND, f"no service {asked[:64]!r}")
            return None
        answer: Message = Serving(status=Serving.SERVING if serving else Serving.NOT_SERVING)
        return answer

    async def _list(self, _: Requests, context: Context) -> Message | None:
        """All states now."""
        if await self._asked(context) is None:
            return None
        held = {
            name: Serving(status=Serving.SERVING if serving else Serving.NOT_SERVING)
            for name, serving in states(self._services).items()
        }
        answer: Message = health_pb2.HealthListResponse(statuses=held)
        return answer

    async def _watch(self, _: Requests, context: Context) -> None:
        """The state now and whenever it changes, until the server ends."""
        asked = await self._asked(context)
        if asked is None:
            return
        try:
            async for status in self._changes(asked):
                await context.write(Serving(status=status))
        except Busy as end:
            await ends(context, grpc.StatusCode.UNAVAILABLE, end.fault.message)

    async def _changes(self, asked: str) -> AsyncGenerator[int, None]:
        """Raises SHUTTING_DOWN."""
        told = None
        while True:
            serving = states(self._services).get(asked)
            status = {None: Serving.SERVICE_UNKNOWN, True: Serving.SERVING, False: Serving.NOT_SERVING}[serving]
            if status != told:
                told = status
                yield status
            with self._services.drain.interruptible():
                await self._services.clock.sleep(WATCH_EVERY_S)

    async def _asked(self, context: Context) -> str | None:
        """The name of the service that is meant, or None once the call has been refused.

        All kinds of request read alike here, and List's has none.
        """
        try:
            request = await first(self._crowd, context)
        except OutOfPatienceError:
            request = None
        try:
            asked = None if request is None else health_pb2.HealthCheckRequest.FromString(request)
        except DecodeError:
            asked = None
        if asked is None:
            await ends(context, grpc.StatusCode.INVALID_ARGUMENT, "no request came that can be read")
            return None
        if not self._counted():
            await ends(context, grpc.StatusCode.RESOURCE_EXHAUSTED, f"{self._open} others ask or watch; ask again")
            return None
        name: str = asked.service
        return name

    def _counted(self) -> bool:
        """Counts the call, while there is room, until its answer was taken, which is up to whoever asked."""
        task = asyncio.current_task()
        if task is None or self._open >= HEALTH_MOST:
            return False
        self._open += 1
        task.add_done_callback(self._left)
        return True

    def _left(self, _: "asyncio.Task[object]") -> None:
        self._open -= 1


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()
