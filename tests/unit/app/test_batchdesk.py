"""Several orders in one call: each an intent of its own, one send, an outcome for each, and no row sent twice."""

import asyncio

import pytest

from execsvc.app.timing import Timing
from execsvc.domain.errors import Busy, Conflict, Declined, Fault, Reason, error_of
from execsvc.domain.order import Status
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import ME, limit, world


def in_world(scenario, **parts):
    async def main():
        async with world(**parts) as here:
            return await scenario(here)

    return run_sim(main())


def entries(*names, **more):
    return [(name, limit(price=f"{60000 - index}.0", **more)) for index, name in enumerate(names)]


def place(here, rows, *, timeout_s=10.0, queue_s=0.0):
    now = here.clock.monotonic()
    return here.desk.place_many(ME, rows, Timing(now, now + timeout_s, 5.0, queue_s))


async def statuses(here):
    orders = await here.store.in_status("main", frozenset(Status))
    return {order.key.client_order_id: order.status for order in orders}


def test_all_rows_go_in_one_call():
    """Each is placed, and answered in the sequence of the request."""

    async def scenario(here):
        placed = await place(here, entries("a", "b", "c"))
        assert [("a", Status.OPEN, False), ("b", Status.OPEN, False), ("c", Status.OPEN, False)] == [
            (each.order.key.client_order_id, each.order.status, each.replayed) for each in placed
        ]
        assert [3] == [len(batch) for batch in here.venue.batches]

    in_world(scenario)


def test_a_row_that_a_rule_refuses_spoils_no_other():
    """Its error names the field within the request and leaves its id free; the others are sent without it."""

    async def scenario(here):
        rows = entries("a", "b", "c")
        rows[1] = ("b", limit(price="60000.05"))
        first, refused, third = await place(here, rows)
        assert [Status.OPEN, Status.OPEN] == [first.order.status, third.order.status]
        assert (Reason.TICK_SIZE_VIOLATED, "false", "entries[1].spec.limit.limit_price") == (
            refused.reason,
            refused.metadata["id_used"],
            refused.fields[0].path,
        )
        assert {"a", "c"} == set(await statuses(here))

    in_world(scenario)


def test_nothing_written_down_is_a_failed_call():
    """When every row is refused the first refusal is the answer."""

    async def scenario(here):
        with pytest.raises(Declined) as refused:
            await place(here, [(name, limit(price="60000.05")) for name in ("a", "b")])
        assert (Reason.TICK_SIZE_VIOLATED, "false") == (refused.value.reason, refused.value.fault.metadata["id_used"])
        assert ({}, []) == (await statuses(here), here.venue.sends)

    in_world(scenario)


def test_a_repeated_call_sends_nothing():
    """Known rows are answered from the journal."""

    async def scenario(here):
        await place(here, entries("a", "b"))
        again = await place(here, entries("a", "b"))
        assert [(Status.OPEN, True)] * 2 == [(each.order.status, each.replayed) for each in again]
        assert 2 == len(here.venue.sends)

    in_world(scenario)


def test_only_the_rows_that_are_not_known_are_sent():
    """One of three is known: the other two go as a batch."""

    async def scenario(here):
        await here.place("a", limit(price="60000.0"))
        placed = await place(here, entries("a", "b", "c"))
        assert [True, False, False] == [each.replayed for each in placed]
        assert [2] == [len(batch) for batch in here.venue.batches]

    in_world(scenario)


def test_a_single_new_row_goes_as_a_single_order():
    """Kraken takes no batch of one."""

    async def scenario(here):
        await here.place("a", limit(price="60000.0"))
        _, placed = await place(here, entries("a", "b"))
        assert (Status.OPEN, []) == (placed.order.status, here.venue.batches)

    in_world(scenario)


def test_an_id_that_stands_for_another_order_is_told_in_its_row():
    """Nothing of that row is sent."""

    async def scenario(here):
        await here.place("a", limit(price="50000.0"))
        reused, placed, _ = await place(here, entries("a", "b", "c"))
        assert (Reason.CLIENT_ORDER_ID_REUSED, "true") == (reused.reason, reused.metadata["id_used"])
        assert Status.OPEN is placed.order.status

    in_world(scenario)


def test_a_row_that_kraken_refuses_is_final_and_alone():
    """The refusal is in its row, its id used; the others stand."""

    async def scenario(here):
        poor = Fault(Reason.INSUFFICIENT_FUNDS, "EOrder:Insufficient funds", {"asset": "USD", "id_used": "true"})
        here.venue.plan += [Fate(), Fate(refusal=poor)]
        placed, refused = await place(here, entries("a", "b"))
        assert (Status.OPEN, Reason.INSUFFICIENT_FUNDS) == (placed.order.status, refused.reason)
        assert {"a": Status.OPEN, "b": Status.REJECTED} == await statuses(here)

    in_world(scenario)


def test_a_lost_answer_is_a_doubt_about_each_row_and_ends():
    """What arrived is found by looking; what did not is in doubt in the caller's time, and proved absent later."""

    async def scenario(here):
        here.venue.plan += [Fate(answers_s=None), Fate(arrives_s=None, answers_s=None)]
        told = await place(here, entries("a", "b"), timeout_s=4.0)
        assert [Status.OPEN, Status.IN_DOUBT] == [each.order.status for each in told]
        await here.clock.sleep(40.0)
        assert {"a": Status.OPEN, "b": Status.NOT_PLACED} == await statuses(here)
        assert 2 == len(here.venue.sends)

    in_world(scenario)


def test_the_same_batch_from_two_callers_at_once_is_sent_once():
    """Whoever's insert wins sends; the other is answered with it."""

    async def scenario(here):
        answers = await asyncio.gather(place(here, entries("a", "b")), place(here, entries("a", "b")))
        assert 2 == len(here.venue.sends)
        assert {Status.OPEN} == {each.order.status for answer in answers for each in answer}

    in_world(scenario)


def test_without_room_nothing_is_written_down():
    """The refusal has the exact wait, and every id is free."""

    async def scenario(here):
        full = error_of(Fault(Reason.LOCAL_RATE_LIMITED, "no room", retry_after_s=3.5))
        here.venue.rates.refusals.append(full)
        with pytest.raises(Busy) as refused:
            await place(here, entries("a", "b"))
        assert (3.5, "false") == (refused.value.fault.retry_after_s, refused.value.fault.metadata["id_used"])
        assert {} == await statuses(here)

    in_world(scenario)


def test_with_the_store_down_nothing_is_sent():
    """No intent, no order; the room is given back."""

    async def scenario(here):
        here.store.outage = True
        with pytest.raises((Busy, Conflict)) as refused:
            await place(here, entries("a", "b"))
        here.store.outage = False
        assert (Reason.STORE_UNAVAILABLE, []) == (refused.value.reason, here.venue.sends)
        assert all(room.released for room in here.venue.rates.rooms_set_aside)

    in_world(scenario)


def test_room_of_rows_that_were_known_after_all_is_given_back():
    """Two rows became known between the look and the insert: their room is free again."""

    async def scenario(here):
        await asyncio.gather(place(here, entries("a", "b")), place(here, entries("a", "b")))
        assert 4 == len(here.venue.rates.rooms_set_aside)
        assert 2 == sum(room.released > 0 for room in here.venue.rates.rooms_set_aside)

    in_world(scenario)
