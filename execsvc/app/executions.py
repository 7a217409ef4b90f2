"""The private stream, journal first: what Kraken tells of orders and fills becomes durable, then known.

After every (re)connection the open orders of the stream's snapshot are compared with the journal's live ones, and those
that vanished are asked for by id: a fill or cancel that happened while the link was down is not missed. Orders that did not
come from here are left alone in this build. Doubts are settled here too, when the stream shows the order first. Whatever
was taken in is passed on to the account's funds (app/funds.py), for this is the one reader of the stream.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import assert_never

from execsvc.app.funds import Funds
from execsvc.app.sightings import Sightings
from execsvc.app.visibility import Visibility
from execsvc.domain.errors import Busy, Declined, ExecsvcError, ProtocolBroken, Reason
from execsvc.domain.market import Beat, FeedState, LinkDown, LinkUp, ModeSeen, VenueMode
from execsvc.domain.order import LIVE, Order, VenueOrder
from execsvc.ports import (
    BalanceSeen,
    BalancesSnapshot,
    Clock,
    ExecutionSeen,
    Journal,
    OrdersSnapshot,
    PrivateEvent,
    PrivateVenue,
)
from execsvc.telemetry import Telemetry

RECONCILE_EVERY_S = 30.0
RETRY_S = 1.0
QUERY_TIMEOUT_S = 10.0
SILENT_AFTER_S = 15.0


class Executions:
    """Keeps one account's journal in step with Kraken."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        sightings: Sightings,
        visibility: Visibility,
        funds: Funds,
        pursue_wishes: Callable[[], Awaitable[None]],
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._telemetry = telemetry
        self._pursue_wishes = pursue_wishes
        self._sightings = sightings
        self._visibility = visibility
        self._funds = funds
        self._heard_at: float | None = None
        self._synced = False
        self._again = 0.0
        self._sooner = asyncio.Event()
        self._mode: VenueMode | None = None
        self._pictured: frozenset[str] | None = None  # open orders of a picture that is not compared yet, by txid
        self.last_frame_ns: int | None = None

    @property
    def state(self) -> FeedState:
        """LIVE: link up, snapshot merged, not silent."""
        if self._heard_at is None or self._clock.monotonic() - self._heard_at > SILENT_AFTER_S:
            return FeedState.STALE
        return FeedState.LIVE if self._synced else FeedState.RESYNCING

    @property
    def mode(self) -> VenueMode | None:
        """The venue's mode as the stream told it; None while the stream cannot tell a change."""
        return self._mode if self.state is FeedState.LIVE else None

    async def follow(self) -> None:
        """Reads the private stream for ever."""
        async for event in self._venue.events():
            await self._take_until_stored(event)

    async def reconcile_now_and_then(self) -> None:
        """Asks for every live order at intervals, and V after each snapshot: what no stream told is found all the same."""
        while True:
            await self._until_due()
            try:
                if self._pictured is not None:
                    await self._compare()
                    continue
                await self.reconcile(frozenset())
                await self._pursue_wishes()
            except ExecsvcError:
                continue  # asked again at the next turn; the state stays what it was

    async def _until_due(self) -> None:
        """Kraken's queries may lag by V, so what was asked right after a snapshot is asked once more."""
        self._again = self._clock.monotonic() + (RECONCILE_EVERY_S if self._pictured is None else RETRY_S)
        while (due := self._again) > self._clock.monotonic():
            self._sooner.clear()
            with suppress(TimeoutError):
                async with self._clock.timeout_at(due):
                    await self._sooner.wait()

    async def _compare_soon(self) -> None:
        """Now, if Kraken answers; else again and again beside the stream, whose news must not wait for that."""
        try:
            await self._compare()
        except (Busy, Declined, ProtocolBroken) as failure:
            if failure.reason is Reason.STORE_UNAVAILABLE:
                raise
            self._again = self._clock.monotonic() + RETRY_S
            self._sooner.set()

    async def _compare(self) -> None:
        """Live orders that the stream's picture does not show are asked for; then all is known that happened in between."""
        pictured = self._pictured
        if pictured is None:
            return
        await self.reconcile(pictured)
        if self._pictured is not pictured:
            return  # another link, another picture
        self._pictured = None
        self._synced = True
        self._visibility.link_broken()
        self._again = self._clock.monotonic() + self._visibility.bound_s
        self._sooner.set()

    async def reconcile(self, still_open: frozenset[str]) -> None:
        """Asks Kraken for live orders that are not in `still_open` (txids) and records what it says."""
        live = await self._journal.in_status(self._account, LIVE)
        asked = {order.venue_order_id: order for order in live if order.venue_order_id not in still_open}
        if not asked:
            return
        by = self._clock.monotonic() + QUERY_TIMEOUT_S
        for report in await self._venue.query(tuple(sorted(asked)), by, resolving=True):
            if report.venue_order_id in asked:
                await self._sightings.order(asked[report.venue_order_id].key, report)

    async def _take_until_stored(self, event: PrivateEvent) -> None:
        """An event is not let go before it is durable: the journal comes before everything that follows."""
        while True:
            try:
                await self._take(event)
            except Busy:
                await self._clock.sleep(RETRY_S)
            else:
                self._funds.heard(event)
                return

    async def _take(self, event: PrivateEvent) -> None:
        match event:
            case LinkUp(_):
                self._heard()
                self._synced = False
                self._pictured = None
                self._visibility.link_broken()
            case LinkDown(_):
                self._mode = None
                self._heard_at = None
                self._synced = False
                self._pictured = None
                self._visibility.link_broken()
                self._telemetry.feed_reconnects.add(1, {"feed": "private"})
            case Beat(_) | BalanceSeen() | BalancesSnapshot(_):
                self._heard()
            case ModeSeen(mode):
                self._heard()
                self._mode = mode
            case OrdersSnapshot(reports):
                self._heard()
                for report in reports:
                    await self._merge(report)
                self._pictured = frozenset(report.venue_order_id for report in reports)
                await self._compare_soon()
            case ExecutionSeen():
                self._heard()
                if self._synced and event.report.venue_client_id:
                    self._visibility.streamed(event.report.venue_client_id)
                await self._executed(event)
            case _:
                assert_never(event)

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self.last_frame_ns = self._clock.wall_ns()

    async def _executed(self, seen: ExecutionSeen) -> None:
        if seen.fill is None:
            await self._merge(seen.report)
            return
        order = await self._owner_of(seen.report)
        fill = replace(seen.fill, account=self._account)
        if order is None:
            await self._journal.record_fill(fill, None, None, self._clock.wall_ns())
            return
        fill = replace(fill, caller=order.key.caller, client_order_id=order.key.client_order_id)
        await self._sightings.fill(fill, order.key, seen.report)

    async def _merge(self, report: VenueOrder) -> None:
        order = await self._owner_of(report)
        if order is not None:
            await self._sightings.order(order.key, report)

    async def _owner_of(self, report: VenueOrder) -> Order | None:
        if report.venue_client_id:
            order = await self._journal.find(self._account, venue_client_id=report.venue_client_id)
            if order is not None:
                return order
        return await self._journal.find(self._account, venue_order_id=report.venue_order_id)
