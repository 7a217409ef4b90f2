"""The doctor: what a gateway says of itself and what this machine is like, each finding with what to do about it."""

import grpc
import pytest
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, limits_pb2

from execsvc import __version__
from execsvc.app.findings import Verdict
from execsvc.cli import doctormachine
from execsvc.cli.doctormachine import open_files, ports, python, secret_files, store
from execsvc.settings import load


@pytest.fixture
def sound(gateway):
    """A gateway with nothing wrong."""
    gateway.script(
        "GetServerInfo",
        admin_service_pb2.GetServerInfoResponse(version=__version__, caller="local", venue="paper"),
    )
    venue = admin_service_pb2.GetVenueStatusResponse(mode=1, public_feed=1)
    venue.clock_offset.FromMilliseconds(20)
    venue.accounts.add(account="main", private_feed=1)
    gateway.script("GetVenueStatus", venue)
    gateway.script("GetLimits", account_service_pb2.GetLimitsResponse())
    gateway.script("ListStreams", admin_service_pb2.ListStreamsResponse())
    gateway.venue = venue
    return gateway


def gateway_findings(said):
    return [each for each in said.json["findings"] if each["place"] == "gateway"]


def test_a_sound_gateway_has_only_good_findings(sound, execsvc):
    """Version, clock, feeds, counters, streams."""
    found = gateway_findings(execsvc("doctor", "-o", "json"))
    assert {"ok"} == {each["verdict"] for each in found}, found


@pytest.mark.parametrize(
    ("wrong", "verdict", "word"),
    [
        (lambda venue: setattr(venue, "mode", 2), "warn", "MAINTENANCE"),
        (lambda venue: setattr(venue, "public_feed", 2), "warn", "public feed is STALE"),
        (lambda venue: venue.clock_offset.FromMilliseconds(900), "warn", "clock"),
        (lambda venue: venue.clock_offset.FromMilliseconds(-9_000), "fail", "clock"),
        (lambda venue: setattr(venue.accounts[0], "private_feed", 2), "fail", "private feed is STALE"),
        (lambda venue: setattr(venue.accounts[0], "in_doubt_count", 2), "warn", "2 orders are in doubt"),
        (lambda venue: venue.accounts[0].problems.append("the key expires in 2 days"), "fail", "expires"),
        (lambda venue: venue.accounts[0].lanes.add(lane="trade", breaker=2), "warn", "trade is OPEN"),
        (lambda venue: venue.accounts[0].locked_out_until_time.FromSeconds(4_000_000_000), "fail", "locks it out"),
    ],
)
def test_what_the_gateway_tells_of_the_exchange_is_judged(sound, execsvc, wrong, verdict, word):
    """Each with a remedy; a refusal ends with exit 1."""
    wrong(sound.venue)
    said = execsvc("doctor", "-o", "json")
    bad = [each for each in gateway_findings(said) if each["verdict"] != "ok"]
    assert [(verdict, True, True)] == [(each["verdict"], word in each["what"], bool(each["remedy"])) for each in bad]


def test_a_counter_near_its_end_is_told(sound, execsvc):
    """More than 85 % of what Kraken allows."""
    limits = account_service_pb2.GetLimitsResponse()
    for name, level in (("BTC/USD", "119"), ("ETH/USD", "10")):
        limits.counters.add(name=name, level=level, max="125", decay_per_second="2.34", headroom="1")
    sound.script("GetLimits", limits)
    bad = [each["what"] for each in gateway_findings(execsvc("doctor", "-o", "json")) if each["verdict"] != "ok"]
    assert ["counter BTC/USD is at 119.0 of 125"] == bad


def test_a_stream_whose_reader_lags_is_told(sound, execsvc):
    """By its id and its caller."""
    streams = admin_service_pb2.ListStreamsResponse()
    streams.streams.add(stream_id="s-9", method="SubscribeOrders", caller="bot", queue_depth=4000)
    sound.script("ListStreams", streams)
    bad = [each for each in gateway_findings(execsvc("doctor", "-o", "json")) if each["verdict"] != "ok"]
    assert [("s-9", True)] == [(each["about"], "bot" in each["what"]) for each in bad]


def test_streams_that_are_not_ours_to_see_are_no_fault(sound, execsvc, fail):
    """Only an admin token may ask."""
    sound.script("ListStreams", fail(grpc.StatusCode.PERMISSION_DENIED, "PERMISSION_MISSING", "needs admin"))
    assert {"ok"} == {each["verdict"] for each in gateway_findings(execsvc("doctor", "-o", "json"))}


def test_a_halt_is_told(sound, execsvc):
    """Trading stands still because somebody said so."""
    info = admin_service_pb2.GetServerInfoResponse(version=__version__, caller="local")
    entry = info.trading_modes.add(mode=limits_pb2.TRADING_MODE_HALTED, set_by="risk", comment="a drill")
    entry.scope.everything = True
    sound.script("GetServerInfo", info)
    bad = [each["what"] for each in gateway_findings(execsvc("doctor", "-o", "json")) if each["verdict"] != "ok"]
    assert (1, True) == (len(bad), "HALTED for everything" in bad[0])


def test_another_version_is_told(sound, execsvc):
    """What the other side does not know yet cannot be asked of it."""
    sound.script("GetServerInfo", admin_service_pb2.GetServerInfoResponse(version="0.0.1", caller="local"))
    assert "warn" == gateway_findings(execsvc("doctor", "-o", "json"))[0]["verdict"]


def test_a_token_that_is_not_accepted_names_where_a_token_comes_from(sound, execsvc, fail):
    """Exit 1, and the text of no token."""
    sound.script("GetServerInfo", fail(grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "the token is not accepted"))
    said = execsvc("doctor", "-o", "json")
    (found,) = gateway_findings(said)
    assert (1, "fail", True) == (said.code, found["verdict"], "EXECSVC_TOKEN_FILE" in found["remedy"])


def test_nobody_there_is_a_finding_of_its_own(execsvc, monkeypatch):
    """The machine is looked at all the same."""
    monkeypatch.setenv("EXECSVC_TARGET", "127.0.0.1:1")
    said = execsvc("doctor", "-o", "json")
    assert (1, "fail", True) == (
        said.code,
        gateway_findings(said)[0]["verdict"],
        any(each["place"] == "machine" for each in said.json["findings"]),
    )


# ---- the machine ------------------------------------------------------------------------------------------------


def settings_of(tmp_path, **environ):
    given = {"HOME": str(tmp_path), "EXECSVC_STORE": f"sqlite:///{tmp_path}/execsvc.db", "EXECSVC_TOKENS": "off"}
    return load({**given, **environ}, overrides={}, dev=False)


def verdicts(findings):
    return [each.verdict for each in findings]


def test_this_machine_can_run_execsvc():
    """The tests run on it, so it can."""
    assert {Verdict.OK} == {*verdicts(python())}


def test_a_package_that_is_missing_is_named(monkeypatch):
    """By the name to install."""
    monkeypatch.setattr(doctormachine, "_needed", lambda: iter(["grpcio", "nobody-has-this"]))
    (found,) = python()
    assert (Verdict.FAIL, True) == (found.verdict, "nobody-has-this" in found.what)


def test_too_few_open_files_is_a_warning(monkeypatch):
    """Each stream and each connection is one."""
    monkeypatch.setattr(doctormachine.resource, "getrlimit", lambda _: (256, 256))
    assert [Verdict.WARN] == verdicts(open_files())


@pytest.mark.parametrize(
    ("content", "mode", "verdict"), [(b"not a store" * 99, 0o600, Verdict.FAIL), (None, 0, Verdict.OK)]
)
def test_a_store_that_cannot_be_read_is_told_and_one_that_is_not_there_is_none(tmp_path, content, mode, verdict):
    """The first start makes it."""
    if content is not None:
        (tmp_path / "execsvc.db").write_bytes(content)
        (tmp_path / "execsvc.db").chmod(mode)
    assert [verdict] == verdicts(store(settings_of(tmp_path)))


def test_a_token_file_that_others_can_read_is_told_without_its_content(tmp_path, monkeypatch):
    """Rule and remedy, not a letter of the secret."""
    file = tmp_path / "mine"
    file.write_text("a-secret-of-mine")
    file.chmod(0o644)
    monkeypatch.setenv("EXECSVC_TOKEN_FILE", str(file))
    (found,) = secret_files(settings_of(tmp_path))
    assert (Verdict.FAIL, True, False) == (found.verdict, "chmod 600" in found.remedy, "a-secret" in str(found))


def test_a_port_that_another_program_has_is_told_only_while_no_gateway_answers(tmp_path, gateway):
    """The scripted gateway's own port is taken."""
    settings = settings_of(tmp_path, EXECSVC_LISTEN=gateway.target, EXECSVC_HTTP_LISTEN="off")
    assert [[Verdict.OK], [Verdict.FAIL]] == [verdicts(ports(settings, served=served)) for served in (True, False)]
