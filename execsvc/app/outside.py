"""Orders of the account that were not placed through execsvc: by hand, by another tool, or by Kraken as a conditional close.

They are told under "ext-" and Kraken's id, without a caller, and are never in doubt: what is known of them is what Kraken
shows. One that the stream does not describe in full (an order on margin, one that ended unseen) is asked for by its id;
what even that does not describe is left out, and a person is told once. Who may see and cancel them is not decided here.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from execsvc.app.sightings import Sightings
from execsvc.domain.errors import Broken
from execsvc.domain.ids import EXTERNAL_PREFIX, OrderKey
from execsvc.domain.order import Order, Seen, Status, VenueOrder
from execsvc.domain.spec import OrderSpec, content_hash
from execsvc.domain.story import step_of
from execsvc.ports import Clock, Journal, PrivateVenue

ASKED_MOST = 50  # ids of one call, and one call a turn
UNKNOWN_MAX = 1000
LEFT_OUT_MAX = 10_000


@dataclass
class _Unknown:
    """An order of which only the id is known; noted: monotonic, when it was first heard of."""

    noted: float
    asked: bool = False


class Outside:
    """Of one account. `settles_s` is how long Kraken's queries may lag behind its stream."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        sightings: Sightings,
        clock: Clock,
        settles_s: Callable[[], float],
        alarm: Callable[[str], None],
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._sightings = sightings
        self._clock = clock
        self._settles_s = settles_s
        self._alarm = alarm
        self._unknown: dict[str, _Unknown] = {}
        self._left_out: OrderedDict[str, None] = OrderedDict()
        self._asking = asyncio.Lock()

    def __repr__(self) -> str:
        return f"<Outside, {len(self._unknown)} to be asked for, {len(self._left_out)} left out>"

    @property
    def due_at(self) -> float:
        """When one is to be asked for, monotonic; inf: none is."""
        return min((self._due_at(each) for each in self._unknown.values()), default=float("inf"))  # seconds

    async def owner_of(self, report: VenueOrder) -> Order | None:
        """The order that the report is of, ours or not; None where nothing is known of it."""
        if report.venue_client_id:
            order = await self._journal.find(self._account, venue_client_id=report.venue_client_id)
            if order is not None:
                return order
        return await self._journal.find(self._account, venue_order_id=report.venue_order_id)

    async def seen(self, report: VenueOrder) -> bool:
        """Kraken shows an order: it is merged with what is known of it, or becomes known. False: it must be asked for."""
        described = await self._described(report)
        if not described:
            self.note(report.venue_order_id)
        return described

    def note(self, venue_order_id: str) -> None:
        """Something was heard of an order that is not known."""
        known = venue_order_id in self._unknown or venue_order_id in self._left_out
        if not known and len(self._unknown) < UNKNOWN_MAX:
            self._unknown[venue_order_id] = _Unknown(self._clock.monotonic())

    def awaits(self, venue_order_id: str) -> bool:
        """Whether Kraken has yet to say what that order is."""
        return venue_order_id in self._unknown

    async def ask(self, by: float) -> None:
        """Asks for those that are due, some at a time. Raises what the query raises."""
        async with self._asking:  # the stream and what goes on beside it would ask for the same
            began = self._clock.monotonic()
            due = tuple(txid for txid, each in self._unknown.items() if self._due_at(each) <= began)[:ASKED_MOST]
            if due:
                reports = await self._venue.query(due, by, resolving=True)
                await self._answered(due, reports, began)

    async def _answered(self, due: tuple[str, ...], reports: tuple[VenueOrder, ...], began: float) -> None:
        for report in reports:
            if not await self._described(report):
                self._leave_out(report.venue_order_id, "was placed elsewhere and is of a kind that cannot be told here")
            self._unknown.pop(report.venue_order_id, None)
        for txid in due:
            self._missing(txid, began)

    async def _described(self, report: VenueOrder) -> bool:
        order = await self.owner_of(report) or await self._adopted(report)
        if order is None:
            return False
        await self._sightings.order(order.key, report)
        return True

    def _missing(self, txid: str, began: float) -> None:
        """Not shown: a query may lag, so it is asked once more; then it is not there for us."""
        each = self._unknown.get(txid)
        if each is None:
            return
        each.asked = True
        if began >= each.noted + self._settles_s():
            del self._unknown[txid]
            self._leave_out(txid, "is not shown by Kraken's queries")

    def _leave_out(self, txid: str, why: str) -> None:
        self._left_out[txid] = None
        while len(self._left_out) > LEFT_OUT_MAX:
            self._left_out.popitem(last=False)
        self._alarm(f"the order {txid} of account {self._account} {why}: it is left out")

    def _due_at(self, each: _Unknown) -> float:
        return each.noted + (self._settles_s() if each.asked else 0.0)

    async def _adopted(self, report: VenueOrder) -> Order | None:
        """Durable from its first picture on; None where that does not say all that is wanted."""
        if report.spec is None or not report.leverage_told:
            return None
        now_ns = self._clock.wall_ns()
        blank = _blank(self._account, report, report.spec, now_ns)
        order = blank.merged(report)
        try:
            return await self._journal.adopt(order, now_ns, (step_of(Seen(report), blank, order, now_ns),))
        except Broken:
            # An order of ours has become known by this id meanwhile.
            owner = await self._journal.find(self._account, venue_order_id=report.venue_order_id)
            if owner is None:
                raise
            return owner


def _blank(account: str, report: VenueOrder, spec: OrderSpec, now_ns: int) -> Order:
    """As it is before anything was seen of it. It had entered when Kraken says, or is first seen."""
    return Order(
        key=OrderKey(account, "", EXTERNAL_PREFIX + report.venue_order_id),
        spec=spec,
        status=Status.SUBMITTED,
        content_hash=content_hash(account, spec),
        attempt=0,
        venue_client_id="",
        key_label="",
        entry_deadline_ns=now_ns if report.open_time_ns is None else report.open_time_ns,
        trace_id="",
        create_time_ns=now_ns,
        update_time_ns=now_ns,
        attempt_time_ns=now_ns,
        venue_order_id=report.venue_order_id,
    )
