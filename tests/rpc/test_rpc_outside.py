"""Orders placed by hand, over the wire: who is shown them, by which scope and id."""

from dataclasses import replace

import pytest
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders

from execsvc.domain.caller import Permission
from execsvc.domain.market import LinkUp
from execsvc.domain.order import Status, VenueOrder
from execsvc.ports import OrdersSnapshot
from tests.rpc.stage import refused
from tests.rpc.stage import stage as open_stage
from tests.rpc.test_rpc_gate import OneCaller
from tests.support.world import limit

BY_HAND = VenueOrder("OMAN", None, Status.OPEN, spec=limit("0.5"))
ACCOUNT, ALL, OWN = orders.ORDER_SCOPE_ACCOUNT, orders.ORDER_SCOPE_ALL_CALLERS, orders.ORDER_SCOPE_OWN


async def placed_by_hand(stage):
    stage.venue.orders["by hand"] = (BY_HAND, 0.0)
    await stage.venue.stream.put(LinkUp(1))
    await stage.venue.stream.put(OrdersSnapshot((BY_HAND,)))

    async def known():
        return await stage.store.find("main", venue_order_id="OMAN") is not None

    for _ in range(100):
        if await known():
            return
        await stage.clock.sleep(0.01)
    raise AssertionError("the order never became known")


async def listed(stage, scope, **more):
    answer = await stage.orders.ListOrders(orders.ListOrdersRequest(scope=scope, **more), timeout=2)
    return {each.client_order_id for each in answer.orders}


async def test_only_the_scope_account_lists_them(stage):
    """The others list what was placed here; a caller that is named narrows the account to its orders."""
    await placed_by_hand(stage)
    await stage.place("one")
    assert [{"one"}, {"one"}, {"one", "ext-OMAN"}] == [await listed(stage, scope) for scope in (OWN, ALL, ACCOUNT)]
    assert {"one"} == await listed(stage, ACCOUNT, caller="local")


@pytest.mark.parametrize(("scope", "ids"), [(ALL, []), (ACCOUNT, ["ext-OMAN"])])
async def test_only_the_scope_account_follows_them(stage, scope, ids):
    """In the snapshot; without a caller, with Kraken's id after "ext-"."""
    await placed_by_hand(stage)
    async for message in stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(scope=scope), timeout=2):
        if message.WhichOneof("event") == "snapshot":
            assert ids == [each.client_order_id for each in message.snapshot.orders]
            assert {""} >= {each.caller for each in message.snapshot.orders}
            return


@pytest.mark.parametrize(
    "ref", [{"order_id": "OMAN"}, {"client_order_id": "ext-OMAN"}], ids=lambda ref: next(iter(ref))
)
async def test_one_is_found_by_krakens_id(stage, ref):
    """Bare or as the list shows it; as it stands, its spec included."""
    await placed_by_hand(stage)
    asked = orders.GetOrderRequest(order=orders.OrderRef(**ref))
    found = (await stage.orders.GetOrder(asked, timeout=2)).order
    assert ("ext-OMAN", "", "OMAN", order.ORDER_STATUS_OPEN, "0.5") == (
        found.client_order_id,
        found.caller,
        found.order_id,
        found.status,
        found.spec.base_quantity,
    )


@pytest.mark.parametrize(
    ("permission", "reason"), [(Permission.CANCEL, "ORDER_NOT_FOUND"), (Permission.ACCOUNT, "PERMISSION_MISSING")]
)
async def test_cancelling_one_needs_kill(permission, reason):
    """Whoever may not read the account does not learn that it is there."""
    who = OneCaller(permission, Permission.CANCEL)
    async with open_stage(callers=who) as built:
        await placed_by_hand(built)
        request = orders.CancelOrderRequest(order=orders.OrderRef(order_id="OMAN"))
        assert reason == (await refused(built.orders.CancelOrder(request, timeout=2))).reason
        assert BY_HAND == built.venue.orders["by hand"][0]


@pytest.mark.parametrize(
    "ref", [{"order_id": "OMAN"}, {"client_order_id": "ext-OMAN"}], ids=lambda ref: next(iter(ref))
)
async def test_whoever_may_kill_ends_one(stage, ref):
    """By Kraken's id, bare or as the list shows it."""
    await placed_by_hand(stage)
    request = orders.CancelOrderRequest(order=orders.OrderRef(**ref))
    ended = (await stage.orders.CancelOrder(request, timeout=5)).order
    assert (order.ORDER_STATUS_CANCELLED, replace(BY_HAND, status=Status.CANCELLED, reason="User requested")) == (
        ended.status,
        stage.venue.orders["by hand"][0],
    )
