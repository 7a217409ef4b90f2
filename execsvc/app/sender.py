"""From a checked wish to a recorded outcome: the intent durable, one send, what became of it durable.

All of it runs in tasks that the server owns, so whoever hangs up changes nothing. Whatever cannot be recorded, and whatever
Kraken did not clearly answer, is handed to the resolver. What may be placed was decided before (app/desk.py).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import assert_never

from execsvc.app import entitled
from execsvc.app.chronicle import Chronicle
from execsvc.app.owner import Owner
from execsvc.app.resolver import Resolver
from execsvc.app.sightings import Sightings
from execsvc.app.switch import Switch
from execsvc.app.timing import Timing, clock_moved, clock_untrusted
from execsvc.domain.caller import Caller
from execsvc.domain.errors import Busy, Fault
from execsvc.domain.ids import OrderKey, wire_id
from execsvc.domain.instrument import Instrument
from execsvc.domain.intent import Intent
from execsvc.domain.order import (
    UNRESOLVED,
    Acknowledged,
    Doubted,
    NeverSent,
    Order,
    Refused,
    Status,
    VenueOrder,
)
from execsvc.domain.spec import OrderSpec
from execsvc.domain.story import Step, StepKind
from execsvc.ports import (
    Accepted,
    Clock,
    Fresh,
    Known,
    Placement,
    PrivateVenue,
    RefusedByVenue,
    Room,
    Store,
    Tasks,
    Unknown,
    Unsent,
)
from execsvc.telemetry import Spans, Telemetry, trace_id_of_current

Forbidden = Callable[[], Fault | None]
OUTCOMES = {Accepted: "accepted", RefusedByVenue: "refused", Unknown: "unknown", Unsent: "unsent"}


class Sender:
    """Sends of one account. `flying` holds the keys under way; `accepted` hears of each order that Kraken took."""

    def __init__(
        self,
        *,
        venue: PrivateVenue,
        store: Store,
        chronicle: Chronicle,
        sightings: Sightings,
        resolver: Resolver,
        owner: Owner,
        switch: Switch,
        flying: set[OrderKey],
        accepted: Callable[[Order], None],
        clock: Clock,
        tasks: Tasks,
        telemetry: Telemetry,
    ) -> None:
        self._venue = venue
        self._store = store
        self._chronicle = chronicle
        self._sightings = sightings
        self._resolver = resolver
        self._owner = owner
        self._switch = switch
        self._flying = flying
        self._accepted = accepted
        self._clock = clock
        self._tasks = tasks
        self._telemetry = telemetry

    def __repr__(self) -> str:
        return f"<Sender {len(self._flying)} in flight>"

    @property
    def in_flight(self) -> int:
        """Sends not yet settled."""
        return len(self._flying)

    def forbids(self) -> Fault | None:
        """Why this process may send nothing now."""
        return self._owner.forbids()

    def begin(
        self, key: OrderKey, spec: OrderSpec, timing: Timing, instrument: Instrument, room: Room, *, who: Caller
    ) -> Awaitable[Fresh | Known]:
        """Makes the intent durable and sends it if it is new, whether or not the caller waits for that.

        `room`, set aside for it at the venue, is used by the send or given back. who: asked about once more before it leaves.
        """
        beginning = self._begin_and_send(key, spec, timing, instrument, room, who=who)
        return self._tasks.start(f"begin {key}", beginning)

    async def replayed(self, order: Order) -> None:
        """The same id came in again: told in the order's story. One that nobody is sending is looked for from now on."""
        text = "The same id came in again: it is answered from the journal, nothing is sent."
        self._note(order, Step(self._clock.wall_ns(), StepKind.REPLAYED, text))
        if order.status in UNRESOLVED and order.key not in self._flying:
            # Its commit was kept although we were told that it failed: it is durable, and never was handed to a send.
            await self._resolver.adopt(order, "it is written down and nobody is sending it")

    async def doubted(self, order: Order) -> Order:
        """What is told as in doubt is journaled as in doubt first, while the store allows it."""
        if order.status is Status.IN_DOUBT:
            return order
        try:
            return await self._chronicle.record(order.key, Doubted("no answer came in the caller's time"))
        except Busy:
            return replace(order, status=Status.IN_DOUBT)

    async def _begin_and_send(
        self, key: OrderKey, spec: OrderSpec, timing: Timing, instrument: Instrument, room: Room, *, who: Caller
    ) -> Fresh | Known:
        """Durable first; whoever's insert won sends, once."""
        entry_by = timing.arrived + timing.entry_delay_s
        sending = False
        written = self._clock.monotonic()
        try:
            begun = await self._begin(key, spec, timing, entry_by)
            if isinstance(begun, Fresh):
                self._flying.add(key)
                forbidden = partial(self._forbidden, [begun.order], written, who)
                self._tasks.start(f"send {key}", self._send(begun.order, instrument, entry_by, room, forbidden))
                sending = True
        finally:
            if not sending:
                room.release()
        return begun

    async def _begin(self, key: OrderKey, spec: OrderSpec, timing: Timing, entry_by: float) -> Fresh | Known:
        now_ns = self._clock.wall_ns()
        began = self._clock.monotonic()
        secret = self._store.installation_secret
        intent = Intent(
            key=key,
            spec=spec,
            entry_deadline_ns=now_ns + int((entry_by - began) * 1e9),
            key_label=self._venue.key_label,
            trace_id=trace_id_of_current(),
            wire_id_of=lambda attempt: wire_id(secret, key, attempt),
        )
        received = Step(
            now_ns - int((began - timing.arrived) * 1e9),
            StepKind.RECEIVED,
            "The request came in.",
            trace_id=intent.trace_id,
        )
        checked = Step(
            now_ns, StepKind.CHECKED, "Rules of the pair and limits of the house were passed.", trace_id=intent.trace_id
        )
        with self._telemetry.span(Spans.JOURNAL):
            begun = await self._store.begin(intent, now_ns, (received, checked))
        self._owner.confirmed(began)
        self._telemetry.order_seconds.record(self._clock.monotonic() - began, {"stage": "journal"})
        return begun

    async def _send(self, order: Order, instrument: Instrument, by: float, room: Room, forbidden: Forbidden) -> None:
        """Owned by the server: one POST, then the outcome is durable. Whatever cannot be recorded stays a doubt."""
        began = self._clock.monotonic()
        try:
            placement = await self._venue.place(
                order,
                instrument,
                by,
                room=room,
                forbidden=forbidden,
                note=lambda step: self._note(order, step),
            )
            await self._record(order, placement, by)
        except Busy as failure:
            await self._resolver.adopt(order, f"the outcome could not be stored: {failure.fault.message}", entry_by=by)
        finally:
            self._flying.discard(order.key)
            self._switch.wire.answered([order.key])
            self._telemetry.order_seconds.record(self._clock.monotonic() - began, {"stage": "ack"})

    def _forbidden(self, orders: Sequence[Order], written: float, who: Caller) -> Fault | None:
        """Why they may not leave any more, asked last of all: where it returns None, they leave."""
        steady_s = self._clock.monotonic() - written
        wall_s = (self._clock.wall_ns() - orders[0].attempt_time_ns) / 1e9
        fault = (
            self._owner.forbids()
            or clock_untrusted(self._venue.clock())
            or clock_moved(steady_s=steady_s, wall_s=wall_s)
            or next(filter(None, (self._switch.last_word(order.key.caller, order.spec) for order in orders)), None)
            or next(filter(None, (entitled.refusal(who, order.key.account, order.spec) for order in orders)), None)
        )
        if fault is None:
            for order in orders:
                self._switch.wire.leaves(order.key, order.key, order.spec.symbol)
        return fault

    async def _record(self, order: Order, placement: Placement, entry_by: float) -> None:
        reason = ""
        match placement:
            case Accepted(venue_order_id):
                self._accepted(await self._chronicle.record(order.key, Acknowledged(venue_order_id)))
            case RefusedByVenue(fault):
                reason = fault.reason.name
                await self._refused(order, Refused(fault.with_metadata(id_used="true")))
            case Unsent(fault):
                reason = fault.reason.name
                await self._chronicle.record(order.key, NeverSent(fault.with_metadata(id_used="false")))
            case Unknown(why, late):
                await self._resolver.adopt(order, why, entry_by=entry_by)
                if late is not None:
                    self._tasks.start(f"late {order.key}", self._record_late(order, late, entry_by))
            case _:
                assert_never(placement)
        self._telemetry.orders.add(1, {"outcome": OUTCOMES[type(placement)], "reason": reason})

    async def _refused(self, order: Order, event: Refused) -> None:
        """Final, unless the order was seen at Kraken meanwhile: then this answers a copy of it, and the sight stands."""
        known = await self._store.get(order.key)
        if known is None or known.status in UNRESOLVED | {Status.PENDING}:
            await self._chronicle.record(order.key, event)
            return
        text = f"Kraken refused, although the order is {known.status.name}: the answer to a copy of it."
        self._note(order, Step(self._clock.wall_ns(), StepKind.ANSWERED, text, fault=event.fault))

    async def _record_late(self, order: Order, late: Awaitable[Placement], entry_by: float) -> None:
        """The answer came after all, the order being looked for meanwhile: it settles what is not settled yet."""
        placement = await late
        self._note(
            order, Step(self._clock.wall_ns(), StepKind.ANSWERED, f"A late answer came: {OUTCOMES[type(placement)]}.")
        )
        try:
            if isinstance(placement, Accepted):
                # Should the order have been told as not placed, this is the proof that it was: as any sighting.
                shown = VenueOrder(placement.venue_order_id, order.venue_client_id, Status.OPEN)
                self._accepted(await self._sightings.order(order.key, shown))
            elif not isinstance(placement, Unknown):
                known = await self._store.get(order.key)
                if known is not None and known.attempt == order.attempt and known.status in UNRESOLVED:
                    await self._record(order, placement, entry_by)
        except Busy:
            self._resolver.hasten()

    def _note(self, order: Order, step: Step) -> None:
        self._chronicle.note(order.key, replace(step, attempt=order.attempt, trace_id=order.trace_id))
