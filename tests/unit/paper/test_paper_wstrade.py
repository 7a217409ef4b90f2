"""Trading over the WebSocket: the same orders as over REST, in the other face's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.wsorders import _FIELDS
from execsvc.paper.wstrade import METHODS
from tests.unit.paper.paperbench import NS, START, Bench, kinds, vector

LIMIT = {"order_type": "limit", "side": "buy", "symbol": "BTC/USD", "order_qty": 0.5, "limit_price": 95.0}


class Trader:
    """A private line and its token."""

    def __init__(self, bench, key=None):
        self.bench = bench
        self.socket = bench.open("private")
        self.token = bench.private("GetWebSocketsToken", key=key)["result"]["token"]
        self.socket.texts()

    def all(self, method, **params):
        self.socket.ask(method, req_id=7, token=self.token, **params)
        return [frame for frame in self.socket.frames() if frame.get("method") == method]

    def one(self, method, **params):
        (answer,) = self.all(method, **params)
        return answer

    def ok(self, method, **params):
        answer = self.one(method, **params)
        assert answer["success"] is True, answer
        return answer["result"]

    def error(self, method, **params):
        answer = self.one(method, **params)
        assert answer["success"] is False, answer
        assert "result" not in answer
        return answer["error"]

    def state(self, order_id):
        return self.bench.state(order_id)


@pytest.fixture
def desk(ladder):
    return Trader(ladder)


def test_answer_in_the_samples_shape(desk):
    """An order is answered with its id and the reference it came with, in the shape of the sample."""
    answer = desk.one("add_order", **LIMIT, order_userref=100054)
    assert kinds(vector("ws_add_order_response.json")) == kinds(answer)
    assert ("add_order", 7, 100054) == (answer["method"], answer["req_id"], answer["result"]["order_userref"])


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, {"descr.order": "buy 0.50000000 XBTUSD @ limit 95.0", "oflags": "fciq", "userref": 0}),
        ({"order_userref": -5}, {"userref": -5}),
        ({"cl_ord_id": "mine"}, {"cl_ord_id": "mine"}),
        ({"post_only": True}, {"oflags": "fciq,post"}),
        ({"fee_preference": "base"}, {"oflags": "fcib"}),
        ({"fee_preference": "quote", "post_only": True, "no_mpp": True}, {"oflags": "fciq,post"}),
        ({"limit_price": -5.0, "limit_price_type": "pct"}, {"descr.price": "96.9"}),
        ({"limit_price": -7, "limit_price_type": "quote"}, {"descr.price": "95.0"}),
        ({"time_in_force": "gtd", "expire_time": "2026-01-01T00:10:00Z"}, {"expiretm": START // NS + 600}),
        ({"order_qty": 1}, {"vol": "1.00000000"}),
        ({"order_qty": 1e-2}, {"vol": "0.01000000"}),
    ],
    ids=str,
)
def test_fields_of_an_order(ladder, params, expected):
    """Each field of add_order is the REST field that means the same."""
    ladder.take("buy", "1.5")  # the last price is 102
    row = ladder.state(Trader(ladder).ok("add_order", **(LIMIT | params))["order_id"])
    row |= {f"descr.{name}": value for name, value in row["descr"].items()}
    assert expected == {name: row[name] for name in expected}


LAST_IS_100 = [
    (
        {"order_type": "stop-loss", "side": "sell", "triggers": {"price": -2.0, "price_type": "pct"}},
        {"descr.price": "98.0", "trigger": "last"},
    ),
    (
        {"order_type": "take-profit", "side": "buy", "triggers": {"price": 97.5, "reference": "index"}},
        {"descr.price": "97.5", "trigger": "index"},
    ),
    (
        {"order_type": "stop-loss-limit", "side": "sell", "triggers": {"price": 99.0}, "limit_price": 98.0},
        {"descr.price": "99.0", "descr.price2": "98.0"},
    ),
    (
        {"order_type": "trailing-stop", "side": "sell", "triggers": {"price": 3, "price_type": "quote"}},
        {"descr.price": "+3.0", "stopprice": "97.00000"},
    ),
    (
        {
            "order_type": "limit",
            "limit_price": 95.0,
            "conditional": {"order_type": "stop-loss-limit", "trigger_price": 90.0, "limit_price": 89.0},
        },
        {"descr.close": "close position @ stop loss 90.0 -> limit 89.0"},
    ),
    (
        {"order_type": "limit", "limit_price": 95.0, "conditional": {"order_type": "limit", "limit_price": 99.0}},
        {"descr.close": "close position @ limit 99.0"},
    ),
    ({"order_type": "iceberg", "limit_price": 95.0, "display_qty": 0.1}, {"descr.ordertype": "iceberg"}),
    ({"order_type": "limit", "limit_price": 95.0, "margin": True}, {"descr.leverage": "5:1"}),
    (
        {"order_type": "limit", "limit_price": 95.0, "effective_time": "2026-01-01T00:10:00Z"},
        {"starttm": START // NS + 600, "status": "pending"},
    ),
]


@pytest.mark.parametrize(("params", "expected"), LAST_IS_100, ids=str)
def test_orders_that_wait_or_bring_forth(ladder, params, expected):
    """Triggers, conditional closes, icebergs, margin and later starts are told in the WebSocket's own fields."""
    ladder.take("sell", "0.1", "100.0")
    common = {"side": "buy", "symbol": "BTC/USD", "order_qty": 0.5}
    row = ladder.state(Trader(ladder).ok("add_order", **(common | params))["order_id"])
    row |= {f"descr.{name}": value for name, value in row["descr"].items()}
    assert expected == {name: row[name] for name in expected}


def test_ioc_and_fok(desk):
    """A time in force is written in either case; what cannot fill is canceled."""
    ids = [desk.ok("add_order", **LIMIT, time_in_force=tif)["order_id"] for tif in ("ioc", "FOK")]
    assert ["canceled", "canceled"] == [desk.state(order_id)["status"] for order_id in ids]


def test_buy_for_an_amount_of_money(desk):
    """cash_order_qty buys at the market for that much of the quote."""
    result = desk.ok("add_order", order_type="market", side="buy", symbol="BTC/USD", cash_order_qty=50.5)
    row = desk.state(result["order_id"])
    assert ("closed", "50.50000", "fciq,viqc") == (row["status"], row["cost"], row["oflags"])


def test_validate_places_nothing(desk):
    """With validate the answer has no order id and there is no order."""
    assert {"cl_ord_id": "try"} == desk.ok("add_order", **LIMIT, validate=True, cl_ord_id="try")
    assert {} == desk.bench.ok("OpenOrders")["open"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"symbol": "FOO/BAR"}, "EQuery:Unknown asset pair"),
        ({"symbol": None}, "EGeneral:Invalid arguments:symbol"),
        ({"order_qty": 99999}, "EOrder:Insufficient funds"),
        ({"order_qty": 0.00001}, "EOrder:Order minimum not met"),
        ({"limit_price": 95.05}, "EOrder:Tick size check failed"),
        ({"limit_price": -95.0}, "EOrder:Invalid price"),
        ({"limit_price": "95.0"}, "EGeneral:Invalid arguments:limit_price"),
        ({"order_qty": True}, "EGeneral:Invalid arguments:order_qty"),
        ({"limit_price": 102.0, "post_only": True}, "EOrder:Post only order"),
        ({"limit_price_type": "dreams"}, "EGeneral:Invalid arguments:limit_price_type"),
        ({"fee_preference": "neither"}, "EGeneral:Invalid arguments:fee_preference"),
        ({"price": 95.0}, "Unsupported field: 'price' for the given msg type: add order"),
        ({"side": "up"}, "EGeneral:Invalid arguments:type"),
        ({"order_userref": "5"}, "EGeneral:Invalid arguments:order_userref"),
        ({"expire_time": "soon"}, "EGeneral:Invalid arguments:expire_time"),
        ({"deadline": "2020-01-01T00:00:00Z"}, "EGeneral:Invalid arguments:deadline"),
    ],
    ids=str,
)
def test_refusals(desk, params, error):
    """A refused order is one text, and the line goes on."""
    assert error == desk.error("add_order", **(LIMIT | params))
    assert desk.one("add_order", **LIMIT)["success"]


def test_client_id_taken(desk):
    """A client id is unique among open orders whichever door it came in by."""
    desk.bench.order(price="95", cl_ord_id="twice")
    assert "EGeneral:Invalid arguments:cl_ord_id not unique" == desk.error("add_order", **LIMIT, cl_ord_id="twice")


@pytest.mark.parametrize("method", ["add_order", "cancel_all", "amend_order", "batch_cancel"])
def test_token_is_asked_for(desk, method):
    """No method works without a token that is good."""
    desk.token = "made up"
    assert "ESession:Invalid session" == desk.error(method)


def test_permissions_are_those_of_the_tokens_key(ladder):
    """A token can do no more than the key it was made with."""
    key = ladder.venue.keys.make("watch", ("create-ws-token", "query-open-trades"), now=ladder.now)
    watcher = Trader(ladder, key=key)
    assert "EGeneral:Permission denied" == watcher.error("add_order", **LIMIT)


def test_not_on_a_public_line(desk):
    """A public line has no trading; it says where there is."""
    public = desk.bench.open()
    public.texts()
    public.ask("add_order", token=desk.token, **LIMIT)
    (answer,) = public.frames()
    assert "Private data and trading are unavailable on this endpoint. Try ws-auth.kraken.com" == answer["error"]


def test_maintenance(desk):
    """In maintenance trading is unavailable."""
    desk.bench.exchange.set_system("maintenance", desk.bench.now)
    assert "EService:Unavailable" == desk.error("add_order", **LIMIT)


def test_one_answer_for_each_cancel(desk):
    """A cancel of several orders is answered order by order under one req_id, and one that is gone fails alone."""
    ids = [desk.ok("add_order", **LIMIT)["order_id"] for _ in range(2)]
    mine = desk.ok("add_order", **LIMIT, cl_ord_id="mine")["order_id"]
    desk.bench.ok("CancelOrder", txid=ids[1])
    answers = desk.all("cancel_order", order_id=ids, cl_ord_id=["mine"])
    assert [{"order_id": ids[0]}, None, {"order_id": mine, "cl_ord_id": "mine"}] == [a.get("result") for a in answers]
    assert [None, "EOrder:Unknown order", None] == [answer.get("error") for answer in answers]
    assert {7} == {answer["req_id"] for answer in answers}
    sample = vector("ws_cancel_order_responses.json")[0]
    assert kinds(sample) == kinds(answers[0])


def test_cancel_by_user_reference(desk):
    """A user reference cancels every open order that carries it."""
    ids = [desk.ok("add_order", **LIMIT, order_userref=9)["order_id"] for _ in range(2)]
    answers = desk.all("cancel_order", order_userref=[9, 8])
    assert [{"order_id": ids[0]}, {"order_id": ids[1]}, None] == [answer.get("result") for answer in answers]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({}, "EGeneral:Invalid arguments"),
        ({"order_id": "OPAPER-AAAAA-AAAAAA"}, "EGeneral:Invalid arguments:order_id"),
        ({"order_id": ["OPAPER-AAAAA-AAAAAA"]}, "EOrder:Invalid order"),
        ({"cl_ord_id": ["nobody"]}, "EOrder:Unknown order"),
        ({"order_userref": ["x"]}, "EGeneral:Invalid arguments:order_userref"),
    ],
    ids=str,
)
def test_cancel_refusals(desk, params, error):
    """Cancels name their orders in lists; ids never made are invalid, others unknown."""
    assert error == desk.error("cancel_order", **params)


def test_cancel_all(desk):
    """cancel_all says how many."""
    for _ in range(3):
        desk.ok("add_order", **LIMIT)
    assert {"count": 3} == desk.ok("cancel_all")
    assert {} == desk.bench.ok("OpenOrders")["open"]


def test_dead_mans_switch(desk):
    """cancel_all_orders_after arms the switch that REST arms: without another word all orders end."""
    order_id = desk.ok("add_order", **LIMIT)["order_id"]
    result = desk.ok("cancel_all_orders_after", timeout=60)
    assert {"currentTime": "2026-01-01T00:00:00Z", "triggerTime": "2026-01-01T00:01:00Z"} == result
    assert "EGeneral:Invalid arguments:timeout" == desk.error("cancel_all_orders_after", timeout="60")
    desk.bench.wait(61)
    assert "canceled" == desk.state(order_id)["status"]


@pytest.mark.parametrize("name", ["order_id", "cl_ord_id"])
def test_amend(desk, name):
    """An amend keeps the order, and its answer names it as the request did."""
    order_id = desk.ok("add_order", **LIMIT, cl_ord_id="mine")["order_id"]
    named = {name: {"order_id": order_id, "cl_ord_id": "mine"}[name]}
    desk.bench.wait(1)
    result = desk.ok("amend_order", **named, order_qty=0.25, limit_price=96.0)
    assert named == {key: value for key, value in result.items() if key != "amend_id"}
    row = desk.state(order_id)
    assert ("0.25000000", "96.0", "open") == (row["vol"], row["limitprice"] and row["descr"]["price"], row["status"])


def test_amend_of_what_is_gone(desk):
    """An order that has ended cannot be amended."""
    order_id = desk.ok("add_order", **LIMIT)["order_id"]
    desk.ok("cancel_all")
    assert desk.error("amend_order", order_id=order_id, order_qty=0.25).startswith("EOrder:")


def test_edit(desk):
    """An edit ends the order and makes another; both are named."""
    order_id = desk.ok("add_order", **LIMIT)["order_id"]
    result = desk.ok("edit_order", order_id=order_id, symbol="BTC/USD", order_qty=0.25, limit_price=96.0)
    assert order_id == result["original_order_id"]
    assert ("canceled", "open") == (desk.state(order_id)["status"], desk.state(result["order_id"])["status"])


def test_edit_of_a_stop(desk):
    """The limit price of an order with a trigger is the second one; the trigger price can change as well."""
    stop = {"order_type": "stop-loss-limit", "side": "sell", "triggers": {"price": 90.0}, "limit_price": 89.0}
    order_id = desk.ok("add_order", **(LIMIT | stop))["order_id"]
    named = {"order_id": order_id, "symbol": "BTC/USD"}
    result = desk.ok("edit_order", **named, triggers={"price": 91.0}, limit_price=88.0)
    descr = desk.state(result["order_id"])["descr"]
    assert ("91.0", "88.0") == (descr["price"], descr["price2"])
    again = desk.ok("edit_order", order_id=result["order_id"], symbol="BTC/USD", limit_price=87.0)
    descr = desk.state(again["order_id"])["descr"]
    assert ("91.0", "87.0") == (descr["price"], descr["price2"])


def test_batch(desk):
    """A batch is answered row by row in its order, and an order the engine refuses fails in its row only."""
    rows = [{name: value for name, value in LIMIT.items() if name != "symbol"} for _ in range(3)]
    rows[0] |= {"order_userref": 1}
    rows[1] |= {"order_qty": 99999}
    rows[2] |= {"cl_ord_id": "third"}
    result = desk.ok("batch_add", symbol="BTC/USD", orders=rows)
    assert [1, None, None] == [row.get("order_userref") for row in result]
    assert {"success": False, "error": "EOrder:Insufficient funds"} == result[1]
    assert [result[2]["order_id"], result[0]["order_id"]] == list(desk.bench.ok("OpenOrders")["open"])
    assert "third" == result[2]["cl_ord_id"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"symbol": "BTC/USD", "orders": "both"}, "EGeneral:Invalid arguments:orders"),
        (
            {"symbol": "BTC/USD", "orders": [LIMIT, LIMIT]},
            "Unsupported field: 'symbol' for the given msg type: batch add",
        ),
        ({"orders": []}, "EGeneral:Invalid arguments:symbol"),
    ],
    ids=str,
)
def test_batch_refusals(desk, params, error):
    """A batch that cannot be read is refused whole."""
    assert error == desk.error("batch_add", **params)


def test_batch_cancel(desk):
    """A batch cancel takes ids, user references and client ids, and tells only how many."""
    first = desk.ok("add_order", **LIMIT)["order_id"]
    desk.ok("add_order", **LIMIT, order_userref=5)
    desk.ok("add_order", **LIMIT, cl_ord_id="mine")
    assert {"count": 3} == desk.ok("batch_cancel", orders=[first, "5"], cl_ord_id=["mine"])
    assert "EGeneral:Invalid arguments:orders" == desk.error("batch_cancel", orders=[first])


def test_charged_as_rest_is(desk):
    """The pair's counter rises as for REST; the call counter, which is REST's, does not."""
    bench = desk.bench
    calls = bench.venue.quotas.call_figures(bench.key.api_key, bench.now)["level"]
    order_id = desk.ok("add_order", **LIMIT)["order_id"]
    desk.ok("cancel_order", order_id=[order_id])
    assert 9 * 10**11 == bench.venue.quotas.level("XXBTZUSD", bench.now)
    assert calls == bench.venue.quotas.call_figures(bench.key.api_key, bench.now)["level"]


def test_answer_comes_before_the_news(desk):
    """On a line that follows executions the answer comes first, then what happened."""
    desk.socket.ask("subscribe", channel="executions", token=desk.token)
    desk.socket.texts()
    desk.socket.ask("add_order", token=desk.token, **LIMIT)
    frames = [json.loads(text) for text in desk.socket.texts()]
    assert ["add_order", "executions", "executions"] == [f.get("method") or f["channel"] for f in frames]


FUZZED = Trader(Bench(pairs=("BTC/USD",), tier="unlimited"))
FUZZED.socket.ask("subscribe", channel="executions", token=FUZZED.token)
NAMES = sorted({name for names in _FIELDS.values() for name in names} | {"price", "price_type", "reference"})
WORDS = ["limit", "buy", "BTC/USD", "stop-loss", "gtd", "pct", "OPAPER-AAAAA-AAAAAA", "2026-01-01T00:10:00Z", ""]
PIECES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    PIECES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), st.booleans())
def test_any_fields_are_answered(method, fields, sane):
    """Whatever a trading request holds, every answer is a success or a refusal in words, and the books balance."""
    answers = FUZZED.all(method, **((LIMIT if sane else {}) | fields))
    assert answers
    assert all(("result" in answer) == answer["success"] == ("error" not in answer) for answer in answers)
    assert all(isinstance(answer.get("error", ""), str) for answer in answers)
    FUZZED.bench.venue.engine.prove()
