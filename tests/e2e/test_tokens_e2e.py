"""The first start with tokens, and the verbs on the same machine: real processes, as a person would start them."""

import json
import re
import stat
import time

import pytest

from execsvc.runtime.tokenregistry import LOOK_S
from tests.support.processes import Process, clean_environ, free_port, running, wait_serving

pytestmark = pytest.mark.process
ENDS_S = 30.0


@pytest.fixture
def environ(tmp_path):
    """A machine where nothing was ever started: tokens are as they are when nobody says anything."""
    return clean_environ(
        tmp_path, EXECSVC_TOKENS="", EXECSVC_LISTEN=f"127.0.0.1:{free_port()}", EXECSVC_HTTP_LISTEN="off"
    )


def serving(environ):
    return running(["serve"], environ)


def verb(environ, *words, **more):
    """What a verb printed, and its exit code."""
    process = Process(list(words), {**environ, "EXECSVC_TARGET": environ["EXECSVC_LISTEN"], **more})
    code = process.ended(ENDS_S)
    return code, "".join(process.stdout), "".join(process.stderr)


def caller(environ, **more):
    code, out, err = verb(environ, "call", "GetServerInfo", **more)
    return json.loads(out)["caller"] if code == 0 else (code, out + err)


def test_the_first_start_writes_tokens_and_the_verbs_find_them(environ, tmp_path):
    """An admin's and a viewer's, 0600, told by path and never printed; on the same machine nobody has to name one."""
    folder = tmp_path / ".local" / "state" / "execsvc"
    with serving(environ) as gateway:
        wait_serving(environ["EXECSVC_LISTEN"])
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.glob("*token*")}
        assert dict.fromkeys(["tokens.toml", "tokens.toml.lock", "admin.token", "viewer.token"], 0o600) == modes
        assert [True, True, False] == [
            (folder / "admin.token").as_posix() in gateway.said,
            (folder / "viewer.token").as_posix() in gateway.said,
            (folder / "admin.token").read_text().strip() in gateway.said,
        ]
        viewer = {"EXECSVC_TOKEN_FILE": str(folder / "viewer.token")}
        assert ("admin", "viewer") == (caller(environ), caller(environ, **viewer))
        refused, _, why = verb(environ, "buy", "BTC/USD", "--qty", "0.001", "--wait", "5", **viewer)
        assert (9, True) == (refused, "PERMISSION_MISSING" in why)
        code, _, why = verb(environ, "status", HOME=str(tmp_path / "elsewhere"))
        assert (9, True) == (code, "TOKEN_INVALID" in why)
        assert gateway.stop() == 0
    used = json.loads((folder / "tokens.toml.used").read_text())
    assert 2 == len(used)


def test_a_token_is_baked_used_and_revoked_while_the_gateway_runs(environ, tmp_path):
    """From the command line to the wire, without a restart; a second start writes nothing over."""
    out = tmp_path / "bot.token"
    with serving(environ) as gateway:
        wait_serving(environ["EXECSVC_LISTEN"])
        assert (
            0 == verb(environ, "token", "bake", "bot", "--like", "trader", "--pairs", "ETH/USD", "--out", str(out))[0]
        )
        mine = {"EXECSVC_TOKEN_FILE": str(out)}
        assert "bot" == caller(environ, **mine)
        refused, _, why = verb(environ, "buy", "BTC/USD", "--qty", "0.001", **mine)
        assert (9, True) == (refused, "SYMBOL_NOT_GRANTED" in why)
        assert 0 == verb(environ, "buy", "ETH/USD", "--qty", "0.01", **mine)[0]
        token_id = out.read_text().split("_")[1]
        assert token_id in verb(environ, "token", "list")[1]
        assert 0 == verb(environ, "token", "revoke", token_id)[0]
        time.sleep(LOOK_S)
        code, why = caller(environ, **mine)
        assert (9, True) == (code, "TOKEN_INVALID" in why)
        told = re.findall(r'"token\.(\w+)","name":"(\w+)","caller":"(\w+)"', gateway.said)
        assert [("baked", token_id, "bot"), ("revoked", token_id, "bot")] == told, gateway.said
        assert out.read_text().strip() not in gateway.said
    before = {each.name: each.read_text() for each in out.parent.joinpath(".local/state/execsvc").glob("*.token")}
    with serving(environ):
        wait_serving(environ["EXECSVC_LISTEN"])
        assert "admin" == caller(environ)
    assert before == {
        each.name: each.read_text() for each in out.parent.joinpath(".local/state/execsvc").glob("*.token")
    }


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda path: path.chmod(0o644), "mode 0644"),
        (lambda path: path.write_text("version ="), "tokens.toml"),
        (lambda path: path.unlink(), "bring that back, or remove"),
    ],
)
def test_tokens_that_cannot_be_used_refuse_the_start(environ, tmp_path, spoil, told):
    """Exit 3 and one line that says what to do: nobody is let in by mistake, or kept out for no reason."""
    with serving(environ):
        wait_serving(environ["EXECSVC_LISTEN"])
    spoil(tmp_path / ".local" / "state" / "execsvc" / "tokens.toml")
    process = Process(["serve"], environ)
    assert 3 == process.ended(ENDS_S)
    (line,) = [each for each in "".join(process.stderr).splitlines() if each]
    assert ("the tokens of callers cannot be used: ", True) == (line[:38], told in line)
