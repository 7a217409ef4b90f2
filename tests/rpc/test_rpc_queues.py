"""What a flood of calls costs the others: each method has a queue of its own, and a refusal leaves nothing to clear away."""

import gc

import grpc
import pytest
from execsvc_api.v1 import market_data_service_pb2 as market
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support import http2
from tests.support.http2 import dialled, headers, message

INFO = "execsvc.v1.AdminService/GetServerInfo"
FLOODED = "execsvc.v1.MarketDataService/GetBook"
FLOOD = 1200  # below what one connection may have open


@pytest.fixture
def kept_garbage():
    """What only the search for garbage would have freed, once it is asked for."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)

    def found():
        gc.collect()
        return [f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.garbage]

    yield found
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("kind", ["unary", "stream", "health"])
async def test_a_refusal_leaves_no_ring_behind(stage, kept_garbage, kind):
    """Its call, its error and its frames are freed as it ends, not by a search that stops everybody."""
    refusals = {
        "unary": lambda: stage.market.GetBook(market.GetBookRequest(symbol="NO/NO"), timeout=5),
        "stream": lambda: stage.market.SubscribeBook(market.SubscribeBookRequest(symbol="NO/NO"), timeout=5).read(),
        "health": lambda: health_pb2_grpc.HealthStub(stage.channel).Check(
            health_pb2.HealthCheckRequest(service="none"), timeout=5
        ),
    }
    for _ in range(20):
        with pytest.raises(grpc.aio.AioRpcError):
            await refusals[kind]()
    assert not {"grpc._cython.cygrpc._ServicerContext", "grpc._cython.cygrpc.AbortError"}.intersection(kept_garbage())


@pytest.mark.parametrize("method", [INFO, "execsvc.v1.OrderService/CancelOrder"])
async def test_a_call_does_not_wait_behind_a_flood_of_another_method(stage, method):
    """It is answered while most calls of the flood, which came before it, still wait."""
    flood, other = await dialled(stage.door.port), await dialled(stage.door.port)
    await flood.send(
        *(part for each in range(FLOOD) for part in (headers(1 + 2 * each, f"/{FLOODED}"), message(1 + 2 * each, b"")))
    )
    await flood.until(lambda: flood.ends > 0)
    await other.send(headers(1, f"/{method}"), message(1, b""))
    await other.until(lambda: other.ends > 0, within_s=20)
    done = flood.ends
    await flood.until(lambda: flood.ends == FLOOD, within_s=20)
    await flood.close()
    await other.close()
    assert done < FLOOD // 2
    assert (0, 0) == (flood.seen(http2.RST_STREAM), flood.seen(http2.GOAWAY))
