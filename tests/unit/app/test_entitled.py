"""A caller whose token goes, ends or is narrowed while its order waits: nothing of it leaves, and the id stays free."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from types import MappingProxyType

import pytest
from desk_parts import in_world, released

from execsvc.app import entitled
from execsvc.app.timing import Timing
from execsvc.domain.caller import Grant, Permission, alike
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.market import Side
from execsvc.domain.order import Status
from execsvc.domain.spec import OrderType
from tests.support.amends import amending
from tests.support.venue import Fate
from tests.support.world import limit

KEY = OrderKey("main", "ann", "c-1")
RIGHTS = frozenset(Permission) - {Permission.ADMIN}
PLACED = OrderRef(client_order_id="c-1", caller="local")


class Register:
    """Whoever recognised ann: a test changes what it says of her since."""

    def __init__(self):
        self.ann = replace(alike("ann", RIGHTS, ("main",)), credential="token a1", recogniser=self)
        self._by_now = self.ann
        self.asked = 0

    def still(self, who):
        self.asked += 1
        if self._by_now is None:
            raise refuse(Reason.TOKEN_INVALID, "token a1 was revoked")
        return self._by_now

    def revoke(self):
        self._by_now = None

    def grant(self, **parts):
        """From now on she has this on the account, and no more."""
        grant = Grant(parts.pop("permissions", RIGHTS), **parts)
        self._by_now = replace(self.ann, grants=MappingProxyType({"main": grant}))

    def leave(self):
        """The account was taken from her."""
        self._by_now = replace(self.ann, grants=MappingProxyType({}))


CHANGES = {
    "revoked": (Register.revoke, Reason.TOKEN_INVALID),
    "no trade": (lambda it: it.grant(permissions=frozenset({Permission.CANCEL})), Reason.PERMISSION_MISSING),
    "no account": (Register.leave, Reason.PERMISSION_MISSING),
    "other pairs": (lambda it: it.grant(symbols=frozenset({"ETH/USD"})), Reason.SYMBOL_NOT_GRANTED),
    "other side": (lambda it: it.grant(sides=frozenset({Side.SELL})), Reason.PERMISSION_MISSING),
    "other types": (lambda it: it.grant(order_types=frozenset({OrderType.MARKET})), Reason.PERMISSION_MISSING),
    "smaller ones": (lambda it: it.grant(max_order_notional=Decimal(10)), Reason.PERMISSION_MISSING),
}
each_change = pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES)


def while_room_is_waited_for(here, act):
    """The counter is full for a second, in which `act()` happens."""
    room, rooms = here.venue.rates.room, here.venue.rates.rooms

    async def held(symbol, caller, by):
        if by > here.clock.monotonic():
            await here.clock.sleep(1.0)
            act()
        return await room(symbol, caller, by)

    async def held_together(symbol, caller, by, count):
        await here.clock.sleep(1.0)
        act()
        here.venue.rates.room = room
        here.venue.rates.refusals.clear()
        return await rooms(symbol, caller, by, count)

    here.venue.rates.refusals.append(refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=1.0))
    here.venue.rates.room, here.venue.rates.rooms = held, held_together


def while_written(here, act):
    """`act()` happens right after the intent became durable."""
    begin = here.store.begin

    async def spying(intent, now_ns, steps=()):
        begun = await begin(intent, now_ns, steps)
        act()
        return begun

    here.store.begin = spying


def placing(here, who, *, queue_s=0.0):
    now = here.clock.monotonic()
    return here.desk.place(who, "c-1", limit(), Timing(now, now + 10.0, 5.0, queue_s))


def placing_many(here, who, *, queue_s=0.0):
    now = here.clock.monotonic()
    rows = [(name, limit()) for name in ("c-1", "c-2")]
    return here.desk.place_many(who, rows, Timing(now, now + 10.0, 5.0, queue_s))


async def refused(call):
    with pytest.raises(ExecsvcError) as caught:
        await call
    return caught.value.fault


async def outcomes(call):
    """The faults of a batch's rows, however the call ends."""
    try:
        return list(await call)
    except ExecsvcError as refusal:
        return [refusal.fault] * 2


# ---- orders ----------------------------------------------------------------------------------------------------------


@each_change
def test_what_came_while_room_was_waited_for_keeps_the_order_back(change, reason):
    """Nothing is written down or sent, the room is given back, the id is free."""

    async def scenario(here):
        register = Register()
        while_room_is_waited_for(here, lambda: change(register))
        fault = await refused(placing(here, register.ann, queue_s=3.0))
        assert (reason, "false") == (fault.reason, fault.metadata["id_used"])
        assert (None, [], [1]) == (await here.store.get(KEY), here.venue.sends, released(here))

    in_world(scenario)


@each_change
def test_what_came_after_the_intent_was_durable_keeps_the_order_from_leaving(change, reason):
    """The last look before signing: NEVER_SENT, with the words, and the room is given back."""

    async def scenario(here):
        register = Register()
        while_written(here, lambda: change(register))
        fault = await refused(placing(here, register.ann))
        assert (reason, "false", True) == (fault.reason, fault.metadata["id_used"], "nothing was sent" in fault.message)
        assert (Status.NEVER_SENT, [], [1]) == ((await here.store.get(KEY)).status, here.venue.sends, released(here))

    in_world(scenario)


def test_the_id_of_an_order_that_was_kept_back_may_be_sent_again():
    """By a new token of the same caller, as the next attempt."""

    async def scenario(here):
        first, second = Register(), Register()
        while_written(here, first.revoke)
        await refused(placing(here, first.ann))
        placed = await placing(here, second.ann)
        assert (Status.OPEN, False, 1) == (placed.order.status, placed.replayed, placed.order.attempt)

    in_world(scenario)


def test_rights_that_an_order_does_not_need_may_go():
    """A caller that may trade and do nothing else any more still has its order."""

    async def scenario(here):
        register = Register()
        while_written(here, lambda: register.grant(permissions=frozenset({Permission.TRADE})))
        assert Status.OPEN is (await placing(here, register.ann)).order.status

    in_world(scenario)


@pytest.mark.parametrize(("came_with", "by_now"), [(None, None), ("50", "50"), ("50", "60"), ("50", None)])
def test_a_bound_that_is_no_narrower_keeps_nothing_back(came_with, by_now):
    """What the order was judged by still holds for it."""

    async def scenario(here):
        register = Register()
        register.grant(max_order_notional=came_with and Decimal(came_with))
        ann = register.still(None)
        register.grant(max_order_notional=by_now and Decimal(by_now))
        assert None is entitled.refusal(ann, "main", limit())

    in_world(scenario)


def test_an_order_on_its_way_is_not_touched():
    """It left with the rights of that moment: it is answered and stands."""

    async def scenario(here):
        register = Register()
        here.venue.plan.append(Fate(arrives_s=0.5, answers_s=1.0))
        order = asyncio.ensure_future(placing(here, register.ann))
        await here.clock.sleep(0.2)
        register.revoke()
        assert Status.OPEN is (await order).order.status

    in_world(scenario)


def test_a_cancel_asks_nobody():
    """Rights that went between the request and the call to Kraken stop no cancel."""

    async def scenario(here):
        register = Register()
        await placing(here, register.ann)
        register.revoke()
        ref = OrderRef(client_order_id="c-1")
        assert Status.CANCELLED is (await here.desk.cancel(register.ann, ref, here.clock.monotonic() + 5.0)).status

    in_world(scenario)


# ---- batches ---------------------------------------------------------------------------------------------------------


@each_change
@pytest.mark.parametrize("when", [while_room_is_waited_for, while_written])
def test_a_batch_is_kept_back_whole(when, change, reason):
    """Every row says why, and leaves its id free; no room stays taken."""

    async def scenario(here):
        register = Register()
        when(here, lambda: change(register))
        faults = await outcomes(placing_many(here, register.ann, queue_s=3.0))
        assert [(reason, "false")] * 2 == [(each.reason, each.metadata["id_used"]) for each in faults]
        assert ([], [1, 1]) == (here.venue.sends, released(here))

    in_world(scenario)


# ---- amends ----------------------------------------------------------------------------------------------------------


def while_amend_is_written(here, act):
    begin = here.store.amends.begin

    async def spying(intent, now_ns):
        begun = await begin(intent, now_ns)
        act()
        return begun

    here.store.amends.begin = spying


def while_amend_waits_for_room(here, act):
    room = here.exchange.room

    async def held(symbol, order_id, caller, by):
        await here.clock.sleep(1.0)
        act()
        return await room(symbol, order_id, caller, by)

    here.exchange.room = held


@each_change
@pytest.mark.parametrize("when", [while_amend_waits_for_room, while_amend_is_written])
def test_an_amend_is_kept_back_as_an_order_is(when, change, reason):
    """The request id is free, the order stands as it was, the room is given back."""

    async def scenario(here, order):
        register = Register()
        when(here, lambda: change(register))
        fault = await refused(here.amend("r-1", order=PLACED, who=register.ann, queue_s=3.0, limit_price="59000"))
        assert (reason, "false") == (fault.reason, fault.metadata["id_used"])
        assert ([], [1]) == (here.exchange.sends, [room.released for room in here.exchange.rooms])

    amending(scenario)


def test_anothers_order_is_not_amended_by_one_who_lost_kill():
    """Trading alone is no right to others' orders."""

    async def scenario(here, order):
        register = Register()
        while_amend_is_written(here, lambda: register.grant(permissions=frozenset({Permission.TRADE})))
        fault = await refused(here.amend("r-1", order=PLACED, who=register.ann, limit_price="59000"))
        assert (Reason.PERMISSION_MISSING, "kill") == (fault.reason, fault.metadata["permission"])
        assert [] == here.exchange.sends

    amending(scenario)
