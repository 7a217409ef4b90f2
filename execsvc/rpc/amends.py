"""OrderService.AmendOrder: convert in, call the use case, convert out.

Nothing is decided here. The send belongs to app/amendsend.py: this room may be cancelled at any await and nothing is lost.
"""

from execsvc_api.v1 import order_service_pb2 as wire

from execsvc.app.amends import Amends
from execsvc.app.timing import DEFAULT_ENTRY_DELAY_S, Timing
from execsvc.rpc.call import Call
from execsvc.rpc.convert import amends as convert
from execsvc.rpc.convert.orders import ref_of
from execsvc.rpc.scalars import seconds_of


class AmendService:
    """The method that changes an order in place."""

    def __init__(self, amends: Amends) -> None:
        self._amends = amends

    async def amend_order(self, call: Call, request: wire.AmendOrderRequest) -> wire.AmendOrderResponse:
        """IN_DOUBT is an answer, not an error."""
        delay_s = seconds_of(request.max_entry_delay) if request.HasField("max_entry_delay") else DEFAULT_ENTRY_DELAY_S
        queue_s = seconds_of(request.max_queue_wait) if request.HasField("max_queue_wait") else 0.0
        timing = Timing(call.arrived, call.caller_by, delay_s, queue_s)
        answer = await self._amends.amend(call.who, ref_of(request.order), convert.asked_of(request), timing)
        call.tell(
            {
                "execsvc.client_order_id": answer.order.key.client_order_id,
                "execsvc.symbol": answer.order.spec.symbol,
                "execsvc.outcome": "applied" if answer.applied else "in_doubt",
                "execsvc.replayed": answer.replayed,
                "execsvc.order_id": answer.order.venue_order_id,
            }
        )
        return convert.response(answer)

    async def standing(self, call: Call, request: wire.AmendOrderRequest) -> wire.AmendOrderResponse:
        """What is durable of an amend that broke on the way. Raises ORDER_NOT_FOUND when nothing of it is."""
        return convert.response(await self._amends.standing(call.who, ref_of(request.order), convert.asked_of(request)))
