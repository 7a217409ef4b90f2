"""GetLimits over the wire: counters, answers and limits; and the lanes' breakers in GetVenueStatus."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import limits_pb2 as limits
from execsvc_client import CallClass, CapacityQuery, Client, CounterKind, SyncClient

from execsvc.ports import CallClass as PortCallClass
from execsvc.ports import CapacityAnswer, CapacityQuestion, LaneState
from execsvc.rpc.scalars import ns_of, span_ns
from tests.rpc.stage import refused
from tests.rpc.stage import stage as open_stage
from tests.support.setrates import KEY, PAIR, SetRates

SECOND = 10**9
PLACE, AMEND, CANCEL, READ, HISTORY = range(1, 6)


@pytest.fixture
def rates():
    return SetRates()


async def asked(stage, *queries, symbols=()):
    request = account.GetLimitsRequest(symbols=symbols, queries=[limits.CapacityQuery(**each) for each in queries])
    return await stage.account.GetLimits(request, timeout=2)


# ---- counters --------------------------------------------------------------------------------------------------------


async def test_the_keys_counter_comes_first_then_the_pairs_in_the_order_asked(rates):
    """Points in plain digits, canonical symbols, counts of orders for pairs only."""
    rates.pair = replace(PAIR, level=Decimal("1E+1"), venue_level=Decimal("9.50"), blocked_until_ns=5 * SECOND)
    async with open_stage(rates=rates) as stage:
        before_ns = stage.clock.wall_ns()
        answer = await asked(stage, symbols=["ethusd", "XBTUSD"])
    key, ether, bitcoin = answer.counters
    assert ("main", "intermediate") == (answer.account, answer.tier)
    assert (limits.COUNTER_KIND_REST_KEY, "key-1", "2.5", "20", "0.5", "9.5", 0, 0, False, False) == (
        *(key.kind, key.name, key.level, key.max, key.decay_per_second, key.headroom),
        *(key.open_orders, key.max_open_orders, key.HasField("venue_level"), key.HasField("blocked_until_time")),
    )
    assert (limits.COUNTER_KIND_ENGINE_PAIR, "ETH/USD", "10", "125", "2.34", "106.975", 3, 80, "9.50", 5) == (
        *(ether.kind, ether.name, ether.level, ether.max, ether.decay_per_second, ether.headroom),
        *(ether.open_orders, ether.max_open_orders, ether.venue_level, ether.blocked_until_time.seconds),
    )
    assert "BTC/USD" == bitcoin.name
    assert {ns_of(key.as_of_time)} == {ns_of(each.as_of_time) for each in answer.counters}
    assert before_ns <= ns_of(key.as_of_time) <= before_ns + 2 * SECOND


async def test_nothing_is_asked_of_the_exchange(rates):
    """Looking at the counters costs none of what they count."""
    async with open_stage(rates=rates) as stage:
        await asked(stage, {"call_class": READ}, symbols=["BTC/USD"])
        assert ([], []) == (stage.public.asked, stage.venue.sends)


# ---- questions -------------------------------------------------------------------------------------------------------


async def test_a_question_comes_back_with_its_defaults_filled_in(rates):
    """One call when none is said, the canonical symbol, the youngest order where age counts and only there."""
    async with open_stage(rates=rates) as stage:
        answer = await asked(
            stage,
            {"call_class": PLACE, "symbol": "xbtusd"},
            {"call_class": AMEND, "symbol": "BTC/USD"},
            {"call_class": CANCEL, "symbol": "BTC/USD", "count": 2, "order_age": {"seconds": 7, "nanos": 500_000_000}},
            {"call_class": READ},
            {"call_class": HISTORY, "count": 1000},
        )
    queries = [each.query for each in answer.answers]
    assert [
        (PLACE, "BTC/USD", 1, None),
        (AMEND, "BTC/USD", 1, 0),
        (CANCEL, "BTC/USD", 2, 7_500_000_000),
        (READ, "", 1, None),
        (HISTORY, "", 1000, None),
    ] == [
        (each.call_class, each.symbol, each.count, span_ns(each.order_age) if each.HasField("order_age") else None)
        for each in queries
    ]
    assert [
        CapacityQuestion(PortCallClass.PLACE, "BTC/USD"),
        CapacityQuestion(PortCallClass.AMEND, "BTC/USD"),
        CapacityQuestion(PortCallClass.CANCEL, "BTC/USD", 2, 7.5),
        CapacityQuestion(PortCallClass.READ),
        CapacityQuestion(PortCallClass.HISTORY, "", 1000),
    ] == rates.asked


@pytest.mark.parametrize(
    ("told", "allowed", "wait_ns"),
    [
        (CapacityAnswer(8, 0.0, 0.43), 8, 0),
        (CapacityAnswer(0, 0.427350, 0.43), 0, 427_350_000),
        (CapacityAnswer(0, None, None), 0, None),
        (CapacityAnswer(2**40, 0.0, None), 2**32 - 1, 0),
    ],
    ids=["now", "soon", "never", "without end"],
)
async def test_an_answer_says_how_many_and_when(rates, told, allowed, wait_ns):
    """A wait of 0 is present, never is absent, the moment is the counters' own plus the wait."""
    rates.answer = told
    async with open_stage(rates=rates) as stage:
        answer = await asked(stage, {"call_class": PLACE, "symbol": "BTC/USD"})
    (found,) = answer.answers
    as_of_ns = ns_of(answer.counters[0].as_of_time)
    assert (allowed, wait_ns, None if wait_ns is None else as_of_ns + wait_ns) == (
        found.allowed_now,
        span_ns(found.wait) if found.HasField("wait") else None,
        ns_of(found.ready_time) if found.HasField("ready_time") else None,
    )


async def test_unknown_pairs_are_named_by_their_paths(rates):
    """NOT_FOUND / UNKNOWN_SYMBOL, whether in the list or in a question."""
    async with open_stage(rates=rates) as stage:
        listed = await refused(asked(stage, symbols=["BTC/USD", "FOO/USD"]))
        questioned = await refused(asked(stage, {"call_class": READ}, {"call_class": PLACE, "symbol": "FOO/USD"}))
    assert (grpc.StatusCode.NOT_FOUND, "UNKNOWN_SYMBOL", ["symbols[1]"]) == (
        listed.code,
        listed.reason,
        list(listed.bad),
    )
    assert ("UNKNOWN_SYMBOL", ["queries[1].symbol"]) == (questioned.reason, list(questioned.bad))


async def test_malformed_questions_are_named_all_at_once(rates):
    """INVALID_REQUEST with the path of each."""
    async with open_stage(rates=rates) as stage:
        refusal = await refused(asked(stage, {}, {"call_class": PLACE}, {"call_class": READ, "symbol": "BTC/USD"}))
    assert ("INVALID_REQUEST", ["queries[0].call_class", "queries[1].symbol", "queries[2].symbol"]) == (
        refusal.reason,
        list(refusal.bad),
    )


async def test_the_callers_limits_are_those_in_force(rates):
    """The largest notional with its digits; without a limit there is none."""
    async with open_stage(rates=rates, max_order_notional=Decimal("1000.50")) as stage:
        (found,) = (await asked(stage)).caller_limits
    async with open_stage(rates=rates) as stage:
        without = (await asked(stage)).caller_limits
    assert ("max_order_notional", "", "", "1000.50", False, []) == (
        *(found.name, found.symbol, found.used, found.limit, found.shadow),
        list(without),
    )


async def test_both_clients_read_the_same_counters(rates):
    """limits() with names and questions, asynchronous or not."""
    rates.answer = CapacityAnswer(8, 0.25, 0.43)
    question = CapacityQuery(CallClass.CANCEL, "BTC/USD", 3, 7.5)
    async with open_stage(rates=rates) as stage, Client(stage.door.address) as client:
        found = await client.limits("XBTUSD", queries=[question])

        def wait():
            with SyncClient(stage.door.address) as waiting:
                return waiting.limits(["BTC/USD"], queries=[question])

        waited = await asyncio.to_thread(wait)
    (answer,) = found.answers
    assert (question, 8, 0.25) == (answer.query, answer.allowed_now, answer.wait)
    assert (CounterKind.REST_KEY, Decimal("2.5"), None, "BTC/USD", 80) == (
        found.counters[0].kind,
        found.counters[0].level,
        found.counters[0].venue_level,
        found.counters[1].name,
        found.counters[1].max_open_orders,
    )
    assert (
        [each.level for each in found.counters] == [each.level for each in waited.counters] == [KEY.level, PAIR.level]
    )


# ---- breakers --------------------------------------------------------------------------------------------------------


async def status_of(lanes, rates=None):
    async with open_stage(rates=rates or SetRates()) as stage:
        stage.venue.lanes = lambda: lanes
        answer = await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=2)
    return answer.accounts[0]


async def test_a_lane_is_told_with_its_breaker_and_its_queue():
    """closed, open and probing by the contract's words, an end only where there is one."""
    health = await status_of(
        (
            LaneState("key-1", "cancel", "closed", 0, None, stopped=False),
            LaneState("key-1", "trade", "open", 3, 9 * SECOND, stopped=False),
            LaneState("key-1", "read", "probing", 2, None, stopped=False),
        )
    )
    assert [
        ("cancel", admin.BREAKER_STATE_CLOSED, 0, 0),
        ("trade", admin.BREAKER_STATE_OPEN, 3, 9),
        ("read", admin.BREAKER_STATE_PROBING, 2, 0),
    ] == [(each.lane, each.breaker, each.queue_depth, each.blocked_until_time.seconds) for each in health.lanes]
    assert not health.HasField("locked_out_until_time")


async def test_a_lockout_is_told_with_its_end():
    """When it is the cancels that may not go for a time."""
    lanes = tuple(
        LaneState("key-1", lane, "open", 0, 9 * SECOND, stopped=False) for lane in ("cancel", "trade", "read")
    )
    assert 9 == (await status_of(lanes)).locked_out_until_time.seconds


async def test_what_is_wrong_with_the_counters_is_a_problem():
    """In the counters' own words."""
    rates = SetRates()
    rates.problems = ("Kraken counts this account as starter",)
    assert ["Kraken counts this account as starter"] == list((await status_of((), rates)).problems)


async def test_looking_often_asks_the_exchange_once(rates):
    """GetVenueStatus every 10 ms costs one SystemStatus in five seconds."""
    async with open_stage(rates=rates) as stage:
        for _ in range(10):
            await stage.admin.GetVenueStatus(admin.GetVenueStatusRequest(), timeout=2)
        assert ["mode"] == stage.public.asked
