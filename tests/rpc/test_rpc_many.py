"""Many orders at once over the wire: batches, lists of cancels, cancel-all, and dead man's switches."""

import grpc
import pytest
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.errors import Fault, Reason
from tests.rpc.stage import limit_spec, refused
from tests.support.venue import Fate

OPEN, CANCELLED = order.ORDER_STATUS_OPEN, order.ORDER_STATUS_CANCELLED


def entry(name, **spec):
    return orders.PlaceOrdersEntry(client_order_id=name, spec=limit_spec(**spec))


def batch(*entries, **more):
    return orders.PlaceOrdersRequest(entries=entries, **more)


def by_client_id(*names):
    return [orders.OrderRef(client_order_id=name) for name in names]


# ---- PlaceOrders -----------------------------------------------------------------------------------------------------


async def test_a_batch_is_answered_row_by_row(stage):
    """In the sequence of the request; one POST for all."""
    answer = await stage.orders.PlaceOrders(batch(entry("a"), entry("b")), timeout=5)
    assert [("a", OPEN, False), ("b", OPEN, False)] == [
        (row.client_order_id, row.order.status, row.replayed) for row in answer.results
    ]
    assert 1 == len(stage.venue.batches)


async def test_a_row_that_is_refused_is_an_error_in_its_place(stage):
    """As its own call would have been refused, in the words of google.rpc."""
    poor = Fault(Reason.INSUFFICIENT_FUNDS, "not enough", {"asset": "USD", "id_used": "true"})
    stage.venue.plan += [Fate(), Fate(refusal=poor)]
    answer = await stage.orders.PlaceOrders(batch(entry("a"), entry("b")), timeout=5)
    first, second = answer.results
    assert ("order", "error") == (first.WhichOneof("outcome"), second.WhichOneof("outcome"))
    assert ("INSUFFICIENT_FUNDS", "USD", "true", grpc.StatusCode.FAILED_PRECONDITION.value[0]) == (
        second.error.reason,
        second.error.metadata["asset"],
        second.error.metadata["id_used"],
        second.error.code,
    )


async def test_a_repeated_batch_is_replayed(stage):
    """Nothing is sent, and each row says so."""
    await stage.orders.PlaceOrders(batch(entry("a"), entry("b")), timeout=5)
    again = await stage.orders.PlaceOrders(batch(entry("a"), entry("b")), timeout=5)
    assert ([True, True], 2) == ([row.replayed for row in again.results], len(stage.venue.sends))


async def test_a_batch_of_which_nothing_is_written_down_fails(stage):
    """The first row's refusal, with its field within the request; every id stays free."""
    fine = order.LimitOrder(limit_price="60000.05")
    status = await refused(stage.orders.PlaceOrders(batch(entry("a", limit=fine), entry("b", limit=fine)), timeout=5))
    assert ("TICK_SIZE_VIOLATED", "false", ["entries[0].spec.limit.limit_price"]) == (
        status.reason,
        status.metadata["id_used"],
        list(status.bad),
    )


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (batch(), "entries"),
        (batch(entry("a")), "entries"),
        (batch(*(entry(f"a{index}") for index in range(16))), "entries"),
        (batch(entry("a"), entry("a")), "entries[1].client_order_id"),
        (batch(entry("a"), entry("b", symbol="ETH/USD")), "entries[1].spec.symbol"),
        (batch(entry("a"), entry("b", base_quantity="-1")), "entries[1].spec.base_quantity"),
        (batch(entry("a"), orders.PlaceOrdersEntry(client_order_id="b")), "entries[1].spec"),
    ],
    ids=["none", "one", "sixteen", "id twice", "two pairs", "bad row", "no spec"],
)
async def test_a_malformed_batch_names_its_field(stage, request_, path):
    """Nothing is looked at further."""
    status = await refused(stage.orders.PlaceOrders(request_, timeout=5))
    assert ("INVALID_REQUEST", [path]) == (status.reason, list(status.bad))


async def test_a_row_without_an_order_type_is_named_too(stage):
    """An older server would see a newer type as none."""
    bare = orders.PlaceOrdersEntry(
        client_order_id="b", spec=order.OrderSpec(symbol="BTC/USD", side=1, base_quantity="1")
    )
    status = await refused(stage.orders.PlaceOrders(batch(entry("a"), bare), timeout=5))
    assert ("ORDER_TYPE_UNKNOWN", ["entries[1].spec.order_type"]) == (
        status.reason,
        list(status.bad),
    )


# ---- CancelOrders, CancelAllOrders -----------------------------------------------------------------------------------


async def test_a_list_is_answered_row_by_row(stage):
    """Each with its own ref; one that is not known is an error in its place."""
    await stage.place("a")
    await stage.place("b")
    answer = await stage.orders.CancelOrders(
        orders.CancelOrdersRequest(orders=by_client_id("a", "never", "b")), timeout=5
    )
    first, second, third = answer.results
    assert [CANCELLED, CANCELLED] == [first.order.status, third.order.status]
    assert ("ORDER_NOT_FOUND", "never") == (second.error.reason, second.ref.client_order_id)
    assert 1 == len(stage.venue.cancel_batches)


@pytest.mark.parametrize("count", [0, 51])
async def test_a_list_is_of_one_to_fifty(stage, count):
    """Kraken's own bound."""
    refs = by_client_id(*(f"a{index}" for index in range(count)))
    status = await refused(stage.orders.CancelOrders(orders.CancelOrdersRequest(orders=refs), timeout=5))
    assert ("INVALID_REQUEST", ["orders"]) == (status.reason, list(status.bad))


async def test_cancel_all_tells_how_many(stage):
    """Asked to go, and gone."""
    await stage.place("a")
    await stage.place("b")
    answer = await stage.orders.CancelAllOrders(orders.CancelAllOrdersRequest(all_symbols=True), timeout=5)
    assert ("main", 2, 2) == (answer.account, answer.requested_count, answer.cancelled_count)


@pytest.mark.parametrize(
    ("scope", "cleared"),
    [(orders.ORDER_SCOPE_OWN, 0), (orders.ORDER_SCOPE_ALL_CALLERS, 0), (orders.ORDER_SCOPE_ACCOUNT, 1)],
)
async def test_only_the_account_goes_by_krakens_cancel_all(stage, scope, cleared):
    """It would take orders placed by hand too."""
    await stage.place("a")
    request = orders.CancelAllOrdersRequest(all_symbols=True, scope=scope)
    answer = await stage.orders.CancelAllOrders(request, timeout=5)
    assert (1, cleared) == (answer.cancelled_count, stage.venue.cleared)


async def test_an_empty_cancel_all_cancels_nothing(stage):
    """What an older client leaves out must not be fatal."""
    await stage.place("a")
    status = await refused(stage.orders.CancelAllOrders(orders.CancelAllOrdersRequest(), timeout=5))
    assert ("INVALID_REQUEST", ["symbols"]) == (status.reason, list(status.bad))
    assert [] == stage.venue.cancels


# ---- SetDeadMansSwitch -----------------------------------------------------------------------------------------------


def switch(seconds, **more):
    return orders.SetDeadMansSwitchRequest(timeout=Duration(seconds=seconds), **more)


async def test_a_switch_tells_when_it_goes_off(stage):
    """OWN is kept here: Kraken's timer is not touched."""
    before_ns = stage.clock.wall_ns()
    answer = await stage.orders.SetDeadMansSwitch(switch(60), timeout=5)
    assert 0 <= answer.trigger_time.ToNanoseconds() - before_ns - 60_000_000_000 < 5_000_000_000
    assert (False, []) == (answer.HasField("venue_trigger_time"), stage.venue.timers)


async def test_the_accounts_switch_is_krakens_timer(stage):
    """Both times are told; 0 takes both off."""
    request = switch(60, scope=orders.ORDER_SCOPE_ACCOUNT)
    armed = await stage.orders.SetDeadMansSwitch(request, timeout=5)
    off = await stage.orders.SetDeadMansSwitch(switch(0, scope=orders.ORDER_SCOPE_ACCOUNT), timeout=5)
    assert [(True, True), (False, False)] == [
        (each.HasField("trigger_time"), each.HasField("venue_trigger_time")) for each in (armed, off)
    ]
    first, last = stage.venue.timers
    assert first in {59, 60}  # whole seconds, rounded down
    assert 0 == last


@pytest.mark.parametrize(
    ("request_", "path"),
    [
        (orders.SetDeadMansSwitchRequest(), "timeout"),
        (switch(4), "timeout"),
        (switch(86_400), "timeout"),
        (orders.SetDeadMansSwitchRequest(timeout=Duration(seconds=60, nanos=1)), "timeout"),
        (switch(60, scope=orders.ORDER_SCOPE_ALL_CALLERS), "scope"),
    ],
    ids=["none", "too short", "too long", "not whole", "all callers"],
)
async def test_a_switch_outside_its_bounds_is_refused(stage, request_, path):
    """Nothing is armed."""
    status = await refused(stage.orders.SetDeadMansSwitch(request_, timeout=5))
    assert ("INVALID_REQUEST", [path]) == (status.reason, list(status.bad))
    assert [] == stage.venue.timers
