"""AddOrder in Kraken's words: each type and option, against the published requests, and a question that cannot place."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kraken_parts import vector

from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.market import Side
from execsvc.domain.order import submitted
from execsvc.domain.spec import FeePreference, Offset, OrderType, SelfTradePrevention, TimeInForce
from execsvc.kraken import encode, specs, wire
from execsvc.kraken.batching import batch
from tests.support.specs import CLOSES, KINDS, spec
from tests.support.specs import specs as every_spec
from tests.support.venue import BTC_USD

D = Decimal
WIRE_ID = "6d1b345e-2821-40e2-ad83-4ecb18a06876"
DEADLINE_NS = 1_695_565_322_000_000_000
PAIR = "XBTUSD"
BOUGHT = {"type": "buy", "volume": "0.5", "pair": PAIR}
SOLD = BOUGHT | {"type": "sell", "oflags": "fciq"}


def placed(wish):
    intent = Intent(OrderKey("main", "me", "c-1"), wish, 1, "key", "", lambda _: WIRE_ID)
    return encode.add_order(submitted(intent, 1), BTC_USD, DEADLINE_NS)


def wanted(wish):
    """What is said of the wish itself."""
    params = placed(wish)
    assert (WIRE_ID, "2023-09-24T14:22:02.000Z") == (params.pop("cl_ord_id"), params.pop("deadline"))
    return params


ROWS = {
    "market": BOUGHT | {"ordertype": "market"},
    "market in quote": BOUGHT | {"ordertype": "market", "volume": "100.50", "oflags": "viqc"},
    "limit": BOUGHT | {"ordertype": "limit", "price": "60000.0"},
    "iceberg": BOUGHT | {"ordertype": "iceberg", "price": "60000.0", "displayvol": "0.05"},
    "stop": SOLD | {"ordertype": "stop-loss", "price": "55000.0"},
    "stop limit": SOLD | {"ordertype": "stop-loss-limit", "price": "55000.0", "price2": "54900.0"},
    "take profit": SOLD | {"ordertype": "take-profit", "price": "70000.0"},
    "take profit limit": SOLD
    | {"ordertype": "take-profit-limit", "price": "70000.0", "price2": "69900.0", "trigger": "index"},
    "trailing stop": SOLD | {"ordertype": "trailing-stop", "price": "+250.5"},
    "trailing stop limit": SOLD | {"ordertype": "trailing-stop-limit", "price": "+1.5%", "price2": "-0.5%"},
    "settle position": BOUGHT | {"ordertype": "settle-position", "volume": "0", "leverage": "3"},
    "close position": BOUGHT | {"ordertype": "market", "volume": "0", "leverage": "3"},
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_kind_is_said_in_krakens_words(name):
    """All that is said, and nothing that stands at Kraken's default."""
    assert ROWS[name] == wanted(KINDS[name])


OPTIONS = [
    ({"time_in_force": TimeInForce.IOC}, {"timeinforce": "IOC"}),
    ({"time_in_force": TimeInForce.FOK}, {"timeinforce": "FOK"}),
    (
        {"time_in_force": TimeInForce.GTD, "expire_time_ns": 1_800_000_000_999_999_999},
        {"timeinforce": "GTD", "expiretm": "1800000000"},
    ),
    ({"start_time_ns": 1_800_000_000_000_000_000}, {"starttm": "1800000000"}),
    ({"start_time_ns": 1_800_000_000_000_000_001}, {"starttm": "1800000001"}),
    ({"leverage": 5, "reduce_only": True}, {"leverage": "5", "reduce_only": "true"}),
    ({"self_trade_prevention": SelfTradePrevention.CANCEL_OLDEST}, {"stptype": "cancel-oldest"}),
    ({"self_trade_prevention": SelfTradePrevention.CANCEL_BOTH}, {"stptype": "cancel-both"}),
    ({"fee_preference": FeePreference.BASE}, {"oflags": "fcib"}),
    ({"post_only": True}, {"oflags": "post"}),
    ({"post_only": True, "fee_preference": FeePreference.BASE}, {"oflags": "post,fcib"}),
    ({"post_only": True, "side": Side.SELL}, {"type": "sell", "oflags": "post,fciq"}),
    ({"label": "mine"}, {}),
    ({"conditional_close": CLOSES["limit"]}, {"close[ordertype]": "limit", "close[price]": "61000.0"}),
    ({"conditional_close": CLOSES["stop"]}, {"close[ordertype]": "stop-loss", "close[price]": "55000.0"}),
    (
        {"conditional_close": CLOSES["stop limit"]},
        {"close[ordertype]": "stop-loss-limit", "close[price]": "55000.0", "close[price2]": "54900.0"},
    ),
    ({"conditional_close": CLOSES["take profit"]}, {"close[ordertype]": "take-profit", "close[price]": "70000.0"}),
    ({"conditional_close": CLOSES["trailing stop"]}, {"close[ordertype]": "trailing-stop", "close[price]": "+2%"}),
    (
        {"conditional_close": CLOSES["trailing stop limit"]},
        {"close[ordertype]": "trailing-stop-limit", "close[price]": "+25.5", "close[price2]": "-10"},
    ),
]


@pytest.mark.parametrize(("parts", "said"), OPTIONS)
def test_each_option_is_said_in_krakens_words(parts, said):
    """A start is never sooner than asked, an end never later; what is ours, as a label, is not said at all."""
    assert ROWS["limit"] | said == wanted(spec(**parts))


def test_an_order_that_takes_has_no_time_in_force():
    """A venue may refuse one."""
    assert "timeinforce" not in wanted(replace(KINDS["market"], time_in_force=TimeInForce.IOC))


def test_the_published_request_is_made():
    """AddOrder of Kraken's reference, but for the nonce, and for the deadline that every order of ours has."""
    published = {name: value for name, value in vector("rest_AddOrder_request").items() if name != "nonce"}
    made = placed(spec(base_quantity=D("1.25"), limit_price=D(27500)))
    assert published == {name: value for name, value in made.items() if name != "deadline"}


def test_the_published_batch_is_made():
    """AddOrderBatch of Kraken's reference: rows nest their close; the time in force it names is the default."""
    published = vector("rest_AddOrderBatch_request")
    close = replace(CLOSES["stop limit"], trigger_price=D(37000), limit_price=D(36000))
    wishes = [
        spec(base_quantity=D("1.2"), limit_price=D(40000), conditional_close=close),
        spec(base_quantity=D("1.2"), limit_price=D(42000), side=Side.SELL),
    ]
    ids = [row["cl_ord_id"] for row in published["orders"]]
    orders = [
        submitted(Intent(OrderKey("main", "me", name), wish, 1, "key", "", lambda _, name=name: name), 1)
        for name, wish in zip(ids, wishes, strict=True)
    ]
    deadline_ns = int(datetime(2023, 9, 24, 14, 15, 22, tzinfo=UTC).timestamp()) * 10**9
    made = {name: json.loads(text) for name, text in batch(orders, BTC_USD, deadline_ns).items()}
    for row in published["orders"]:
        del row["timeinforce"]
    published["orders"][1]["oflags"] = "fciq"
    assert (published["orders"], PAIR, "2023-09-24T14:15:22.000Z") == (made["orders"], made["pair"], made["deadline"])


def test_a_plus_survives_the_form():
    """In a form "+" is a blank unless it is written out."""
    body = encode.form(placed(KINDS["trailing stop limit"]), 1).decode()
    assert "price=%2B1.5%25" in body
    assert (["+1.5%"], ["-0.5%"]) == (parse_qs(body)["price"], parse_qs(body)["price2"])


@given(st.integers(0, 4_102_444_800 * 10**9))
def test_an_instant_is_cut_to_the_millisecond(at_ns):
    """Never later than it is, and by less than one."""
    read = datetime.fromisoformat(encode.instant(at_ns))
    assert at_ns // 10**6 == (read - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


@example({"a": "2023-09-24T14:15:22.000Z", "b": "+1.5%"})
@given(st.dictionaries(st.sampled_from("abc"), st.text(st.sampled_from("aZ09.-_:+%&= é/~"))))
def test_a_form_is_written_as_the_library_writes_it(params):
    """Whatever the values are, plain ones and instants included."""
    assert urlencode({"nonce": 7} | params) == encode.form(params, 7).decode()


@given(every_spec())
def test_a_question_always_says_validate(wish):
    """In its parameters and in the bytes; it has no id that an order could have, and no deadline."""
    params = encode.add_order_dry(wish, BTC_USD)
    assert {**params} == {
        name: value for name, value in placed(wish).items() if name not in {"cl_ord_id", "deadline"}
    } | {"validate": "true"}
    assert ["true"] == parse_qs(encode.form(params, 1).decode())["validate"]


@given(every_spec())
def test_an_order_never_says_validate(wish):
    """It would place nothing, and we would wait for it."""
    assert "validate" not in placed(wish)


@given(every_spec(whole_seconds=True))
def test_what_is_said_of_an_order_is_read_as_the_same_wish(wish):
    """An order object that Kraken would print of these arguments gives the wish back, as far as Kraken prints it."""
    params = placed(wish)
    close = wish.conditional_close
    row = wire.OrderRow(
        status="open",
        descr=wire.OrderDescription(
            pair=PAIR,
            type=params["type"],
            ordertype=params["ordertype"],
            price=params.get("price", "0"),
            price2=params.get("price2", "0"),
            leverage=f"{params['leverage']}:1" if "leverage" in params else "none",
            close="" if close is None else _sentence(params),
        ),
        vol=D(params["volume"]),
        vol_exec=D(0),
        cost=D(0),
        fee=D(0),
        opentm=D(1),
        oflags=params.get("oflags", "fciq"),
        displayvol=D(params["displayvol"]) if "displayvol" in params else None,
        starttm=D(params.get("starttm", "0")),
        expiretm=D(params.get("expiretm", "0")),
        trigger=params.get("trigger"),
        reduce_only="reduce_only" in params,
    )
    seen = wish.time_in_force if wish.time_in_force is TimeInForce.GTD else TimeInForce.GTC
    told = replace(wish, label="", time_in_force=seen, self_trade_prevention=SelfTradePrevention.CANCEL_NEWEST)
    assert told == specs.of_row(row, Tables())


class Tables:
    """Names of one pair."""

    def symbol(self, spelling):
        return {PAIR: "BTC/USD"}.get(spelling)


def _sentence(params):
    """`descr.close`, as Kraken words it."""
    words = params["close[ordertype]"].removesuffix("-limit").replace("-", " ")
    limited = f" -> limit {params['close[price2]']}" if params.get("close[price2]") else ""
    return f"close position @ {words} {params['close[price]']}{limited}"


def test_a_distance_keeps_its_sign_and_its_digits():
    """Up and down, in quote units and in percent."""
    wish = spec(OrderType.TRAILING_STOP, offset=Offset(D("10.00")), limit_offset=Offset(D("0.50"), percent=True))
    assert ("+10.00", "+0.50%") == (placed(wish)["price"], placed(wish)["price2"])
