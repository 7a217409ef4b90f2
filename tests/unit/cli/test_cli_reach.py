"""Whose token and which TLS files a verb comes with, and what it says when it is not let in."""

import asyncio

import pytest
import typer
from grpc import StatusCode

from execsvc.cli import demo, reach
from execsvc.cli.main import app
from execsvc.cli.reach import OPTIONS, Reach, reaching

FLAGS = {"--token-file", "--tls-ca", "--tls-cert", "--tls-key"}


def every_command(tree, path=()):
    for name, command in tree.commands.items():
        if hasattr(command, "commands"):
            yield from every_command(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(every_command(typer.main.get_command(app)))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_that_calls_takes_them(name):
    """A verb with --target has all four options, a verb without it none of them."""
    flags = {flag for param in COMMANDS[name].params for flag in param.opts}
    assert (FLAGS if "--target" in flags else set()) == flags & FLAGS


def test_the_command_line_wins_over_the_environment():
    """What is named on the command line takes the variable's place; a token of the environment gives way to the file."""
    environ = {"EXECSVC_TOKEN": "t", "EXECSVC_TLS_CA_FILE": "old.pem", "HOME": "/h"}
    given = Reach("mine.token", "ca.pem", "c.pem", "k.pem")
    assert {
        "HOME": "/h",
        "EXECSVC_TOKEN_FILE": "mine.token",
        "EXECSVC_TLS_CA_FILE": "ca.pem",
        "EXECSVC_TLS_CLIENT_CERT_FILE": "c.pem",
        "EXECSVC_TLS_CLIENT_KEY_FILE": "k.pem",
    } == given.over(environ)
    assert environ == Reach().over(environ)


def test_what_was_said_ends_with_the_verb():
    """One verb's options do not reach the next, also when it fails."""

    def fails(target=""):
        raise ValueError(reach.environment(target)["EXECSVC_TOKEN_FILE"])

    with pytest.raises(ValueError, match=r"^mine\.token$"):
        reaching(fails)(token_file="mine.token", tls_ca="", tls_cert="", tls_key="")
    assert "EXECSVC_TOKEN_FILE" not in reach.environment("gateway:1")


def test_a_token_file_goes_with_every_call(gateway, execsvc, tmp_path):
    """--token-file is read, and its token goes out as the caller's."""
    file = tmp_path / "mine.token"
    file.write_text("xs_1_a\n")
    file.chmod(0o600)
    assert 0 == execsvc("call", "GetServerInfo", "--token-file", str(file)).code
    assert "Bearer xs_1_a" == gateway.metadata["authorization"]


@pytest.fixture
def own_token(tmp_path):
    """The token that this machine's own gateway left beside its store."""
    file = tmp_path / "execsvc" / "admin.token"
    file.parent.mkdir()
    file.write_text("xs_0_own\n")
    file.chmod(0o600)
    return file


def test_this_machines_own_token_is_used_where_none_is_named(gateway, execsvc, own_token):
    """A verb without any token comes with the one beside the store; without one there, with none."""
    assert 0 == execsvc("call", "GetServerInfo").code
    assert "Bearer xs_0_own" == gateway.metadata["authorization"]
    own_token.unlink()
    assert 0 == execsvc("call", "GetServerInfo").code
    assert "authorization" not in gateway.metadata


def test_the_demo_trader_comes_with_it(gateway, fail, own_token, capsys):
    """The little trader of `dev` is let in where its gateway wants tokens. Not let in, it says so once and asks again."""
    gateway.script("SubscribeTickers", fail(StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "not known here"))
    knocks = []

    async def patiently(seconds):
        if seconds == demo.AGAIN_S:
            knocks.append(gateway.metadata.pop("authorization", ""))
            own_token.write_text("xs_0_new\n")
            if len(knocks) == 2:
                raise asyncio.CancelledError
        else:
            await asyncio.sleep(60)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(demo.trade(gateway.target, every_s=5.0, sleep=patiently))
    assert ["Bearer xs_0_own", "Bearer xs_0_new"] == knocks
    assert 1 == capsys.readouterr().err.count("demo: no prices for the little trader")


def test_it_gives_way_to_whatever_is_named(gateway, execsvc, own_token, monkeypatch):
    """A token of the environment, a token file or a certificate says who is meant: the other token stays at home."""
    monkeypatch.setenv("EXECSVC_TOKEN", "xs_1_mine")
    assert 0 == execsvc("call", "GetServerInfo").code
    assert "Bearer xs_1_mine" == gateway.metadata["authorization"]
    monkeypatch.delenv("EXECSVC_TOKEN")
    monkeypatch.setenv("EXECSVC_TLS_CLIENT_CERT_FILE", "mine.pem")
    assert own_token.exists()
    assert "EXECSVC_TOKEN" not in reach.environment("")


def test_one_that_others_can_read_is_not_trusted(gateway, execsvc, own_token):
    """A token file open to others is configuration to be mended: exit 3, and nothing is asked."""
    own_token.chmod(0o644)
    done = execsvc("call", "GetServerInfo")
    assert (3, True, {}) == (done.code, "admin.token" in done.out, gateway.metadata)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--token-file", "absent.token"), "absent.token"),
        (("--tls-ca", "absent.pem"), "absent.pem"),
        (("--tls-cert", "c.pem"), "set both or neither"),
    ],
)
def test_files_that_cannot_be_used_are_configuration(gateway, execsvc, options, said):
    """A file that is not there, or half a pair, is exit 3 and is named; nothing is asked."""
    for verb in (("call", "GetServerInfo"), ("health",)):
        if verb == ("health",) and options[0] == "--token-file":
            continue  # health needs no token
        done = execsvc(*verb, *options)
        assert (3, True) == (done.code, said in done.out + done.err), done
    assert {} == gateway.metadata


def test_tls_is_spoken_where_it_is_asked_for(execsvc, tmp_path, gateway):
    """With --tls-ca a gateway that speaks plaintext is not talked to: no call of ours reaches it, and no token."""
    assert 4 == execsvc("call", "GetServerInfo", "--tls-ca", "public", "--timeout", "2").code
    assert 4 == execsvc("health", "--tls-ca", "public", "--timeout", "2").code
    assert {} == gateway.metadata


REFUSALS = {
    "TOKEN_INVALID": (StatusCode.UNAUTHENTICATED, (), "EXECSVC_TOKEN_FILE"),
    "PERMISSION_MISSING": (StatusCode.PERMISSION_DENIED, (("permission", "account"),), "the permission account"),
    "ACCOUNT_NOT_GRANTED": (StatusCode.PERMISSION_DENIED, (), "an account that is yours"),
}


@pytest.mark.parametrize("reason", REFUSALS)
def test_who_is_not_let_in_is_told_what_to_do(gateway, execsvc, fail, reason):
    """Exit 9, with the reason and one sentence of what to do."""
    code, metadata, said = REFUSALS[reason]
    gateway.script("ListBalances", fail(code, reason, metadata=metadata))
    done = execsvc("balances", "-o", "json")
    error = done.json["error"]
    assert (9, "auth", reason, False) == (done.code, error["category"], error["reason"], error["retryable"])
    assert said in error["message"]


def test_the_options_are_four():
    """No fifth way to come before the gateway is hidden in the table."""
    assert FLAGS == {"--" + name.replace("_", "-") for name in OPTIONS}
