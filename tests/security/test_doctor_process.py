"""The doctor beside a real gateway with tokens: it finds this machine's own token, and tells nobody of it."""

import json
import subprocess
import sys

import pytest

from tests.support.processes import clean_environ, free_port, running, wait_serving

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


def state_in(folder):
    """Store and tokens of a gateway of its own."""
    return {"EXECSVC_STORE": f"sqlite:///{folder}/execsvc.db", "EXECSVC_TOKENS": f"{folder}/tokens.toml"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A gateway with tokens, as its first start leaves it."""
    home = tmp_path_factory.mktemp("home")
    listen = f"127.0.0.1:{free_port()}"
    environ = {**clean_environ(home, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off"), **state_in(home)}
    with running(["serve"], environ):
        wait_serving(listen)
        yield home, listen, environ


def doctor(environ, listen):
    done = subprocess.run(
        [sys.executable, "-m", "execsvc", "doctor", "-o", "json"],
        env={**environ, "EXECSVC_TARGET": listen},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (
        done.returncode,
        {(each["place"], each["verdict"]) for each in json.loads(done.stdout)["findings"]},
        done.stdout,
    )


def test_a_sound_gateway_with_tokens_has_nothing_to_mend(served):
    """Asked with the token beside its store, which is shown nowhere."""
    home, listen, environ = served
    code, verdicts, out = doctor(environ, listen)
    assert (0, set()) == (code, {each for each in verdicts if each[1] in {"fail", "not_looked_at"}}), out
    assert (home / "admin.token").read_text().strip() not in out


def test_a_caller_without_a_token_is_told_where_one_comes_from(served, tmp_path):
    """From another home: the machine is looked at, the gateway lets nobody in."""
    _, listen, environ = served
    code, verdicts, out = doctor({**environ, **state_in(tmp_path), "HOME": str(tmp_path)}, listen)
    assert (1, True, True) == (code, ("gateway", "fail") in verdicts, "execsvc token list" in out), out
