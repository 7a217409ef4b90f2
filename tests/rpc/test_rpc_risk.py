"""Limits over the wire: sixty-four orders at once through a real server, and what a refused caller is told."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2 as account
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from execsvc.domain.ids import OrderKey
from execsvc.domain.market import TickerSeen
from execsvc.domain.riskrules import DuplicateAction, RiskRule, RiskRules
from execsvc.store.memory import MemoryStore
from tests.rpc.stage import limit_spec, link_up, placement, refused, stage, ticker
from tests.support.risks import lifted
from tests.support.setrates import SetRates
from tests.support.venue import Fate, FreeRoom
from tests.support.world import new_disk

D = Decimal
MANY = 64


class FullView(SetRates):
    """Counters to look at, and room for whoever places."""

    async def room(self, symbol, caller, by):
        return FreeRoom()


def unhurried(here):
    """The exchange takes its time with each answer, so that a loaded machine does not overtake the script of it."""
    here.venue.plan.extend([Fate(arrives_s=0.0, answers_s=0.5)] * 2 * MANY)


async def tried(stub, client_order_id, **spec):
    """The name of the limit that refused it; empty: it was placed."""
    try:
        await stub.PlaceOrder(placement(client_order_id, spec=limit_spec(**spec)), timeout=5)
    except grpc.aio.AioRpcError as failure:
        return info_of(failure).metadata["check"]
    return ""


def info_of(failure):
    status = status_pb2.Status.FromString(dict(failure.trailing_metadata())["grpc-status-details-bin"])
    info = details.ErrorInfo()
    assert any(each.Unpack(info) for each in status.details)
    assert "false" == info.metadata["id_used"]
    return info


RACES = [
    ("max_open_orders", 9, {"max_open_orders": 9}),
    ("max_open_notional", 5, {"max_open_notional": D(300)}),
    ("max_daily_notional", 5, {"max_daily_notional": D(359)}),
    ("duplicates", 1, {"duplicates": DuplicateAction.REFUSE, "duplicate_window_ms": 60_000}),
]


@pytest.mark.parametrize(("name", "passes", "limits"), RACES, ids=[name for name, *_ in RACES])
async def test_sixty_four_calls_at_once_place_as_many_orders_as_the_limit_allows(name, passes, limits):
    """No more and no fewer, and each of the others is refused by that limit."""
    async with stage(rules=lifted(**limits)) as here:
        unhurried(here)
        found = await asyncio.gather(*(tried(here.orders, f"c-{n}") for n in range(MANY)))
        assert {"": passes, name: MANY - passes} == {each: found.count(each) for each in found}
        assert (passes, 0) == (len(here.venue.accepted), here.risk.held)


async def test_sixty_four_calls_at_once_go_no_faster_than_the_pace():
    """A burst, and one more for each second that they took."""
    async with stage(rules=lifted(max_orders_per_s=1)) as here:
        unhurried(here)
        began = here.clock.monotonic()
        found = await asyncio.gather(*(tried(here.orders, f"c-{n}") for n in range(MANY)))
        took_s = here.clock.monotonic() - began
        assert {"", "max_orders_per_s"} == set(found)
        assert 15 <= len(here.venue.accepted) == found.count("") <= 15 + took_s + 1


async def test_calls_that_are_given_up_leave_nothing_held():
    """Cancelled on their way, at whatever moment: what was placed is counted, and nothing else."""
    async with stage(rules=lifted(max_open_orders=1000)) as here:
        unhurried(here)
        calls = [here.orders.PlaceOrder(placement(f"c-{n}"), timeout=5) for n in range(MANY)]
        for n, call in enumerate(calls):
            await asyncio.sleep(0.0005 * (n % 3))
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        await here.eventually(lambda: not here.risk.held and not here.desk.in_flight)
        limits = (await here.account.GetLimits(account.GetLimitsRequest(), timeout=2)).caller_limits
        assert [str(len(here.venue.accepted))] == [each.used for each in limits]


async def test_a_limit_says_whose_orders_it_is_for():
    """The same limit twice, of the house and of the caller: the caller tells them apart."""
    house = lifted(max_order_notional=D(500)).rules
    rules = RiskRules((*house, RiskRule(caller="local", symbol="BTC/USD", max_order_notional=D(400))))
    async with stage(rules=rules) as here:
        limits = (await here.account.GetLimits(account.GetLimitsRequest(), timeout=2)).caller_limits
        assert [("500", "", ""), ("400", "local", "BTC/USD")] == [
            (each.limit, each.caller, each.symbol) for each in limits if each.name == "max_order_notional"
        ]


async def test_a_preview_says_of_a_twin_what_placing_it_says():
    """It would not go now, and the limit that is in the way is listed; a preview is nobody's twin."""
    rules = lifted(duplicates=DuplicateAction.REFUSE, duplicate_window_ms=60_000)
    async with stage(rules=rules, rates=FullView()) as here:
        asked = orders.PreviewOrderRequest(spec=limit_spec())
        before = [await here.orders.PreviewOrder(asked, timeout=2) for _ in range(2)]
        await here.place("c-1")
        after = await here.orders.PreviewOrder(asked, timeout=2)
        assert "RISK_REFUSED" == (await refused(here.place("c-2"))).reason
    assert [(True, True), (True, True), (False, False)] == [
        (each.placeable, check.passed) for each in (*before, after) for check in each.risk.checks
    ]
    assert {"duplicates"} == {check.name for each in (*before, after) for check in each.risk.checks}


async def test_a_refused_order_is_told_the_limit_in_figures():
    """check, value, limit, unit and scope; FAILED_PRECONDITION, with one violation."""
    async with stage(rules=lifted(max_order_quantity=D("0.0005"))) as here:
        refusal = await refused(here.place("c-1"))
        assert (grpc.StatusCode.FAILED_PRECONDITION, "RISK_REFUSED") == (refusal.code, refusal.reason)
        told = {name: refusal.metadata[name] for name in ("check", "value", "limit", "unit", "scope", "id_used")}
        assert {
            "check": "max_order_quantity",
            "value": "0.001",
            "limit": "0.0005",
            "unit": "base units",
            "scope": "every caller, every pair",
            "id_used": "false",
        } == told


async def test_a_caller_that_is_too_fast_is_told_when_and_goes_then():
    """CALLER_QUOTA with RetryInfo; its pushback is the same wait."""
    async with stage(rules=lifted(max_orders_per_s=5)) as here:
        unhurried(here)
        await asyncio.gather(*(tried(here.orders, f"c-{n}") for n in range(MANY)))
        refusal = await refused(_until_refused(here))
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA") == (refusal.code, refusal.reason)
        assert 0 < refusal.retry_s <= 0.2  # seconds
        await here.clock.sleep(refusal.retry_s)
        await here.place("another")


async def _until_refused(here):
    """A slow machine may have given it a turn back meanwhile."""
    here.venue.plan.clear()
    for n in range(MANY):
        await here.place(f"more-{n}")


async def test_the_first_order_on_a_pair_waits_for_its_first_price():
    """Nobody followed it: the price comes in, and the order goes."""
    async with stage(rules=lifted(max_limit_distance=D("0.05"))) as here:
        placing = asyncio.ensure_future(
            here.place("c-1", spec=limit_spec(base_quantity="0.01", limit=order.LimitOrder(limit_price="98.0")))
        )
        await here.eventually(lambda: bool(here.public.feeds) and bool(here.public.feeds[0].topics))
        await here.tell(link_up(), _seen("BTC/USD"))
        placed = await placing
        assert (order.ORDER_STATUS_OPEN, False) == (placed.order.status, placed.replayed)
        refusal = await refused(
            here.place("c-2", spec=limit_spec(base_quantity="0.01", limit=order.LimitOrder(limit_price="90.0")))
        )
        assert ("max_limit_distance", "0.104478", "0.05") == tuple(
            refusal.metadata[each] for each in ("check", "value", "limit")
        )


def _seen(symbol):
    return TickerSeen(replace(ticker(symbol), volume_24h=D(1000)), snapshot=True)


async def test_a_preview_shows_every_check_and_what_is_only_observed():
    """Failed or not; what is in shadow keeps nothing from being placed."""
    rules = lifted(max_order_quantity=D("0.0005"), max_open_orders=1, shadow=frozenset({"max_order_quantity"}))
    async with stage(rules=rules, rates=FullView()) as here:
        request = orders.PreviewOrderRequest(spec=limit_spec())
        first = await here.orders.PreviewOrder(request, timeout=2)
        await here.place("c-1")
        second = await here.orders.PreviewOrder(request, timeout=2)
    assert [("max_order_quantity", False, True), ("max_open_orders", True, False)] == [
        (each.name, each.passed, each.shadow) for each in first.risk.checks
    ]
    assert (True, True, False, False) == (
        *(first.risk.allowed, first.placeable),
        *(second.risk.allowed, second.placeable),
    )


async def test_what_is_only_observed_is_in_the_orders_story():
    """As a step of its checks."""
    rules = lifted(max_open_orders=0, shadow=frozenset({"max_open_orders"}))
    async with stage(rules=rules) as here:
        await here.place("c-1")
        request = orders.ExplainOrderRequest()
        request.order.client_order_id = "c-1"
        story = await here.orders.ExplainOrder(request, timeout=2)
    assert 1 == sum(event.text.startswith("Only observed: open orders of") for event in story.events)


async def test_a_restart_keeps_what_is_open():
    """The next life refuses what the last one would have."""
    disk = new_disk()
    async with stage(rules=lifted(max_open_orders=2), disk=disk) as here:
        await here.place("c-1")
        await here.place("c-2")
        assert isinstance(here.store, MemoryStore)
    async with stage(rules=lifted(max_open_orders=2), disk=disk) as here:
        assert "max_open_orders" == await tried(here.orders, "c-3")
        assert await here.store.get(OrderKey("main", "local", "c-3")) is None
