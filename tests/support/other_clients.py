"""Kraken clients written by others, as their authors wrote them, pointed at a paper exchange by options of their own.

krakenex takes its address in the attribute `uri`. python-kraken-sdk takes `url` for REST; its socket client takes `rest_url`,
`ws_url` and `auth_ws_url` and appends `/v2` to the last two, which is why the exchange answers as the private role under
`/auth/v2` too. Only its book client has no options: there `WS_URL` is set in a subclass, and `SpotClient.URL`, where it reads
the pairs, by the test. Each client gets an API key of its own, since each counts its nonces on a scale of its own.
"""

import asyncio
import itertools
import time
from contextlib import contextmanager

import krakenex
from kraken.spot import Market, SpotWSClient, Trade, User

from tests.support.processes import paper_exchange

BTC = "BTC/USD"
BID, ASK = "60000.0", "60000.1"
LIMIT = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "59000.0", "volume": "0.01"}
MARKET = {"pair": "XBTUSD", "type": "buy", "ordertype": "market", "volume": "0.01"}
_ONE_NONCE_S = 0.002
_PATIENCE_S = 10.0


@contextmanager
def still_exchange(home, tier="unlimited"):
    """An exchange whose markets stand still, with one coin at each of fifty prices on either side of BTC/USD."""
    with paper_exchange(home, "--tier", tier) as exchange:
        exchange.ask("POST", "/market", {"frozen": True})
        exchange.ask("POST", "/market", {"symbol": BTC, "price": BID, "levels": 50})
        yield exchange


def another_key(exchange, **wish):
    """Public and private key."""
    made = exchange.ask("POST", "/keys", wish)
    return made["api_key"], made["api_secret"]


def row(exchange, order_id):
    """An order as the exchange itself has it."""
    (found,) = [order for order in exchange.orders() if order["order_id"] == order_id]
    return found


def booked(exchange, trade_id):
    """What a trade moved: (asset, amount, fee), by the exchange's own ledger, which must balance."""
    ledger = exchange.ask("GET", "/ledger")
    assert ledger["balanced"], ledger["error"]
    return {
        (entry["asset"], entry["amount"], entry["fee"]) for entry in ledger["entries"] if entry["refid"] == trade_id
    }


def cleared(exchange):
    """Nothing is left open, and the ledger balances: the end of every test."""
    assert exchange.ask("GET", "/ledger")["balanced"]
    assert 0 == exchange.ask("GET", "/state")["open_orders"]


class Krakenex:
    """krakenex with a key of its own. Its nonces are milliseconds: two calls in one of them would share one."""

    def __init__(self, exchange, keys=None):
        self.api = krakenex.API(*(keys or another_key(exchange, name="krakenex")))
        self.api.uri = exchange.environ["EXECSVC_KRAKEN_REST_URL"]

    def public(self, method, **fields):
        answer = self.api.query_public(method, fields)
        assert [] == answer["error"]
        return answer["result"]

    def ask(self, method, **fields):
        time.sleep(_ONE_NONCE_S)
        return self.api.query_private(method, fields)

    def ok(self, method, **fields):
        answer = self.ask(method, **fields)
        assert [] == answer["error"]
        return answer["result"]

    def place(self, order, **changes):
        """The id of an order that must be accepted."""
        (order_id,) = self.ok("AddOrder", **(order | changes))["txid"]
        return order_id


class Sdk:
    """python-kraken-sdk's three REST clients on one key."""

    def __init__(self, exchange, keys=None):
        key, secret = keys or another_key(exchange, name="sdk")
        url = exchange.environ["EXECSVC_KRAKEN_REST_URL"]
        self.market = Market(url=url)
        self.user = User(key=key, secret=secret, url=url)
        self.trade = Trade(key=key, secret=secret, url=url)

    def place(self, order, **changes):
        """The id of an order that must be accepted."""
        fields = order | changes
        (order_id,) = self.trade.create_order(side=fields.pop("type"), **fields)["txid"]
        return order_id


class Ear:
    """What a socket client was told, for a test to wait for something in it."""

    def __init__(self):
        self.heard = []
        self._news = asyncio.Event()

    async def __call__(self, message):
        self.heard.append(message)
        self._news.set()

    async def until(self, wanted):
        """The first thing heard that is wanted; fails with all that was heard instead."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    for message in self.heard:
                        if wanted(message):
                            return message
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"never heard of it; heard were {self.heard}") from None

    async def answer(self, req_id):
        return await self.until(lambda message: message.get("req_id") == req_id)

    async def event(self, channel, **fields):
        """The first row of a channel with these fields."""
        message = await self.until(lambda each: _rows(each, channel, fields))
        return _rows(message, channel, fields)[0]


class Socket:
    """python-kraken-sdk's socket client with both of its lines, and what it hears."""

    def __init__(self, exchange):
        key, secret = another_key(exchange, name="socket")
        self.exchange = exchange
        self._numbers = itertools.count(1)
        self.ear = Ear()
        rest, host = exchange.environ["EXECSVC_KRAKEN_REST_URL"], exchange.environ["EXECSVC_KRAKEN_WS_URL"]
        host = host.removesuffix("/v2")
        self.client = SpotWSClient(
            key=key, secret=secret, callback=self.ear, rest_url=rest, ws_url=host, auth_ws_url=f"{host}/auth"
        )

    async def ask(self, method, **params):
        """The answer to one request."""
        number = next(self._numbers)
        await self.client.send_message({"method": method, "req_id": number, "params": params})
        return await self.ear.answer(number)

    async def place(self, order, **changes):
        """The id of an order that must be accepted."""
        answer = await self.ask("add_order", **(order | {"symbol": BTC} | changes))
        assert answer["success"], answer
        return answer["result"]["order_id"]

    async def follow(self, **params):
        """The acknowledgement of a subscription."""
        number = next(self._numbers)
        await self.client.subscribe(params=params, req_id=number)
        answer = await self.ear.answer(number)
        assert answer["success"], answer
        return answer["result"]

    async def listen(self):
        """Both private channels, and a ticker: a line that is told nothing can only be closed after ten seconds."""
        await self.follow(channel="ticker", symbol=["SOL/USD"])
        await self.follow(channel="executions")
        await self.follow(channel="balances")

    async def leave(self, **params):
        number = next(self._numbers)
        await self.client.unsubscribe(params=params, req_id=number)
        assert (await self.ear.answer(number))["success"]

    def take(self, side, qty):
        self.exchange.ask("POST", "/market", {"symbol": BTC, "take": {"side": side, "qty": qty}})


def _rows(message, channel, fields):
    rows = message.get("data", []) if message.get("channel") == channel else []
    return [each for each in rows if fields.items() <= each.items()]
