"""The rooms of one account, built from ports alone: everything below the doors, wired in one place.

The service hands in the real world, a simulation a made-up one; both get the same house. Nothing here listens or starts.
"""

from dataclasses import dataclass

import structlog

from execsvc import __version__
from execsvc.app.account import AccountReads
from execsvc.app.catalog import Catalog
from execsvc.app.explain import Explain
from execsvc.app.feeds import STALENESS_BOUND_S, Feeds
from execsvc.app.fees import FeeBook
from execsvc.app.house import House, Terms, house
from execsvc.app.limits import AccountLimits
from execsvc.app.market import MarketData
from execsvc.app.opening import KeyTerms, Opening
from execsvc.app.orders import OrderFeed
from execsvc.app.overview import About, Overview, Phase
from execsvc.app.owner import TENURE_S
from execsvc.app.preview import Preview
from execsvc.app.retention import Keep, Retention
from execsvc.app.risk import Limits, RiskDesk
from execsvc.app.timing import clock_untrusted
from execsvc.compose.parts import Parts
from execsvc.compose.venue import VenueAccess
from execsvc.domain import money
from execsvc.kraken.nonce import BLOCK_SIZE
from execsvc.kraken.private import KrakenPrivate
from execsvc.kraken.public import KrakenPublic
from execsvc.kraken.rates import Counting
from execsvc.kraken.rest import LATE_REPLY_S, TRADE_PATIENCE_S
from execsvc.ports import Store
from execsvc.settings import Mode, Settings

ACCOUNT = "main"
KEY_LABEL = "main"


@dataclass(frozen=True)
class Rooms:
    """All of it, by name."""

    house: House
    opening: Opening
    overview: Overview
    market: MarketData
    feed: OrderFeed
    reads: AccountReads
    explain: Explain
    limits: AccountLimits
    preview: Preview
    retention: Retention


def rooms(settings: Settings, parts: Parts, store: Store, access: VenueAccess) -> Rooms:
    """Builds them."""
    clock, tasks, telemetry = parts.clock, parts.tasks, parts.telemetry
    public, private = _venues(settings, parts, store, access)
    catalog = Catalog(public, clock)
    feeds = Feeds(public, clock, tasks, telemetry, catalog.instrument)
    fees = FeeBook(private.statements, catalog, clock)
    limits = Limits(settings.max_order_notional)
    risk = RiskDesk(limits, catalog, feeds)
    built = house(
        account=ACCOUNT,
        venue=private,
        store=store,
        catalog=catalog,
        risk=risk,
        clock=clock,
        tasks=tasks,
        telemetry=telemetry,
        alarm=_alarm,
        terms=Terms(
            visibility_s=settings.visibility_s,
            venue_floor_s=settings.deadline_floor_s,
            dead_man_s=settings.dead_man_s,
        ),
    )
    overview = Overview(
        about=_about(settings, parts, store, access, built),
        public=public,
        private=private,
        feeds=feeds,
        executions=built.executions,
        funds=built.funds,
        resolver=built.resolver,
        visibility=built.visibility,
        switch=built.switch,
        clock=clock,
    )
    opening = Opening(
        built,
        clock=clock,
        tasks=tasks,
        terms=KeyTerms(settings.allow_shared_key, settings.clear_halt),
        phase=lambda phase: _enter(overview, phase),
        warn=_warn,
        volatile_venue=access.paper is not None,
    )
    private.on_nonce_trouble(opening.nonces_refused)
    return Rooms(
        house=built,
        opening=opening,
        overview=overview,
        market=MarketData(public, catalog, feeds),
        feed=OrderFeed(ACCOUNT, store, store.journal_id, clock),
        reads=AccountReads(
            account=ACCOUNT,
            statements=private.statements,
            fees=fees,
            journal=store,
            catalog=catalog,
            funds=built.funds,
            clock=clock,
        ),
        explain=Explain(
            desk=built.desk,
            journal=store,
            chronicle=built.chronicle,
            clock=clock,
            awaited=built.resolver.awaited,
        ),
        limits=AccountLimits(private.rates, catalog, limits, clock),
        preview=Preview(
            catalog=catalog,
            feeds=feeds,
            risk=risk,
            limits=limits,
            rates=private.rates,
            clock=clock,
            closed_because=lambda: (
                built.switch.closed_because or built.owner.forbids() or clock_untrusted(private.clock())
            ),
            ask=private.asking.objection,
            fees=fees,
        ),
        retention=Retention(ACCOUNT, store, clock, Keep(settings.retention_days, settings.id_retention_days)),
    )


def _venues(settings: Settings, parts: Parts, store: Store, access: VenueAccess) -> tuple[KrakenPublic, KrakenPrivate]:
    public = KrakenPublic(
        rest_url=access.urls.rest,
        ws_url=access.urls.ws,
        http=parts.http,
        dialer=parts.dialer,
        clock=parts.clock,
        entropy=parts.entropy,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
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
        clock=parts.clock,
        entropy=parts.entropy,
        nonces=store,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
        public=public,
        counting=Counting(settings.tier, settings.caller_weights, settings.rest_costs),
        deadline_floor_s=settings.deadline_floor_s,
    )
    return public, private


def _about(settings: Settings, parts: Parts, store: Store, access: VenueAccess, built: House) -> About:
    limit = settings.max_order_notional
    return About(
        version=__version__,
        venue="kraken" if settings.mode is Mode.LIVE else "paper",
        mode=settings.mode.value,
        server_epoch=f"{store.journal_id[:8]}-{store.epoch}",
        start_ns=parts.clock.wall_ns(),
        accounts=(ACCOUNT,),
        least_place_timeout_s=built.desk.least_timeout_s,
        settings=(
            ("exchange", "built in" if access.paper is not None else "by address"),
            ("tier", settings.tier),
            ("max_order_notional_usd", "none" if limit is None else money.text(limit)),
            ("staleness_bound_s", str(STALENESS_BOUND_S)),
            ("deadline_floor_s", f"{settings.deadline_floor_s:g}"),
            ("lane_patience_s", f"{TRADE_PATIENCE_S:g}"),
            ("late_reply_s", f"{LATE_REPLY_S:g}"),
            ("tenure_s", f"{TENURE_S:g}"),
            ("nonce_block", str(BLOCK_SIZE)),
            ("retention_days", str(settings.retention_days)),
            ("id_retention_days", str(settings.id_retention_days)),
        ),
    )


def _enter(overview: Overview, phase: Phase) -> None:
    """Once draining, never back."""
    if overview.phase is not Phase.DRAINING:
        overview.phase = phase


def _alarm(what: str) -> None:
    structlog.get_logger().error("account.alarm", problem=what)


def _warn(what: str) -> None:
    structlog.get_logger().warning("account.warning", problem=what)
