"""Counters, capacity and previews through a real server: exact, and absent where nothing is known."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from execsvc_api.v1 import account_service_pb2, limits_pb2, order_service_pb2
from execsvc_client import (
    Breach,
    CallClass,
    CallerLimit,
    Capacity,
    CapacityQuery,
    Client,
    Counter,
    CounterKind,
    RiskCheck,
    SyncClient,
    raw,
)

THEN = datetime(2026, 11, 25, 12, tzinfo=UTC)


def wire_counter(**more):
    given = {
        "kind": limits_pb2.COUNTER_KIND_ENGINE_PAIR,
        "name": "BTC/USD",
        "level": "12.345",
        "max": "125",
        "decay_per_second": "2.34",
        "headroom": "106.975",
        "as_of_time": THEN,
        "open_orders": 3,
        "max_open_orders": 80,
    }
    return limits_pb2.Counter(**(given | more))


PAIR = Counter(
    kind=CounterKind.ENGINE_PAIR,
    name="BTC/USD",
    level=Decimal("12.345"),
    maximum=Decimal(125),
    decay_per_second=Decimal("2.34"),
    headroom=Decimal("106.975"),
    as_of=THEN,
    venue_level=None,
    open_orders=3,
    max_open_orders=80,
    blocked_until=None,
)


async def test_limits_come_out_typed_and_exact(gateway):
    """Counters, answers beside their questions, limits; what is absent is None."""
    answer = account_service_pb2.GetLimitsResponse(
        account="main", tier="pro", counters=[wire_counter(), wire_counter(venue_level="9.50", blocked_until_time=THEN)]
    )
    first = answer.answers.add(allowed_now=8)
    first.query.call_class, first.query.symbol, first.query.count = limits_pb2.CALL_CLASS_CANCEL, "BTC/USD", 3
    first.query.order_age.FromMilliseconds(7500)
    first.wait.FromMilliseconds(430)
    first.ready_time.FromDatetime(THEN)
    answer.answers.add().query.call_class = limits_pb2.CALL_CLASS_READ
    answer.caller_limits.add(name="max_order_notional", limit="1000.50", caller="signal")
    gateway.script("AccountService/GetLimits", answer)
    question = CapacityQuery(CallClass.CANCEL, "BTC/USD", 3, 7.5)
    async with Client(gateway.target, account="main") as client:
        found = await client.limits(["XBTUSD"], queries=[question, CapacityQuery(CallClass.READ)])
    asked = gateway.seen("AccountService/GetLimits")[0].request
    assert ("main", ["XBTUSD"], [3, 4], 7_500, [True, False]) == (
        *(asked.account, list(asked.symbols), [each.call_class for each in asked.queries]),
        asked.queries[0].order_age.ToMilliseconds(),
        [each.HasField("order_age") for each in asked.queries],
    )
    assert ("main", "pro", PAIR, Decimal("9.50"), THEN) == (
        *(found.account, found.tier, found.counters[0]),
        *(found.counters[1].venue_level, found.counters[1].blocked_until),
    )
    assert (
        Capacity(question, 8, 0.43, THEN),
        Capacity(CapacityQuery(CallClass.READ, count=0), 0, None, None),
    ) == found.answers
    assert (CallerLimit("max_order_notional", "", None, Decimal("1000.50"), False, "signal"),) == found.caller_limits
    assert "pro" == raw.to_json(found)["tier"]


def scripted(gateway):
    answer = order_service_pb2.PreviewOrderResponse(
        account="main", placeable=False, notional="60.0", reference_price="60000.0", engine_cost="1"
    )
    answer.engine_counter.CopyFrom(wire_counter())
    answer.reference_time.FromDatetime(THEN)
    spec = answer.rounded_spec
    spec.symbol, spec.base_quantity, spec.limit.limit_price = "BTC/USD", "0.00100000", "60000.0"
    answer.breaches.add(
        field="spec.limit.limit_price", reason="TICK_SIZE_VIOLATED", value="60000.01", bound="0.1", message="off",
        fixed_by_rounding=True,
    )  # fmt: skip
    answer.risk.checks.add(name="max_order_notional", limit="50", message="no price")
    gateway.script("OrderService/PreviewOrder", answer)


async def test_a_preview_sends_what_placing_would(gateway):
    """The spec is the one that place() makes of the same arguments; ids and time limits of a placement stay at home."""
    scripted(gateway)
    async with Client(gateway.target) as client:
        await client.preview(
            "BTC/USD", "sell", quantity="0.001", limit_price="60000.01", time_in_force="IOC", label="mine",
            client_order_id="c-1", max_queue_wait=2, timeout=2,
        )  # fmt: skip
    (seen,) = gateway.seen("OrderService/PreviewOrder")
    spec = seen.request.spec
    assert ("BTC/USD", 2, "0.001", "60000.01", 2, "mine", False) == (
        *(spec.symbol, spec.side, spec.base_quantity, spec.limit.limit_price),
        *(spec.time_in_force, spec.label, seen.request.ask_venue),
    )
    assert 1 < seen.time_left < 2.1


async def test_a_preview_comes_out_typed_and_exact(gateway):
    """Rounded order, breaches, checks, worth and counter; an absent wait is never, an empty figure is None."""
    scripted(gateway)
    async with Client(gateway.target) as client:
        found = await client.preview("BTC/USD", "buy", quantity="0.001", limit_price="60000.01")
    assert (False, "BTC/USD", Decimal("0.00100000"), Decimal("60000.0"), None, False) == (
        *(found.placeable, found.symbol, found.quantity, found.limit_price),
        *(found.wait, found.risk_allowed),
    )
    assert (Breach("spec.limit.limit_price", "TICK_SIZE_VIOLATED", "60000.01", "0.1", "off", True),) == found.breaches
    assert (RiskCheck("max_order_notional", False, None, Decimal(50), False, "no price"),) == found.risk_checks
    assert (Decimal("60.0"), Decimal("60000.0"), THEN, Decimal(1), PAIR) == (
        *(found.notional, found.reference_price, found.reference_time),
        *(found.engine_cost, found.engine_counter),
    )


@pytest.mark.parametrize(
    ("wish", "error"),
    [({"quantity": 0.1, "market": True}, TypeError), ({"quantity": "1"}, ValueError)],
    ids=["a float", "no price"],
)
def test_a_preview_refuses_what_placing_refuses(gateway, wish, error):
    """Before anything is asked."""
    with SyncClient(gateway.target) as client, pytest.raises(error):
        client.preview("BTC/USD", "buy", **wish)
    assert [] == gateway.seen("OrderService/PreviewOrder")


def test_a_question_with_a_negative_age_is_refused(gateway):
    """An order is not younger than new."""
    with SyncClient(gateway.target) as client, pytest.raises(ValueError, match="order_age"):
        client.limits(queries=[CapacityQuery(CallClass.AMEND, "BTC/USD", order_age=-1)])
