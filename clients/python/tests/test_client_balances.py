"""Balances as a stream through a real server: what is held after each event, in both clients."""

import asyncio
from contextlib import aclosing, closing
from decimal import Decimal
from itertools import islice

import pytest
from execsvc_api.v1 import account_service_pb2
from execsvc_client import (
    BalanceSnapshot,
    BalanceUpdate,
    Client,
    Connected,
    Disconnected,
    FeedState,
    Gap,
    GapReason,
    Heartbeat,
    StateChanged,
    SyncClient,
)
from grpc import StatusCode

BALANCES = "AccountService/SubscribeBalances"
LIVE, STALE, RESYNCING = 1, 2, 3


def message(state=LIVE, conflated=0):
    made = account_service_pb2.SubscribeBalancesResponse()
    made.meta.feed_state, made.meta.conflated_count = state, conflated
    made.meta.send_time.seconds = 1_790_000_000
    return made


def accepted():
    made = message(RESYNCING)
    made.accepted.stream_id, made.accepted.server_epoch = "s-1", "e-1"
    made.accepted.heartbeat_interval.FromMilliseconds(1000)
    return made


def snapshot(**totals):
    made = message()
    made.snapshot.SetInParent()
    for asset, total in totals.items():
        made.snapshot.balances.add(asset=asset, total=total, held="0", available=total)
    return made


def update(asset, total, held="0", conflated=0):
    made = message(conflated=conflated)
    made.update.asset, made.update.total, made.update.held, made.update.available = asset, total, held, total
    return made


def gap():
    made = message(RESYNCING)
    made.gap.reason = GapReason.UPSTREAM_RECONNECT
    return made


def heartbeat(state):
    made = message(state)
    made.heartbeat.SetInParent()
    return made


async def take(stream, count):
    async with aclosing(stream) as events, asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


@pytest.fixture
def script(gateway, fail):
    """One connection's life, and the start of the next."""
    gateway.script(
        BALANCES,
        [
            accepted(),
            snapshot(BTC="2", USD="100.50"),
            heartbeat(STALE),
            gap(),
            snapshot(),
            update("USD", "90.00", held="40", conflated=2),
            fail(StatusCode.UNAVAILABLE, "SHUTTING_DOWN", pushback_ms=0),
        ],
        [accepted(), snapshot(USD="90.00"), 30],
    )
    return gateway


def judge(events):
    """Everything in order, each with what it holds."""
    kinds = [Connected, BalanceSnapshot, StateChanged, Gap, BalanceSnapshot, BalanceUpdate, Disconnected, Connected]
    assert [*kinds, BalanceSnapshot] == [type(event) for event in events]
    first, changed, void, empty, moved = events[1:6]
    assert [("BTC", Decimal(2)), ("USD", Decimal("100.50"))] == [(each.asset, each.total) for each in first.balances]
    assert (FeedState.STALE, ()) == (changed.state, void.symbols)
    assert ((), FeedState.LIVE, 1_790_000_000) == (empty.balances, empty.state, empty.send_time.timestamp())
    assert ("USD", Decimal(40), 2, FeedState.LIVE) == (
        moved.balance.asset,
        moved.balance.held,
        moved.conflated,
        moved.state,
    )


async def test_balances_stream_tells_all_and_then_what_changed(script):
    """Snapshot, change of state, gap, an empty snapshot, an update; after a loss it begins again by itself."""
    async with Client(script.target, account="main") as client:
        judge(await take(client.balances_stream(heartbeat=2.0), 9))
    request = script.seen(BALANCES)[0].request
    assert ("main", 2) == (request.account, request.heartbeat_interval.seconds)


async def test_the_synchronous_client_tells_the_same(script):
    """Word for word."""

    def read():
        with SyncClient(script.target) as client, closing(client.balances_stream()) as stream:
            return list(islice(stream, 9))

    judge(await asyncio.to_thread(read))


async def test_heartbeats_come_where_asked_for(gateway):
    """Each of them; a change of state comes in any case, once."""
    gateway.script(BALANCES, [accepted(), heartbeat(LIVE), heartbeat(LIVE), 30])
    async with Client(gateway.target) as client:
        events = await take(client.balances_stream(heartbeats=True), 4)
    assert [Connected, StateChanged, Heartbeat, Heartbeat] == [type(event) for event in events]


async def test_events_of_tomorrow_are_passed_over(gateway):
    """A message that this version does not know is no error and no event."""
    gateway.script(BALANCES, [message(), accepted(), 30])
    async with Client(gateway.target) as client:
        assert [Connected("s-1", "e-1")] == await take(client.balances_stream(), 1)
