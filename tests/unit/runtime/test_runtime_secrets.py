"""Secrets hide themselves; secret files are private or refused."""

import base64
import copy
import dataclasses
import io
import json
import logging
import os
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest
import structlog

from execsvc.runtime import secrets as room
from execsvc.runtime.secrets import Secret, SecretFileError, read_secret, shown

TEXT = "kQH5HW/8p1uGOVjbgWA7FunAmGO8"
SECRET = Secret(TEXT)
FILED = TEXT.encode() + b"\n"


@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r:>40}".format, lambda secret: f"{secret}"])
def test_no_way_of_printing_shows_the_text(show):
    """repr, str, format, with and without a width."""
    assert TEXT[:6] not in show(SECRET)


def test_it_is_not_pickled_and_not_in_its_dict():
    """It leaves no trace in a dump."""
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)
    assert not hasattr(SECRET, "__dict__")


def test_copies_are_the_secret_itself():
    """Frozen settings may be copied."""
    assert copy.copy(SECRET) is copy.deepcopy(SECRET) is SECRET


@dataclasses.dataclass(frozen=True)
class Holder:
    """As settings and accesses hold it."""

    name: str
    secret: Secret


def raised():
    """An error with a secret among its arguments, from a frame that has one among its locals."""
    held = Secret(TEXT)
    try:
        raise ValueError("refused", held)
    except ValueError as failure:
        return failure


def logged(*arguments):
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.handle(logging.LogRecord("t", logging.ERROR, __file__, 1, arguments[0], arguments[1:], None))
    return stream.getvalue()


WAYS = {
    "%s": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031 - the old way is a way
    "ascii": lambda: f"{SECRET!a:>40}",
    "list": lambda: f"{[SECRET]} {(SECRET,)} { {SECRET: SECRET} }",
    "dataclass": lambda: f"{Holder('x', SECRET)} {dataclasses.asdict(Holder('x', SECRET))}",
    "replace": lambda: repr(dataclasses.replace(Holder("x", SECRET), name="y")),
    "json": lambda: json.dumps({"secret": SECRET}, default=str),
    "msgspec": lambda: msgspec.json.encode([SECRET], enc_hook=str).decode(),
    "msgspec builtins": lambda: repr(msgspec.to_builtins(Holder("x", SECRET), enc_hook=repr)),
    "logging": lambda: logged("key %s %r", SECRET, SECRET),
    "error arguments": lambda: f"{raised()} {raised()!r} {raised().args}",
    "traceback": lambda: "".join(traceback.format_exception(raised())),
    "traceback with locals": lambda: "".join(
        traceback.TracebackException.from_exception(raised(), capture_locals=True).format()
    ),
    "console renderer": lambda: structlog.dev.ConsoleRenderer(colors=False)(None, "info", {"event": "e", "s": SECRET}),
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_telling_shows_the_text(way):
    """Whatever tells a value tells this one as `Secret(…)`, also as an error's argument and as a frame's variable."""
    told = WAYS[way]()
    assert TEXT[:6] not in told
    assert "Secret(" in told


@pytest.mark.parametrize(
    "write",
    [
        json.dumps,
        msgspec.json.encode,
        msgspec.msgpack.encode,
        pickle.dumps,
        lambda secret: pickle.dumps([secret]),
        bytes,
    ],
)
def test_what_writes_values_down_refuses_it(write):
    """No serialiser takes it unasked."""
    with pytest.raises(TypeError) as failure:
        write(SECRET)
    assert TEXT[:6] not in str(failure.value)


def test_reveal_is_the_only_way():
    """And equality needs no text."""
    assert SECRET.reveal() == TEXT
    assert Secret("a") == Secret("a") != Secret("b")
    assert (bool(Secret("")), bool(SECRET), len({Secret("a"), Secret("a")})) == (False, True, 1)


def file_of(tmp_path, mode, content=FILED):
    path = tmp_path / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_private_file_is_read_without_blanks(tmp_path, mode):
    """0400 and 0600 of our own; the trailing newline is not part of it."""
    assert read_secret(file_of(tmp_path, mode)) == SECRET


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700, 0o444, 0o666])
def test_file_others_may_read_is_refused(tmp_path, mode):
    """The error names path and rule, never the content."""
    with pytest.raises(SecretFileError) as failure:
        read_secret(file_of(tmp_path, mode))
    assert f"{mode:04o}" in str(failure.value)
    assert TEXT not in str(failure.value)


def stat_of(mode, uid):
    return os.stat_result((0o100000 | mode, 0, 0, 1, uid, 0, 10, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "owner", "fine"),
    [(0o440, 0, True), (0o440, 1000, False), (0o400, 0, True), (0o600, 1000, True), (0o600, 2000, False)],
)
def test_owner_counts(monkeypatch, mode, owner, fine):
    """0440 is fine when root owns it; another person's file is not ours to trust."""
    monkeypatch.setattr(room.os, "geteuid", lambda: 1000)
    assert fine is (room._problem(stat_of(mode, owner)) == "")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe", b"x" * 70_000])
def test_what_is_no_secret_is_refused(tmp_path, content):
    """Empty, not text, too long."""
    with pytest.raises(SecretFileError):
        read_secret(file_of(tmp_path, 0o600, content))


def test_missing_file_and_folder_are_refused(tmp_path):
    """With the system's own words."""
    with pytest.raises(SecretFileError, match="No such file"):
        read_secret(tmp_path / "none")
    with pytest.raises(SecretFileError):
        read_secret(tmp_path)


def said(path):
    with pytest.raises(SecretFileError) as failure:
        read_secret(path)
    assert failure.value.__context__ is None  # no error behind it that holds the bytes
    return str(failure.value)


@pytest.mark.parametrize("content", [b"\xff" + FILED, b" \n"])
def test_an_error_carries_no_bytes_of_the_file(tmp_path, content):
    """Neither in its words nor behind them."""
    assert TEXT[:6] not in said(file_of(tmp_path, 0o600, content))


def test_a_link_of_our_own_is_followed(tmp_path):
    """Kubernetes mounts secrets as links to links; what counts is the file."""
    file_of(tmp_path, 0o600)
    (tmp_path / "link").symlink_to("secret")
    (tmp_path / "again").symlink_to("link")
    assert SECRET == read_secret(tmp_path / "again")


def test_a_link_to_a_file_that_others_may_read_is_refused(tmp_path):
    """The rule is the file's, whatever leads there; a link has no mode of its own."""
    file_of(tmp_path, 0o644)
    (tmp_path / "link").symlink_to("secret")
    assert "mode 0644 lets others in" in said(tmp_path / "link")


def test_a_link_in_a_circle_is_refused(tmp_path):
    """With the system's own words."""
    (tmp_path / "link").symlink_to("link")
    assert "symbolic links" in said(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to give a link away")
def test_a_link_that_somebody_else_made_is_refused(tmp_path):
    """In a folder like /tmp anybody can leave a link to any file of ours."""
    file_of(tmp_path, 0o600)
    (tmp_path / "link").symlink_to("secret")
    os.lchown(tmp_path / "link", 65534, 65534)
    assert "a link that somebody else made" in said(tmp_path / "link")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path):
    """Opening a pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "not a regular file" in said(tmp_path / "pipe")


def test_a_device_is_refused():
    """It would never end."""
    assert "not a regular file" in said(Path("/dev/zero"))


@pytest.mark.parametrize(("mode", "fine"), [(0o777, False), (0o703, False), (0o1777, True), (0o755, True)])
def test_a_folder_that_anybody_may_write_to_is_refused(tmp_path, mode, fine):
    """Whoever writes there can swap the file; a sticky bit keeps them from it, and reading names is no harm."""
    folder = tmp_path / "open"
    folder.mkdir()
    path = file_of(folder, 0o600)
    folder.chmod(mode)
    if fine:
        assert SECRET == read_secret(path)
    else:
        assert f"anybody may write to its folder {folder}" in said(path)


def test_the_folder_that_a_link_leads_to_counts_as_well(tmp_path):
    """The file lies there."""
    (tmp_path / "open").mkdir()
    file_of(tmp_path / "open", 0o600)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to("open/secret")
    assert "anybody may write" in said(tmp_path / "link")


@pytest.mark.parametrize(
    "pasted", [base64.b64encode(bytes(range(64))).decode(), "PAPER" + "aB3" * 17, "x" * 40, "x" * 300]
)
def test_a_secret_in_the_place_of_a_path_is_not_shown(pasted):
    """A common slip: the key itself as the value of KRAKEN_API_KEY_FILE."""
    told = said(Path(pasted))
    assert pasted[:12] not in told
    assert "looks like a secret" in told


def test_a_path_that_is_one_is_shown():
    """Also a long one, and one that does not exist."""
    assert shown(Path("/var/lib/execsvc/kraken-api-key-of-the-second-account.txt")).endswith("account.txt")


def test_a_path_with_a_nul_is_refused():
    """TOML can hold one."""
    assert "no path" in said(Path("a\0b"))
