"""Orders between the contract and the domain: the wish and the reference both ways, the order's state outward.

A request reaches this room only after validate.py let it through, so every look here finds what it expects; nothing is
dropped in silence here.
"""

from decimal import Decimal
from typing import TypedDict

from execsvc_api.v1 import order_pb2 as wire
from execsvc_api.v1 import order_service_pb2 as service

from execsvc.app.cancels import Unremembered
from execsvc.domain import money
from execsvc.domain.ids import OrderRef
from execsvc.domain.order import TERMINAL, Order, Status
from execsvc.domain.spec import (
    ConditionalClose,
    FeePreference,
    Offset,
    OrderSpec,
    OrderType,
    SelfTradePrevention,
    TimeInForce,
    TriggerReference,
)
from execsvc.rpc.convert.account import amounts
from execsvc.rpc.scalars import SIDE_OF, SIDES, decimal, decimal_or_empty, ns_of, timestamp, timestamp_or_none
from execsvc.rpc.status import call_error

STATUSES: dict[Status, wire.OrderStatus.ValueType] = {
    status: wire.OrderStatus.Value(f"ORDER_STATUS_{status.name}") for status in Status
}
STATUS_OF = {number: status for status, number in STATUSES.items()}
TIMES_IN_FORCE: dict[TimeInForce, wire.TimeInForce.ValueType] = {
    each: wire.TimeInForce.Value(f"TIME_IN_FORCE_{each.name}") for each in TimeInForce
}
REFERENCES: dict[TriggerReference, wire.TriggerReference.ValueType] = {
    each: wire.TriggerReference.Value(f"TRIGGER_REFERENCE_{each.name}") for each in TriggerReference
}
PREVENTIONS: dict[SelfTradePrevention, wire.SelfTradePrevention.ValueType] = {
    each: wire.SelfTradePrevention.Value(f"SELF_TRADE_PREVENTION_{each.name}") for each in SelfTradePrevention
}
FEE_PREFERENCES: dict[FeePreference, wire.FeePreference.ValueType] = {
    each: wire.FeePreference.Value(f"FEE_PREFERENCE_{each.name}") for each in FeePreference
}
KINDS: dict[OrderType, wire.TriggerOrder.Kind.ValueType] = {
    OrderType.STOP_LOSS: wire.TriggerOrder.KIND_STOP_LOSS,
    OrderType.TAKE_PROFIT: wire.TriggerOrder.KIND_TAKE_PROFIT,
}
# What is not said means the first of each: contract.md section 4.
TIME_IN_FORCE_OF = {number: each for each, number in TIMES_IN_FORCE.items()} | {0: TimeInForce.GTC}
REFERENCE_OF = {number: each for each, number in REFERENCES.items()} | {0: TriggerReference.LAST}
PREVENTION_OF = {number: each for each, number in PREVENTIONS.items()} | {0: SelfTradePrevention.CANCEL_NEWEST}
FEE_PREFERENCE_OF = {number: each for each, number in FEE_PREFERENCES.items()} | {0: FeePreference.QUOTE}
KIND_OF = {number: each for each, number in KINDS.items()}
_WITHOUT_TIME_IN_FORCE = frozenset({OrderType.MARKET, OrderType.SETTLE_POSITION})


class _Prices(TypedDict):
    limit_price: Decimal | None
    trigger_price: Decimal | None
    offset: Offset | None
    limit_offset: Offset | None


def spec_of(given: wire.OrderSpec) -> OrderSpec:
    """The wish as the domain knows it; the symbol still as the caller spelt it."""
    order_type, prices = _parts_of(given)
    return OrderSpec(
        symbol=given.symbol,
        side=SIDE_OF[given.side],
        base_quantity=money.parse(given.base_quantity) if given.HasField("base_quantity") else None,
        quote_quantity=money.parse(given.quote_quantity) if given.HasField("quote_quantity") else None,
        full_position=given.full_position,
        order_type=order_type,
        **prices,
        post_only=given.limit.post_only,
        display_quantity=money.parse(given.limit.display_quantity)
        if given.limit.HasField("display_quantity")
        else None,
        trigger_reference=REFERENCE_OF[given.trigger.reference or given.trailing_stop.reference],
        time_in_force=TIME_IN_FORCE_OF[given.time_in_force],
        expire_time_ns=ns_of(given.expire_time) if given.HasField("expire_time") else None,
        start_time_ns=ns_of(given.start_time) if given.HasField("start_time") else None,
        leverage=given.leverage,
        reduce_only=given.reduce_only,
        self_trade_prevention=PREVENTION_OF[given.self_trade_prevention],
        fee_preference=FEE_PREFERENCE_OF[given.fee_preference],
        conditional_close=_close_of(given.conditional_close) if given.HasField("conditional_close") else None,
        label=given.label,
    )


def _close_of(given: wire.ConditionalClose) -> ConditionalClose:
    order_type, prices = _parts_of(given)
    return ConditionalClose(order_type, **prices)


def _parts_of(given: wire.OrderSpec | wire.ConditionalClose) -> tuple[OrderType, _Prices]:
    """The member of order_type that is set, taken apart."""
    prices = _Prices(limit_price=None, trigger_price=None, offset=None, limit_offset=None)
    match given.WhichOneof("order_type"):
        case "limit":
            prices["limit_price"] = money.parse(given.limit.limit_price)
            return OrderType.LIMIT, prices
        case "trigger":
            trigger = given.trigger
            prices["trigger_price"] = money.parse(trigger.trigger_price)
            prices["limit_price"] = money.parse(trigger.limit_price) if trigger.HasField("limit_price") else None
            return KIND_OF[trigger.kind], prices
        case "trailing_stop":
            stop = given.trailing_stop
            prices["offset"] = _offset_of(stop.offset)
            prices["limit_offset"] = _offset_of(stop.limit_offset) if stop.HasField("limit_offset") else None
            return OrderType.TRAILING_STOP, prices
        case "settle_position":
            return OrderType.SETTLE_POSITION, prices
        case _:
            return OrderType.MARKET, prices


def _offset_of(given: wire.Offset) -> Offset:
    percent = given.WhichOneof("value") == "percent"
    return Offset(money.parse(given.percent if percent else given.absolute, signed=True), percent=percent)


def spec(value: OrderSpec) -> wire.OrderSpec:
    """The wish as the contract says it; a market order has no time in force there, and a default may go without saying."""
    told = wire.OrderSpec(
        symbol=value.symbol,
        side=SIDES[value.side],
        expire_time=timestamp_or_none(value.expire_time_ns),
        start_time=timestamp_or_none(value.start_time_ns),
        leverage=value.leverage,
        reduce_only=value.reduce_only,
        conditional_close=None if value.conditional_close is None else _close(value.conditional_close),
        label=value.label,
    )
    if value.base_quantity is not None:
        told.base_quantity = decimal(value.base_quantity)
    elif value.quote_quantity is not None:
        told.quote_quantity = decimal(value.quote_quantity)
    else:
        told.full_position = True
    if value.order_type not in _WITHOUT_TIME_IN_FORCE:
        told.time_in_force = TIMES_IN_FORCE[value.time_in_force]
    if value.self_trade_prevention is not SelfTradePrevention.CANCEL_NEWEST:
        told.self_trade_prevention = PREVENTIONS[value.self_trade_prevention]
    if value.fee_preference is not FeePreference.QUOTE:
        told.fee_preference = FEE_PREFERENCES[value.fee_preference]
    _tell_type(told, value)
    return told


def _close(value: ConditionalClose) -> wire.ConditionalClose:
    told = wire.ConditionalClose()
    _tell_type(told, value)
    return told


def _tell_type(told: wire.OrderSpec | wire.ConditionalClose, value: OrderSpec | ConditionalClose) -> None:
    """Sets the member of order_type. A conditional close has no options of its own: no reference, nothing shown in part."""
    whole = value if isinstance(value, OrderSpec) else None
    limit_price = None if value.limit_price is None else decimal(value.limit_price)
    reference = wire.TRIGGER_REFERENCE_UNSPECIFIED if whole is None else REFERENCES[whole.trigger_reference]
    match value.order_type:
        case OrderType.LIMIT:
            shown = None if whole is None or whole.display_quantity is None else decimal(whole.display_quantity)
            post_only = whole is not None and whole.post_only
            told.limit.CopyFrom(
                wire.LimitOrder(limit_price=limit_price or "", post_only=post_only, display_quantity=shown)
            )
        case OrderType.STOP_LOSS | OrderType.TAKE_PROFIT:
            fires = decimal_or_empty(value.trigger_price)
            told.trigger.CopyFrom(
                wire.TriggerOrder(
                    kind=KINDS[value.order_type], trigger_price=fires, reference=reference, limit_price=limit_price
                )
            )
        case OrderType.TRAILING_STOP:
            told.trailing_stop.CopyFrom(
                wire.TrailingStopOrder(
                    offset=_offset(value.offset), reference=reference, limit_offset=_offset(value.limit_offset)
                )
            )
        case OrderType.MARKET | OrderType.SETTLE_POSITION if isinstance(told, wire.OrderSpec):
            if value.order_type is OrderType.MARKET:
                told.market.SetInParent()
            else:
                told.settle_position.SetInParent()


def _offset(value: Offset | None) -> wire.Offset | None:
    if value is None:
        return None
    text = decimal(value.value)
    return wire.Offset(percent=text) if value.percent else wire.Offset(absolute=text)


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
        current_trigger_price=decimal_or_empty(value.current_trigger_price),
        triggered=value.triggered,
        parent_order_id=value.parent_order_id,
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
