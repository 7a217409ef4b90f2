"""docs/guides/gateways.md: its configurations let every service through, repeat nothing, and cut no stream."""

import re
from pathlib import Path

import pytest
from execsvc_api.v1 import order_service_pb2 as orders

from execsvc.domain.errors import Declined
from execsvc.rpc.bounds import OPTIONS
from execsvc.rpc.permits import PERMITS
from execsvc.rpc.validate import check
from execsvc.settings.names import CLIENT_NAMES, NAMES

PAGE = Path("docs/guides/gateways.md").read_text("utf-8")
ENVOY, JWT, KONG = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


LONGEST_HEARTBEAT_S = 60


def figure(text, name):
    """The figure after a field's name, in its own unit."""
    (found,) = re.findall(rf"^\s*{name}: (\d+)", text, re.MULTILINE)
    return int(found)


def test_every_method_passes_both():
    """The prefix that Envoy and Kong are given is that of every method of the contract."""
    (envoy,) = re.findall(r"prefix: (/execsvc\S+), grpc", ENVOY)
    (kong,) = re.findall(r"paths: \[(\S+)\]", KONG)
    assert {f"/{method}".startswith(envoy) for method in PERMITS} == {True}
    assert (envoy, True) == (kong, "strip_path: false" in KONG)


def test_nothing_is_repeated():
    """No retry policy and no hedging for Envoy, none of its repeats by header, no retries for Kong."""
    routes = [line for line in ENVOY.splitlines() if "route: {" in line]
    assert ["retry" in line.partition("#")[0] for line in routes] == [False, False]
    assert re.findall(r"^\s*(retry_policy|hedge_policy):", ENVOY, re.MULTILINE) == []
    assert {"x-envoy-retry-on", "x-envoy-retry-grpc-on"} <= set(re.findall(r"- remove: (\S+)", ENVOY))
    assert 0 == figure(KONG, "retries")


@pytest.mark.parametrize(
    "seconds",
    [figure(ENVOY, "stream_idle_timeout"), figure(KONG, "read_timeout") / 1000, figure(KONG, "write_timeout") / 1000],
)
def test_no_stream_is_cut(seconds):
    """An idle limit is above the longest heartbeat twice over, and no route has a time limit of its own."""
    assert seconds >= 2 * LONGEST_HEARTBEAT_S
    assert "route: { cluster: execsvc, timeout: 0s }" in ENVOY


def test_no_heartbeat_is_longer():
    """What is called the longest heartbeat is the longest that the server grants."""
    request = orders.SubscribeOrdersRequest()
    request.heartbeat_interval.seconds = LONGEST_HEARTBEAT_S
    check(request)
    request.heartbeat_interval.seconds += 1
    with pytest.raises(Declined):
        check(request)


def test_the_bound_of_a_connection_is_the_doors():
    """Streams at once on one connection, and its age, are those of the table of bounds."""
    bounds = dict(OPTIONS)
    assert f"({bounds['grpc.max_concurrent_streams']:,} calls and streams at once" in " ".join(PAGE.split())
    assert 3_600_000 == bounds["grpc.max_connection_age_ms"]


def test_the_callers_token_passes_untouched():
    """Neither removes or sets `authorization`, and the company's token comes in another header."""
    assert [] == re.findall(r"authorization", re.sub(r"#.*", "", ENVOY + JWT + KONG))
    assert ["x-edge-token"] == re.findall(r"from_headers: \[\{ name: (\S+) \}\]", JWT)


def test_settings_that_are_named_exist():
    """Every EXECSVC_ name on the page is a setting."""
    named = set(re.findall(r"EXECSVC_[A-Z_]+", PAGE))
    assert named
    assert set() == named - {*(each.name for each in NAMES), *CLIENT_NAMES}


def test_links_lead_somewhere():
    """Every page it points to is there."""
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert [] == [link for link in links if not (Path("docs/guides") / link).exists()]
