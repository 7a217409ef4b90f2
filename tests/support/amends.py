"""Amends at the scripted exchange: the double of ports.AmendVenue, and the rig that the amend tests share.

`plan` holds what becomes of the next amends, in order; when it is empty everything goes well. `applied` is the truth: what
took effect, in order. Looks see an amend only `lag_s` after it took effect.
"""

from collections import deque
from dataclasses import dataclass, replace
from decimal import Decimal

from execsvc.app.amends import Asked
from execsvc.app.timing import Timing
from execsvc.domain.amendwish import AmendWish, ShownAmend
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import Seen, VenueOrder
from execsvc.domain.story import Step, StepKind
from execsvc.ports import AmendDeclined, AmendLook, AmendTaken, AmendUnknown, AmendUnsent
from tests.support.simloop import run_sim
from tests.support.venue import FreeRoom
from tests.support.world import ME, World, new_disk


@dataclass(frozen=True)
class AmendFate:
    """What becomes of one amend, as Fate of a placement; `refusal` and `unsent` are faults."""

    arrives_s: float | None = 0.01
    answers_s: float | None = 0.02
    refusal: object = None
    unsent: object = None


class ScriptedAmends:
    """Amends of one scripted account; `sends` counts what left, by request_id."""

    def __init__(self, venue, clock, tasks, *, lag_s=0.0):
        self._venue = venue
        self._clock = clock
        self._tasks = tasks
        self.lag_s = lag_s
        self.plan = deque()
        self.sends = []
        self.applied = []
        self.specs = {}
        self.shown = {}
        self.rooms = []
        self.asked_rooms = []
        self.room_refusals = deque()
        self.looks = []
        self.look_refusals = deque()
        self.resumed = []
        self.taken = {}

    def resume(self, past):
        self.resumed.append(past)

    async def room(self, symbol, order_id, caller, by):
        self.asked_rooms.append((symbol, order_id, caller, by))
        if self.room_refusals:
            raise self.room_refusals.popleft()
        self.rooms.append(FreeRoom())
        return self.rooms[-1]

    async def send(self, amend, order, instrument, by, *, room, forbidden, note):
        fate = self.plan.popleft() if self.plan else AmendFate()
        fault = forbidden()
        if fault is not None:
            room.release()
            return AmendUnsent(fault)
        if fate.unsent is not None:
            await self._clock.sleep(fate.answers_s)
            room.release()
            return AmendUnsent(fate.unsent)
        self.sends.append(amend.key.request_id)
        note(Step(self._clock.wall_ns(), StepKind.SENT, "AmendOrder left."))
        if fate.arrives_s is not None and fate.refusal is None:
            self._tasks.start("amend arrives", self._arrive(amend, order, fate.arrives_s, by))
        patience_s, late_s = self._venue.patience_s, self._venue.late_s
        if fate.answers_s is None or fate.answers_s > patience_s:
            await self._clock.sleep(patience_s)
            if fate.answers_s is None or fate.answers_s > late_s:
                return AmendUnknown("no answer within the patience")
            late = self._late(amend, fate, fate.answers_s - patience_s)
            return AmendUnknown("no answer within the patience", self._tasks.start("late answer", late))
        await self._clock.sleep(fate.answers_s)
        return self._answer(amend, fate)

    async def _late(self, amend, fate, after_s):
        await self._clock.sleep(after_s)
        return self._answer(amend, fate)

    def _answer(self, amend, fate):
        if fate.refusal is not None:
            return AmendDeclined(fate.refusal)
        amend_id = self.taken.get(amend.key)
        return AmendUnknown("it came too late") if amend_id is None else AmendTaken(amend_id)

    async def _arrive(self, amend, order, after_s, by):
        await self._clock.sleep(after_s)
        if self._clock.monotonic() <= by:  # Kraken's deadline: the engine does not take it any more
            self.taken[amend.key] = self.change(order, amend.wish)
            self.applied.append(amend.key.request_id)

    def change(self, order, wish):
        """The order stands so from now on; the id of the change."""
        spec = wish.applied_to(self.specs.get(order.venue_order_id, order.spec))
        self.specs[order.venue_order_id] = spec
        states = self.shown.setdefault(order.venue_order_id, [(self._clock.monotonic(), state_of(order.spec, "T0", 0))])
        amend_id = f"T{sum(map(len, self.shown.values())):04d}"
        state = replace(state_of(spec, amend_id, self._clock.wall_ns()), by_user=True)
        states.append((self._clock.monotonic(), state))
        return amend_id

    async def look(self, venue_order_id, by):
        began = self._clock.monotonic()
        self.looks.append(began)
        await self._clock.sleep(0.02)
        if self.look_refusals:
            raise self.look_refusals.popleft()
        if not self._venue.reachable:
            raise refuse(Reason.VENUE_UNREACHABLE, "the exchange does not answer")
        told = self.shown.get(venue_order_id, [])
        visible = tuple(state for since, state in told if since + self.lag_s <= began)
        return AmendLook(began, self._clock.monotonic(), visible)


def state_of(spec, amend_id, at_ns):
    """A state of an order of which nothing is filled."""
    figures = (spec.limit_price, spec.trigger_price, spec.display_quantity)
    return ShownAmend(amend_id, False, at_ns, spec.base_quantity, spec.base_quantity, *figures)


class AmendWorld(World):
    """A World whose exchange amends; the exchange and the disk may be handed to the next life."""

    def __init__(self, disk, **parts):
        lag_s = parts.pop("lag_s", 0.0)
        super().__init__(disk, **parts)
        if not hasattr(self.venue, "amends"):
            self.venue.amends = ScriptedAmends(self.venue, self.clock, self.venue._tasks, lag_s=lag_s)
        self.amends, self.exchange = self.house.amends, self.venue.amends

    async def start(self):
        await super().start()
        await self.amends.adopt_all(self.clock.monotonic())
        self.tasks.start("amend doubts", self.amends.doubts.run())
        return self

    async def amend(self, request_id, *, order="c-1", who=ME, timeout_s=10.0, entry_s=5.0, queue_s=0.0, **asked):
        """An amend of that order; figures as text."""
        now = self.clock.monotonic()
        if_version = asked.pop("if_version", None)
        ref = order if isinstance(order, OrderRef) else OrderRef(client_order_id=order)
        timing = Timing(now, now + timeout_s, entry_s, queue_s)
        return await self.amends.amend(who, ref, Asked(request_id, wish_of(**asked), if_version), timing)

    async def stream_tells(self, order):
        """The private stream shows the order as it stands at the exchange."""
        spec = self.exchange.specs.get(order.venue_order_id, order.spec)
        report = VenueOrder(order.venue_order_id, order.venue_client_id, order.status, spec=spec)
        return await self.store.record(order.key, Seen(report), self.clock.wall_ns())


def wish_of(**figures):
    """A wish; amounts as text."""
    return AmendWish(**{name: Decimal(value) if isinstance(value, str) else value for name, value in figures.items()})


def amending(scenario, **parts):
    """Runs `scenario(world, order)` in virtual time, `order` being c-1, open at 60000.0 for 0.001."""

    async def main():
        here = await AmendWorld(parts.pop("disk", None) or new_disk(), **parts).start()
        try:
            result = await scenario(here, (await here.place("c-1")).order)
        finally:
            await here.kill()
        assert here.tasks.failures == []
        return result

    return run_sim(main())
