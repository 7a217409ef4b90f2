"""Orders that somebody placed by hand: known from what Kraken shows, told without a caller, never in doubt."""

from dataclasses import replace
from decimal import Decimal

import pytest
from stream_parts import BY_HAND, FULL, KEY, fill, lived, news, picture, seen, told

from execsvc.app.executions import RETRY_S
from execsvc.app.orders import OrderFilter
from execsvc.domain.account import AssetAmount
from execsvc.domain.caller import Permission, alike
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderRef
from execsvc.domain.market import Beat, FeedState, LinkDown, LinkUp
from execsvc.domain.order import LIVE, UNRESOLVED, Status
from execsvc.domain.story import StepKind
from execsvc.ports import OrderQuery, OrdersSnapshot
from tests.support.world import ME


def trade(number, txid="OMAN"):
    return seen(fill(number, txid=txid))


@pytest.mark.parametrize(
    "told_by",
    [(LinkUp(1), OrdersSnapshot((BY_HAND,))), (LinkUp(1), OrdersSnapshot(()), news())],
    ids=["picture", "news"],
)
def test_an_order_placed_by_hand_becomes_known(told_by):
    """From the stream's picture and from its news: durable, no caller, Kraken's id after "ext-", version 1."""

    async def script(here, tell):
        await tell(*told_by)
        order = await here.store.get(KEY)
        assert (BY_HAND.spec, Status.OPEN, "OMAN", "", 7, 1) == (
            order.spec,
            order.status,
            order.venue_order_id,
            order.venue_client_id,
            order.open_time_ns,
            order.version,
        )
        assert order == await here.store.find("main", venue_order_id="OMAN")
        assert [StepKind.STATUS] == [step.kind for step in await here.store.story(KEY)]

    lived(script)


def test_it_is_told_once_and_then_changes():
    """A second picture that says the same is no news; a fill and an end are."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), news(), LinkUp(2), OrdersSnapshot((BY_HAND,)))
        await tell(trade(1), news(status=Status.CANCELLED, filled_quantity=Decimal("0.00001")))
        orders = [entry.order for entry in await here.store.after("main", 0, 100) if entry.order is not None]
        assert [(Status.OPEN, 1), (Status.OPEN, 2), (Status.CANCELLED, 3)] == [
            (order.status, order.version) for order in orders
        ]
        assert (AssetAmount("USD", Decimal("0.01")),) == orders[-1].fees

    lived(script)


def test_its_fills_have_no_caller():
    """They name the order as it is named here."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), trade(1))
        (entry,) = [entry for entry in await here.store.after("main", 0, 100) if entry.fill is not None]
        assert ("", "ext-OMAN", "main") == (entry.fill.caller, entry.fill.client_order_id, entry.fill.account)

    lived(script)


def test_it_is_never_in_doubt_and_takes_part_in_reconciling():
    """Nobody looks for it by a wire id; when it is missing in a picture it is asked for by its own."""

    async def script(here, tell):
        here.venue.orders["by hand"] = (BY_HAND, 0.0)
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)))
        assert () == await here.store.in_status("main", UNRESOLVED)
        here.venue.orders["by hand"] = (replace(BY_HAND, status=Status.CANCELLED), 0.0)
        await tell(LinkDown("cut"), LinkUp(2), OrdersSnapshot(()))
        assert Status.CANCELLED is (await here.store.get(KEY)).status
        assert [] == here.venue.sweeps

    lived(script)


def test_an_order_of_ours_is_not_taken_for_one():
    """Its picture carries the derived id, whether or not Kraken's own is known yet."""

    async def script(here, tell):
        order = (await here.place("c-1")).order
        report, _ = here.venue.orders[order.venue_client_id]
        await tell(LinkUp(1), OrdersSnapshot((replace(report, spec=order.spec),)))
        assert (order.key,) == tuple(each.key for each in await here.store.in_status("main", LIVE))

    lived(script)


def test_one_that_the_stream_does_not_describe_is_asked_for():
    """An order on margin is told by REST alone."""

    async def script(here, tell):
        here.venue.orders["by hand"] = (BY_HAND, 0.0)
        await tell(LinkUp(1), OrdersSnapshot(()), news(spec=None), wait_s=2 * RETRY_S)
        assert BY_HAND.spec == (await here.store.get(KEY)).spec
        assert [("OMAN",)] == here.venue.queries

    lived(script)


def test_one_that_came_and_went_unseen_is_told_before_its_fills():
    """The picture's trades name an order that nobody knows: it is asked for first, and the stream is live after that."""

    async def script(here, tell):
        here.venue.orders["by hand"] = (replace(BY_HAND, status=Status.FILLED, filled_quantity=Decimal("0.5")), 0.0)
        await tell(LinkUp(1), picture([fill(1, txid="OMAN")], ()))
        entries = await here.store.after("main", 0, 100)
        assert ["order", "fill", "order"] == ["fill" if entry.order is None else "order" for entry in entries]
        assert {KEY} == {entry.order.key for entry in entries if entry.order is not None}
        assert FeedState.LIVE is here.house.executions.state

    lived(script)


def test_past_trades_wait_for_the_word_whose_they_are():
    """They may be of an order of ours whose answer was lost: told too soon they would be told as nobody's."""

    async def script(here, tell):
        asked = here.venue.query

        async def full(*_, **__):
            raise FULL

        here.venue.query = full
        order = (await here.place("c-1")).order
        report, since = here.venue.orders[order.venue_client_id]
        here.venue.orders[order.venue_client_id] = (replace(report, venue_order_id="OLATE"), since)
        await tell(LinkUp(1), picture([fill(1, txid="OLATE")], (report,)))
        assert ([], FeedState.RESYNCING) == (await told(here.store), here.house.executions.state)
        here.venue.query = asked
        await tell(Beat(1), wait_s=2 * RETRY_S)
        (entry,) = [entry for entry in await here.store.after("main", 0, 100) if entry.fill is not None]
        assert ("local", "c-1") == (entry.fill.caller, entry.fill.client_order_id)
        assert FeedState.LIVE is here.house.executions.state

    lived(script)


def test_a_query_that_lags_is_asked_once_more():
    """Not shown proves nothing before V has passed."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot(()), news(spec=None))
        here.venue.orders["by hand"] = (BY_HAND, 0.0)
        await tell(Beat(1), wait_s=here.house.visibility.bound_s)
        assert BY_HAND.spec == (await here.store.get(KEY)).spec
        assert ([("OMAN",)] * 2, []) == (here.venue.queries, here.alarms)

    lived(script)


@pytest.mark.parametrize("shown", [True, False])
def test_what_nobody_can_describe_is_left_out_and_said_once(shown):
    """A person is told, its fills are told all the same, and nobody asks again."""

    async def script(here, tell):
        if shown:
            here.venue.orders["by hand"] = (replace(BY_HAND, spec=None), 0.0)
        await tell(LinkUp(1), OrdersSnapshot((replace(BY_HAND, spec=None),)), trade(1))
        await tell(Beat(1), wait_s=2 * here.house.visibility.bound_s)
        asked = len(here.venue.queries)
        await tell(LinkUp(2), OrdersSnapshot((replace(BY_HAND, spec=None),)), trade(2), news(spec=None))
        await tell(Beat(1), wait_s=2 * here.house.visibility.bound_s)
        assert (1 if shown else 2, asked) == (asked, len(here.venue.queries))
        assert ["T00001", "T00002"] == await told(here.store)
        assert (None, 1) == (await here.store.get(KEY), sum("OMAN" in alarm for alarm in here.alarms))
        assert FeedState.LIVE is here.house.executions.state

    lived(script)


def test_the_store_being_down_lets_no_such_order_go():
    """Journaled before it is published: the event waits for the store."""

    async def script(here, tell):
        adopt, failures = here.store.adopt, [2]

        async def failing(*asked):
            if failures[0]:
                failures[0] -= 1
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            return await adopt(*asked)

        here.store.adopt = failing
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)))
        assert None is await here.store.get(KEY)
        await here.clock.sleep(3.0)
        assert None is not await here.store.get(KEY)

    lived(script)


def test_a_child_of_a_conditional_close_names_its_parent():
    """Kraken placed it: it is nobody's here, and says which order it came from."""

    async def script(here, tell):
        await tell(LinkUp(1), OrdersSnapshot((replace(BY_HAND, parent_order_id="OPARENT"),)))
        assert "OPARENT" == (await here.store.get(KEY)).parent_order_id

    lived(script)


# ---- who may what ------------------------------------------------------------------------------------------------


def test_cancelling_one_needs_kill_and_goes_by_krakens_id():
    """It is another's order: whoever may read the account may not end it."""

    async def script(here, tell):
        here.venue.orders["by hand"] = (BY_HAND, 0.0)
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)))
        reader = alike("reader", frozenset({Permission.ACCOUNT, Permission.CANCEL}), ("main",))
        ref, by = OrderRef(venue_order_id="OMAN"), here.clock.monotonic() + 5
        assert KEY == (await here.desk.get(reader, ref)).key
        with pytest.raises(Declined) as refused:
            await here.desk.cancel(reader, ref, by)
        assert Reason.PERMISSION_MISSING is refused.value.reason
        order = await here.desk.cancel(ME, ref, by)
        assert (Status.CANCELLED, ["by hand"]) == (order.status, here.venue.cancels)

    lived(script)


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (OrderFilter("local"), {"c-1"}),
        (OrderFilter(""), {"c-1"}),
        (OrderFilter("", outside=True), {"c-1", "ext-OMAN"}),
    ],
    ids=["own", "all callers", "account"],
)
def test_the_scope_account_shows_them_and_no_other_does(wanted, ids):
    """Their orders and fills alike; lists and streams agree."""

    async def script(here, tell):
        await here.place("c-1")
        await tell(LinkUp(1), OrdersSnapshot((BY_HAND,)), trade(1))
        entries = [entry for entry in await here.store.after("main", 0, 100) if wanted.passes(entry)]
        named = {(entry.order.key if entry.order is not None else entry.fill).client_order_id for entry in entries}
        query = OrderQuery("main", caller=wanted.caller, placed_here=not wanted.outside)
        listed = {order.key.client_order_id for order in await here.store.page(query)}
        assert (ids, ids) == (named, listed)

    lived(script)
