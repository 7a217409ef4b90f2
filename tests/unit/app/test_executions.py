"""The private stream: journal first, nothing missed across a broken link."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from execsvc.app.orders import OrderFeed
from execsvc.domain.account import AssetAmount, Fill
from execsvc.domain.errors import Busy, Declined, Fault, Reason
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.market import Beat, EventTimes, FeedState, LinkDown, LinkUp, Side
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import BalanceSeen, ExecutionSeen, OrdersSnapshot
from tests.support.simloop import run_sim
from tests.support.venue import Fate
from tests.support.world import ME, world

REF = OrderRef(client_order_id="c-1")


def followed(script):
    async def main():
        async with world() as here:
            events = asyncio.Queue()

            async def stream():
                while True:
                    yield await events.get()

            here.venue.events = stream
            executions = here.house.executions
            here.tasks.start("executions", executions.follow())

            async def tell(*told):
                for event in told:
                    events.put_nowait(event)
                await here.clock.sleep(0.2)

            await script(here, executions, tell)

    run_sim(main())


def fill_of(order, quantity="0.001", fill_id="T1"):
    amount = Decimal(quantity)
    return Fill(
        fill_id=fill_id,
        account="",
        caller="",
        venue_order_id=order.venue_order_id,
        client_order_id="",
        symbol="BTC/USD",
        side=Side.BUY,
        price=Decimal(60000),
        quantity=amount,
        cost=amount * 60000,
        fees=(AssetAmount("USD", Decimal("0.1")),),
        maker=True,
        times=EventTimes(1, 2),
    )


def trade_of(order, quantity="0.001", fill_id="T1", status=Status.OPEN):
    fill = fill_of(order, quantity, fill_id)
    return ExecutionSeen(
        VenueOrder(
            order.venue_order_id,
            None,
            status,
            fill.quantity,
            fill.cost,
            added_fees=fill.fees,
            added_quantity=fill.quantity,
        ),
        fill,
    )


def test_a_fill_is_durable_with_its_owner_before_readers_see_it():
    """The fill comes first, the order that includes it follows, both from the journal."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        feed = OrderFeed("main", here.store, here.store.journal_id, here.clock)
        wanted = feed.filter_for(ME, all_callers=False, symbols=frozenset())
        async with feed.follow(wanted, None) as (reader, shown):
            assert [each.key for each in shown] == [order.key]
            await tell(LinkUp(1), OrdersSnapshot(()), trade_of(order))
            entries = []
            while (entry := await reader.take(here.clock.monotonic() + 0.5)) is not None:
                entries.append(entry)
        (fill,) = [entry.fill for entry in entries if entry.fill is not None]
        assert (fill.caller, fill.client_order_id, fill.account) == ("local", "c-1", "main")
        after = entries[[entry.fill for entry in entries].index(fill) + 1].order
        assert (after.status, after.filled_quantity, after.fees) == (
            Status.FILLED,
            Decimal("0.001"),
            (AssetAmount("USD", Decimal("0.1")),),
        )

    followed(script)


def test_a_fill_told_twice_counts_once():
    """fill_id is the deduplication key."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        trade = trade_of(order, "0.0005")
        await tell(trade, trade)
        seen = await here.desk.get(ME, REF)
        assert (seen.filled_quantity, seen.fees) == (Decimal("0.0005"), (AssetAmount("USD", Decimal("0.1")),))

    followed(script)


def test_the_stream_settles_a_doubt_before_any_sweep():
    """Found by its cl_ord_id on the executions channel."""

    async def script(here, executions, tell):
        here.venue.lag_s = 60.0
        here.venue.plan.append(Fate(answers_s=None))
        asking = asyncio.ensure_future(here.place("c-1"))
        await here.clock.sleep(0.5)
        wire_id, txid = here.venue.accepted[0]
        await tell(ExecutionSeen(VenueOrder(txid, wire_id, Status.OPEN), None))
        placed = await asking
        assert (placed.order.status, placed.order.venue_order_id) == (Status.OPEN, txid)
        assert here.clock.monotonic() < 2.5

    followed(script)


def test_what_happened_while_the_link_was_down_is_asked_for():
    """An order missing from the fresh snapshot is queried by id: its cancel is not missed."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        held, since = here.venue.orders[order.venue_client_id]
        here.venue.orders[order.venue_client_id] = (replace(held, status=Status.CANCELLED), since)
        await tell(LinkDown("cut"), LinkUp(1), OrdersSnapshot(()))
        assert (await here.desk.get(ME, REF)).status is Status.CANCELLED

    followed(script)


def test_the_state_is_live_only_after_the_snapshot_is_merged():
    """STALE without a link, RESYNCING until reconciled, STALE again after silence."""

    async def script(here, executions, tell):
        states = [executions.state]
        await tell(LinkUp(1))
        states.append(executions.state)
        await tell(OrdersSnapshot(()))
        states.append(executions.state)
        await here.clock.sleep(16)
        states.append(executions.state)
        await tell(Beat(1))
        states.append(executions.state)
        assert states == [FeedState.STALE, FeedState.RESYNCING, FeedState.LIVE, FeedState.STALE, FeedState.LIVE]

    followed(script)


def test_an_amend_by_hand_changes_the_spec():
    """Kraken's picture of the order is newer than ours: its figures are the order's, and that is a new version."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        wanted = replace(order.spec, base_quantity=Decimal("0.002"), limit_price=Decimal("59000.0"))
        await tell(ExecutionSeen(VenueOrder(order.venue_order_id, None, Status.OPEN, spec=wanted), None))
        seen = await here.desk.get(ME, REF)
        assert (wanted, order.version + 1) == (seen.spec, seen.version)

    followed(script)


def test_an_event_waits_for_a_store_that_is_down():
    """Not let go before it is durable."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        record, failures = here.store.record_fill, [2]

        async def failing(*arguments):
            if failures[0]:
                failures[0] -= 1
                raise Busy(Fault(Reason.STORE_UNAVAILABLE, "disk full"))
            return await record(*arguments)

        here.store.record_fill = failing
        await tell(trade_of(order))
        await here.clock.sleep(3)
        assert (await here.desk.get(ME, REF)).status is Status.FILLED

    followed(script)


def test_an_order_that_contradicts_a_verdict_is_corrected_and_the_stream_goes_on():
    """NEVER_SENT, yet Kraken shows it: the journal tells the truth, trading halts, cancels pass, nothing stands still."""

    async def script(here, executions, tell):
        here.venue.plan.append(Fate(unsent=Fault(Reason.VENUE_UNREACHABLE, "refused")))
        with pytest.raises(Busy):
            await here.place("c-1")
        order = await here.store.get(OrderKey("main", "local", "c-1"))
        second = (await here.place("c-2")).order
        await tell(ExecutionSeen(VenueOrder("OGHOST", order.venue_client_id, Status.OPEN), None), trade_of(second))
        assert (await here.desk.get(ME, OrderRef(client_order_id="c-2"))).status is Status.FILLED
        ghost = await here.desk.get(ME, REF)
        assert (Status.OPEN, Status.NEVER_SENT, "OGHOST") == (ghost.status, ghost.corrected_from, ghost.venue_order_id)
        with pytest.raises(Declined) as refused:
            await here.place("c-3")
        assert Reason.TRADING_HALTED is refused.value.reason
        assert len(here.alarms) == 1
        assert "NEVER_SENT" in here.alarms[0]

    followed(script)


def test_news_go_on_while_a_picture_cannot_be_compared_yet():
    """Kraken's counter is full: what vanished is asked for later, what the stream tells is recorded, the state not LIVE."""

    async def scenario(here, executions, tell):
        order = (await here.place("c-1")).order
        report, _ = here.venue.orders[order.venue_client_id]
        asked, full = here.venue.query, Busy(Fault(Reason.LOCAL_RATE_LIMITED, "full", retry_after_s=9.0))

        async def refuse(*_, **__):
            raise full

        here.venue.query = refuse
        await tell(LinkUp(1), OrdersSnapshot(()))
        before = executions.state
        await tell(ExecutionSeen(replace(report, status=Status.CANCELLED), None))
        cancelled = (await here.desk.get(ME, REF)).status
        await tell(Beat(1))
        still = executions.state
        here.venue.query = asked
        here.tasks.start("reconcile", executions.reconcile_now_and_then())
        await here.clock.sleep(2.5)
        await tell(Beat(2))
        assert (FeedState.RESYNCING, FeedState.RESYNCING, FeedState.LIVE) == (before, still, executions.state)
        assert Status.CANCELLED is cancelled

    followed(scenario)


def test_the_stream_is_read_on_while_kraken_takes_its_time():
    """A line that nobody reads counts as dead after 5 s, and the next picture would wait as long."""

    async def scenario(here, executions, tell):
        order = (await here.place("c-1")).order
        report, _ = here.venue.orders[order.venue_client_id]

        async def slow(*_, **__):
            await here.clock.sleep(60.0)
            return ()

        here.venue.query = slow
        await tell(LinkUp(1), OrdersSnapshot(()), ExecutionSeen(replace(report, status=Status.CANCELLED), None))
        await here.clock.sleep(3.0)
        assert Status.CANCELLED is (await here.desk.get(ME, REF)).status

    followed(scenario)


def test_news_of_the_account_reach_its_funds():
    """Orders, fills and balances alike: each may have moved them."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        funds = here.house.funds
        counts = []
        for event in (
            LinkUp(1),
            OrdersSnapshot(()),
            trade_of(order),
            BalanceSeen("USD", None, EventTimes(1, 2)),
            Beat(9),
        ):
            await tell(event)
            counts.append(funds.moves)
        assert ([1, 2, 3, 4, 4], 1) == (counts, funds.link)

    followed(script)


def test_funds_hear_of_a_fill_once_it_is_durable():
    """The journal comes first: while it takes nothing, nobody asks what the fill did to the funds."""

    async def script(here, executions, tell):
        order = (await here.place("c-1")).order
        await tell(LinkUp(1), OrdersSnapshot(()))
        before, store = here.house.funds.moves, here.house.executions._journal
        find = store.find

        async def full(*asked, **more):
            raise Busy(Fault(Reason.STORE_UNAVAILABLE, "the disk is full"))

        store.find = full
        await tell(trade_of(order))
        waiting = here.house.funds.moves
        store.find = find
        await here.clock.sleep(2)
        assert (before, before + 1) == (waiting, here.house.funds.moves)

    followed(script)


def test_balances_are_a_sign_of_life():
    """A stream that tells of nothing but funds is not silent."""

    async def script(here, executions, tell):
        await tell(LinkUp(1), OrdersSnapshot(()))
        for _ in range(4):
            await here.clock.sleep(5)
            await tell(BalanceSeen("USD", None, EventTimes(1, 2)))
        assert FeedState.LIVE is executions.state

    followed(script)
