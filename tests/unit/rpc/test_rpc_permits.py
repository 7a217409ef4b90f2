"""The table of methods against the descriptors, and against itself written out a second time."""

import re

import pytest

from execsvc.app.timing import DEFAULT_TIMEOUT_S
from execsvc.domain.caller import Permission
from execsvc.rpc.permits import PERMITS, SERVICES, UNBUILT, Effect
from tests.house.contract_source import elements, files

# Service, method; effect (P places); default and least seconds; permissions; "-" where it is not built.
TABLE = """
MarketDataService ListInstruments   READ   5  0.1 market
MarketDataService ListAssets        READ   5  0.1 market
MarketDataService GetTickers        READ   5  0.1 market
MarketDataService GetBook           READ   5  0.1 market
MarketDataService ListTrades        READ   5  0.1 market
MarketDataService ListCandles       READ   5  0.1 market
MarketDataService SubscribeTickers  STREAM -  -   market
MarketDataService SubscribeBook     STREAM -  -   market
MarketDataService SubscribeTrades   STREAM -  -   market
MarketDataService SubscribeCandles  STREAM -  -   market
OrderService      PlaceOrder        PLACE  10 -   trade
OrderService      PlaceOrders       PLACE  10 -   trade
OrderService      AmendOrder        PLACE  10 -   trade
OrderService      CancelOrder       CHANGE 10 0.1 cancel
OrderService      CancelOrders      CHANGE 10 0.1 cancel
OrderService      CancelAllOrders   CHANGE 10 0.1 cancel
OrderService      SetDeadMansSwitch CHANGE 10 0.1 cancel
OrderService      PreviewOrder      READ   5  0.1 trade
OrderService      GetOrder          READ   5  0.1 account|trade
OrderService      ListOrders        READ   5  0.1 account|trade
OrderService      ExplainOrder      READ   5  0.1 account|trade
OrderService      SubscribeOrders   STREAM -  -   account|trade
OrderService      OrderSession      STREAM -  -   trade
AccountService    ListBalances      READ   10 0.1 account
AccountService    GetMarginSummary  READ   10 0.1 account
AccountService    ListPositions     READ   10 0.1 account
AccountService    ListFills         READ   10 0.1 account
AccountService    ListLedgerEntries READ   10 0.1 account
AccountService    GetFeeRates       READ   10 0.1 account
AccountService    GetLimits         READ   5  0.1 account
AccountService    SubscribeBalances STREAM -  -   account
AdminService      GetServerInfo     READ   5  0.1 any
AdminService      GetVenueStatus    READ   5  0.1 account
AdminService      SetTradingMode    CHANGE 10 0.1 kill
AdminService      ListStreams       READ   5  0.1 admin
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]


def seconds(text):
    return None if text == "-" else float(text)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_a_method_is_permitted_as_the_contract_says(row):
    """Permissions, effect, times and whether it is built: each row as written out here."""
    service, method, effect, default, least, permissions, *unbuilt = row
    permit = PERMITS[f"execsvc.v1.{service}/{method}"]
    words = set() if permissions == "any" else {Permission(word) for word in permissions.split("|")}
    expected = Effect.CHANGE if effect == "PLACE" else Effect[effect]
    assert (words, expected, seconds(default), seconds(least), not unbuilt) == (
        set(permit.permissions),
        permit.effect,
        permit.default_s,
        permit.least_s,
        permit.built,
    )
    assert (effect == "PLACE") is permit.places  # of a session each request is told by itself whether its id is used


def test_every_method_of_the_contract_has_a_row_and_no_other():
    """A method without a row would be refused to everybody; a row without a method would hide a rename."""
    described = {
        f"execsvc.v1.{service.name}/{method.name}"
        for file in files()
        for service in file.service
        for method in service.method
    }
    assert described == set(PERMITS) == {f"execsvc.v1.{row[0]}/{row[1]}" for row in ROWS}
    assert {name.partition("/")[0] for name in described} == set(SERVICES)


def test_streams_are_the_methods_that_stream():
    """STREAM in the table is exactly what streams in the descriptors."""
    described = {
        f"execsvc.v1.{service.name}/{method.name}"
        for file in files()
        for service in file.service
        for method in service.method
        if method.server_streaming
    }
    assert described == {permit.method for permit in PERMITS.values() if permit.effect is Effect.STREAM}


@pytest.mark.parametrize("element", [each for each in elements() if each.kind == "rpc"], ids=lambda each: each.name)
def test_the_comments_of_the_contract_agree(element):
    """Permission and deadline in the .proto's comment are those of the table."""
    permit = PERMITS[f"execsvc.v1.{element.owner}/{element.name}"]
    (permissions,) = re.findall(r"Permission: ([a-z ]+)\.", element.comment)
    assert permissions == (" or ".join(sorted(each.value for each in permit.permissions)) or "any")
    (deadline,) = re.findall(r"Deadline: (none|default \d+ s)", element.comment)
    assert deadline == ("none" if permit.default_s is None else f"default {permit.default_s:g} s")


def test_the_desk_assumes_the_same_time():
    """Without a deadline the desk and the table mean the same one."""
    assert DEFAULT_TIMEOUT_S == PERMITS["execsvc.v1.OrderService/PlaceOrder"].default_s


def test_what_is_not_built_is_listed_by_name():
    """GetServerInfo's list is in order, without duplicates."""
    assert sorted(set(UNBUILT)) == list(UNBUILT)
