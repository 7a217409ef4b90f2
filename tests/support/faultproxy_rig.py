"""Gateways with a fault proxy on each of their links, all on one paper exchange: real processes, real sockets.

    caller ─ `caller` ─► gateway ─ `rest` ─ `rest_line` ─► exchange (REST)
                                 ─ `ws` ─── `ws_line` ───► exchange (private WebSocket)

Toxics are meant for `caller`, `rest` and `ws`; the lines behind make answers slow or the exchange itself vanish. Every desk
has a key and a store of its own, so desks do not disturb one another. What is spoilt and judged is the tests' business.
"""

import asyncio
import time
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

from execsvc_client import Client, ExecsvcError, InDoubt, NotPlaced, OrderStatus
from grpc import aio

from tests.support.faultproxy import FaultProxy
from tests.support.processes import LIFTED, clean_environ, paper_exchange, running, wait_serving

SYMBOL = "BTC/USD"
FILLS_AT = Decimal(150_000)  # far above the market: taken at once, and then no id of it is open any more
RESTS_AT = Decimal(20_000)
ENTRY_S = 3.0
ANSWER_S = 1.0  # what an attempt has beyond its entry delay, for the answer
PAUSE_S = 0.1
ENDED_FOR_NOW = {
    "TRADING_HALTED",
    "VENUE_CREDENTIALS_REJECTED",
}  # until a person has looked: asking again does not help
STARTS_AT_ONCE = 2
SETTLING_S = 25.0  # a private stream that was cut often dials again after some seconds only
AGREES = {
    "open": {OrderStatus.OPEN},
    "closed": {OrderStatus.FILLED},
    None: {OrderStatus.NOT_PLACED, OrderStatus.REJECTED, OrderStatus.NEVER_SENT},
}
# A caller that does not give up on a dead connection is slow; this one dials again at once.
EAGER = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 200),
)


@dataclass(frozen=True)
class Wish:
    """One order a caller wants, once. No other order at the exchange has its quantity.

    `entry_s` is how long each attempt lets the exchange take to let the order in.
    """

    client_order_id: str
    quantity: Decimal
    limit_price: Decimal
    entry_s: float = ENTRY_S


@dataclass(frozen=True)
class Verdict:
    """What the caller was told in the end: placed, not placed, refused, halted or nothing definite; and how it went.

    `until` is the instant (Unix seconds) after which nothing that the caller asked for may enter the exchange.
    """

    what: str
    order_id: str = ""
    wire_id: str = ""
    took_s: float = 0.0
    until: float = 0.0
    heard: tuple[str, ...] = ()


def wish(number: int, *, fills: bool, entry_s: float = ENTRY_S) -> Wish:
    """The order of that number, from 1."""
    quantity = Decimal("0.0001") + number * Decimal("0.00000001")
    return Wish(f"chaos-{number}", quantity, FILLS_AT if fills else RESTS_AT, entry_s)


class ChaosDesk:
    """One gateway and its proxies."""

    def __init__(self, name, links, gateway, own_target):
        self.name = name
        self.links = links
        self.gateway = gateway
        self.target = f"127.0.0.1:{links['caller'].port}"
        self.own_target = own_target

    @property
    def rest(self):
        """The link that reads HTTP."""
        return self.links["rest"]

    def clear(self):
        """All links are healthy again."""
        for proxy in self.links.values():
            proxy.clear()

    async def insist(self, wanted, bound_s):
        """Places it, and again with the same id until the answer is definite or `bound_s` is over."""
        loop = asyncio.get_running_loop()
        began, heard = loop.time(), []
        async with Client(self.target, channel=aio.insecure_channel(self.target, options=EAGER)) as client:
            while True:
                until_s = time.time() + wanted.entry_s
                verdict = await self._once(client, wanted, heard)
                took_s = loop.time() - began
                if verdict is not None or took_s > bound_s:
                    verdict = verdict or Verdict("nothing definite")
                    return replace(verdict, took_s=took_s, until=until_s, heard=tuple(heard))
                await asyncio.sleep(PAUSE_S)

    async def _once(self, client, wanted, heard):
        try:
            told = await client.buy(
                SYMBOL,
                quantity=wanted.quantity,
                limit_price=wanted.limit_price,
                client_order_id=wanted.client_order_id,
                timeout=wanted.entry_s + ANSWER_S,
                max_entry_delay=wanted.entry_s,
            )
        except ExecsvcError as told:
            heard.append(str(told))
            if isinstance(told, NotPlaced):
                return Verdict("not placed")
            if told.reason in ENDED_FOR_NOW:
                return Verdict("halted")
            return Verdict("refused") if told.id_used else None
        if isinstance(told, InDoubt):
            heard.append("in doubt")
            return None
        heard.append(told.order.status.name)
        return Verdict("placed", told.order.order_id, told.order.wire.venue_client_id)

    def past_the_proxy(self):
        """A client on a road of its own, always healthy."""
        return Client(self.own_target, channel=aio.insecure_channel(self.own_target, options=EAGER))

    async def journal(self, exchange, patience_s=SETTLING_S):
        """Every order of this gateway by id, as soon as it agrees with the exchange, else as it is when patience is over."""
        if self.gateway.process.poll() is not None:
            return {}
        by = asyncio.get_running_loop().time() + patience_s
        async with self.past_the_proxy() as client:
            while True:
                there = {order["order_id"]: order["status"] for order in exchange.orders()}
                orders = {order.client_order_id: order async for order in client.orders()}
                agreed = all(order.status in AGREES[there.get(order.order_id)] for order in orders.values())
                if agreed or asyncio.get_running_loop().time() > by:
                    return orders
                await asyncio.sleep(PAUSE_S)

    async def visibility_s(self):
        """V as the gateway tells it: how long an accepted order may stay invisible."""
        async with self.past_the_proxy() as client:
            return float((await client.server_info()).settings["visibility_bound_s"])

    def placements(self, wanted):
        """The requests for this order that left the gateway, as its proxy read them."""
        return [each for each in self.rest.asked if _places(each, wanted)]

    def has_reached(self, wanted):
        """Whether one of them went on to the exchange whole."""
        return any(_places(each, wanted) for each in self.rest.sent)

    def nonces(self):
        """The nonces this gateway sent, in the order its proxy read them."""
        return [int(nonce) for request in self.rest.asked if (nonce := nonce_of(request))]


def _places(request, wanted):
    return request.is_for("/AddOrder") and f"volume={wanted.quantity}&" in request.message.body.decode() + "&"


def opened(order):
    """When the exchange accepted it, in Unix seconds."""
    return datetime.fromisoformat(order["opened"]).timestamp()


def nonce_of(request):
    """Of a signed request; empty for others."""
    return parse_qs(request.message.body.decode("latin-1")).get("nonce", [""])[0]


class Hall:
    """The exchange and its desks."""

    def __init__(self, exchange, home, stack):
        self.exchange = exchange
        self.desks = []
        self._home = home
        self._stack = stack
        self._starts = asyncio.Semaphore(STARTS_AT_ONCE)
        self._paper_port = urlsplit(exchange.environ["EXECSVC_KRAKEN_REST_URL"]).port

    async def open_desk(self, name):
        """A gateway of its own key behind proxies, serving. Many may be asked for at once: a few start at a time."""
        async with self._starts:
            return await self._opened(name)

    async def _opened(self, name):
        home = self._home / name
        home.mkdir()
        key = self.exchange.ask("POST", "/keys", {"name": name})
        links = {
            "rest_line": await self._proxy(self._paper_port),
            "ws_line": await self._proxy(self._paper_port),
        }
        links["rest"] = await self._proxy(links["rest_line"].port, http=True)
        links["ws"] = await self._proxy(links["ws_line"].port)
        environ = clean_environ(
            home,
            EXECSVC_STORE=f"sqlite://{home}/execsvc.db",
            EXECSVC_LISTEN="127.0.0.1:0",
            EXECSVC_TIER=self.exchange.environ["EXECSVC_TIER"],
            EXECSVC_KRAKEN_REST_URL=f"http://127.0.0.1:{links['rest'].port}",
            EXECSVC_KRAKEN_WS_URL=self.exchange.environ["EXECSVC_KRAKEN_WS_URL"],
            EXECSVC_KRAKEN_WS_AUTH_URL=f"ws://127.0.0.1:{links['ws'].port}/v2/auth",
            KRAKEN_API_KEY=key["api_key"],
            KRAKEN_API_SECRET=key["api_secret"],
            **LIFTED,
        )
        gateway = self._stack.enter_context(running(["serve", "--http", "off"], environ))
        own_target = (await asyncio.to_thread(gateway.wait_for, r"gRPC +(\S+)\n"))[1]
        try:
            await asyncio.to_thread(wait_serving, own_target)
        except AssertionError as late:
            raise AssertionError(f"{late}; it said:\n{gateway.said}") from None
        links["caller"] = await self._proxy(int(own_target.rpartition(":")[2]))
        desk = ChaosDesk(name, links, gateway, own_target)
        self.desks.append(desk)
        return desk

    async def _proxy(self, port, **options):
        return await self._stack.enter_async_context(FaultProxy(port, **options))

    def dead(self):
        """Gateways that ended by themselves, and what they said last."""
        return {desk.name: desk.gateway.said[-2000:] for desk in self.desks if desk.gateway.process.poll() is not None}

    def accepted(self):
        """What the exchange ever accepted: its orders by quantity."""
        found = {}
        for order in self.exchange.orders():
            found.setdefault(Decimal(order["volume"]), []).append(order)
        return found


async def until(condition, seconds):
    """Whether it came true in time."""
    by = asyncio.get_running_loop().time() + seconds
    while not condition():
        if asyncio.get_running_loop().time() > by:
            return False
        await asyncio.sleep(0.02)
    return True


@asynccontextmanager
async def hall(home):
    """An exchange; desks are opened as they are wanted, and closed with it."""
    async with AsyncExitStack() as stack:
        yield Hall(stack.enter_context(paper_exchange(home, "--tier", "unlimited")), home, stack)
