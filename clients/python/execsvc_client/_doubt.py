"""The third outcome of a placement, as a type of its own: not placed, not refused, not known yet.

It cannot be read as success by accident: it has no order's fields, is neither true nor false, and says what to do
instead when it is used as if it were an order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client._errors import ExecsvcError
from execsvc_client._orders import Order, Placed, fate, read_order

R = TypeVar("R")

RESOLVE_TIMEOUT = 60.0


@dataclass(frozen=True, eq=False)
class InDoubt(Generic[R]):
    """The order is durable at the gateway, its fate at the exchange is being found out by asking, and it will be known.

    `so_far` is the order as it stood when the answer came: what was wanted, not what was got.
    """

    client_order_id: str
    so_far: Order
    _resolve: Callable[[str, float], R] = field(repr=False)

    def resolve(self, timeout: float = RESOLVE_TIMEOUT) -> R:
        """Wait for the truth, up to `timeout` seconds; awaited on the asynchronous client.

        Gives Placed. Raises NotPlaced or Refused when that is the truth, OutcomeUnknown when time is up before it is.
        """
        return self._resolve(self.client_order_id, timeout)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self._said}; it is neither a success nor a failure")

    if not TYPE_CHECKING:  # a type checker that sees __getattr__ takes every attribute for there

        def __getattr__(self, name: str) -> NoReturn:
            if name in _ORDER_FIELDS:
                raise AttributeError(f"no {name}: {self._said}", name=name, obj=self)
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    @property
    def _said(self) -> str:
        return f"the outcome of {self.client_order_id} is not known yet: resolve() waits for it"


_ORDER_FIELDS = frozenset({"order", *(each.name for each in fields(Order))}) - {"client_order_id"}


def told(answer: orders_pb.PlaceOrderResponse, resolve: Callable[[str, float], R]) -> Placed | InDoubt[R]:
    """What an answer to a placement means. Raises the refusal, where that is what it says."""
    order = read_order(answer.order)
    match fate(order):
        case Placed():
            return Placed(order, answer.replayed, tuple(answer.warnings))
        case ExecsvcError() as refusal:
            raise refusal
        case None:
            return InDoubt(order.client_order_id, order, resolve)
