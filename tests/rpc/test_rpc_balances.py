"""SubscribeBalances over the wire: all balances, then each that changed, honest states; ListBalances from the same room."""

import asyncio
from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import common_pb2 as common
from google.protobuf.duration_pb2 import Duration

from execsvc.app import funds
from execsvc.domain.market import EventTimes, LinkDown, LinkUp
from execsvc.ports import BalanceSeen, BalancesRefused, BalancesSnapshot, OrdersSnapshot
from tests.rpc.stage import balance, ended, refused
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING


@pytest.fixture(autouse=True)
def brisk(monkeypatch):
    """Reads are spaced by little, so that tests need not wait."""
    monkeypatch.setattr(funds, "SPACING_S", 0.1)
    monkeypatch.setattr(funds, "BURST_S", 0.02)


def follow(stage, beat=60):
    request = account.SubscribeBalancesRequest(heartbeat_interval=Duration(seconds=beat))
    return Reader(stage.account.SubscribeBalances(request))


def seen(asset, total):
    return BalanceSeen(asset, Decimal(total), EventTimes(None, 1))


async def link(stage, *rows):
    """The private stream goes LIVE, and its reader has taken all of it."""
    for event in (LinkUp(1), OrdersSnapshot(()), BalancesSnapshot(tuple(rows))):
        await stage.venue.stream.put(event)
    await stage.eventually(lambda: stage.executions.state.name == "LIVE" and stage.venue.stream.empty())


async def moved(stage, *rows):
    """The account is now so, and the stream tells of it."""
    stage.venue.held = [balance(asset, total, held) for asset, total, held in rows]
    for asset, total, _ in rows:
        await stage.venue.stream.put(seen(asset, total))


def shown(message):
    return [(each.asset, each.total, each.held) for each in message.snapshot.balances]


async def test_accepted_and_then_all_balances(stage):
    """First the terms, then every balance in one message, ordered; LIVE comes with it and not before."""
    stage.venue.held = [balance("USD", "100", "40"), balance("BTC", "2", "0")]
    await link(stage)
    accepted, snapshot = await follow(stage).take(2)
    assert ("main", common.DeliveryPolicy.MODE_CONFLATE) == (
        accepted.accepted.account,
        accepted.accepted.delivery.mode,
    )
    assert [("BTC", "2", "0"), ("USD", "100", "40")] == shown(snapshot)
    usd = snapshot.snapshot.balances[1]
    assert ("60", 5) == (usd.available, usd.times.receive_time.ToNanoseconds())
    assert [RESYNCING, LIVE] == [each.meta.feed_state for each in (accepted, snapshot)]


async def test_an_empty_account_has_a_snapshot(stage):
    """A snapshot without balances: nothing is there."""
    await link(stage)
    _, snapshot = await follow(stage).take(2)
    assert ("snapshot", []) == (kind(snapshot), shown(snapshot))


async def test_a_changed_balance_comes_alone(stage):
    """An update replaces the one of its asset; numbers go on without a hole."""
    stage.venue.held = [balance("BTC", "2", "0"), balance("USD", "100", "0")]
    await link(stage, seen("BTC", 2), seen("USD", 100))
    reader = follow(stage)
    await reader.take(2)
    await moved(stage, ("BTC", "2", "0"), ("USD", "90", "0"))
    update = await reader.until("update")
    assert ("USD", "90", 0) == (update.update.asset, update.update.total, update.meta.conflated_count)
    assert list(range(1, len(reader.held) + 1)) == [each.meta.seq for each in reader.held]


async def test_what_is_spent_is_zero(stage):
    """The asset is told once more, as "0"."""
    stage.venue.held = [balance("USD", "100", "0")]
    await link(stage, seen("USD", 100))
    reader = follow(stage)
    await reader.take(2)
    stage.venue.held = []
    await stage.venue.stream.put(seen("USD", 0))
    update = await reader.until("update")
    assert ("USD", "0", "0") == (update.update.asset, update.update.total, update.update.available)


async def test_a_new_link_is_a_gap_and_a_fresh_snapshot(stage):
    """STALE at once, then the gap, RESYNCING, the snapshot and LIVE; the stream stays open."""
    stage.venue.held = [balance("USD", "100", "0")]
    await link(stage, seen("USD", 100))
    reader = follow(stage)
    await reader.take(2)
    await stage.venue.stream.put(LinkDown("cut"))
    while (lost := await reader.until("heartbeat")).meta.feed_state == LIVE:
        pass
    stage.venue.held = [balance("USD", "80", "0")]
    await link(stage, seen("USD", 80))
    gap = await reader.until("gap")
    snapshot = await reader.until("snapshot")
    assert (common.GAP_REASON_UPSTREAM_RECONNECT, [], [("USD", "80", "0")]) == (
        gap.gap.reason,
        list(gap.gap.symbols),
        shown(snapshot),
    )
    assert [STALE, RESYNCING, LIVE] == [each.meta.feed_state for each in (lost, gap, snapshot)]


async def test_heartbeats_say_when_the_private_stream_spoke(stage):
    """On a fixed clock, with the last word of the exchange's private side."""
    await link(stage)
    reader = follow(stage, beat=1)
    await reader.take(2)
    beat = await reader.until("heartbeat")
    assert beat.heartbeat.last_upstream_time.ToNanoseconds() == stage.house.funds.heard_ns
    assert (LIVE, 0, []) == (beat.meta.feed_state, beat.heartbeat.queue_depth, list(beat.heartbeat.not_live_symbols))


async def test_a_stream_while_the_link_is_down_waits(stage):
    """STALE and no balances: nothing is shown that nobody keeps."""
    stage.venue.held = [balance("USD", "100", "0")]
    (accepted,) = await (reader := follow(stage, beat=1)).take(1)
    (beat,) = await reader.take(1)
    assert [("accepted", STALE), ("heartbeat", STALE)] == [
        (kind(each), each.meta.feed_state) for each in (accepted, beat)
    ]
    assert 0 == stage.venue.balance_reads


async def test_any_number_of_readers_and_questions_cost_one_call(stage):
    """A picture that stands is everybody's."""
    stage.venue.held = [balance("USD", "100", "0")]
    await link(stage, seen("USD", 100))
    for reader in [follow(stage) for _ in range(5)]:
        await reader.until("snapshot")
    for _ in range(20):
        answer = await stage.account.ListBalances(account.ListBalancesRequest(), timeout=2)
    assert (1, [("USD", "100")]) == (stage.venue.balance_reads, [(each.asset, each.total) for each in answer.balances])


async def test_list_balances_holds_what_was_told_before(stage):
    """The question comes after the news, so the answer has them."""
    stage.venue.held = [balance("USD", "100", "0")]
    await link(stage, seen("USD", 100))
    await stage.account.ListBalances(account.ListBalancesRequest(), timeout=2)
    await moved(stage, ("USD", "90", "0"))
    await stage.eventually(stage.venue.stream.empty)
    answer = await stage.account.ListBalances(account.ListBalancesRequest(), timeout=2)
    assert (["90"], 2) == ([each.total for each in answer.balances], stage.venue.balance_reads)


async def test_a_reader_that_leaves_costs_nothing_more(stage):
    """News are looked into for whoever reads, and for nobody else."""
    await link(stage)
    reader = follow(stage)
    await reader.take(2)
    reader.call.cancel()
    await stage.eventually(lambda: "0 readers" in repr(stage.house.funds))
    before = stage.venue.balance_reads
    await moved(stage, ("USD", "90", "0"))
    await stage.eventually(stage.venue.stream.empty)
    await stage.clock.sleep(0.3)
    assert before == stage.venue.balance_reads


async def test_refused_balances_are_stale_and_the_venues_status_says_why(stage):
    """They are told as they are read, STALE; once the stream tells of them, LIVE and no problem."""
    stage.venue.held = [balance("USD", "100", "40")]
    for event in (LinkUp(1), OrdersSnapshot(()), BalancesRefused("EGeneral:Permission denied")):
        await stage.venue.stream.put(event)
    await stage.eventually(lambda: stage.executions.state.name == "LIVE" and stage.venue.stream.empty())
    reader = follow(stage)
    _, snapshot = await reader.take(2)
    assert ([("USD", "100", "40")], STALE) == (shown(snapshot), snapshot.meta.feed_state)
    assert [True] == ["EGeneral:Permission denied" in each for each in await problems(stage)]
    stale = await reader.until("heartbeat")
    await stage.venue.stream.put(BalancesSnapshot((seen("USD", 100),)))
    live = await reader.until("heartbeat")
    assert ([STALE, LIVE], []) == ([each.meta.feed_state for each in (stale, live)], await problems(stage))


async def problems(stage):
    status = await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=2)
    return [each for each in status.accounts[0].problems if "balances" in each]


async def test_a_drain_ends_the_stream_with_a_word(stage):
    """UNAVAILABLE / SHUTTING_DOWN, after a last heartbeat."""
    await link(stage)
    call = stage.account.SubscribeBalances(account.SubscribeBalancesRequest())
    assert [await call.read(), await call.read()]
    stopping = asyncio.ensure_future(stage.door.stop(5))
    held, refusal = await ended(call)
    await stopping
    assert ("heartbeat", grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN") == (
        kind(held[-1]),
        refusal.code,
        refusal.reason,
    )


async def test_bad_terms_are_refused(stage):
    """A heartbeat below a second, an account that is not the caller's."""
    hasty = account.SubscribeBalancesRequest(heartbeat_interval=Duration(nanos=500_000_000))
    _, refusal = await ended(stage.account.SubscribeBalances(hasty))
    assert ("INVALID_REQUEST", ["heartbeat_interval"]) == (refusal.reason, list(refusal.bad))
    other = account.SubscribeBalancesRequest(account="other")
    _, refusal = await ended(stage.account.SubscribeBalances(other))
    unary = await refused(stage.account.ListBalances(account.ListBalancesRequest(account="other"), timeout=2))
    assert (unary.code, unary.reason) == (refusal.code, refusal.reason)
