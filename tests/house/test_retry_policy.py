"""clients/retry.json on the wire: what a gRPC library that is given it does by itself, on a real loopback server."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2, admin_service_pb2_grpc, order_service_pb2, order_service_pb2_grpc

from tests.house.contract_source import ROOT

POLICY = (ROOT / "clients" / "retry.json").read_text("utf-8")


class Failing(order_service_pb2_grpc.OrderServiceServicer, admin_service_pb2_grpc.AdminServiceServicer):
    """Fails the first `times` calls with `code`, then answers; counts all of them."""

    def __init__(self, code: grpc.StatusCode, times: int, trailer: tuple[tuple[str, str], ...] = ()) -> None:
        self.code, self.times, self.trailer, self.calls = code, times, trailer, 0

    async def fail_or(self, context, answer):
        self.calls += 1
        if self.calls > self.times:
            return answer
        return await context.abort(self.code, "as asked", self.trailer)

    async def PlaceOrder(self, request, context):  # noqa: N802 - the contract's name
        return await self.fail_or(context, order_service_pb2.PlaceOrderResponse())

    async def GetServerInfo(self, request, context):  # noqa: N802 - the contract's name
        return await self.fail_or(context, admin_service_pb2.GetServerInfoResponse())


@asynccontextmanager
async def channel_to(servicer: Failing) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server()
    order_service_pb2_grpc.add_OrderServiceServicer_to_server(servicer, server)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.service_config", POLICY)]) as channel:
            yield channel
    finally:
        await server.stop(None)


async def place(channel: grpc.aio.Channel) -> None:
    await order_service_pb2_grpc.OrderServiceStub(channel).PlaceOrder(order_service_pb2.PlaceOrderRequest(), timeout=10)


async def info(channel: grpc.aio.Channel) -> None:
    await admin_service_pb2_grpc.AdminServiceStub(channel).GetServerInfo(
        admin_service_pb2.GetServerInfoRequest(), timeout=10
    )


def test_the_policy_is_the_contracts() -> None:
    """One entry for all methods: two codes, four attempts, 50 ms doubling to 1 s, no waiting for a connection."""
    policy = {
        "maxAttempts": 4,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
    }
    assert json.loads(POLICY) == {"methodConfig": [{"name": [{}], "waitForReady": False, "retryPolicy": policy}]}


@pytest.mark.parametrize("call", [place, info])
@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_the_fourth_attempt_counts(code, call) -> None:
    """Three failures of a retryable code are hidden from the caller, on any method of any service."""
    servicer = Failing(code, times=3)
    async with channel_to(servicer) as channel:
        await call(channel)
    assert servicer.calls == 4


async def test_there_is_no_fifth_attempt() -> None:
    """After four attempts the caller gets the error."""
    servicer = Failing(grpc.StatusCode.UNAVAILABLE, times=100)
    async with channel_to(servicer) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await place(channel)
    assert (failed.value.code(), servicer.calls) == (grpc.StatusCode.UNAVAILABLE, 4)


@pytest.mark.parametrize(
    "code",
    [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.ABORTED, grpc.StatusCode.DEADLINE_EXCEEDED],
)
async def test_other_codes_are_told_at_once(code) -> None:
    """A code that may hide a placed order, or needs a new id, is never repeated by the library."""
    servicer = Failing(code, times=100)
    async with channel_to(servicer) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await place(channel)
    assert (failed.value.code(), servicer.calls) == (code, 1)


async def test_a_pushback_of_minus_one_stops_repeats() -> None:
    """Where waiting cannot heal, the server's trailer keeps the library from repeating."""
    servicer = Failing(grpc.StatusCode.RESOURCE_EXHAUSTED, times=100, trailer=(("grpc-retry-pushback-ms", "-1"),))
    async with channel_to(servicer) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await place(channel)
    assert servicer.calls == 1
