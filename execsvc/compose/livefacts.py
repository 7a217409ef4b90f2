"""Gathers the facts of the live check: everything a start of `serve` would use, asked once, and nothing placed.

The store is claimed as a start claims it, for two users of one key are what the check is there to find: nonces come from it.
What the facts mean is app/livecheck.py's. The exchange is asked by liveasking.py, the machine is looked at by liveplaces.py.
"""

import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from execsvc.app.livefacts import AccountFacts, Facts, StoreFacts
from execsvc.compose import liveplaces
from execsvc.compose.liveasking import AccountAsking, ExchangeFacts, ask_exchange
from execsvc.compose.marketside import MarketSide, market_side
from execsvc.compose.outcome import StartRefused
from execsvc.compose.parts import USER_AGENT, Parts, open_store
from execsvc.compose.rooms import rooms
from execsvc.compose.venue import VenueAccess, venue_access
from execsvc.ports import Store
from execsvc.runtime import logs, loop
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.runtime.http import AiohttpHttp
from execsvc.runtime.tasks import Supervisor
from execsvc.runtime.ws import AiohttpDialer
from execsvc.settings import DOORS, KEYS, STORE, VENUE, Draft, SettingsRefused, load_draft
from execsvc.telemetry import silent

USUAL_PAIR = "BTC/USD"
IN_USE = "is in use by process"


@dataclass(frozen=True)
class LiveQuestion:
    """What is to be looked at: settings as a start would read them, and the pairs to try; none: those they name."""

    environ: Mapping[str, str]
    overrides: Mapping[str, str]
    pairs: tuple[str, ...] = ()


def look(question: LiveQuestion) -> Facts:
    """The facts. Raises nothing for what is wrong with settings, key, exchange or store: that is what they tell."""
    return loop.run(_look(question))


async def _look(question: LiveQuestion) -> Facts:
    clock = RealClock()
    mode = {**question.environ, **question.overrides}.get("EXECSVC_MODE", "").strip().lower()
    try:
        asked = load_draft(question.environ, overrides={**question.overrides, "EXECSVC_MODE": "live"}, dev=False)
    except SettingsRefused as refused:
        return Facts(clock.wall_ns(), mode, problems=refused.problems)
    if asked.unfit >= {STORE, VENUE, KEYS}:  # a file of which nothing is known: it may have said anything
        return Facts(clock.wall_ns(), mode, problems=asked.problems)
    logs.configure(form="text", level="CRITICAL", stream=sys.stderr, mode="live")
    async with AsyncExitStack() as stack:
        parts = await _parts(clock, question.environ, stack)
        return await _Gathering(asked, parts, question.pairs, mode).facts(stack)


async def _parts(clock: RealClock, environ: Mapping[str, str], stack: AsyncExitStack) -> Parts:
    """The world as a start has it, without a log and telemetry of its own: a task that fails shows as what is missing."""
    http, dialer = AiohttpHttp(user_agent=USER_AGENT), AiohttpDialer(user_agent=USER_AGENT)
    stack.push_async_callback(http.close)
    stack.push_async_callback(dialer.close)
    entropy = RealEntropy()
    tasks = Supervisor(clock, entropy, on_failure=_unheard, on_fatal=_unheard)
    stack.push_async_callback(tasks.close)
    return Parts(clock, entropy, tasks, http, dialer, silent(), str, environ)


def _unheard(name: str, failure: BaseException) -> None:
    """See _parts."""


class _Gathering:
    def __init__(self, asked: Draft, parts: Parts, pairs: tuple[str, ...], mode: str) -> None:
        self._asked = asked
        self._settings = asked.settings
        self._parts = parts
        self._pairs = pairs
        self._mode = mode

    async def facts(self, stack: AsyncExitStack) -> Facts:
        settings, parts = self._settings, self._parts
        callers = await liveplaces.callers(settings, parts.environ, parts.clock)
        pairs = self._pairs or liveplaces.named_pairs(settings) or (USUAL_PAIR,)
        store, kept = await self._store(stack)
        access, key_problem = await self._access(stack)
        exchange, accounts = ExchangeFacts(), tuple(map(self._unasked, self._names))
        if settings.venue is not None and VENUE not in self._asked.unfit:
            shared = market_side(parts, settings.venue)
            exchange = await ask_exchange(shared, pairs, parts.clock)
            if store is not None and access is not None:
                accounts = tuple([await self._account(name, store, access, shared, exchange) for name in self._names])
        return Facts(
            now_ns=parts.clock.wall_ns(),
            mode=self._mode,
            problems=self._asked.problems,
            unsigned=self._unsigned(kept),
            account_names=self._names,
            max_order_notional=settings.max_order_notional,
            key_problem=key_problem,
            accounts=accounts,
            exchange_silent=exchange.silent,
            exchange_mode=exchange.mode,
            pairs={pair: instrument.status.value if instrument else "" for pair, instrument in exchange.pairs.items()},
            clock=exchange.clock,
            store=kept,
            doors=() if DOORS in self._asked.unfit else liveplaces.doors(settings),
            callers=callers,
        )

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(account.name for account in self._settings.accounts)

    async def _store(self, stack: AsyncExitStack) -> tuple[Store | None, StoreFacts | None]:
        path = self._settings.store
        if path is None or STORE in self._asked.unfit:
            return None, None
        try:
            store, _ = await open_store(self._settings, self._parts, stack)
        except StartRefused as refused:
            return None, StoreFacts(str(path), str(refused), in_use=IN_USE in str(refused))
        return store, liveplaces.store_facts(path, self._parts.clock.wall_ns())

    async def _access(self, stack: AsyncExitStack) -> tuple[VenueAccess | None, str]:
        if self._asked.unfit & {KEYS, VENUE}:  # of addresses that cannot be used it is not said what they are
            return None, ""
        try:
            return await venue_access(self._settings, self._parts, stack), ""
        except StartRefused as refused:
            return None, str(refused)

    def _unsigned(self, kept: StoreFacts | None) -> str:
        """Why no signed call was made, where that is not said by the key itself."""
        if KEYS in self._asked.unfit:
            return "no signed call without the key that is meant: line 1 comes first"
        if VENUE in self._asked.unfit:
            return "nothing is asked at addresses that cannot be used: line 1 comes first"
        if kept is None or kept.refused:
            return "no signed call without the store, which keeps the nonces: line 9 comes first"
        return ""

    async def _account(
        self, name: str, store: Store, access: VenueAccess, shared: MarketSide, exchange: ExchangeFacts
    ) -> AccountFacts:
        account = next(each for each in self._settings.accounts if each.name == name)
        built = rooms(self._settings, account, self._parts, store, access, shared)
        found = await AccountAsking(name, built.house.venue, store, self._parts.clock).facts(exchange)
        return replace(found, dead_man_s=account.dead_man_s, dead_man_said=self._dead_man_said)

    def _unasked(self, name: str) -> AccountFacts:
        account = next(each for each in self._settings.accounts if each.name == name)
        return AccountFacts(name, dead_man_s=account.dead_man_s, dead_man_said=self._dead_man_said)

    @property
    def _dead_man_said(self) -> bool:
        """Whether somebody said anything of it: off by choice is a choice."""
        return any("dead_mans_switch" in name.lower() for name in self._settings.origins)
