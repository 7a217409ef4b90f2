"""OrderService: convert in, call the desk, convert out.

Nothing is decided here but which rights a scope needs beyond the method's own. A placement's send belongs to the desk: this
room may be cancelled at any await and nothing is lost.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractContextManager, ExitStack, aclosing, nullcontext
from dataclasses import replace

from execsvc_api.v1 import order_service_pb2 as wire
from google.protobuf.message import Message

from execsvc.app.cancels import Unremembered
from execsvc.app.catalog import Catalog
from execsvc.app.desk import Desk, Placed
from execsvc.app.executions import Executions
from execsvc.app.explain import Explain
from execsvc.app.hub import Delivery
from execsvc.app.orders import OrderFeed
from execsvc.app.preview import Preview
from execsvc.app.timing import DEFAULT_ENTRY_DELAY_S, Timing
from execsvc.domain.caller import Caller, Permission
from execsvc.domain.errors import FieldViolation, Reason, error_of, invalid, refuse
from execsvc.domain.ids import OrderKey, OrderRef
from execsvc.domain.order import UNRESOLVED, Order, Status
from execsvc.domain.spec import OrderSpec, content_hash
from execsvc.ports import OrderQuery
from execsvc.rpc.call import Call
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.convert import preview as preview_convert
from execsvc.rpc.convert import story
from execsvc.rpc.convert.streams import delivery
from execsvc.rpc.follow import BUFFERED, OrderSource
from execsvc.rpc.scalars import ns_of, seconds_of
from execsvc.rpc.streams import Pumps, Terms, heartbeat_s
from execsvc.rpc.tokens import cursor_of, page_size, page_token, position_of

_CURSOR = (int, str, str)
_BEYOND_OWN = frozenset({wire.ORDER_SCOPE_ALL_CALLERS, wire.ORDER_SCOPE_ACCOUNT})


class OrderService:
    """Every built method, by its name in snake case, for one account."""

    def __init__(
        self,
        *,
        desk: Desk,
        preview: Preview,
        explain: Explain,
        feed: OrderFeed,
        catalog: Catalog,
        executions: Executions,
        lost: Callable[[Caller], AbstractContextManager[None]],
        pumps: Pumps,
    ) -> None:
        self._desk = desk
        self._preview = preview
        self._explain = explain
        self._feed = feed
        self._catalog = catalog
        self._executions = executions
        self._lost = lost
        self._pumps = pumps

    async def place_order(self, call: Call, request: wire.PlaceOrderRequest) -> wire.PlaceOrderResponse:
        """IN_DOUBT is an answer, not an error."""
        spec = convert.spec_of(request.spec)
        call.tell(_told(request.client_order_id, spec))
        delay_s = seconds_of(request.max_entry_delay) if request.HasField("max_entry_delay") else DEFAULT_ENTRY_DELAY_S
        queue_s = seconds_of(request.max_queue_wait) if request.HasField("max_queue_wait") else 0.0
        placed = await self._desk.place(
            call.who, request.client_order_id, spec, Timing(call.arrived, call.caller_by, delay_s, queue_s)
        )
        call.tell(
            {
                "execsvc.outcome": placed.order.status.value,
                "execsvc.replayed": placed.replayed,
                "execsvc.attempt": placed.order.attempt,
                "execsvc.order_id": placed.order.venue_order_id,
            }
        )
        return _response(placed)

    async def standing(self, call: Call, request: wire.PlaceOrderRequest) -> wire.PlaceOrderResponse:
        """What is durable of a placement that broke on the way. Raises ORDER_NOT_FOUND when nothing of it is."""
        order = await self._desk.get(call.who, OrderRef(client_order_id=request.client_order_id))
        symbol = self._catalog.instrument(request.spec.symbol).symbol
        asked = replace(convert.spec_of(request.spec), symbol=symbol)
        if order.content_hash != content_hash(call.account, asked):
            raise refuse(Reason.ORDER_NOT_FOUND, "the id stands for another order")
        if order.end_fault is not None and order.status in {Status.REJECTED, Status.NOT_PLACED, Status.NEVER_SENT}:
            raise error_of(order.end_fault)
        told = replace(order, status=Status.IN_DOUBT) if order.status in UNRESOLVED else order
        return _response(Placed(told, replayed=False))

    async def preview_order(self, call: Call, request: wire.PreviewOrderRequest) -> wire.PreviewOrderResponse:
        """What placing would say; nothing is written down, set aside or sent."""
        looked = self._preview.look(call.who, convert.spec_of(request.spec))
        previewed = await self._preview.priced(looked, call.answer_by, call.who.name)
        if request.ask_venue:
            previewed = await self._preview.asked(previewed, call.answer_by, call.who.name)
        return preview_convert.response(call.account, previewed)

    async def cancel_order(self, call: Call, request: wire.CancelOrderRequest) -> wire.CancelOrderResponse:
        """The order as it stands when Kraken answered, or when the caller's time is nearly up."""
        order = await self._desk.cancel(call.who, convert.ref_of(request.order), call.answer_by)
        if isinstance(order, Unremembered):
            return wire.CancelOrderResponse(order=convert.unremembered(order))
        call.tell({"execsvc.client_order_id": order.key.client_order_id, "execsvc.outcome": order.status.value})
        return wire.CancelOrderResponse(order=convert.order(order))

    async def get_order(self, call: Call, request: wire.GetOrderRequest) -> wire.GetOrderResponse:
        """One order."""
        order = await self._desk.get(call.who, convert.ref_of(request.order))
        return wire.GetOrderResponse(order=convert.order(order))

    async def explain_order(self, call: Call, request: wire.ExplainOrderRequest) -> wire.ExplainOrderResponse:
        """The order and how it came to be so."""
        order, steps = await self._explain.tell(call.who, convert.ref_of(request.order))
        return wire.ExplainOrderResponse(order=convert.order(order), events=map(story.event, steps))

    async def list_orders(self, call: Call, request: wire.ListOrdersRequest) -> wire.ListOrdersResponse:
        """Newest first; one order more than the page is asked for, to know whether there is a next one."""
        size = page_size(request.page_size)
        query = OrderQuery(
            account=call.account,
            caller=_caller_in(call, request),
            symbol=self._catalog.instrument(request.symbol).symbol if request.symbol else "",
            statuses=frozenset(convert.STATUS_OF[each] for each in request.statuses),
            start_ns=ns_of(request.start_time) if request.HasField("start_time") else None,
            end_ns=ns_of(request.end_time) if request.HasField("end_time") else None,
            size=size + 1,
            before=_before(call, request),
            placed_here=request.scope != wire.ORDER_SCOPE_ACCOUNT,
        )
        found = await self._desk.page(query)
        page = found[:size]
        return wire.ListOrdersResponse(
            orders=map(convert.order, page),
            next_page_token=_token(request, page[-1]) if len(found) > size else "",
        )

    async def subscribe_orders(self, call: Call, request: wire.SubscribeOrdersRequest) -> AsyncGenerator[Message, None]:
        """From the journal: a reader holds a place in it, so a slow one loses nothing and costs no memory."""
        beyond_own = request.scope in _BEYOND_OWN
        if beyond_own:
            call.demand(Permission.ACCOUNT, "following every caller's orders")
        if request.cancel_on_disconnect:
            call.demand(Permission.CANCEL, "cancel_on_disconnect")
        symbols = frozenset(each.symbol for each in self._catalog.all_of(request.symbols))
        outside = request.scope == wire.ORDER_SCOPE_ACCOUNT
        wanted = self._feed.filter_for(call.who, all_callers=beyond_own, symbols=symbols, outside=outside)
        position = (
            position_of(request.resume_token, self._feed.journal_id, self._feed.account)
            if request.HasField("resume_token")
            else None
        )
        held = Delivery(conflate=False, max_buffered=request.max_buffered or BUFFERED, max_batch=1)
        guard = self._lost(call.who) if request.cancel_on_disconnect else nullcontext()
        async with self._feed.follow(wanted, position) as (reader, shown):
            source = OrderSource(
                reader=reader,
                shown=shown,
                fresh=position is None,
                symbols=tuple(sorted(symbols)),
                journal_id=self._feed.journal_id,
                account=self._feed.account,
                max_buffered=held.max_buffered,
                private_state=lambda: self._executions.state,
            )
            terms = Terms(heartbeat_s(request), delivery(held))
            pumped = self._pumps.pump(call, wire.SubscribeOrdersResponse, source, terms)
            with guard, ExitStack() as ends:
                ends.callback(self._executions.on_move(source.moved))
                async with aclosing(pumped) as messages:
                    async for message in messages:
                        yield message


def _response(placed: Placed) -> wire.PlaceOrderResponse:
    return wire.PlaceOrderResponse(order=convert.order(placed.order), replayed=placed.replayed)


def _told(client_order_id: str, spec: OrderSpec) -> dict[str, str | int | float | bool]:
    return {
        "execsvc.client_order_id": client_order_id,
        "execsvc.symbol": spec.symbol,
        "execsvc.side": spec.side.value,
        "execsvc.order_type": spec.order_type.value,
        "execsvc.time_in_force": spec.time_in_force.value,
    }


def _caller_in(call: Call, request: wire.ListOrdersRequest) -> str:
    """Whose orders a request lists; empty: everybody's."""
    if request.scope in _BEYOND_OWN:
        call.demand(Permission.ACCOUNT, "listing every caller's orders")
        return request.caller
    if request.caller not in {"", call.who.name}:
        raise invalid((FieldViolation("caller", "another than oneself needs the scope ORDER_SCOPE_ALL_CALLERS"),))
    return call.who.name


def _token(request: wire.ListOrdersRequest, last: Order) -> str:
    return page_token(request, last.create_time_ns, last.key.caller, last.key.client_order_id)


def _before(call: Call, request: wire.ListOrdersRequest) -> tuple[int, OrderKey] | None:
    match cursor_of(request, request.page_token, _CURSOR):
        case [int(create_time_ns), str(caller), str(client_order_id)]:
            return create_time_ns, OrderKey(call.account, caller, client_order_id)
        case _:
            return None
