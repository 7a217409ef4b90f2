"""The gRPC door itself: addresses, drain, health, reflection."""

import asyncio
import stat

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin
from execsvc_api.v1 import market_data_service_pb2 as market
from execsvc_api.v1 import order_pb2 as order
from execsvc_api.v1 import order_service_pb2 as orders
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc.app.standing import Phase
from execsvc.domain.errors import Fault, Reason
from execsvc.rpc import server
from execsvc.rpc.callers import LocalCaller
from tests.rpc.stage import Stage, ended, link_up, placement, refused, seen
from tests.rpc.stage import stage as open_stage
from tests.rpc.streams_reading import Reader
from tests.support.venue import Fate

INFO = admin.GetServerInfoRequest()
BTC = market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval={"seconds": 60})
Status = health_pb2.HealthCheckResponse


# ---- addresses -------------------------------------------------------------------------------------------------------


async def test_port_zero_picks_a_port_and_tells_it(stage):
    """The bound port is told, and is what answers."""
    assert (f"127.0.0.1:{stage.door.port}", True) == (stage.door.address, stage.door.port > 0)
    assert "paper" == (await stage.admin.GetServerInfo(INFO)).venue


async def test_a_taken_port_fails_by_name(stage):
    """A second server on the same port does not start: it would share the callers with the first."""
    with pytest.raises(OSError, match=stage.door.address):
        await server.start(stage.door.address, stage.services)


async def test_a_stopped_door_frees_its_port(stage):
    """After stop() the same address can be opened again."""
    other = Stage()
    await other.start()
    await other.close()
    again = Stage()
    await again.start(f"127.0.0.1:{other.door.port}")
    await again.close()
    assert other.door.port == again.door.port


async def test_a_unix_socket_is_for_its_owner_only(tmp_path):
    """unix:path answers, nobody but its owner may connect, and a second server there is refused."""
    path = tmp_path / "execsvc.sock"
    async with open_stage(listen=f"unix:{path}") as built:
        info = await built.admin.GetServerInfo(INFO, timeout=2)
        mode = stat.S_IMODE(path.stat().st_mode)
        with pytest.raises(OSError, match="another server answers there"):
            await server.start(f"unix:{path}", built.services)
        assert ("local", 0o600, 0) == (info.caller, mode, built.door.port)


async def test_a_dead_servers_unix_socket_is_taken_over(tmp_path):
    """A socket file that nobody answers at does not keep the next server out."""
    path = tmp_path / "execsvc.sock"
    listener = await asyncio.start_unix_server(lambda *_: None, path)
    listener.close()
    await listener.wait_closed()
    assert path.exists()
    async with open_stage(listen=f"unix:{path}") as built:
        assert "local" == (await built.admin.GetServerInfo(INFO, timeout=2)).caller


async def test_a_peer_of_another_machine_is_not_recognised():
    """Without tokens only this machine is served: UNAUTHENTICATED / TOKEN_INVALID for the rest."""

    class Far(LocalCaller):
        def recognise(self, meta, peer, names=()):
            return super().recognise(meta, "ipv4:192.0.2.7:5000")

    async with open_stage(callers=Far("main")) as built:
        refusal = await refused(built.admin.GetServerInfo(INFO, timeout=2))
    assert (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID") == (refusal.code, refusal.reason)


# ---- drain -----------------------------------------------------------------------------------------------------------


async def test_a_draining_server_refuses_new_orders_and_streams_only(stage):
    """New orders and streams: UNAVAILABLE / SHUTTING_DOWN with a short pushback, nothing sent. Cancels and reads pass."""
    await stage.place("one")
    stage.door.drain()
    placed = await refused(stage.place("two"))
    _, followed = await ended(stage.market.SubscribeTickers(BTC))
    cancelled = await stage.orders.CancelOrder(
        orders.CancelOrderRequest(order=orders.OrderRef(client_order_id="one")), timeout=2
    )
    assert [(grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "500")] * 2 == [
        (each.code, each.reason, each.trailers["grpc-retry-pushback-ms"]) for each in (placed, followed)
    ]
    assert ("false", 1, order.ORDER_STATUS_CANCELLED) == (
        placed.metadata["id_used"],
        len(stage.venue.sends),
        cancelled.order.status,
    )


async def test_a_known_id_is_answered_while_draining(stage):
    """The replay rule holds to the end: what the journal knows is answered from it."""
    await stage.place("one")
    stage.door.drain()
    assert (await stage.place("one")).replayed


async def test_streams_end_first_and_say_why(stage):
    """At stop every stream gets a last heartbeat and ends with UNAVAILABLE / SHUTTING_DOWN; stop does not wait."""
    tickers = Reader(stage.market.SubscribeTickers(BTC))
    follower = Reader(stage.orders.SubscribeOrders(orders.SubscribeOrdersRequest(heartbeat_interval={"seconds": 60})))
    await tickers.take(1)
    await follower.take(2)
    began = stage.clock.monotonic()
    stopping = asyncio.ensure_future(stage.door.stop(5.0))
    ends = [await ended(reader.call) for reader in (tickers, follower)]
    await stopping
    assert stage.clock.monotonic() - began < 1.0
    for held, refusal in ends:
        assert ["heartbeat"] == [message.WhichOneof("event") for message in held]
        assert (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN", "500") == (
            refusal.code,
            refusal.reason,
            refusal.trailers["grpc-retry-pushback-ms"],
        )
    assert ends[1][0][0].resume_token


async def test_a_stream_in_full_flow_ends_too(stage):
    """The drain is seen by a stream that never has to wait."""
    reader = Reader(stage.market.SubscribeTickers(BTC))
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", snapshot=True))

    async def ticks():
        while True:
            stage.public.feeds[0].queue.put_nowait(seen("BTC/USD"))
            await stage.clock.sleep(0)

    busy = asyncio.ensure_future(ticks())
    stopping = asyncio.ensure_future(stage.door.stop(3.0))
    _, refusal = await ended(reader.call)
    busy.cancel()
    await stopping
    assert "SHUTTING_DOWN" == refusal.reason


async def test_a_running_call_has_the_grace_to_finish(stage):
    """A placement that is under way when the server stops is answered."""
    stage.venue.plan.append(Fate(answers_s=0.2))
    placing = asyncio.ensure_future(stage.orders.PlaceOrder(placement("one"), timeout=5))
    await stage.eventually(lambda: stage.venue.sends)
    await stage.door.stop(2.0)
    assert order.ORDER_STATUS_OPEN == (await placing).order.status


# ---- health --------------------------------------------------------------------------------------------------------


def health_of(stage):
    return health_pb2_grpc.HealthStub(stage.channel)


async def states_of(stage):
    answer = await health_of(stage).List(health_pb2.HealthListRequest(), timeout=2)
    return {
        name.removeprefix("execsvc.v1."): Status.ServingStatus.Name(each.status)
        for name, each in answer.statuses.items()
    }


@pytest.mark.parametrize(
    ("change", "not_serving"),
    [
        (lambda _: None, set()),
        (lambda stage: setattr(stage.standing, "phase", Phase.STARTING), {"OrderService", "AccountService"}),
        (lambda stage: setattr(stage.standing, "phase", Phase.RECONCILING), {"OrderService"}),
        (lambda stage: stage.standing.problems.append("key refused"), {"OrderService"}),
        (lambda stage: stage.house.switch.close("test", Fault(Reason.NOT_OWNER, "x")), {"OrderService"}),
        (lambda stage: setattr(stage.catalog, "_loaded_at", None), {"MarketDataService"}),
        (
            lambda stage: stage.door.drain(),
            {"", "OrderService", "AccountService", "MarketDataService", "AdminService"},
        ),
    ],
    ids=["serving", "starting", "reconciling", "problem", "closed", "no-catalog", "draining"],
)
async def test_health_follows_the_service(stage, change, not_serving):
    """Each service's health is worked out when asked: what stops one does not stop the others."""
    change(stage)
    found = await states_of(stage)
    assert not_serving == {name for name, status in found.items() if status == "NOT_SERVING"}
    assert {"", "OrderService", "AccountService", "MarketDataService", "AdminService"} == set(found)


async def test_health_of_one_service_and_of_none(stage):
    """Check answers for a name; a name that is not here is NOT_FOUND."""
    answer = await health_of(stage).Check(health_pb2.HealthCheckRequest(service="execsvc.v1.OrderService"), timeout=2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health_of(stage).Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=2)
    assert (Status.SERVING, grpc.StatusCode.NOT_FOUND) == (answer.status, caught.value.code())


async def test_a_watcher_of_health_sees_the_changes(stage):
    """Watch tells the state now, then each change, and ends with the server."""
    call = health_of(stage).Watch(health_pb2.HealthCheckRequest(service="execsvc.v1.OrderService"))
    first = await call.read()
    stage.standing.phase = Phase.RECONCILING
    second = await call.read()
    stage.standing.phase = Phase.SERVING
    third = await call.read()
    await stage.door.stop(2.0)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert [Status.SERVING, Status.NOT_SERVING, Status.SERVING] == [each.status for each in (first, second, third)]
    assert grpc.StatusCode.UNAVAILABLE is caught.value.code()
