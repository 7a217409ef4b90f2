"""Callers that never give up, for the chaos tests: plain grpcio told to retry every code, and the project's own client.

Each place again after every error and after every success. What they hear is written down in the history checker's words;
when nobody of the service's own said anything, that is nothing at all. Threads: one for each order.
"""

import json
import time
from decimal import Decimal

import grpc
from execsvc_api.v1 import common_pb2, order_pb2, order_service_pb2, order_service_pb2_grpc
from execsvc_client import ExecsvcError, InDoubt, SyncClient
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.support.faultproxy_rig import SYMBOL
from tests.support.history import Call, Told

ATTEMPTS_LEAST = 10
ATTEMPTS_MOST = 40
ATTEMPT_S = 4.0
RESOLVE_S = 10.0
PAUSE_S = 0.15
EVERY_CODE = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 5,  # more are not allowed by gRPC
                "initialBackoff": "0.02s",
                "maxBackoff": "0.3s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": [code.name for code in grpc.StatusCode if code is not grpc.StatusCode.OK],
            },
        }
    ]
}
OPTIONS = [
    ("grpc.service_config", json.dumps(EVERY_CODE)),
    ("grpc.enable_retries", 1),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 300),
]


class PlainCaller:
    """Grpcio as it comes, told to retry every code."""

    def __init__(self, target):
        self._target = target

    def __enter__(self):
        self._channel = grpc.insecure_channel(self._target, options=OPTIONS)
        self._stub = order_service_pb2_grpc.OrderServiceStub(self._channel)
        return self

    def __exit__(self, *_):
        self._channel.close()

    def place(self, wanted):
        """What was told; None when nobody of the service's own said anything."""
        request = order_service_pb2.PlaceOrderRequest(
            client_order_id=wanted.client_order_id,
            spec=order_pb2.OrderSpec(
                symbol=SYMBOL,
                side=common_pb2.SIDE_BUY,
                base_quantity=str(wanted.quantity),
                limit=order_pb2.LimitOrder(limit_price=str(wanted.limit_price)),
            ),
        )
        request.max_entry_delay.FromMilliseconds(int(wanted.entry_s * 1000))
        try:
            return told_of(self._stub.PlaceOrder(request, timeout=ATTEMPT_S).order)
        except grpc.RpcError as failure:
            return refused(failure)


def told_of(order):
    """An order's state in the checker's words."""
    return Told(
        status=order_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_").lower(),
        venue_id=order.order_id,
        filled=Decimal(order.filled_quantity or 0),
        cost=Decimal(order.filled_cost or 0),
        fee=sum((Decimal(fee.amount) for fee in order.fees), Decimal(0)),
    )


def refused(failure):
    status = rpc_status.from_call(failure)
    for detail in status.details if status is not None else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            used = {"true": True, "false": False}.get(info.metadata.get("id_used", ""))
            return Told(reason=info.reason, id_used=used)
    return None


class OwnCaller:
    """The project's client as it comes, resolving what it is not sure of."""

    def __init__(self, target):
        self._client = SyncClient(target)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._client.close()

    def place(self, wanted):
        """What was told; None when nobody of the service's own said anything."""
        try:
            placed = self._client.buy(
                SYMBOL,
                quantity=wanted.quantity,
                limit_price=wanted.limit_price,
                client_order_id=wanted.client_order_id,
                timeout=ATTEMPT_S,
                max_entry_delay=wanted.entry_s,
            )
            if isinstance(placed, InDoubt):
                placed = placed.resolve(RESOLVE_S)
        except ExecsvcError as failure:
            return Told(reason=failure.reason, id_used=failure.id_used) if failure.reason else None
        return told_of(placed.order.wire)


def definite(told):
    return told is not None and (told.id_used is True or told.status in {"open", "filled", "pending"})


def insist(caller, wanted, start_s):
    """Places again and again: ten times at least, whatever the answers, and until the last one is definite."""
    time.sleep(start_s)
    calls = []
    for attempt in range(1, ATTEMPTS_MOST + 1):
        invoked = time.time()
        told = caller.place(wanted)
        limit = invoked + ATTEMPT_S
        calls.append(
            Call("place", wanted.client_order_id, invoked, time.time(), wanted.quantity, limit, told, told is None)
        )
        if attempt >= ATTEMPTS_LEAST and definite(told):
            break
        time.sleep(PAUSE_S)
    return calls
