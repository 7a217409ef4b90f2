"""The private stream, journal first: what Kraken tells of orders and fills becomes durable, then known.

After every (re)connection the open orders of the stream's snapshot are compared with the journal's live ones, and those
that vanished are asked for by id; fills that the snapshot does not show are read from history (app/missed.py), and orders
that did not come from here become known (app/outside.py). Only then is the stream live. Doubts are settled here too, when
the stream shows the order first. Whatever was taken in is passed on to the account's funds, for this is the one reader.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import assert_never

from execsvc.app.funds import Funds
from execsvc.app.missed import Missed, past
from execsvc.app.outside import Outside
from execsvc.app.sightings import Sightings
from execsvc.app.visibility import Visibility
from execsvc.domain.errors import Busy, Declined, ExecsvcError, ProtocolBroken, Reason
from execsvc.domain.ids import EXTERNAL_PREFIX
from execsvc.domain.market import Beat, FeedState, LinkDown, LinkUp, ModeSeen, VenueMode
from execsvc.domain.order import LIVE, TERMINAL, VenueOrder
from execsvc.ports import (
    BalanceSeen,
    BalancesRefused,
    BalancesSnapshot,
    Clock,
    ExecutionSeen,
    Facts,
    Journal,
    OrdersSnapshot,
    PrivateEvent,
    PrivateVenue,
)
from execsvc.telemetry import Telemetry

RECONCILE_EVERY_S = 30.0
RETRY_S = 1.0
AT_ONCE_S = 2.0  # a line that is not read for longer counts as dead (kraken/pulse.py)
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
        facts: Facts,
        clock: Clock,
        telemetry: Telemetry,
        sightings: Sightings,
        visibility: Visibility,
        funds: Funds,
        pursue_wishes: Callable[[], Awaitable[None]],
        alarm: Callable[[str], None],
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
        self._outside = Outside(
            account=account,
            venue=venue,
            journal=journal,
            sightings=sightings,
            clock=clock,
            settles_s=lambda: visibility.bound_s,
            alarm=alarm,
        )
        self._missed = Missed(
            account=account,
            venue=venue,
            facts=facts,
            clock=clock,
            tell=self._tell_past,
            settles_s=lambda: visibility.bound_s,
        )
        self._mode: VenueMode | None = None
        self._link = 0  # connections and pictures so far
        self._pictured: frozenset[str] | None = None  # open orders of a picture that is not compared yet, by txid
        self._strangers: tuple[ExecutionSeen, ...] = ()  # trades of a picture, of orders that are not known yet
        self._behind = False  # there was a picture, and what happened before it is not all told
        self._orders_at = self._again_at = 0.0  # monotonic: when live orders are asked for, when to go on catching up
        self._sooner = asyncio.Event()
        self._listeners: set[Callable[[], None]] = set()
        self.last_frame_ns: int | None = None

    def on_move(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls the listener when the state may have moved, silence aside; the result ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _moved(self) -> None:
        for listener in tuple(self._listeners):
            listener()

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
        await self._until_stored(self._missed.begin)
        async for event in self._venue.events():
            await self._until_stored(partial(self._take, event))
            self._funds.heard(event)

    async def reconcile_now_and_then(self) -> None:
        """Asks for every live order at intervals, and V after each snapshot: what no stream told is found all the same."""
        self._orders_at = self._clock.monotonic() + RECONCILE_EVERY_S
        while True:
            await self._until_due()
            try:
                if self._behind or self._outside.due_at <= self._clock.monotonic():
                    await self._catch_up()
                if self._pictured is None and self._orders_at <= self._clock.monotonic():
                    self._orders_at = self._clock.monotonic() + RECONCILE_EVERY_S
                    await self.reconcile(frozenset())
                    await self._pursue_wishes()
            except ExecsvcError:
                continue  # asked again at the next turn; the state stays what it was

    async def _until_due(self) -> None:
        while (due := self._due_at) > self._clock.monotonic():
            self._sooner.clear()
            with suppress(TimeoutError):
                async with self._clock.timeout_at(due):
                    await self._sooner.wait()

    @property
    def _due_at(self) -> float:
        orders_at = self._orders_at if self._pictured is None else float("inf")  # seconds
        return min(orders_at, max(self._again_at, float("-inf") if self._behind else self._outside.due_at))  # seconds

    async def _catch_up_soon(self) -> None:
        """Now, if Kraken answers; else again and again."""
        with _beside_the_stream(), suppress(TimeoutError):
            async with self._clock.timeout_at(self._clock.monotonic() + AT_ONCE_S):
                await self._catch_up()

    async def _catch_up(self) -> None:
        """Live orders that the picture does not show are asked for, missed fills read, orders of others looked up.

        Then all is known that happened.
        """
        link, pictured = self._link, self._pictured
        try:
            if pictured is not None:
                await self.reconcile(pictured)
                if self._link != link:
                    return  # another link, another picture
                self._pictured = None
                # Kraken's queries may lag by V, so what was asked right after a snapshot is asked once more.
                self._orders_at = self._clock.monotonic() + self._visibility.bound_s
            whole = await self._missed.read(self._clock.monotonic() + QUERY_TIMEOUT_S)
            await self._outside.ask(self._clock.monotonic() + QUERY_TIMEOUT_S)
            await self._tell_strangers()
            if self._behind and whole and self._link == link and not self._strangers:
                self._behind = False
                self._synced = True
                self._visibility.link_broken()
                self._moved()
        finally:
            self._again_at = self._clock.monotonic() + RETRY_S
            self._sooner.set()

    async def reconcile(self, still_open: frozenset[str]) -> None:
        """Asks Kraken for live orders that are not in `still_open` (txids) and records what it says."""
        live = await self._journal.in_status(self._account, LIVE)
        asked = {order.venue_order_id: order for order in live if order.venue_order_id not in still_open}
        if not asked:
            return
        by = self._clock.monotonic() + QUERY_TIMEOUT_S
        reports = await self._venue.query(tuple(sorted(asked)), by, resolving=True)
        versions = {order.key: order.version for order in await self._journal.in_status(self._account, LIVE)}
        for report in reports:
            order = asked.get(report.venue_order_id)
            if order is not None:
                moved = report.status in LIVE and versions.get(order.key) != order.version
                # What the stream told meanwhile may be an amend, and this picture older: figures only grow, a wish does not.
                await self._sightings.order(order.key, replace(report, spec=None) if moved else report)

    async def _until_stored(self, act: Callable[[], Awaitable[None]]) -> None:
        """An event is not let go before it is durable: the journal comes before everything that follows."""
        while True:
            try:
                return await act()
            except Busy:
                await self._clock.sleep(RETRY_S)

    async def _take(self, event: PrivateEvent) -> None:
        match event:
            case LinkUp(_):
                self._heard()
                self._begin_anew()
            case LinkDown(_):
                self._mode = None
                self._heard_at = None
                self._begin_anew()
                self._telemetry.feed_reconnects.add(1, {"feed": "private"})
            case Beat(_) | BalanceSeen() | BalancesSnapshot(_) | BalancesRefused(_):
                self._heard()
            case ModeSeen(mode):
                self._heard()
                self._mode = mode
            case OrdersSnapshot():
                self._heard()
                await self._take_picture(event)
                await self._catch_up_soon()
            case ExecutionSeen():
                self._heard()
                if self._synced and event.report.venue_client_id:
                    self._visibility.streamed(event.report.venue_client_id)
                await self._executed(event)
            case _:
                assert_never(event)

    def _begin_anew(self) -> None:
        self._link += 1
        self._synced = self._behind = False
        self._pictured = None
        self._strangers = ()
        self._visibility.link_broken()
        self._moved()

    async def _take_picture(self, picture: OrdersSnapshot) -> None:
        self._begin_anew()
        await self._missed.pictured(picture)
        for report in picture.reports:
            await self._merge(report)
        self._strangers = await self._tell_known(tuple(map(past, picture.trades)))
        self._pictured = frozenset(report.venue_order_id for report in picture.reports)
        self._behind = True

    def _heard(self) -> None:
        self._heard_at = self._clock.monotonic()
        self.last_frame_ns = self._clock.wall_ns()

    async def _tell_past(self, trades: Sequence[ExecutionSeen]) -> None:
        strangers = await self._tell_known(trades)
        await self._outside.ask(self._clock.monotonic() + QUERY_TIMEOUT_S)
        for seen in strangers:
            await self._executed(seen)

    async def _tell_known(self, trades: Sequence[ExecutionSeen]) -> tuple[ExecutionSeen, ...]:
        """Tells past trades of known orders. The others, which may even be of ours, wait for Kraken to say whose they are."""
        strangers = []
        for seen in trades:
            if await self._outside.owner_of(seen.report) is None:
                self._outside.note(seen.report.venue_order_id)
                strangers.append(seen)
            else:
                await self._executed(seen)
        return tuple(strangers)

    async def _tell_strangers(self) -> None:
        strangers, left = self._strangers, []
        for seen in strangers:
            if self._outside.awaits(seen.report.venue_order_id):
                left.append(seen)
            else:
                await self._executed(seen)
        if self._strangers is strangers:
            self._strangers = tuple(left)

    async def _executed(self, seen: ExecutionSeen) -> None:
        if seen.fill is None:
            await self._merge(seen.report)
            return
        order = await self._outside.owner_of(seen.report)
        fill = replace(seen.fill, account=self._account)
        if order is None:
            self._outside.note(fill.venue_order_id)
            self._sooner.set()
            fill = replace(fill, client_order_id=EXTERNAL_PREFIX + fill.venue_order_id)
            await self._journal.record_fill(fill, None, None, self._clock.wall_ns())
        else:
            fill = replace(fill, caller=order.key.caller, client_order_id=order.key.client_order_id)
            told = await self._sightings.fill(fill, order.key, seen.report)
            if told is not None and told.status in TERMINAL and told.fees_of_fills.quantity > told.filled_quantity:
                # It ended before this was known, and nobody asks for it any more.
                self._outside.note(fill.venue_order_id)
        await self._missed.told(fill)

    async def _merge(self, report: VenueOrder) -> None:
        if not await self._outside.seen(report):
            self._sooner.set()


@contextmanager
def _beside_the_stream() -> Iterator[None]:
    """What Kraken does not answer now is asked again beside the stream, whose news must not wait for that."""
    try:
        yield
    except (Busy, Declined, ProtocolBroken) as failure:
        if failure.reason is Reason.STORE_UNAVAILABLE:
            raise
