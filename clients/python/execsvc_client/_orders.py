"""Orders and fills as values: Decimals, enums and UTC datetimes, read once from the wire and frozen.

`wire` on each value is the message it was read from: fields that this version does not know survive there. It is an
escape hatch for reading; nothing reads a change of it.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from execsvc_api.v1 import common_pb2, order_pb2
from grpc import StatusCode

from execsvc_client._amounts import known, when
from execsvc_client._decode import facts_inside
from execsvc_client._enums import OrderStatus, Side, TimeInForce
from execsvc_client._errors import ExecsvcError, Facts, error_of

_TERMINAL = frozenset({
    OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED, OrderStatus.REJECTED, OrderStatus.NOT_PLACED,
    OrderStatus.NEVER_SENT,
})  # fmt: skip
_AT_THE_EXCHANGE = frozenset({
    OrderStatus.PENDING, OrderStatus.OPEN, OrderStatus.FILLED, OrderStatus.CANCELLED, OrderStatus.EXPIRED,
})  # fmt: skip


@dataclass(frozen=True)
class AssetAmount:
    """An amount of one asset, in units of that asset; signed."""

    asset: str
    amount: Decimal


@dataclass(frozen=True)
class Times:
    """The two clocks of an event: the exchange's, None where it tells none, and the server's when it was read."""

    venue: datetime | None
    received: datetime | None


@dataclass(frozen=True)
class Order:
    """An order: what is wanted, where it stands and what it did. Quantities in base units, prices in quote units.

    `order_id` is Kraken's and empty until known. `quantity` and `limit_price` are None where the order has none (a
    market order; one sized by cost). `type` is the contract's word: market, limit, trigger, trailing_stop,
    settle_position; empty for a type newer than this client. `trigger_price` is the one that was asked for,
    `current_trigger_price` where a trailing stop stands now. `parent_order_id` is set on the child of a conditional close.
    What else was asked for is in `wire.spec`.
    """

    account: str
    caller: str
    client_order_id: str
    order_id: str
    symbol: str
    side: Side
    type: str
    quantity: Decimal | None
    quote_quantity: Decimal | None
    limit_price: Decimal | None
    trigger_price: Decimal | None
    post_only: bool
    time_in_force: TimeInForce
    expire_time: datetime | None
    start_time: datetime | None
    leverage: int
    reduce_only: bool
    label: str
    status: OrderStatus
    cancel_requested: bool
    filled_quantity: Decimal
    filled_cost: Decimal
    average_price: Decimal | None
    fees: tuple[AssetAmount, ...]
    current_trigger_price: Decimal | None
    triggered: bool
    parent_order_id: str
    end_error: Facts | None
    create_time: datetime | None
    open_time: datetime | None
    update_time: datetime | None
    version: int
    wire: order_pb2.Order = field(repr=False, compare=False)

    @property
    def is_terminal(self) -> bool:
        """Nothing about it will change any more (but NEVER_SENT, whose id may be sent again)."""
        return self.status in _TERMINAL

    @property
    def is_definite(self) -> bool:
        """Its fate is known: not on its way, not in doubt, not in a status newer than this client."""
        return self.status in _TERMINAL or self.status in _AT_THE_EXCHANGE

    @property
    def remaining(self) -> Decimal | None:
        """Base units not filled; None for an order sized by cost."""
        return None if self.quantity is None else self.quantity - self.filled_quantity


@dataclass(frozen=True)
class Placed:
    """The exchange has the order: open, waiting for its trigger, or already at its end.

    `replayed`: the id was known, and this call sent nothing. `warnings` are checks that only observe.
    """

    order: Order
    replayed: bool = False
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fill:
    """One execution. `fill_id` is the key to deduplicate by; `cost` is without fees; fees as the exchange took them.

    `position_id`: the margin position it opened; empty for any other, and on streams, where the exchange does not tell it.
    """

    fill_id: str
    account: str
    caller: str
    order_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    cost: Decimal
    fees: tuple[AssetAmount, ...]
    maker: bool
    times: Times
    position_id: str
    wire: order_pb2.Fill = field(repr=False, compare=False)


def read_times(times: common_pb2.EventTimes) -> Times:
    """Both clocks of an event."""
    return Times(
        when(times.venue_time, present=times.HasField("venue_time")),
        when(times.receive_time, present=times.HasField("receive_time")),
    )


def read_order(wire: order_pb2.Order) -> Order:
    """An order from the wire."""
    spec = wire.spec
    kind = spec.WhichOneof("order_type")
    limit = spec.limit if kind == "limit" else None
    limit_price = spec.trigger.limit_price if kind == "trigger" else spec.limit.limit_price
    return Order(
        account=wire.account,
        caller=wire.caller,
        client_order_id=wire.client_order_id,
        order_id=wire.order_id,
        symbol=spec.symbol,
        side=Side(spec.side),
        type=kind or "",
        quantity=known(spec.base_quantity),
        quote_quantity=known(spec.quote_quantity),
        limit_price=known(limit_price),
        trigger_price=known(spec.trigger.trigger_price),
        post_only=limit is not None and limit.post_only,
        time_in_force=TimeInForce(spec.time_in_force),
        expire_time=when(spec.expire_time, present=spec.HasField("expire_time")),
        start_time=when(spec.start_time, present=spec.HasField("start_time")),
        leverage=spec.leverage,
        reduce_only=spec.reduce_only,
        label=spec.label,
        status=OrderStatus(wire.status),
        cancel_requested=wire.cancel_requested,
        filled_quantity=known(wire.filled_quantity) or Decimal(0),
        filled_cost=known(wire.filled_cost) or Decimal(0),
        average_price=known(wire.average_price),
        fees=tuple(AssetAmount(fee.asset, Decimal(fee.amount)) for fee in wire.fees),
        current_trigger_price=known(wire.current_trigger_price),
        triggered=wire.triggered,
        parent_order_id=wire.parent_order_id,
        end_error=facts_inside(wire.end_error, wire.client_order_id) if wire.HasField("end_error") else None,
        create_time=when(wire.create_time, present=wire.HasField("create_time")),
        open_time=when(wire.open_time, present=wire.HasField("open_time")),
        update_time=when(wire.update_time, present=wire.HasField("update_time")),
        version=wire.version,
        wire=wire,
    )


def read_fill(wire: order_pb2.Fill) -> Fill:
    """An execution from the wire."""
    return Fill(
        fill_id=wire.fill_id,
        account=wire.account,
        caller=wire.caller,
        order_id=wire.order_id,
        client_order_id=wire.client_order_id,
        symbol=wire.symbol,
        side=Side(wire.side),
        price=Decimal(wire.price),
        quantity=Decimal(wire.quantity),
        cost=Decimal(wire.cost),
        fees=tuple(AssetAmount(fee.asset, Decimal(fee.amount)) for fee in wire.fees),
        maker=wire.maker,
        times=read_times(wire.times),
        position_id=wire.position_id,
        wire=wire,
    )


def fate(order: Order) -> Placed | ExecsvcError | None:
    """What became of a placement: with the exchange, refused (the error to raise), or None while nobody knows."""
    if order.status in _AT_THE_EXCHANGE:
        return Placed(order)
    if order.status not in _TERMINAL:
        return None
    return error_of(order.end_error or _unexplained(order), changes=False)


def _unexplained(order: Order) -> Facts:
    """For an end that the server gave no reason for: its status is reason enough."""
    message = f"the order ended {order.status.name} and the server did not say why"
    match order.status:
        case OrderStatus.NOT_PLACED:
            return Facts(StatusCode.ABORTED, message, "NOT_PLACED", client_order_id=order.client_order_id)
        case OrderStatus.NEVER_SENT:
            return Facts(StatusCode.UNAVAILABLE, message, client_order_id=order.client_order_id)
        case _:
            return Facts(StatusCode.FAILED_PRECONDITION, message, client_order_id=order.client_order_id)
