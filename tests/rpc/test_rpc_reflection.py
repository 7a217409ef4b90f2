"""Reflection on a real server: who is told what the contract is, under which names, how many at once and for how long."""

import asyncio

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2 as wire

from execsvc.domain.caller import Permission, alike
from execsvc.rpc import bounds, reflect
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.permits import SERVICES
from tests.rpc.stage import ended
from tests.rpc.stage import stage as open_stage

OLD, NEW = "grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection"


class With(LocalCaller):
    """Everybody has these permissions and no others."""

    def __init__(self, *permissions):
        super().__init__("main")
        self._caller = alike("local", permissions, ("main",))


def asking(stage, service=OLD):
    return stage.channel.stream_stream(
        f"/{service}/ServerReflectionInfo",
        request_serializer=wire.ServerReflectionRequest.SerializeToString,
        response_deserializer=wire.ServerReflectionResponse.FromString,
    )()


async def listed(stage, service=OLD):
    call = asking(stage, service)
    await call.write(wire.ServerReflectionRequest(list_services=""))
    answer = await call.read()
    await call.done_writing()
    if answer is grpc.aio.EOF or answer is None:
        await call
    return {each.name for each in answer.list_services_response.service}


@pytest.mark.parametrize("service", [OLD, NEW])
async def test_an_admin_is_told_what_there_is(service):
    """Every service of the contract, health and reflection itself, under the old name of the service and the new one."""
    async with open_stage(callers=With(Permission.ADMIN)) as built:
        assert {*SERVICES, "grpc.health.v1.Health", OLD} == await listed(built, service)


async def test_without_admin_nobody_is_told():
    """Every other permission together is not enough: PERMISSION_DENIED in the contract's words."""
    async with open_stage(callers=With(*(set(Permission) - {Permission.ADMIN}))) as built:
        held, refusal = await ended(asking(built))
    assert ([], grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", "admin") == (
        held,
        refusal.code,
        refusal.reason,
        refusal.metadata["permission"],
    )


async def test_an_unknown_caller_is_not_told():
    """Who is not recognised is UNAUTHENTICATED here as everywhere."""

    class Far(LocalCaller):
        def recognise(self, meta, peer, names=()):
            return super().recognise(meta, "ipv4:192.0.2.7:5000", names)

    async with open_stage(callers=Far("main")) as built:
        _, refusal = await ended(asking(built))
    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (refusal.code, refusal.reason)


async def test_under_dev_everybody_is_told():
    """With the flag no permission is asked for."""
    async with open_stage(callers=With(), reflect=True) as built:
        assert SERVICES[0] in await listed(built)


async def test_askers_are_bounded_and_make_room(stage):
    """One more than the bound is refused; when one has left, the next is told."""
    open_calls = [asking(stage) for _ in range(bounds.REFLECTIONS_MOST)]
    for call in open_calls:
        await call.write(wire.ServerReflectionRequest(list_services=""))
        await call.read()
    _, refusal = await ended(asking(stage))
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS") == (refusal.code, refusal.reason)
    open_calls[0].cancel()
    for call in open_calls[1:]:
        await call.done_writing()
    async with asyncio.timeout(5):
        while True:
            try:
                assert SERVICES[0] in await listed(stage)
                return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(0.01)


async def test_who_asks_nothing_is_ended(stage, monkeypatch):
    """A call that is opened and left alone does not keep its place for ever."""
    monkeypatch.setattr(reflect, "REFLECTION_S", 0.05)
    call = asking(stage)
    async with asyncio.timeout(5):
        assert grpc.StatusCode.DEADLINE_EXCEEDED is await call.code()
