"""A session of the Python client whose gateway is killed and started anew: it comes back, and nothing is placed twice."""

import asyncio
import time
from contextlib import contextmanager

import pytest
from execsvc_client import Client, Connected, Disconnected, InDoubt, OrderStatus

from tests.support.processes import LIFTED, Process, clean_environ, free_port, paper_exchange, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

RESTING = {"quantity": "0.001", "limit_price": "30000.0"}
PATIENCE_S = 15.0


class Gateway:
    """Its lives on one store and one address."""

    def __init__(self, home, exchange):
        self.listen = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        store = f"sqlite://{home}/execsvc.db"
        self._environ = clean_environ(
            home, EXECSVC_LISTEN=self.listen, EXECSVC_HTTP_LISTEN="off", EXECSVC_STORE=store, **venue, **LIFTED
        )
        self.begin()

    def begin(self):
        self.process = Process(["serve"], self._environ)
        wait_serving(self.listen)


@contextmanager
def serving(home):
    with paper_exchange(home, "--tier", "unlimited") as exchange:
        gateway = Gateway(home, exchange)
        try:
            yield exchange, gateway
        finally:
            gateway.process.stop()


async def until(holds):
    by = time.monotonic() + PATIENCE_S
    while not await asyncio.to_thread(holds):
        assert time.monotonic() < by, "it did not come about in time"


async def test_a_placement_under_way_when_the_gateway_dies_is_placed_once(tmp_path):
    """Asked again under its id by the session that came back; the first of it, and of the session, is not forgotten."""
    with serving(tmp_path) as (exchange, gateway):
        async with Client(gateway.listen) as client, client.session(follow=True) as session:
            first = await session.place("BTC/USD", "buy", client_order_id="a", **RESTING)
            exchange.fault(kind="delay", call="AddOrder", when="after", ms=3000)
            placing = asyncio.ensure_future(session.place("BTC/USD", "buy", client_order_id="b", timeout=30, **RESTING))
            await until(lambda: len(exchange.orders()) == 2)
            gateway.process.kill()
            await asyncio.to_thread(gateway.begin)
            result = await placing
            placed = await result.resolve() if isinstance(result, InDoubt) else result
            third = await session.place("BTC/USD", "buy", client_order_id="c", **RESTING)
            gone = await session.cancel("a")
            told = []
            async for event in session.changes():
                told.append(event)
                if isinstance(event, Connected) and len(told) > 1:
                    break
        stand = [(each["order_id"], each["status"]) for each in exchange.orders()]
    assert [
        (first.order.order_id, "canceled"),
        (placed.order.order_id, "open"),
        (third.order.order_id, "open"),
    ] == stand
    assert (OrderStatus.OPEN, OrderStatus.CANCELLED) == (placed.order.status, gone.status)
    assert [False, False] == [event.resumed for event in told if isinstance(event, Connected)]
    assert any(isinstance(event, Disconnected) for event in told)
