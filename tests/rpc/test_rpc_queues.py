"""Calls that wait to be taken up: each method has its own queue, and none waits for another to be empty."""

import pytest

from tests.support import http2
from tests.support.http2 import dialled, headers, message

INFO = "execsvc.v1.AdminService/GetServerInfo"
FLOODED = "execsvc.v1.MarketDataService/GetBook"
FLOOD = 1200  # below what one connection may have open


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
