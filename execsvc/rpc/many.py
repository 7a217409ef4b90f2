"""OrderService, what is done to many orders at once: convert in, call the use case, convert out.

What it means for each order, and who may, is the business of app/.
"""

from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.batchdesk import BatchDesk
from execsvc.app.cancels import Unremembered
from execsvc.app.clearing import CancelResult, Clearing, Whose, demand_kill
from execsvc.app.deadman import DeadMan
from execsvc.app.desk import Placed
from execsvc.app.timing import DEFAULT_ENTRY_DELAY_S, Timing
from execsvc.domain.errors import Fault
from execsvc.rpc.call import Call
from execsvc.rpc.convert import orders as convert
from execsvc.rpc.scalars import seconds_of, timestamp_or_none
from execsvc.rpc.status import call_error

_WHOSE = {
    wire.ORDER_SCOPE_UNSPECIFIED: Whose.OWN,
    wire.ORDER_SCOPE_OWN: Whose.OWN,
    wire.ORDER_SCOPE_ALL_CALLERS: Whose.ALL_CALLERS,
    wire.ORDER_SCOPE_ACCOUNT: Whose.ACCOUNT,
}


class ManyOrders:
    """Every built method, by its name in snake case."""

    def __init__(self, desk: BatchDesk, clearing: Clearing, dead_man: DeadMan) -> None:
        self._desk = desk
        self._clearing = clearing
        self._dead_man = dead_man

    async def place_orders(self, call: Call, request: wire.PlaceOrdersRequest) -> wire.PlaceOrdersResponse:
        """An outcome for each row; the call fails only when nothing was written down."""
        delay_s = seconds_of(request.max_entry_delay) if request.HasField("max_entry_delay") else DEFAULT_ENTRY_DELAY_S
        queue_s = seconds_of(request.max_queue_wait) if request.HasField("max_queue_wait") else 0.0
        entries = [(each.client_order_id, convert.spec_of(each.spec)) for each in request.entries]
        timing = Timing(call.arrived, call.caller_by, delay_s, queue_s)
        outcomes = await self._desk.place_many(call.who, entries, timing)
        return wire.PlaceOrdersResponse(
            results=[_placed(name, each) for (name, _), each in zip(entries, outcomes, strict=True)]
        )

    async def cancel_orders(self, call: Call, request: wire.CancelOrdersRequest) -> wire.CancelOrdersResponse:
        """An answer for each; one that is not known spoils no other."""
        refs = [convert.ref_of(each) for each in request.orders]
        results = await self._clearing.cancel(call.who, refs, call.answer_by)
        return wire.CancelOrdersResponse(
            results=[_result(ref, result) for ref, result in zip(request.orders, results, strict=True)]
        )

    async def cancel_all_orders(self, call: Call, request: wire.CancelAllOrdersRequest) -> wire.CancelAllOrdersResponse:
        """How many were asked to go, and how many of them are gone by now; the rest is pursued."""
        swept = await self._clearing.clear(call.who, _WHOSE[request.scope], request.symbol, call.answer_by)
        return wire.CancelAllOrdersResponse(
            account=call.account, requested_count=swept.requested, cancelled_count=swept.cancelled
        )

    async def set_dead_mans_switch(
        self, call: Call, request: wire.SetDeadMansSwitchRequest
    ) -> wire.SetDeadMansSwitchResponse:
        """OWN is kept here, ACCOUNT is Kraken's timer."""
        timeout_s = request.timeout.seconds
        if _WHOSE[request.scope] is Whose.ACCOUNT:
            demand_kill(call.who, call.account, "a dead man's switch over the whole account")
            armed = await self._dead_man.set_account(call.who.name, timeout_s, call.answer_by)
        else:
            armed = await self._dead_man.set_own(call.who.name, timeout_s)
        return wire.SetDeadMansSwitchResponse(
            account=call.account,
            trigger_time=timestamp_or_none(armed.trigger_ns),
            venue_trigger_time=timestamp_or_none(armed.venue_trigger_ns),
        )


def _placed(client_order_id: str, outcome: Placed | Fault) -> wire.PlaceOrdersResult:
    if isinstance(outcome, Fault):
        replayed = outcome.metadata.get("replayed") == "true"
        return wire.PlaceOrdersResult(client_order_id=client_order_id, error=call_error(outcome), replayed=replayed)
    return wire.PlaceOrdersResult(
        client_order_id=client_order_id, order=convert.order(outcome.order), replayed=outcome.replayed
    )


def _result(ref: wire.OrderRef, result: CancelResult) -> wire.CancelOrdersResult:
    if isinstance(result, Fault):
        return wire.CancelOrdersResult(ref=ref, error=call_error(result))
    if isinstance(result, Unremembered):
        return wire.CancelOrdersResult(ref=ref, order=convert.unremembered(result))
    return wire.CancelOrdersResult(ref=ref, order=convert.order(result))
