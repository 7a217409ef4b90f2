"""AddOrder's arguments: every error text, and every encoding that must not be one."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from execsvc.paper.entry import Window, read_terms
from execsvc.paper.params import Params
from execsvc.paper.restface import Request
from execsvc.paper.words import Refused
from tests.unit.paper.paperbench import NS, START, Bench, read, sign


def ahead(seconds):
    moment = datetime.fromtimestamp(START / NS, UTC) + timedelta(seconds=seconds)
    return moment.isoformat().replace("+00:00", "Z")


UUID = "6d1b345e-2821-40e2-ad83-4ecb18a06876"

REFUSALS = [
    ({"pair": "FOOBAR"}, "EQuery:Unknown asset pair"),
    ({"pair": ""}, "EGeneral:Invalid arguments:pair"),
    ({"type": "hold"}, "EGeneral:Invalid arguments:type"),
    ({"ordertype": ""}, "EGeneral:Invalid arguments:ordertype"),
    ({"ordertype": "stop-loss-market"}, "EGeneral:Invalid arguments:ordertype"),
    ({"ordertype": "stop-loss", "price": ""}, "EGeneral:Invalid arguments:price"),
    ({"ordertype": "stop-loss", "price2": "90000"}, "EGeneral:Invalid arguments:price2"),
    ({"ordertype": "stop-loss", "trigger": "mark"}, "EGeneral:Invalid arguments:trigger"),
    ({"ordertype": "stop-loss", "timeinforce": "FOK"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"ordertype": "stop-loss", "oflags": "post"}, "EGeneral:Invalid arguments:oflags"),
    ({"ordertype": "stop-loss", "volume": "0.00005", "price": "9999.9"}, "EOrder:Cost minimum not met"),
    ({"ordertype": "stop-loss", "price": "95000.05"}, "EOrder:Tick size check failed"),
    ({"ordertype": "stop-loss-limit"}, "EGeneral:Invalid arguments:price2"),
    ({"ordertype": "take-profit-limit", "price2": "0.05"}, "EOrder:Tick size check failed"),
    ({"ordertype": "trailing-stop"}, "EGeneral:Invalid arguments:price"),
    ({"ordertype": "trailing-stop", "price": "-5"}, "EGeneral:Invalid arguments:price"),
    ({"ordertype": "trailing-stop", "price": "#5"}, "EGeneral:Invalid arguments:price"),
    ({"ordertype": "trailing-stop", "price": "+0%"}, "EGeneral:Invalid arguments:price"),
    ({"ordertype": "trailing-stop", "price": "+100%", "type": "sell"}, "EOrder:Invalid price"),
    ({"ordertype": "trailing-stop-limit", "price": "+5%"}, "EGeneral:Invalid arguments:price2"),
    ({"ordertype": "trailing-stop-limit", "price": "+5%", "price2": "90000"}, "EGeneral:Invalid arguments:price2"),
    ({"ordertype": "trailing-stop-limit", "price": "+5%", "price2": "-101%"}, "EOrder:Invalid price"),
    ({"ordertype": "iceberg"}, "EGeneral:Invalid arguments:displayvol"),
    ({"ordertype": "iceberg", "displayvol": "0.0066"}, "EGeneral:Invalid arguments:displayvol"),
    ({"ordertype": "iceberg", "displayvol": "0.10000001"}, "EGeneral:Invalid arguments:displayvol"),
    ({"ordertype": "iceberg", "displayvol": "0.05", "timeinforce": "IOC"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"ordertype": "settle-position"}, "EGeneral:Invalid arguments:leverage"),
    ({"volume": ""}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "0"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "-1"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "ten"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "NaN"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "1e999999999"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "0.123456789"}, "EGeneral:Invalid arguments:volume"),
    ({"volume": "0.00004999"}, "EOrder:Order minimum not met"),
    ({"volume": "0.00005", "price": "9999.9"}, "EOrder:Cost minimum not met"),
    ({"price": ""}, "EGeneral:Invalid arguments:price"),
    ({"price": "1_000"}, "EGeneral:Invalid arguments:price"),
    ({"price": " 5"}, "EGeneral:Invalid arguments:price"),
    ({"price": "0"}, "EOrder:Invalid price"),
    ({"price": "-5%%"}, "EGeneral:Invalid arguments:price"),
    ({"price": "5%"}, "EGeneral:Invalid arguments:price"),
    ({"price": "-100%"}, "EOrder:Invalid price"),
    ({"price": "9e25"}, "EOrder:Invalid price"),
    ({"price": "95000.05"}, "EOrder:Tick size check failed"),
    ({"timeinforce": "DAY"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"ordertype": "market", "price": "", "timeinforce": "FOK"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"timeinforce": "IOC", "oflags": "post"}, "EGeneral:Invalid arguments:timeinforce"),
    ({"timeinforce": "GTD"}, "EGeneral:Invalid arguments:expiretm"),
    ({"timeinforce": "GTD", "expiretm": "+4"}, "EGeneral:Invalid arguments:expiretm"),
    ({"timeinforce": "GTD", "expiretm": "+2678401"}, "EGeneral:Invalid arguments:expiretm"),
    ({"expiretm": "+60"}, "EGeneral:Invalid arguments:expiretm"),
    ({"oflags": "sparkle"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "fcib,fciq"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "viqc"}, "EGeneral:Invalid arguments:oflags"),
    ({"oflags": "post", "ordertype": "market"}, "EGeneral:Invalid arguments:oflags"),
    ({"stptype": "cancel-everything"}, "EGeneral:Invalid arguments:stptype"),
    ({"userref": "2147483648"}, "EGeneral:Invalid arguments:userref"),
    ({"userref": "seven"}, "EGeneral:Invalid arguments:userref"),
    ({"userref": "7", "cl_ord_id": "abc"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "x" * 19}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "x" * 40}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "grüße"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": "two words"}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"cl_ord_id": UUID.replace("-", "_")}, "EGeneral:Invalid arguments:cl_ord_id"),
    ({"deadline": "soon"}, "EGeneral:Invalid arguments:deadline"),
    ({"deadline": "2026-01-01T00:00:10"}, "EGeneral:Invalid arguments:deadline"),
    ({"deadline": ahead(-1)}, "EGeneral:Invalid arguments:deadline"),
    ({"deadline": ahead(1.999)}, "EGeneral:Invalid arguments:deadline"),
    ({"deadline": ahead(60.001)}, "EGeneral:Invalid arguments:deadline"),
    ({"validate": "maybe"}, "EGeneral:Invalid arguments:validate"),
    ({"leverage": "11"}, "EGeneral:Invalid arguments:leverage"),
    ({"leverage": "two"}, "EGeneral:Invalid arguments:leverage"),
    ({"reduce_only": "true"}, "EOrder:Reduce only:Non-PC"),
    ({"starttm": str(START // NS - 1)}, "EGeneral:Invalid arguments:starttm"),
    ({"starttm": "+2678401"}, "EGeneral:Invalid arguments:starttm"),
    ({"starttm": "+60", "timeinforce": "GTD", "expiretm": "+64"}, "EGeneral:Invalid arguments:expiretm"),
    ({"starttm": "+60", "ordertype": "market", "oflags": "viqc"}, "EGeneral:Invalid arguments:oflags"),
    ({"displayvol": "0.01"}, "EGeneral:Invalid arguments:displayvol"),
    ({"price2": "90000"}, "EGeneral:Invalid arguments:price2"),
    ({"trigger": "index"}, "EGeneral:Invalid arguments:trigger"),
    ({"close[ordertype]": "market"}, "EGeneral:Invalid arguments:close[ordertype]"),
    ({"close[price]": "90000"}, "EGeneral:Invalid arguments:close[ordertype]"),
    ({"close[ordertype]": "limit"}, "EGeneral:Invalid arguments:close[price]"),
    ({"close[ordertype]": "limit", "close[price]": "0.01"}, "EOrder:Tick size check failed"),
    (
        {"close[ordertype]": "limit", "close[price]": "9", "close[price2]": "8"},
        "EGeneral:Invalid arguments:close[price2]",
    ),
    ({"close[ordertype]": "stop-loss-limit", "close[price]": "9"}, "EGeneral:Invalid arguments:close[price2]"),
]


@pytest.mark.parametrize(("params", "error"), REFUSALS, ids=lambda value: str(value)[:60])
def test_refusals(bench, params, error):
    """Each broken rule has its exact text, places nothing and holds nothing."""
    assert error == bench.refuse(**({"price": "95000.0"} | params))
    assert [] == list(bench.venue.orders.accepted())
    assert 0 == bench.venue.ledger.held(bench.venue.directory.assets["ZUSD"])


ACCEPTED = [
    {"volume": "0.00005", "price": "10000.0"},
    {"volume": "1e-1"},
    {"price": "95000"},
    {"price": "95000.00000"},
    {"price": "-2%"},
    {"price": "#2%"},
    {"price": "-1000.5"},
    {"price": "+0.1%"},
    {"timeinforce": "gtc"},
    {"timeinforce": "GTD", "expiretm": "+5"},
    {"timeinforce": "GTD", "expiretm": str(START // NS + 2_678_400)},
    {"oflags": "post"},
    {"oflags": "nompp,fciq"},
    {"userref": "-2147483648"},
    {"userref": "0", "cl_ord_id": "abc"},
    {"cl_ord_id": UUID},
    {"cl_ord_id": UUID.replace("-", "")},
    {"cl_ord_id": "arb-20240509-00010"},
    {"deadline": ahead(2)},
    {"deadline": ahead(60)},
    {"deadline": ahead(30.5).replace("Z", "+00:00")},
    {"leverage": "none"},
    {"starttm": "0", "expiretm": "0", "displayvol": "", "price2": "0"},
    {"reduce_only": "false", "validate": "False"},
    {"pair": "XXBTZUSD"},
    {"pair": "XBT/USD"},
    {"pair": "BTC/USD"},
]


@pytest.mark.parametrize("params", ACCEPTED, ids=lambda value: str(value)[:60])
def test_accepted(bench, params):
    """What Kraken takes is taken, at the edge of every bound too."""
    assert bench.order(**({"price": "90000.0"} | params)).startswith("OPAPER-")


@pytest.mark.parametrize("word", ["False", "false", "FALSE", "0", ""])
def test_validate_false_places(bench, word):
    """A client that sends validate=False in any spelling means to place."""
    assert bench.order(price="90000", validate=word)


@pytest.mark.parametrize("word", ["True", "true", "TRUE", "1"])
def test_validate_true_places_nothing(bench, word):
    """With validate the order is described and nothing else happens: no id, no hold, no order."""
    result = bench.ok(
        "AddOrder", pair="XBTUSD", type="buy", ordertype="limit", volume="1.25", price="27500", validate=word
    )
    assert {"descr": {"order": "buy 1.25000000 XBTUSD @ limit 27500.0"}} == result
    assert [] == list(bench.venue.orders.accepted())


@pytest.mark.parametrize("encoding", ["form", "json", "bare"])
def test_every_encoding(bench, encoding):
    """Form text, JSON, and form text without a content type are the same order."""
    answer = bench.private(
        "AddOrder", encoding, pair="XBTUSD", type="buy", ordertype="limit", price="95000", volume="0.5"
    )
    assert "buy 0.50000000 XBTUSD @ limit 95000.0" == answer["result"]["descr"]["order"]


def test_json_numbers_and_booleans(bench):
    """JSON numbers are read exactly, as printed, and JSON booleans as booleans."""
    body = (
        b'{"nonce": 5000, "pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": 95000.1,'
        b' "volume": 0.10000001, "validate": false, "userref": 7}'
    )
    headers = {"user-agent": "b", "content-type": "application/json", "api-key": bench.key.api_key}
    headers["api-sign"] = sign(bench.key.api_secret, "/0/private/AddOrder", "5000", body)
    answer = read(bench.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), bench.now))
    assert "buy 0.10000001 XBTUSD @ limit 95000.1" == answer["result"]["descr"]["order"]


@pytest.mark.parametrize(("sent", "price"), [("%2B1%25", "98980.0"), ("-1%25", "97020.0"), ("%23100", "98100.0")])
def test_relative_price_in_a_form(bench, sent, price):
    """A relative price is an offset to the last trade; in a form its plus must be percent-encoded."""
    bench.book(bids=[("97999.9", "1")], asks=[("98000.0", "1")])
    bench.take("buy", "0.1")
    body = f"nonce=5000&pair=XBTUSD&type=sell&ordertype=limit&volume=0.1&price={sent}&validate=1".encode()
    headers = {"user-agent": "b", "api-key": bench.key.api_key}
    headers["api-sign"] = sign(bench.key.api_secret, "/0/private/AddOrder", "5000", body)
    answer = read(bench.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), bench.now))
    assert f"sell 0.10000000 XBTUSD @ limit {price}" == answer["result"]["descr"]["order"]


def test_raw_plus_in_a_form_is_a_blank(bench):
    """A raw plus in a form is a blank, and a price that begins with one is refused."""
    body = b"nonce=5000&pair=XBTUSD&type=sell&ordertype=limit&volume=0.1&price=+1%25"
    headers = {"user-agent": "b", "api-key": bench.key.api_key}
    headers["api-sign"] = sign(bench.key.api_secret, "/0/private/AddOrder", "5000", body)
    answer = read(bench.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), bench.now))
    assert ["EGeneral:Invalid arguments:price"] == answer["error"]


@pytest.mark.parametrize("body", [b"{", b"[1]", b'{"nonce": "1"', b"\xff\xfe=1", b'{"a": "\xff"}'])
def test_unreadable_bodies(bench, body):
    """A body that cannot be read is an invalid request, never a crash."""
    headers = {"user-agent": "b", "api-key": bench.key.api_key, "api-sign": "x"}
    answer = read(bench.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), bench.now))
    assert answer["error"] in (["EGeneral:Invalid arguments"], ["EAPI:Invalid signature"])


def test_nested_value_where_text_is_expected(bench):
    """An object where a word belongs is refused by the name of the field."""
    body = json.dumps({"nonce": "5000", "pair": {"a": 1}}).encode()
    headers = {"user-agent": "b", "content-type": "application/json", "api-key": bench.key.api_key}
    headers["api-sign"] = sign(bench.key.api_secret, "/0/private/AddOrder", "5000", body)
    answer = read(bench.exchange.http(Request("POST", "/0/private/AddOrder", "", headers, body), bench.now))
    assert ["EGeneral:Invalid arguments:pair"] == answer["error"]


def test_deadline_floor_is_an_option():
    """The floor of the deadline can be set to what another Kraken may use."""
    bench = Bench(pairs=("BTC/USD",), deadline_floor_s=0.5)
    assert bench.order(price="90000", deadline=ahead(0.5))
    assert "EGeneral:Invalid arguments:deadline" == bench.refuse(price="90000", deadline=ahead(0.49))


@pytest.mark.parametrize(("price", "fits"), [("95000.0", True), ("95000.5", True), ("95000.1", False)])
def test_tick_wider_than_the_decimals(bench, price, fits):
    """Where the tick is wider than the last decimal place, a price must be a multiple of it."""
    listing = replace(bench.venue.listing("XBTUSD"), pair=replace(bench.venue.directory.pairs["XXBTZUSD"], tick=5))
    params = Params({"type": "buy", "ordertype": "limit", "price": price, "volume": "1"})
    if fits:
        assert 0 == read_terms(params, listing, received=START, window=Window()).price % 5
        return
    with pytest.raises(Refused, match="EOrder:Tick size check failed"):
        read_terms(params, listing, received=START, window=Window())
