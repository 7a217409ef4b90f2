"""Where the gateway is and who calls: environment, files, and what a token must not do."""

import os

import pytest
from execsvc_client import Client, SyncClient
from execsvc_client._settings import Found, Settings, from_environment


def test_from_env_defaults_to_this_machine():
    """Without variables the target is the default address and there is no token."""
    assert from_environment({}) == Found("127.0.0.1:50051")
    assert Client.from_env(environ={}).link.settings.target == "127.0.0.1:50051"


def test_from_env_reads_target_and_token():
    """EXECSVC_TARGET and EXECSVC_TOKEN are taken."""
    environ = {"EXECSVC_TARGET": "localhost:1", "EXECSVC_TOKEN": "t"}
    assert from_environment(environ) == Found("localhost:1", "t")
    assert SyncClient.from_env(environ=environ).link.settings.token == "t"


def test_from_env_reads_the_token_file(tmp_path):
    """EXECSVC_TOKEN_FILE is read and its line end cut off; an empty one is refused."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    file.chmod(0o600)
    assert from_environment({"EXECSVC_TOKEN_FILE": str(file)}) == Found("127.0.0.1:50051", "from-file")
    file.write_text("\n")
    with pytest.raises(ValueError, match="token: empty"):
        from_environment({"EXECSVC_TOKEN_FILE": str(file)})


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700])
def test_a_token_file_that_others_may_read_is_refused_in_the_gateways_words(tmp_path, mode):
    """What others can read is their token too; not a letter of it is told."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    file.chmod(mode)
    with pytest.raises(ValueError, match="mode 0") as refused:
        from_environment({"EXECSVC_TOKEN_FILE": str(file)})
    words = "lets others in; wanted 0400 or 0600 (0440 when root owns it)"
    assert f"EXECSVC_TOKEN_FILE: {file}: mode {mode:04o} {words}" == str(refused.value)


@pytest.mark.parametrize(("raw", "said"), [(b"\xff", "not UTF-8 text"), (b"x" * 65_537, "longer than 65536 bytes")])
def test_a_token_file_that_holds_something_else_is_refused(tmp_path, raw, said):
    """And what it holds is in no error."""
    file = tmp_path / "token"
    file.write_bytes(raw)
    file.chmod(0o600)
    with pytest.raises(ValueError, match="EXECSVC_TOKEN_FILE") as refused:
        from_environment({"EXECSVC_TOKEN_FILE": str(file)})
    assert (f"EXECSVC_TOKEN_FILE: {file}: {said}", None) == (str(refused.value), refused.value.__context__)


def test_what_is_no_file_is_refused_without_waiting(tmp_path):
    """A pipe that nobody writes to would hold the program for ever."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="not a regular file"):
        from_environment({"EXECSVC_TOKEN_FILE": str(tmp_path / "pipe")})


def test_two_tokens_are_one_too_many():
    """Both token variables set is refused: nobody could say which one counts."""
    with pytest.raises(ValueError, match="keep one"):
        from_environment({"EXECSVC_TOKEN": "a", "EXECSVC_TOKEN_FILE": "b"})


def test_token_stays_out_of_sight():
    """No repr shows the token."""
    assert "s3cret" not in repr(Settings(token="s3cret"))
    assert "s3cret" not in repr(from_environment({"EXECSVC_TOKEN": "s3cret"}))
    assert "s3cret" not in repr(Client(token="s3cret").link.settings)


@pytest.mark.parametrize("target", ["gateway:50051", "10.0.0.7:50051", "dns:///gateway:1", "ipv4:10.0.0.7:1"])
def test_token_does_not_travel_in_plaintext(target):
    """A token to another machine needs TLS or a channel of the caller's own."""
    for kind in (Client, SyncClient):
        with pytest.raises(ValueError, match="in plaintext"):
            kind(target, token="s3cret")
        assert kind(target).link.settings.target == target


@pytest.mark.parametrize(
    "target",
    ["127.0.0.1:50051", "localhost:1", "[::1]:50051", "unix:/run/x.sock", "ipv4:127.0.0.1:9", "dns:///localhost:9"],
)
def test_this_machine_is_local(target):
    """Loopback and unix sockets are this machine."""
    assert Settings(target).is_local


@pytest.mark.parametrize(
    ("name", "token", "target"), [("b\nt", "", "a:1"), ("bot", "t ", "a:1"), ("ö", "", "a:1"), ("b", "", "")]
)
def test_what_cannot_be_a_header_is_refused(name, token, target):
    """Line ends, blanks and characters that a header cannot carry are refused at once."""
    with pytest.raises(ValueError, match=r"printable ASCII|give host:port"):
        Settings(target, token, name)
