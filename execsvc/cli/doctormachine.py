"""What this machine is like, as findings: Python and its packages, settings, files, disk, open files, ports, time.

Nothing is written and no secret is kept: of a file of secrets only whether it may be trusted is asked.
"""

import ctypes
import os
import resource
import shutil
import socket
import sqlite3
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from execsvc.app.findings import Finding, fail, ok, warn

if TYPE_CHECKING:
    from execsvc.settings import Address, Settings

FREE_LEAST_BYTES = 1 << 30
FILES_LEAST = 4096  # a thousand streams, and as many connections again
_TIME_ERROR = 5  # adjtimex(2): nobody keeps the clock
_TIMEX_BYTES = 512  # struct timex is 208 bytes; more is asked of nobody
_PYTHON_LEAST = (3, 11)


def findings(config: str, *, served: bool) -> list[Finding]:
    """All of them; settings that cannot be used are among them. served: a gateway answered, so that ports may be taken."""
    from execsvc.settings import SettingsRefused, load

    found = [*python(), *open_files(), *time_kept()]
    overrides = {"EXECSVC_CONFIG": config} if config else {}
    try:
        settings = load(os.environ, overrides=overrides, dev=False)
    except SettingsRefused as refused:
        return [*found, *(fail(problem, "docs/reference/configuration.md") for problem in refused.problems)]
    return [*found, *store(settings), *secret_files(settings), *ports(settings, served=served)]


def python() -> Iterator[Finding]:
    """The interpreter, SQLite, and every package that execsvc asks for."""
    from execsvc.store.database import SQLITE_LEAST

    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _PYTHON_LEAST:
        yield fail(f"Python {version}", f"Python {'.'.join(map(str, _PYTHON_LEAST))} or newer")
    if sqlite3.sqlite_version_info < SQLITE_LEAST:
        yield fail(f"SQLite {sqlite3.sqlite_version}", f"SQLite {'.'.join(map(str, SQLITE_LEAST))} or newer")
    missing = [name for name in _needed() if not _installed(name)]
    if missing:
        yield fail(f"packages are missing: {', '.join(missing)}", "install execsvc anew")
    else:
        grpc, protobuf = metadata.version("grpcio"), metadata.version("protobuf")
        yield ok(f"Python {version}, SQLite {sqlite3.sqlite_version}, grpcio {grpc}, protobuf {protobuf}")


def _needed() -> Iterator[str]:
    """The names in the package's own list, without those for other systems."""
    try:
        wanted = metadata.requires("execsvc") or []
    except metadata.PackageNotFoundError:
        wanted = []
    for each in wanted:
        name = each.split(";")[0]
        for mark in "<>=!~[ (":
            name = name.partition(mark)[0]
        if ";" not in each or "win32" in each:
            yield name.strip()


def _installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True


def open_files() -> Iterator[Finding]:
    """How many files and sockets one process may have open."""
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < FILES_LEAST:
        yield warn(f"{most} files may be open at once", f"ulimit -n {FILES_LEAST}, or LimitNOFILE= of the unit")
    else:
        yield ok("enough files may be open at once")


def time_kept() -> Iterator[Finding]:
    """Whether a time service keeps the clock, where the kernel tells."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return
    if state == _TIME_ERROR:
        yield warn("no time service keeps this machine's clock", "run chrony, ntpd or systemd-timesyncd")
    elif state >= 0:
        yield ok("a time service keeps the clock")


def store(settings: "Settings") -> Iterator[Finding]:
    """The store's file, whoever has it open, and the disk it lies on."""
    from execsvc.store.inspect import inspecting
    from execsvc.store.place import StoreRefused

    path = settings.store
    if path is None:
        yield warn("the store is in memory: every stop forgets it", "EXECSVC_STORE=sqlite:///PATH")
        return
    if not path.exists():
        yield ok("not there yet: the first start makes it", str(path))
        return
    try:
        with inspecting(path) as opened:
            entries = sum(head.sequence for head in opened.heads())
    except StoreRefused as refused:
        yield fail(str(refused), "see owner and mode, or restore a backup", str(path))
        return
    if path.stat().st_mode & 0o077:
        yield fail("others on this machine may read or write it", f"chmod 600 {path}", str(path))
    free = shutil.disk_usage(path.parent).free
    if free < FREE_LEAST_BYTES:
        yield warn(f"{free / 2**20:.0f} MiB are free beside it", "make room: a full disk stops new orders", str(path))
    else:
        yield ok(f"{entries} entries, {free / 2**30:.0f} GiB free beside it", str(path))


def secret_files(settings: "Settings") -> Iterator[Finding]:
    """Whether the files of keys, tokens and the TLS key are for us alone."""
    from execsvc.runtime.secrets import SecretFileError, read_secret

    files = [file for account in settings.accounts if account.keys for file in vars(account.keys).values()]
    files += [] if settings.tls is None else [settings.tls.key]
    files += [settings.tokens] if settings.tokens is not None and os.path.lexists(settings.tokens) else []
    named = os.environ.get("EXECSVC_TOKEN_FILE")
    files += [Path(named)] if named else []
    for file in filter(None, files):
        try:
            read_secret(file)
        except (SecretFileError, OSError) as unfit:
            yield fail(str(unfit), f"chmod 600 {file}, and own it", str(file))
        else:
            yield ok("for its owner alone", str(file))


def ports(settings: "Settings", *, served: bool) -> Iterator[Finding]:
    """Whether a start would get its addresses, or the gateway has them."""
    for name, address in (("gRPC", settings.listen), ("HTTP", settings.http)):
        if address is None or address.path or not address.port:
            continue
        about = f"{name} {address}"
        if _is_free(address):
            yield ok("free", about)
        elif served:
            yield ok("taken, as a gateway runs", about)
        else:
            yield fail("another program has it", "end that, or choose another with --listen (EXECSVC_LISTEN)", about)


def _is_free(address: "Address") -> bool:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe:
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True
