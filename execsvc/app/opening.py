"""Brings one account to life: check its key, resolve what the last life left, then take orders.

The first signed call is GetApiKeyInfo: it shows whether the key may be used, whether somebody else uses it, and it is the
barrier behind which nothing of an earlier life can get in. New orders are taken right after it, in parallel with the
doubts; the account counts as serving once nothing is in doubt any more (promises.md sections 4 and 5). How the key is looked
at later is keywatch.py's business.
"""

from collections.abc import Callable
from dataclasses import replace

from execsvc.app.house import House
from execsvc.app.keywatch import KeyTerms, KeyWatch
from execsvc.app.standing import Phase
from execsvc.domain.errors import Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import LIVE, UNRESOLVED, Order, Seen, Status, VenueOrder
from execsvc.ports import Clock, OrderQuery, Tasks

RECONCILE_MOST_S = 30.0  # then the account serves all the same, the doubts being told with it
PAST_S = 300.0  # what was done to orders longer ago costs nothing any more (kraken.md 3.2)
PAST_PAGE, PAST_PAGES_MAX = 500, 20
NOT_YET = Fault(
    Reason.VENUE_UNREACHABLE,
    "the account is not ready: its key has not been checked at the exchange yet; nothing was sent, try again",
    retry_after_s=1.0,
)
START = "start"


class Opening:
    """Takes one account from STARTING to SERVING. `warn` hears of what a person should know, in words."""

    def __init__(
        self,
        house: House,
        *,
        clock: Clock,
        tasks: Tasks,
        terms: KeyTerms,
        phase: Callable[[Phase], None],
        warn: Callable[[str], None],
        volatile_venue: bool = False,
    ) -> None:
        self._house = house
        self._clock = clock
        self._tasks = tasks
        self._terms = terms
        self._phase = phase
        self._warn = warn
        self._volatile_venue = volatile_venue
        self.key = KeyWatch(house, clock=clock, tasks=tasks, terms=terms, warn=warn)
        self._resumed = False
        house.switch.close(START, NOT_YET)

    async def open(self, timeout_s: float) -> int:
        """Takes orders when it returns: how many doubts are still being resolved.

        Raises Busy or ProtocolBroken when the exchange does not answer (try again), Declined for a key not to be used.
        """
        house = self._house
        await self._resume()
        check = await self.key.check(timeout_s)
        if not house.catalog.ready:
            await house.catalog.refresh()
        await house.visibility.restore()
        cleared = await house.switch.restore(self._terms.clear_halt)
        if cleared:
            self._warn(f"the halt {cleared} was cleared by the operator")
        self._phase(Phase.RECONCILING)
        if self._volatile_venue:
            await self._forget_the_last_exchange()
        doubts = await house.resolver.adopt_all(check.accepted) + await house.amends.adopt_all(check.accepted)
        await house.dead_man.load()
        self._tasks.supervise("owner", house.owner.keep)
        self._tasks.supervise("resolver", house.resolver.run)
        self._tasks.supervise("amend doubts", house.amends.doubts.run)
        self._tasks.supervise("executions", house.executions.follow)
        self._tasks.supervise("reconcile", house.executions.reconcile_now_and_then)
        self._tasks.supervise("dead man's switches", house.dead_man.run)
        self._tasks.supervise("key check", self.key.look_now_and_then)
        self._tasks.start("wishes of the last life", house.cancels.pursue_wishes())
        house.owner.confirmed(self._clock.monotonic())
        house.switch.open(START)
        return doubts

    async def _resume(self) -> None:
        """Once, before the first call: Kraken's counters go on from what earlier lives may have used."""
        if self._resumed:
            return
        house = self._house
        if self._volatile_venue:
            house.venue.resume(None, looks_ran=False)
        else:
            unresolved = await house.store.in_status(house.account, UNRESOLVED)
            looks_ran = any(order.status is Status.IN_DOUBT for order in unresolved)
            house.venue.resume(await self._past(), looks_ran=looks_ran)
            await house.amends.resume(self._clock.wall_ns() - int(PAST_S * 1e9))
        self._resumed = True

    async def _past(self) -> tuple[Order, ...]:
        """Orders of late, and those that are live, each once."""
        house = self._house
        found: dict[OrderKey, Order] = {}
        query = OrderQuery(account=house.account, start_ns=self._clock.wall_ns() - int(PAST_S * 1e9), size=PAST_PAGE)
        for _ in range(PAST_PAGES_MAX):
            page = await house.store.page(query)
            found |= {order.key: order for order in page}
            if len(page) < PAST_PAGE:
                break
            query = replace(query, before=(page[-1].create_time_ns, page[-1].key))
        found |= {order.key: order for order in await house.store.in_status(house.account, LIVE)}
        return tuple(order for order in found.values() if order.status is not Status.NEVER_SENT)

    async def settled(self) -> bool:
        """Waits until the doubts found by `open` are settled, or for RECONCILE_MOST_S; then the account serves."""
        by = self._clock.monotonic() + RECONCILE_MOST_S
        settled = await self._house.resolver.until_none(by) and await self._house.amends.until_none(by)
        self._phase(Phase.SERVING)
        return settled

    def nonces_refused(self) -> None:
        """No new orders until the key was looked at."""
        self.key.nonces_refused()

    async def _forget_the_last_exchange(self) -> None:
        """The built-in exchange of the last life took its open orders with it; the journal must not show them open."""
        for order in await self._house.store.in_status(self._house.account, LIVE):
            gone = VenueOrder(
                order.venue_order_id, None, Status.CANCELLED, reason="the paper exchange that held it is gone"
            )
            await self._house.store.record(order.key, Seen(gone), self._clock.wall_ns())
