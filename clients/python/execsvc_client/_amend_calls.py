"""Changing an order in place, for both clients: one amend, sent at most once under its request_id.

What became of one in doubt is asked for by the same request with a version that no order has: the gateway answers a
request_id it knows from its journal before it looks at the order, and one it does not know it refuses. So nothing is ever
sent by asking.
"""

import asyncio
from collections.abc import Awaitable
from typing import Unpack

from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client import _methods as methods
from execsvc_client._amends import (
    Amended,
    AmendInDoubt,
    AmendOptions,
    amend_order,
    is_applied,
    never_sent,
    question_about,
    read_amended,
    still_unknown,
)
from execsvc_client._chance import jitter
from execsvc_client._errors import ExecsvcError, OutcomeUnknown
from execsvc_client._link import Link
from execsvc_client._orders import read_order
from execsvc_client._requests import OrderLike
from execsvc_client._settling import PASSING, PAUSE
from execsvc_client._sync_link import SyncLink


class AmendsOrders:
    """These methods of Client."""

    link: Link

    async def amend(
        self, order: OrderLike = "", *, order_id: str = "", **options: Unpack[AmendOptions]
    ) -> Amended | AmendInDoubt[Awaitable[Amended]]:
        """Change an open order in place, at most once per request_id: it keeps its id and its fills. See AmendOptions.

        `order` is a client order id or a value that has one; `order_id=` is Kraken's. Gives Amended, or AmendInDoubt when
        the time ran out before the exchange's answer came: await its resolve(). Raises OutcomeUnknown when not even the
        gateway answered (repeat it with the same request_id); the other errors all mean that nothing was changed.
        """
        request = amend_order(self.link.settings.account, order, order_id, options)
        answer = await self.link.call(
            methods.AMEND_ORDER,
            request,
            timeout=options.get("timeout"),
            client_order_id=request.order.client_order_id,
        )
        return told(self.link, request, answer)


def told(
    link: Link, request: orders_pb.AmendOrderRequest, answer: orders_pb.AmendOrderResponse
) -> Amended | AmendInDoubt[Awaitable[Amended]]:
    """What an answer means to the asynchronous client."""
    if is_applied(answer):
        return read_amended(answer, request.request_id)
    return AmendInDoubt(request.request_id, read_order(answer.order), lambda timeout: _resolve(link, request, timeout))


async def _resolve(link: Link, request: orders_pb.AmendOrderRequest, timeout: float) -> Amended:
    clock = asyncio.get_running_loop().time
    by = clock() + timeout
    question = question_about(request)
    while (left := by - clock()) > 0:
        try:
            answer = await link.call(
                methods.AMEND_ORDER,
                question,
                timeout=min(left, methods.AMEND_ORDER.timeout),
                client_order_id=request.order.client_order_id,
            )
        except (*PASSING, OutcomeUnknown):
            pass
        except ExecsvcError as error:
            raise never_sent(error, request) from None
        else:
            if is_applied(answer):
                return read_amended(answer, request.request_id)
        await asyncio.sleep(max(0.0, min(jitter(PAUSE), by - clock())))
    raise still_unknown(request, timeout)


class SyncAmendsOrders:
    """These methods of SyncClient."""

    link: SyncLink

    def amend(
        self, order: OrderLike = "", *, order_id: str = "", **options: Unpack[AmendOptions]
    ) -> Amended | AmendInDoubt[Amended]:
        """Change an open order in place, at most once per request_id: it keeps its id and its fills. See AmendOptions.

        `order` is a client order id or a value that has one; `order_id=` is Kraken's. Gives Amended, or AmendInDoubt when
        the time ran out before the exchange's answer came: call its resolve(). Raises OutcomeUnknown when not even the
        gateway answered (repeat it with the same request_id); the other errors all mean that nothing was changed.
        """
        request = amend_order(self.link.settings.account, order, order_id, options)
        answer = self.link.call(
            methods.AMEND_ORDER,
            request,
            timeout=options.get("timeout"),
            client_order_id=request.order.client_order_id,
        )
        return sync_told(self.link, request, answer)


def sync_told(
    link: SyncLink, request: orders_pb.AmendOrderRequest, answer: orders_pb.AmendOrderResponse
) -> Amended | AmendInDoubt[Amended]:
    """What an answer means to the synchronous client."""
    if is_applied(answer):
        return read_amended(answer, request.request_id)
    return AmendInDoubt(
        request.request_id, read_order(answer.order), lambda timeout: _sync_resolve(link, request, timeout)
    )


def _sync_resolve(link: SyncLink, request: orders_pb.AmendOrderRequest, timeout: float) -> Amended:
    by = link.clock() + timeout
    question = question_about(request)
    while (left := by - link.clock()) > 0:
        try:
            answer = link.call(
                methods.AMEND_ORDER,
                question,
                timeout=min(left, methods.AMEND_ORDER.timeout),
                client_order_id=request.order.client_order_id,
            )
        except (*PASSING, OutcomeUnknown):
            pass
        except ExecsvcError as error:
            raise never_sent(error, request) from None
        else:
            if is_applied(answer):
                return read_amended(answer, request.request_id)
        link.sleep(max(0.0, min(jitter(PAUSE), by - link.clock())))
    raise still_unknown(request, timeout)
