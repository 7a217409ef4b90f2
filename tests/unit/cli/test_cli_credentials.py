"""The token of this machine's own gateway: when it is used, and to whom it is never sent."""

import os
import socket

import pytest

from execsvc.cli import credentials
from execsvc.cli.credentials import default_token, is_ours, listeners, token_folder
from execsvc.runtime.secrets import SecretFileError

TEXT = "xs_0a1b2c3d_" + "A" * 43
HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("XDG_STATE_HOME", "EXECSVC_STORE", "EXECSVC_TOKENS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / ".local" / "state" / "execsvc"
    folder.mkdir(parents=True, mode=0o700)
    file = folder / "admin.token"
    file.write_text(f"{TEXT}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def listening():
    """A socket of ours that listens on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def table(tmp_path, port, *uids, state="0A"):
    """/proc/net/tcp as proc(5) shows it."""
    rows = [f"   {at}: 0100007F:{port:04X} 00000000:0000 {state} 0:0 0:0 0 {uid} 0 1\n" for at, uid in enumerate(uids)]
    path = tmp_path / "tcp"
    path.write_text(HEAD + "".join(rows))
    return [path]


def test_the_gateway_of_this_user_gets_its_admins_token(home, listening):
    """Nobody has to say where it is."""
    assert TEXT == default_token(f"127.0.0.1:{listening}")


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "target", ["192.0.2.7:50051", "gateway.example:443", "dns:///localhost:1", "localhost", "", ":1"]
)
def test_another_machine_gets_nothing(target):
    """Nor what cannot be read as this one."""
    assert "" == default_token(target)


@pytest.mark.usefixtures("home")
def test_a_port_where_nobody_listens_gets_nothing():
    """Whoever opens it between the look and the call is not known."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert "" == default_token(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("uids", "ours"), [((4242,), True), ((0,), True), ((1000,), False), ((4242, 1000), False), ((), False)]
)
def test_a_port_that_another_user_holds_gets_nothing(tmp_path, monkeypatch, uids, ours):
    """While the gateway is down anybody may sit on its port and wait for the token."""
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert ours is is_ours("127.0.0.1:50051", table(tmp_path, 50051, *uids))


def test_only_who_listens_counts(tmp_path):
    """Connections on the same port are somebody else's."""
    assert frozenset() == listeners(50051, table(tmp_path, 50051, 1000, state="01"))


@pytest.mark.parametrize("text", ["", HEAD, HEAD + "x\n", "é"])
def test_a_table_that_cannot_be_read_trusts_nobody(tmp_path, text):
    """Nor one that is not there, as on other systems."""
    path = tmp_path / "tcp"
    path.write_text(text)
    assert (False, False) == (is_ours("127.0.0.1:1", [path]), is_ours("127.0.0.1:1", [tmp_path / "none"]))


def test_this_machines_own_table_is_read(listening):
    """The socket of this test is this user's."""
    assert frozenset({os.geteuid()}) == listeners(listening)


def test_a_unix_socket_of_ours_gets_it(home, tmp_path, monkeypatch):
    """By the owner of the socket."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        ours = default_token(f"unix:{path}"), default_token(f"unix://{path}")
        monkeypatch.setattr(credentials, "_trusted", lambda: frozenset({4242}))
        assert ((TEXT, TEXT), "", "") == (ours, default_token(f"unix:{path}"), default_token("unix:/nowhere"))


def test_without_a_file_there_is_no_token(home, listening):
    """As with a gateway whose tokens are off."""
    home.unlink()
    assert "" == default_token(f"127.0.0.1:{listening}")


def test_a_file_that_others_read_is_told(home, listening):
    """It is not used in silence, nor left out in silence."""
    home.write_text("a token\n")
    home.chmod(0o644)
    with pytest.raises(SecretFileError, match="mode 0644"):
        default_token(f"127.0.0.1:{listening}")


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.local/state/execsvc"),
        ({"HOME": "/home/ann", "XDG_STATE_HOME": "/s"}, "/s/execsvc"),
        ({}, "/var/lib/.local/state/execsvc"),
        ({"HOME": "/h", "EXECSVC_STORE": "sqlite:////srv/x/execsvc.db"}, "/srv/x"),
        ({"HOME": "/h", "EXECSVC_STORE": "memory:"}, "/h/.local/state/execsvc"),
        (
            {"EXECSVC_STORE": "sqlite:////srv/x/execsvc.db", "EXECSVC_TOKENS": "/etc/execsvc/tokens.toml"},
            "/etc/execsvc",
        ),
        ({"HOME": "/h", "EXECSVC_TOKENS": "off"}, "/h/.local/state/execsvc"),
    ],
)
def test_the_folder_is_the_one_that_serve_uses(environ, folder):
    """With the same variables; the settings themselves are compared where they name a file."""
    from execsvc import settings

    assert folder == str(token_folder(environ))
    given = {name: value for name, value in environ.items() if name != "HOME" or value}
    loaded = settings.load(given, overrides={}, dev=False)
    assert loaded.tokens is None or folder == str(loaded.tokens.parent)
