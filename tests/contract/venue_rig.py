"""Both sides of the adapter on a paper exchange, for the contract tests: only the wire between them.

The exchange is told what to do wrong through its control port, and asked there what it really accepted.
"""

import asyncio
import json
from contextlib import asynccontextmanager
from decimal import Decimal

from execsvc.domain.ids import OrderKey, wire_id
from execsvc.domain.intent import Intent
from execsvc.domain.market import (
    Side,
)
from execsvc.domain.order import submitted
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.kraken.private import KrakenPrivate
from execsvc.kraken.public import KrakenPublic
from execsvc.kraken.rates import Counting
from execsvc.runtime.clock import RealClock
from execsvc.runtime.http import AiohttpHttp
from execsvc.runtime.secrets import Secret
from execsvc.runtime.tasks import Supervisor
from execsvc.runtime.ws import AiohttpDialer
from execsvc.store.memory import MemoryStore
from execsvc.telemetry import silent
from tests.support.entropy import SeededEntropy

BTC = "BTC/USD"


class Venue:
    """Both sides of the adapter, and the exchange's control port."""

    def __init__(self, paper, disk):
        entropy = SeededEntropy(7)
        self.paper = paper
        self.clock = RealClock()
        self.http = AiohttpHttp(user_agent="execsvc/test")
        self.dialer = AiohttpDialer(user_agent="execsvc/test")
        self.failures = []
        self.tasks = Supervisor(
            self.clock,
            entropy,
            on_failure=lambda *told: self.failures.append(told),
            on_fatal=lambda *told: self.failures.append(told),
        )
        world = {
            "http": self.http,
            "dialer": self.dialer,
            "clock": self.clock,
            "entropy": entropy,
            "tasks": self.tasks,
            "telemetry": silent(),
        }
        self.public = KrakenPublic(rest_url=paper.rest_url, ws_url=paper.ws_url, silent_after_s=1.6, **world)
        self.private = KrakenPrivate(
            account="main",
            key=paper.api_key,
            secret=Secret(paper.api_secret),
            key_label="key-1",
            rest_url=paper.rest_url,
            ws_auth_url=paper.ws_auth_url,
            nonces=MemoryStore(disk),
            public=self.public,
            counting=Counting("unlimited"),
            trade_patience_s=0.4,
            **world,
        )

    @property
    def by(self):
        return self.clock.monotonic() + 8.0

    async def control(self, method, path, **body):
        reply = await self.http.send(
            method, self.paper.control_url + path, {}, json.dumps(body).encode() if body else None, 2.0
        )
        assert reply.status == 200, reply.body
        return json.loads(reply.body)

    async def fault(self, kind, **more):
        await self.control("POST", "/faults", kind=kind, **more)

    async def accepted(self):
        told = await self.control("GET", "/orders")
        return [(each["cl_ord_id"], each["order_id"]) for each in told["orders"]]

    async def calls(self):
        return (await self.control("GET", "/calls"))["calls"]

    def order(self, name, price, quantity="0.01", side=Side.BUY, **spec):
        limit_price = None if price is None else Decimal(price)
        kind = OrderType.MARKET if price is None else OrderType.LIMIT
        key = OrderKey("main", "me", name)
        intent = Intent(
            key=key,
            spec=OrderSpec(BTC, side, Decimal(quantity), kind, limit_price, **spec),
            entry_deadline_ns=self.clock.wall_ns() + 5 * 10**9,
            key_label="key-1",
            trace_id="",
            wire_id_of=lambda attempt: wire_id(b"i" * 32, key, attempt),
        )
        return submitted(intent, self.clock.wall_ns())

    @property
    def instrument(self):
        return self.public.names.instrument(BTC)

    async def place(self, order):
        by = self.clock.monotonic() + (order.entry_deadline_ns - self.clock.wall_ns()) / 1e9
        room = await self.private.rates.room(BTC, order.key.caller, by)
        return await self.private.place(
            order, self.instrument, by, room=room, forbidden=lambda: None, note=lambda _: None
        )

    async def cancel(self, order):
        return await self.private.cancel(order.venue_order_id, order.venue_client_id, self.by)


@asynccontextmanager
async def opened(paper, disk):
    venue = Venue(paper, disk)
    try:
        await venue.public.instruments()
        await venue.public.clock(venue.by)
        # A whole-second reading leaves half a second of doubt; the deadlines of these tests allow for it.
        yield venue
    finally:
        await venue.tasks.close()
        await venue.http.close()
        await venue.dialer.close()
        assert venue.failures == []


async def take_until(events, wanted, *, within_s=6.0):
    """Events up to and including the first that `wanted` accepts."""
    taken = []
    async with asyncio.timeout(within_s):
        async for event in events:
            taken.append(event)
            if wanted(event):
                return taken
    raise AssertionError("the stream ended")


def of(kind, **fields):
    return lambda event: (
        isinstance(event, kind) and all(getattr(event, name) == value for name, value in fields.items())
    )
