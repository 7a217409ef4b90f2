"""The file that a caller's token lies in: read only while nobody else can.

The rule is the one that the gateway has for its own secrets, in the same words; a token that others may read is theirs too.
"""

import os
import stat
from pathlib import Path

BYTES_MAX = 64 * 1024
_OWNER_ONLY = frozenset({0o400, 0o600})
_ROOTS_GROUP = 0o440
# Where the system has them: waits for no pipe, takes no terminal, is not handed to children.
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_NONBLOCK", 0)


def read_token(path: Path) -> str:
    """The token, without blanks around it.

    Raises OSError for a file that cannot be read; ValueError for one that is empty, no text, or not its owner's alone: 0400
    or 0600 and ours or root's, or 0440 and root's, as systemd and Kubernetes can mount secrets.
    """
    handle = os.open(path, _OPEN)
    try:
        problem = _problem(os.fstat(handle))
        raw = b"" if problem else os.read(handle, BYTES_MAX + 1)
    finally:
        os.close(handle)
    token = _text(raw)
    if not problem and token is None:
        problem = "not UTF-8 text"
    if not problem and not token:
        problem = "empty"
    if len(raw) > BYTES_MAX:
        problem = f"longer than {BYTES_MAX} bytes"
    if problem:
        raise ValueError(f"EXECSVC_TOKEN_FILE: {path}: {problem}")
    return token or ""


def _text(raw: bytes) -> str | None:
    """Apart, so that no error carries the bytes along."""
    try:
        return raw.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None


def _problem(status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return "not a regular file"
    if os.name != "posix":  # elsewhere the mode says nothing of who may read
        return ""
    mode = stat.S_IMODE(status.st_mode)
    if mode in _OWNER_ONLY:
        return "" if status.st_uid in {os.geteuid(), 0} else "owned by somebody else"
    if mode == _ROOTS_GROUP and status.st_uid == 0:
        return ""
    return f"mode {mode:04o} lets others in; wanted 0400 or 0600 (0440 when root owns it)"
