"""Any JSON at all, and samples spoiled in one place: a value or ProtocolBroken, never anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import ASSETS, known_names, vector

from execsvc.domain.errors import ProtocolBroken
from execsvc.kraken import decode, pictures, tables
from tests.support.venue import BTC_USD

NAMES = known_names()

KEYS = st.sampled_from([
    "open", "closed", "count", "trades", "status", "descr", "pair", "vol_exec", "cost", "fee", "opentm", "cl_ord_id",
    "txid", "last", "XXBTZUSD", "a", "b", "c", "v", "p", "l", "h", "asks", "bids", "altname", "base", "quote",
    "pair_decimals", "lot_decimals", "cost_decimals", "tick_size", "ordermin", "balance", "hold_trade", "permissions",
    "nonce", "nonce_window", "valid_until", "ip_allowlist", "token", "unixtime", "decimals", "display_decimals",
    "ordertxid", "time", "type", "price", "vol", "maker", "oflags", "reason", "pending",
])  # fmt: skip
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "open", "closed", "buy", "b", "XBTUSD", "NaN", "Infinity", "1e999", "-1", "0.1", "online"]),
    st.text(max_size=5),
)
ANY_JSON = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=20,
)
DECODERS = [
    decode.placed,
    decode.cancelled,
    lambda raw: decode.open_orders(raw, NAMES),
    lambda raw: decode.closed_orders(raw, NAMES),
    lambda raw: decode.queried_orders(raw, NAMES),
    lambda raw: [decode.fill(*row, "main", NAMES, 1) for row in decode.fills_page(raw)[0]],
    lambda raw: decode.balances(raw, NAMES, 1),
    decode.key_facts,
    decode.socket_token,
    tables.assets,
    lambda raw: tables.instruments(raw, ASSETS),
    lambda raw: [pictures.ticker("X/Y", row, 1) for row in pictures.tickers(raw).values()],
    lambda raw: pictures.book(raw, BTC_USD, 10, 1),
    lambda raw: pictures.candles(raw, BTC_USD, 60, 1),
    lambda raw: pictures.trades(raw, BTC_USD, 1),
    pictures.mode,
]


def value_or_broken(read, raw):
    try:
        read(raw)
    except ProtocolBroken:
        return
    # a value came: nothing else may be raised


@given(st.sampled_from(DECODERS), ANY_JSON)
def test_any_json_is_a_value_or_broken(read, anything):
    """Whatever JSON comes, each decoder gives a value or ProtocolBroken."""
    value_or_broken(read, json.dumps(anything).encode())


@given(st.sampled_from(DECODERS), st.binary(max_size=40))
def test_any_bytes_are_a_value_or_broken(read, anything):
    """Even what is no JSON."""
    value_or_broken(read, anything)


SAMPLES = {
    "rest_AddOrder": DECODERS[0],
    "rest_OpenOrders": DECODERS[2],
    "rest_ClosedOrders": DECODERS[3],
    "rest_TradesHistory": DECODERS[5],
    "rest_BalanceEx": DECODERS[6],
    "rest_GetApiKeyInfo": DECODERS[7],
    "rest_Assets": DECODERS[9],
    "rest_AssetPairs": DECODERS[10],
    "rest_Ticker": DECODERS[11],
    "rest_Depth": DECODERS[12],
    "rest_OHLC": DECODERS[13],
    "rest_Trades": DECODERS[14],
}


def spots(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield from spots(each, (*path, key))


def replaced(value, path, new):
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


@given(st.data(), st.sampled_from(sorted(SAMPLES)), SCALARS)
def test_one_wrong_field_in_a_good_answer_is_a_value_or_broken(data, name, wrong):
    """Any field of a published answer, replaced by anything."""
    sample = vector(name)["result"]
    path = data.draw(st.sampled_from(list(spots(sample))))
    value_or_broken(SAMPLES[name], json.dumps(replaced(sample, path, wrong)).encode())


def spoiled(name, *changes):
    """A sample's result with pieces replaced: (path, new) each."""
    result = vector(name)["result"]
    for path, new in changes:
        result = replaced(result, path, new)
    return result


ORDER_ID, TRADE_ID, PAIR = "OQCLML-BW3P3-BUCMWZ", "THVRQM-33VKH-UCI7BS", "XXBTZUSD"
CANDLES = vector("rest_OHLC")["result"][PAIR]


@pytest.mark.parametrize(
    ("read", "result"),
    [
        (DECODERS[2], spoiled("rest_OpenOrders", (("open", ORDER_ID, "status"), "sleeping"))),
        (DECODERS[2], spoiled("rest_OpenOrders", (("open", ORDER_ID, "vol_exec"), "-1"))),
        (DECODERS[2], spoiled("rest_OpenOrders", (("open", ORDER_ID, "opentm"), 1e15))),
        (DECODERS[3], {"closed": {}, "count": -1}),
        (DECODERS[5], spoiled("rest_TradesHistory", (("trades", TRADE_ID, "pair"), "FOOBAR"))),
        (DECODERS[5], spoiled("rest_TradesHistory", (("trades", TRADE_ID, "type"), "swap"))),
        (DECODERS[5], {"trades": [1]}),
        (DECODERS[7], {"nonce": "1"}),
        (DECODERS[7], {"permissions": [], "nonce": "soon"}),
        (DECODERS[7], {"permissions": [], "nonce": True}),
        (DECODERS[8], {"token": ""}),
        (DECODERS[9], spoiled("rest_Assets", (("XXBT", "decimals"), 99))),
        (DECODERS[10], spoiled("rest_AssetPairs", ((PAIR, "pair_decimals"), -1))),
        (DECODERS[10], spoiled("rest_AssetPairs", ((PAIR, "tick_size"), "0"))),
        (DECODERS[10], spoiled("rest_AssetPairs", ((PAIR, "leverage_buy"), [-2]))),
        (DECODERS[11], spoiled("rest_Ticker", ((PAIR, "v"), ["1"]))),
        (DECODERS[11], spoiled("rest_Ticker", ((PAIR, "c"), []))),
        (DECODERS[12], {PAIR: {"asks": [], "bids": []}, "OTHER": {"asks": [], "bids": []}}),
        (DECODERS[13], {PAIR: CANDLES}),
        (DECODERS[13], {PAIR: CANDLES, "OTHER": CANDLES, "last": 1}),
        (DECODERS[13], spoiled("rest_OHLC", ((PAIR, 0, 7), -1))),
        (DECODERS[14], spoiled("rest_Trades", ((PAIR, 0, 3), "x"))),
        (DECODERS[14], spoiled("rest_Trades", (("last",), "soon"))),
        (DECODERS[15], {"status": "sleepy"}),
    ],
)
def test_answer_that_says_nonsense_is_broken(read, result):
    """Each of these would be read as something it is not."""
    with pytest.raises(ProtocolBroken):
        read(json.dumps(result).encode())
