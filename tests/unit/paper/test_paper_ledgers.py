"""Ledger entries as REST tells them: Ledgers and QueryLedgers."""

from itertools import pairwise

import pytest

from tests.unit.paper.paperbench import NS, START, Bench, kinds, vector

SECOND = START // NS


@pytest.fixture
def traded(ladder):
    """Three fills, a second apart: two buys and a sell."""
    for side in ("buy", "buy", "sell"):
        ladder.wait(1)
        ladder.order(ordertype="market", type=side, volume="0.1")
    return ladder


def test_in_the_samples_shape(traded):
    """An entry has the names and types of the sample, and its figures the asset's places."""
    answer = traded.ok("Ledgers")
    entry = next(iter(answer["ledger"].values()))
    sample = next(iter(vector("rest_Ledgers.json")["result"]["ledger"].values()))
    assert kinds(sample) == kinds(entry)
    assert len(traded.venue.ledger.entries) == answer["count"]


def test_newest_first_and_each_balance_follows_from_the_last(traded):
    """Entries come newest first, and each balance is the older one plus amount less fee."""
    rows = list(traded.ok("Ledgers", asset="ZUSD")["ledger"].values())
    assert ["trade", "trade", "trade", "deposit"] == [row["type"] for row in rows]
    for newer, older in pairwise(rows):
        change = round(float(newer["amount"]) - float(newer["fee"]), 4)
        assert change == round(float(newer["balance"]) - float(older["balance"]), 4)


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"type": "trade"}, 6),
        ({"type": "all", "asset": "all"}, 16),
        ({"type": "deposit"}, 10),
        ({"type": "margin"}, 0),
        ({"asset": "XBT"}, 4),
        ({"asset": "XXBT,USD"}, 8),
        ({"asset": "XBT", "type": "deposit"}, 1),
        ({"aclass": "currency"}, 16),
        ({"aclass": "tokenized_asset"}, 0),
        ({"start": SECOND, "type": "trade"}, 6),
        ({"start": SECOND + 1}, 4),
        ({"end": SECOND + 1}, 12),
        ({"start": SECOND + 1, "end": SECOND + 2}, 2),
    ],
    ids=str,
)
def test_filters(traded, params, found):
    """Asset, class, type and both bounds filter; start is exclusive, end inclusive."""
    answer = traded.ok("Ledgers", **params)
    assert (found, found) == (len(answer["ledger"]), answer["count"])


def test_an_entry_as_a_bound(traded):
    """A ledger id as a bound stands for its time; an unknown one is refused."""
    newest = list(traded.ok("Ledgers", asset="XBT")["ledger"])
    assert newest[:1] == list(traded.ok("Ledgers", asset="XBT", start=newest[1])["ledger"])
    assert "EGeneral:Invalid arguments:end" == traded.error("Ledgers", end="LAAAAA-AAAAA-AAAAAA")


def test_pages(ladder):
    """A page has fifty entries, ofs goes on, and without_count leaves the count out."""
    ladder.book(bids=[("100.0", "9")], asks=[("101.0", "9")])
    for _ in range(30):
        ladder.order(ordertype="market", volume="0.01")
    first, second = (ladder.ok("Ledgers", type="trade", ofs=offset) for offset in (0, 50))
    assert (50, 10, 60) == (len(first["ledger"]), len(second["ledger"]), second["count"])
    assert set() == set(first["ledger"]) & set(second["ledger"])
    assert {"ledger"} == set(ladder.ok("Ledgers", without_count="true"))


def test_query_ledgers(traded):
    """Entries are found by id, in the order asked for; ids nobody knows are left out."""
    rows = traded.ok("Ledgers")["ledger"]
    ids = list(rows)[3:5]
    assert {name: rows[name] for name in ids} == traded.ok("QueryLedgers", id=",".join([*ids, "LAAAAA-AAAAA-AAAAAA"]))


@pytest.mark.parametrize("ids", ["", ",".join(["LAAAAA-AAAAA-AAAAAA"] * 21)], ids=["none", "too many"])
def test_query_ledgers_takes_one_to_twenty(bench, ids):
    """No id, or more than twenty, is an error."""
    assert "EGeneral:Invalid arguments:id" == bench.error("QueryLedgers", id=ids)


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"asset": "GOLD"}, "EQuery:Unknown asset"),
        ({"type": "dreams"}, "EGeneral:Invalid arguments:type"),
        ({"aclass": "stone"}, "EGeneral:Invalid arguments:aclass"),
        ({"ofs": "-1"}, "EGeneral:Invalid arguments:ofs"),
    ],
    ids=str,
)
def test_refusals(bench, params, error):
    """Each wrong filter has its text."""
    assert error == bench.error("Ledgers", **params)


def test_forgotten_entries_are_gone_from_both():
    """Of the entries only the newest are kept, and one that was dropped is found by neither call."""
    bench = Bench(pairs=("BTC/USD",), keep_orders=8)
    oldest = next(iter(bench.venue.ledger.entries)).id
    bench.book(bids=[("100.0", "9")], asks=[("101.0", "9")])
    for _ in range(5):
        bench.order(ordertype="market", volume="0.01")
    assert 8 == bench.ok("Ledgers")["count"]
    assert {} == bench.ok("QueryLedgers", id=oldest)


@pytest.mark.parametrize("method", ["Ledgers", "QueryLedgers"])
def test_permission(bench, method):
    """A key without query-ledger sees none of it."""
    key = bench.venue.keys.make("blind", ("query-funds",), now=bench.now)
    assert ["EGeneral:Permission denied"] == bench.private(method, key=key)["error"]
