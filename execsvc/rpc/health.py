"""Health, asked of the service at the moment of the question: nothing here is set, so nothing can be stale.

"" is alive until the drain; OrderService only while a placement would be taken; MarketDataService on its own; AccountService
once the account's key has been checked. No token, no permission: it stands outside the gate.
"""

from collections.abc import AsyncGenerator, Mapping

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc.app.overview import Phase
from execsvc.domain.errors import Busy
from execsvc.rpc.permits import PACKAGE
from execsvc.rpc.services import Services

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


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]  # the health package ships no types
    """grpc.health.v1 over `states`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def Check(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, context: "grpc.aio.ServicerContext[object, object]"
    ) -> health_pb2.HealthCheckResponse:
        """The state now; NOT_FOUND for a service that is not here."""
        serving = states(self._services).get(request.service)
        if serving is None:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {request.service[:64]!r}")
        return Serving(status=Serving.SERVING if serving else Serving.NOT_SERVING)

    async def List(  # noqa: N802 - the protocol's name
        self, _: health_pb2.HealthListRequest, __: "grpc.aio.ServicerContext[object, object]"
    ) -> health_pb2.HealthListResponse:
        """All states now."""
        held = {
            name: Serving(status=Serving.SERVING if serving else Serving.NOT_SERVING)
            for name, serving in states(self._services).items()
        }
        return health_pb2.HealthListResponse(statuses=held)

    async def Watch(  # noqa: N802 - the protocol's name
        self, request: health_pb2.HealthCheckRequest, context: "grpc.aio.ServicerContext[object, object]"
    ) -> AsyncGenerator[health_pb2.HealthCheckResponse, None]:
        """The state now and whenever it changes, until the server ends."""
        told = None
        while True:
            serving = states(self._services).get(request.service)
            status = {None: Serving.SERVICE_UNKNOWN, True: Serving.SERVING, False: Serving.NOT_SERVING}[serving]
            if status != told:
                told = status
                yield Serving(status=status)
            try:
                with self._services.drain.interruptible():
                    await self._services.clock.sleep(WATCH_EVERY_S)
            except Busy as end:
                await context.abort(grpc.StatusCode.UNAVAILABLE, end.fault.message)
