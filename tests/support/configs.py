"""A configuration file as a test writes it: read as settings, or as the problems it has."""

from pathlib import Path

import pytest

from execsvc.settings import ConfigText, SettingsRefused, from_sources

HOME = {"HOME": "/home/desk"}
VENUE = {
    "EXECSVC_KRAKEN_REST_URL": "http://127.0.0.1:4000",
    "EXECSVC_KRAKEN_WS_URL": "ws://127.0.0.1:4000/v2",
    "EXECSVC_KRAKEN_WS_AUTH_URL": "ws://127.0.0.1:4000/v2/auth",
}
TWO = """
[accounts.main]
key_file = "main.key"
secret_file = "main.secret"
[accounts.hedge]
key_file = "/keys/hedge.key"
secret_file = "/keys/hedge.secret"
"""


def read(text, environ=None, **overrides):
    config = ConfigText(Path("/etc/execsvc/execsvc.toml"), text)
    return from_sources({**HOME, **(environ or {})}, overrides, config, dev=False)


def wrong(text, environ=None, **overrides):
    """Every problem of a file."""
    with pytest.raises(SettingsRefused) as refused:
        read(text, environ, **overrides)
    return refused.value.problems


def only(problems):
    assert 1 == len(problems), problems
    return problems[0]
