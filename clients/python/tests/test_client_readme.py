"""Every Python block of the client's README runs as it stands, in a process of its own, on a gateway."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2

README = Path(__file__).parent.parent / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
STATEMENTS = "12.5 10.0 None\nSELL 1.5 -3\nBTC/USD -0.0002 0.0040\nNone -1.5 0.01 7.0"
SAYS = [
    "OAAAAA-BBBBB-CCCCCC OPEN",
    "0.001",
    "60000.0 1",
    "OPEN",
    STATEMENTS,
    "BTC/USD 60000.0 60000.1 LIVE",
    "HALTED 7",
]


def script_statements(gateway):
    """One position, one rate, one entry of the ledger, no margin level."""
    summary = account_service_pb2.GetMarginSummaryResponse(asset="USD", equity="12.5", free_margin="10.0")
    positions = account_service_pb2.ListPositionsResponse()
    positions.positions.add(
        position_id="T1", symbol="BTC/USD", side=2, quantity="2", closed_quantity="0.5", cost="100", fee="0.4", margin="50",
        unrealized_pnl="-3",
    )  # fmt: skip
    rates = account_service_pb2.GetFeeRatesResponse(volume="1", volume_asset="USD")
    rates.rates.add(symbol="BTC/USD", maker_rate="-0.0002", taker_rate="0.0040")
    ledger = account_service_pb2.ListLedgerEntriesResponse()
    ledger.entries.add(entry_id="L1", kind="trade", asset="USD", amount="-1.5", fee="0.01", balance="7.0")
    gateway.script("AccountService/GetMarginSummary", summary)
    gateway.script("AccountService/ListPositions", positions)
    gateway.script("AccountService/GetFeeRates", rates)
    gateway.script("AccountService/ListLedgerEntries", ledger)


def script_changes(gateway, order):
    """An amend that is applied; a session that answers its second request."""
    applied = order_service_pb2.AmendOrderResponse(order=order("my-id"), state=order_service_pb2.AMEND_STATE_APPLIED)
    gateway.script("OrderService/AmendOrder", applied)
    accepted = order_service_pb2.OrderSessionResponse(request_number=1)
    accepted.accepted.stream_id = "s-1"
    answer = order_service_pb2.OrderSessionResponse(request_number=2)
    answer.place.order.CopyFrom(order("c-1"))
    gateway.script("OrderService/OrderSession", [accepted, 2.0, answer, 30])


def script_halt(gateway):
    """A halt that asks seven orders to go."""
    halted = admin_service_pb2.SetTradingModeResponse(cancel_requested_count=7)
    halted.current.mode = 4
    gateway.script("AdminService/SetTradingMode", halted)


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
    script_statements(gateway)
    script_changes(gateway, order)
    script_halt(gateway)
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
