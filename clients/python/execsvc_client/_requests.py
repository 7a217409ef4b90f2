"""From arguments to wire requests, for the asynchronous and the synchronous client alike.

What cannot be meant (a float, two types, no price and no `market`) is refused here, before anything is sent. What the
exchange wants of a price or a quantity is refused by the server, with the figure that would pass. The order itself is
_specs.py's.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol, TypeAlias

from execsvc_api.v1 import account_service_pb2 as account_pb
from execsvc_api.v1 import market_data_service_pb2 as market_pb
from execsvc_api.v1 import order_pb2
from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client._amounts import Number, moment, seconds
from execsvc_client._chance import new_client_order_id
from execsvc_client._enums import OrderStatus, ScopeLike, scope_of
from execsvc_client._limits import CapacityQuery, query_to_wire
from execsvc_client._orders import Order, Placed
from execsvc_client._specs import SideLike, Size, SpecOptions, spec_to_wire


class HasClientOrderId(Protocol):
    """An InDoubt or an OutcomeUnknown: something that knows under which id an order was sent."""

    @property
    def client_order_id(self) -> str:
        """The id."""
        ...


OrderLike: TypeAlias = str | Order | Placed | HasClientOrderId


class OrderOptions(SpecOptions, total=False):
    """What place(), buy() and sell() take besides symbol, size and price: the wish (SpecOptions), and how it is sent.

    client_order_id   the id of this intent; made once when absent. Give your own if you may have to look it up
    timeout           seconds for the whole call, repeats included; 10 when absent. It becomes Kraken's deadline too
    max_entry_delay   seconds within which the order must enter the book, or never; the server's 5 when absent
    max_queue_wait    seconds it may be held back for a rate counter; absent: refused at once with the exact wait
    """

    client_order_id: str | None
    timeout: float | None
    max_entry_delay: float | None
    max_queue_wait: float | None


def place_order(
    account: str,
    symbol: str,
    side: SideLike,
    *,
    quantity: Size,
    limit_price: Number | None,
    market: bool,
    options: OrderOptions,
) -> orders_pb.PlaceOrderRequest:
    """One order to place. Raises TypeError or ValueError for what cannot be meant."""
    _refuse_unknown(options)
    request = orders_pb.PlaceOrderRequest(
        account=account,
        client_order_id=options.get("client_order_id") or new_client_order_id(),
        spec=spec_to_wire(symbol, side, size=quantity, limit_price=limit_price, market=market, options=options),
    )
    if (delay := options.get("max_entry_delay")) is not None:
        request.max_entry_delay.CopyFrom(seconds(delay, "max_entry_delay"))
    if (wait := options.get("max_queue_wait")) is not None:
        request.max_queue_wait.CopyFrom(seconds(wait, "max_queue_wait"))
    return request


def preview_order(
    account: str,
    symbol: str,
    side: SideLike,
    *,
    quantity: Size,
    limit_price: Number | None,
    market: bool,
    ask_venue: bool,
    options: OrderOptions,
) -> orders_pb.PreviewOrderRequest:
    """One order to look at: the spec that place_order() makes of the same arguments. Raises as it does."""
    placement = place_order(
        account, symbol, side, quantity=quantity, limit_price=limit_price, market=market, options=options
    )
    return orders_pb.PreviewOrderRequest(account=account, spec=placement.spec, ask_venue=ask_venue)


def _refuse_unknown(options: OrderOptions) -> None:
    if unknown := options.keys() - OrderOptions.__annotations__.keys():
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")


def order_ref(order: OrderLike, order_id: str) -> orders_pb.OrderRef:
    """Which order: a client order id, a value that has one, or Kraken's id by keyword. Raises TypeError for neither."""
    if isinstance(order, Placed):
        order = order.order
    if isinstance(order, Order):
        if order.order_id:
            return orders_pb.OrderRef(order_id=order.order_id)
        return orders_pb.OrderRef(client_order_id=order.client_order_id, caller=order.caller)
    named = order if isinstance(order, str) else order.client_order_id
    if bool(named) is bool(order_id):
        raise TypeError("name one order: a client order id (or an order), or order_id=…")
    return orders_pb.OrderRef(order_id=order_id) if order_id else orders_pb.OrderRef(client_order_id=named)


def list_orders(
    account: str,
    *,
    symbol: str,
    statuses: Iterable[OrderStatus],
    scope: ScopeLike,
    since: datetime | None,
    until: datetime | None,
    page_size: int,
) -> orders_pb.ListOrdersRequest:
    """The first page of orders; `since` inclusive, `until` exclusive."""
    request = orders_pb.ListOrdersRequest(
        account=account,
        statuses=[order_pb2.OrderStatus.ValueType(status) for status in statuses],
        symbol=symbol,
        scope=scope_to_wire(scope),
        page_size=page_size,
    )
    if since is not None:
        request.start_time.CopyFrom(moment(since, "since"))
    if until is not None:
        request.end_time.CopyFrom(moment(until, "until"))
    return request


def scope_to_wire(scope: ScopeLike) -> orders_pb.OrderScope.ValueType:
    """Whose orders. Raises ValueError for a word that is none of them."""
    return orders_pb.OrderScope.ValueType(scope_of(scope))


def list_fills(
    account: str, *, symbol: str, since: datetime | None, until: datetime | None, page_size: int
) -> account_pb.ListFillsRequest:
    """The first page of executions; `since` inclusive, `until` exclusive."""
    request = account_pb.ListFillsRequest(account=account, symbol=symbol, page_size=page_size)
    if since is not None:
        request.start_time.CopyFrom(moment(since, "since"))
    if until is not None:
        request.end_time.CopyFrom(moment(until, "until"))
    return request


def get_limits(
    account: str, symbols: str | Iterable[str], queries: Iterable[CapacityQuery]
) -> account_pb.GetLimitsRequest:
    """Counters of these pairs, and questions about capacity."""
    return account_pb.GetLimitsRequest(
        account=account, symbols=symbols_of(symbols), queries=[query_to_wire(each) for each in queries]
    )


def list_trades(symbol: str, *, since: datetime | None, page_size: int) -> market_pb.ListTradesRequest:
    """The first page of public trades; without `since` the latest."""
    request = market_pb.ListTradesRequest(symbol=symbol, page_size=page_size)
    if since is not None:
        request.start_time.CopyFrom(moment(since, "since"))
    return request


def list_candles(
    symbol: str, *, interval: timedelta, since: datetime | None, page_size: int
) -> market_pb.ListCandlesRequest:
    """The first page of candles; without `since` as far back as Kraken goes."""
    request = market_pb.ListCandlesRequest(symbol=symbol, page_size=page_size)
    request.interval.FromTimedelta(interval)
    if since is not None:
        request.start_time.CopyFrom(moment(since, "since"))
    return request


def symbols_of(symbols: str | Iterable[str]) -> list[str]:
    """One symbol or several, as a list."""
    return [symbols] if isinstance(symbols, str) else list(symbols)
