"""Settles every order in doubt by asking, never by sending again.

One loop: sweeps (open, then closed orders, on the key that sent) for all doubts at once, feeds `judge` (domain/verdict.py)
and writes the verdict. A positive is usually found by the first look; a negative waits for deadline, barrier and the
visibility bound V, and is looked for once more a minute later. At start every SUBMITTED row is a doubt: nobody knows whether
its bytes left.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import assert_never

from execsvc.app.chronicle import Chronicle
from execsvc.app.sightings import Sightings
from execsvc.app.visibility import Visibility
from execsvc.domain.errors import Broken, Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import UNRESOLVED, Doubted, Order, ProvedAbsent
from execsvc.domain.story import Step, StepKind
from execsvc.domain.verdict import AskAgain, EmptySweep, Evidence, NotPlaced, Placed, judge
from execsvc.ports import Clock, Journal, PrivateVenue, Sighting
from execsvc.telemetry import Spans, Telemetry

CLOCK_UNCERTAINTY_S = 0.5  # kraken.md 2.2: REST Time has whole seconds; less where more is known
CLOCK_MARGIN_S = 0.05
ENTRY_MOST_S = 60.0  # no entry deadline lies further ahead, whatever a clock that was stepped says
LOOK_AGAIN_S = (0.2, 1.0, 3.0)
LOOK_CLEAR_S = 1.0
FAILED_AGAIN_S = 1.0
SWEEP_TIMEOUT_S = 10.0
IDLE_S = 5.0
OVERDUE_S = 5.0  # after the entry deadline: whatever broke on an order's way, it does not stay undecided
TRIPWIRE_S = 60.0
TRIPWIRES_MAX = 4096
TRIPWIRE_LOOKS_MAX = 5


BARRIER = "A later nonce of the key was accepted: the request can no longer get in."


@dataclass
class _Doubt:
    order: Order
    evidence: Evidence
    since: float
    looks: int = 0
    next_look: float = 0.0


@dataclass(frozen=True)
class _Tripwire:
    """One more look at an order told as not placed."""

    due: float
    key: OrderKey
    wire_id: str
    looks: int = 0


class Resolver:
    """The doubts of one account. `flying`: orders whose send is still under way; `found` hears of each that is found."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        chronicle: Chronicle,
        sightings: Sightings,
        visibility: Visibility,
        clock: Clock,
        telemetry: Telemetry,
        flying: Container[OrderKey],
        found: Callable[[Order], None],
    ) -> None:
        self._account = account
        self._venue = venue
        self._journal = journal
        self._chronicle = chronicle
        self._sightings = sightings
        self._visibility = visibility
        self._clock = clock
        self._telemetry = telemetry
        self._flying = flying
        self._found = found
        self._doubts: dict[OrderKey, _Doubt] = {}
        self._tripwires: deque[_Tripwire] = deque(maxlen=TRIPWIRES_MAX)
        self._wake = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()

    def __repr__(self) -> str:
        return f"<Resolver {self._account} {len(self._doubts)} in doubt>"

    @property
    def in_doubt(self) -> int:
        """How many doubts are open."""
        return len(self._doubts)

    async def adopt(
        self, order: Order, why: str, *, entry_by: float | None = None, barrier: float | None = None
    ) -> None:
        """Takes over an order whose fate is unknown; the doubt is journaled as soon as the store allows.

        entry_by: its entry deadline, monotonic, where this life knows it; barrier: a later nonce was accepted by then.
        """
        with suppress(Busy):
            order = await self._chronicle.record(order.key, Doubted(why))
        if order.status in UNRESOLVED and order.key not in self._doubts:
            now = self._clock.monotonic()
            if entry_by is None:
                entry_by = now + _left_s(order, self._clock.wall_ns()) + self._uncertainty_s()
            evidence = Evidence(entry_by + CLOCK_MARGIN_S, self._visibility.bound_s, barrier=barrier)
            self._doubts[order.key] = _Doubt(order, evidence, now)
            self._none.clear()
            self._telemetry.in_doubt.add(1)
        self._wake.set()

    def _uncertainty_s(self) -> float:
        """How long after a deadline of an earlier life Kraken's clock may not have passed it.

        One of this life left for Kraken on the early side of what was known, so at its own instant it has passed.
        """
        reading = self._venue.clock()
        return CLOCK_UNCERTAINTY_S if reading is None else min(reading.uncertainty_s, CLOCK_UNCERTAINTY_S)

    async def adopt_all(self, barrier: float) -> int:
        """At start: every order that may have been sent is a doubt, and no longer can get in. Returns how many."""
        orders = await self._journal.in_status(self._account, UNRESOLVED)
        for order in orders:
            await self.adopt(order, "the service was restarted before the answer was recorded", barrier=barrier)
        return len(orders)

    def hasten(self) -> None:
        """Looks again now."""
        for doubt in self._doubts.values():
            doubt.next_look = 0.0
        self._wake.set()

    def awaited(self, key: OrderKey) -> str:
        """What an order in doubt waits for, as a sentence; empty when it is in no doubt."""
        doubt = self._doubts.get(key)
        if doubt is None:
            return ""
        now = self._clock.monotonic()
        look_s = max(0.0, doubt.next_look - now)
        since = doubt.evidence.counts_from
        if since is None:
            return f"A look at Kraken that succeeds is awaited; the next one is in {look_s:.1f} s."
        if since > now:
            return (
                f"Looks count towards a negative from {since - now:.1f} s on: entry deadline, later nonce and "
                f"{self._visibility.bound_s:g} s for queries to show it; the next look is in {look_s:.1f} s."
            )
        return (
            f"Of two looks without a find {len(doubt.evidence.empty_sweeps)} are made; the next is in {look_s:.1f} s."
        )

    async def run(self) -> None:
        """Resolves for ever."""
        while True:
            await self._pause()
            with suppress(Busy):
                await self._adopt_overdue()
            await self.step()
            await self._look_once_more()

    async def until_none(self, by: float) -> bool:
        """Whether every doubt was settled by monotonic `by`."""
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                await self._none.wait()
        return not self._doubts

    async def _adopt_overdue(self) -> None:
        before_ns = self._clock.wall_ns() - int(OVERDUE_S * 1e9)
        for order in await self._journal.in_status(self._account, UNRESOLVED):
            known = order.key in self._doubts or order.key in self._flying
            if not known and order.entry_deadline_ns < before_ns:
                await self.adopt(order, "its send ended without an outcome")

    async def _pause(self) -> None:
        self._wake.clear()
        now = self._clock.monotonic()
        timers = [doubt.next_look for doubt in self._doubts.values()]
        timers += [tripwire.due for tripwire in self._tripwires]
        with suppress(TimeoutError):
            async with self._clock.timeout_at(max(now, min(timers, default=now + IDLE_S))):
                await self._wake.wait()

    async def step(self) -> None:
        """One sweep for every doubt that is due, then the verdicts."""
        now = self._clock.monotonic()
        due = [doubt for doubt in self._doubts.values() if doubt.next_look <= now]
        if due:
            due = list(self._doubts.values())  # one look for all costs no more than one for each
        try:
            still_open = [doubt for doubt in due if await self._unresolved(doubt)]
            if still_open:
                await self._look(still_open)
        except (Busy, Declined, ProtocolBroken) as failure:
            # A look that failed proves nothing: the same doubts are looked for again, a little later.
            self._looked_in_vain(due, failure.fault)

    async def _look(self, doubts: list[_Doubt]) -> None:
        now = self._clock.monotonic()
        for doubt in doubts:
            self._learn_barrier(doubt, self._venue.accepted_after(doubt.since))
        with self._telemetry.span(Spans.RESOLVE, {"execsvc.sweeps": len(doubts)}):
            wire_ids = frozenset(doubt.order.venue_client_id for doubt in doubts)
            counts = any(_counts_from(doubt) <= now for doubt in doubts)
            sighting = await self._venue.sweep(
                wire_ids, now + SWEEP_TIMEOUT_S, counts=counts, since_ns=_since_ns(doubts)
            )
        for doubt in doubts:
            wire_id = doubt.order.venue_client_id
            if wire_id in sighting.looked_for or wire_id in sighting.found:
                await self._judge(doubt, sighting)
            else:
                self._learn_barrier(doubt, sighting.barrier)
                self._postpone(doubt, self._clock.monotonic(), doubt.evidence.counts_from)

    def _looked_in_vain(self, doubts: list[_Doubt], fault: Fault) -> None:
        now = self._clock.monotonic()
        for doubt in doubts:
            if fault.reason is not Reason.LOCAL_RATE_LIMITED or fault.retry_after_s is None:
                self._note(doubt, StepKind.SWEPT, f"A look failed and proves nothing: {fault.message}.")
                self._postpone(doubt, now)
                doubt.next_look = min(doubt.next_look, now + FAILED_AGAIN_S)
                continue
            # The key's counter has no room: looks that count may use more of it than others.
            since = _counts_from(doubt)
            later = now + fault.retry_after_s
            doubt.next_look = min(later, since) if since > now else later

    async def _unresolved(self, doubt: _Doubt) -> bool:
        """False, and the doubt closed, when another road (stream, late answer) has settled it meanwhile."""
        order = await self._journal.get(doubt.order.key)
        if order is None or order.status not in UNRESOLVED:
            self._close(doubt)
            return False
        doubt.order = order
        return True

    async def _judge(self, doubt: _Doubt, sighting: Sighting) -> None:
        self._learn(doubt, sighting)
        now = self._clock.monotonic()
        verdict = judge(doubt.evidence, now)
        match verdict:
            case Placed(report):
                order = await self._sightings.order(doubt.order.key, report)
                self._close(doubt)
                self._found(order)
            case NotPlaced():
                await self._prove_absent(doubt)
            case AskAgain(at):
                self._postpone(doubt, now, at)
            case _:
                assert_never(verdict)

    def _learn_barrier(self, doubt: _Doubt, at: float | None) -> None:
        """Any call of ours that began later and was answered proves as much as a look."""
        if at is not None and doubt.evidence.barrier is None:
            self._note(doubt, StepKind.BARRIER, BARRIER)
            doubt.evidence = doubt.evidence.with_barrier(at)

    def _learn(self, doubt: _Doubt, sighting: Sighting) -> None:
        evidence = replace(doubt.evidence, visibility_s=self._visibility.bound_s)
        report = sighting.found.get(doubt.order.venue_client_id)
        took_ns = int((sighting.ended - sighting.began) * 1e9)
        if evidence.barrier is None:
            self._note(doubt, StepKind.BARRIER, BARRIER)
        if report is not None:
            doubt.evidence = replace(evidence, found=report)
            self._note(doubt, StepKind.SWEPT, "Looked among open, then closed orders: it is there.", took_ns)
            return
        evidence = evidence.with_barrier(sighting.barrier)
        doubt.evidence = evidence.with_sweep(EmptySweep(sighting.began, sighting.ended))
        counts = evidence.counts_from is not None and sighting.began >= evidence.counts_from
        text = "it is not there" if counts else "it is not there, which proves nothing yet"
        self._note(doubt, StepKind.SWEPT, f"Looked among open, then closed orders: {text}.", took_ns)

    async def _prove_absent(self, doubt: _Doubt) -> None:
        order = doubt.order
        try:
            await self._chronicle.record(order.key, ProvedAbsent(_not_placed(order)))
        except Broken:
            self._close(doubt)  # another road settled it between the look and the verdict: that one is in the journal
            return
        self._close(doubt)
        self._tripwires.append(_Tripwire(self._clock.monotonic() + TRIPWIRE_S, order.key, order.venue_client_id))

    async def _look_once_more(self) -> None:
        """The tripwire: what was told as not placed is looked for a minute later, in one sweep; a find is corrected."""
        now = self._clock.monotonic()
        due = [each for each in self._tripwires if each.due <= now]
        if not due:
            return
        kept = [each for each in self._tripwires if each.due > now]
        try:
            wire_ids = frozenset(each.wire_id for each in due)
            sighting = await self._venue.sweep(wire_ids, now + SWEEP_TIMEOUT_S, counts=False)
            for each in due:
                report = sighting.found.get(each.wire_id)
                if report is not None:
                    await self._sightings.order(each.key, report)
            due = [each for each in due if each.wire_id not in sighting.looked_for]
            kept += due
        except (Busy, Declined, ProtocolBroken):
            later = self._clock.monotonic() + IDLE_S
            again = (each for each in due if each.looks + 1 < TRIPWIRE_LOOKS_MAX)
            kept += [replace(each, due=later, looks=each.looks + 1) for each in again]
        self._tripwires = deque(kept, maxlen=TRIPWIRES_MAX)

    def _note(self, doubt: _Doubt, kind: StepKind, text: str, took_ns: int | None = None) -> None:
        order = doubt.order
        step = Step(self._clock.wall_ns(), kind, text, attempt=order.attempt, took_ns=took_ns, trace_id=order.trace_id)
        self._chronicle.note(order.key, step)

    def _close(self, doubt: _Doubt) -> None:
        if self._doubts.pop(doubt.order.key, None) is not None:
            self._telemetry.in_doubt.add(-1)
        if not self._doubts:
            self._none.set()

    def _postpone(self, doubt: _Doubt, now: float, at: float | None = None) -> None:
        pause_s = LOOK_AGAIN_S[min(doubt.looks, len(LOOK_AGAIN_S) - 1)]
        doubt.looks += 1
        later = now + pause_s
        since = doubt.evidence.counts_from
        if since is not None and at is not None and at <= now:
            later = now  # the look before began a moment too early to count: one that begins now does
        elif at is not None and at > now and later > at - LOOK_CLEAR_S:
            later = at  # a look just before the moment from which it counts would only delay the one that does
        doubt.next_look = later


def _counts_from(doubt: _Doubt) -> float:
    """When a look for it may use the points that are kept for looks: it counts, or brings the barrier that is missing."""
    since = doubt.evidence.counts_from
    return doubt.evidence.deadline if since is None else since


def _since_ns(doubts: list[_Doubt]) -> int | None:
    """When the first of them was written down; None where a row is too old to say."""
    written = [doubt.order.attempt_time_ns for doubt in doubts]
    return min(written) if all(written) else None


def _left_s(order: Order, now_ns: int) -> float:
    """Until its entry deadline, of an order of an earlier life: never longer than it had when it was written down."""
    had_s = (order.entry_deadline_ns - (order.attempt_time_ns or order.create_time_ns)) / 1e9
    left_s = (order.entry_deadline_ns - now_ns) / 1e9
    return min(max(0.0, left_s), had_s, ENTRY_MOST_S)


def _not_placed(order: Order) -> Fault:
    return Fault(
        Reason.NOT_PLACED,
        f"order {order.key.client_order_id!r} never reached Kraken's engine: proved; place anew under a new id",
        {"id_used": "true"},
    )
