"""The control port: what may be done to the exchange, and what it tells of itself."""

import json

import pytest

from execsvc.paper.control import answer_control
from execsvc.paper.traffic import Cut
from tests.unit.paper.paperbench import Bench


def control(bench, method, path, body=None):
    raw = b"" if body is None else json.dumps(body).encode()
    status, answer = answer_control(bench.exchange, method, path, raw, bench.now)
    return status, json.loads(answer)


def done(bench, method, path, body=None):
    status, answer = control(bench, method, path, body)
    assert 200 == status, answer
    return answer


def test_faults_are_armed_listed_and_cleared(bench):
    """A fault armed by JSON strikes as one armed in code, is listed while armed, and can be cleared."""
    body = {"kind": "request_lost", "call": "AddOrder", "times": 2}
    assert 2 == done(bench, "POST", "/faults", body)["faults"][0]["left"]
    assert Cut() == bench.ticket("AddOrder").outcome
    assert 1 == done(bench, "GET", "/faults")["faults"][0]["left"]
    assert {"faults": []} == done(bench, "DELETE", "/faults")
    assert Cut() != bench.ticket("AddOrder").outcome


def test_status_fault_and_its_end(bench):
    """A status fault changes the system at once, and clearing brings it back online."""
    done(bench, "POST", "/faults", {"kind": "status", "status": "cancel_only"})
    assert "cancel_only" == done(bench, "GET", "/state")["system"]
    done(bench, "DELETE", "/faults")
    assert "online" == done(bench, "GET", "/state")["system"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/faults", {"kind": "earthquake"}),
        ("/faults", {"kind": "delay", "millis": 5}),
        ("/faults", {}),
        ("/market", {"price": "1"}),
        ("/market", {"symbol": "FOO/BAR", "price": "1"}),
        ("/market", {"symbol": "BTC/USD", "price": "0"}),
        ("/market", {"symbol": "BTC/USD", "price": "1.23"}),
        ("/market", {"symbol": "BTC/USD", "price": "100", "levels": 5000}),
        ("/market", {"symbol": "BTC/USD", "take": {"side": "hold", "qty": "1"}}),
    ],
)
def test_bad_requests(bench, path, body):
    """What cannot be understood is refused with 400 and a reason, and changes nothing."""
    before = bench.venue.listing("BTC/USD").book.asks.top(5)
    status, answer = control(bench, "POST", path, body)
    assert 400 == status
    assert answer["error"]
    assert before == bench.venue.listing("BTC/USD").book.asks.top(5)


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("PUT", "/faults"), ("GET", "/market")])
def test_unknown_controls(bench, method, path):
    """What is not there is 404."""
    assert 404 == control(bench, method, path)[0]


def test_orders_in_order_of_acceptance(ladder):
    """Every accepted order is listed in order, with client id, state and fills; refused ones are not."""
    ids = [ladder.order(price="95", cl_ord_id="first"), ladder.order(ordertype="market", volume="1.5")]
    ladder.refuse(price="95", cl_ord_id="first")
    ladder.ok("CancelOrder", txid=ids[0])
    rows = done(ladder, "GET", "/orders")["orders"]
    assert ids == [row["order_id"] for row in rows]
    assert [("first", "canceled", "0.00000000"), (None, "closed", "1.50000000")] == [
        (row["cl_ord_id"], row["status"], row["vol_exec"]) for row in rows
    ]
    assert ["152.0000", "0.6080", 2] == [rows[1]["cost"], rows[1]["fee"], len(rows[1]["trades"])]


def test_ledger_with_its_proof(ladder):
    """The ledger shows every account and entry, and says whether it balances."""
    ladder.order(ordertype="market", volume="1")
    ledger = done(ladder, "GET", "/ledger")
    assert (True, "") == (ledger["balanced"], ledger["error"])
    assert {"0.0000"} == {ledger["accounts"]["ZUSD"]["sum"]}
    assert ("99898.5960", "101.0000", "0.4040") == tuple(
        ledger["accounts"]["ZUSD"][name] for name in ("trader", "market", "fees")
    )
    assert [("XXBT", "1.0000000000"), ("ZUSD", "-101.0000")] == [
        (entry["asset"], entry["amount"]) for entry in ledger["entries"][-2:]
    ]


def test_ledger_says_when_it_does_not_balance(ladder):
    """A ledger that was tampered with says so instead of looking well."""
    ladder.order(price="95", volume="1")
    next(iter(ladder.venue.orders.open_ones())).reserve += 1
    ladder.venue.ledger._balances["market"]["ZUSD"] = 5
    ledger = done(ladder, "GET", "/ledger")
    assert not ledger["balanced"]
    assert "ZUSD does not balance" in ledger["error"]


def test_calls(bench):
    """Private calls are listed with nonce, client id and outcome; public ones are not."""
    bench.public("Time")
    bench.order(price="90000", cl_ord_id="abc")
    bench.refuse(price="90000", cl_ord_id="abc")
    bench.private("Nonsense")
    calls = done(bench, "GET", "/calls")["calls"]
    assert [("AddOrder", "1001", "abc"), ("AddOrder", "1002", "abc"), ("Nonsense", "1003", "")] == [
        (call["call"], call["nonce"], call["cl_ord_id"]) for call in calls
    ]
    assert [True, False, False] == [call["applied"] for call in calls]
    assert ["", "EGeneral:Invalid arguments:cl_ord_id not unique", "EGeneral:Unknown method"] == [
        call["error"] for call in calls
    ]


def test_state(bench):
    """State says time, seed, connections, open orders and every market."""
    bench.open()
    bench.order(price="90000")
    state = done(bench, "GET", "/state")
    assert ("2026-01-01T00:00:00.000000Z", 42, {"public": 1, "private": 0}, 1) == (
        state["time"],
        state["seed"],
        state["connections"],
        state["open_orders"],
    )
    assert ("online", True) == tuple(state["markets"]["BTC/USD"][name] for name in ("status", "frozen"))


def test_price_is_set_exactly(bench):
    """A price sets a ladder of whole levels a tick apart, the best bid there, the best ask a spread above."""
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "price": "50000.0", "spread": "1.0", "qty": "2", "levels": 3})
    depth = bench.public("Depth", pair="XBTUSD")["result"]["XXBTZUSD"]
    assert [["50000.00000", "2.000"], ["49999.90000", "2.000"], ["49999.80000", "2.000"]] == [
        row[:2] for row in depth["bids"]
    ]
    assert [["50001.00000", "2.000"], ["50001.10000", "2.000"], ["50001.20000", "2.000"]] == [
        row[:2] for row in depth["asks"]
    ]


@pytest.mark.parametrize(("side", "order", "price"), [("buy", "51000", "50000.0"), ("sell", "49000", "50000.0")])
def test_price_that_passes_an_order_fills_it(bench, side, order, price):
    """An order of the trader that the new price passes is filled, at its own price."""
    far = {"buy": "60000.0", "sell": "40000.0"}[side]
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "price": far})
    txid = bench.order(type=side, price=order, volume="1.5")
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "price": price, "qty": "0.1"})
    row = bench.state(txid)
    assert ("closed", f"{order}.00000") == (row["status"], row["price"])
    book = bench.venue.listing("BTC/USD").book
    assert (500_000, 500_001) == (book.bids.best(), book.asks.best())
    bench.venue.engine.prove()


def test_running_market_goes_on_from_a_set_price():
    """A price set on a running market is where it goes on from."""
    bench = Bench(frozen=False, pairs=("BTC/USD",))
    bench.wait(1)
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "price": "50000.0"})
    bench.wait(10)
    assert 497_000 < bench.venue.listing("BTC/USD").tape.last < 503_000


def test_market_of_rows_and_a_taker(bench):
    """A book can be given row by row, and a stranger made to take from it, no worse than his price."""
    rows = {"symbol": "BTC/USD", "bids": [["99.0", "1"]], "asks": [["101.0", "1"], ["102.0", "1"]]}
    done(bench, "POST", "/market", rows)
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "take": {"side": "buy", "qty": "5", "price": "101.5"}})
    book = bench.venue.listing("BTC/USD").book
    assert ([(1020, 100_000_000)], [(990, 100_000_000)]) == (book.asks.top(9), book.bids.top(9))


def test_freeze_all_or_one(bench):
    """Without a symbol all markets are frozen or thawed."""
    done(bench, "POST", "/market", {"frozen": False})
    done(bench, "POST", "/market", {"symbol": "BTC/USD", "frozen": True, "status": "post_only"})
    markets = done(bench, "GET", "/state")["markets"]
    assert [True, False, False] == [markets[name]["frozen"] for name in ("BTC/USD", "ETH/USD", "ETH/BTC")]
    assert ["post_only", "online"] == [markets[name]["status"] for name in ("BTC/USD", "ETH/USD")]


def test_another_key(bench):
    """A key made by the control port works at once, with the permissions it was given."""
    made = done(bench, "POST", "/keys", {"name": "reader", "permissions": ["query-funds"]})
    key = bench.venue.keys._keys[made["api_key"]]
    assert [] == bench.private("Balance", key=key)["error"]
    assert ["EGeneral:Permission denied"] == bench.private("OpenOrders", key=key)["error"]


def test_a_market_that_was_still_from_the_beginning_can_be_set_going():
    """Frozen at start is no different from frozen later: once let go, it trades by itself."""
    bench = Bench(frozen=True)
    before = done(bench, "GET", "/state")["markets"]["BTC/USD"]
    done(bench, "POST", "/market", {"frozen": False})
    bench.wait(30)
    assert before != done(bench, "GET", "/state")["markets"]["BTC/USD"]


def test_two_lives_of_one_seed_mint_other_order_ids():
    """A journal that remembers the first exchange never meets its ids again; the market is the same."""
    first, second = Bench(life="1"), Bench(life="2")
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "20000.0", "volume": "0.01"}
    assert first.ok("AddOrder", **order)["txid"] != second.ok("AddOrder", **order)["txid"]
    assert first.public("Ticker", pair="XBTUSD") == second.public("Ticker", pair="XBTUSD")
