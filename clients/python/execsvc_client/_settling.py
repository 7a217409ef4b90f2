"""What the two waiting halves share: what counts as a sign that an order moved, and what to say when time is up.

Pure; the waits themselves are `_waiting.py` and `_sync_waiting.py`.
"""

import grpc
from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client._errors import Facts, OutcomeUnknown, ServerFault, Throttled, Unavailable
from execsvc_client._orders import Order

ASK_AGAIN = 5.0  # seconds without a sign after which the order is asked for anyway
PAUSE = 0.5  # seconds at most between two questions when the stream gives no sign
PASSING = (Unavailable, Throttled, ServerFault)  # a question that failed so is asked again


class Listener:
    """Listens to one order stream for a reason to ask for one order again."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._found = False

    def hears(self, message: orders_pb.SubscribeOrdersResponse) -> bool | None:
        """True: it changed since it was last seen. False: this stream cannot tell. None: nothing yet."""
        match message.WhichOneof("event"):
            case "order" if self._is_it(message.order.client_order_id, message.order.order_id):
                return message.order.version > self._order.version or None
            case "fill" if self._is_it(message.fill.client_order_id, message.fill.order_id):
                return True
            case "snapshot":
                return self._looks_through(message.snapshot)
            case _:
                return None

    def _looks_through(self, part: orders_pb.OrderSnapshot) -> bool | None:
        for seen in part.orders:
            if self._is_it(seen.client_order_id, seen.order_id):
                self._found = True
                return seen.version > self._order.version or None
        # In no part: it ended since it was last seen, or it is another caller's. Asking tells which.
        return False if part.complete and not self._found else None

    def _is_it(self, client_order_id: str, order_id: str) -> bool:
        mine = self._order
        return client_order_id == mine.client_order_id or (bool(order_id) and order_id == mine.order_id)


def still_unknown(ref: orders_pb.OrderRef, timeout: float) -> OutcomeUnknown:
    """Time is up and nobody knows yet."""
    message = f"still not known after {timeout:g} s; it is being resolved, ask again"
    return OutcomeUnknown(Facts(grpc.StatusCode.DEADLINE_EXCEEDED, message, client_order_id=ref.client_order_id))


def still_open(order: Order | None, timeout: float) -> TimeoutError:
    """Time is up and the order has not ended."""
    if order is None:
        return TimeoutError(f"the order could not be asked for within {timeout:g} s")
    return TimeoutError(f"order {order.client_order_id} is still {order.status.name} after {timeout:g} s")
