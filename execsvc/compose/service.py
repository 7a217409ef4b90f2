"""The service: every concrete class, built, started and drained in order. Read it from top to bottom.

Order of starting: store, venue (the built-in exchange in paper mode without addresses), what is common, the accounts, doors
(health answers, trading not ready), then each account by itself: key check, doubts, private stream; then SERVING. How it is
left is drain.py's.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import structlog

from execsvc import __version__
from execsvc.app.catalog import Catalog
from execsvc.app.feeds import STALENESS_BOUND_S
from execsvc.app.overview import About, Overview
from execsvc.app.owner import TENURE_S
from execsvc.compose.account import AccountStart, open_accounts
from execsvc.compose.drain import drain
from execsvc.compose.formeraccounts import tell_former_accounts
from execsvc.compose.gauges import watch_keys, watch_modes, watch_rates
from execsvc.compose.heads import keep_copies
from execsvc.compose.identity import callers_of
from execsvc.compose.marketside import MarketSide, market_side
from execsvc.compose.outcome import PaperFacts, Ready, StartRefused, Stop
from execsvc.compose.parts import Parts, open_store
from execsvc.compose.rooms import Rooms, rooms
from execsvc.compose.strangepairs import tell_strange_pairs
from execsvc.compose.tls import WithTls, keeper_of
from execsvc.compose.venue import VenueAccess, venue_access
from execsvc.domain import money
from execsvc.domain.errors import Busy, ProtocolBroken
from execsvc.kraken.nonce import BLOCK_SIZE
from execsvc.kraken.rest import LATE_REPLY_S, TRADE_PATIENCE_S
from execsvc.ports import Store
from execsvc.rpc import health
from execsvc.rpc import server as grpc_door
from execsvc.rpc.callers import Callers
from execsvc.rpc.services import AccountCases, Services
from execsvc.runtime.tls import Keeper
from execsvc.settings import Mode, Settings
from execsvc.web import app as web_door
from execsvc.web.probes import Probes

FIRST_TABLES_S = 3.0


@dataclass(frozen=True)
class Service:
    """What runs, as far as whoever started it needs to know."""

    settings: Settings
    grpc_address: str
    http_url: str
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
            http_url=self.http_url,
            paper=self.paper,
            demo=demo,
            store=self.store,
            trading=self.overview.trading_ready,
            accounts=tuple(self.overview.accounts),
            tokens=self.settings.tokens is not None,
        )


@asynccontextmanager
async def service(settings: Settings, parts: Parts, stop: Stop) -> AsyncIterator[Service]:
    """The running service. Raises StartRefused when it cannot or must not start."""
    async with AsyncExitStack() as stack:
        store, store_name = await open_store(settings, parts, stack)
        callers = callers_of(settings, parts, stack)
        keeper = keeper_of(settings.tls, parts)
        access = await venue_access(settings, parts, stack)
        if access.paper is None:  # the built-in exchange of an earlier life took its orders with it
            await tell_former_accounts((each.name for each in settings.accounts), store)
        stack.push_async_callback(parts.tasks.close)
        keep_copies(settings.store, parts, stack)
        shared = market_side(parts, access.urls)
        built = {each.name: rooms(settings, each, parts, store, access, shared) for each in settings.accounts}
        watch_rates(parts.telemetry, {name: each.house.venue for name, each in built.items()})
        watch_keys(parts.telemetry, {name: each.standing for name, each in built.items()}, parts.clock)
        watch_modes(parts.telemetry, {name: each.house.modes for name, each in built.items()})
        overview = _overview(settings, parts, store, access, shared, built)
        services = _services(parts, shared, overview, built, WithTls(callers, keeper) if keeper else callers)
        await _first_tables(shared.catalog, parts)
        tell_strange_pairs(settings, shared.catalog)
        parts.tasks.supervise("catalog", shared.catalog.keep_fresh)
        parts.tasks.supervise("indexes", shared.catalog.keep_indexes)
        parts.tasks.supervise("feeds", shared.feeds.watch)
        for each in built.values():
            parts.tasks.supervise("retention", each.retention.run)
        door = await _open_grpc(settings, services, keeper)
        stack.push_async_callback(drain, door, built, parts)
        http = await _open_http(settings, parts, services, keeper, stack)
        starts = [AccountStart(name, each.opening, parts.clock, parts.tasks) for name, each in built.items()]
        await open_accounts(starts, stop)
        yield Service(settings, door.address, http, store_name, access.paper, overview)


def _overview(
    settings: Settings, parts: Parts, store: Store, access: VenueAccess, shared: MarketSide, built: Mapping[str, Rooms]
) -> Overview:
    about = About(
        version=__version__,
        venue="kraken" if settings.mode is Mode.LIVE else "paper",
        mode=settings.mode.value,
        server_epoch=f"{store.journal_id[:8]}-{store.epoch}",
        start_ns=parts.clock.wall_ns(),
        least_place_timeout_s=max(each.house.desk.least_timeout_s for each in built.values()),
        settings=_figures(settings, access),
    )
    accounts = {name: each.standing for name, each in built.items()}
    return Overview(about=about, public=shared.public, feeds=shared.feeds, accounts=accounts, clock=parts.clock)


def _figures(settings: Settings, access: VenueAccess) -> tuple[tuple[str, str], ...]:
    """Those in force for all accounts, for GetServerInfo."""
    limit = settings.max_order_notional
    return (
        ("exchange", "built in" if access.paper is not None else "by address"),
        ("max_order_notional_usd", "none" if limit is None else money.text(limit)),
        ("staleness_bound_s", str(STALENESS_BOUND_S)),
        ("deadline_floor_s", f"{settings.deadline_floor_s:g}"),
        ("lane_patience_s", f"{TRADE_PATIENCE_S:g}"),
        ("late_reply_s", f"{LATE_REPLY_S:g}"),
        ("tenure_s", f"{TENURE_S:g}"),
        ("nonce_block", str(BLOCK_SIZE)),
        ("retention_days", str(settings.retention_days)),
        ("id_retention_days", str(settings.id_retention_days)),
    )


def _services(
    parts: Parts, shared: MarketSide, overview: Overview, built: Mapping[str, Rooms], callers: Callers
) -> Services:
    return Services(
        accounts={name: _cases(each) for name, each in built.items()},
        market=shared.market,
        overview=overview,
        callers=callers,
        clock=parts.clock,
        tasks=parts.tasks,
        entropy=parts.entropy,
        telemetry=parts.telemetry,
        report=_report,
    )


def _cases(built: Rooms) -> AccountCases:
    return AccountCases(
        desk=built.house.desk,
        amends=built.house.amends,
        clearing=built.house.clearing,
        dead_man=built.house.dead_man,
        sessions=built.house.sessions,
        preview=built.preview,
        explain=built.explain,
        orders=built.feed,
        reads=built.reads,
        limits=built.limits,
        standing=built.standing,
        modes=built.house.modes,
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


async def _open_grpc(settings: Settings, services: Services, keeper: Keeper | None) -> grpc_door.Door:
    try:
        return await grpc_door.start(str(settings.listen), services, reflect=settings.dev, pairs=keeper)
    except OSError as taken:
        raise StartRefused(f"gRPC: {taken}; choose another with --listen HOST:PORT (EXECSVC_LISTEN)") from None


async def _open_http(
    settings: Settings, parts: Parts, services: Services, keeper: Keeper | None, stack: AsyncExitStack
) -> str:
    if settings.http is None:
        return ""
    probes = Probes(
        phase=lambda: services.overview.phase.value,
        services=lambda: health.states(services),
        metrics=parts.metrics_text,
    )
    try:
        door = await web_door.start(
            settings.http.host,
            settings.http.port,
            probes,
            callers=services.callers,
            clock=parts.clock,
            tasks=parts.tasks,
            tls=None if keeper is None or settings.http.is_local else keeper.context,
        )
    except OSError as taken:
        raise StartRefused(
            f"HTTP: {taken}; choose another with --http HOST:PORT or off (EXECSVC_HTTP_LISTEN)"
        ) from None
    stack.push_async_callback(door.close)
    return door.url
