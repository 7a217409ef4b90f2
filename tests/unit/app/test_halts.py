"""A trading mode on the order path: what must not leave, what is cancelled, what the store's failing and a restart change."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.modes import TradingModes
from execsvc.app.timing import Timing
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.modes import ModeEntry, Scope, TradingMode
from execsvc.domain.order import Status
from tests.support.amends import amending
from tests.support.simloop import run_sim
from tests.support.venue import BTC_USD, Fate
from tests.support.world import ME, OTHER, World, limit, new_disk, world

ALL = Scope(everything=True)
MINE = Scope(caller="local")
KEY = OrderKey("main", "local", "c-1")
NORMAL, REDUCE_ONLY, CANCEL_ONLY, HALTED = TradingMode
REDUCING = replace(limit(), leverage=2, reduce_only=True)
MARGIN = replace(BTC_USD, leverage_buy=(2,), leverage_sell=(2,))


def in_world(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            return await scenario(here)

    return run_sim(main())


async def known(caller, accounts):
    return True


async def put(here, mode, scope=ALL, *, who=ME, in_s=5.0):
    modes = TradingModes({"main": here.house.modes}, str, known, here.clock)
    return await modes.set(who, scope, mode, "news", here.clock.monotonic() + in_s)


async def refused(call, error=Declined):
    with pytest.raises(error) as caught:
        await call
    return caught.value.fault


def while_written(here, act):
    """`act()` happens when the intent has become durable, before the order's turn comes."""
    begin = here.store.begin

    async def spying(intent, now_ns, steps=()):
        begun = await begin(intent, now_ns, steps)
        await act()
        return begun

    here.store.begin = spying


async def status(here, key=KEY):
    return (await here.store.get(key)).status


# ---- what must not leave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [REDUCE_ONLY, CANCEL_ONLY, HALTED])
def test_an_order_in_scope_is_refused_and_leaves_its_id_free(mode):
    """Nothing is written down, nothing sent; the answer says what is in force, for what, and why."""

    async def scenario(here):
        await put(here, mode, MINE)
        fault = await refused(here.place("c-1"))
        told = (fault.reason, fault.metadata["mode"], fault.metadata["scope"], fault.metadata["comment"])
        assert (Reason.TRADING_HALTED, mode.name, "account main, caller local", "news") == told
        assert ("false", None, []) == (fault.metadata["id_used"], await here.store.get(KEY), here.venue.sends)

    in_world(scenario)


def test_an_order_out_of_scope_goes():
    """Another caller's, another pair's."""

    async def scenario(here):
        await put(here, HALTED, Scope(caller="other"))
        await put(here, HALTED, Scope(symbol="ETH/USD"))
        assert Status.OPEN is (await here.place("c-1")).order.status
        assert Reason.TRADING_HALTED is (await refused(here.place("c-2", who=OTHER))).reason

    in_world(scenario)


@pytest.mark.parametrize("mode", [REDUCE_ONLY, CANCEL_ONLY, HALTED])
def test_an_order_that_was_checked_before_the_mode_came_does_not_leave(mode):
    """The last look before signing asks again: NEVER_SENT, TRADING_HALTED, and the same id may be sent once it is lifted."""

    async def scenario(here):
        async def once():
            if not here.house.modes.entries:
                await put(here, mode)

        while_written(here, once)
        fault = await refused(here.place("c-1"))
        assert (Reason.TRADING_HALTED, "false") == (fault.reason, fault.metadata["id_used"])
        assert (Status.NEVER_SENT, []) == (await status(here), here.venue.sends)
        here.store.begin = type(here.store).begin.__get__(here.store)
        await put(here, NORMAL)
        assert Status.OPEN is (await here.place("c-1")).order.status

    in_world(scenario)


def test_a_halt_by_contradiction_keeps_what_was_checked_from_leaving_too():
    """The account's own halt counts in the last look as a mode does."""

    async def scenario(here):
        async def halt():
            here.house.switch.halt("two where one should be")

        while_written(here, halt)
        fault = await refused(here.place("c-1"))
        assert (Reason.TRADING_HALTED, "false", []) == (fault.reason, fault.metadata["id_used"], here.venue.sends)

    in_world(scenario)


def test_a_cause_that_passes_lets_go_what_was_checked():
    """A key that is being looked at keeps new orders out, not those under way."""

    async def scenario(here):
        async def close():
            here.house.switch.close("nonces", Fault(Reason.VENUE_UNREACHABLE, "being looked at"))

        while_written(here, close)
        assert Status.OPEN is (await here.place("c-1")).order.status

    in_world(scenario)


def test_a_batch_that_was_checked_before_the_halt_came_does_not_leave():
    """None of its rows, each NEVER_SENT with the halt."""

    async def scenario(here):
        async def halt():
            await put(here, HALTED)

        while_written(here, halt)
        now = here.clock.monotonic()
        rows = [("a", limit()), ("b", limit("0.002"))]
        faults = await here.desk.place_many(ME, rows, Timing(now, now + 10, 5.0))
        assert [(Reason.TRADING_HALTED, "false")] * 2 == [(each.reason, each.metadata["id_used"]) for each in faults]
        keys = [OrderKey("main", "local", name) for name in "ab"]
        assert ([Status.NEVER_SENT] * 2, []) == ([await status(here, key) for key in keys], here.venue.sends)

    in_world(scenario)


def test_one_forbidden_row_holds_a_batch_back():
    """It is one call: in REDUCE_ONLY a row that does not reduce keeps the others from leaving, whose ids stay free."""

    async def scenario(here):
        async def reduce_only():
            await put(here, REDUCE_ONLY)

        while_written(here, reduce_only)
        now = here.clock.monotonic()
        rows = [("a", REDUCING), ("b", limit("0.002"))]
        faults = await here.desk.place_many(ME, rows, Timing(now, now + 10, 5.0))
        assert [Reason.TRADING_HALTED] * 2 == [each.reason for each in faults]
        assert [] == here.venue.sends

    in_world(scenario, listed=(MARGIN,))


def test_what_only_reduces_goes_in_reduce_only():
    """A reduce_only order is taken, and so it is under CANCEL_ONLY no more."""

    async def scenario(here):
        await put(here, REDUCE_ONLY)
        assert Status.OPEN is (await here.place("c-1", REDUCING)).order.status
        await put(here, CANCEL_ONLY)
        assert Reason.TRADING_HALTED is (await refused(here.place("c-2", REDUCING))).reason

    in_world(scenario, listed=(MARGIN,))


@pytest.mark.parametrize("mode", [REDUCE_ONLY, CANCEL_ONLY, HALTED])
def test_an_amend_in_scope_is_refused(mode):
    """Before anything of it is written down; its request_id stays free."""

    async def scenario(here, order):
        await put(here, mode)
        fault = await refused(here.amend("r-1", limit_price="59000"))
        assert (Reason.TRADING_HALTED, "false", []) == (fault.reason, fault.metadata["id_used"], here.exchange.sends)

    amending(scenario)


def test_an_amend_that_was_checked_before_the_halt_came_does_not_leave():
    """The order is as it was, the request_id free."""

    async def scenario(here, order):
        begin = here.store.amends.begin

        async def spying(*args):
            begun = await begin(*args)
            await put(here, CANCEL_ONLY, MINE)
            return begun

        here.store.amends.begin = spying
        fault = await refused(here.amend("r-1", limit_price="59000"))
        assert (Reason.TRADING_HALTED, "false", []) == (fault.reason, fault.metadata["id_used"], here.exchange.sends)
        assert Decimal("60000.0") == (await here.store.get(order.key)).spec.limit_price

    amending(scenario)


def test_a_known_id_is_answered_in_every_mode():
    """A repeat places nothing, so nothing keeps it from its answer."""

    async def scenario(here):
        await here.place("c-1")
        await put(here, CANCEL_ONLY)
        assert (True, Status.OPEN) == ((again := await here.place("c-1")).replayed, again.order.status)

    in_world(scenario)


# ---- cancels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [REDUCE_ONLY, CANCEL_ONLY, HALTED])
def test_a_cancel_passes_in_every_mode(mode):
    """A single one, and a cancel of all."""

    async def scenario(here):
        await here.place("c-1")
        await put(here, mode)
        by = here.clock.monotonic() + 5
        await here.desk.cancel(ME, OrderRef("c-1"), by)
        await here.clock.sleep(1)
        assert Status.CANCELLED is await status(here)

    in_world(scenario)


def test_a_halt_cancels_what_is_open_in_its_scope_and_nothing_else():
    """The wish is durable when it is answered; orders of others, and those placed by hand, stay."""

    async def scenario(here):
        await here.place("c-1")
        await here.place("c-2", who=OTHER)
        done = await put(here, HALTED, MINE)
        assert (1, True) == (done.cancel_requested, (await here.store.get(KEY)).cancel_requested)
        await here.clock.sleep(2)
        assert (Status.CANCELLED, Status.OPEN) == (
            await status(here),
            await status(here, OrderKey("main", "other", "c-2")),
        )

    in_world(scenario)


@pytest.mark.parametrize("fate", [Fate(arrives_s=1.0, answers_s=1.5), Fate(arrives_s=1.0, answers_s=None)])
def test_a_halt_cancels_what_is_on_its_way_once_it_is_there(fate):
    """Sent before the halt: it enters, or its fate is found out, and it goes."""

    async def scenario(here):
        here.venue.plan.append(fate)
        placing = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.5)
        done = await put(here, HALTED)
        assert 1 == done.cancel_requested
        await here.clock.sleep(20)
        await placing
        assert (Status.CANCELLED, 1) == (await status(here), len(here.venue.accepted))

    in_world(scenario)


def test_an_answered_halt_has_nothing_of_its_scope_on_the_way():
    """It waits for what has left, half a second at most."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=0.2, answers_s=0.3))
        placing = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.1)
        began = here.clock.monotonic()
        await put(here, HALTED)
        assert (1, pytest.approx(0.2, abs=0.05)) == (len(here.venue.accepted), here.clock.monotonic() - began)
        await placing
        here.venue.plan.append(Fate(arrives_s=None, answers_s=None))
        await put(here, NORMAL)
        placing = asyncio.ensure_future(here.place("c-2"))
        await here.clock.sleep(0.1)
        began = here.clock.monotonic()
        await put(here, HALTED)
        assert pytest.approx(0.5, abs=0.05) == here.clock.monotonic() - began
        placing.cancel()

    in_world(scenario)


def test_the_same_halt_again_cancels_what_is_open_by_then():
    """What came meanwhile by hand of another scope's lifting goes with the repeat."""

    async def scenario(here):
        await put(here, HALTED, Scope(symbol="ETH/USD"))
        await here.place("c-1")
        await put(here, CANCEL_ONLY)
        assert Status.OPEN is await status(here)
        assert 1 == (await put(here, HALTED)).cancel_requested
        await here.clock.sleep(1)
        assert 0 == (await put(here, HALTED)).cancel_requested

    in_world(scenario)


# ---- the store is down ---------------------------------------------------------------------------------------------


def test_stricter_is_in_force_at_once_while_the_store_is_down_and_durable_when_it_is_back():
    """The answer says so; no order goes meanwhile, and what is open is cancelled as soon as it can be told."""

    async def scenario(here):
        await here.place("c-1")
        here.store.outage = True
        fault = await refused(put(here, HALTED), Busy)
        assert (Reason.STORE_UNAVAILABLE, "true") == (fault.reason, fault.metadata["in_force"])
        assert "is in force here and is not durable yet" in fault.message
        assert Reason.TRADING_HALTED is (here.house.switch.refusal("local", limit()).reason)
        await here.clock.sleep(3)
        assert Status.OPEN is here.store.disk.order(KEY).status
        here.store.outage = False
        await here.clock.sleep(3)
        assert ([HALTED], Status.CANCELLED) == (
            [each.mode for each in await here.store.modes("main")],
            await status(here),
        )

    in_world(scenario)


def test_a_repeat_is_answered_once_it_is_durable():
    """While the store is down the same again is told the same; when it is back, that all is well."""

    async def scenario(here):
        here.store.outage = True
        for _ in range(2):
            assert "true" == (await refused(put(here, CANCEL_ONLY), Busy)).metadata["in_force"]
        here.store.outage = False
        assert CANCEL_ONLY is (await put(here, CANCEL_ONLY)).current.mode
        assert [CANCEL_ONLY] == [each.mode for each in await here.store.modes("main")]

    in_world(scenario)


def test_looser_is_refused_while_the_store_is_down():
    """What cannot be written down stays as strict as it was."""

    async def scenario(here):
        await put(here, HALTED)
        here.store.outage = True
        fault = await refused(put(here, NORMAL), Busy)
        assert (Reason.STORE_UNAVAILABLE, "false") == (fault.reason, fault.metadata["in_force"])
        assert "the stricter mode stays" in fault.message
        here.store.outage = False
        assert Reason.TRADING_HALTED is (await refused(here.place("c-1"))).reason
        assert [HALTED] == [each.mode for each in await here.store.modes("main")]

    in_world(scenario)


def test_stricter_wins_over_looser_that_is_being_written():
    """Set while the lifting waits for its commit: in force then and after a restart."""

    async def scenario(here):
        await put(here, CANCEL_ONLY)
        lifting = asyncio.ensure_future(put(here, NORMAL))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await put(here, HALTED)
        await lifting
        assert [HALTED] == [each.mode for each in here.house.modes.entries]
        assert [HALTED] == [each.mode for each in await here.store.modes("main")]

    in_world(scenario)


def test_who_hangs_up_changes_nothing():
    """The call is cancelled as soon as it is made: the mode is durable and carried out all the same."""

    async def scenario(here):
        await here.place("c-1")
        calling = asyncio.ensure_future(put(here, HALTED))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        calling.cancel()
        await here.clock.sleep(2)
        assert ([HALTED], Status.CANCELLED) == (
            [each.mode for each in await here.store.modes("main")],
            await status(here),
        )

    in_world(scenario)


# ---- a restart -----------------------------------------------------------------------------------------------------


def test_the_next_life_is_as_strict_and_cancels_what_the_last_one_did_not():
    """Durable, and the process dead before a single wish was written: open orders go after the restart."""

    async def main():
        disk = new_disk()
        first = await World(disk).start()
        await first.place("c-1")
        await first.store.set_mode("main", _entry(first), first.clock.wall_ns())
        await first.kill()
        second = await World(disk, venue=first.venue, clock=first.clock).start()
        await second.house.switch.restore("")
        fault = await refused(second.place("c-2"))
        assert (Reason.TRADING_HALTED, "everything") == (fault.reason, fault.metadata["scope"])
        await second.clock.sleep(3)
        assert Status.CANCELLED is await status(second)
        await second.kill()

    run_sim(main())


def _entry(here):
    return ModeEntry(ALL, HALTED, "news", "ops", here.clock.wall_ns())


def test_what_is_set_before_the_store_could_be_read_lifts_nothing():
    """A start with the store down: stricter counts at once, milder than what was durable does not, nothing is lifted."""

    async def main():
        disk = new_disk()
        first = await World(disk).start()
        await put(first, HALTED)
        await first.kill()
        second = await World(disk, venue=first.venue, clock=first.clock).start()
        second.store.outage = True
        assert "false" == (await refused(put(second, NORMAL), Busy)).metadata["in_force"]
        assert "true" == (await refused(put(second, CANCEL_ONLY), Busy)).metadata["in_force"]
        second.store.outage = False
        await second.clock.sleep(3)
        assert [HALTED] == [each.mode for each in second.house.modes.entries]
        assert [HALTED] == [each.mode for each in await second.store.modes("main")]
        await second.kill()

    run_sim(main())
