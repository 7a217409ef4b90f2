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
from execsvc.app.account import AccountReads
from execsvc.app.catalog import Catalog
from execsvc.app.desk import Desk
from execsvc.app.executions import Executions
from execsvc.app.feeds import STALENESS_BOUND_S, Feeds
from execsvc.app.market import MarketData
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import About, Overview, Phase
from execsvc.app.resolver import Resolver
from execsvc.app.risk import Limits, RiskDesk
from execsvc.app.settlements import Settlements
from execsvc.compose.account import NOT_YET, AccountStart
from execsvc.compose.outcome import PaperFacts, Ready, StartRefused, Stop
from execsvc.compose.parts import Parts, open_store
from execsvc.compose.venue import VenueAccess, venue_access
from execsvc.domain import money
from execsvc.domain.errors import Busy, Fault, ProtocolBroken, Reason
from execsvc.kraken.private import KrakenPrivate
from execsvc.kraken.public import KrakenPublic
from execsvc.ports import Store
from execsvc.rpc import health
from execsvc.rpc import server as grpc_door
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.services import Services
from execsvc.settings import Mode, Settings
from execsvc.web import app as web_door
from execsvc.web.probes import Probes

ACCOUNT = "main"
KEY_LABEL = "main"
FIRST_TABLES_S = 3.0
IN_FLIGHT_WAIT_S = 10.0
RESOLVE_WAIT_S = 25.0
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
        services, start = _rooms(settings, parts, store, access)
        await _first_tables(services.market.catalog, parts)
        parts.tasks.supervise("catalog", services.market.catalog.keep_fresh)
        parts.tasks.supervise("feeds", services.market.feeds.watch)
        door = await _open_grpc(settings, services)
        stack.push_async_callback(_drain, door, services, parts)
        http = await _open_http(settings, parts, services, stack)
        await start.first_try(stop)
        yield Service(settings, door.address, http, store_name, access.paper, services.overview)


def _rooms(settings: Settings, parts: Parts, store: Store, access: VenueAccess) -> tuple[Services, AccountStart]:
    clock, tasks, telemetry = parts.clock, parts.tasks, parts.telemetry
    public = KrakenPublic(
        rest_url=access.urls.rest,
        ws_url=access.urls.ws,
        http=parts.http,
        dialer=parts.dialer,
        clock=clock,
        entropy=parts.entropy,
        tasks=tasks,
        telemetry=telemetry,
    )
    private = KrakenPrivate(
        account=ACCOUNT,
        key=access.key.reveal(),
        secret=access.secret,
        key_label=KEY_LABEL,
        rest_url=access.urls.rest,
        ws_auth_url=access.urls.ws_auth,
        http=parts.http,
        dialer=parts.dialer,
        clock=clock,
        entropy=parts.entropy,
        nonces=store,
        tasks=tasks,
        telemetry=telemetry,
        names=public.names,
        venue_time=public.venue_time,
    )
    catalog = Catalog(public, clock)
    feeds = Feeds(public, clock, tasks, telemetry)
    resolver = Resolver(account=ACCOUNT, venue=private, journal=store, clock=clock, telemetry=telemetry)
    desk = Desk(
        account=ACCOUNT,
        venue=private,
        store=store,
        catalog=catalog,
        resolver=resolver,
        settlements=Settlements(store, clock),
        risk=RiskDesk(Limits(settings.max_order_notional), catalog, feeds),
        clock=clock,
        tasks=tasks,
        telemetry=telemetry,
    )
    desk.closed_because = NOT_YET
    executions = Executions(
        account=ACCOUNT,
        venue=private,
        journal=store,
        clock=clock,
        telemetry=telemetry,
        pursue_wishes=desk.pursue_wishes,
        alarm=lambda what: _halt(desk, overview, what),
    )
    overview = Overview(
        about=_about(settings, parts, store, access, desk, resolver),
        public=public,
        private=private,
        feeds=feeds,
        executions=executions,
        resolver=resolver,
        clock=clock,
    )
    services = Services(
        desk=desk,
        orders=OrderFeed(ACCOUNT, store, store.journal_id, clock),
        account=AccountReads(ACCOUNT, private, store, catalog),
        market=MarketData(public, catalog, feeds),
        overview=overview,
        callers=LocalCaller(ACCOUNT, anywhere=not settings.listen.is_local),
        clock=clock,
        entropy=parts.entropy,
        telemetry=telemetry,
        report=_report,
    )
    start = AccountStart(
        parts=parts,
        venue=private,
        store=store,
        desk=desk,
        resolver=resolver,
        executions=executions,
        overview=overview,
        catalog=catalog,
        volatile_venue=access.paper is not None,
    )
    return services, start


def _about(
    settings: Settings, parts: Parts, store: Store, access: VenueAccess, desk: Desk, resolver: Resolver
) -> About:
    limit = settings.max_order_notional
    return About(
        version=__version__,
        venue="kraken" if settings.mode is Mode.LIVE else "paper",
        mode=settings.mode.value,
        server_epoch=f"{store.journal_id[:8]}-{store.epoch}",
        start_ns=parts.clock.wall_ns(),
        accounts=(ACCOUNT,),
        least_place_timeout_s=desk.least_timeout_s,
        settings=(
            ("exchange", "built in" if access.paper is not None else "by address"),
            ("tier", settings.tier),
            ("max_order_notional_usd", "none" if limit is None else money.text(limit)),
            ("visibility_bound_s", str(resolver.visibility_s)),
            ("staleness_bound_s", str(STALENESS_BOUND_S)),
        ),
    )


def _halt(desk: Desk, overview: Overview, what: str) -> None:
    """A verdict of ours and the exchange contradict each other: nothing new is placed until a person has looked."""
    structlog.get_logger().error("order.contradiction", problem=what)
    overview.problems.append(f"an order at the exchange contradicts the journal: {what}")
    desk.closed_because = Fault(
        Reason.TRADING_HALTED,
        f"trading is halted because an order at the exchange contradicts the journal; nothing was sent: {what}",
        {"mode": "CANCEL_ONLY", "scope": desk.account, "comment": what, "id_used": "false"},
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


async def _drain(door: grpc_door.Door, services: Services, parts: Parts) -> None:
    """No new orders, then what is in flight, then the doubts, then the streams: no order is left in doubt."""
    log = structlog.get_logger()
    services.overview.phase = Phase.DRAINING
    door.drain()
    desk, resolver, clock = services.desk, services.overview.resolver, parts.clock
    by = clock.monotonic() + IN_FLIGHT_WAIT_S
    while desk.in_flight and clock.monotonic() < by:
        await clock.sleep(0.02)
    settled = await resolver.until_none(clock.monotonic() + RESOLVE_WAIT_S)
    await door.stop(CLOSE_GRACE_S)
    if settled and not desk.in_flight:
        log.info("service.drained")
    else:
        log.warning(
            "service.drained",
            count=resolver.in_doubt + desk.in_flight,
            why="the journal resolves the rest at the next start",
        )
