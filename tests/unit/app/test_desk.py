"""Placing and cancelling, in virtual time against a scripted exchange."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.timing import Timing
from execsvc.domain.errors import Busy, Conflict, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import Doubted, Refused, Seen, Status, VenueOrder
from tests.support.simloop import run_sim
from tests.support.venue import BTC_USD, Fate
from tests.support.world import ME, OTHER, limit, new_disk, world

REF = OrderRef(client_order_id="c-1")
LOST_REPLY = Fate(answers_s=None)
LOST_REQUEST = Fate(arrives_s=None, answers_s=None)
NO_FUNDS = Fault(Reason.INSUFFICIENT_FUNDS, "EOrder:Insufficient funds", {"asset": "USD"})
UNREACHABLE = Fault(Reason.VENUE_UNREACHABLE, "connection refused")


def in_world(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            return await scenario(here)

    return run_sim(main())


def test_an_order_is_placed_once_and_answered_open():
    """The plain path: durable, sent, acknowledged."""

    async def scenario(here):
        placed = await here.place("c-1")
        assert (placed.order.status, placed.replayed) == (Status.OPEN, False)
        assert here.venue.accepted == [(placed.order.venue_client_id, placed.order.venue_order_id)]

    in_world(scenario)


def test_the_intent_is_durable_before_the_first_byte_leaves():
    """Journal before effect: when the venue is called, the store already knows the order."""

    async def scenario(here):
        seen = []
        sent = here.venue.place

        async def spying(order, instrument, by, **rest):
            seen.append((await here.store.get(order.key)).status)
            return await sent(order, instrument, by, **rest)

        here.venue.place = spying
        await here.place("c-1")
        assert seen == [Status.SUBMITTED]

    in_world(scenario)


def test_a_store_that_fails_refuses_the_order_and_sends_nothing():
    """No intent without a durable store: UNAVAILABLE, and the id stays free."""

    async def scenario(here):
        async def failing(intent, now_ns, steps=()):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))

        here.store.begin = failing
        with pytest.raises(Busy) as caught:
            await here.place("c-1")
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.STORE_UNAVAILABLE, "false")
        assert here.venue.sends == []

    in_world(scenario)


def test_the_same_id_and_content_answers_the_same_order():
    """A repeat is a question, not a second order."""

    async def scenario(here):
        first = await here.place("c-1")
        again = await here.place("c-1", limit("0.00100", "60000.00"))
        assert (again.order, again.replayed) == (first.order, True)
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_the_same_id_with_other_content_is_a_conflict():
    """Nothing is sent, and both hashes are told."""

    async def scenario(here):
        await here.place("c-1")
        with pytest.raises(Conflict) as caught:
            await here.place("c-1", limit("0.002"))
        told = caught.value.fault.metadata
        assert caught.value.reason is Reason.CLIENT_ORDER_ID_REUSED
        assert told["content_hash"] != told["stored_content_hash"]
        assert (told["id_used"], len(here.venue.sends)) == ("true", 1)

    in_world(scenario)


def test_two_callers_may_use_one_id():
    """The key is (account, caller, client order id)."""

    async def scenario(here):
        mine = await here.place("c-1")
        theirs = await here.place("c-1", limit("0.002"), who=OTHER)
        assert mine.order.venue_client_id != theirs.order.venue_client_id
        assert len(here.venue.accepted) == 2

    in_world(scenario)


def test_concurrent_repeats_send_once():
    """A caller with eager retries, all in flight at once: one order."""

    async def scenario(here):
        placed = await asyncio.gather(*(here.place("c-1") for _ in range(20)))
        assert {each.order.venue_order_id for each in placed} == {"O00000"}
        assert sum(not each.replayed for each in placed) == 1
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_a_refusal_of_the_exchange_is_the_same_error_for_every_repeat():
    """REJECTED is final: same reason again, marked as replayed, never sent again."""

    async def scenario(here):
        here.venue.plan.append(Fate(refusal=NO_FUNDS))
        for replayed in (None, "true", "true"):
            with pytest.raises(Declined) as caught:
                await here.place("c-1")
            told = caught.value.fault.metadata
            assert (caught.value.reason, told["id_used"], told.get("replayed")) == (
                Reason.INSUFFICIENT_FUNDS,
                "true",
                replayed,
            )
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_what_never_left_may_be_sent_again_under_the_same_id():
    """NEVER_SENT answers UNAVAILABLE with the id free; the repeat is the next attempt."""

    async def scenario(here):
        here.venue.plan.append(Fate(unsent=UNREACHABLE))
        with pytest.raises(Busy) as caught:
            await here.place("c-1")
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.VENUE_UNREACHABLE, "false")
        placed = await here.place("c-1")
        assert (placed.order.status, placed.order.attempt, placed.replayed) == (Status.OPEN, 1, False)
        assert len(set(here.venue.sends)) == 2

    in_world(scenario)


def test_a_failure_to_connect_that_comes_after_the_doubt_was_told_ends_not_placed():
    """The caller heard IN_DOUBT first; then it turns out that nothing ever left: final, under a new id."""

    async def scenario(here):
        here.venue.plan.append(Fate(unsent=UNREACHABLE, answers_s=2.95))
        assert (await here.place("c-1", timeout_s=3.0)).order.status is Status.IN_DOUBT
        await here.clock.sleep(0.2)
        with pytest.raises(Conflict) as caught:
            await here.place("c-1")
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.NOT_PLACED, "true")
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_never_sent_still_refuses_other_content():
    """The id was promised to one content for ever."""

    async def scenario(here):
        here.venue.plan.append(Fate(unsent=UNREACHABLE))
        with pytest.raises(Busy):
            await here.place("c-1")
        with pytest.raises(Conflict):
            await here.place("c-1", limit("0.002"))

    in_world(scenario)


def test_a_lost_reply_is_answered_in_doubt_within_the_callers_time():
    """Not an error: the order, IN_DOUBT, before the caller's own deadline strikes."""

    async def scenario(here):
        here.venue.plan.append(LOST_REPLY)
        here.venue.reachable = False
        began = here.clock.monotonic()
        placed = await here.place("c-1", timeout_s=3.0)
        assert placed.order.status is Status.IN_DOUBT
        assert 2.8 <= here.clock.monotonic() - began <= 2.95
        assert (await here.store.get(placed.order.key)).status is Status.IN_DOUBT

    in_world(scenario)


def test_a_lost_reply_is_usually_settled_before_the_caller_gives_up():
    """The resolver finds the order by asking, and nothing is sent a second time."""

    async def scenario(here):
        here.venue.plan.append(LOST_REPLY)
        placed = await here.place("c-1")
        assert placed.order.status is Status.OPEN
        assert len(here.venue.sends) == len(here.venue.accepted) == 1

    in_world(scenario)


def test_a_lost_request_ends_as_proved_not_placed():
    """Only after deadline + V and two sweeps; a repeat gets the same answer."""

    async def scenario(here):
        here.venue.plan.append(LOST_REQUEST)
        assert (await here.place("c-1")).order.status is Status.IN_DOUBT
        for _ in range(2):
            with pytest.raises(Conflict) as caught:
                await here.place("c-1")
            assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.NOT_PLACED, "true")
        assert here.clock.monotonic() < 12
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_an_order_that_arrives_late_is_found_not_called_absent():
    """It gets in just before Kraken's deadline and shows up just within V."""

    async def scenario(here):
        here.venue.lag_s = 2.9
        here.venue.plan.append(Fate(arrives_s=4.9, answers_s=None))
        await here.place("c-1")
        await here.resolver.until_none(60.0)
        assert (await here.desk.get(ME, REF)).status is Status.OPEN

    in_world(scenario)


def test_the_callers_hang_up_does_not_touch_the_send():
    """The send is the server's own task."""

    async def scenario(here):
        asking = asyncio.ensure_future(here.place("c-1"))
        await asyncio.sleep(0.001)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await here.clock.sleep(1)
        assert (await here.desk.get(ME, REF)).status is Status.OPEN

    in_world(scenario)


def test_a_hang_up_while_the_intent_is_written_still_sends_the_order():
    """Nobody is left with a durable order that is never sent: begin and send are one piece of owned work."""

    async def scenario(here):
        begin = here.store.begin

        async def slow(intent, now_ns, steps=()):
            await here.clock.sleep(0.2)
            return await begin(intent, now_ns)

        here.store.begin = slow
        asking = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.1)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await here.clock.sleep(1)
        assert (await here.desk.get(ME, REF)).status is Status.OPEN
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_an_order_that_goes_well_costs_the_journal_no_reading():
    """Two commits and nothing else: the fate is announced, not looked up."""

    async def scenario(here):
        read = []

        async def counted(key):
            read.append(key)

        here.store.get = counted
        assert (await here.place("c-1")).order.status is Status.OPEN
        assert read == []

    in_world(scenario)


def test_a_replay_needs_no_fresh_pair_rules():
    """The rules are of no concern to an order that exists; a new one is refused as not sent."""

    async def scenario(here):
        await here.place("c-1")
        await here.clock.sleep(1801)
        assert (await here.place("c-1")).replayed
        with pytest.raises(Busy) as caught:
            await here.place("c-2")
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.VENUE_UNREACHABLE, "false")

    in_world(scenario)


def test_a_killed_process_resolves_what_it_had_sent():
    """A kill -9 between send and answer, restart on the same store, same id again: one order."""

    async def main():
        disk = new_disk()
        async with world(disk=disk) as before:
            venue = before.venue
            asking = asyncio.ensure_future(before.place("c-1"))
            await asyncio.sleep(0.005)
            asking.cancel()
        async with world(disk=disk, venue=venue) as after:
            placed = await after.place("c-1")
            assert (placed.order.status, placed.replayed) == (Status.OPEN, True)
            assert len(venue.accepted) == len(venue.sends) == 1

    run_sim(main())


@pytest.mark.parametrize(("timeout_s", "entry_s"), [(2.19, 5.0), (10.0, 2.19)])
def test_too_little_time_is_refused_before_anything_happens(timeout_s, entry_s):
    """Kraken's least is 2 s; with 200 ms of margin the floor is 2.2 s."""

    async def scenario(here):
        with pytest.raises(Busy) as caught:
            await here.place("c-1", timeout_s=timeout_s, entry_s=entry_s)
        told = caught.value.fault.metadata
        assert (caught.value.reason, told["least"], told["id_used"]) == (Reason.DEADLINE_TOO_SHORT, "2.2s", "false")
        assert await here.store.get(await _key(here)) is None

    in_world(scenario)


async def _key(here):
    from execsvc.domain.ids import OrderKey

    return OrderKey("main", "local", "c-1")


def test_the_entry_deadline_is_the_smallest_of_the_three_limits():
    """The caller's deadline, the wished delay and 60 s."""
    assert Timing(0.0, 4.0, 5.0).entry_delay_s == 4.0
    assert Timing(0.0, 10.0, 5.0).entry_delay_s == 5.0
    assert Timing(0.0, 300.0, 600.0).entry_delay_s == 60.0
    assert Timing(0.0).by == 10.0


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (limit(price="60000.05"), Reason.TICK_SIZE_VIOLATED),
        (limit(quantity="0.00000001"), Reason.ORDER_MINIMUM_NOT_MET),
        (limit(symbol="BTC/USX"), Reason.UNKNOWN_SYMBOL),
    ],
)
def test_a_bad_order_leaves_no_trace_and_the_id_free(spec, reason):
    """Refused before the intent: the same id may be used for the mended order."""

    async def scenario(here):
        with pytest.raises(Declined) as caught:
            await here.place("c-1", spec)
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (reason, "false")
        assert (await here.place("c-1")).order.status is Status.OPEN

    in_world(scenario)


def test_any_spelling_places_on_the_canonical_pair():
    """XBTUSD and BTC/USD are one content."""

    async def scenario(here):
        first = await here.place("c-1", limit(symbol="XXBTZUSD"))
        again = await here.place("c-1", limit(symbol="btc-usd"))
        assert (first.order.spec.symbol, again.replayed) == (BTC_USD.symbol, True)

    in_world(scenario)


def test_an_order_above_the_notional_limit_is_refused():
    """0.001 BTC at 60,000 is 60 USD."""

    async def scenario(here):
        assert (await here.place("c-1")).order.status is Status.OPEN
        with pytest.raises(Declined) as caught:
            await here.place("c-2", limit("0.0010001"))
        told = caught.value.fault.metadata
        assert (caught.value.reason, told["value"], told["limit"]) == (Reason.RISK_REFUSED, "60.01", "60")

    in_world(scenario, max_order_notional=Decimal(60))


def test_a_closed_desk_says_why_and_still_cancels():
    """Draining: new placements are refused as not sent, cancels pass."""

    async def scenario(here):
        await here.place("c-1")
        here.house.switch.close("drain", Fault(Reason.SHUTTING_DOWN, "draining"))
        with pytest.raises(Busy) as caught:
            await here.place("c-2")
        assert (caught.value.reason, caught.value.fault.metadata["id_used"]) == (Reason.SHUTTING_DOWN, "false")
        cancelled = await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)
        assert cancelled.status is Status.CANCELLED

    in_world(scenario)


def test_a_replay_is_answered_even_by_a_closed_desk():
    """Asking for an order that exists places nothing."""

    async def scenario(here):
        await here.place("c-1")
        here.house.switch.close("drain", Fault(Reason.SHUTTING_DOWN, "draining"))
        assert (await here.place("c-1")).replayed

    in_world(scenario)


def test_a_cancel_makes_the_order_cancelled_and_again_is_the_same():
    """On a terminal order OK at once, and nothing more is sent."""

    async def scenario(here):
        await here.place("c-1")
        by = here.clock.monotonic() + 5
        first = await here.desk.cancel(ME, REF, by)
        again = await here.desk.cancel(ME, REF, by)
        assert (first.status, first.cancel_requested, again) == (Status.CANCELLED, True, first)
        assert len(here.venue.cancels) == 1

    in_world(scenario)


def test_a_cancel_of_an_order_in_doubt_is_kept_until_the_order_is_found():
    """Kraken's "Unknown order" proves nothing before the doubt is resolved."""

    async def scenario(here):
        here.venue.lag_s = 1.0
        here.venue.plan.append(Fate(arrives_s=2.5, answers_s=None))
        asking = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(2.1)
        early = await here.desk.cancel(ME, REF, here.clock.monotonic() + 0.3)
        assert (early.status, early.cancel_requested) == (Status.IN_DOUBT, True)
        await asking
        await here.clock.sleep(5)
        await here.house.cancels.pursue_wishes()
        assert (await here.desk.get(ME, REF)).status is Status.CANCELLED

    in_world(scenario)


def test_a_cancel_passes_while_the_store_is_down():
    """Cancels never wait for a dead store."""

    async def scenario(here):
        await here.place("c-1")
        record = here.store.record

        async def failing(*_, **__):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))

        here.store.record = failing
        await here.desk.cancel(ME, REF, here.clock.monotonic() + 5)
        here.store.record = record
        assert len(here.venue.cancels) == 1
        assert here.venue.orders[here.venue.sends[0]][0].status is Status.CANCELLED

    in_world(scenario)


def test_another_callers_order_is_neither_shown_nor_cancelled():
    """A caller without account and kill sees and cancels its own orders only."""

    async def scenario(here):
        await here.place("c-1")
        theirs = replace(REF, caller="local")
        with pytest.raises(Declined) as caught:
            await here.desk.cancel(OTHER, theirs, here.clock.monotonic() + 5)
        assert caught.value.reason is Reason.ORDER_NOT_FOUND
        assert here.venue.cancels == []

    in_world(scenario)


def test_an_outcome_that_cannot_be_stored_stays_a_doubt_and_resolves():
    """Told only after commit: the store fails at the outcome, comes back, and the order is settled by asking."""

    async def scenario(here):
        record, failures = here.store.record, [3]

        async def failing(*arguments, **named):
            if failures[0]:
                failures[0] -= 1
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            return await record(*arguments, **named)

        here.store.record = failing
        placed = await here.place("c-1")
        await here.resolver.until_none(30.0)
        assert placed.order.status in {Status.OPEN, Status.IN_DOUBT}
        assert (await here.desk.get(ME, REF)).status is Status.OPEN
        assert len(here.venue.sends) == 1

    in_world(scenario)


def test_a_bug_while_sending_leaves_no_order_undecided():
    """Whatever breaks between intent and outcome, the resolver takes the order over once its deadline has passed."""

    async def scenario(here):
        async def broken(*_, **__):
            raise ZeroDivisionError("a bug")

        here.venue.place = broken
        assert (await here.place("c-1")).order.status is Status.IN_DOUBT
        await here.clock.sleep(20)
        assert (await here.desk.get(ME, REF)).status is Status.NOT_PLACED
        assert [type(failure) for failure in here.tasks.failures] == [ZeroDivisionError]
        here.tasks.failures.clear()

    in_world(scenario)


def test_a_refusal_that_arrives_with_the_last_moment_is_told_as_one():
    """Settled between the last look and the doubt: the caller hears the refusal, not an order that reads as accepted."""

    async def scenario(here):
        here.venue.plan.append(Fate(answers_s=None))
        here.venue.reachable = False
        record = here.store.record

        async def overtaken(key, event, now_ns, steps=()):
            if isinstance(event, Doubted) and here.clock.monotonic() > 2.5:
                return await record(key, Refused(NO_FUNDS), now_ns)
            return await record(key, event, now_ns)

        here.venue.patience_s = 9.0
        here.store.record = overtaken
        with pytest.raises(Declined) as caught:
            await here.place("c-1", timeout_s=3.0)
        assert caught.value.reason is Reason.INSUFFICIENT_FUNDS

    in_world(scenario)


def test_an_intent_that_was_kept_although_its_commit_was_told_as_failed_is_looked_for_at_once():
    """The repeat of its id finds it written down and nobody sending it: proved within the usual time, and never sent."""

    async def scenario(here):
        begin = here.store.begin

        async def kept_but_told_as_failed(intent, now_ns, steps=()):
            await begin(intent, now_ns, steps)
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "fsync"))

        here.store.begin = kept_but_told_as_failed
        with pytest.raises(Busy):
            await here.place("c-1")
        here.store.begin = begin
        with pytest.raises(Conflict) as proved:
            await here.place("c-1", timeout_s=30.0)
        assert Reason.NOT_PLACED is proved.value.reason
        assert here.clock.monotonic() < 12.0
        assert [] == here.venue.sends

    in_world(scenario)


@pytest.mark.parametrize("seen", [Status.OPEN, Status.FILLED])
def test_a_refusal_of_an_order_that_was_seen_answers_a_copy_of_it(seen):
    """The stream shows it before the answer comes, and the answer denies it: the sight stands, nothing breaks."""

    async def scenario(here):
        here.venue.plan.append(Fate(answers_s=1.0, refusal=NO_FUNDS))
        placing = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.5)
        key = OrderKey("main", "local", "c-1")
        sent = await here.store.get(key)
        report = VenueOrder(
            "OTX", sent.venue_client_id, seen, sent.spec.base_quantity if seen is Status.FILLED else None
        )
        await here.store.record(key, Seen(report), here.clock.wall_ns())
        assert seen is (await placing).order.status
        await here.clock.sleep(2.0)
        assert seen is (await here.store.get(key)).status

    in_world(scenario)
