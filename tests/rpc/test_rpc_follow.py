"""SubscribeOrders over the wire: snapshot, every change, resume without a hole."""

import grpc
import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import LinkDown, LinkUp
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import ExecutionSeen, OrdersSnapshot
from execsvc.rpc.tokens import resume_token
from tests.rpc.stage import ONE, ended, fill, limit_spec, order_key
from tests.rpc.stage import stage as open_stage
from tests.rpc.streams_reading import Reader, kind
from tests.support.venue import Fate
from tests.support.world import new_disk


def follow(stage, beat=60, **more):
    request = orders.SubscribeOrdersRequest(heartbeat_interval=Duration(seconds=beat), **more)
    return Reader(stage.orders.SubscribeOrders(request))


async def opened(stage, **more):
    """A stream whose snapshot is read."""
    reader = follow(stage, **more)
    await reader.until("snapshot")
    return reader


def statuses(reader):
    return [(each.order.client_order_id, each.order.status) for each in reader.held if kind(each) == "order"]


SUBMITTED, OPEN = order.ORDER_STATUS_SUBMITTED, order.ORDER_STATUS_OPEN


async def test_accepted_names_the_account_and_then_the_open_orders_come(stage):
    """First `accepted` with the account, then the snapshot of what is not terminal, complete."""
    await stage.place("one")
    await stage.place("two")
    await stage.orders.CancelOrder(orders.CancelOrderRequest(order=orders.OrderRef(client_order_id="two")), timeout=2)
    accepted, snapshot = await follow(stage).take(2)
    assert ("main", common.DeliveryPolicy.MODE_BUFFER, ["one"], True) == (
        accepted.accepted.account,
        accepted.accepted.delivery.mode,
        [each.client_order_id for each in snapshot.snapshot.orders],
        snapshot.snapshot.complete,
    )


async def test_an_empty_snapshot_is_complete(stage):
    """Without open orders one empty part says so."""
    _, snapshot = await follow(stage).take(2)
    assert orders.OrderSnapshot(complete=True) == snapshot.snapshot


async def test_a_large_snapshot_comes_in_parts(stage, monkeypatch):
    """Parts of a bounded size, only the last of them complete, every order once."""
    monkeypatch.setattr("execsvc.rpc.follow.SNAPSHOT_PART", 2)
    for name in "abcde":
        await stage.place(name)
    parts = [each.snapshot for each in (await follow(stage).take(4))[1:]]
    assert ([2, 2, 1], [False, False, True], set("abcde")) == (
        [len(each.orders) for each in parts],
        [each.complete for each in parts],
        {each.client_order_id for part in parts for each in part.orders},
    )


async def test_every_change_comes_as_the_whole_order(stage):
    """SUBMITTED, then OPEN, with rising versions and numbers without holes."""
    reader = await opened(stage)
    await stage.place("one")
    first, second = await reader.take(2)
    assert [("one", SUBMITTED), ("one", OPEN)] == statuses(reader)
    assert first.order.version < second.order.version
    assert list(range(1, 5)) == [each.meta.seq for each in reader.held]


async def test_a_fill_comes_before_the_order_that_includes_it(stage):
    """The fill first, then the order with the filled quantity."""
    reader = await opened(stage)
    placed = (await stage.place("one")).order
    await reader.take(2)
    report = VenueOrder(placed.order_id, placed.venue_client_id, Status.FILLED, ONE / 1000, ONE * 60)
    await stage.venue.stream.put(ExecutionSeen(report, fill("T1")))
    execution, after = await reader.until("fill"), await reader.until("order")
    assert ("T1", "one", "local", "FILLED", "0.001") == (
        execution.fill.fill_id,
        execution.fill.client_order_id,
        execution.fill.caller,
        order.OrderStatus.Name(after.order.status).removeprefix("ORDER_STATUS_"),
        after.order.filled_quantity,
    )


async def test_a_stream_resumes_after_the_message_whose_token_it_got(stage):
    """Exactly the events after the token, no snapshot; every message has a token."""
    reader = await opened(stage)
    await stage.place("one")
    first, _ = await reader.take(2)
    await stage.place("two")
    again = follow(stage, resume_token=first.resume_token)
    await again.take(4)
    assert ["accepted", "order", "order", "order"] == again.kinds
    assert [("one", OPEN), ("two", SUBMITTED), ("two", OPEN)] == statuses(again)
    assert all(each.resume_token for each in (*reader.held, *again.held))


async def test_a_token_survives_a_restart_of_the_server():
    """A token of the process before is good in the next one on the same journal."""
    disk = new_disk()
    async with open_stage(disk=disk) as first:
        reader = await opened(first)
        await first.place("one")
        (submitted, _) = await reader.take(2)
    async with open_stage(disk=disk) as second:
        again = follow(second, resume_token=submitted.resume_token)
        await again.take(2)
    assert [("one", OPEN)] == statuses(again)


async def test_a_token_from_before_the_snapshot_brings_the_snapshot_again(stage):
    """Whoever lost the stream before the snapshot was complete gets it whole when it resumes."""
    await stage.place("one")
    (accepted,) = await follow(stage).take(1)
    again = follow(stage, resume_token=accepted.resume_token)
    await again.take(2)
    assert (["accepted", "snapshot"], ["one"]) == (
        again.kinds,
        [each.client_order_id for each in again.held[1].snapshot.orders],
    )


async def test_a_heartbeats_token_is_a_place_too(stage):
    """A stream resumed from a heartbeat misses nothing and repeats nothing."""
    reader = await opened(stage)
    await stage.place("one")
    await reader.take(2)
    await stage.venue.stream.put(LinkUp(1))
    beat = await reader.until("heartbeat")
    again = follow(stage, resume_token=beat.resume_token)
    await again.take(1)
    await stage.place("two")
    await again.take(1)
    assert [("two", SUBMITTED)] == statuses(again)


@pytest.mark.parametrize(
    "token",
    ["", "nonsense", "%%%", resume_token("another-journal", "main", 0), resume_token("journal-1", "other", 0)],
    ids=["empty", "letters", "signs", "journal", "account"],
)
async def test_a_token_that_is_not_of_this_journal_is_refused(stage, token):
    """OUT_OF_RANGE / RESUME_TOKEN_EXPIRED, whatever the text: reopen without it."""
    held, refusal = await ended(stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(resume_token=token)))
    assert ([], grpc.StatusCode.OUT_OF_RANGE, "RESUME_TOKEN_EXPIRED") == (held, refusal.code, refusal.reason)


async def test_a_token_of_the_future_is_refused(stage):
    """A place the journal has not reached is none: events would be lost without a word."""
    token = resume_token(stage.store.journal_id, "main", 99)
    _, refusal = await ended(stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(resume_token=token)))
    assert "RESUME_TOKEN_EXPIRED" == refusal.reason


async def test_only_the_wanted_pairs_are_followed(stage):
    """Filters narrow snapshot and events; the token still moves past what was left out."""
    await stage.place("btc")
    reader = await opened(stage, symbols=["ETHUSD"])
    await stage.place("more-btc")
    await stage.place("eth", spec=limit_spec(symbol="ETH/USD"))
    await reader.take(2)
    assert [("eth", SUBMITTED), ("eth", OPEN)] == statuses(reader)
    assert 0 == len(reader.held[1].snapshot.orders)


async def test_the_state_is_that_of_the_private_feed(stage):
    """A heartbeat tells when the private feed is up, goes LIVE or is lost."""
    reader = follow(stage)
    (accepted,) = await reader.take(1)
    await stage.venue.stream.put(LinkUp(1))
    await stage.venue.stream.put(OrdersSnapshot(()))
    told = [accepted, await reader.until("heartbeat"), await reader.until("heartbeat")]
    await stage.venue.stream.put(LinkDown("cut"))
    told.append(await reader.until("heartbeat"))
    stale, resyncing, live = common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING, common.FEED_STATE_LIVE
    assert [stale, resyncing, live, stale] == [each.meta.feed_state for each in told]


async def test_a_reader_that_leaves_is_forgotten(stage):
    """Cancelling the stream stops its listening to the journal."""
    before = len(stage.store._listeners._listeners)
    reader = await opened(stage)
    assert before + 1 == len(stage.store._listeners._listeners)
    reader.call.cancel()
    await stage.eventually(lambda: before == len(stage.store._listeners._listeners))


async def test_an_order_in_doubt_is_in_the_snapshot(stage):
    """What is SUBMITTED or IN_DOUBT is open as far as anybody knows."""
    stage.venue.plan.append(Fate(answers_s=99))
    await stage.place("one", timeout=0.5)
    _, snapshot = await follow(stage).take(2)
    assert [order.ORDER_STATUS_IN_DOUBT] == [each.status for each in snapshot.snapshot.orders]
    assert (await stage.store.get(order_key("one"))).status is Status.IN_DOUBT


def guarded(stage):
    return stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(cancel_on_disconnect=True))


async def status_of(stage, name):
    found = await stage.store.get(order_key(name))
    return found.status


async def test_a_lost_stream_that_asked_for_it_takes_the_orders_along(stage):
    """After the grace, every open order of the caller."""
    await stage.place("a")
    call = guarded(stage)
    await call.read()
    call.cancel()
    await stage.clock.sleep(1.0)
    assert Status.OPEN is await status_of(stage, "a")
    await stage.clock.sleep(2.0)
    assert Status.CANCELLED is await status_of(stage, "a")


async def test_a_stream_that_is_back_in_time_takes_nothing_along(stage):
    """The grace is two seconds."""
    await stage.place("a")
    first = guarded(stage)
    await first.read()
    first.cancel()
    await stage.clock.sleep(0.2)
    second = guarded(stage)
    await second.read()
    await stage.clock.sleep(3.0)
    assert Status.OPEN is await status_of(stage, "a")


async def test_a_lost_stream_that_did_not_ask_takes_nothing_along(stage):
    """Orders stand until cancelled."""
    await stage.place("a")
    call = stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest())
    await call.read()
    call.cancel()
    await stage.clock.sleep(3.0)
    assert Status.OPEN is await status_of(stage, "a")
