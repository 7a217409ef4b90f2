"""What a door needs beyond this machine: TLS and callers that prove who they are, or paper money and a word said for it."""

import pytest

from execsvc.settings import AccountSettings, SettingsRefused, load
from tests.support.configs import only

LIVE = {
    "EXECSVC_MODE": "live",
    "KRAKEN_API_KEY_FILE": "/secrets/key",
    "KRAKEN_API_SECRET_FILE": "/secrets/secret",
    "EXECSVC_MAX_ORDER_NOTIONAL": "1000",
}
FAR = {"EXECSVC_LISTEN": "192.0.2.1:50051", "EXECSVC_HTTP_LISTEN": "off"}
TLS = {"EXECSVC_TLS_CERT_FILE": "/tls/a.pem", "EXECSVC_TLS_KEY_FILE": "/tls/a.key"}
MUTUAL = {**TLS, "EXECSVC_TLS_CLIENT_CA_FILE": "/tls/ca.pem"}
OFF = {"EXECSVC_TOKENS": "off"}
ASKED = {"EXECSVC_INSECURE_BIND": "on"}


def settings(*parts, dev=False):
    environ = {"HOME": "/home/desk"}
    for part in parts:
        environ |= part
    return load(environ, overrides={}, dev=dev)


def wrong(*parts, dev=False):
    with pytest.raises(SettingsRefused) as refused:
        settings(*parts, dev=dev)
    return refused.value.problems


@pytest.mark.parametrize(
    ("guards", "opens"),
    [
        ((), False),
        ((TLS,), True),
        ((TLS, OFF), False),
        ((MUTUAL,), True),
        ((MUTUAL, OFF), True),
        ((OFF,), False),
        ((ASKED,), True),
        ((ASKED, OFF), True),
    ],
    ids=[
        "tokens alone",
        "TLS and tokens",
        "TLS alone",
        "both",
        "TLS and certificates",
        "nothing",
        "asked for",
        "and open",
    ],
)
@pytest.mark.parametrize("door", ["EXECSVC_LISTEN", "EXECSVC_HTTP_LISTEN"])
def test_a_paper_door_beyond_this_machine_is_guarded_or_asked_for(door, guards, opens):
    """Both doors by the same rule, and one line for each that is refused."""
    where = {"EXECSVC_LISTEN": "127.0.0.1:1", "EXECSVC_HTTP_LISTEN": "off"} | {door: "192.0.2.1:50051"}
    if opens:
        assert settings(where, *guards).accounts
    else:
        assert only(wrong(where, *guards)).startswith(f"{door}=192.0.2.1:50051: beyond this machine it needs ")


@pytest.mark.parametrize(
    ("guards", "opens"), [((), False), ((ASKED,), False), ((TLS,), True), ((MUTUAL,), True), ((TLS, ASKED), True)]
)
def test_a_live_door_beyond_this_machine_is_guarded(guards, opens):
    """Asking for it in words does not do with real money."""
    if opens:
        assert settings(LIVE, FAR, *guards).accounts
    else:
        assert "EXECSVC_LISTEN=192.0.2.1:50051: " in only(wrong(LIVE, FAR, *guards))


def test_what_is_lacking_is_named():
    """TLS, callers, or both; and that the default is enough for one machine."""
    lacking = {
        "TLS": only(wrong(FAR)),
        "callers": only(wrong(FAR, TLS, OFF)),
        "both": only(wrong(FAR, OFF)),
    }
    found = {
        name: ("TLS (" in said, "caller tokens (" in said, "bind 127.0.0.1" in said) for name, said in lacking.items()
    }
    assert {"TLS": (True, False, True), "callers": (False, True, True), "both": (True, True, True)} == found


def test_live_has_tokens():
    """Even on its own machine: every user of it could trade otherwise."""
    assert only(wrong(LIVE, OFF)) == "EXECSVC_TOKENS=off: live mode has caller tokens; name a file, or leave it unset"


@pytest.mark.parametrize(
    ("environ", "dev", "tokens"),
    [
        ({}, False, "/home/desk/.local/state/execsvc/tokens.toml"),
        ({"EXECSVC_STORE": "sqlite:////data/x.db"}, False, "/data/tokens.toml"),
        ({"EXECSVC_STORE": "memory:"}, False, "/home/desk/.local/state/execsvc/tokens.toml"),
        ({"EXECSVC_TOKENS": "/etc/t.toml"}, False, "/etc/t.toml"),
        ({"EXECSVC_TOKENS": "OFF"}, False, "None"),
        ({}, True, "None"),
        ({"EXECSVC_TOKENS": "/etc/t.toml"}, True, "/etc/t.toml"),
    ],
)
def test_tokens_lie_beside_the_store_unless_somebody_says_otherwise(environ, dev, tokens):
    """The dev run has none: nobody but this machine calls there."""
    assert tokens == str(settings(environ, dev=dev).tokens)


@pytest.mark.parametrize("missing", sorted(TLS))
def test_half_a_pair_is_a_problem(missing):
    """A certificate without its key serves nobody."""
    rest = {name: value for name, value in MUTUAL.items() if name != missing}
    there = min(rest.keys() & TLS.keys())
    assert only(wrong(rest)) == f"{there}: TLS needs a certificate and its key; {missing} not set"


def test_an_ipv6_address_takes_its_http_door_along():
    """In brackets, as it must be written."""
    found = settings({"EXECSVC_LISTEN": "[::1]:6000"})
    assert ("[::1]:6000", "[::1]:7000") == (str(found.listen), str(found.http))


def test_one_account_is_called_main():
    """Where nobody says otherwise."""
    assert (AccountSettings("main"),) == settings().accounts
