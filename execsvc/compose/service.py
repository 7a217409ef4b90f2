"""The service: every concrete class, built, started and drained in order. Read it from top to bottom.

Order of starting: store, venue (the built-in exchange in paper mode without addresses), public side, the account, doors
(health answers, trading not ready), key check, doubts, private stream; then SERVING. Leaving goes the other way: no new
orders, finish those in flight, resolve, end the streams, close the doors, stop the loops, close the store.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from execsvc import __version__
from execsvc.app.catalog import Catalog
from execsvc.app.overview import Overview, Phase
from execsvc.compose.account import AccountStart
from execsvc.compose.gauges import watch_rates
from execsvc.compose.outcome import PaperFacts, Ready, StartRefused, Stop
from execsvc.compose.parts import Parts, open_store
from execsvc.compose.rooms import ACCOUNT, Rooms, rooms
from execsvc.compose.venue import venue_access
from execsvc.domain.errors import Busy, ProtocolBroken
from execsvc.rpc import health
from execsvc.rpc import server as grpc_door
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.services import Services
from execsvc.settings import Settings
from execsvc.web import app as web_door
from execsvc.web.probes import Probes

FIRST_TABLES_S = 3.0
DRAIN_MOST_S = 25.0  # in all: below the 30 s that supervisors usually allow
IN_FLIGHT_WAIT_S = 10.0
CLOSE_GRACE_S = 1.0


@dataclass(frozen=True)
class Service:
    """What runs, as far as whoever started it needs to know."""

    settings: Settings
    grpc_address: str
    http_address: str
    store: str
    paper: PaperFacts | None
    overview: Overview

    def ready(self, *, demo: bool) -> Ready:
        """For the banner."""
        return Ready(
            version=__version__,
            mode=self.settings.mode.value,
            dev=self.settings.dev,
            grpc_address=self.grpc_address,
            http_address=self.http_address,
            paper=self.paper,
            demo=demo,
            store=self.store,
            trading=self.overview.trading_ready,
        )


@asynccontextmanager
async def service(settings: Settings, parts: Parts, stop: Stop) -> AsyncIterator[Service]:
    """The running service. Raises StartRefused when it cannot or must not start."""
    async with AsyncExitStack() as stack:
        store, store_name = await open_store(settings, parts, stack)
        access = await venue_access(settings, parts, stack)
        stack.push_async_callback(parts.tasks.close)
        built = rooms(settings, parts, store, access)
        watch_rates(parts.telemetry, built.house.venue)
        services = _services(settings, parts, built)
        await _first_tables(services.market.catalog, parts)
        parts.tasks.supervise("catalog", services.market.catalog.keep_fresh)
        parts.tasks.supervise("indexes", services.market.catalog.keep_indexes)
        parts.tasks.supervise("feeds", services.market.feeds.watch)
        parts.tasks.supervise("retention", built.retention.run)
        door = await _open_grpc(settings, services)
        stack.push_async_callback(_drain, door, built, parts)
        http = await _open_http(settings, parts, services, stack)
        await AccountStart(ACCOUNT, built.opening, parts.clock, parts.tasks).first_try(stop)
        yield Service(settings, door.address, http, store_name, access.paper, services.overview)


def _services(settings: Settings, parts: Parts, built: Rooms) -> Services:
    return Services(
        desk=built.house.desk,
        amends=built.house.amends,
        clearing=built.house.clearing,
        dead_man=built.house.dead_man,
        sessions=built.house.sessions,
        preview=built.preview,
        limits=built.limits,
        explain=built.explain,
        orders=built.feed,
        account=built.reads,
        market=built.market,
        overview=built.overview,
        callers=LocalCaller(ACCOUNT, anywhere=not settings.listen.is_local),
        clock=parts.clock,
        tasks=parts.tasks,
        entropy=parts.entropy,
        telemetry=parts.telemetry,
        report=_report,
    )


def _report(event: str, error: BaseException, facts: Mapping[str, str]) -> None:
    structlog.get_logger().error(event, error_type=type(error).__name__, exc_info=error, **facts)


async def _first_tables(catalog: Catalog, parts: Parts) -> None:
    """Pairs and assets before anything else, if the exchange answers soon; else they come later by themselves."""
    try:
        async with parts.clock.timeout_at(parts.clock.monotonic() + FIRST_TABLES_S):
            await catalog.refresh()
    except (TimeoutError, Busy, ProtocolBroken) as failure:
        structlog.get_logger().warning("exchange.unreachable", why=str(failure) or "no answer in time")


async def _open_grpc(settings: Settings, services: Services) -> grpc_door.Door:
    try:
        return await grpc_door.start(str(settings.listen), services, reflect=settings.dev)
    except OSError as taken:
        raise StartRefused(f"gRPC: {taken}; choose another with --listen HOST:PORT (EXECSVC_LISTEN)") from None


async def _open_http(settings: Settings, parts: Parts, services: Services, stack: AsyncExitStack) -> str:
    if settings.http is None:
        return ""
    probes = Probes(
        phase=lambda: services.overview.phase.value,
        services=lambda: health.states(services),
        metrics=parts.metrics_text,
    )
    try:
        door = await web_door.start(settings.http.host, settings.http.port, probes)
    except OSError as taken:
        raise StartRefused(
            f"HTTP: {taken}; choose another with --http HOST:PORT or off (EXECSVC_HTTP_LISTEN)"
        ) from None
    stack.push_async_callback(door.close)
    return door.url.removeprefix("http://")


async def _drain(door: grpc_door.Door, built: Rooms, parts: Parts) -> None:
    """No new orders, then what is in flight, then the doubts, then the streams: no order is left in doubt."""
    log = structlog.get_logger()
    built.overview.phase = Phase.DRAINING
    door.drain()
    desk, amends, resolver, clock = built.house.desk, built.house.amends, built.house.resolver, parts.clock
    began = clock.monotonic()
    settled_by = began + DRAIN_MOST_S - CLOSE_GRACE_S
    while (desk.in_flight or amends.in_flight) and clock.monotonic() < began + IN_FLIGHT_WAIT_S:
        await clock.sleep(0.02)
    settled = await resolver.until_none(settled_by) and await amends.until_none(settled_by)
    await built.house.dead_man.leave(clock.monotonic() + CLOSE_GRACE_S)
    await door.stop(CLOSE_GRACE_S)
    in_flight = desk.in_flight + amends.in_flight
    if settled and not in_flight:
        log.info("service.drained")
    else:
        log.warning(
            "service.drained",
            count=resolver.in_doubt + amends.doubts.in_doubt + in_flight,
            why="the journal resolves the rest at the next start",
        )
