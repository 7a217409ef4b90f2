"""Any JSON at all, and samples spoiled in one place: a value or ProtocolBroken, never anything else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kraken_parts import result_of, vector
from sample_rows import PRIVATE, PUBLIC, READERS, endpoint_of, frames, private_line, public_line, samples

from execsvc.domain.errors import ProtocolBroken
from execsvc.domain.market import BookTopic, CandleTopic, TickerTopic, TradeTopic

KEYS = st.sampled_from([
    "open", "closed", "count", "trades", "status", "descr", "pair", "vol_exec", "cost", "fee", "opentm", "cl_ord_id",
    "txid", "last", "XXBTZUSD", "a", "b", "c", "v", "p", "l", "h", "asks", "bids", "altname", "base", "quote",
    "pair_decimals", "lot_decimals", "cost_decimals", "tick_size", "ordermin", "balance", "hold_trade", "permissions",
    "nonce", "nonce_window", "valid_until", "ip_allowlist", "token", "unixtime", "decimals", "display_decimals",
    "ordertxid", "time", "type", "price", "vol", "maker", "oflags", "reason", "pending", "eb", "m", "ml", "ledger",
    "refid", "asset", "amount", "subtype", "fees", "fees_maker", "volume", "currency", "nextvolume", "vol_closed",
    "margin", "net", "value", "rollovertm", "triggerTime", "orders", "error", "amends", "response", "amend_id",
    "order_qty", "timestamp", "amend_type",
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
ANSWERS = [name for name in samples() if name.startswith("rest_") and endpoint_of(name) in READERS]


def value_or_broken(read, raw):
    try:
        read(raw)
    except ProtocolBroken:
        return
    # a value came: nothing else may be raised


@given(st.sampled_from(sorted(READERS)), ANY_JSON)
def test_any_json_is_a_value_or_broken(name, anything):
    """Whatever JSON comes, each decoder gives a value or ProtocolBroken."""
    value_or_broken(READERS[name], json.dumps(anything).encode())


@given(st.sampled_from(sorted(READERS)), st.binary(max_size=40))
def test_any_bytes_are_a_value_or_broken(name, anything):
    """Even what is no JSON."""
    value_or_broken(READERS[name], anything)


@given(st.data(), st.sampled_from(ANSWERS))
def test_an_answer_cut_short_is_broken(data, name):
    """A good answer that ends anywhere before its end: never half a value."""
    whole = result_of(name)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(ProtocolBroken):
        READERS[endpoint_of(name)](whole[:cut])


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


@given(st.data(), st.sampled_from(ANSWERS), SCALARS)
def test_one_wrong_field_in_a_good_answer_is_a_value_or_broken(data, name, wrong):
    """Any field of a published answer, replaced by anything."""
    sample = vector(name)["result"]
    path = data.draw(st.sampled_from(list(spots(sample))))
    value_or_broken(READERS[endpoint_of(name)], json.dumps(replaced(sample, path, wrong)).encode())


def spoiled(name, *changes):
    """A sample's result with pieces replaced: (path, new) each."""
    result = vector(name)["result"]
    for path, new in changes:
        result = replaced(result, path, new)
    return result


ORDER_ID, TRADE_ID, PAIR = "OQCLML-BW3P3-BUCMWZ", "THVRQM-33VKH-UCI7BS", "XXBTZUSD"
CANDLES = vector("rest_OHLC")["result"][PAIR]


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("OpenOrders", spoiled("rest_OpenOrders", (("open", ORDER_ID, "status"), "sleeping"))),
        ("OpenOrders", spoiled("rest_OpenOrders", (("open", ORDER_ID, "vol_exec"), "-1"))),
        ("OpenOrders", spoiled("rest_OpenOrders", (("open", ORDER_ID, "opentm"), 1e15))),
        ("ClosedOrders", {"closed": {}, "count": -1}),
        ("TradesHistory", spoiled("rest_TradesHistory", (("trades", TRADE_ID, "type"), "swap"))),
        ("TradesHistory", {"trades": [1]}),
        ("GetApiKeyInfo", {"nonce": "1"}),
        ("GetApiKeyInfo", {"permissions": [], "nonce": "soon"}),
        ("GetApiKeyInfo", {"permissions": [], "nonce": True}),
        ("GetWebSocketsToken", {"token": ""}),
        ("Assets", spoiled("rest_Assets", (("XXBT", "decimals"), 99))),
        ("AssetPairs", spoiled("rest_AssetPairs", ((PAIR, "pair_decimals"), -1))),
        ("AssetPairs", spoiled("rest_AssetPairs", ((PAIR, "tick_size"), "0"))),
        ("AssetPairs", spoiled("rest_AssetPairs", ((PAIR, "leverage_buy"), [-2]))),
        ("Ticker", spoiled("rest_Ticker", ((PAIR, "v"), ["1"]))),
        ("Ticker", spoiled("rest_Ticker", ((PAIR, "c"), []))),
        ("Depth", {PAIR: {"asks": [], "bids": []}, "OTHER": {"asks": [], "bids": []}}),
        ("OHLC", {PAIR: CANDLES}),
        ("OHLC", {PAIR: CANDLES, "OTHER": CANDLES, "last": 1}),
        ("OHLC", spoiled("rest_OHLC", ((PAIR, 0, 7), -1))),
        ("Trades", spoiled("rest_Trades", ((PAIR, 0, 3), "x"))),
        ("Trades", spoiled("rest_Trades", (("last",), "soon"))),
        ("SystemStatus", {"status": "sleepy"}),
    ],
)
def test_answer_that_says_nonsense_is_broken(name, result):
    """Each of these would be read as something it is not."""
    with pytest.raises(ProtocolBroken):
        READERS[name](json.dumps(result).encode())


# ---- lines -------------------------------------------------------------------------------------------------------

TOPICS = [BookTopic("BTC/USD", 10), TickerTopic("ALGO/USD"), TradeTopic("MATIC/USD"), CandleTopic("MATIC/USD", 300)]
FRAMES = [text for name in (*PUBLIC, *PRIVATE) for text in frames(name)[:20]]
CHANNELS = st.sampled_from(
    ["book", "ticker", "trade", "ohlc", "status", "heartbeat", "executions", "balances", "", "x"]
)
ROWS = st.lists(st.dictionaries(st.sampled_from([
    "symbol", "bids", "asks", "checksum", "price", "qty", "timestamp", "bid", "ask", "last", "side", "trade_id", "open",
    "interval", "interval_begin", "system", "order_id", "exec_type", "order_status", "exec_id", "cum_qty", "fees", "asset",
    "balance", "wallets", "wallet_type", "sequence", "order_type", "triggers", "contingent",
]), ANY_JSON, max_size=8), max_size=3)  # fmt: skip
ANY_FRAME = st.one_of(
    st.binary(max_size=60),
    ANY_JSON.map(lambda value: json.dumps(value).encode()),
    st.fixed_dictionaries(
        {},
        optional={
            "channel": CHANNELS,
            "type": st.sampled_from(["snapshot", "update", "x"]),
            "data": st.one_of(ROWS, ANY_JSON),
            "method": st.sampled_from(["subscribe", "unsubscribe", "pong", "x"]),
            "success": st.one_of(st.booleans(), SCALARS),
            "result": st.one_of(st.fixed_dictionaries({}, optional={"channel": CHANNELS, "symbol": SCALARS}), ANY_JSON),
            "error": SCALARS,
            "req_id": SCALARS,
            "sequence": SCALARS,
            "symbol": SCALARS,
        },
    ).map(lambda frame: json.dumps(frame).encode()),
    st.sampled_from(FRAMES),
)


@st.composite
def spoiled_frames(draw):
    """A good frame with one field replaced by anything."""
    frame = json.loads(draw(st.sampled_from(FRAMES)))
    path = draw(st.sampled_from(list(spots(frame))))
    return json.dumps(replaced(frame, path, draw(st.one_of(SCALARS, ANY_JSON)))).encode()


def events_or_broken(receive, texts):
    """Each frame on a line that goes on: events, or ProtocolBroken, after which the line would be dropped."""
    for at, text in enumerate(texts):
        try:
            assert isinstance(receive(text, 100.0 + at, (100 + at) * 10**9), list)
        except ProtocolBroken:
            continue


@given(st.lists(st.one_of(ANY_FRAME, spoiled_frames()), max_size=6))
def test_the_public_line_bears_any_frames(texts):
    """Whatever comes, in any order: events or ProtocolBroken; asking goes on as well."""
    line = public_line(TOPICS[0])
    line.session.want(frozenset(TOPICS))
    events_or_broken(line.session.receive, texts)
    assert all(isinstance(json.loads(text), dict) for text in line.session.due(200.0, 200 * 10**9))


@given(st.lists(st.one_of(ANY_FRAME, spoiled_frames()), max_size=6))
def test_the_private_line_bears_any_frames(texts):
    """The same of executions and balances."""
    line = private_line()
    events_or_broken(line.receive, texts)
    assert all(isinstance(json.loads(text), dict) for text in line.due(200.0, 200 * 10**9))


@given(st.data(), st.sampled_from(FRAMES))
def test_a_frame_in_two_pieces_is_broken_and_nothing_else(data, text):
    """A frame cut anywhere is no frame: neither half is taken for one."""
    text = text.strip()
    cut = data.draw(st.integers(1, len(text) - 1))
    for receive in (public_line(TOPICS[0]).session.receive, private_line().receive):
        for half in (text[:cut], text[cut:]):
            with pytest.raises(ProtocolBroken):
                receive(half, 100.0, 100 * 10**9)


@pytest.mark.parametrize("figure", ["NaN", "Infinity", -1])
@pytest.mark.parametrize("field", ["maxratecount", "ratecounter"])
def test_a_count_of_kraken_s_that_is_no_figure_is_broken(field, figure):
    """It would go into the counters, where nothing compares with NaN."""
    if field == "maxratecount":
        frame = {
            "method": "subscribe",
            "success": True,
            "req_id": 1,
            "result": {"channel": "executions", field: figure},
        }
    else:
        (text,) = frames("ws_executions_pending_new")
        frame = replaced(json.loads(text), ("data", 0), json.loads(text)["data"][0] | {field: figure})
    with pytest.raises(ProtocolBroken):
        private_line().receive(json.dumps(frame).encode(), 100.1, 100)
