"""Secrets that stay in (promises.md P9): a value that hides itself, and files only their owner can read.

Which secret comes from where is the settings' business.
"""

import os
import stat
from pathlib import Path
from typing import NoReturn

_BYTES_MAX = 64 * 1024
_OWNER_ONLY = frozenset({0o400, 0o600})
_ROOTS_GROUP = 0o440


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

    Allowed: mode 0400 or 0600 and owned by us or by root; mode 0440 when root owns it (as systemd and Kubernetes mount
    secrets). The rule is read from the open file, so it cannot change between look and read.
    """
    try:
        with path.open("rb") as file:
            problem = _problem(os.fstat(file.fileno()))
            if problem:
                raise SecretFileError(f"{path}: {problem}")
            raw = file.read(_BYTES_MAX + 1)
    except OSError as failure:
        raise SecretFileError(f"{path}: {failure.strerror}") from None
    if len(raw) > _BYTES_MAX:
        raise SecretFileError(f"{path}: longer than {_BYTES_MAX} bytes")
    try:
        text = raw.decode().strip()
    except UnicodeDecodeError:
        raise SecretFileError(f"{path}: not UTF-8 text") from None
    if not text:
        raise SecretFileError(f"{path}: empty")
    return Secret(text)


def _problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    mode = stat.S_IMODE(status.st_mode)
    if mode in _OWNER_ONLY:
        return "" if status.st_uid in {os.geteuid(), 0} else "owned by somebody else"
    if mode == _ROOTS_GROUP and status.st_uid == 0:
        return ""
    return f"mode {mode:04o} lets others in; wanted 0400 or 0600 (0440 when root owns it)"
