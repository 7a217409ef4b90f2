"""Waits for what becomes of an order: asks, listens to the order stream until something moves, asks again.

The asynchronous half; what an order's fate is, `_orders.fate` says. Asking is what counts, the stream only says when it
is worth it: so a stream that cannot be had makes the wait coarser, never wrong.
"""

import asyncio
from collections.abc import Callable

from execsvc_api.v1 import order_service_pb2 as orders_pb
from grpc import aio

from execsvc_client._chance import current_trace, jitter, new_request_id
from execsvc_client._errors import ExecsvcError
from execsvc_client._link import Link
from execsvc_client._methods import GET_ORDER, SUBSCRIBE_ORDERS
from execsvc_client._orders import Order, Placed, fate, read_order
from execsvc_client._settling import ASK_AGAIN, PASSING, PAUSE, Listener, still_unknown


async def resolve(link: Link, ref: orders_pb.OrderRef, timeout: float) -> Placed:
    """The truth about a placement. Raises it, if it is a refusal; OutcomeUnknown when time is up before it is known."""
    order = await until(link, ref, lambda seen: seen.is_definite, timeout)
    found = None if order is None else fate(order)
    if found is None:
        raise still_unknown(ref, timeout)
    if isinstance(found, ExecsvcError):
        raise found
    return found


async def until(link: Link, ref: orders_pb.OrderRef, done: Callable[[Order], bool], timeout: float) -> Order | None:
    """The order once it is `done`, else as it was last seen when time is up; None if it was never seen."""
    clock = asyncio.get_running_loop().time
    by = clock() + timeout
    last: Order | None = None
    while (left := by - clock()) > 0:
        request = orders_pb.GetOrderRequest(account=link.settings.account, order=ref)
        try:
            answer = await link.call(GET_ORDER, request, timeout=min(left, GET_ORDER.timeout))
        except PASSING:
            await asyncio.sleep(min(jitter(PAUSE), left))
            continue
        last = read_order(answer.order)
        if done(last):
            return last
        if not await _listen(link, last, min(ASK_AGAIN, by - clock())):
            await asyncio.sleep(max(0.0, min(jitter(PAUSE), by - clock())))
    return last


async def _listen(link: Link, order: Order, patience: float) -> bool:
    """Wait for a sign that the order moved; False if there was none, or the stream could not be had."""
    if patience <= 0:
        return False
    request = orders_pb.SubscribeOrdersRequest(account=link.settings.account)
    listener = Listener(order)
    call = link.open(SUBSCRIBE_ORDERS, request, new_request_id(), current_trace(wanted=False), timeout=patience)
    try:
        async for message in call:
            if (heard := listener.hears(message)) is not None:
                return heard
    except aio.AioRpcError:
        return False
    finally:
        call.cancel()
    return False
