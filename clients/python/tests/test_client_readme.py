"""Every Python block of the client's README runs as it stands, in a process of its own, on a gateway."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from execsvc_api.v1 import market_data_service_pb2, order_service_pb2

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
SAYS = ["OAAAAA-BBBBB-CCCCCC OPEN", "0.001", "BTC/USD 60000.0 60000.1 LIVE"]


def test_there_is_something_to_run():
    """The README has the blocks that are looked for here."""
    assert len(BLOCKS) == len(SAYS)


@pytest.mark.process
@pytest.mark.parametrize("number", range(len(SAYS)))
async def test_readme_block_runs(gateway, order, placed, tmp_path, number):
    """The block ends well and says what it should."""
    gateway.script("OrderService/PlaceOrder", placed("c-1"))
    filled = order("c-1", "FILLED")
    filled.filled_quantity = "0.001"
    gateway.script("OrderService/GetOrder", order_service_pb2.GetOrderResponse(order=filled))
    tick = market_data_service_pb2.SubscribeTickersResponse()
    tick.meta.feed_state = 1
    tick.snapshot.tickers.add(symbol="BTC/USD", bid_price="60000.0", ask_price="60000.1")
    gateway.script("MarketDataService/SubscribeTickers", [tick, 30])
    file = tmp_path / "block.py"
    file.write_text(BLOCKS[number])
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(file),
        env={**os.environ, "EXECSVC_TARGET": gateway.target},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert (SAYS[number], 0, "") == (out.decode().strip(), process.returncode, err.decode())
