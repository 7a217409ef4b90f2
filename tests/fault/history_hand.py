"""A person beside the gateway: orders placed, amended and cancelled at the paper exchange with a key of the person's own.

The gateway's own orders are not safe from the person either.

Signed as Kraken's authentication page says, over plain HTTP. What the gateway tells of them is history_judge.py's to judge.
"""

import base64
import hashlib
import hmac
import itertools
import json
import random
import threading
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from tests.fault.callers import FILLING_AT, RESTING_AT

PAIR = "XBTUSD"
_STEP = Decimal("0.00000001")
_LEAST = Decimal("0.002")  # quantities that no trader of the storm uses
# What may be said of an order that somebody else ended or filled meanwhile, or for want of points.
_TOO_LATE = ("EOrder:Unknown order", "EOrder:Rate limit exceeded", "EGeneral:Invalid arguments:No amendable parameters")


class Hand:
    """One key, its nonces, and what it did: ids of the orders it placed, and of those it amended, whosesoever."""

    def __init__(self, exchange):
        self._url = exchange.environ["EXECSVC_KRAKEN_REST_URL"]
        self._key = exchange.ask("POST", "/keys", {"name": "person"})
        self._secret = base64.b64decode(self._key["api_secret"])
        self._nonces = itertools.count(time.time_ns())
        self._numbers = itertools.count(1)
        self.placed = []
        self.amended = set()

    def call(self, method, **params):
        """The result of one private call; an error of the exchange is raised as it came."""
        nonce = str(next(self._nonces))
        path, body = f"/0/private/{method}", urllib.parse.urlencode({"nonce": nonce, **params}).encode()
        signed = path.encode() + hashlib.sha256(nonce.encode() + body).digest()
        request = urllib.request.Request(self._url.removesuffix("/") + path, body)
        request.add_header("API-Key", self._key["api_key"])
        request.add_header("API-Sign", base64.b64encode(hmac.digest(self._secret, signed, "sha512")).decode())
        with urllib.request.urlopen(request, timeout=10) as answer:
            told = json.loads(answer.read())
        if told["error"]:
            raise AssertionError(f"{method} by hand: {told['error']}")
        return told["result"]

    def place(self, *, price=RESTING_AT, **terms):
        """A limit order, good till cancelled; its txid."""
        volume = str(_LEAST + next(self._numbers) * _STEP)
        order = {"pair": PAIR, "type": "buy", "ordertype": "limit", "volume": volume, "price": price, **terms}
        (txid,) = self.call("AddOrder", **order)["txid"]
        self.placed.append(txid)
        return txid

    def cancel(self, txid):
        """Ends one that rests; no harm where it has ended."""
        self._if_it_rests("CancelOrder", txid=txid)

    def amend(self, txid, **figures):
        """Changes one that rests; no harm where it has ended."""
        if self._if_it_rests("AmendOrder", txid=txid, **figures):
            self.amended.add(txid)

    def _if_it_rests(self, method, **params):
        try:
            self.call(method, **params)
        except AssertionError as told:
            if not any(word in str(told) for word in _TOO_LATE):
                raise
            return False
        return True


class Person:
    """A thread that trades by hand until it is stopped; then nothing of it rests any more."""

    def __init__(self, gateway, exchange, seed):
        self.hand = Hand(exchange)
        self._exchange = exchange
        self._over = threading.Event()
        gateway.at_close(self._over.set)
        pool = ThreadPoolExecutor(1)
        self._work = pool.submit(self._trade, random.Random(f"{seed} person"))
        pool.shutdown(wait=False)

    def stop(self):
        self._over.set()
        self._work.result(30.0)
        for txid in self.hand.placed:
            self.hand.cancel(txid)

    def _trade(self, chance):
        while not self._over.is_set():
            txid = self.hand.place(price=chance.choice((RESTING_AT, RESTING_AT, FILLING_AT)))
            self._over.wait(chance.uniform(0.1, 0.4))
            order_id = self._amend_one(chance)
            self._over.wait(chance.uniform(0.1, 0.4))
            if order_id is not None and chance.random() < 0.5:
                self._amend_and_end(chance, order_id)
            if chance.random() < 0.5:
                self.hand.cancel(txid)

    def _amend_one(self, chance):
        """Of all that rest: another quantity, or a price at which nobody takes it any more. Its id, None where none rests."""
        open_ones = [order for order in self._exchange.orders() if order["status"] == "open"]
        if not open_ones:
            return None
        order = chance.choice(open_ones)
        self._amend(chance, order)
        return order["order_id"]

    def _amend_and_end(self, chance, order_id):
        """Once more, a moment after it was amended, and that is the last of it: who was away meanwhile must ask."""
        (order,) = [order for order in self._exchange.orders() if order["order_id"] == order_id]
        if order["status"] == "open":
            self._amend(chance, order)
            self.hand.cancel(order_id)

    def _amend(self, chance, order):
        if chance.random() < 0.5:
            quantity = Decimal(order["volume"]) * chance.randint(6, 15) / 10
            self.hand.amend(order["order_id"], order_qty=f"{quantity.quantize(_STEP):f}")
        else:
            self.hand.amend(order["order_id"], limit_price=f"{Decimal(RESTING_AT) - chance.randint(1, 99)}")
