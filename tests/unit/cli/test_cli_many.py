"""`execsvc order cancel-all` and `execsvc dead-man`: what is asked for, and what is said of it."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from execsvc_api.v1 import order_service_pb2 as orders

CLEARED = orders.CancelAllOrdersResponse(account="main", requested_count=3, cancelled_count=2)


@pytest.mark.parametrize(
    ("typed", "symbol", "everything", "scope"),
    [
        (("BTC/USD",), "BTC/USD", False, orders.ORDER_SCOPE_OWN),
        (("--all",), "", True, orders.ORDER_SCOPE_OWN),
        (("--all", "--whose", "all-callers"), "", True, orders.ORDER_SCOPE_ALL_CALLERS),
        (("--all", "--whose", "account"), "", True, orders.ORDER_SCOPE_ACCOUNT),
    ],
)
def test_cancel_all_asks_for_what_was_typed(execsvc, gateway, typed, symbol, everything, scope):
    """A pair or all of them; whose, by name."""
    gateway.script("CancelAllOrders", CLEARED)
    said = execsvc("order", "cancel-all", *typed)
    (asked,) = gateway.requests["CancelAllOrders"]
    assert (0, symbol, everything, scope) == (said.code, asked.symbol, asked.all_symbols, asked.scope)


def test_cancel_all_says_how_many(execsvc, gateway):
    """Asked to go, and gone; in JSON under the contract's names."""
    gateway.script("CancelAllOrders", CLEARED)
    assert ["asked to go  3", "gone         2"] == execsvc(
        "order", "cancel-all", "--all", "-o", "table"
    ).out.splitlines()
    told = json.loads(execsvc("order", "cancel-all", "--all", "-o", "json").out)
    assert {"requestedCount": 3, "cancelledCount": 2} == told


@pytest.mark.parametrize("typed", [(), ("BTC/USD", "--all")])
def test_cancel_all_wants_a_pair_or_all(execsvc, gateway, typed):
    """Neither and both are the command's mistake, and nothing is asked."""
    said = execsvc("order", "cancel-all", *typed)
    assert (2, []) == (said.code, gateway.requests["CancelAllOrders"])
    assert "name a pair, or say --all" in said.err


def test_the_switch_says_when_it_goes_off(execsvc, gateway):
    """And whether Kraken's own timer is armed."""
    answer = orders.SetDeadMansSwitchResponse(account="main")
    answer.trigger_time.FromDatetime(datetime.now(UTC) + timedelta(seconds=60))
    gateway.script("SetDeadMansSwitch", answer)
    lines = execsvc("dead-man", "60", "-o", "table").out.splitlines()
    assert (60, orders.ORDER_SCOPE_OWN) == (
        gateway.requests["SetDeadMansSwitch"][0].timeout.seconds,
        gateway.requests["SetDeadMansSwitch"][0].scope,
    )
    assert lines[0].startswith("goes off")
    assert "UTC, in " in lines[0]
    assert "Kraken's timer  off" == lines[1]


def test_a_switch_that_is_off_says_so(execsvc, gateway):
    """In JSON both times are null."""
    gateway.script("SetDeadMansSwitch", orders.SetDeadMansSwitchResponse(account="main"))
    told = json.loads(execsvc("dead-man", "0", "--whose", "account", "-o", "json").out)
    assert {"triggerTime": None, "venueTriggerTime": None} == told
    assert orders.ORDER_SCOPE_ACCOUNT == gateway.requests["SetDeadMansSwitch"][0].scope
