"""Many cancels: whose orders go, in how many calls, what is remembered, and that nothing is lost when a call is."""

import asyncio
from dataclasses import replace

import pytest

from execsvc.app.clearing import Whose
from execsvc.app.masscancels import Swept
from execsvc.domain.errors import Busy, Declined, Fault, Reason, error_of
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import Status
from execsvc.store.batch import QUEUE_MOST
from tests.support.simloop import run_sim
from tests.support.venue import BTC_USD, Fate
from tests.support.world import ME, OTHER, limit, world

SOON_S = 5.0
ETH_USD = replace(BTC_USD, symbol="ETH/USD", base="ETH", venue_symbols=("ETHUSD",))


def in_world(scenario, *, mine=3, others=1):
    """`mine` orders of ME, m-0 on, and `others` of OTHER, o-0 on."""

    async def main():
        async with world(listed=(BTC_USD, ETH_USD)) as here:
            for index in range(mine):
                await here.place(f"m-{index}", limit(price=f"{60000 - index}.0"))
            for index in range(others):
                await here.place(f"o-{index}", who=OTHER)
            return await scenario(here)

    return run_sim(main())


def by(here):
    return here.clock.monotonic() + SOON_S


def refs(*names):
    return [OrderRef(client_order_id=name) for name in names]


async def statuses(here):
    orders = await here.store.in_status("main", frozenset(Status))
    return {order.key.client_order_id: order.status for order in orders}


def test_a_list_goes_in_one_call():
    """Each order is answered as it then stands, in the sequence of the request, for one call to Kraken."""

    async def scenario(here):
        ended = await here.house.clearing.cancel(ME, refs("m-2", "m-0"), by(here))
        assert [("m-2", Status.CANCELLED), ("m-0", Status.CANCELLED)] == [
            (order.key.client_order_id, order.status) for order in ended
        ]
        assert 1 == len(here.venue.cancel_batches)
        assert Status.OPEN is (await statuses(here))["m-1"]

    in_world(scenario)


def test_one_that_cannot_be_cancelled_spoils_no_other():
    """An unknown id and another caller's order are told so in their own rows."""

    async def scenario(here):
        unknown, foreign, ended = await here.house.clearing.cancel(
            OTHER,
            [OrderRef(client_order_id="never"), OrderRef(client_order_id="m-0", caller="local"), *refs("o-0")],
            by(here),
        )
        assert [Reason.ORDER_NOT_FOUND, Reason.ORDER_NOT_FOUND] == [unknown.reason, foreign.reason]
        assert Status.CANCELLED is ended.status

    in_world(scenario)


def test_the_same_order_twice_is_cancelled_once():
    """Two names of one order are one cancel and two answers."""

    async def scenario(here):
        first, again = await here.house.clearing.cancel(ME, refs("m-0", "m-0"), by(here))
        assert first == again
        assert [1] == [len(each) for each in here.venue.cancel_batches]

    in_world(scenario)


def test_an_order_that_has_ended_costs_no_call():
    """It is answered as it ended."""

    async def scenario(here):
        await here.house.clearing.cancel(ME, refs("m-0"), by(here))
        (again,) = await here.house.clearing.cancel(ME, refs("m-0"), by(here))
        assert (Status.CANCELLED, 1) == (again.status, len(here.venue.cancel_batches))

    in_world(scenario)


@pytest.mark.parametrize(
    ("whose", "symbol", "gone"),
    [
        (Whose.OWN, "", {"m-0", "m-1", "m-2"}),
        (Whose.OWN, "XBTUSD", {"m-0", "m-1", "m-2"}),
        (Whose.OWN, "ETH/USD", set()),
        (Whose.ALL_CALLERS, "", {"m-0", "m-1", "m-2", "o-0"}),
        (Whose.ACCOUNT, "BTC/USD", {"m-0", "m-1", "m-2", "o-0"}),
    ],
)
def test_a_scope_takes_its_orders_and_no_others(whose, symbol, gone):
    """OWN is the caller's, ALL_CALLERS everybody's who goes through execsvc; a symbol narrows either."""

    async def scenario(here):
        swept = await here.house.clearing.clear(ME, whose, symbol, by(here))
        assert Swept(len(gone), len(gone)) == swept
        assert gone == {name for name, status in (await statuses(here)).items() if status is Status.CANCELLED}

    in_world(scenario)


def test_the_whole_account_goes_by_krakens_own_call():
    """Also what nobody here placed; every known order's wish is written down besides."""

    async def scenario(here):
        swept = await here.house.clearing.clear(ME, Whose.ACCOUNT, "", by(here))
        assert (Swept(4, 4), 1, []) == (swept, here.venue.cleared, here.venue.cancel_batches)
        orders = await here.store.in_status("main", frozenset(Status))
        assert all(order.cancel_requested for order in orders)

    in_world(scenario)


@pytest.mark.parametrize("whose", [Whose.ALL_CALLERS, Whose.ACCOUNT])
def test_others_orders_need_kill(whose):
    """Without it nothing is cancelled."""

    async def scenario(here):
        with pytest.raises(Declined) as refused:
            await here.house.clearing.clear(OTHER, whose, "", by(here))
        assert Reason.PERMISSION_MISSING is refused.value.reason
        assert {Status.OPEN} == set((await statuses(here)).values())

    in_world(scenario)


def test_without_room_for_the_cancel_all_the_known_orders_go_by_their_ids():
    """Kraken counts the one call and not the other: a full counter blocks no cancel."""

    async def scenario(here):
        async def full(by, *, caller=""):
            raise error_of(Fault(Reason.LOCAL_RATE_LIMITED, "the key's counter is full", retry_after_s=9.0))

        here.venue.cancel_all = full
        assert Swept(4, 4) == await here.house.clearing.clear(ME, Whose.ACCOUNT, "", by(here))
        assert [4] == [len(each) for each in here.venue.cancel_batches]

    in_world(scenario)


def test_a_call_that_finds_nobody_leaves_wishes_that_are_pursued():
    """Each wish is durable before the call: what it did not reach is cancelled when Kraken can be reached."""

    async def scenario(here):
        here.venue.reachable = False
        orders = await here.house.clearing.cancel(ME, refs("m-0", "m-1"), by(here))
        assert [(Status.OPEN, True)] * 2 == [(order.status, order.cancel_requested) for order in orders]
        here.venue.reachable = True
        await here.house.cancels.pursue_wishes()
        now = await statuses(here)
        assert [Status.CANCELLED, Status.CANCELLED, Status.OPEN] == [now[name] for name in ("m-0", "m-1", "m-2")]

    in_world(scenario)


def test_a_cancel_all_that_finds_nobody_says_so():
    """What was placed by hand is pursued by nobody here, so the caller must know; known orders' wishes stand."""

    async def scenario(here):
        here.venue.reachable = False
        with pytest.raises(Busy) as unreachable:
            await here.house.clearing.clear(ME, Whose.ACCOUNT, "", by(here))
        assert Reason.VENUE_UNREACHABLE is unreachable.value.reason
        assert all(order.cancel_requested for order in await here.store.in_status("main", frozenset(Status)))

    in_world(scenario)


def test_with_the_store_down_the_account_is_cleared_all_the_same():
    """Kraken needs none of our ids for it."""

    async def scenario(here):
        here.store.outage = True
        swept = await here.house.clearing.clear(ME, Whose.ACCOUNT, "", by(here))
        here.store.outage = False
        assert (Swept(4, 4), 1) == (swept, here.venue.cleared)

    in_world(scenario)


def test_with_the_store_down_a_list_goes_by_derived_ids():
    """As single cancels do; the answers say what is known and no more."""

    async def scenario(here):
        here.store.outage = True
        told = await here.house.clearing.cancel(ME, refs("m-0", "m-1"), by(here))
        here.store.outage = False
        assert ["m-0", "m-1"] == [each.key.client_order_id for each in told]
        assert 2 == sum(report.status is Status.CANCELLED for report, _ in here.venue.orders.values())

    in_world(scenario)


def test_an_order_in_doubt_keeps_its_wish():
    """That Kraken does not know it proves nothing yet: when it is found it is cancelled."""

    async def scenario(here):
        here.venue.plan.append(Fate(arrives_s=2.5, answers_s=None))
        placing = asyncio.ensure_future(here.place("late", timeout_s=3.0))
        await here.clock.sleep(2.4)
        swept = await here.house.clearing.clear(ME, Whose.OWN, "", by(here))
        await placing
        await here.clock.sleep(20.0)
        assert (4, Status.CANCELLED) == (swept.requested, (await statuses(here))["late"])

    in_world(scenario)


# ---- very many -------------------------------------------------------------------------------------------------------


async def very_many(here, count):
    """So many orders of ME, open here and at the exchange, as a desk that has placed all day has them."""
    for first in range(0, count, 200):
        names = [f"v-{index}" for index in range(first, first + 200)]
        await asyncio.gather(*(here.place(name, timeout_s=60.0, entry_s=60.0) for name in names))
    await here.clock.sleep(5.0)


async def placing_all_the_while(here, ends):
    """OTHER places one wave of orders after another until `ends` is done; how many, and how some were refused."""
    refused, number = [], 0

    async def one(name):
        try:
            await here.place(name, who=OTHER)
        except Busy as refusal:
            refused.append(refusal.reason)

    while not ends.done():
        await asyncio.gather(*(one(f"t-{number + index}") for index in range(20)))
        number += 20
    return number, refused


@pytest.mark.parametrize(("whose", "count", "queue"), [(Whose.OWN, 5_000, QUEUE_MOST), (Whose.ACCOUNT, 600, 400)])
def test_a_cancel_of_thousands_of_orders_keeps_nobody_else_out(whose, count, queue):
    """All of them are remembered and cancelled, and another caller's orders go meanwhile: the store's queue is never full."""

    async def scenario(here):
        here.store._writes_most = queue
        await very_many(here, count)
        clearing = asyncio.ensure_future(here.house.clearing.clear(ME, whose, "", by(here) + 60.0))
        await here.clock.sleep(0)
        placed, refused = await placing_all_the_while(here, clearing)
        swept = await clearing
        gone = [order for order in await here.store.in_status("main", frozenset(Status)) if order.key.caller == "local"]
        assert (True, []) == (placed > 0, refused)
        assert (count, count) == (len(gone), sum(order.cancel_requested for order in gone))
        assert count <= swept.requested == swept.cancelled
        mine = {order.venue_client_id for order in gone}
        assert {Status.CANCELLED} == {here.venue.orders[each][0].status for each in mine}

    in_world(scenario, mine=0, others=0)
