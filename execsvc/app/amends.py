"""Amending: check, make durable, send once, record, answer; the order keeps its id, its fills and, where it may, its place.

A refusal before the amend is written down leaves no trace and the request_id free; after that it always settles. One amend of
an order is under way at a time. Sending is app/amendsend.py, looking for what became of one app/amenddoubts.py.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace

from execsvc.app import entitled
from execsvc.app.amenddoubts import AmendDoubts
from execsvc.app.amendsend import AmendSender
from execsvc.app.amendturns import AmendTurns, AmendWatch
from execsvc.app.catalog import Catalog
from execsvc.app.desk import Desk
from execsvc.app.riskhold import Hold
from execsvc.app.timing import ENTRY_DELAY_MAX_S, Timing
from execsvc.domain import amendrules
from execsvc.domain.amend import Amend, AmendIntent, AmendKey, AmendStatus
from execsvc.domain.amendwish import AmendWish
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import ExecsvcError, FieldViolation, Reason, error_of, invalid, refuse
from execsvc.domain.ids import OrderRef
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.risk import lacking
from execsvc.domain.spec import OrderSpec, TimeInForce
from execsvc.ports import Clock, FreshAmend, KnownAmend, PrivateVenue, Room, Store
from execsvc.telemetry import Spans, Telemetry

PRICES_MOST = 2  # of the pair, and of its quote in dollars
PAST_MAX = 5_000  # amends of late that a start looks at: more could not have been sent


@dataclass(frozen=True)
class Asked:
    """One amend as it is asked for. if_version: refused unless the order is at this version; None: whichever it is."""

    request_id: str
    wish: AmendWish
    if_version: int | None = None


@dataclass(frozen=True)
class AmendAnswer:
    """The order as it is now; applied: else the amend's fate is not known yet. replayed: the request_id was known before."""

    order: Order
    applied: bool
    replayed: bool


@dataclass(frozen=True)
class _Wanted:
    """One amend on its way to being durable; `held` gives its reservation back on every way out that amends nothing."""

    who: Caller
    instrument: Instrument
    asked: Asked
    timing: Timing
    held: ExitStack


class Amends:
    """Amends of one account. `doubts` and `turns` are shared with what settles them."""

    def __init__(
        self,
        *,
        desk: Desk,
        venue: PrivateVenue,
        store: Store,
        catalog: Catalog,
        sender: AmendSender,
        doubts: AmendDoubts,
        turns: AmendTurns,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._desk = desk
        self._venue = venue
        self._store = store
        self._catalog = catalog
        self._sender = sender
        self.doubts = doubts
        self._turns = turns
        self._risk = desk.risk
        self._clock = clock
        self._telemetry = telemetry

    def __repr__(self) -> str:
        return f"<Amends {self._sender!r} {self.doubts!r}>"

    @property
    def in_flight(self) -> int:
        """Sends not yet settled."""
        return self._sender.in_flight

    async def resume(self, since_ns: int) -> None:
        """At start, before the first call: Kraken's counters go on from amends that it may have counted since then."""
        begun_ns = since_ns - int(ENTRY_DELAY_MAX_S * 1e9)
        past = await self._store.amends.since(self._desk.account, begun_ns, PAST_MAX)
        known = [
            await self._store.amends.get(amend.key) for amend in past if amend.status is not AmendStatus.NEVER_SENT
        ]
        if known:
            self._venue.amends.resume([each for each in known if each is not None])

    async def adopt_all(self, barrier: float) -> int:
        """At start: what an earlier life may have sent is in doubt, and holds its order. Returns how many.

        The limits are told before of everything that they count.
        """
        await self._risk.restore()
        amends = await self.doubts.adopt_all(barrier)
        for amend in amends:
            self._turns.hold(amend.key)
        return len(amends)

    async def until_none(self, by: float) -> bool:
        """Whether nothing is in doubt by monotonic `by`."""
        return await self.doubts.until_none(by)

    # ---- amending -----------------------------------------------------------------------------------------------

    async def amend(self, who: Caller, ref: OrderRef, asked: Asked, timing: Timing) -> AmendAnswer:
        """Amends once per request_id. Raises before anything happened (`id_used=false`) or with the final refusal."""
        try:
            order = await self._mine(who, ref)
            key = AmendKey(order.key, asked.request_id)
        except ExecsvcError as refusal:
            raise _unused(refusal) from None
        with self._turns.watch(key) as watch:
            try:
                begun = await self._admit(who, order, asked, key, timing)
            except ExecsvcError as refusal:
                self._risk.refused(refusal.fault)
                raise _unused(refusal) from None
            if isinstance(begun, KnownAmend):
                await self._sender.replayed(begun)
            return await self._answer(watch, begun, timing)

    async def standing(self, who: Caller, ref: OrderRef, asked: Asked) -> AmendAnswer:
        """What is durable of an amend that broke on the way. Raises ORDER_NOT_FOUND when nothing of it is."""
        order = await self._desk.get(who, ref)
        known = await self._store.amends.get(AmendKey(order.key, asked.request_id))
        if known is None or known.amend.wish != asked.wish:
            raise refuse(Reason.ORDER_NOT_FOUND, "no such amend of the order is known")
        return _told(known.amend, known.order, replayed=False)

    async def _mine(self, who: Caller, ref: OrderRef) -> Order:
        """One's own, or with `kill` another's."""
        order = await self._desk.get(who, ref)
        if order.key.caller != who.name and not who.may(Permission.KILL, self._desk.account):
            raise error_of(entitled.kill_missing())
        return order

    async def _admit(
        self, who: Caller, order: Order, asked: Asked, key: AmendKey, timing: Timing
    ) -> FreshAmend | KnownAmend:
        """A known request_id is answered from the journal, whatever keeps a new one from being sent."""
        known = await self._known(asked, key)
        if known is not None:
            return known
        if not self._risk.ready:
            await self._risk.restore()
        with ExitStack() as held:
            wanted = _Wanted(who, self._catalog.instrument(order.spec.symbol), asked, timing, held)
            await self._reserved_once_priced(wanted, order)
            if not await self._turns.take(key, timing.arrived + timing.entry_delay_s - self._desk.least_timeout_s):
                raise amendrules.busy(self._turns.holder(order.key) or key)
            begun: FreshAmend | KnownAmend | None = None
            try:
                begun = await self._begin(wanted, order, key)
            finally:
                if not isinstance(begun, FreshAmend):
                    await self._give(key)
        return begun

    async def _begin(self, wanted: _Wanted, order: Order, key: AmendKey) -> FreshAmend | KnownAmend:
        """The order may have moved on while its turn or room was waited for: it is checked as it is now."""
        asked, timing = wanted.asked, wanted.timing
        known = await self._known(asked, key)
        if known is not None:
            return known
        order = await self._store.get(order.key) or order
        with self._telemetry.span(Spans.CHECKS, _facts(order, key)):
            self._reserve(wanted, order)
        room = await self._room(order, timing)
        try:
            hold = self._reserve(wanted, await self._store.get(order.key) or order)
        except BaseException:
            room.release()
            raise
        begun = self._sender.begin(
            key, asked.wish, timing, wanted.instrument, room, who=wanted.who, if_version=asked.if_version
        )
        wanted.held.pop_all()  # from here on the reservation ends as the intent does
        return await self._risk.carried(begun, (hold,), lambda result: (isinstance(result, FreshAmend),))

    async def _reserved_once_priced(self, wanted: _Wanted, order: Order) -> None:
        """As for placing: a pair that nobody followed has its first price in a moment."""
        by = wanted.timing.arrived + wanted.timing.entry_delay_s - self._desk.least_timeout_s
        for _ in range(PRICES_MOST):
            try:
                self._reserve(wanted, order)
            except ExecsvcError as refusal:
                if not await self._risk.arrive(lacking(refusal.fault), by):
                    raise
            else:
                return
        self._reserve(wanted, order)

    async def _room(self, order: Order, timing: Timing) -> Room:
        """Points of Kraken's counter, set aside before the amend is written down; waited for as long as the caller allows."""
        by = max(self._clock.monotonic(), timing.queue_by(self._desk.least_timeout_s))
        return await self._venue.amends.room(order.spec.symbol, order.venue_order_id, order.key.caller, by)

    async def _give(self, key: AmendKey) -> None:
        """The order is free for the next one, unless something of this amend is durable and open after all."""
        known = None
        try:
            known = await self._store.amends.get(key)
        finally:
            if known is None or known.amend.is_settled:
                self._turns.give(key)

    async def _known(self, asked: Asked, key: AmendKey) -> KnownAmend | None:
        """The amend this request_id stands for, unless it was never sent (then the id is free for this content)."""
        known = await self._store.amends.get(key)
        if known is None:
            return None
        intent = AmendIntent(key, asked.wish, 0, "")
        if known.amend.content_hash != intent.content_hash:
            raise amendrules.reused(known.amend, intent)
        return None if known.amend.status is AmendStatus.NEVER_SENT else known

    def _reserve(self, wanted: _Wanted, order: Order) -> Hold:
        """The order's state, what it has to change, then as for placing what would be wanted then, in one go.

        What the amend adds is taken of the limits, in place of what it would have added before.
        """
        asked, held = wanted.asked, wanted.held
        held.close()
        fault = amendrules.refusal(order, if_version=asked.if_version)
        if fault is not None:
            raise fault
        faults = asked.wish.faults(order.spec)
        if faults:
            raise invalid(faults)
        wished = asked.wish.applied_to(order.spec)
        guarded = replace(wished, post_only=asked.wish.guards_post_only(order.spec))
        try:
            self._desk.check(wanted.who, wanted.instrument, timeless(guarded), wanted.timing)
        except ExecsvcError as refusal:
            fields = tuple(FieldViolation(bad.path.rpartition(".")[2], bad.description) for bad in refusal.fault.fields)
            raise error_of(replace(refusal.fault, fields=fields)) from None
        hold = self._risk.reserve_amend(wanted.who, order, wanted.instrument, guarded)
        held.callback(hold.release)
        return hold

    async def _answer(self, watch: AmendWatch, begun: FreshAmend | KnownAmend, timing: Timing) -> AmendAnswer:
        amend = await watch.until_settled(begun.amend, timing.answer_by)
        if not amend.is_settled:
            amend = await self._sender.doubted(amend)
        order = await self._store.get(begun.order.key) or begun.order
        return _told(amend, order, replayed=isinstance(begun, KnownAmend))


def timeless(spec: OrderSpec) -> OrderSpec:
    """The wish without its times: they were right when the order was placed, and an amend does not touch them."""
    in_force = TimeInForce.GTC if spec.time_in_force is TimeInForce.GTD else spec.time_in_force
    return replace(spec, start_time_ns=None, expire_time_ns=None, time_in_force=in_force)


def _told(amend: Amend, order: Order, *, replayed: bool) -> AmendAnswer:
    if amend.end_fault is not None:
        raise error_of(amend.end_fault.with_metadata(replayed="true") if replayed else amend.end_fault)
    return AmendAnswer(order, amend.status is AmendStatus.APPLIED, replayed)


def _unused(refusal: ExecsvcError) -> ExecsvcError:
    """Refused before anything was written down."""
    known = "id_used" in refusal.fault.metadata
    return refusal if known else error_of(refusal.fault.with_metadata(id_used="false"))


def _facts(order: Order, key: AmendKey) -> dict[str, str | int | float | bool]:
    return {"execsvc.client_order_id": key.order.client_order_id, "execsvc.symbol": order.spec.symbol}
