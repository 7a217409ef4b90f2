"""Brings one account up: key check, doubts of the last life, private stream; then orders are taken.

The key is looked at before anything is traded with it: one that may withdraw, or has a nonce window, never starts
(promises.md section 9). While the exchange is not reachable this waits and tries again; everything else already serves.
"""

import structlog

from execsvc.app.catalog import Catalog
from execsvc.app.desk import Desk
from execsvc.app.executions import Executions
from execsvc.app.overview import Overview, Phase
from execsvc.app.resolver import Resolver
from execsvc.compose.outcome import StartRefused, Stop
from execsvc.compose.parts import Parts
from execsvc.domain.account import KeyFacts
from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.order import LIVE, Seen, Status, VenueOrder
from execsvc.kraken import keycheck
from execsvc.kraken.private import KrakenPrivate
from execsvc.ports import Store

FIRST_CHECK_S = 3.0
CHECK_TIMEOUT_S = 10.0
CHECK_AGAIN_S = 1.0
NOT_YET = Fault(
    Reason.VENUE_UNREACHABLE,
    "the account is not ready: its key has not been checked at the exchange yet; nothing was sent, try again",
    {"id_used": "false"},
    retry_after_s=1.0,
)


async def check_key(venue: KrakenPrivate, parts: Parts, timeout_s: float) -> KeyFacts:
    """What Kraken says of the key. Raises StartRefused when it must not be used, Busy when Kraken does not answer."""
    try:
        facts = await venue.key_facts(parts.clock.monotonic() + timeout_s)
    except Declined as refused:
        raise StartRefused(f"the exchange refuses the API key: {refused.fault.message}") from None
    log = structlog.get_logger()
    found = keycheck.problems(facts, parts.clock.wall_ns())
    for problem in found:
        if not problem.fatal:
            log.warning("key.problem", key_label=venue.key_label, problem=problem.what)
    fatal = [problem.what for problem in found if problem.fatal]
    if fatal:
        raise StartRefused(f"the API key must not be used: {'; '.join(fatal)}")
    return facts


class AccountStart:
    """Takes one account from STARTING to SERVING."""

    def __init__(
        self,
        *,
        parts: Parts,
        venue: KrakenPrivate,
        store: Store,
        desk: Desk,
        resolver: Resolver,
        executions: Executions,
        overview: Overview,
        catalog: Catalog,
        volatile_venue: bool,
    ) -> None:
        self._parts = parts
        self._venue = venue
        self._store = store
        self._desk = desk
        self._resolver = resolver
        self._executions = executions
        self._overview = overview
        self._catalog = catalog
        self._volatile_venue = volatile_venue

    async def first_try(self, stop: Stop) -> None:
        """Up at once where the exchange answers; else goes on trying beside. Raises StartRefused for a bad key."""
        try:
            await self._prepare(FIRST_CHECK_S)
        except (Busy, ProtocolBroken) as failure:
            structlog.get_logger().warning("exchange.unreachable", why=failure.fault.message)
            self._parts.tasks.start("account start", self._keep_trying(stop))
        else:
            await self._serve()

    async def _prepare(self, timeout_s: float) -> None:
        """Key and pair rules: without either no order can be taken."""
        await check_key(self._venue, self._parts, timeout_s)
        if not self._catalog.ready:
            await self._catalog.refresh()

    async def _keep_trying(self, stop: Stop) -> None:
        while not stop.event.is_set():
            await self._parts.clock.sleep(CHECK_AGAIN_S)
            try:
                await self._prepare(CHECK_TIMEOUT_S)
            except (Busy, ProtocolBroken):
                continue
            except StartRefused as refused:
                structlog.get_logger().error("key.refused", why=str(refused))
                stop.now(str(refused), 3)
                return
            if not stop.event.is_set():  # a drain that began meanwhile must not be opened again
                await self._serve()
            return

    async def _serve(self) -> None:
        tasks = self._parts.tasks
        self._overview.phase = Phase.RECONCILING
        if self._volatile_venue:
            await self._forget_the_last_exchange()
        doubts = await self._resolver.adopt_all()
        tasks.supervise("resolver", self._resolver.run)
        tasks.supervise("executions", self._executions.follow)
        tasks.supervise("reconcile", self._executions.reconcile_now_and_then)
        self._desk.closed_because = None
        self._overview.phase = Phase.SERVING
        structlog.get_logger().info("account.serving", account=self._desk.account, count=doubts)

    async def _forget_the_last_exchange(self) -> None:
        """The built-in exchange of the last life took its open orders with it; the journal must not show them open."""
        for order in await self._store.in_status(self._desk.account, LIVE):
            gone = VenueOrder(
                order.venue_order_id, None, Status.CANCELLED, reason="the paper exchange that held it is gone"
            )
            await self._store.record(order.key, Seen(gone), self._parts.clock.wall_ns())
