"""Private queries and cancels: shapes, filters, pages, and what is said of orders that are gone."""

import pytest

from tests.unit.paper.paperbench import NS, START, Bench, kinds, vector


@pytest.fixture
def traded(ladder):
    """One open, one partly filled, one filled and one canceled order, a second apart, oldest first."""
    ids = []
    for params in (
        {"price": "95", "userref": "7"},
        {"price": "101", "volume": "1.5", "cl_ord_id": "partly"},
        {"ordertype": "market", "volume": "0.2"},
        {"price": "94", "userref": "7"},
    ):
        ladder.wait(1)
        ids.append(ladder.order(**params))
    ladder.wait(1)
    ladder.ok("CancelOrder", txid=ids[3])
    ladder.ids = ids
    return ladder


def common(sample, answer, *ignore):
    """The sample's fields are in the answer with the same JSON type."""
    missing = {name: kind for name, kind in sample.items() if answer.get(name) != kind and name not in ignore}
    return missing == {}, missing


def test_balance_lists_what_was_funded(bench):
    """Balance names every asset by id, with the asset's decimals."""
    balances = bench.ok("Balance")
    assert ("100000.0000", "2.0000000000", "20000.00000000") == (
        balances["ZUSD"],
        balances["XXBT"],
        balances["XXRP"],
    )


def test_balance_ex_is_strings(bench):
    """BalanceEx gives balance and hold as strings, as the schema says."""
    assert {"balance": "text", "hold_trade": "text"} == kinds(bench.ok("BalanceEx")["ZUSD"])


def test_open_orders_in_the_samples_shape(traded):
    """Open orders have the fields and types of the sample; trades are listed only when asked for."""
    rows = traded.ok("OpenOrders", trades="True")["open"]
    sample = kinds(vector("rest_OpenOrders.json")["result"]["open"]["OQCLML-BW3P3-BUCMWZ"])
    fits, missing = common(sample, kinds(rows[traded.ids[0]]), "trades")
    assert fits, missing
    assert not any("trades" in row for row in traded.ok("OpenOrders")["open"].values())


def test_closed_orders_in_the_samples_shape(traded):
    """Ended orders have the fields and types of the sample, closetm and reason included."""
    rows = traded.ok("ClosedOrders")["closed"]
    sample = kinds(vector("rest_ClosedOrders.json")["result"]["closed"]["O37652-RJWRT-IMO74O"])
    fits, missing = common(sample, kinds(rows[traded.ids[3]]), "trigger")
    assert fits, missing


def test_trades_history_in_the_samples_shape(traded):
    """Trades have the fields and types of the sample."""
    trades = traded.ok("TradesHistory", ledgers="true")
    sample = kinds(next(iter(vector("rest_TradesHistory.json")["result"]["trades"].values())))
    row = next(iter(trades["trades"].values()))
    fits, missing = common(sample, kinds(row))
    assert fits, missing
    assert 2 == trades["count"] == len(trades["trades"])
    entries = {entry.id for entry in traded.venue.ledger.entries}
    assert set(row["ledgers"]) <= entries


def test_newest_first(traded):
    """Every list begins with the newest."""
    assert [traded.ids[1], traded.ids[0]] == list(traded.ok("OpenOrders")["open"])
    assert [traded.ids[3], traded.ids[2]] == list(traded.ok("ClosedOrders")["closed"])
    times = [row["time"] for row in traded.ok("TradesHistory")["trades"].values()]
    assert sorted(times, reverse=True) == times


@pytest.mark.parametrize("params", [{"userref": "7"}, {"userref": 7, "trades": "false"}])
def test_filter_by_userref(traded, params):
    """A userref filters open and ended orders alike."""
    assert [traded.ids[0]] == list(traded.ok("OpenOrders", **params)["open"])
    assert [traded.ids[3]] == list(traded.ok("ClosedOrders", **params)["closed"])


@pytest.mark.parametrize("params", [{"userref": "", "cl_ord_id": ""}, {"userref": "0", "start": "0", "ofs": "0"}])
def test_empty_filters_filter_nothing(traded, params):
    """Filters sent empty or as zero count as not sent."""
    assert 2 == len(traded.ok("OpenOrders", **params)["open"])
    assert 2 == len(traded.ok("ClosedOrders", **params)["closed"])


def test_unknown_client_id_finds_nothing(traded):
    """A client id nobody used finds nothing, which is no error; a malformed one is."""
    assert {} == traded.ok("OpenOrders", cl_ord_id="nobody")["open"]
    assert {"closed": {}, "count": 0} == traded.ok("ClosedOrders", cl_ord_id="nobody")
    assert "EGeneral:Invalid arguments:cl_ord_id" == traded.error("OpenOrders", cl_ord_id="y" * 19)


def test_open_order_echoes_its_client_id(traded):
    """An order placed with a client id carries it in every answer; one without carries none."""
    row = traded.ok("OpenOrders", cl_ord_id="partly")["open"][traded.ids[1]]
    assert "partly" == row["cl_ord_id"]
    assert "cl_ord_id" not in traded.ok("OpenOrders", userref="7")["open"][traded.ids[0]]


@pytest.mark.parametrize(
    ("closetime", "start", "end", "found"),
    [
        ("open", 2, None, [3, 2]),
        ("open", 3, None, [3]),
        ("open", None, 3, [2]),
        ("close", 4, None, [3]),
        ("close", None, 3, [2]),
        ("both", None, 4, [3, 2]),
        ("both", 5, None, []),
    ],
)
def test_closed_orders_between(traded, closetime, start, end, found):
    """Start is exclusive, end inclusive, and closetime says which instant counts."""
    bounds = {"start": start, "end": end}
    params = {name: START // NS + second for name, second in bounds.items() if second is not None}
    rows = traded.ok("ClosedOrders", closetime=closetime, **params)["closed"]
    assert [traded.ids[place] for place in found] == list(rows)


def test_bound_by_id(traded):
    """An order id as a bound stands for the instant it was opened; an unknown one is refused."""
    rows = traded.ok("ClosedOrders", closetime="open", start=traded.ids[2])["closed"]
    assert [traded.ids[3]] == list(rows)
    assert "EGeneral:Invalid arguments:start" == traded.error("ClosedOrders", start="OPAPER-AAAAA-AAAAAA")
    trades = list(traded.ok("TradesHistory")["trades"])
    assert trades[:1] == list(traded.ok("TradesHistory", start=trades[1])["trades"])


def test_pages_of_fifty(ladder):
    """A page has fifty rows, ofs goes on, count is of all, and without_count leaves it out."""
    for _ in range(120):
        ladder.ok("CancelOrder", txid=ladder.order(price="95", volume="0.01"))
        ladder.wait(4)
    pages = [ladder.ok("ClosedOrders", ofs=offset) for offset in (0, 50, 100, 150)]
    assert [50, 50, 20, 0] == [len(page["closed"]) for page in pages]
    assert {120} == {page["count"] for page in pages}
    assert 120 == len({txid for page in pages for txid in page["closed"]})
    assert "count" not in ladder.ok("ClosedOrders", without_count="true")


def test_trade_pages(ladder):
    """Trades page the same way."""
    ladder.book(bids=[("100.0", "9")], asks=[("101.0", "9")])
    for _ in range(55):
        ladder.order(ordertype="market", volume="0.01")
    first, second = (ladder.ok("TradesHistory", ofs=offset) for offset in ("0", "50"))
    assert (50, 5, 55) == (len(first["trades"]), len(second["trades"]), second["count"])
    assert {} == ladder.ok("TradesHistory", type="closed position")["trades"]
    assert "EGeneral:Invalid arguments:type" == ladder.error("TradesHistory", type="dreams")


def test_query_orders(traded):
    """QueryOrders answers several ids at once and leaves out those it never made."""
    ids = ",".join([*traded.ids[:3], "OPAPER-AAAAA-AAAAAA"])
    rows = traded.ok("QueryOrders", txid=ids)
    assert traded.ids[:3] == list(rows)
    assert ["open", "open", "closed"] == [row["status"] for row in rows.values()]


@pytest.mark.parametrize(
    ("txid", "error"),
    [
        ("", "EGeneral:Invalid arguments:txid"),
        (",".join(["OPAPER-AAAAA-AAAAAA"] * 51), "EGeneral:Invalid arguments:txid"),
        ("nonsense", "EOrder:Invalid order"),
    ],
)
def test_query_orders_refuses(traded, txid, error):
    """No id, more than fifty, or a malformed one is an error."""
    assert error == traded.error("QueryOrders", txid=txid)


def test_query_orders_also_filters_by_client_id(traded):
    """The undocumented client id filter is honoured next to the ids."""
    assert [traded.ids[1]] == list(traded.ok("QueryOrders", txid=",".join(traded.ids), cl_ord_id="partly"))


@pytest.mark.parametrize(("permission", "seen"), [("query-open-trades", 0), ("query-closed-trades", 2)])
def test_query_orders_by_state(traded, permission, seen):
    """A key that may see open orders only is refused an ended one, and the other way round."""
    key = traded.venue.keys.make("half", (permission,), now=traded.now)
    other = 2 - seen
    assert [] == traded.private("QueryOrders", key=key, txid=traded.ids[seen])["error"]
    assert ["EGeneral:Permission denied"] == traded.private("QueryOrders", key=key, txid=traded.ids[other])["error"]


def test_cancel_by_client_id(traded):
    """A cancel by client id ends the open order that carries it."""
    assert {"count": 1} == traded.ok("CancelOrder", cl_ord_id="partly")
    assert "canceled" == traded.state(traded.ids[1])["status"]


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"txid": "OPAPER-AAAAA-AAAAAA"}, "EOrder:Invalid order"),
        ({"txid": "nonsense"}, "EOrder:Invalid order"),
        ({"txid": "2:canceled"}, "EOrder:Unknown order"),
        ({"txid": "3:filled"}, "EOrder:Unknown order"),
        ({"txid": "99"}, "EOrder:Unknown order"),
        ({"userref": "99"}, "EOrder:Unknown order"),
        ({"cl_ord_id": "nobody"}, "EOrder:Unknown order"),
        ({"cl_ord_id": "z" * 30}, "EGeneral:Invalid arguments:cl_ord_id"),
        ({}, "EGeneral:Invalid arguments"),
    ],
    ids=str,
)
def test_cancel_of_what_is_gone(traded, params, error):
    """Filled and canceled orders are unknown, ids never made are invalid, and nothing else is touched."""
    txid = params.get("txid", "")
    if ":" in txid:
        params = {"txid": traded.ids[int(txid[0])]}
    assert error == traded.error("CancelOrder", **params)
    assert 2 == len(traded.ok("OpenOrders")["open"])


def test_index_lag_hides_a_new_order():
    """With a lagging index a new order cannot be found yet, though it can be canceled."""
    bench = lagging()
    txid = bench.order(price="90000", cl_ord_id="late")
    assert {} == bench.ok("OpenOrders")["open"]
    assert {} == bench.ok("QueryOrders", txid=txid)
    bench.wait(2)
    assert [txid] == list(bench.ok("OpenOrders", cl_ord_id="late")["open"])


def test_index_lag_shows_a_filled_order_as_open():
    """With a lagging index an ended order is still listed as open, unfilled, and is in one list at a time."""
    bench = lagging()
    bench.book(bids=[("90000.0", "1")], asks=[("90001.0", "1")])
    txid = bench.order(price="90000.0")
    bench.wait(5)
    bench.take("sell", "2")
    row = bench.ok("OpenOrders")["open"][txid]
    assert ("open", "0.00000000") == (row["status"], row["vol_exec"])
    assert "closetm" not in row
    assert {} == bench.ok("ClosedOrders")["closed"]
    assert 0 == bench.ok("TradesHistory")["count"]
    bench.wait(2)
    assert {} == bench.ok("OpenOrders")["open"]
    assert "closed" == bench.ok("ClosedOrders")["closed"][txid]["status"]
    assert 1 == bench.ok("TradesHistory")["count"]


def lagging():
    from execsvc.paper.mishap import Fault

    bench = Bench(pairs=("BTC/USD",))
    bench.exchange.fault(Fault(kind="index_lag", ms=2000), bench.now)
    return bench


def test_oldest_ended_orders_are_forgotten():
    """The exchange keeps a bounded number of ended orders and never forgets an open one."""
    bench = Bench(pairs=("BTC/USD",), keep_orders=5)
    bench.book(bids=[("90000.0", "1")], asks=[("90001.0", "1")])
    kept = bench.order(price="80000")
    for _ in range(9):
        bench.order(ordertype="market", volume="0.01")
    assert [kept] == list(bench.ok("OpenOrders")["open"])
    assert 5 >= bench.ok("ClosedOrders")["count"]
    assert bench.ok("ClosedOrders")["count"] == bench.ok("TradesHistory")["count"]


def test_query_trades(traded):
    """QueryTrades answers fills by id, in the order asked for, as TradesHistory does; unknown ids are left out."""
    rows = traded.ok("TradesHistory")["trades"]
    ids = list(reversed(rows))
    answer = traded.ok("QueryTrades", txid=",".join([*ids, "TAAAAA-AAAAA-AAAAAA"]))
    assert {name: rows[name] for name in ids} == answer
    assert ids == list(answer)


@pytest.mark.parametrize(
    ("txid", "error"),
    [
        ("", "EGeneral:Invalid arguments:txid"),
        (",".join(["TAAAAA-AAAAA-AAAAAA"] * 21), "EGeneral:Invalid arguments:txid"),
        ("nonsense", "EOrder:Invalid order"),
    ],
    ids=["none", "too many", "malformed"],
)
def test_query_trades_refuses(traded, txid, error):
    """No id, more than twenty, or a malformed one is an error."""
    assert error == traded.error("QueryTrades", txid=txid)


def test_query_trades_lags_with_the_index():
    """A fill the lagging index does not show yet is not found by its id either."""
    bench = lagging()
    bench.book(bids=[("90000.0", "1")], asks=[("90001.0", "1")])
    bench.order(ordertype="market", volume="0.1")
    trade_id = next(iter(bench.venue.orders.trades))
    assert {} == bench.ok("QueryTrades", txid=trade_id)
    bench.wait(2)
    assert [trade_id] == list(bench.ok("QueryTrades", txid=trade_id))


@pytest.mark.parametrize("method", ["ClosedOrders", "TradesHistory", "QueryOrders"])
def test_consolidate_taker_is_a_flag(traded, method):
    """consolidate_taker is read as a flag, and changes nothing where no two fills share a price."""
    common = {"txid": traded.ids[2], "trades": "true"}
    assert traded.ok(method, **common) == traded.ok(method, consolidate_taker="true", **common)
    assert traded.ok(method, **common) == traded.ok(method, consolidate_taker="False", **common)
    assert "EGeneral:Invalid arguments:consolidate_taker" == traded.error(method, consolidate_taker="x", **common)
