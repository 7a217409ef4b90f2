"""Settles every order in doubt by asking, never by sending again.

One loop: sweeps (open, then closed orders, on the key that sent) for all doubts at once, feeds `judge` (domain/verdict.py)
and writes the verdict. A positive is usually found by the first look; a negative waits for deadline, barrier and the
visibility bound V. At start every SUBMITTED row is a doubt: nobody knows whether its bytes left.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import assert_never

from execsvc.domain.errors import Broken, Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import UNRESOLVED, Doubted, Order, ProvedAbsent, Seen, Status
from execsvc.domain.verdict import AskAgain, EmptySweep, Evidence, NotPlaced, Placed, judge
from execsvc.ports import Clock, Journal, PrivateVenue, Sighting
from execsvc.telemetry import Spans, Telemetry

VISIBILITY_S = 3.0  # V of promises.md section 4: how long an accepted order may stay invisible to queries
CLOCK_UNCERTAINTY_S = 0.5  # kraken.md 2.2: REST Time has whole seconds
LOOK_AGAIN_S = (0.2, 0.4, 0.8, 1.5)
SWEEP_TIMEOUT_S = 10.0
IDLE_S = 5.0
OVERDUE_S = 5.0  # after the entry deadline: a send waits for its answer 2 s at most


@dataclass
class _Doubt:
    order: Order
    evidence: Evidence
    looks: int = 0
    next_look_ns: int = 0


class Resolver:
    """The doubts of one account."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        clock: Clock,
        telemetry: Telemetry,
        visibility_s: float = VISIBILITY_S,
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._clock = clock
        self._telemetry = telemetry
        self.visibility_s = visibility_s
        self._doubts: dict[OrderKey, _Doubt] = {}
        self._wake = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Resolver {self._account} {len(self._doubts)} in doubt>"

    @property
    def in_doubt(self) -> int:
        """How many doubts are open."""
        return len(self._doubts)

    async def adopt(self, order: Order, why: str) -> None:
        """Takes over an order whose fate is unknown; the doubt is journaled as soon as the store allows."""
        with suppress(Busy):
            order = await self._journal.record(order.key, Doubted(why), self._clock.wall_ns())
        if order.status in UNRESOLVED and order.key not in self._doubts:
            deadline_ns = order.entry_deadline_ns + int(CLOCK_UNCERTAINTY_S * 1e9)
            evidence = Evidence(deadline_ns=deadline_ns, visibility_ns=int(self.visibility_s * 1e9))
            self._doubts[order.key] = _Doubt(order, evidence)
            self._telemetry.in_doubt.add(1)
        self._wake.set()

    async def adopt_all(self) -> int:
        """At start: every order that may have been sent is a doubt. Returns how many."""
        orders = await self._journal.in_status(self._account, UNRESOLVED)
        for order in orders:
            await self.adopt(order, "the service was restarted before the answer was recorded")
        return len(orders)

    async def adopt_overdue(self) -> None:
        """Orders that nobody can still be sending: whatever broke on their way, they do not stay undecided."""
        before_ns = self._clock.wall_ns() - int(OVERDUE_S * 1e9)
        for order in await self._journal.in_status(self._account, UNRESOLVED):
            if order.key not in self._doubts and order.entry_deadline_ns < before_ns:
                await self.adopt(order, "its send ended without an outcome")

    def hasten(self) -> None:
        """Looks again now."""
        for doubt in self._doubts.values():
            doubt.next_look_ns = 0
        self._wake.set()

    async def run(self) -> None:
        """Resolves for ever."""
        while True:
            await self._pause()
            with suppress(Busy):
                await self.adopt_overdue()
            await self.step()

    async def until_none(self, by: float) -> bool:
        """Whether every doubt was settled by monotonic `by`."""
        while self._doubts and self._clock.monotonic() < by:
            await self._clock.sleep(0.05)
        return not self._doubts

    async def _pause(self) -> None:
        self._wake.clear()
        now_ns = self._clock.wall_ns()
        soonest = min((doubt.next_look_ns for doubt in self._doubts.values()), default=now_ns + int(IDLE_S * 1e9))
        wait_s = max(0.0, (soonest - now_ns) / 1e9)
        with suppress(TimeoutError):
            async with self._clock.timeout_at(self._clock.monotonic() + wait_s):
                await self._wake.wait()

    async def step(self) -> None:
        """One sweep for every doubt that is due, then the verdicts."""
        now_ns = self._clock.wall_ns()
        due = [doubt for doubt in self._doubts.values() if doubt.next_look_ns <= now_ns]
        if not due:
            return
        try:
            still_open = [doubt for doubt in due if await self._unresolved(doubt)]
            if not still_open:
                return
            with self._telemetry.span(Spans.RESOLVE, {"execsvc.sweeps": len(still_open)}):
                wire_ids = frozenset(doubt.order.venue_client_id for doubt in still_open)
                sighting = await self._venue.sweep(wire_ids, self._clock.monotonic() + SWEEP_TIMEOUT_S)
            for doubt in still_open:
                await self._judge(doubt, sighting)
        except (Busy, Declined, ProtocolBroken):
            # A look that failed proves nothing: the same doubts are looked for again, a little later.
            for doubt in due:
                self._postpone(doubt, self._clock.wall_ns())

    async def _unresolved(self, doubt: _Doubt) -> bool:
        """False, and the doubt closed, when another road (stream, late answer) has settled it meanwhile."""
        order = await self._journal.get(doubt.order.key)
        if order is None or order.status not in UNRESOLVED:
            self._close(doubt)
            return False
        doubt.order = order
        return True

    async def _judge(self, doubt: _Doubt, sighting: Sighting) -> None:
        doubt.evidence = _with(doubt.evidence, sighting, doubt.order.venue_client_id)
        now_ns = self._clock.wall_ns()
        verdict = judge(doubt.evidence, now_ns)
        match verdict:
            case Placed(report):
                await self._settle(doubt, Seen(report))
            case NotPlaced():
                await self._settle(doubt, ProvedAbsent(_not_placed(doubt.order)))
            case AskAgain(at_ns):
                self._postpone(doubt, now_ns, at_ns)
            case _:
                assert_never(verdict)

    async def _settle(self, doubt: _Doubt, event: Seen | ProvedAbsent) -> None:
        try:
            settled = await self._journal.record(doubt.order.key, event, self._clock.wall_ns())
        except Broken:
            self._close(doubt)  # another road settled it between the look and the verdict: that one is in the journal
            return
        self._close(doubt)
        if settled.cancel_requested and settled.status in {Status.OPEN, Status.PENDING}:
            await self._venue.cancel(settled, self._clock.monotonic() + SWEEP_TIMEOUT_S)

    def _close(self, doubt: _Doubt) -> None:
        if self._doubts.pop(doubt.order.key, None) is not None:
            self._telemetry.in_doubt.add(-1)

    def _postpone(self, doubt: _Doubt, now_ns: int, at_ns: int | None = None) -> None:
        pause_s = LOOK_AGAIN_S[min(doubt.looks, len(LOOK_AGAIN_S) - 1)]
        doubt.looks += 1
        later_ns = now_ns + int(pause_s * 1e9)
        doubt.next_look_ns = later_ns if at_ns is None or at_ns <= now_ns else min(at_ns, later_ns)


def _with(evidence: Evidence, sighting: Sighting, wire_id: str) -> Evidence:
    report = sighting.found.get(wire_id)
    if report is not None:
        return replace(evidence, found=report)
    barrier_ns = sighting.barrier_ns if evidence.barrier_ns is None else evidence.barrier_ns
    settled_ns = max(evidence.deadline_ns, barrier_ns) + evidence.visibility_ns
    # Sweeps that began too early can never count: forgetting them keeps the evidence bounded.
    sweeps = tuple(sweep for sweep in evidence.empty_sweeps if sweep.began_ns >= settled_ns)
    seen = (*sweeps, EmptySweep(sighting.began_ns, sighting.ended_ns))
    return replace(evidence, barrier_ns=barrier_ns, empty_sweeps=seen)


def _not_placed(order: Order) -> Fault:
    return Fault(
        Reason.NOT_PLACED,
        f"order {order.key.client_order_id!r} never reached Kraken's engine: proved; place anew under a new id",
        {"id_used": "true"},
    )
