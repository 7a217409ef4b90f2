"""Many orders at once, for both clients: arguments to requests, answers to values. What is sent when is _many_calls.py's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client._amounts import Number, seconds, when
from execsvc_client._chance import new_client_order_id
from execsvc_client._decode import facts_inside
from execsvc_client._enums import ScopeLike
from execsvc_client._errors import ExecsvcError, error_of
from execsvc_client._orders import Order, Placed, fate, read_order
from execsvc_client._requests import OrderLike, order_ref, scope_to_wire
from execsvc_client._specs import SideLike, Size, SpecOptions, spec_to_wire


class NewOrder(SpecOptions, total=False):
    """One row of place_many(): what place() takes for it, but for what is said once for all rows.

    side              Required. "buy" or "sell"
    quantity          Required. Base units, Quote or WHOLE_POSITION
    limit_price       quote units; or market=True, or another type (SpecOptions)
    client_order_id   the id of this intent; made once when absent
    """

    side: SideLike
    quantity: Size
    limit_price: Number | None
    market: bool
    client_order_id: str


@dataclass(frozen=True, slots=True)
class BatchRow:
    """What became of one row: `order` as it stands (in doubt too), or `error`, which was raised by nobody."""

    client_order_id: str
    order: Order | None
    error: ExecsvcError | None
    replayed: bool

    @property
    def placed(self) -> bool:
        """Whether the order is known to be at the exchange, or to have been."""
        return self.order is not None and isinstance(fate(self.order), Placed)


@dataclass(frozen=True, slots=True)
class CancelRow:
    """What became of one cancel: `order` as it stands, or `error`."""

    order: Order | None
    error: ExecsvcError | None


@dataclass(frozen=True, slots=True)
class Cleared:
    """How many orders were asked to go, and how many of them are gone; the rest is pursued."""

    requested: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class Switch:
    """When a dead man's switch goes off, and when Kraken's own timer does; None: it is off."""

    trigger_time: datetime | None
    venue_trigger_time: datetime | None


def place_orders(
    account: str, symbol: str, rows: Sequence[NewOrder], *, max_entry_delay: float | None, max_queue_wait: float | None
) -> orders_pb.PlaceOrdersRequest:
    """A batch of one symbol. Raises TypeError or ValueError for what cannot be meant."""
    request = orders_pb.PlaceOrdersRequest(account=account)
    for row in rows:
        spec = spec_to_wire(
            symbol,
            row["side"],
            size=row["quantity"],
            limit_price=row.get("limit_price"),
            market=row.get("market", False),
            options=row,
        )
        request.entries.add(client_order_id=row.get("client_order_id") or new_client_order_id(), spec=spec)
    if max_entry_delay is not None:
        request.max_entry_delay.CopyFrom(seconds(max_entry_delay, "max_entry_delay"))
    if max_queue_wait is not None:
        request.max_queue_wait.CopyFrom(seconds(max_queue_wait, "max_queue_wait"))
    return request


def read_batch_row(wire: orders_pb.PlaceOrdersResult) -> BatchRow:
    """One outcome. An order that ended as refused or not placed has its reason as the error."""
    if wire.WhichOneof("outcome") == "error":
        facts = facts_inside(wire.error, wire.client_order_id)
        return BatchRow(wire.client_order_id, None, error_of(facts, changes=True), wire.replayed)
    return BatchRow(wire.client_order_id, read_order(wire.order), None, wire.replayed)


def cancel_orders(account: str, orders: Iterable[OrderLike], order_ids: Iterable[str]) -> orders_pb.CancelOrdersRequest:
    """1 to 50 orders, by the caller's ids or by Kraken's."""
    refs = [order_ref(each, "") for each in orders] + [order_ref("", each) for each in order_ids]
    return orders_pb.CancelOrdersRequest(account=account, orders=refs)


def read_cancel_row(wire: orders_pb.CancelOrdersResult) -> CancelRow:
    """One outcome."""
    if wire.WhichOneof("outcome") == "error":
        return CancelRow(None, error_of(facts_inside(wire.error, wire.ref.client_order_id), changes=True))
    return CancelRow(read_order(wire.order), None)


def cancel_all(account: str, symbol: str, scope: ScopeLike) -> orders_pb.CancelAllOrdersRequest:
    """All of a symbol, or, with an empty one, all there are in scope."""
    request = orders_pb.CancelAllOrdersRequest(account=account, scope=scope_to_wire(scope))
    if symbol:
        request.symbol = symbol
    else:
        request.all_symbols = True
    return request


def read_cleared(wire: orders_pb.CancelAllOrdersResponse) -> Cleared:
    """The counts."""
    return Cleared(wire.requested_count, wire.cancelled_count)


def set_switch(account: str, timeout: float, scope: ScopeLike) -> orders_pb.SetDeadMansSwitchRequest:
    """0 takes it off."""
    request = orders_pb.SetDeadMansSwitchRequest(account=account, scope=scope_to_wire(scope))
    request.timeout.CopyFrom(seconds(timeout, "seconds"))
    return request


def read_switch(wire: orders_pb.SetDeadMansSwitchResponse) -> Switch:
    """Both times."""
    return Switch(
        when(wire.trigger_time, present=wire.HasField("trigger_time")),
        when(wire.venue_trigger_time, present=wire.HasField("venue_trigger_time")),
    )
