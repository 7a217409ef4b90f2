"""Amends in doubt: found by looking, proved absent as a placement is, and never sent again; across restarts too."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.amenddoubts import LOOK_AGAIN_S, WRITTEN_MARGIN_NS, applied_in
from execsvc.domain.amend import AmendIntent, AmendKey, AmendStatus, Applied, submitted
from execsvc.domain.amendwish import ShownAmend
from execsvc.domain.errors import Conflict, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import submitted as order_of
from execsvc.domain.story import StepKind
from execsvc.ports import AmendLook
from tests.support.amends import AmendFate, AmendWorld, ScriptedAmends, amending, wish_of
from tests.support.simloop import SimClock, SimTasks, run_sim
from tests.support.venue import ScriptedVenue
from tests.support.world import ME, new_disk
from tests.unit.store.samples import intent_of

ENTRY_S, V_S = 5.0, 3.0
LOST = AmendFate(answers_s=None)
GONE = AmendFate(arrives_s=None, answers_s=None)


async def settled(here, request_id="r-1"):
    """Waits until nothing is in doubt; the amend, and its order."""
    assert await here.amends.until_none(here.clock.monotonic() + 60)
    order = await here.desk.get(ME, OrderRef(client_order_id="c-1"))
    return await here.store.amends.get(AmendKey(order.key, request_id))


async def refused(call):
    with pytest.raises(ExecsvcError) as caught:
        await call
    return caught.value.fault


def test_a_lost_answer_is_found_within_the_callers_time():
    """The order's own list of amends shows it: applied, though Kraken's answer never came."""

    async def scenario(here, order):
        here.exchange.plan.append(LOST)
        answer = await here.amend("r-1", limit_price="59000")
        assert (True, Decimal(59000), ["r-1"]) == (answer.applied, answer.order.spec.limit_price, here.exchange.sends)
        assert here.clock.monotonic() < here.venue.patience_s + LOOK_AGAIN_S[0]
        assert "T0001" == (await settled(here)).amend.amend_id

    amending(scenario)


def test_an_amend_without_a_fate_is_answered_in_doubt_at_the_callers_deadline():
    """OK, and not applied as far as is known; the same request is answered with what became of it."""

    async def scenario(here, order):
        here.exchange.plan.append(GONE)
        answer = await here.amend("r-1", limit_price="59000", timeout_s=4.0)
        assert (False, order.spec, 3.8) == (answer.applied, answer.order.spec, round(here.clock.monotonic(), 1))
        assert AmendStatus.IN_DOUBT is (await here.store.amends.get(AmendKey(order.key, "r-1"))).amend.status
        fault = await refused(here.amend("r-1", limit_price="59000", timeout_s=20.0))
        assert (Reason.NOT_PLACED, "true", "true") == (
            fault.reason,
            fault.metadata["id_used"],
            fault.metadata["replayed"],
        )
        assert ["r-1"] == here.exchange.sends

    amending(scenario)


def test_a_negative_waits_for_the_deadline_and_v_and_v_again():
    """It may have got in at the last moment, and may show only V later."""

    async def scenario(here, order):
        here.exchange.plan.append(GONE)
        began = here.clock.monotonic()
        assert not (await here.amend("r-1", limit_price="59000", timeout_s=6.0, entry_s=ENTRY_S)).applied
        known = await settled(here)
        took_s = here.clock.monotonic() - began
        assert AmendStatus.NOT_APPLIED is known.amend.status
        assert ENTRY_S + 2 * V_S <= took_s < ENTRY_S + 2 * V_S + 0.5
        assert (order.spec, order.version) == (known.order.spec, known.order.version)

    amending(scenario)


@pytest.mark.parametrize("arrives_s", [3.0, 4.9])
@pytest.mark.parametrize("lag_s", [0.0, 2.9])
def test_what_gets_in_at_the_last_moment_is_found(arrives_s, lag_s):
    """However late within its deadline, and however slowly Kraken's lists follow, up to V."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=arrives_s, answers_s=None))
        await here.amend("r-1", limit_price="59000", timeout_s=6.0, entry_s=ENTRY_S)
        known = await settled(here)
        assert (AmendStatus.APPLIED, Decimal(59000)) == (known.amend.status, known.order.spec.limit_price)

    amending(scenario, lag_s=lag_s)


def test_a_failed_look_proves_nothing():
    """Only looks that were answered count, towards either end."""

    async def scenario(here, order):
        here.exchange.plan.append(LOST)
        here.exchange.look_refusals.extend([refuse(Reason.VENUE_UNREACHABLE, "no answer")] * 12)
        await here.amend("r-1", limit_price="59000", timeout_s=3.0)
        known = await settled(here)
        assert (AmendStatus.APPLIED, 13) == (known.amend.status, len(here.exchange.looks))

    amending(scenario)


def test_the_stream_hastens_the_look():
    """The order is told as wished: whether by this amend is looked up at once, not at the next turn."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=3.0, answers_s=None))
        asked = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(3.05 - here.clock.monotonic())
        looks = len(here.exchange.looks)
        await here.stream_tells(order)
        assert (await asked).applied
        assert looks + 1 == len(here.exchange.looks)
        assert here.clock.monotonic() < 3.2

    amending(scenario)


def test_a_late_answer_settles_the_doubt():
    """Whatever it says, while nothing else has settled it."""

    async def scenario(here, order):
        here.exchange.plan.append(
            AmendFate(arrives_s=None, answers_s=4.0, refusal=Fault(Reason.INSUFFICIENT_FUNDS, "no"))
        )
        fault = await refused(here.amend("r-1", limit_price="59000"))
        assert (Reason.INSUFFICIENT_FUNDS, True) == (fault.reason, here.clock.monotonic() < 4.2)

    amending(scenario)


def test_a_late_answer_that_denies_the_verdict_is_an_alarm():
    """The verdict stays; the order tells the truth, nothing new is sent, and somebody hears of it."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=13.0, answers_s=14.0))
        here.exchange.taken[AmendKey(order.key, "r-1")] = "T9"  # Kraken took it although its deadline had passed
        await here.amend("r-1", limit_price="59000", timeout_s=4.0)
        known = await settled(here)
        assert AmendStatus.NOT_APPLIED is known.amend.status
        await here.clock.sleep(5)
        known = await here.store.amends.get(AmendKey(order.key, "r-1"))
        assert (AmendStatus.NOT_APPLIED, Decimal(59000)) == (known.amend.status, known.order.spec.limit_price)
        assert Reason.TRADING_HALTED is here.desk.closed_because.reason
        assert ["amend main/local/c-1#r-1 was told as never applied, yet Kraken took it as T9"] == here.alarms

    amending(scenario)


def test_what_changed_by_others_since_is_left_as_it_is():
    """The amend took effect and was overtaken: applied, and the order is as Kraken shows it."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=0.1, answers_s=None))
        here.exchange._tasks.start("a person", by_hand(here, order))
        answer = await here.amend("r-1", limit_price="59000")
        known = await settled(here)
        assert (True, "T0001") == (answer.applied, known.amend.amend_id)
        assert order.spec == known.order.spec

    async def by_hand(here, order):
        await here.clock.sleep(1.0)
        here.exchange.change(order, wish_of(limit_price="58000"))

    amending(scenario)


def test_an_order_whose_amends_are_not_listed_is_asked_for_itself():
    """The figures of the order are enough: that is how it stands."""

    async def scenario(here, order):
        here.exchange.plan.append(LOST)
        here.exchange.look_refusals.append(refuse(Reason.ORDER_NOT_FOUND, "not listed"))
        report, since = here.venue.orders[order.venue_client_id]
        wished = replace(order.spec, limit_price=Decimal(59000))
        here.venue.orders[order.venue_client_id] = (replace(report, spec=wished), since)
        assert (await here.amend("r-1", limit_price="59000")).applied

    amending(scenario)


def test_an_order_that_kraken_does_not_know_was_not_amended():
    """There is nothing that could have been changed: two looks V apart settle it."""

    async def scenario(here, order):
        here.exchange.plan.append(GONE)
        here.exchange.look_refusals.extend([refuse(Reason.ORDER_NOT_FOUND, "never heard of it")] * 30)
        here.venue.orders.clear()
        await here.amend("r-1", limit_price="59000", timeout_s=3.0)
        assert AmendStatus.NOT_APPLIED is (await settled(here)).amend.status

    amending(scenario)


def test_the_story_of_a_doubt_tells_every_look():
    """Doubted, looked for, settled: with a word on what each look proves."""

    async def scenario(here, order):
        here.exchange.plan.append(GONE)
        await here.amend("r-1", limit_price="59000", timeout_s=4.0)
        await settled(here)
        steps = await here.store.story(order.key)
        doubted = next(place for place, step in enumerate(steps) if step.kind is StepKind.DOUBTED)
        told = [(step.kind, step.text) for step in steps[doubted:]]
        assert "may have been applied or not: Kraken" not in told[0][1]
        assert (StepKind.SWEPT, "Looked at the order's amends: it is not there, which proves nothing yet.") in told
        assert (StepKind.SWEPT, "Looked at the order's amends: it is not there.") in told
        assert "not_placed" == steps[-1].verdict

    amending(scenario)


# ---- restarts ---------------------------------------------------------------------------------------------------


def lives(scenario):
    """A scenario over several lives: `begin()` gives the next one, on the same disk and exchange."""

    async def main():
        disk, clock = new_disk(), SimClock()
        venue = ScriptedVenue(clock, SimTasks())
        venue.amends = ScriptedAmends(venue, clock, venue._tasks)

        async def begin():
            return await AmendWorld(disk, venue=venue, clock=clock).start()

        await scenario(begin, venue.amends)

    run_sim(main())


@pytest.mark.parametrize(("arrives_s", "end"), [(0.5, AmendStatus.APPLIED), (None, AmendStatus.NOT_APPLIED)])
def test_an_amend_of_an_earlier_life_is_looked_for_and_not_sent(arrives_s, end):
    """Durable and unsettled is in doubt at the next start; its request is answered with what became of it."""

    async def scenario(begin, exchange):
        here = await begin()
        await here.place("c-1")
        exchange.plan.append(AmendFate(arrives_s=arrives_s, answers_s=None))
        asked = here.tasks.start("a caller", here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.1)
        await here.kill()
        assert not asked.task.done() or asked.task.cancelled()
        here = await begin()
        assert 1 == here.amends.doubts.in_doubt
        known = await settled(here)
        assert (end, ["r-1"]) == (known.amend.status, exchange.sends)
        await here.kill()

    lives(scenario)


def test_an_order_with_an_amend_in_doubt_takes_no_other_after_a_restart():
    """The order is held for it from the start on; then the next may go."""

    async def scenario(begin, exchange):
        here = await begin()
        await here.place("c-1")
        exchange.plan.append(GONE)
        here.tasks.start("a caller", here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.1)
        await here.kill()
        here = await begin()
        with pytest.raises(Conflict):
            await here.amend("r-2", limit_price="58000", timeout_s=3.0)
        await settled(here)
        assert (await here.amend("r-2", limit_price="58000")).applied
        await here.kill()

    lives(scenario)


# ---- what a list says -------------------------------------------------------------------------------------------

WISHED = wish_of(limit_price="59000")
BEGUN_NS = 1_000_000_000_000


def amend_named(request_id="r-1"):
    key = OrderKey("main", "local", "c-1")
    intent = AmendIntent(AmendKey(key, request_id), WISHED, BEGUN_NS + 5 * 10**9, "")
    return submitted(intent, order_of(intent_of(key), 1), BEGUN_NS)


def shown(amend_id, price, *, after_s=1.0, by_user=True, quantity="0.5", left="0.5"):
    at_ns = BEGUN_NS + int(after_s * 10**9)
    return ShownAmend(amend_id, by_user, at_ns, Decimal(quantity), Decimal(left), Decimal(price))


FIRST = shown("T0", "60000", after_s=-100, by_user=False)
MARGIN_S = WRITTEN_MARGIN_NS / 1e9
LISTS = {
    "nothing yet": ((), None),
    "as it was placed": ((FIRST,), None),
    "as wished": ((FIRST, shown("T1", "59000")), Applied("T1")),
    "as wished, by the engine": ((FIRST, shown("T1", "59000", by_user=False)), Applied()),
    "it stood so before": ((FIRST, shown("T1", "59000", after_s=-50)), Applied("T1")),
    "changed since": ((FIRST, shown("T1", "59000"), shown("T2", "58000")), Applied("T1", superseded=True)),
    "an old one like it": ((FIRST, shown("T1", "59000", after_s=-MARGIN_S - 1), shown("T2", "58000")), None),
    "a late one like it": ((FIRST, shown("T1", "59000", after_s=5 + MARGIN_S + 1), shown("T2", "58000")), None),
    "one of the engine": ((FIRST, shown("T1", "59000", by_user=False), shown("T2", "58000")), None),
}


@pytest.mark.parametrize(("states", "expected"), LISTS.values(), ids=LISTS)
def test_a_list_of_amends_shows_it_or_not(states, expected):
    """As it stands now counts whoever did it; what was since changed counts only where it can have been this amend."""
    assert expected == applied_in(AmendLook(0.0, 0.0, states), amend_named())


def test_another_amend_of_ours_is_not_taken_for_this_one():
    """An entry under the id of another one is that one's."""
    other = amend_named("r-0").apply(Applied("T1"), 1)
    look = AmendLook(0.0, 0.0, (FIRST, shown("T1", "59000"), shown("T2", "58000")))
    assert None is applied_in(look, amend_named(), (other,))


def test_a_list_that_lags_behind_what_is_known_says_nothing():
    """An amend that Kraken took before is not in it yet: how the order stands it does not tell."""
    later = amend_named("r-0").apply(Applied("T2"), 1)
    look = AmendLook(0.0, 0.0, (FIRST, shown("T1", "59000")))
    assert None is applied_in(look, amend_named(), (later,))


def test_a_total_below_what_was_filled_shows_as_what_was_filled():
    """Nothing is left of it: that is what was wished."""
    wish = wish_of(base_quantity="0.2")
    assert shown("T1", "59000", quantity="0.3", left="0").fulfils(wish)
    assert not shown("T1", "59000", quantity="0.3", left="0.1").fulfils(wish)
