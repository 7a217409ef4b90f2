"""Whatever a client sends, it gets an answer: no input makes the exchange fail."""

import json

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from execsvc.paper.restface import PRIVATE, Request
from execsvc.paper.restpublic import PUBLIC
from tests.unit.paper.paperbench import Bench, read, sign

NAMES = [
    "pair",
    "type",
    "ordertype",
    "volume",
    "price",
    "price2",
    "oflags",
    "timeinforce",
    "expiretm",
    "starttm",
    "userref",
    "cl_ord_id",
    "deadline",
    "validate",
    "txid",
    "trades",
    "start",
    "end",
    "ofs",
    "closetime",
    "type",
    "ledgers",
    "leverage",
    "stptype",
    "count",
    "since",
    "interval",
    "asset",
    "info",
    "close",
    "close[ordertype]",
    "close[price]",
    "close[price2]",
    "displayvol",
    "trigger",
    "reduce_only",
    "order_qty",
    "limit_price",
    "trigger_price",
    "display_qty",
    "post_only",
    "order_id",
    "orders",
    "cl_ord_ids",
    "timeout",
]
PIECES = ["XBTUSD", "buy", "limit", "0.1", "95000", "+5%", "#1", "0", "-1", "", "true", "None", "1e30", "1e-30", "NaN"]
PIECES += [
    "iceberg",
    "stop-loss",
    "take-profit-limit",
    "trailing-stop",
    "trailing-stop-limit",
    "settle-position",
    "index",
]
PIECES += ["2", "+60", "post", "viqc", "fcib", "IOC", "FOK", "GTD"]
VALUES = st.one_of(st.sampled_from(PIECES), st.text(max_size=12), st.integers().map(str))
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=9)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner),
    max_leaves=12,
)
BENCH = Bench(pairs=("BTC/USD",), tier="unlimited")
SANE = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "volume": "0.1", "price": "95000"}


def sane_answer(answer):
    assert set(answer) in ({"error"}, {"error", "result"})
    assert all(text.split(":")[0] in ("EGeneral", "EOrder", "EQuery", "EAPI", "EService") for text in answer["error"])
    BENCH.venue.engine.prove()


@given(st.sampled_from(sorted(PRIVATE)), FIELDS, st.booleans())
def test_any_fields(method, fields, sane):
    """Any field with any value, alone or on top of a sound order, is answered or refused in Kraken's words."""
    sane_answer(BENCH.private(method, **(SANE | fields if sane else fields)))


@settings(max_examples=50)
@given(st.sampled_from(sorted(PRIVATE)), st.dictionaries(st.sampled_from(NAMES), JSON, max_size=6))
def test_any_json_fields(method, fields):
    """The same goes for JSON values of any kind in any place."""
    sane_answer(BENCH.private(method, "json", **(SANE | fields)))


@given(st.sampled_from(sorted(PUBLIC)), FIELDS)
def test_any_public_query(method, fields):
    """And for public calls."""
    sane_answer(BENCH.public(method, **fields))


@settings(max_examples=60)
@given(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body(body):
    """A body of any bytes, signed as it is, is answered."""
    headers = {"user-agent": "b", "api-key": BENCH.key.api_key, "content-type": "application/json"}
    headers["api-sign"] = sign(BENCH.key.api_secret, "/0/private/AddOrder", "", body)
    for kind in ("application/json", "application/x-www-form-urlencoded", ""):
        request = Request("POST", "/0/private/AddOrder", "", headers | {"content-type": kind}, body)
        sane_answer(read(BENCH.exchange.http(request, BENCH.now)))


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 50_000, b'{"nonce":' + b"9" * 10_000 + b"}"])
def test_deep_and_long_bodies(body):
    """A body nested or long beyond reason is an invalid request."""
    headers = {"user-agent": "b", "api-key": BENCH.key.api_key, "api-sign": "x", "content-type": "application/json"}
    sane_answer(read(BENCH.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), BENCH.now)))


def test_deep_frame():
    """A frame nested beyond reason is malformed."""
    socket = BENCH.open()
    socket.frames()
    socket.send("[" * 100_000)
    assert ["Malformed request"] == [frame["error"] for frame in socket.frames()]


@given(
    st.text(max_size=40)
    | JSON.map(json.dumps)
    | st.fixed_dictionaries(
        {
            "method": st.sampled_from(["subscribe", "unsubscribe", "ping"]) | JSON,
            "params": JSON
            | st.fixed_dictionaries(
                {
                    "channel": st.sampled_from(["book", "ticker", "trade", "ohlc", "instrument", "executions"]) | JSON,
                    "symbol": st.lists(st.sampled_from(["BTC/USD", "X"]) | JSON, max_size=3) | JSON,
                    "depth": st.sampled_from([10, 25, 1000]) | JSON,
                    "interval": st.sampled_from([1, 5]) | JSON,
                    "token": JSON,
                }
            ),
            "req_id": JSON,
        }
    ).map(json.dumps),
    st.sampled_from(["public", "private"]),
)
@example('{"method":"subscribe","params":{"channel":"ohlc","symbol":[""],"interval":5}}', "public")
def test_any_frame(text, kind):
    """A text frame of any content is answered with JSON objects, and the line stays up."""
    socket = BENCH.open(kind)
    socket.send(text)
    assert all(isinstance(frame, dict) for frame in socket.frames())
    assert socket.line.closed is None
    BENCH.exchange.close(socket.line)
    assert {} == BENCH.exchange.audience._followers
