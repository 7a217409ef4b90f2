"""The client's types, as a type checker sees them: what must be refused is refused, what is right passes."""

import re
import subprocess
import sys
from pathlib import Path

PYTHON = Path(__file__).parent.parent

SNIPPET = """
from decimal import Decimal
from typing import assert_type
from collections.abc import Awaitable
from execsvc_client import Amended, AmendInDoubt, Client, Close, InDoubt, Order, Placed, Quote, SyncClient
from execsvc_client import ModeChange, SessionEvent, StreamInfo, TimeInForce, Tls

async def trade(client: Client) -> None:
    await client.buy("BTC/USD", quantity=Decimal("0.1"), limit_price="60000.0", post_only=True)
    await client.sell("BTC/USD", quantity=1, market=True, timeout=2.5)
    await client.place("BTC/USD", "buy", quantity="1", limit_price=1, time_in_force=TimeInForce.IOC)
    await client.buy("BTC/USD", quantity=0.1, market=True)  # E: arg-type
    await client.buy("BTC/USD", quantity="1", limit_price=0.1)  # E: arg-type
    await client.place("BTC/USD", "bid", quantity="1", market=True)  # E: arg-type
    await client.buy("BTC/USD", quantity="1", market=True, post_onyl=True)  # E: call-arg
    await client.buy("BTC/USD", market=True)  # E: call-arg
    await client.buy("BTC/USD", quantity="1", limit_price="1", time_in_force="FOK")
    await client.buy("BTC/USD", quantity="1", limit_price="1", time_in_force="DAY")  # E: arg-type
    await client.buy("BTC/USD", quantity=Quote("100"), market=True, close=Close(stop="55000"))
    await client.sell("BTC/USD", quantity="1", trail=1.5)  # E: arg-type
    result = await client.buy("BTC/USD", quantity="1", market=True)
    assert_type(result, Placed | InDoubt[Awaitable[Placed]])
    print(result.order)  # E: union-attr
    if isinstance(result, InDoubt):
        assert_type(await result.resolve(), Placed)
    else:
        assert_type(result.order, Order)
    assert_type(await client.cancel(result), Order)
    await client.amend("c-1", limit_price=59.5)  # E: arg-type
    await client.amend("c-1", limit="59.5")  # E: call-arg
    amended = await client.amend("c-1", quantity=2, if_version=3)
    assert_type(amended, Amended | AmendInDoubt[Awaitable[Amended]])
    print(amended.order)  # E: union-attr
    halted = await client.set_trading_mode("halted", comment="why", symbol="BTC/USD")
    assert_type(halted, ModeChange)
    await client.set_trading_mode("halt", comment="why", everything=True)  # E: arg-type
    await client.set_trading_mode("normal", everything=True)  # E: call-arg
    assert_type(await client.list_streams(), tuple[StreamInfo, ...])
    Client("gateway:1", tls=Tls("ca.pem"))
    Client("gateway:1", tls="ca.pem")  # E: arg-type
    async with client.session(follow=True) as session:
        assert_type(await session.place("BTC/USD", "buy", quantity=1, market=True), Placed | InDoubt[Awaitable[Placed]])
        await session.place("BTC/USD", "buy", quantity=0.1, market=True)  # E: arg-type
        async for event in session.changes():
            assert_type(event, SessionEvent)

def wait(client: SyncClient) -> None:
    result = client.buy("BTC/USD", quantity="1", market=True)
    assert_type(result, Placed | InDoubt[Placed])
    print(result.order.order_id)  # E: union-attr
    client.sell("BTC/USD", quantity=1.5, market=True)  # E: arg-type
"""


def test_types_refuse_what_must_not_pass(tmp_path):
    """Floats, misspelt options, a missing quantity and a doubt read as success are errors; nothing else is."""
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.11", "--no-error-summary"]
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nmypy_path = {PYTHON}\n")
    done = subprocess.run(
        [*command, "--config-file", config, "--cache-dir", PYTHON.parent.parent / ".mypy_cache" / "typing", file],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    found = {
        int(line): code
        for line, code in re.findall(r"snippet\.py:(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    }
    wanted = {
        number: line.rpartition("# E: ")[2]
        for number, line in enumerate(SNIPPET.splitlines(), start=1)
        if "# E: " in line
    }
    assert wanted == found, done.stdout + done.stderr
