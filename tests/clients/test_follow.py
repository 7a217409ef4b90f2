"""The example that follows trades, candles and balances, the same in every language."""

from decimal import Decimal

import pytest
from toolchains import run

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

STREAMS = {"trades", "candles", "balances"}


async def test_every_stream_has_news_while_it_is_live(follow, dev_gateway):
    """Trades, a snapshot of candles and one of balances come from the real gateway; then the example is done."""
    done = await run(follow, dev_gateway)
    assert (0, "") == (done.exit_code, done.stderr), done
    live = {step["step"]: step for step in done.steps if step["state"] == "LIVE" and step["event"] != "gap"}
    assert STREAMS == set(live)
    assert Decimal(live["trades"]["price"]) * Decimal(live["trades"]["quantity"]) > 0
    first = {name: next(step for step in done.steps if step["step"] == name) for name in STREAMS}
    assert {"balances": "snapshot", "candles": "snapshot", "trades": "trades"} == {
        name: step["event"] for name, step in first.items()
    }
    assert Decimal(first["balances"]["totals"]["USD"]) > 0


async def test_nobody_there_is_said_and_is_exit_1(follow):
    """One line on stderr, nothing on stdout."""
    done = await run(follow, "127.0.0.1:1", "3")
    assert (1, [], 1) == (done.exit_code, done.steps, done.stderr.count("\n"))
    assert done.stderr.startswith("follow: ")
