"""What a refusal tells beyond its message: the limit by its name, the file by its name, what may still be seen."""

import grpc
import pytest
from execsvc_api.v1 import admin_service_pb2 as admin

BUY = ("buy", "BTC/USD", "--qty", "1", "--limit", "10")


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        (
            (("check", "max_open_orders"), ("scope", "every caller, every pair")),
            "  limit           max_open_orders, of every caller, every pair",
        ),
        ((("check", "max_order_notional"),), "  limit           max_order_notional"),
    ],
)
def test_a_limit_that_refuses_is_told_by_the_name_it_has_in_the_settings(execsvc, gateway, fail, facts, line):
    """Whoever reads it finds the line of the configuration, and whose orders it counts."""
    gateway.script("PlaceOrder", fail(grpc.StatusCode.FAILED_PRECONDITION, "RISK_REFUSED", "too much", facts))
    said = execsvc(*BUY)
    assert (6, True) == (said.code, line in said.err.splitlines())


def test_a_refusal_without_a_limit_names_none(execsvc, gateway, fail):
    """No line without a fact."""
    gateway.script("PlaceOrder", fail(grpc.StatusCode.FAILED_PRECONDITION, "INSUFFICIENT_FUNDS", "no money"))
    assert "  limit " not in execsvc(*BUY).err


def test_a_token_file_that_is_not_there_is_told_by_its_name(execsvc, tmp_path):
    """Without the system's number for it."""
    said = execsvc("balances", "--token-file", str(tmp_path / "gone"))
    assert (3, f"config: {tmp_path / 'gone'}: No such file or directory") == (said.code, said.err.splitlines()[0])


def test_an_account_that_must_be_named_points_at_the_option(execsvc, gateway, fail):
    """The verb's own help has --account."""
    gateway.script("ListBalances", fail(grpc.StatusCode.INVALID_ARGUMENT, "ACCOUNT_REQUIRED", "name one of a, b"))
    assert "  try:            execsvc balances --help" in execsvc("balances").err.splitlines()


@pytest.fixture
def narrow(gateway, fail):
    """A token that may not see the exchange's state."""
    gateway.script("GetServerInfo", admin.GetServerInfoResponse(version="0.1.0", caller="signal", venue="paper"))
    gateway.script("GetVenueStatus", fail(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", "needs account"))


@pytest.mark.usefixtures("narrow")
def test_status_shows_a_narrow_token_what_it_may_see(execsvc):
    """Who it is and what is in force; that the rest needs a permission is said, and is no failure."""
    said = execsvc("status")
    assert (0, True) == (said.code, "caller    signal" in said.out.splitlines())
    assert "exchange  paper: its state and the accounts need the permission account" in said.out.splitlines()
    assert None is execsvc("status", "-o", "json").json["venue"]


@pytest.mark.usefixtures("narrow")
def test_status_that_is_to_wait_needs_to_see(execsvc):
    """What is not seen cannot be waited for."""
    assert 9 == execsvc("status", "--wait", "1").code


def test_a_mode_in_force_says_since_when(execsvc, gateway):
    """At three in the morning that is the first question."""
    info = admin.GetServerInfoResponse(version="0.1.0", caller="local", venue="paper")
    mode = info.trading_modes.add(mode="TRADING_MODE_HALTED", comment="news", set_by="risk")
    mode.scope.everything = True
    mode.set_time.FromSeconds(0)
    gateway.script("GetServerInfo", info)
    gateway.script("GetVenueStatus", admin.GetVenueStatusResponse())
    told = "trading mode  HALTED for everything, set by risk: news (since 1970-01-01 00:00:00 UTC)"
    assert told in execsvc("status").out.splitlines()
