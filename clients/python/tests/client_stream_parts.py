"""What the tests of streams script and how they read: messages as a gateway sends them, and so many events of a stream."""

import asyncio
from contextlib import aclosing

from execsvc_api.v1 import order_service_pb2

ORDERS = "OrderService/SubscribeOrders"
LIVE, STALE, RESYNCING = 1, 2, 3


def accepted(kind, heartbeat_ms=1000):
    message = kind()
    message.accepted.stream_id, message.accepted.server_epoch = "s-1", "e-1"
    message.accepted.heartbeat_interval.FromMilliseconds(heartbeat_ms)
    return message


def heartbeat(kind, state=LIVE, not_live=()):
    message = kind()
    message.meta.feed_state = state
    message.heartbeat.SetInParent()
    message.heartbeat.not_live_symbols.extend(not_live)
    return message


def in_state(message, state):
    message.meta.feed_state = state
    return message


def order_message(order=None, token=""):
    message = order_service_pb2.SubscribeOrdersResponse(resume_token=token)
    if order is not None:
        message.order.CopyFrom(order)
    return message


def snapshot_message(orders, token, *, complete=True):
    message = order_service_pb2.SubscribeOrdersResponse(resume_token=token)
    message.snapshot.orders.extend(orders)
    message.snapshot.complete = complete
    return message


async def take(stream, count):
    found = []
    async with aclosing(stream) as events, asyncio.timeout(10):
        async for event in events:
            found.append(event)
            if len(found) == count:
                break
    return found
