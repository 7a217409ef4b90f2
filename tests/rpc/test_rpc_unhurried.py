"""Callers that keep the door waiting, on a real server and in raw frames: what they cost is bounded and others are served."""

import asyncio
from contextlib import suppress

import grpc
import pytest
import pytest_asyncio
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import market_data_service_pb2 as market
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc.rpc import crowd, health, server, untaken
from execsvc.rpc.callers import LocalCaller
from execsvc.rpc.quotas import Room
from tests.rpc.stage import ended, link_up, refused, seen
from tests.rpc.stage import stage as open_stage
from tests.support import http2
from tests.support.http2 import dialled, dribbling, headers, message, settings

INFO = admin.GetServerInfoRequest()
BTC = market.SubscribeTickersRequest(symbols=["BTC/USD"])
PATHS = [
    "/execsvc.v1.AdminService/GetServerInfo",
    "/execsvc.v1.OrderService/PlaceOrder",
    "/execsvc.v1.MarketDataService/SubscribeTickers",
    "/execsvc.v1.OrderService/OrderSession",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
]


@pytest_asyncio.fixture
async def hurried(monkeypatch):
    """A server that waits for a request a fifth of a second."""
    monkeypatch.setattr(crowd, "ARRIVING_S", 0.2)
    monkeypatch.setattr(crowd, "LOOK_EVERY_S", 0.02)
    async with open_stage() as stage:
        yield stage


async def answered(wire, within_s=3.0):
    """Until a call on the connection has ended; its trailers as they came."""
    await wire.until(lambda: wire.ends, within_s)
    return b"".join(payload for kind, _, _, payload in wire.frames if kind == http2.HEADERS)


@pytest.mark.parametrize("path", PATHS)
async def test_a_request_that_never_comes_is_not_waited_for(hurried, path):
    """Headers alone are answered when the time for the request is over: INVALID_ARGUMENT, whatever the method."""
    wire = await dialled(hurried.door.port, headers(1, path))
    began = asyncio.get_running_loop().time()
    trailers = await answered(wire)
    assert 0.15 < asyncio.get_running_loop().time() - began < 2
    assert str(grpc.StatusCode.INVALID_ARGUMENT.value[0]).encode() in trailers
    await wire.close()


@pytest.mark.parametrize("path", PATHS)
async def test_a_call_that_ends_without_a_request_is_answered_at_once(stage, path):
    """Headers that say "no more comes" are an answer's worth: nothing of the call stays behind."""
    wire = await dialled(stage.door.port, headers(1, path, end_stream=True))
    assert str(grpc.StatusCode.INVALID_ARGUMENT.value[0]).encode() in await answered(wire)
    await wire.close()


async def test_a_request_in_pieces_is_answered(hurried):
    """Slow is not late: a request that is whole in time is served."""
    whole = message(1, b"\x0a\x00" * 3)
    wire = await dribbling(hurried.door.port)
    await wire.send(headers(1, PATHS[-1]))
    for number in range(len(whole)):
        await wire.send(whole[number : number + 1])
        await asyncio.sleep(0.001)
    await wire.until(lambda: wire.seen(http2.DATA))
    await wire.close()


async def test_a_flood_of_unsent_requests_ends_the_oldest_and_serves_the_others(monkeypatch):
    """At the bound the call that has waited longest is ended; another caller is served all the while."""
    monkeypatch.setattr(crowd, "ARRIVING_MOST", 20)
    async with open_stage() as stage:
        wire = await dialled(stage.door.port, *(headers(1 + 2 * number, PATHS[0]) for number in range(60)))
        await wire.until(lambda: wire.ends >= 40)
        assert "0.1.0" == (await stage.admin.GetServerInfo(INFO, timeout=2)).version
        assert 40 <= wire.ends <= 41
        first = [stream for kind, flags, stream, _ in wire.frames if kind == http2.HEADERS and flags & http2.END_STREAM]
        assert sorted(first)[:40] == [1 + 2 * number for number in range(40)]
        await wire.close()


async def test_whoever_is_crowded_out_may_ask_again(monkeypatch):
    """A request still on its way when too many others are is refused with a wait, and its id is not used."""
    monkeypatch.setattr(crowd, "ARRIVING_MOST", 3)

    async def never():
        await asyncio.get_running_loop().create_future()
        yield b""

    async with open_stage() as stage:
        slow = stage.channel.stream_unary(PATHS[1])(never())
        await stage.eventually(lambda: len(stage.door.crowd.arriving) == 1)
        others = [stage.channel.stream_unary(PATHS[1])(never()) for _ in range(3)]
        refusal = await refused(slow)
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA", "false", "500") == (
            refusal.code,
            refusal.reason,
            refusal.metadata["id_used"],
            refusal.trailers["grpc-retry-pushback-ms"],
        )
        for each in others:
            each.cancel()


async def test_a_caller_that_takes_no_answers_gets_no_more(monkeypatch):
    """At the bound its calls are refused in words that need no window, and when it reads it is served again."""
    monkeypatch.setattr(untaken, "UNTAKEN_MOST", 5)
    async with open_stage() as stage:
        wire = await dialled(stage.door.port, settings((4, 0)))
        for number in range(9):
            await wire.send(headers(1 + 2 * number, PATHS[0]), message(1 + 2 * number, b""))
            await stage.eventually(lambda sent=number + 1: stage.door.untaken.held("local") == min(sent, 5))
        await wire.until(lambda: wire.ends == 4)
        assert 0 == wire.seen(http2.DATA)
        refusal = await refused(stage.admin.GetServerInfo(INFO, timeout=2))
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "CALLER_QUOTA") == (refusal.code, refusal.reason)
        await wire.send(settings((4, 65_535)))
        await wire.until(lambda: wire.ends == 9)
        assert "0.1.0" == (await stage.admin.GetServerInfo(INFO, timeout=2)).version
        await wire.close()


async def test_a_long_answer_counts_as_many(monkeypatch):
    """What is held is bounded in bytes, not in answers alone."""
    monkeypatch.setattr(untaken, "UNTAKEN_MOST", 5)
    monkeypatch.setattr(untaken, "UNTAKEN_BYTES", 20)
    async with open_stage() as stage:
        path = "/execsvc.v1.MarketDataService/ListInstruments"
        wire = await dialled(stage.door.port, settings((4, 0)))
        await wire.send(headers(1, path), message(1, b""))
        await stage.eventually(lambda: stage.door.untaken.held("local") > 5)
        await wire.send(headers(3, path), message(3, b""))
        await wire.until(lambda: wire.ends == 1)
        await wire.close()
        await stage.eventually(lambda: stage.door.untaken.held("local") == 0)


def with_options(monkeypatch, **changed):
    """The door with some of gRPC's options otherwise; their names without `grpc.`."""
    names = {f"grpc.{name}": value for name, value in changed.items()}
    assert set(names) <= set(dict(server.OPTIONS))
    monkeypatch.setattr(server, "OPTIONS", tuple({**dict(server.OPTIONS), **names}.items()))


async def test_age_moves_calls_to_a_new_connection_and_cuts_no_stream(monkeypatch):
    """Past the age of its connection a stream goes on, and no call fails; a new call comes over a new connection."""
    with_options(monkeypatch, max_connection_age_ms=300)

    class Noting(LocalCaller):
        def __init__(self):
            super().__init__("main")
            self.peers = set()

        def recognise(self, meta, peer, names=()):
            self.peers.add(peer)
            return super().recognise(meta, peer, names)

    noting = Noting()
    async with open_stage(callers=noting) as stage:
        reader = stage.market.SubscribeTickers(BTC)
        await reader.read()
        by = stage.clock.monotonic() + 1.5
        while stage.clock.monotonic() < by:
            await stage.admin.GetServerInfo(INFO, timeout=2)
            await asyncio.sleep(0.02)
        assert len(noting.peers) >= 2
        await stage.tell(link_up(), seen("BTC/USD", snapshot=True))
        while (await reader.read()).WhichOneof("event") != "snapshot":
            pass
        reader.cancel()


async def test_dribbled_headers_do_not_keep_a_connection(monkeypatch):
    """A connection whose only call never gets beyond its headers is an idle one, and is closed as such."""
    with_options(monkeypatch, max_connection_idle_ms=300)
    async with open_stage() as stage:
        wire = await dribbling(stage.door.port)
        block = headers(1, PATHS[0], more=(("x-padding", "a" * 3000),))
        with suppress(ConnectionError):
            for number in range(len(block) - 1):
                await wire.send(block[number : number + 1])
                await asyncio.sleep(0.005)
        assert await wire.ended(1.0)
        assert number < len(block) - 2
        await wire.close()


async def test_streams_of_all_callers_are_bounded_together(monkeypatch):
    """Below each caller's own bound there is one for all of them, told in words; who leaves makes room."""
    monkeypatch.setitem(crowd._MOST, Room.STREAMS, 2)
    async with open_stage() as stage:
        held = [stage.market.SubscribeTickers(BTC) for _ in range(2)]
        for call in held:
            await call.read()
        _, refusal = await ended(stage.market.SubscribeTickers(BTC))
        assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS") == (refusal.code, refusal.reason)
        assert "paper" == refusal.metadata["venue"]
        assert "0.1.0" == (await stage.admin.GetServerInfo(INFO, timeout=2)).version
        held[0].cancel()
        await stage.eventually(lambda: stage.door.crowd.inside(Room.STREAMS) == 1)
        again = stage.market.SubscribeTickers(BTC)
        assert "accepted" == (await again.read()).WhichOneof("event")
        again.cancel()
        held[1].cancel()


async def test_two_credentials_are_none():
    """A call with two authorization headers is not judged by the first of them."""

    class Nosy(LocalCaller):
        seen = ""

        def recognise(self, meta, peer, names=()):
            self.seen = meta["authorization"]
            return super().recognise(meta, peer, names)

    nosy = Nosy("main")
    async with open_stage(callers=nosy) as stage:
        twice = (("authorization", "Bearer one"), ("authorization", "Bearer two"))
        await stage.admin.GetServerInfo(INFO, metadata=twice, timeout=2)
    assert "Bearer one,Bearer two" == nosy.seen


async def test_calls_of_health_are_bounded(stage, monkeypatch):
    """Health needs no token, so there is a bound to who asks and watches at once; whoever leaves makes room."""
    monkeypatch.setattr(health, "HEALTH_MOST", 2)
    stub = health_pb2_grpc.HealthStub(stage.channel)
    held = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(2)]
    for call in held:
        await call.read()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED is caught.value.code()
    held[0].cancel()
    async with asyncio.timeout(3):
        while True:
            again = stub.Watch(health_pb2.HealthCheckRequest())
            if await again.read() is not grpc.aio.EOF:
                break
            await asyncio.sleep(0.01)
    again.cancel()
    held[1].cancel()


async def test_a_health_answer_that_is_not_taken_counts(stage, monkeypatch):
    """A stranger that keeps its window shut holds no more than the bound."""
    monkeypatch.setattr(health, "HEALTH_MOST", 3)
    wire = await dialled(stage.door.port, settings((4, 0)))
    for number in range(10):
        await wire.send(headers(1 + 2 * number, PATHS[-2]), message(1 + 2 * number, b""))
    await wire.until(lambda: wire.ends == 7)
    await asyncio.sleep(0.05)
    assert (7, 0) == (wire.ends, wire.seen(http2.DATA))
    await wire.close()
