"""Room for a placement: asked for before anything is begun, waited for where the caller allows it, never leaked."""

import asyncio

import pytest
from desk_parts import in_world, place, refused, released

from execsvc.domain.errors import Busy, Fault, Reason, refuse
from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Status
from tests.support.venue import Fate
from tests.support.world import OTHER, limit

KEY = OrderKey("main", "local", "c-1")
LEAST_S = 2.2
DRAINING = Fault(Reason.SHUTTING_DOWN, "draining")


def full(wait_s=3.0):
    return refuse(Reason.LOCAL_RATE_LIMITED, "the counter is full", retry_after_s=wait_s)


# ---- asked for ------------------------------------------------------------------------------------------------------


def test_room_is_asked_for_in_the_callers_name_and_not_waited_for():
    """Pair, caller, now."""

    async def scenario(here):
        await here.clock.sleep(1.0)
        await place(here, spec=limit(symbol="XXBTZUSD"))
        return here.venue.rates.asked

    assert in_world(scenario) == [("BTC/USD", "local", 1.0)]


def test_other_callers_ask_in_their_own_name():
    """Turns are by caller."""

    async def scenario(here):
        await here.place("c-1", who=OTHER)
        return [caller for _, caller, _ in here.venue.rates.asked]

    assert in_world(scenario) == ["other"]


@pytest.mark.parametrize("spec", [limit(price="60000.05"), limit(quantity="0.00000001"), limit(symbol="BTC/USX")])
def test_an_order_that_may_not_be_placed_takes_no_room(spec):
    """Checks come first."""

    async def scenario(here):
        await refused(here, spec=spec)
        return here.venue.rates.asked

    assert in_world(scenario) == []


def test_an_order_that_is_sent_uses_its_room():
    """Nobody gives back what was used."""

    async def scenario(here):
        await place(here)
        return released(here)

    assert in_world(scenario) == [0]


# ---- given back -----------------------------------------------------------------------------------------------------


def test_a_store_that_refuses_the_intent_gives_the_room_back():
    """Nothing was begun."""

    async def scenario(here):
        async def failing(intent, now_ns, steps=()):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))

        here.store.begin = failing
        reason = (await refused(here)).reason
        return reason, released(here)

    assert in_world(scenario) == (Reason.STORE_UNAVAILABLE, [1])


def test_a_repeat_gives_its_room_back():
    """The id is known: nothing is sent a second time."""

    async def scenario(here):
        await place(here)
        return (await place(here)).replayed, released(here)

    assert in_world(scenario) == (True, [0, 1])


def test_of_repeats_in_flight_all_but_one_give_their_room_back():
    """Whoever's insert won sends."""

    async def scenario(here):
        await asyncio.gather(*(place(here) for _ in range(5)))
        return sorted(released(here)), len(here.venue.sends)

    assert in_world(scenario) == ([0, 1, 1, 1, 1], 1)


def test_other_content_under_a_known_id_gives_the_room_back():
    """A conflict places nothing."""

    async def scenario(here):
        await place(here)
        reason = (await refused(here, spec=limit("0.002"))).reason
        return reason, released(here)

    assert in_world(scenario) == (Reason.CLIENT_ORDER_ID_REUSED, [0, 1])


def test_an_order_that_was_never_sent_gives_its_room_back_and_asks_anew():
    """The next attempt is another placement."""

    async def scenario(here):
        here.venue.plan.append(Fate(unsent=Fault(Reason.VENUE_UNREACHABLE, "connection refused")))
        await refused(here)
        await place(here)
        return released(here)

    assert in_world(scenario) == [1, 0]


def test_a_caller_that_hangs_up_leaves_the_room_to_its_order():
    """The send is the server's own."""

    async def scenario(here):
        asking = asyncio.ensure_future(place(here))
        await asyncio.sleep(0.001)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await here.clock.sleep(1.0)
        return released(here), len(here.venue.sends)

    assert in_world(scenario) == ([0], 1)


# ---- refused --------------------------------------------------------------------------------------------------------


def test_a_full_counter_refuses_before_anything_is_begun():
    """The wait is told, the id stays free, the journal knows nothing."""

    async def scenario(here):
        here.venue.rates.refusals.append(full())
        fault = await refused(here)
        return fault, await here.store.get(KEY), here.venue.sends

    fault, known, sends = in_world(scenario)
    assert (Reason.LOCAL_RATE_LIMITED, 3.0, "false") == (fault.reason, fault.retry_after_s, fault.metadata["id_used"])
    assert (None, []) == (known, sends)


def test_a_known_id_is_answered_from_the_journal_while_the_counter_is_full():
    """A repeat costs nothing."""

    async def scenario(here):
        first = await place(here)
        here.venue.rates.refusals.append(full())
        again = await place(here, queue_s=5.0)
        return again.order == first.order, again.replayed, len(here.venue.rates.asked), here.clock.monotonic() < 1.0

    assert in_world(scenario) == (True, True, 2, True)


def test_other_content_under_a_known_id_is_a_conflict_while_the_counter_is_full():
    """The id is used: that is what the caller must know."""

    async def scenario(here):
        await place(here)
        here.venue.rates.refusals.append(full())
        return await refused(here, spec=limit("0.002"), queue_s=5.0)

    fault = in_world(scenario)
    assert (Reason.CLIENT_ORDER_ID_REUSED, "true") == (fault.reason, fault.metadata["id_used"])


def test_an_id_that_was_never_sent_is_free_while_the_counter_is_full():
    """It is told the counter, not its old fate."""

    async def scenario(here):
        here.venue.plan.append(Fate(unsent=Fault(Reason.VENUE_UNREACHABLE, "connection refused")))
        await refused(here)
        here.venue.rates.refusals.append(full())
        return (await refused(here)).reason

    assert in_world(scenario) is Reason.LOCAL_RATE_LIMITED


# ---- held back ------------------------------------------------------------------------------------------------------


def test_a_caller_that_allows_it_is_held_back_for_so_long():
    """Room is asked for once more, with the time that the caller gave."""

    async def scenario(here):
        here.venue.rates.refusals.append(full())
        placed = await place(here, queue_s=1.5)
        return placed.order.status, here.venue.rates.asked

    assert in_world(scenario) == (Status.OPEN, [("BTC/USD", "local", 0.0), ("BTC/USD", "local", 1.5)])


def test_nobody_is_held_back_past_what_the_placement_itself_needs():
    """Five seconds to enter, less Kraken's least."""

    async def scenario(here):
        here.venue.rates.refusals.append(full())
        await place(here, queue_s=60.0)
        return here.venue.rates.asked[1][2]

    assert in_world(scenario) == pytest.approx(5.0 - LEAST_S)


def test_one_with_no_time_to_spare_is_not_held_back():
    """The refusal of the first asking is told."""

    async def scenario(here):
        here.venue.rates.refusals.append(full())
        fault = await refused(here, queue_s=60.0, timeout_s=LEAST_S)
        return fault.reason, len(here.venue.rates.asked)

    assert in_world(scenario) == (Reason.LOCAL_RATE_LIMITED, 1)


def test_a_second_refusal_is_told():
    """With its own wait."""

    async def scenario(here):
        here.venue.rates.refusals += [full(3.0), full(2.5)]
        fault = await refused(here, queue_s=1.0)
        return fault.reason, fault.retry_after_s, fault.metadata["id_used"]

    assert in_world(scenario) == (Reason.LOCAL_RATE_LIMITED, 2.5, "false")


@pytest.mark.parametrize("reason", [Reason.VENUE_ORDER_LIMIT, Reason.VENUE_LOCKED_OUT])
def test_only_a_counter_is_waited_for(reason):
    """What time alone does not heal, or not soon, is told at once."""

    async def scenario(here):
        here.venue.rates.refusals.append(refuse(reason, "no"))
        return (await refused(here, queue_s=5.0)).reason, len(here.venue.rates.asked)

    assert in_world(scenario) == (reason, 1)


def test_a_failed_check_is_not_waited_for():
    """A bad order gets no better."""

    async def scenario(here):
        here.house.switch.close("drain", DRAINING)
        return (await refused(here, queue_s=5.0)).reason, here.venue.rates.asked

    assert in_world(scenario) == (Reason.SHUTTING_DOWN, [])


def waiting_room(here, meanwhile):
    """The second asking takes a second, in which `meanwhile()` happens."""
    room = here.venue.rates.room

    async def slow(symbol, caller, by):
        if by > here.clock.monotonic():
            await here.clock.sleep(1.0)
            meanwhile()
        return await room(symbol, caller, by)

    here.venue.rates.refusals.append(full())
    here.venue.rates.room = slow


def test_what_became_forbidden_meanwhile_gives_the_room_back():
    """All is checked once more after the wait."""

    async def scenario(here):
        waiting_room(here, lambda: here.house.switch.close("drain", DRAINING))
        fault = await refused(here, queue_s=2.0)
        return fault.reason, fault.metadata["id_used"], released(here), here.venue.sends

    assert in_world(scenario) == (Reason.SHUTTING_DOWN, "false", [1], [])


def test_an_id_that_became_known_meanwhile_is_answered_and_gives_the_room_back():
    """A second caller of the same id was faster."""

    async def scenario(here):
        here.venue.rates.refusals.append(full())
        room = here.venue.rates.room

        async def slow(symbol, caller, by):
            if by > here.clock.monotonic():
                await here.clock.sleep(1.0)
            return await room(symbol, caller, by)

        here.venue.rates.room = slow
        held = asyncio.ensure_future(place(here, queue_s=2.0))
        await here.clock.sleep(0.5)
        first = await place(here)
        again = await held
        return again.order == first.order, again.replayed, released(here)

    assert in_world(scenario) == (True, True, [0, 1])


def test_one_that_was_held_back_is_answered_in_its_callers_time():
    """The wait counts: the deadlines were fixed on arrival."""

    async def scenario(here):
        waiting_room(here, lambda: None)
        here.venue.plan.append(Fate(answers_s=None))
        here.venue.reachable = False
        placed = await place(here, queue_s=2.0, timeout_s=4.0)
        return placed.order.status, round(here.clock.monotonic(), 2)

    assert in_world(scenario) == (Status.IN_DOUBT, 3.8)
