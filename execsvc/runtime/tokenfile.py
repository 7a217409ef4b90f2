"""The file of caller tokens: TOML of ids, hashes and rights, in the words of the settings file. No secret is in it.

One program at a time changes it, under a lock, and whoever reads sees the old file or the new one, whole. It is trusted only
while nobody else can read or write it. Following it while the service runs is tokenregistry.py's.
"""

import fcntl
import json
import os
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec

from execsvc.domain import money
from execsvc.domain.caller import Grant
from execsvc.domain.market import Side
from execsvc.domain.rights import excess, name_fault, rights_of
from execsvc.domain.spec import OrderType
from execsvc.domain.token import Token
from execsvc.runtime.secrets import Secret, SecretFileError, read_secret

VERSION = 1
BYTES_MAX = 64 * 1024  # as of every secret file
RATE_MOST = 1_000_000  # orders a second; from there on nobody is held back
LOCK_S = 5.0
LOCK_AGAIN_S = 0.02
NS = 1_000_000_000
_HEAD = """# The tokens of callers, kept by `execsvc token`: hashes only, and what each may do. docs/guides/tokens.md
version = {version}
"""


class TokenFileError(Exception):
    """The file cannot be used; the message is one line with its path, for a person."""


class _Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One [[token]] as it is written."""

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{8}$")]
    caller: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    created: datetime
    expires: datetime | None = None
    note: str = ""
    permissions: list[str]
    symbols: list[str] = []
    sides: list[Side] = []
    order_types: list[OrderType] = []
    max_order_notional: str | None = None
    orders_per_s: Annotated[int, msgspec.Meta(ge=1, le=RATE_MOST)] | None = None
    default_account: str = ""


class _File(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    version: int
    token: list[_Row] = []


# ---- reading ---------------------------------------------------------------------------------------------------------


def read(path: Path) -> tuple[Token, ...]:
    """The tokens, in the order they were baked. Raises TokenFileError, also for a file that is anybody else's business."""
    try:
        text = read_secret(path).reveal()
    except SecretFileError as unfit:
        raise TokenFileError(str(unfit)) from None
    try:
        return tokens_of(text)
    except ValueError as wrong:
        raise TokenFileError(f"{path}: {wrong}") from None


def tokens_of(text: str) -> tuple[Token, ...]:
    """The tokens that a file's text holds. Raises ValueError."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File)
    except msgspec.ValidationError as wrong:
        raise ValueError(str(wrong)) from None
    except RecursionError:
        raise ValueError("lists within lists, deeper than anybody writes them") from None
    if file.version != VERSION:
        raise ValueError(f"version {file.version} is not this build's, which is {VERSION}")
    tokens = tuple(map(_token, file.token))
    if len({each.id for each in tokens}) < len(tokens):
        raise ValueError("two tokens have one id")
    return tokens


def _token(row: _Row) -> Token:
    try:
        fault = name_fault(row.caller)
        if fault:
            raise ValueError(fault)
        notional = None if row.max_order_notional is None else money.parse(row.max_order_notional)
        bounds = Grant(
            frozenset(),
            frozenset(row.symbols),
            frozenset(row.sides),
            frozenset(row.order_types),
            notional,
            row.orders_per_s,
        )
        rights = rights_of(row.permissions, bounds, row.default_account)
        expires_ns = None if row.expires is None else _ns(row.expires)
        return Token(row.id, row.caller, row.sha256, _ns(row.created), expires_ns, rights, row.note)
    except ValueError as wrong:
        raise ValueError(f"token {row.id}: {wrong}") from None


def _ns(moment: datetime) -> int:
    if moment.tzinfo is None:
        raise ValueError("a time needs its zone: write 2026-11-26T07:00:00Z")
    return int(moment.timestamp()) * NS


# ---- one state and the next ------------------------------------------------------------------------------------------


def differences(before: Mapping[str, Token], after: Mapping[str, Token], now_ns: int) -> Iterator[tuple[str, Token]]:
    """What became of which token from one state of the file to the next, both by id, as events of the log.

    A token that is over leaves the file by itself (`token.dropped`); a note that was changed is none.
    """
    for name, token in before.items():
        if name not in after:
            yield "token.dropped" if token.is_over(now_ns) else "token.revoked", token
    for name, token in after.items():
        known = before.get(name)
        if known is None:
            yield "token.baked", token
        elif replace(token, note=known.note) != known:
            yield "token.narrowed" if _is_narrower(token, known) else "token.changed", token


def _is_narrower(token: Token, known: Token) -> bool:
    """Whether it is the same one with less: of rights, of time."""
    if (token.caller, token.sha256) != (known.caller, known.sha256):
        return False
    named = {*token.rights.grants, *known.rights.grants}
    longer = known.expires_ns is not None and (token.expires_ns is None or token.expires_ns > known.expires_ns)
    return not longer and not excess(token.rights.over(named), known.rights.over(named))


# ---- writing ---------------------------------------------------------------------------------------------------------


def render(tokens: Iterable[Token]) -> str:
    """The file's text."""
    return "\n".join([_HEAD.format(version=VERSION), *("[[token]]\n" + _lines(each) for each in tokens)])


def _lines(token: Token) -> str:
    bounds, notional = token.rights.bounds(), token.rights.bounds().max_order_notional
    values: dict[str, Any] = {
        "id": token.id,
        "caller": token.caller,
        "sha256": token.sha256,
        "created": datetime.fromtimestamp(token.created_ns // NS, UTC),
        "expires": None if token.expires_ns is None else datetime.fromtimestamp(token.expires_ns // NS, UTC),
        "note": token.note,
        "permissions": list(token.rights.words()),
        "symbols": sorted(bounds.symbols),
        "sides": sorted(each.value for each in bounds.sides),
        "order_types": sorted(each.value for each in bounds.order_types),
        "max_order_notional": None if notional is None else money.text(notional),
        "orders_per_s": bounds.orders_per_s,
        "default_account": token.rights.default,
    }
    needed = {"permissions"}
    return "".join(
        f"{name} = {_value(value)}\n" for name, value in values.items() if name in needed or value not in (None, "", [])
    )


def _value(value: Any) -> str:
    """TOML of the few kinds that are written. Its basic strings are JSON's, except for DEL, which it wants escaped."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def change(path: Path, work: Callable[[tuple[Token, ...]], Iterable[Token]]) -> None:
    """Puts what `work` makes of the tokens in their place, alone. Raises TokenFileError, and what `work` raises."""
    place = path.resolve()  # a link stays a link
    with _locked(place):
        _put(place, render(work(read(place))))


def create(path: Path, tokens: Iterable[Token], beside: Mapping[str, Secret]) -> bool:
    """Writes the first file, and next to it a file for each new secret, all 0600; False: it was there, nothing was written.

    Raises TokenFileError; a file of a secret that is there already is never written over.
    """
    if os.path.lexists(path):
        return False  # before anything is written: it may be mounted to be read only
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise TokenFileError(f"{path.parent}: {failure.strerror}") from None
    with _locked(path):
        if os.path.lexists(path):
            return False
        for name in beside:
            if os.path.lexists(path.with_name(name)):
                raise TokenFileError(
                    f"{path.with_name(name)} is there and {path} is not: bring that back, or remove "
                    f"{' and '.join(beside)} to begin anew"
                )
        for name, secret in beside.items():
            _write(path.with_name(name), f"{secret.reveal()}\n")
        _put(path, render(tokens))
    return True


def write_secret(path: Path, secret: Secret) -> None:
    """A new file, 0600, with the secret. Raises TokenFileError where there is one already, or a link."""
    try:
        _write(path, f"{secret.reveal()}\n")
    except FileExistsError:
        raise TokenFileError(f"{path} is there already: it is not written over") from None
    except OSError as failure:
        raise TokenFileError(f"{path}: {failure.strerror}") from None


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Alone among all that change the file. Raises TokenFileError where that, or the file itself, cannot be."""
    try:
        lock = os.open(
            path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        try:
            _wait_for(lock, path)
            yield
        finally:
            os.close(lock)
    except OSError as failure:
        raise TokenFileError(f"{failure.filename or path}: {failure.strerror}") from None


def _wait_for(lock: int, path: Path) -> None:
    by = time.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= by:
                raise TokenFileError(f"{path} is being changed by another program: try again") from None
            time.sleep(LOCK_AGAIN_S)
        else:
            return


def _put(path: Path, text: str) -> None:
    """Whole or not at all, also through a power cut; under the lock, so a leaving of an interrupted try is nobody's."""
    if len(text.encode()) > BYTES_MAX:
        raise TokenFileError(f"{path} would be longer than {BYTES_MAX} bytes: revoke tokens that are not used any more")
    fresh = path.with_name(f".{path.name}.new")
    with suppress(FileNotFoundError):
        fresh.unlink()
    _write(fresh, text)
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _write(path: Path, text: str) -> None:
    """A file that was not there."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(handle)
