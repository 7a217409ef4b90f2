"""Settings: one frozen tree, or every problem at once."""

from decimal import Decimal
from pathlib import Path

import pytest

from execsvc.settings import AccountSettings, Mode, SettingsRefused, load

LIVE = {
    "EXECSVC_MODE": "live",
    "KRAKEN_API_KEY_FILE": "/secrets/key",
    "KRAKEN_API_SECRET_FILE": "/secrets/secret",
    "EXECSVC_MAX_ORDER_NOTIONAL": "1000",
    "HOME": "/home/desk",
}
VENUE = {
    "EXECSVC_KRAKEN_REST_URL": "http://127.0.0.1:4000",
    "EXECSVC_KRAKEN_WS_URL": "ws://127.0.0.1:4000/v2",
    "EXECSVC_KRAKEN_WS_AUTH_URL": "ws://127.0.0.1:4000/v2/auth",
    "KRAKEN_API_KEY": "PAPERKEY",
    "KRAKEN_API_SECRET": "c2VjcmV0",
}


def settings(environ=None, *, dev=False, **overrides):
    return load({"HOME": "/home/desk", **(environ or {})}, overrides=overrides, dev=dev)


def problems(environ=None, *, dev=False, **overrides):
    with pytest.raises(SettingsRefused) as caught:
        settings(environ, dev=dev, **overrides)
    return caught.value.problems


def test_nothing_set_is_paper_on_loopback_with_the_built_in_exchange():
    """The safe default."""
    found = settings()
    assert (found.mode, found.venue, found.accounts) == (Mode.PAPER, None, (AccountSettings("main"),))
    assert (str(found.listen), str(found.http)) == ("127.0.0.1:50051", "127.0.0.1:51051")
    assert found.store == Path("/home/desk/.local/state/execsvc/execsvc.db")


def test_dev_is_intermediate_temporary_and_has_a_demo():
    """Nothing is left behind by a first try."""
    found = settings(dev=True)
    assert [AccountSettings("main", tier="intermediate")] == list(found.accounts)
    assert (None, True, True) == (found.store, found.store_is_temporary, found.demo)


def test_the_command_line_wins_over_the_environment():
    """Overrides carry the same names."""
    assert str(settings({"EXECSVC_LISTEN": "127.0.0.1:1"}, EXECSVC_LISTEN="127.0.0.1:2").listen) == "127.0.0.1:2"


def test_another_grpc_port_moves_the_http_port_along():
    """GRPC + 1000."""
    assert str(settings(EXECSVC_LISTEN="127.0.0.1:6000").http) == "127.0.0.1:7000"


def test_the_http_door_can_be_off():
    """No port is opened then."""
    assert settings(EXECSVC_HTTP_LISTEN="off").http is None


@pytest.mark.parametrize(
    ("name", "hint"), [("EXECSVC_LISTN", "EXECSVC_LISTEN"), ("EXECSVC_MAX_NOTIONAL", "EXECSVC_MAX_ORDER_NOTIONAL")]
)
def test_an_unknown_name_is_a_problem_with_a_suggestion(name, hint):
    """A typo in a money daemon is not a warning."""
    (problem,) = problems({name: "x"})
    assert problem.startswith(f"{name}: no such setting")
    assert hint in problem


def test_the_clients_names_are_no_problem():
    """One shell serves the daemon and its callers."""
    assert settings({"EXECSVC_TOKEN": "x", "EXECSVC_TARGET": "y", "EXECSVC_OUTPUT": "json"}).mode is Mode.PAPER


def test_a_name_of_a_later_build_says_so():
    """A setting that would be ignored is refused."""
    assert "not in this build" in problems({"EXECSVC_HEALTH_LISTEN": "127.0.0.1:8080"})[0]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXECSVC_MODE", "simulated"),
        ("EXECSVC_TIER", "gold"),
        ("EXECSVC_LISTEN", "50051"),
        ("EXECSVC_LISTEN", "127.0.0.1:99999"),
        ("EXECSVC_SEED", "-1"),
        ("EXECSVC_DEMO", "perhaps"),
        ("EXECSVC_STORE", "mysql://x"),
        ("EXECSVC_STORE", "postgresql://x"),
        ("EXECSVC_LOG_LEVEL", "loud"),
        ("EXECSVC_MAX_ORDER_NOTIONAL", "1e3"),
        ("EXECSVC_MAX_ORDER_NOTIONAL", "0"),
        ("EXECSVC_DEADLINE_FLOOR", "0.1"),
        ("EXECSVC_DEADLINE_FLOOR", "1e1"),
        ("EXECSVC_VISIBILITY_BOUND", "0"),
        ("EXECSVC_RETENTION_DAYS", "0"),
        ("EXECSVC_RETENTION_DAYS", "500"),
        ("EXECSVC_ALLOW_SHARED_KEY", "perhaps"),
    ],
)
def test_a_bad_value_is_named_with_its_name(name, value):
    """The line says which variable to mend."""
    assert [problem for problem in problems({name: value}) if problem.startswith(name)]


def test_every_problem_is_told_at_once():
    """One start, one list."""
    assert len(problems({"EXECSVC_MODE": "x", "EXECSVC_TIER": "y", "EXECSVC_TYPO": "z"})) == 3


@pytest.mark.parametrize("missing", ["KRAKEN_API_KEY_FILE", "KRAKEN_API_SECRET_FILE", "EXECSVC_MAX_ORDER_NOTIONAL"])
def test_live_does_not_start_without_keys_and_a_notional_limit(missing):
    """No silent infinity, no start without a key."""
    assert len(problems({name: value for name, value in LIVE.items() if name != missing})) == 1


def test_live_with_everything_reaches_kraken_itself():
    """The venue's own addresses over TLS."""
    found = settings(LIVE)
    assert found.venue is not None
    assert found.venue.rest.startswith("https://")
    assert found.max_order_notional == Decimal(1000)


def test_dev_is_never_live():
    """Dev has demo traffic; it must not meet real money."""
    assert problems(LIVE, dev=True)


def test_a_paper_venue_of_ones_own_needs_all_three_addresses_and_keys():
    """Half a venue is a typo."""
    assert settings(VENUE).venue is not None
    for name in VENUE:
        assert problems({key: value for key, value in VENUE.items() if key != name})


def test_without_venue_addresses_paper_reads_no_key():
    """The mode decides, never the presence of keys."""
    assert settings({"KRAKEN_API_KEY": "real", "KRAKEN_API_SECRET": "real"}).accounts[0].keys is None


@pytest.mark.parametrize(
    "url",
    ["http://example.org", "https://example.org", "ftp://127.0.0.1", "http://", "http://u:p@127.0.0.1:1", "nonsense"],
)
def test_paper_trades_with_loopback_only(url):
    """A paper gateway never talks to a real exchange."""
    assert problems({**VENUE, "EXECSVC_KRAKEN_REST_URL": url})


def test_live_refuses_plain_text_but_to_loopback():
    """Keys do not travel unencrypted."""
    assert problems({**LIVE, **VENUE, "EXECSVC_KRAKEN_REST_URL": "http://example.org"})
    assert settings({**LIVE, **VENUE, "EXECSVC_KRAKEN_REST_URL": "https://example.org"}).venue is not None


@pytest.mark.parametrize("address", ["0.0.0.0:50051", "[::]:50051", "192.0.2.1:50051"])
def test_a_bind_beyond_loopback_is_refused_unless_asked_for_in_words(address):
    """Without TLS anybody on the way could read and change what is sent."""
    assert problems(EXECSVC_LISTEN=address)
    assert not settings(EXECSVC_LISTEN=address, EXECSVC_INSECURE_BIND="on").listen.is_local
    assert problems(LIVE, EXECSVC_LISTEN=address, EXECSVC_INSECURE_BIND="on")


def test_a_unix_socket_is_local():
    """And its HTTP door falls back to the default port."""
    found = settings(EXECSVC_LISTEN="unix:/run/execsvc.sock")
    assert (found.listen.path, str(found.http)) == ("/run/execsvc.sock", "127.0.0.1:51051")


def test_no_problem_repeats_a_secret():
    """Keys in the environment never reach a message."""
    with pytest.raises(SettingsRefused) as caught:
        settings({**VENUE, "KRAKEN_API_SECRET": "topsecret", "EXECSVC_TIER": "gold"})
    assert "topsecret" not in str(caught.value)


def test_the_figures_of_doubt_and_retention_have_their_defaults():
    """Two seconds of floor, three of visibility, 90 and 400 days; nothing shared, nothing cleared."""
    settings = load({}, overrides={}, dev=False)
    assert (2.0, 3.0, 90, 400, False, "") == (
        settings.deadline_floor_s,
        settings.visibility_s,
        settings.retention_days,
        settings.id_retention_days,
        settings.allow_shared_key,
        settings.clear_halt,
    )
    set_by_hand = load(
        {"EXECSVC_DEADLINE_FLOOR": "0.5", "EXECSVC_VISIBILITY_BOUND": "4.5", "EXECSVC_CLEAR_HALT": "beef0001"},
        overrides={},
        dev=False,
    )
    assert (0.5, 4.5, "beef0001") == (set_by_hand.deadline_floor_s, set_by_hand.visibility_s, set_by_hand.clear_halt)


def test_no_live_account_is_without_limits():
    """`unlimited` is for a paper exchange under a load test."""
    assert "unlimited" == settings({"EXECSVC_TIER": "unlimited"}).accounts[0].tier
    (problem,) = problems({**LIVE, "EXECSVC_TIER": "unlimited"})
    assert "starter, intermediate or pro" in problem


def test_figures_are_given_by_name():
    """Shares of callers and costs of endpoints, blanks allowed; nothing said is nothing changed."""
    found = settings({"EXECSVC_CALLER_WEIGHTS": "risk=3, signal=1", "EXECSVC_REST_COSTS": "ClosedOrders=0"})
    assert ({"risk": 3, "signal": 1}, {"ClosedOrders": 0}) == (found.caller_weights, found.rest_costs)
    assert ({}, {}) == (settings().caller_weights, settings().rest_costs)


@pytest.mark.parametrize("text", ["risk", "risk=0", "risk=x", "=3", "risk=1,risk=2", "risk=101", "risk=-1"])
def test_a_figure_that_is_none_is_named(text):
    """Each name once, with a whole number in its range."""
    (problem,) = problems({"EXECSVC_CALLER_WEIGHTS": text})
    assert problem.startswith("EXECSVC_CALLER_WEIGHTS: ")
