"""Settles every amend in doubt by looking at its order, never by sending it again.

An amend that took effect shows in the order's own list of amends, which is asked for: at once when the journal announces
that the order has changed so, for then the private stream has told of it. That it never got in is proved as for a placement
(domain/verdict.py): a later nonce accepted, the entry deadline passed, and two looks V apart that do not show it.
"""

import asyncio
from collections.abc import Container, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from execsvc.app.chronicle import Chronicle
from execsvc.app.visibility import Visibility
from execsvc.domain.amend import (
    Amend,
    AmendDoubted,
    AmendEvent,
    AmendKey,
    Applied,
    ProvedNotApplied,
)
from execsvc.domain.amendwish import ShownAmend
from execsvc.domain.errors import Broken, Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.domain.story import Step, StepKind
from execsvc.domain.verdict import AskAgain, EmptySweep, Evidence, NotPlaced, Placed, judge
from execsvc.ports import AmendLook, Clock, JournalEntry, PrivateVenue, Store
from execsvc.telemetry import Telemetry

CLOCK_UNCERTAINTY_S = 0.5  # as for an order in doubt (app/resolver.py)
CLOCK_MARGIN_S = 0.05
ENTRY_MOST_S = 60.0
WRITTEN_MARGIN_NS = 7_000_000_000  # so far may Kraken's stamp of an amend lie before our writing it down: clocks differ
LOOK_AGAIN_S = (0.5, 2.0, 5.0)
LOOK_TIMEOUT_S = 10.0
FAILED_AGAIN_S = 1.0
IDLE_S = 5.0
OVERDUE_S = 5.0


@dataclass
class _Doubt:
    amend: Amend
    evidence: Evidence
    since: float
    looks: int = 0
    next_look: float = 0.0


class AmendDoubts:
    """The amends in doubt of one account. `flying`: amends whose send is still under way."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        store: Store,
        chronicle: Chronicle,
        visibility: Visibility,
        clock: Clock,
        telemetry: Telemetry,
        flying: Container[AmendKey],
    ) -> None:
        self._account = account
        self._venue = venue
        self._store = store
        self._chronicle = chronicle
        self._visibility = visibility
        self._clock = clock
        self._telemetry = telemetry
        self._flying = flying
        self._doubts: dict[OrderKey, _Doubt] = {}
        self._wake = asyncio.Event()
        self._none = asyncio.Event()
        self._none.set()
        self._stop = store.subscribe(self._heard)

    def __repr__(self) -> str:
        return f"<AmendDoubts {self._account} {len(self._doubts)} in doubt>"

    def close(self) -> None:
        """Listens no more."""
        self._stop()

    @property
    def in_doubt(self) -> int:
        """How many doubts are open."""
        return len(self._doubts)

    async def record(self, key: AmendKey, event: AmendEvent) -> Amend:
        """Commits what became of an amend, with what was noted of its order. Raises Busy when the store cannot."""
        amends, clock = self._store.amends, self._clock
        amend, _ = await self._chronicle.along(
            key.order, lambda steps: amends.record(key, event, clock.wall_ns(), steps)
        )
        return amend

    async def adopt(
        self, amend: Amend, why: str, *, entry_by: float | None = None, barrier: float | None = None
    ) -> None:
        """Takes over an amend whose fate is unknown; the doubt is journaled as soon as the store allows.

        entry_by: its entry deadline, monotonic, where this life knows it; barrier: a later nonce was accepted by then.
        """
        with suppress(Busy):
            amend = await self.record(amend.key, AmendDoubted(why))
        if not amend.is_settled and amend.key.order not in self._doubts:
            now = self._clock.monotonic()
            if entry_by is None:
                left_s = (amend.entry_deadline_ns - self._clock.wall_ns()) / 1e9
                entry_by = now + min(left_s, ENTRY_MOST_S) + self._uncertainty_s()
            evidence = Evidence(entry_by + CLOCK_MARGIN_S, self._visibility.bound_s, barrier=barrier)
            self._doubts[amend.key.order] = _Doubt(amend, evidence, now)
            self._none.clear()
        self._wake.set()

    def _uncertainty_s(self) -> float:
        reading = self._venue.clock()
        return CLOCK_UNCERTAINTY_S if reading is None else min(reading.uncertainty_s, CLOCK_UNCERTAINTY_S)

    async def adopt_all(self, barrier: float) -> tuple[Amend, ...]:
        """At start: every amend that may have been sent is a doubt, and no longer can get in. Returns them."""
        amends = await self._store.amends.unsettled(self._account)
        for amend in amends:
            await self.adopt(amend, "the service was restarted before the answer was recorded", barrier=barrier)
        return amends

    def hasten(self) -> None:
        """Looks again now."""
        for doubt in self._doubts.values():
            doubt.next_look = 0.0
        self._wake.set()

    async def run(self) -> None:
        """Settles for ever."""
        while True:
            await self._pause()
            with suppress(Busy):
                await self._adopt_overdue()
            await self.step()

    async def until_none(self, by: float) -> bool:
        """Whether every doubt was settled by monotonic `by`."""
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                await self._none.wait()
        return not self._doubts

    async def step(self) -> None:
        """One turn for every doubt that is due; one that fails keeps the others from nothing."""
        now = self._clock.monotonic()
        for doubt in [each for each in self._doubts.values() if each.next_look <= now]:
            try:
                await self._resolve(doubt)
            except (Busy, Declined, ProtocolBroken) as failure:
                said = failure.fault.message
                self._note(doubt, StepKind.SWEPT, f"A look at its amends failed and proves nothing: {said}.")
                doubt.next_look = self._clock.monotonic() + (failure.fault.retry_after_s or FAILED_AGAIN_S)

    # ---- parts --------------------------------------------------------------------------------------------------

    def _heard(self, entry: JournalEntry) -> None:
        """The order was changed: perhaps so as an amend in doubt wished. A doubt settled elsewhere is none any more."""
        if entry.order is not None:
            doubt = self._doubts.get(entry.order.key)
            if doubt is not None and doubt.amend.wish.stands_in(entry.order.spec):
                doubt.next_look = 0.0
                self._wake.set()
        if entry.amend is not None and entry.amend.is_settled:
            doubt = self._doubts.get(entry.amend.key.order)
            if doubt is not None and doubt.amend.key == entry.amend.key:
                self._close(doubt)

    async def _adopt_overdue(self) -> None:
        """Whatever broke on an amend's way, it does not stay undecided."""
        before_ns = self._clock.wall_ns() - int(OVERDUE_S * 1e9)
        for amend in await self._store.amends.unsettled(self._account):
            known = amend.key.order in self._doubts or amend.key in self._flying
            if not known and amend.entry_deadline_ns < before_ns:
                await self.adopt(amend, "its send ended without an outcome")

    async def _pause(self) -> None:
        self._wake.clear()
        now = self._clock.monotonic()
        due = min((doubt.next_look for doubt in self._doubts.values()), default=now + IDLE_S)
        with suppress(TimeoutError):
            async with self._clock.timeout_at(max(now, min(due, now + IDLE_S))):
                await self._wake.wait()

    async def _resolve(self, doubt: _Doubt) -> None:
        known = await self._store.amends.get(doubt.amend.key)
        if known is None or known.amend.is_settled:
            self._close(doubt)
            return
        barrier = self._venue.accepted_after(doubt.since)
        if barrier is not None:
            doubt.evidence = doubt.evidence.with_barrier(barrier)
        applied, look = await self._look(known.order, doubt.amend)
        if applied is not None:
            self._note(doubt, StepKind.SWEPT, "Looked at the order's amends: it is there.")
            await self._settle(doubt, applied)
        else:
            await self._judge(doubt, look)

    async def _judge(self, doubt: _Doubt, look: EmptySweep) -> None:
        evidence = replace(doubt.evidence, visibility_s=self._visibility.bound_s).with_barrier(look.ended)
        counts = evidence.counts_from is not None and look.began >= evidence.counts_from
        doubt.evidence = evidence.with_sweep(look)
        text = "it is not there" if counts else "it is not there, which proves nothing yet"
        self._note(doubt, StepKind.SWEPT, f"Looked at the order's amends: {text}.")
        now = self._clock.monotonic()
        match judge(doubt.evidence, now):
            case NotPlaced():
                await self._settle(doubt, ProvedNotApplied(_not_applied(doubt.amend)))
            case AskAgain(at):
                pause_s = LOOK_AGAIN_S[min(doubt.looks, len(LOOK_AGAIN_S) - 1)]
                doubt.looks += 1
                doubt.next_look = min(at, now + pause_s)
            case Placed() as found:
                raise Broken(Fault(Reason.INTERNAL, f"amend {doubt.amend.key} was judged as an order: {found!r}"))

    async def _settle(self, doubt: _Doubt, event: AmendEvent) -> None:
        try:
            await self.record(doubt.amend.key, event)
        except Broken:
            # Another road settled it between the look and the verdict: that one is in the journal.
            known = await self._store.amends.get(doubt.amend.key)
            if known is not None and not known.amend.is_settled:
                raise
        self._close(doubt)

    async def _look(self, order: Order, amend: Amend) -> tuple[Applied | None, EmptySweep]:
        """Whether Kraken shows it. Of an order whose amends it does not list, the order itself is asked for."""
        began = self._clock.monotonic()
        by = began + LOOK_TIMEOUT_S
        try:
            look = await self._venue.amends.look(order.venue_order_id, by)
        except Declined:
            reports = await self._venue.query((order.venue_order_id,), by, resolving=True)
            if any(report.spec is None for report in reports):
                raise
            shows = any(report.spec is not None and amend.wish.stands_in(report.spec) for report in reports)
            return Applied() if shows else None, EmptySweep(began, self._clock.monotonic())
        others = await self._store.amends.of(order.key)
        return applied_in(look, amend, others), EmptySweep(look.began, look.ended)

    def _note(self, doubt: _Doubt, kind: StepKind, text: str) -> None:
        amend = doubt.amend
        step = Step(self._clock.wall_ns(), kind, text, attempt=amend.attempt, trace_id=amend.trace_id)
        self._chronicle.note(amend.key.order, step)

    def _close(self, doubt: _Doubt) -> None:
        self._doubts.pop(doubt.amend.key.order, None)
        if not self._doubts:
            self._none.set()


def applied_in(look: AmendLook, amend: Amend, others: Iterable[Amend] = ()) -> Applied | None:
    """What the order's list of amends says of this one; None: it does not show it.

    The last entry is how the order stands, so it is enough that it is as wished. An earlier one must also be of the time in
    which this amend can have got in. Entries of `others` of ours are theirs; where one is missing the list lags behind them.
    """
    theirs = {each.amend_id for each in others if each.amend_id and each.key != amend.key}
    if not look.shown or not theirs <= {each.amend_id for each in look.shown}:
        return None
    last = look.shown[-1]
    if last.fulfils(amend.wish):
        return Applied(last.amend_id if last.by_user and last.amend_id not in theirs else "")
    earlier = (each for each in look.shown[:-1] if each.amend_id not in theirs and _may_be(each, amend))
    found = next(earlier, None)
    return None if found is None else Applied(found.amend_id, superseded=True)


def _may_be(shown: ShownAmend, amend: Amend) -> bool:
    first_ns = amend.attempt_time_ns - WRITTEN_MARGIN_NS
    last_ns = amend.entry_deadline_ns + WRITTEN_MARGIN_NS
    return shown.by_user and first_ns <= shown.at_ns <= last_ns and shown.fulfils(amend.wish)


def _not_applied(amend: Amend) -> Fault:
    return Fault(
        Reason.NOT_PLACED,
        f"amend {amend.key.request_id!r} never reached Kraken's engine: proved; amend anew under a new request_id",
        {"id_used": "true"},
    )
