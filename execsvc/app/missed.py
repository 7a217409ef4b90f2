"""Fills that no stream told: after an outage they are read from Kraken's history, before the stream counts as live again.

The picture of the private stream shows the account's last 50 trades. Where these do not reach back to what was told, there
is a hole: it is read page by page, oldest first, and how far one came is durable, so that a crash does not begin anew.
What a fill does to its order and to the journal is app/executions.py's business; this room only knows which are missing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from execsvc.domain.account import Fill, FillQuery
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import Clock, ExecutionSeen, Facts, OrdersSnapshot, PrivateVenue

FACT = "fills_told_ns"
PAGE = 50  # Kraken's
PAGES_MOST = 20  # of one turn
KEPT_EVERY = 20  # fills from one durable mark to the next: a mark of old costs a look that was not needed, never a fill
# Fills come in order of their time but for this: pairs have engines of their own, history's index has its lag.
SLACK_S = 10.0
_ROUNDING_NS = 1_000_000_000  # history prints times more coarsely than the stream


@dataclass
class _Hole:
    """Fills from `since_ns` to before `until_ns` (Kraken's time) that may be missing; `other_side`: the first that is not.

    read: rows of history, counted from the oldest, that were told; total: how many there are, None before the first answer.
    """

    since_ns: int
    until_ns: int | None
    other_side: str
    pictured_at: float
    total: int | None = None
    read: int = 0
    met: bool = False
    not_before: float = 0.0
    reading: bool = False

    @property
    def next_offset(self) -> int:
        """Where the page begins that holds the oldest rows not read yet; history counts from the newest."""
        return 0 if self.total is None else max(0, self.total - self.read - PAGE)


class Missed:
    """Of one account. `tell` makes fills durable; `settles_s` is how long Kraken's queries may lag behind its stream."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        facts: Facts,
        clock: Clock,
        tell: Callable[[Sequence[ExecutionSeen]], Awaitable[None]],
        settles_s: Callable[[], float],
    ) -> None:
        self._account = account
        self._venue = venue
        self._facts = facts
        self._clock = clock
        self._tell = tell
        self._settles_s = settles_s
        self._told_ns: int | None = None  # every fill up to then was told, but for SLACK_S
        self._newest_ns = 0  # of all that were told, also beyond a hole
        self._unkept = 0
        self._hole: _Hole | None = None

    def __repr__(self) -> str:
        return f"<Missed up to {self._told_ns}, {self._hole}>"

    async def begin(self) -> None:
        """Goes on from the last life's mark. Without one it begins now: what was before the first life is nobody's news."""
        if self._told_ns is not None:
            return
        kept = await self._facts.recall(self._account, FACT)
        if not kept:
            reading = self._venue.clock()
            offset_s = 0.0 if reading is None else reading.offset_s
            kept = str(self._clock.wall_ns() + int(offset_s * 1e9))
            await self._facts.remember(self._account, FACT, kept)
        self._told_ns = int(kept)

    async def pictured(self, picture: OrdersSnapshot) -> None:
        """The stream begins anew with this. Whether it leaves a hole is known from here on, before its trades are told."""
        await self.begin()
        since_ns = self._mark_ns - int(max(SLACK_S, self._settles_s()) * 1e9)
        oldest = next((seen.fill for seen in picture.trades if seen.fill is not None), None)
        oldest_ns = None if oldest is None else oldest.times.venue_ns
        self._hole = None
        if picture.trades_whole or (oldest_ns is not None and oldest_ns <= since_ns):
            return
        until_ns = None if oldest_ns is None else oldest_ns + _ROUNDING_NS
        other_side = "" if oldest is None else oldest.fill_id
        self._hole = _Hole(since_ns, until_ns, other_side, self._clock.monotonic())

    async def told(self, fill: Fill) -> None:
        """The fill is durable."""
        at_ns = fill.times.venue_ns
        if at_ns is not None:
            self._newest_ns = max(self._newest_ns, at_ns)
            if self._hole is None and self._told_ns is not None:
                await self._told_until(self._newest_ns)

    async def read(self, by: float) -> bool:
        """Tells what is missing, a bounded number of pages, by then at most; whether nothing is missing any more.

        Raises what the read of history and the store raise; what was told so far stays told.
        """
        hole = self._hole
        if hole is None:
            return True
        if hole.reading or self._clock.monotonic() < hole.not_before:
            return False
        hole.reading = True
        try:
            for _ in range(PAGES_MOST):
                if await self._page(hole, by):
                    break
        finally:
            hole.reading = False
        return self._hole is None

    async def _page(self, hole: _Hole, by: float) -> bool:
        """The oldest page that was not told yet. True when there is nothing to be asked now."""
        asked, offset = self._clock.monotonic(), hole.next_offset
        query = FillQuery(start_ns=hole.since_ns, end_ns=hole.until_ns, offset=offset, size=PAGE)
        fills, hole.total = await self._venue.fills(self._account, query, by, resolving=True)
        if hole.next_offset > offset:
            return False  # there are older ones: at first nobody knew, later rows came late into the history
        await self._tell([_seen(fill) for fill in reversed(fills)])
        hole.read = hole.total - offset
        hole.met = hole.met or any(fill.fill_id == hole.other_side for fill in fills)
        if offset:
            if hole is self._hole and fills:
                await self._told_until(fills[0].times.venue_ns or 0, keep=True)
            return False
        hole.not_before = hole.pictured_at + self._settles_s()
        if (hole.met or asked >= hole.not_before) and hole is self._hole:
            self._hole = None
            await self._told_until(self._newest_ns, keep=True)
        return True

    @property
    def _mark_ns(self) -> int:
        return 0 if self._told_ns is None else self._told_ns

    async def _told_until(self, at_ns: int, *, keep: bool = False) -> None:
        self._told_ns = max(self._mark_ns, at_ns)
        self._unkept += 1
        if keep or self._unkept >= KEPT_EVERY:
            await self._facts.remember(self._account, FACT, str(self._told_ns))
            self._unkept = 0


def past(seen: ExecutionSeen) -> ExecutionSeen:
    """A trade of the picture without what it says of its order: an amend between then and now is not in it."""
    return replace(seen, report=replace(seen.report, status=Status.OPEN, filled_quantity=None, filled_cost=None))


def _seen(fill: Fill) -> ExecutionSeen:
    """As the stream would have told it. How the order stands by now is not history's to say: those open are asked for."""
    report = VenueOrder(fill.venue_order_id, None, Status.OPEN, added_fees=fill.fees, added_quantity=fill.quantity)
    return ExecutionSeen(report, fill)
