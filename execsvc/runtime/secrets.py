"""Secrets that stay in (promises.md P9): a value that hides itself, and files only their owner can read.

Which secret comes from where is keysource.py's business, and the settings'. What keeps other programs out of this one's
memory is harden.py.
"""

import os
import re
import stat
from pathlib import Path
from typing import NoReturn

_BYTES_MAX = 64 * 1024
_OWNER_ONLY = frozenset({0o400, 0o600})
_ROOTS_GROUP = 0o440
# Waits for nobody (a pipe without a writer), takes no terminal, and is not handed to children.
_OPEN = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_NO_PATH = re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}")


class SecretFileError(ValueError):
    """The file cannot serve as a secret; the message names the path and the rule, never the content."""


class Secret:
    """A text that no print, log, error or pickle shows; `reveal()` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself: hand it to what needs it, keep it nowhere."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied to a file")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> "Secret":
        return self


def read_secret(path: Path) -> Secret:
    """The file's text without surrounding blanks. Raises SecretFileError.

    Allowed: a regular file of mode 0400 or 0600 that we or root own; mode 0440 when root owns it (as systemd and Kubernetes
    mount secrets). A link is followed when we or root made it (Kubernetes mounts links); a folder that anybody may write to
    is refused, for whoever writes there puts another file in this one's place (/tmp's sticky bit keeps them from that). The
    rule for the file is read from the open file, so it cannot change between look and read.
    """
    raw, problem = _read(path)
    if problem:
        raise SecretFileError(f"{shown(path)}: {problem}")
    text = _utf8(raw)
    if text is None:
        raise SecretFileError(f"{shown(path)}: not UTF-8 text")
    if not text.strip():
        raise SecretFileError(f"{shown(path)}: empty")
    return Secret(text.strip())


def shown(path: Path) -> str:
    """The path for a message, unless it looks like a secret that was written where its path belongs."""
    text = str(path)
    if not _NO_PATH.fullmatch(text) or os.path.lexists(path):  # no error there: it would quote the name
        return text
    return "(not shown: it looks like a secret, not like a path)"


def _read(path: Path) -> tuple[bytes, str]:
    """The content, or why it must not be used."""
    try:
        problem = _way_problem(path)
        if problem:
            return b"", problem
        handle = os.open(path, _OPEN)
    except OSError as failure:
        return b"", failure.strerror or type(failure).__name__
    except ValueError:
        return b"", "no path"  # a NUL in it
    try:
        problem = _problem(os.fstat(handle))
        raw = b"" if problem else os.read(handle, _BYTES_MAX + 1)
    except OSError as failure:
        return b"", failure.strerror or type(failure).__name__
    finally:
        os.close(handle)
    return (b"", f"longer than {_BYTES_MAX} bytes") if len(raw) > _BYTES_MAX else (raw, problem)


def _utf8(raw: bytes) -> str | None:
    """Apart, so that no error carries the bytes along."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return None


def _way_problem(path: Path) -> str:
    """What is wrong with the way to the file: its link, and the folders in which link and file lie."""
    if stat.S_ISLNK(path.lstat().st_mode) and path.lstat().st_uid not in {os.geteuid(), 0}:
        return "a link that somebody else made"
    for folder in {path.parent, Path(os.path.realpath(path)).parent}:
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"anybody may write to its folder {folder} and put another file in its place; chmod o-w it"
    return ""


def _problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    mode = stat.S_IMODE(status.st_mode)
    if mode in _OWNER_ONLY:
        return "" if status.st_uid in {os.geteuid(), 0} else "owned by somebody else"
    if mode == _ROOTS_GROUP and status.st_uid == 0:
        return ""
    return f"mode {mode:04o} lets others in; wanted 0400 or 0600 (0440 when root owns it)"
