"""The rooms of one account, built from ports alone: everything below the doors, wired in one place.

The service hands in the real world, a simulation a made-up one; both get the same house. Nothing here listens or starts.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from execsvc.app.account import AccountReads
from execsvc.app.explain import Explain
from execsvc.app.fees import FeeBook
from execsvc.app.house import House, Terms, house
from execsvc.app.keywatch import KeyTerms
from execsvc.app.limits import AccountLimits
from execsvc.app.opening import Opening
from execsvc.app.orders import OrderFeed
from execsvc.app.preview import Preview
from execsvc.app.retention import Keep, Retention
from execsvc.app.risk import RiskDesk
from execsvc.app.standing import Phase, Standing
from execsvc.compose.marketside import MarketSide
from execsvc.compose.parts import Parts
from execsvc.compose.venue import VenueAccess
from execsvc.domain.riskrules import eased
from execsvc.kraken.private import KrakenPrivate
from execsvc.kraken.rates import Counting
from execsvc.ports import Store
from execsvc.settings import AccountSettings, Mode, Settings

ACCOUNT = "main"  # of a single account that nobody named


@dataclass(frozen=True)
class Rooms:
    """All of one account's, by name."""

    house: House
    opening: Opening
    standing: Standing
    feed: OrderFeed
    reads: AccountReads
    explain: Explain
    limits: AccountLimits
    preview: Preview
    retention: Retention


def rooms(
    settings: Settings, account: AccountSettings, parts: Parts, store: Store, access: VenueAccess, shared: MarketSide
) -> Rooms:
    """Builds them."""
    name, clock, catalog = account.name, parts.clock, shared.catalog
    private = _private(settings, account, parts, store, access, shared)
    fees = FeeBook(private.statements, catalog, clock)
    risk = RiskDesk(
        account=name,
        rules=eased(settings.risk, playground=settings.dev, load_test=account.tier == "unlimited"),
        store=store,
        catalog=catalog,
        feeds=shared.feeds,
        clock=clock,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
        observe=_observed,
    )
    built = house(
        account=name,
        venue=private,
        store=store,
        catalog=catalog,
        risk=risk,
        clock=clock,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
        alarm=lambda what: _alarm(name, what),
        terms=Terms(
            visibility_s=settings.visibility_s,
            venue_floor_s=settings.deadline_floor_s,
            dead_man_s=account.dead_man_s,
        ),
    )
    standing = _standing(account, private, built)
    opening = _opening(settings, parts, access, built, standing)
    standing.key = lambda: opening.key.standing
    private.on_nonce_trouble(opening.nonces_refused)
    return Rooms(
        house=built,
        opening=opening,
        standing=standing,
        feed=OrderFeed(name, store, store.journal_id, clock),
        reads=AccountReads(
            account=name,
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
        limits=AccountLimits(private.rates, catalog, risk, clock),
        preview=Preview(
            catalog=catalog,
            feeds=shared.feeds,
            risk=risk,
            rates=private.rates,
            clock=clock,
            refusal=built.desk.refusal,
            ask=private.asking.objection,
            fees=fees,
        ),
        retention=Retention(name, store, clock, Keep(settings.retention_days, settings.id_retention_days)),
    )


def _private(
    settings: Settings, account: AccountSettings, parts: Parts, store: Store, access: VenueAccess, shared: MarketSide
) -> KrakenPrivate:
    held = access.keys[account.name]
    return KrakenPrivate(
        account=account.name,
        key=held.key.reveal(),
        secret=held.secret,
        key_label=account.name,
        rest_url=access.urls.rest,
        ws_auth_url=access.urls.ws_auth,
        http=parts.http,
        dialer=parts.dialer,
        clock=parts.clock,
        entropy=parts.entropy,
        nonces=store,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
        public=shared.public,
        counting=Counting(account.tier, settings.caller_weights, settings.rest_costs),
        deadline_floor_s=settings.deadline_floor_s,
    )


def _standing(account: AccountSettings, private: KrakenPrivate, built: House) -> Standing:
    return Standing(
        account=account.name,
        private=private,
        executions=built.executions,
        funds=built.funds,
        resolver=built.resolver,
        visibility=built.visibility,
        switch=built.switch,
        settings=(("tier", account.tier),),
    )


def _opening(settings: Settings, parts: Parts, access: VenueAccess, built: House, standing: Standing) -> Opening:
    def enter(phase: Phase) -> None:
        standing.phase = phase

    return Opening(
        built,
        clock=parts.clock,
        tasks=parts.tasks,
        terms=KeyTerms(settings.allow_shared_key, settings.clear_halt, settings.mode is Mode.LIVE),
        phase=enter,
        warn=lambda what: _warn(built.account, what),
        volatile_venue=access.paper is not None,
    )


def _alarm(account: str, what: str) -> None:
    structlog.get_logger().error("account.alarm", account=account, problem=what)


def _warn(account: str, what: str) -> None:
    structlog.get_logger().warning("account.warning", account=account, problem=what)


def _observed(event: str, facts: Mapping[str, str]) -> None:
    structlog.get_logger().warning(event, **facts)
