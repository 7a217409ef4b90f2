"""Amending at the desk: what is refused and leaves no trace, what is sent once, how a repeat is answered, who waits."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import Busy, Conflict, Declined, ExecsvcError, Fault, Reason, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import Seen, Status, VenueOrder
from execsvc.domain.story import StepKind
from tests.support.amends import AmendFate, amending
from tests.support.venue import Fate
from tests.support.world import ME, OTHER

FULL = refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=0.7)


async def refused(call, error=ExecsvcError):
    with pytest.raises(error) as caught:
        await call
    return caught.value.fault


# ---- applied ----------------------------------------------------------------------------------------------------


def test_what_kraken_took_is_the_orders_spec_and_one_version_more():
    """The answer tells the order as it is wanted now; id and status stay."""

    async def scenario(here, order):
        answer = await here.amend("r-1", limit_price="59000.5", base_quantity="0.002")
        spec = answer.order.spec
        assert (Decimal("59000.5"), Decimal("0.002")) == (spec.limit_price, spec.base_quantity)
        assert (True, False, order.version + 1) == (answer.applied, answer.replayed, answer.order.version)
        assert (order.venue_order_id, Status.OPEN) == (answer.order.venue_order_id, answer.order.status)
        assert (["r-1"], [0]) == (here.exchange.sends, [room.released for room in here.exchange.rooms])

    amending(scenario)


def test_an_amend_is_told_to_who_follows_orders():
    """The order's new state is an entry of the journal, after the amend's own, which no follower is shown."""

    async def scenario(here, order):
        before = await here.store.last_sequence("main")
        await here.amend("r-1", limit_price="59000")
        told = await here.store.after("main", before, 10)
        assert [None, None, order.version + 1] == [each.order and each.order.version for each in told]
        assert ["SUBMITTED", "APPLIED", None] == [each.amend and each.amend.status.name for each in told]

    amending(scenario)


def test_a_total_below_what_is_filled_ends_the_order_as_cancelled():
    """The rest is cancelled by Kraken; the order says so at once."""

    async def scenario(here, order):
        report = VenueOrder(order.venue_order_id, order.venue_client_id, Status.OPEN, Decimal("0.0006"), Decimal(36))
        await here.store.record(order.key, Seen(report), here.clock.wall_ns())
        answer = await here.amend("r-1", base_quantity="0.0005")
        assert (Status.CANCELLED, Decimal("0.0006")) == (answer.order.status, answer.order.filled_quantity)

    amending(scenario)


def test_the_story_tells_wish_send_and_outcome():
    """Asked for and written down, left, taken, and what it changed: in that order."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        steps = [*await here.store.story(order.key)]
        told = [(step.kind, step.text) for step in steps if step.kind in {StepKind.AMENDED, StepKind.SENT}][1:]
        assert [
            (StepKind.AMENDED, "Amend r-1 was asked for: limit price 59000. It is written down and synced."),
            (StepKind.SENT, "AmendOrder left."),
            (StepKind.AMENDED, "It is wanted otherwise now: limit price 60000.0 → 59000."),
            (StepKind.AMENDED, "Amend r-1 is applied as T0001."),
        ] == told

    amending(scenario)


# ---- the same request again -----------------------------------------------------------------------------------


def test_the_same_request_again_is_answered_and_not_sent():
    """Same request_id, same figures by value: the recorded outcome, marked as known."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        again = await here.amend("r-1", limit_price="59000.00")
        assert (True, True, ["r-1"]) == (again.applied, again.replayed, here.exchange.sends)

    amending(scenario)


def test_only_whose_intent_was_written_first_sends(monkeypatch):
    """Also where both had looked and found nothing: the commit decides, the room is given back, the answer is the first's."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        looks = iter([None, None])  # before the turn and in it
        known = here.store.amends.get

        async def late(key):
            return next(looks, await known(key))

        monkeypatch.setattr(here.store.amends, "get", late)
        again = await here.amend("r-1", limit_price="59000")
        assert (True, True, ["r-1"]) == (again.applied, again.replayed, here.exchange.sends)
        assert [0, 1] == [room.released for room in here.exchange.rooms]

    amending(scenario)


def test_the_same_id_for_other_figures_is_refused():
    """Both content hashes are told, and that the request_id is used."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        fault = await refused(here.amend("r-1", limit_price="59001"), Conflict)
        assert (Reason.CLIENT_ORDER_ID_REUSED, "true", "r-1") == (
            fault.reason,
            fault.metadata["id_used"],
            fault.metadata["amend_request_id"],
        )
        assert fault.metadata["content_hash"] != fault.metadata["stored_content_hash"]
        assert ["r-1"] == here.exchange.sends

    amending(scenario)


def test_one_request_id_may_be_used_on_every_order():
    """It is unique per order, no further."""

    async def scenario(here, order):
        await here.place("c-2")
        answers = [await here.amend("r-1", limit_price="59000", order=name) for name in ("c-1", "c-2")]
        assert [False, False] == [answer.replayed for answer in answers]

    amending(scenario)


def test_a_refusal_is_final_for_its_request_id():
    """The same error again, said to be a repeat; another request_id is free."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(refusal=Fault(Reason.INSUFFICIENT_FUNDS, "too little", {"asset": "USD"})))
        first = await refused(here.amend("r-1", base_quantity="0.5"), Declined)
        again = await refused(here.amend("r-1", base_quantity="0.5"), Declined)
        assert (Reason.INSUFFICIENT_FUNDS, "true") == (first.reason, first.metadata["id_used"])
        assert again.metadata == {**first.metadata, "replayed": "true"}
        assert (await here.amend("r-2", base_quantity="0.002")).order.version == order.version + 1

    amending(scenario)


def test_what_was_never_sent_may_be_sent_under_the_same_id():
    """No byte left: the same request is the next attempt, and says nothing of a repeat."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(unsent=Fault(Reason.VENUE_UNREACHABLE, "no connection"), answers_s=0.1))
        fault = await refused(here.amend("r-1", limit_price="59000"), Busy)
        assert (Reason.VENUE_UNREACHABLE, "false") == (fault.reason, fault.metadata["id_used"])
        answer = await here.amend("r-1", limit_price="59000")
        assert (True, False) == (answer.applied, answer.replayed)
        assert [1, 0] == [room.released for room in here.exchange.rooms]

    amending(scenario)


# ---- refused before anything ------------------------------------------------------------------------------------

BEFORE = {
    "nothing of the kind": ({"trigger_price": "59000"}, Reason.INVALID_REQUEST, {}),
    "off the tick": (
        {"limit_price": "59000.05"},
        Reason.TICK_SIZE_VIOLATED,
        {"increment": "0.1", "nearest": "59000.0"},
    ),
    "off the lot": ({"base_quantity": "0.000000001"}, Reason.TICK_SIZE_VIOLATED, {"increment": "0.00000001"}),
    "below the minimum": ({"base_quantity": "0.00001"}, Reason.ORDER_MINIMUM_NOT_MET, {"min_quantity": "0.0001"}),
    "another version": ({"limit_price": "59000", "if_version": 99}, Reason.VERSION_MISMATCH, {"version": "2"}),
    "too little time": ({"limit_price": "59000", "timeout_s": 2.1}, Reason.DEADLINE_TOO_SHORT, {"least": "2.2s"}),
}


@pytest.mark.parametrize(("asked", "reason", "metadata"), BEFORE.values(), ids=BEFORE)
def test_a_refusal_before_the_intent_leaves_the_id_free(asked, reason, metadata):
    """Nothing is written down, nothing set aside, nothing sent; the id may be used again."""

    async def scenario(here, order):
        fault = await refused(here.amend("r-1", **asked))
        told = {name: fault.metadata.get(name) for name in (*metadata, "id_used")}
        assert (reason, {**metadata, "id_used": "false"}) == (fault.reason, told)
        assert ([], [], []) == (here.exchange.sends, here.exchange.rooms, [*await here.store.amends.of(order.key)])
        assert all("." not in bad.path for bad in fault.fields)

    amending(scenario)


def test_an_order_in_doubt_cannot_be_amended():
    """Whether it is there is not known: watch it, then again."""

    async def scenario(here, order):
        here.venue.plan.append(Fate(arrives_s=None, answers_s=None))
        await here.place("c-2", timeout_s=3.0)
        fault = await refused(here.amend("r-1", order="c-2", limit_price="59000"), Conflict)
        assert (Reason.ORDER_IN_DOUBT, "false") == (fault.reason, fault.metadata["id_used"])

    amending(scenario)


def test_an_order_that_has_ended_cannot_be_amended():
    """Its status is told."""

    async def scenario(here, order):
        await here.desk.cancel(ME, OrderRef(client_order_id="c-1"), here.clock.monotonic() + 5)
        fault = await refused(here.amend("r-1", limit_price="59000"), Declined)
        assert (Reason.ORDER_TERMINAL, "CANCELLED") == (fault.reason, fault.metadata["status"])

    amending(scenario)


def test_another_callers_order_needs_kill():
    """With `account` alone it is seen, and not changed; without it is not even there."""

    async def scenario(here, order):
        ref = OrderRef(client_order_id="c-1", caller="local")
        rights = {Permission.TRADE, Permission.CANCEL, Permission.ACCOUNT}
        sees = alike("other", rights, ("main",))
        kills = alike("other", rights | {Permission.KILL}, ("main",))
        hidden = await refused(here.amend("r-1", order=ref, who=OTHER, limit_price="59000"))
        seen = await refused(here.amend("r-1", order=ref, who=sees, limit_price="59000"))
        assert (Reason.ORDER_NOT_FOUND, Reason.PERMISSION_MISSING) == (hidden.reason, seen.reason)
        assert (await here.amend("r-1", order=ref, who=kills, limit_price="59000")).applied

    amending(scenario)


def test_a_closed_switch_takes_no_amend_and_answers_a_repeat():
    """As for placements: the journal is asked first."""

    async def scenario(here, order):
        await here.amend("r-1", limit_price="59000")
        here.house.switch.close("test", Fault(Reason.TRADING_HALTED, "halted"))
        fault = await refused(here.amend("r-2", limit_price="59001"))
        again = await here.amend("r-1", limit_price="59000")
        assert (Reason.TRADING_HALTED, True) == (fault.reason, again.replayed)

    amending(scenario)


# ---- the counter ------------------------------------------------------------------------------------------------


def test_without_room_in_the_counter_the_exact_wait_is_told():
    """Nothing was set aside, the order is free for the next."""

    async def scenario(here, order):
        here.exchange.room_refusals.append(FULL)
        fault = await refused(here.amend("r-1", limit_price="59000"), Busy)
        assert (Reason.LOCAL_RATE_LIMITED, 0.7, "false") == (
            fault.reason,
            fault.retry_after_s,
            fault.metadata["id_used"],
        )
        assert (await here.amend("r-2", limit_price="59000")).applied

    amending(scenario)


@pytest.mark.parametrize(("queue_s", "waits_s"), [(0.0, 0.0), (1.5, 1.5), (60.0, 2.8)])
def test_room_is_waited_for_as_long_as_the_caller_allows(queue_s, waits_s):
    """At the most so long that what is left does for the amend itself."""

    async def scenario(here, order):
        began = here.clock.monotonic()
        await here.amend("r-1", limit_price="59000", queue_s=queue_s)
        symbol, order_id, caller, by = here.exchange.asked_rooms[-1]
        assert ("BTC/USD", order.venue_order_id, "local") == (symbol, order_id, caller)
        assert waits_s == pytest.approx(by - began, abs=1e-6)

    amending(scenario)


# ---- one at a time ------------------------------------------------------------------------------------------------


def test_a_second_amend_waits_for_the_first():
    """They leave one after the other, in the order in which they were asked for."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=0.5, answers_s=1.0))
        first = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.01)
        second = await here.amend("r-2", limit_price="58000")
        assert ["r-1", "r-2"] == here.exchange.applied
        assert (True, Decimal(58000)) == ((await first).applied, second.order.spec.limit_price)
        assert here.clock.monotonic() > 1.0

    amending(scenario)


def test_a_second_amend_whose_time_runs_out_is_told():
    """The first is not settled: another one must not overtake it."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=None, answers_s=None))
        first = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.01)
        fault = await refused(here.amend("r-2", limit_price="58000", timeout_s=3.0), Conflict)
        assert (Reason.ORDER_IN_DOUBT, "r-1", "false") == (
            fault.reason,
            fault.metadata["amend_request_id"],
            fault.metadata["id_used"],
        )
        assert not (await first).applied
        assert await here.amends.until_none(here.clock.monotonic() + 10)
        assert (await here.amend("r-2", limit_price="58000")).applied

    amending(scenario)


def test_the_version_asked_for_is_that_of_the_moment_it_is_sent():
    """Whoever waited for another amend is refused if that changed the order."""

    async def scenario(here, order):
        first = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await asyncio.sleep(0)
        fault = await refused(here.amend("r-2", limit_price="58000", if_version=order.version), Conflict)
        assert (Reason.VERSION_MISMATCH, str(order.version + 1)) == (fault.reason, fault.metadata["version"])
        assert (await first).applied

    amending(scenario)


def test_a_caller_that_hangs_up_changes_nothing():
    """The send is the server's: it goes on, and the same request is answered."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(arrives_s=0.5, answers_s=1.0))
        asked = asyncio.ensure_future(here.amend("r-1", limit_price="59000"))
        await here.clock.sleep(0.1)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        again = await here.amend("r-1", limit_price="59000")
        assert (["r-1"], True, True) == (here.exchange.sends, again.applied, again.replayed)

    amending(scenario)


def test_an_order_that_ended_meanwhile_is_told_with_its_status():
    """Kraken says only that it is no open order; it is asked what became of it."""

    async def scenario(here, order):
        here.exchange.plan.append(AmendFate(refusal=Fault(Reason.ORDER_TERMINAL, "no such open order")))
        report, since = here.venue.orders[order.venue_client_id]
        here.venue.orders[order.venue_client_id] = (
            replace(report, status=Status.FILLED, filled_quantity=Decimal("0.001"), filled_cost=Decimal(60)),
            since,
        )
        fault = await refused(here.amend("r-1", limit_price="59000"), Declined)
        assert (Reason.ORDER_TERMINAL, "FILLED", "true") == (
            fault.reason,
            fault.metadata["status"],
            fault.metadata["id_used"],
        )
        assert Status.FILLED is (await here.store.get(OrderKey("main", "local", "c-1"))).status

    amending(scenario)
