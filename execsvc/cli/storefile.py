"""Verbs that read the store's file: which file that is, and how it is opened.

Nothing here writes, or asks a gateway.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.atrest import settings_at_rest
from execsvc.cli.exits import BAD_CONFIG, Stopped

if TYPE_CHECKING:
    from execsvc.store.inspect import Inspection
    from execsvc.store.place import StoreRefused

SQLITE = "sqlite:///"

StoreFile = Annotated[
    str,
    typer.Option(
        "--store", metavar="FILE", help="The store: a path or sqlite:///path. Else the one `serve` would use."
    ),
]


@contextmanager
def reading(store: str) -> "Iterator[Inspection]":
    """The store, for reading. Raises Stopped, exit 3, when there is none or it cannot be read."""
    from execsvc.store.inspect import inspecting
    from execsvc.store.place import StoreRefused

    try:
        with inspecting(store_path(store)) as opened:
            yield opened
    except StoreRefused as refused:
        raise Stopped(BAD_CONFIG, _damage(refused, store_path(store)) or str(refused)) from None


def _damage(refused: "StoreRefused", path: Path) -> str:
    """What to say of a file that is no store any more, whoever reads it; empty where something else is in the way."""
    import sqlite3

    cause = refused.__cause__
    code = (
        cause.sqlite_errorcode & 0xFF if isinstance(cause, sqlite3.Error) and hasattr(cause, "sqlite_errorcode") else 0
    )
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return f"{path} is damaged: {cause}; keep it as it is for whoever looks into it, and take the newest backup"
    if code == sqlite3.SQLITE_ERROR:
        return f"{path} is no store of execsvc: {cause}"
    return ""


def store_path(store: str) -> Path:
    """The file that is meant: named, or that of the settings. Raises Stopped for settings that name none."""
    if store:
        return Path("/" + store.removeprefix(SQLITE).lstrip("/")) if store.startswith(SQLITE) else Path(store)
    from execsvc.settings import SettingsRefused

    try:
        path = settings_at_rest(os.environ, {}).store
    except SettingsRefused as refused:
        raise Stopped(BAD_CONFIG, f"{refused.problems[0]}; or name the file with --store FILE") from None
    if path is None:
        raise Stopped(BAD_CONFIG, "EXECSVC_STORE names no file: name it with --store FILE")
    return path


def rfc3339(at_ns: int) -> str:
    """A time in UTC with all its nanoseconds."""
    seconds, rest_ns = divmod(at_ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest_ns:09d}Z"
