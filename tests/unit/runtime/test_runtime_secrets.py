"""Secrets hide themselves; secret files are private or refused."""

import copy
import os
import pickle

import pytest

from execsvc.runtime import secrets as room
from execsvc.runtime.secrets import Secret, SecretFileError, read_secret

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
