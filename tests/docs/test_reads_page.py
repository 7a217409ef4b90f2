"""docs/reference/reads.md: every read has its row, and what a row names can be typed."""

import re
from pathlib import Path

import pytest
from execsvc_client import Client, SyncClient

from execsvc.app import catalog, fees
from execsvc.cli.main import VERBS
from execsvc.kraken.costs import rest_cost
from execsvc.rpc.permits import PERMITS

PAGE = Path("docs/reference/reads.md").read_text()
ROWS = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`|none) \| `(\w+)` \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
POINTS = {
    "ListBalances": ("BalanceEx", 1),
    "GetMarginSummary": ("TradeBalance", 1),
    "ListPositions": ("OpenPositions", 1),
    "ListFills": ("TradesHistory", 2),
    "ListLedgerEntries": ("Ledgers", 2),
    "GetFeeRates": ("TradeVolume", 1),
}


def test_every_read_of_the_account_and_the_market_has_a_row():
    """The unary methods of both services, no more and no less."""
    services = ("MarketDataService/", "AccountService/")
    reads = {
        permit.short.partition("/")[2]
        for permit in PERMITS.values()
        if permit.short.startswith(services) and "/Subscribe" not in permit.short
    }
    assert reads == {row[0] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_row_s_verb_and_method_exist(row):
    """On both clients, and on the command line where there is a verb."""
    _, verb, method, _, _ = row
    assert (True, True, True) == (not verb or verb in VERBS, hasattr(Client, method), hasattr(SyncClient, method))


@pytest.mark.parametrize("name", POINTS)
def test_what_a_read_costs_is_what_is_counted(name):
    """The points of the page are those of the cost table."""
    call, points = POINTS[name]
    (told,) = [row[3] for row in ROWS if row[0] == name]
    assert (points, True) == (rest_cost(call), f"the key, {points} point" in told)


def test_ages_are_those_in_force():
    """A minute for fee rates, five for the tables, an hour for indexes."""
    assert (60.0, 300.0, 3600.0) == (fees.FRESH_S, catalog.REFRESH_S, catalog.INDEXES_REFRESH_S)
