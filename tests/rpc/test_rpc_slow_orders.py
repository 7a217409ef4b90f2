"""SubscribeOrders and the reader that falls behind; and how soon the private feed's state is told."""

import asyncio

import grpc
import pytest
from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import LinkDown, LinkUp
from execsvc.ports import OrdersSnapshot
from execsvc.rpc import streams
from tests.rpc.stage import ended
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING
BOUND = 16


def follow(stage, **more):
    return stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(heartbeat_interval=Duration(seconds=60), **more))


def ids(messages):
    return [(each.order.client_order_id, each.order.version) for each in messages if kind(each) == "order"]


async def behind(stage, monkeypatch):
    """A reader that has read its snapshot, and that nothing was handed to while the journal grew by twice its bound."""
    monkeypatch.setattr("execsvc.app.orders.READ_AHEAD", 1)
    handing, after = asyncio.Event(), stage.store.after

    async def held(*what):
        await handing.wait()
        return await after(*what)

    monkeypatch.setattr(stage.store, "after", held)
    reader = Reader(follow(stage, max_buffered=BOUND))
    await reader.until("snapshot")
    for number in range(BOUND):
        await stage.place(f"o-{number}")
    handing.set()
    return reader


async def test_a_reader_too_far_behind_ends_and_its_token_goes_on(stage, monkeypatch):
    """RESOURCE_EXHAUSTED / SLOW_CONSUMER; resumed, exactly the rest comes, each change once."""
    reader = await behind(stage, monkeypatch)
    lost, refusal = await ended(reader.call)
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "SLOW_CONSUMER") == (refusal.code, refusal.reason)
    token = [*reader.held, *lost][-1].resume_token
    again = Reader(follow(stage, resume_token=token))
    told = ids([*reader.held, *lost])
    while len(told) < 2 * BOUND:
        told += ids([await again.until("order")])
    assert (2 * BOUND, 2 * BOUND) == (len(told), len(set(told)))


async def test_what_a_resumed_stream_has_to_catch_up_with_does_not_count(stage):
    """A token of long ago is as good as one of just now."""
    first = Reader(follow(stage))
    token = (await first.until("snapshot")).resume_token
    for number in range(BOUND):
        await stage.place(f"o-{number}")
    again = Reader(follow(stage, resume_token=token, max_buffered=BOUND))
    told = []
    while len(told) < 2 * BOUND:
        told += ids([await again.until("order")])
    assert 2 * BOUND == len(set(told))


@pytest.mark.parametrize(("asked", "agreed"), [(0, 65536), (BOUND, BOUND), (65536, 65536)])
async def test_the_bound_is_said_in_the_terms(stage, asked, agreed):
    """0 is the most."""
    (accepted,) = await Reader(follow(stage, max_buffered=asked)).take(1)
    assert agreed == accepted.accepted.delivery.max_buffered


async def test_every_change_of_the_private_feeds_state_is_told_at_once(stage, monkeypatch):
    """Nobody waits for the next look, nor for a heartbeat; and one that passes quickly is told all the same."""
    monkeypatch.setattr(streams, "LOOK_S", 30.0)
    reader = Reader(follow(stage))
    await reader.until("snapshot")
    for event in (LinkUp(1), OrdersSnapshot(()), LinkDown("cut"), LinkUp(2), OrdersSnapshot(())):
        await stage.venue.stream.put(event)
    states = [(await reader.until("heartbeat")).meta.feed_state for _ in range(5)]
    assert [RESYNCING, LIVE, STALE, RESYNCING, LIVE] == states


async def test_a_reader_that_leaves_hears_of_no_state_any_more(stage):
    """What is listened to is bounded by who reads."""
    before = len(stage.executions._listeners)
    reader = Reader(follow(stage))
    await reader.until("snapshot")
    during = len(stage.executions._listeners)
    reader.call.cancel()
    await stage.eventually(lambda: before == len(stage.executions._listeners))
    assert before + 1 == during
