"""Changing an order in place, as values: the request from arguments, and the two answers that are no error.

An amend is known by its `request_id`: the same one again is answered from the gateway's journal and never sent twice. Who
calls is _amend_calls.py.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NoReturn, TypedDict, TypeVar

from execsvc_api.v1 import order_service_pb2 as orders_pb
from grpc import StatusCode

from execsvc_client._amounts import Number, seconds, to_wire
from execsvc_client._chance import new_client_order_id
from execsvc_client._doubt import RESOLVE_TIMEOUT
from execsvc_client._errors import ExecsvcError, Facts, NotPlaced, OutcomeUnknown
from execsvc_client._orders import Order, read_order
from execsvc_client._requests import OrderLike, order_ref

R = TypeVar("R")
_NAMES = {"quantity": "base_quantity"}
_NO_VERSION = 2**64 - 1  # the largest that travels: no order is ever at it
_OF_THE_ORDER = frozenset({"VERSION_MISMATCH", "ORDER_TERMINAL", "ORDER_IN_DOUBT"})


class AmendOptions(TypedDict, total=False):
    """What amend() takes besides the order: what is to be changed, and how it is sent. Absent figures stay as they are.

    quantity          the new total in base units; below what is filled the rest is cancelled
    limit_price       in quote units
    trigger_price     in quote units
    display_quantity  what an iceberg shows, in base units
    post_only         refused rather than taking, at the new limit_price; absent: as the order was placed
    if_version        refused unless the order is at this version
    request_id        the id of this change; made once when absent. Give your own if you may have to repeat it
    timeout           seconds for the whole call, repeats included; 10 when absent. It becomes Kraken's deadline too
    max_entry_delay   seconds within which the change must take effect, or never; the server's 5 when absent
    max_queue_wait    seconds it may be held back for a rate counter; absent: refused at once with the exact wait
    """

    quantity: Number | None
    limit_price: Number | None
    trigger_price: Number | None
    display_quantity: Number | None
    post_only: bool | None
    if_version: int | None
    request_id: str | None
    timeout: float | None
    max_entry_delay: float | None
    max_queue_wait: float | None


@dataclass(frozen=True)
class Amended:
    """The order stands as asked for. `replayed`: the request_id was known, and this call sent nothing."""

    order: Order
    request_id: str
    replayed: bool = False


@dataclass(frozen=True, eq=False)
class AmendInDoubt(Generic[R]):
    """The change is durable at the gateway, whether it took effect is being found out, and it will be known.

    `so_far` is the order as it stood when the answer came.
    """

    request_id: str
    so_far: Order
    _resolve: Callable[[float], R] = field(repr=False)

    def resolve(self, timeout: float = RESOLVE_TIMEOUT) -> R:
        """Wait for the truth, up to `timeout` seconds; awaited on the asynchronous client.

        Gives Amended. Raises NotPlaced or Refused when that is the truth, OutcomeUnknown when time is up before it is.
        """
        return self._resolve(timeout)

    def __bool__(self) -> NoReturn:
        raise TypeError(f"the outcome of amend {self.request_id} is not known yet: resolve() waits for it")


def amend_order(account: str, order: OrderLike, order_id: str, options: AmendOptions) -> orders_pb.AmendOrderRequest:
    """One change of one order. Raises TypeError or ValueError for what cannot be meant."""
    if unknown := options.keys() - AmendOptions.__annotations__.keys():
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    request = orders_pb.AmendOrderRequest(
        account=account,
        order=order_ref(order, order_id),
        request_id=options.get("request_id") or new_client_order_id(),
    )
    figures = {
        "quantity": options.get("quantity"),
        "limit_price": options.get("limit_price"),
        "trigger_price": options.get("trigger_price"),
        "display_quantity": options.get("display_quantity"),
    }
    if all(value is None for value in figures.values()):
        raise TypeError(f"say what is to be changed: one of {', '.join(figures)}")
    for name, value in figures.items():
        if value is not None:
            setattr(request, _NAMES.get(name, name), to_wire(value, name))
    if (post_only := options.get("post_only")) is not None:
        request.post_only = post_only
    if (version := options.get("if_version")) is not None:
        request.if_version = version
    if (delay := options.get("max_entry_delay")) is not None:
        request.max_entry_delay.CopyFrom(seconds(delay, "max_entry_delay"))
    if (wait := options.get("max_queue_wait")) is not None:
        request.max_queue_wait.CopyFrom(seconds(wait, "max_queue_wait"))
    return request


def is_applied(answer: orders_pb.AmendOrderResponse) -> bool:
    """A state newer than this client counts as not known yet."""
    return answer.state == orders_pb.AMEND_STATE_APPLIED


def read_amended(answer: orders_pb.AmendOrderResponse, request_id: str) -> Amended:
    """An amend that is applied, from the wire."""
    return Amended(read_order(answer.order), request_id, answer.replayed)


def question_about(request: orders_pb.AmendOrderRequest) -> orders_pb.AmendOrderRequest:
    """The same amend, as a question: answered where its request_id is known, and else refused for its version."""
    question = orders_pb.AmendOrderRequest()
    question.CopyFrom(request)
    question.if_version = _NO_VERSION
    question.ClearField("max_queue_wait")
    return question


def never_sent(error: ExecsvcError, request: orders_pb.AmendOrderRequest) -> ExecsvcError:
    """What a refused question means: of a request_id that is free nothing was ever sent. Other errors stay as they are."""
    if error.id_used is not False or error.reason not in _OF_THE_ORDER:
        return error
    message = f"amend {request.request_id!r} never left the gateway; look at the order, and amend it anew"
    return NotPlaced(
        Facts(
            StatusCode.ABORTED,
            message,
            "NOT_PLACED",
            {"id_used": "false"},
            request_id=error.request_id,
            trace_id=error.trace_id,
            client_order_id=request.order.client_order_id,
        )
    )


def still_unknown(request: orders_pb.AmendOrderRequest, timeout: float) -> OutcomeUnknown:
    """Time is up and nobody knows yet."""
    message = f"amend {request.request_id!r} is still not known after {timeout:g} s; it is being resolved, ask again"
    return OutcomeUnknown(Facts(StatusCode.DEADLINE_EXCEEDED, message, client_order_id=request.order.client_order_id))
