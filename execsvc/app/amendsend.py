"""From a checked amend to a recorded outcome: the intent durable, one send, what became of it durable.

The twin of sender.py, with the same promises: all of it runs in tasks that the server owns, and whatever cannot be recorded,
and whatever Kraken did not clearly answer, is handed to app/amenddoubts.py. What may be amended was decided in app/amends.py.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import assert_never

from execsvc.app import entitled
from execsvc.app.amenddoubts import AmendDoubts
from execsvc.app.chronicle import Chronicle
from execsvc.app.owner import Owner
from execsvc.app.sightings import Sightings
from execsvc.app.switch import Switch
from execsvc.app.timing import Timing, clock_moved, clock_untrusted
from execsvc.domain.amend import (
    Amend,
    AmendDoubted,
    AmendIntent,
    AmendKey,
    AmendNeverSent,
    AmendRefused,
    AmendStatus,
    Applied,
)
from execsvc.domain.amendwish import AmendWish
from execsvc.domain.caller import Caller
from execsvc.domain.errors import Broken, Busy, Declined, Fault, ProtocolBroken, Reason
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Amended, Order
from execsvc.domain.story import Step, StepKind
from execsvc.ports import (
    AmendDeclined,
    AmendOutcome,
    AmendTaken,
    AmendUnknown,
    AmendUnsent,
    Clock,
    FreshAmend,
    KnownAmend,
    PrivateVenue,
    Room,
    Store,
    Tasks,
)
from execsvc.telemetry import Spans, Telemetry, trace_id_of_current

STATUS_TIMEOUT_S = 5.0


class AmendSender:
    """Amends of one account under way."""

    def __init__(
        self,
        *,
        venue: PrivateVenue,
        store: Store,
        chronicle: Chronicle,
        sightings: Sightings,
        doubts: AmendDoubts,
        owner: Owner,
        switch: Switch,
        flying: set[AmendKey],
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
    ) -> None:
        self._venue = venue
        self._store = store
        self._chronicle = chronicle
        self._sightings = sightings
        self._doubts = doubts
        self._owner = owner
        self._switch = switch
        self._flying = flying
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry

    def __repr__(self) -> str:
        return f"<AmendSender {len(self._flying)} in flight>"

    @property
    def in_flight(self) -> int:
        """Sends not yet settled."""
        return len(self._flying)

    def begin(
        self,
        key: AmendKey,
        wish: AmendWish,
        timing: Timing,
        instrument: Instrument,
        room: Room,
        *,
        who: Caller,
        if_version: int | None,
    ) -> Awaitable[FreshAmend | KnownAmend]:
        """Makes the amend durable and sends it if it is new, whether or not the caller waits for that.

        `room`, set aside for it at the venue, is used by the send or given back. who: the caller that amends, which need
        not be the order's own.
        """
        entry_by = timing.arrived + timing.entry_delay_s
        now_ns, now = self._clock.wall_ns(), self._clock.monotonic()
        intent = AmendIntent(key, wish, now_ns + int((entry_by - now) * 1e9), trace_id_of_current(), if_version)
        return self._tasks.start(f"begin amend {key}", self._begin_and_send(intent, entry_by, instrument, room, who))

    async def replayed(self, known: KnownAmend) -> None:
        """The same request_id came in again. An amend that nobody is sending is looked for from now on."""
        amend = known.amend
        text = f"Amend {amend.key.request_id} came in again: it is answered from the journal, nothing is sent."
        self._note(amend, Step(self._clock.wall_ns(), StepKind.REPLAYED, text))
        if not amend.is_settled and amend.key not in self._flying:
            # Its commit was kept although we were told that it failed: it is durable, and never was handed to a send.
            await self._doubts.adopt(amend, "it is written down and nobody is sending it")

    async def doubted(self, amend: Amend) -> Amend:
        """What is told as in doubt is journaled as in doubt first, while the store allows it."""
        if amend.status is AmendStatus.IN_DOUBT:
            return amend
        try:
            return await self._doubts.record(amend.key, AmendDoubted("no answer came in the caller's time"))
        except Busy:
            return replace(amend, status=AmendStatus.IN_DOUBT)

    async def _begin_and_send(
        self, intent: AmendIntent, entry_by: float, instrument: Instrument, room: Room, who: Caller
    ) -> FreshAmend | KnownAmend:
        """Durable first; whoever's insert won sends, once."""
        sending = False
        written = self._clock.monotonic()
        try:
            with self._telemetry.span(Spans.JOURNAL):
                begun = await self._store.amends.begin(intent, self._clock.wall_ns())
            self._owner.confirmed(written)
            if isinstance(begun, FreshAmend):
                self._flying.add(begun.amend.key)
                forbidden = partial(self._forbidden, begun, written, who)
                self._tasks.start(f"amend {intent.key}", self._send(begun, instrument, entry_by, room, forbidden))
                sending = True
        finally:
            if not sending:
                room.release()
        return begun

    async def _send(
        self, begun: FreshAmend, instrument: Instrument, by: float, room: Room, forbidden: Callable[[], Fault | None]
    ) -> None:
        """Owned by the server: one POST, then the outcome is durable. Whatever cannot be recorded stays a doubt."""
        amend = begun.amend
        try:
            outcome = await self._venue.amends.send(
                amend,
                begun.order,
                instrument,
                by,
                room=room,
                forbidden=forbidden,
                note=lambda step: self._note(amend, step),
            )
            await self._record(amend, begun.order, outcome, by)
        except Busy as failure:
            await self._doubts.adopt(amend, f"the outcome could not be stored: {failure.fault.message}", entry_by=by)
        finally:
            self._flying.discard(amend.key)
            self._switch.wire.answered([amend.key])

    def _forbidden(self, begun: FreshAmend, written: float, who: Caller) -> Fault | None:
        """Why it may not leave any more, asked last of all: where it returns None, it leaves.

        A mode of whoever amends counts as one of the order's own caller does.
        """
        amend, order = begun.amend, begun.order
        steady_s = self._clock.monotonic() - written
        wall_s = (self._clock.wall_ns() - amend.attempt_time_ns) / 1e9
        fault = (
            self._owner.forbids()
            or clock_untrusted(self._venue.clock())
            or clock_moved(steady_s=steady_s, wall_s=wall_s)
            or self._switch.last_word(order.key.caller, order.spec)
            or self._switch.last_word(who.name, order.spec)
            or entitled.amend_refusal(who, order)
        )
        if fault is None:
            self._switch.wire.leaves(amend.key, order.key, order.spec.symbol, by=who.name)
        return fault

    async def _record(self, amend: Amend, order: Order, outcome: AmendOutcome, entry_by: float) -> None:
        match outcome:
            case AmendTaken(amend_id):
                await self._doubts.record(amend.key, Applied(amend_id))
            case AmendDeclined(fault):
                fault = await self._with_status(order, fault.with_metadata(id_used="true"))
                await self._doubts.record(amend.key, AmendRefused(fault))
            case AmendUnsent(fault):
                await self._doubts.record(amend.key, AmendNeverSent(fault.with_metadata(id_used="false")))
            case AmendUnknown(why, late):
                await self._doubts.adopt(amend, why, entry_by=entry_by)
                if late is not None:
                    self._tasks.start(f"late amend {amend.key}", self._record_late(amend, order, late, entry_by))
            case _:
                assert_never(outcome)

    async def _record_late(self, amend: Amend, order: Order, late: Awaitable[AmendOutcome], entry_by: float) -> None:
        """The answer came after all, the amend being looked for meanwhile: it settles what is not settled yet."""
        outcome = await late
        self._note(amend, Step(self._clock.wall_ns(), StepKind.ANSWERED, "A late answer to the amend came."))
        if isinstance(outcome, AmendUnknown):
            return
        try:
            known = await self._store.amends.get(amend.key)
            if known is None or known.amend.attempt != amend.attempt:
                return
            if not known.amend.is_settled:
                await self._record(amend, order, outcome, entry_by)
            elif isinstance(outcome, AmendTaken) and known.amend.status is AmendStatus.NOT_APPLIED:
                await self._contradicted(known, outcome.amend_id)
        except (Busy, Broken):
            self._doubts.hasten()  # not recorded, or settled by another road at this very moment

    async def _contradicted(self, known: KnownAmend, amend_id: str) -> None:
        """A verdict never changes. The order tells the truth all the same, and nothing new is sent until a person looked."""
        amend = known.amend
        what = f"amend {amend.key} was told as never applied, yet Kraken took it as {amend_id}"
        self._note(amend, Step(self._clock.wall_ns(), StepKind.CORRECTED, f"{what}: an alarm."))
        self._switch.halt(what)
        await self._chronicle.record(known.order.key, Amended(amend.wish.applied_to(known.order.spec)))

    async def _with_status(self, order: Order, fault: Fault) -> Fault:
        """Kraken says the order has ended: as what is asked for, told with the refusal, and known from then on."""
        if fault.reason is not Reason.ORDER_TERMINAL:
            return fault
        by = self._clock.monotonic() + STATUS_TIMEOUT_S
        try:
            for report in await self._venue.query((order.venue_order_id,), by, caller=order.key.caller):
                seen = await self._sightings.order(order.key, report)
                return fault.with_metadata(status=seen.status.name)
        except (Busy, Declined, ProtocolBroken) as failure:
            return fault.with_metadata(status="", status_unknown=failure.fault.message)
        return fault.with_metadata(status="")

    def _note(self, amend: Amend, step: Step) -> None:
        self._chronicle.note(amend.key.order, replace(step, attempt=amend.attempt, trace_id=amend.trace_id))
