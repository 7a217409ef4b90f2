"""Who or what had an order cancelled: its story says so, and so does its end, unless it was its own caller's wish."""

import pytest

from execsvc.app.clearing import Whose
from execsvc.app.explain import Explain
from execsvc.app.modes import TradingModes
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.modes import Scope, TradingMode
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import ME, OTHER, World, new_disk, world

SOON_S = 5.0
MINE, THEIRS = OrderKey("main", ME.name, "c-1"), OrderKey("main", OTHER.name, "c-1")
UNTIL = "; it is pursued until the order has ended."


def in_world(scenario):
    async def main():
        async with world() as here:
            await here.place("c-1")
            await here.place("c-1", who=OTHER)
            return await scenario(here)

    return run_sim(main())


def by(here):
    return here.clock.monotonic() + SOON_S


async def ended(here, key):
    """How it ended: reason and words, "" for both where nobody but its caller had a part in it, and the story."""
    await here.clock.sleep(SOON_S)
    order = await here.store.get(key)
    assert Status.CANCELLED is order.status
    fault = order.end_fault
    told = ("", "") if fault is None else (fault.reason.name, fault.message)
    story = Explain(
        desk=here.desk,
        journal=here.store,
        chronicle=here.house.chronicle,
        clock=here.clock,
        awaited=lambda _key: "",
    )
    _, steps = await story.tell(ME, OrderRef(client_order_id=key.client_order_id, caller=key.caller))
    return told, [step.text for step in steps]


async def known(caller, accounts):
    return True


async def halt(here, scope):
    modes = TradingModes({"main": here.house.modes}, str, known, here.clock)
    return await modes.set(ME, scope, TradingMode.HALTED, "fat finger", by(here))


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(everything=True), "everything"),
        (Scope(account="main"), "account main"),
        (Scope(caller="other"), "account main, caller other"),
        (Scope(symbol="BTC/USD"), "account main, symbol BTC/USD"),
    ],
    ids=["everything", "account", "caller", "symbol"],
)
def test_an_order_that_a_halt_cancelled_says_what_was_halted_by_whom_and_why(scope, words):
    """TRADING_HALTED with mode, scope, who and comment, in its end and in the story."""

    async def scenario(here):
        await halt(here, scope)
        told, texts = await ended(here, THEIRS)
        message = f"trading was HALTED for {words} by local: fat finger"
        assert ("TRADING_HALTED", message) == told
        assert f"A cancel was asked for: {message}{UNTIL}" in texts
        metadata = (await here.store.get(THEIRS)).end_fault.metadata
        assert {"mode": "HALTED", "scope": words, "comment": "fat finger", "by": "local"} == metadata

    in_world(scenario)


def test_a_halt_that_is_carried_out_after_a_restart_says_the_same():
    """It is in force again, and whose it was is known."""

    async def main():
        disk = new_disk()
        here = await World(disk).start()
        await here.place("c-1", who=OTHER)
        here.house.modes._sweep = _never
        await halt(here, Scope(caller="other"))
        await here.kill()
        again = await World(disk, venue=here.venue, clock=here.clock).start()
        await again.house.modes.restore()
        told, _ = await ended(again, THEIRS)
        await again.kill()
        assert ("TRADING_HALTED", "trading was HALTED for account main, caller other by local: fat finger") == told

    run_sim(main())


async def _never(_scope, _caller):
    return 0


def test_a_dead_mans_switch_says_whose_it_was():
    """It was its caller's own wish, of earlier: the order says that it came true."""

    async def scenario(here):
        await here.house.dead_man.load()
        here.tasks.start("dead man", here.house.dead_man.run())
        await here.house.dead_man.set_own(OTHER.name, 5)
        await here.clock.sleep(6.0)
        told, texts = await ended(here, THEIRS)
        message = "the dead man's switch of other went off: it was not set again in time"
        assert (("CANCELLED_BY_OTHER", message), True) == (told, f"A cancel was asked for: {message}{UNTIL}" in texts)
        assert Status.OPEN is (await here.store.get(MINE)).status

    in_world(scenario)


def test_a_lost_stream_of_orders_says_so():
    """Cancel on disconnect, of the stream that asked for it."""

    async def scenario(here):
        with here.house.clearing.when_lost(OTHER):
            await here.clock.sleep(1.0)
        told, texts = await ended(here, THEIRS)
        message = "a stream of the orders of other was lost and none like it was back in time"
        assert (("CANCELLED_BY_OTHER", message), True) == (told, f"A cancel was asked for: {message}{UNTIL}" in texts)

    in_world(scenario)


def test_a_lost_session_says_which_it_was():
    """By the id of its first stream, which its caller knows."""

    async def scenario(here):
        sessions = here.house.sessions
        line = sessions.open(OTHER.name, "s-7")
        line.keys.add(THEIRS)
        with sessions.attached(line, cancel_when_lost=True):
            await here.clock.sleep(1.0)
        told, texts = await ended(here, THEIRS)
        message = "session s-7 was lost and was not taken over in time"
        assert (("CANCELLED_BY_OTHER", message), True) == (told, f"A cancel was asked for: {message}{UNTIL}" in texts)

    in_world(scenario)


async def _one(here):
    await here.desk.cancel(ME, OrderRef(client_order_id="c-1", caller="other"), by(here))


async def _list(here):
    refs = [OrderRef(client_order_id="c-1", caller=name) for name in ("local", "other")]
    await here.house.clearing.cancel(ME, refs, by(here))


async def _all_callers(here):
    await here.house.clearing.clear(ME, Whose.ALL_CALLERS, "", by(here))


async def _account(here):
    await here.house.clearing.clear(ME, Whose.ACCOUNT, "", by(here))
    await here.house.cancels.pursue_wishes()  # no stream tells of an end here


@pytest.mark.parametrize("cancel", [_one, _list, _all_callers, _account])
def test_an_order_that_another_caller_cancelled_says_who(cancel):
    """One, a list, all callers', the whole account's: with the right to, which is named."""

    async def scenario(here):
        await cancel(here)
        told, texts = await ended(here, THEIRS)
        message = "caller local, who may cancel orders of others, asked for it"
        assert (("CANCELLED_BY_OTHER", message), True) == (told, f"A cancel was asked for: {message}{UNTIL}" in texts)
        assert {"by": "local", "cause": "caller"} == (await here.store.get(THEIRS)).end_fault.metadata

    in_world(scenario)


@pytest.mark.parametrize("cancel", [_list, _all_callers, _account])
def test_an_order_that_its_own_caller_cancelled_has_no_error_in_its_end(cancel):
    """A cancel that was asked for is no error, however many went with it."""

    async def scenario(here):
        await cancel(here)
        told, texts = await ended(here, MINE)
        assert (("", ""), True) == (told, f"A cancel was asked for{UNTIL}" in texts)

    in_world(scenario)


def test_a_halt_after_its_callers_own_cancel_is_noted_and_is_not_the_reason_of_its_end():
    """The order was to go already: the wish that came first is why it went."""

    async def scenario(here):
        key = OrderKey("main", ME.name, "c-2")
        here.venue.plan.append(Fate(arrives_s=3.0, answers_s=3.1))
        here.tasks.start("a placement", here.place("c-2"))
        await here.clock.sleep(1.0)
        await here.desk.cancel(ME, OrderRef(client_order_id="c-2"), here.clock.monotonic() + 0.1)
        await halt(here, Scope(everything=True))
        told, texts = await ended(here, key)
        again = "It is to go already, and now also since trading was HALTED for everything by local: fat finger."
        assert (("", ""), 1) == (told, texts.count(again))

    in_world(scenario)


def test_a_halt_that_is_set_again_adds_nothing_to_the_story():
    """The order goes for it already: one step says so."""

    async def scenario(here):
        key = OrderKey("main", ME.name, "c-2")
        here.venue.plan.append(Fate(arrives_s=3.0, answers_s=3.1))
        here.tasks.start("a placement", here.place("c-2"))
        await here.clock.sleep(1.0)
        for _ in range(3):
            await halt(here, Scope(everything=True))
        _, texts = await ended(here, key)
        assert 1 == sum("fat finger" in text for text in texts)

    in_world(scenario)
