"""V, the visibility bound: how long an accepted order may stay invisible to Kraken's queries; watched, not believed.

A proof that an order is not there rests on V (domain/verdict.py). So every acceptance is timed until its first sight in the
private stream, and now and then one is looked for among the orders at once. When more than one in a thousand takes longer
than V/2, V doubles, for good, and says so. It never shrinks by itself.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from execsvc.app.owner import Owner
from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.domain.order import LIVE, Order
from execsvc.ports import Clock, Facts, Journal, PrivateVenue, Tasks
from execsvc.telemetry import Telemetry

V = TypeVar("V")

VISIBILITY_S = 3.0
VISIBILITY_MOST_S = 60.0
RARE = 1_000  # V/2 is for the 99.9th percentile
SAMPLES_MAX = 20_000  # then both counts are halved, so that the past fades
AWAITED_MAX = 1024
PROBE_EVERY_S = 60.0
PROBE_AGAIN_S = 0.25
PROBE_TIMEOUT_S = 5.0
STORE_AGAIN_S = 1.0
FACT = "visibility_s"


class Visibility:
    """The bound of one account, and the lags that were seen."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        facts: Facts,
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
        alarm: Callable[[str], None],
        owner: Owner,
        bound_s: float = VISIBILITY_S,
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._facts = facts
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry
        self._alarm = alarm
        self._owner = owner
        self.bound_s = bound_s
        self._seen = 0
        self._slow = 0
        self._awaited: OrderedDict[str, float] = OrderedDict()
        self._streamed: OrderedDict[str, None] = OrderedDict()
        self._probed_at = -PROBE_EVERY_S

    def __repr__(self) -> str:
        return f"<Visibility {self.bound_s} s, {self._slow} of {self._seen} beyond half>"

    async def restore(self) -> None:
        """At start: a bound that grew in an earlier life stays grown."""
        kept = await self._facts.recall(self._account, FACT)
        if kept:
            self.bound_s = max(self.bound_s, float(kept))  # seconds

    def answered(self, order: Order) -> None:
        """Kraken's answer named the order now; from here its first sight is timed."""
        now = self._clock.monotonic()
        if order.venue_client_id in self._streamed:
            self._took(0.0, "executions")  # the stream was quicker than the answer
        else:
            self._awaited[order.venue_client_id] = now
            _bound(self._awaited)
        if now - self._probed_at >= PROBE_EVERY_S:
            self._probed_at = now
            self._tasks.start(f"visibility of {order.key}", self._probe(order, now))

    def streamed(self, venue_client_id: str) -> None:
        """The private stream told of the order as it happened."""
        self._streamed[venue_client_id] = None
        _bound(self._streamed)
        answered = self._awaited.pop(venue_client_id, None)
        if answered is not None and self._owner.held_since(answered):
            self._took(self._clock.monotonic() - answered, "executions")

    def link_broken(self) -> None:
        """The stream ends, begins, or tells its snapshot: what it tells after a gap says nothing about lags."""
        self._awaited.clear()

    async def _probe(self, order: Order, answered: float) -> None:
        """Looks for an order that is known to be there until it shows."""
        wire_id = order.venue_client_id
        while self._clock.monotonic() - answered < 2 * self.bound_s:
            asked = self._clock.monotonic()
            try:
                sighting = await self._venue.sweep(frozenset({wire_id}), asked + PROBE_TIMEOUT_S, counts=False)
            except (Busy, Declined, ProtocolBroken):
                return  # no answer is no lag
            if not self._owner.held_since(answered):
                return  # we stood still ourselves
            if wire_id in sighting.found:
                self._took(asked - answered, "orders")
                return
            await self._clock.sleep(PROBE_AGAIN_S)
        known = await self._journal.get(order.key)
        if known is not None and known.status in LIVE:
            self._took(self._clock.monotonic() - answered, "orders")

    def _took(self, lag_s: float, source: str) -> None:
        self._telemetry.query_lag_seconds.record(lag_s, {"source": source})
        self._seen += 1
        self._slow += lag_s > self.bound_s / 2
        if self._slow * RARE > self._seen and self.bound_s < VISIBILITY_MOST_S:
            self._grow(lag_s)
        elif self._seen >= SAMPLES_MAX:
            self._seen, self._slow = self._seen // 2, self._slow // 2

    def _grow(self, lag_s: float) -> None:
        self.bound_s = min(2 * self.bound_s, VISIBILITY_MOST_S)
        self._seen = self._slow = 0
        self._alarm(f"an order took {lag_s:.1f} s to become visible: the visibility bound is now {self.bound_s:g} s")
        self._tasks.start("durable visibility bound", self._remember(self.bound_s))

    async def _remember(self, bound_s: float) -> None:
        while self.bound_s == bound_s:  # a later one is remembered by its own task
            try:
                await self._facts.remember(self._account, FACT, str(bound_s))
            except Busy:
                await self._clock.sleep(STORE_AGAIN_S)
            else:
                return


def _bound(held: OrderedDict[str, V]) -> None:
    while len(held) > AWAITED_MAX:
        held.popitem(last=False)
