"""Clients written for Kraken by others, unmodified but for the address, against the paper exchange."""

import asyncio
import threading

import krakenex
import pytest

from execsvc.paper.options import PaperOptions
from execsvc.paper.server import serve


class Exchange:
    """A paper exchange on a thread of its own: krakenex blocks."""

    def __init__(self):
        self.environment = {}
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._up = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self):
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(serve(PaperOptions(seed=42), announce=self._announce, stop=self._stop))
        self._loop.close()

    def _announce(self, environment):
        self.environment = environment
        self._up.set()


@pytest.fixture(scope="module")
def exchange():
    with Exchange() as running:
        yield running


@pytest.fixture
def krakenex_api(exchange):
    api = krakenex.API(exchange.environment["KRAKEN_API_KEY"], exchange.environment["KRAKEN_API_SECRET"])
    api.uri = exchange.environment["EXECSVC_KRAKEN_REST_URL"]
    yield api
    api.close()


def test_krakenex_reads_the_market(krakenex_api):
    """Krakenex gets a ticker, candles and the books with nothing but another base address."""
    ticker = krakenex_api.query_public("Ticker", {"pair": "XXBTZUSD"})
    assert [] == ticker["error"]
    assert 80_000 < float(ticker["result"]["XXBTZUSD"]["c"][0]) < 120_000
    assert 721 == len(krakenex_api.query_public("OHLC", {"pair": "XETHZEUR"})["result"]["XETHZEUR"])
    depth = krakenex_api.query_public("Depth", {"pair": "XDGUSD", "count": 5})["result"]["XDGUSD"]
    assert (5, 5) == (len(depth["asks"]), len(depth["bids"]))


def test_krakenex_trades(krakenex_api):
    """Krakenex reads its balance, places an order, finds it and cancels it."""
    balance = krakenex_api.query_private("Balance")["result"]
    assert "100000.0000" == balance["ZUSD"]
    order = {"pair": "XXBTZUSD", "type": "buy", "ordertype": "limit", "price": "50000", "volume": "0.01"}
    placed = krakenex_api.query_private("AddOrder", order)
    assert [] == placed["error"]
    assert "buy 0.01000000 XBTUSD @ limit 50000.0" == placed["result"]["descr"]["order"]
    (txid,) = placed["result"]["txid"]
    assert txid in krakenex_api.query_private("OpenOrders", {"trades": True})["result"]["open"]
    assert {"count": 1} == krakenex_api.query_private("CancelOrder", {"txid": txid})["result"]
    assert "canceled" == krakenex_api.query_private("QueryOrders", {"txid": txid})["result"][txid]["status"]


def test_krakenex_does_a_dry_run(krakenex_api):
    """Python's True and False, as krakenex sends them, mean what they say."""
    order = {"pair": "XXBTZUSD", "type": "buy", "ordertype": "market", "volume": "0.001"}
    assert "txid" not in krakenex_api.query_private("AddOrder", order | {"validate": True})["result"]
    (txid,) = krakenex_api.query_private("AddOrder", order | {"validate": False})["result"]["txid"]
    assert "closed" == krakenex_api.query_private("QueryOrders", {"txid": txid})["result"][txid]["status"]


def test_krakenex_with_a_wrong_secret(exchange):
    """A wrong secret is refused as a wrong signature."""
    api = krakenex.API(exchange.environment["KRAKEN_API_KEY"], "AAAA" * 22)
    api.uri = exchange.environment["EXECSVC_KRAKEN_REST_URL"]
    assert ["EAPI:Invalid signature"] == api.query_private("Balance")["error"]
    api.close()
