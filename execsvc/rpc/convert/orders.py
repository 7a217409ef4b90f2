"""Orders between the contract and the domain: the wish and the reference both ways, the order's state outward.

A request reaches this room only after validate.py let it through, so every look here finds what it expects. What this build
cannot place was refused there; nothing is dropped in silence here.
"""

from decimal import Decimal

from execsvc_api.v1 import order_pb2 as wire
from execsvc_api.v1 import order_service_pb2 as service

from execsvc.app.cancels import Unremembered
from execsvc.domain import money
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import TERMINAL, Order, OrderSpec, OrderType, Status, TimeInForce
from execsvc.rpc.convert.account import amounts
from execsvc.rpc.scalars import SIDE_OF, SIDES, decimal, timestamp, timestamp_or_none
from execsvc.rpc.status import call_error

STATUSES: dict[Status, wire.OrderStatus.ValueType] = {
    status: wire.OrderStatus.Value(f"ORDER_STATUS_{status.name}") for status in Status
}
STATUS_OF = {number: status for status, number in STATUSES.items()}
TIMES_IN_FORCE: dict[TimeInForce, wire.TimeInForce.ValueType] = {
    TimeInForce.GTC: wire.TIME_IN_FORCE_GTC,
    TimeInForce.IOC: wire.TIME_IN_FORCE_IOC,
}
TIME_IN_FORCE_OF = {number: tif for tif, number in TIMES_IN_FORCE.items()} | {
    wire.TIME_IN_FORCE_UNSPECIFIED: TimeInForce.GTC
}


def spec_of(given: wire.OrderSpec) -> OrderSpec:
    """The wish as the domain knows it; the symbol still as the caller spelt it."""
    limited = given.WhichOneof("order_type") == "limit"
    return OrderSpec(
        symbol=given.symbol,
        side=SIDE_OF[given.side],
        base_quantity=money.parse(given.base_quantity),
        order_type=OrderType.LIMIT if limited else OrderType.MARKET,
        limit_price=money.parse(given.limit.limit_price) if limited else None,
        post_only=given.limit.post_only,
        time_in_force=TIME_IN_FORCE_OF[given.time_in_force],
        label=given.label,
    )


def spec(value: OrderSpec) -> wire.OrderSpec:
    """The wish as the contract says it; a market order has no time in force there."""
    if value.limit_price is None:
        return wire.OrderSpec(
            symbol=value.symbol,
            side=SIDES[value.side],
            base_quantity=decimal(value.base_quantity),
            market=wire.MarketOrder(),
            label=value.label,
        )
    return wire.OrderSpec(
        symbol=value.symbol,
        side=SIDES[value.side],
        base_quantity=decimal(value.base_quantity),
        limit=wire.LimitOrder(limit_price=decimal(value.limit_price), post_only=value.post_only),
        time_in_force=TIMES_IN_FORCE[value.time_in_force],
        label=value.label,
    )


def ref_of(given: service.OrderRef) -> OrderRef:
    """Which order a request means."""
    return OrderRef(given.client_order_id, given.order_id, given.caller)


def ref(value: OrderRef) -> service.OrderRef:
    """A reference as the contract says it."""
    if value.client_order_id:
        return service.OrderRef(client_order_id=value.client_order_id, caller=value.caller)
    return service.OrderRef(order_id=value.venue_order_id)


def order(value: Order) -> wire.Order:
    """The order as it stands; `end_error` only when it ended otherwise than filled and a reason is known."""
    ended_badly = value.status in TERMINAL and value.status is not Status.FILLED
    return wire.Order(
        account=value.key.account,
        caller=value.key.caller,
        client_order_id=value.key.client_order_id,
        order_id=value.venue_order_id,
        venue_client_id=value.venue_client_id,
        spec=spec(value.spec),
        status=STATUSES[value.status],
        cancel_requested=value.cancel_requested,
        filled_quantity=_or_zero(value.filled_quantity),
        filled_cost=_or_zero(value.filled_cost),
        average_price="" if value.average_price is None else decimal(value.average_price),
        fees=amounts(value.fees),
        end_error=call_error(value.end_fault) if ended_badly and value.end_fault is not None else None,
        create_time=timestamp(value.create_time_ns),
        open_time=timestamp_or_none(value.open_time_ns),
        update_time=timestamp(value.update_time_ns),
        version=value.version,
    )


def unremembered(value: Unremembered) -> wire.Order:
    """An order whose cancel Kraken took while the store could not be read: who it is, and nothing that is not known."""
    return wire.Order(
        account=value.key.account,
        caller=value.key.caller,
        client_order_id=value.key.client_order_id,
        venue_client_id=value.venue_client_id,
        cancel_requested=True,
    )


def _or_zero(figure: Decimal) -> str:
    return decimal(figure) if figure else "0"
