"""A client of the exchange without sockets: it signs for itself, from the published rule, and lets time pass."""

import base64
import hashlib
import hmac
import json
from pathlib import Path
from urllib.parse import quote, urlencode

from execsvc.paper.exchange import PaperExchange
from execsvc.paper.options import PaperOptions
from execsvc.paper.restface import Request
from execsvc.paper.traffic import Cut

NS = 1_000_000_000
START = 1_767_225_600 * NS  # 2026-01-01T00:00:00Z
VECTORS = Path(__file__).parents[2] / "vectors"


def vector(name):
    return json.loads((VECTORS / name).read_text())


def sign(secret, path, nonce, body):
    message = path.encode() + hashlib.sha256(str(nonce).encode() + body).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), message, hashlib.sha512).digest()).decode()


class Bench:
    """One exchange, one key, one clock."""

    def __init__(self, **options):
        self.exchange = PaperExchange(PaperOptions(**({"frozen": True} | options)), START)
        self.venue = self.exchange.venue
        self.now = START
        self.nonce = 1_000
        self.key = self.venue.key

    def wait(self, seconds):
        self.now += int(seconds * NS)
        self.exchange.advance(self.now)

    def ticket(self, method, params=None, *, encoding="form", nonce=None, headers=None, query="", key=None):
        key = key or self.key
        if nonce is None:
            self.nonce += 1
            nonce = self.nonce
        path = f"/0/private/{method}"
        fields = {"nonce": str(nonce), **(params or {})}
        body = json.dumps(fields).encode() if encoding == "json" else urlencode(fields).encode()
        kinds = {"form": "application/x-www-form-urlencoded", "json": "application/json", "bare": None}
        signed = {
            "user-agent": "bench",
            "api-key": key.api_key,
            "api-sign": sign(key.api_secret, path, nonce, body),
        }
        if kinds[encoding]:
            signed["content-type"] = kinds[encoding]
        return self.exchange.http(Request("POST", path, query, signed | (headers or {}), body), self.now)

    def private(self, method, encoding="form", key=None, **params):
        return read(self.ticket(method, params, encoding=encoding, key=key))

    def public(self, method, **params):
        query = urlencode(params, quote_via=quote)
        request = Request("GET", f"/0/public/{method}", query, {"user-agent": "bench"})
        return read(self.exchange.http(request, self.now))

    def ok(self, method, **params):
        answer = self.private(method, **params)
        assert answer["error"] == [], answer
        return answer["result"]

    def order(self, **params):
        """Place an order that must be accepted; returns its id."""
        defaults = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1"}
        return self.ok("AddOrder", **(defaults | params))["txid"][0]

    def error(self, method, **params):
        """Return the one error of a call that must fail."""
        answer = self.private(method, **params)
        assert len(answer["error"]) == 1, answer
        assert "result" not in answer
        return answer["error"][0]

    def refuse(self, **params):
        """Return the error of an order that must be refused."""
        defaults = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1"}
        return self.error("AddOrder", **(defaults | params))

    def state(self, txid, **params):
        return self.ok("QueryOrders", txid=txid, trades="true", **params)[txid]

    def book(self, bids, asks, symbol="BTC/USD"):
        """Set the makers' book of a frozen market, row by row."""
        from execsvc.paper.control import MarketMove, move_market

        move_market(self.exchange, MarketMove(symbol=symbol, bids=bids, asks=asks), self.now)

    def take(self, side, qty, price="", symbol="BTC/USD"):
        from execsvc.paper.control import MarketMove, Take, move_market

        move_market(self.exchange, MarketMove(symbol=symbol, take=Take(side=side, qty=qty, price=price)), self.now)

    def open(self, kind="public"):
        return Socket(self, self.exchange.open(kind, self.now))

    def executions(self, **params):
        socket = self.open("private")
        token = self.ok("GetWebSocketsToken")["token"]
        socket.ask("subscribe", channel="executions", token=token, **params)
        return socket


class Socket:
    """A line of the bench: frames in and out as JSON."""

    def __init__(self, bench, line):
        self.bench = bench
        self.line = line

    def ask(self, method, req_id=None, **params):
        request = {"method": method, "params": params}
        if req_id is not None:
            request["req_id"] = req_id
        self.send(json.dumps(request))

    def send(self, text):
        self.bench.exchange.hear(self.line, text, self.bench.now)

    def texts(self):
        return self.line.drain()

    def frames(self, channel=None):
        frames = [json.loads(text) for text in self.texts()]
        return [frame for frame in frames if channel is None or frame.get("channel") == channel]


def read(ticket):
    assert ticket.outcome is not None
    assert not isinstance(ticket.outcome, Cut)
    assert ticket.outcome.status == 200
    return json.loads(ticket.outcome.body)


def kinds(value):
    """Return the shape of a JSON value: names and JSON types, the first element standing for a whole list."""
    if isinstance(value, dict):
        return {name: kinds(part) for name, part in value.items()}
    if isinstance(value, list):
        return [kinds(part) for part in value[:1]]
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    return "null" if value is None else "text"
