"""The token of this machine's own gateway, for verbs that were given none: `admin.token` beside its store, as it wrote it.

It goes to a loopback address or a unix socket only, and only where we or root are who listens there: while the gateway is
down any user of the machine may sit on its port. Which token a command line names is reach.py's.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from ipaddress import ip_address
from pathlib import Path

from execsvc.cli.atrest import settings_at_rest

ADMIN = "admin.token"
_SQLITE = "sqlite:///"
_LISTENS = "0A"  # proc(5), /proc/net/tcp: the state of a socket, in hex
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_UID_AT, _STATE_AT, _LOCAL_AT = 7, 3, 1


def default_token(target: str) -> str:
    """The token for the gateway at `target`; empty where it is not this machine's, not ours, or has none.

    Raises SecretFileError (a ValueError) for a file that is there and cannot be trusted or read.
    """
    path = token_folder(os.environ) / ADMIN
    if not path.exists() or not is_ours(target):
        return ""
    from execsvc.runtime.secrets import read_secret

    return read_secret(path).reveal()


def token_folder(environ: Mapping[str, str]) -> Path:
    """Where `serve` with these variables keeps its tokens: as these or EXECSVC_CONFIG say, else the usual place."""
    if environ.get("EXECSVC_CONFIG", "").strip():
        from execsvc.settings import SettingsRefused

        with suppress(SettingsRefused):  # config check says what is wrong with it
            tokens_file = settings_at_rest(environ, {}).tokens
            if tokens_file is not None:
                return tokens_file.parent
    tokens = environ.get("EXECSVC_TOKENS", "").strip()
    if tokens and tokens.lower() != "off":
        return Path(tokens).parent
    store = environ.get("EXECSVC_STORE", "").strip()
    if store.startswith(_SQLITE):
        return Path("/" + store.removeprefix(_SQLITE).lstrip("/")).parent
    state = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "/var/lib") / ".local" / "state")
    return Path(state) / "execsvc"


def is_ours(target: str, tables: Iterable[Path] = _TABLES) -> bool:
    """Whether whoever listens there is this user or root, on this machine; not where that cannot be known."""
    if target.startswith("unix:"):
        try:
            owner = Path(target.removeprefix("unix:").removeprefix("//")).stat().st_uid
        except OSError:
            return False
        return owner in _trusted()
    host, _, port = target.rpartition(":")
    if not port.isdecimal() or not _is_loopback(host.removeprefix("[").removesuffix("]")):
        return False
    owners = listeners(int(port), tables)
    return bool(owners) and owners <= _trusted()


def listeners(port: int, tables: Iterable[Path] = _TABLES) -> frozenset[int]:
    """The users that listen on a port of this machine, whatever the address."""
    found = set()
    for table in tables:
        try:
            lines = table.read_text(encoding="ascii").splitlines()[1:]
        except (OSError, ValueError):
            continue
        for columns in map(str.split, lines):
            if len(columns) > _UID_AT and columns[_STATE_AT] == _LISTENS:
                at = int(columns[_LOCAL_AT].rpartition(":")[2], 16)
                found |= {int(columns[_UID_AT])} if at == port else set()
    return frozenset(found)


def _trusted() -> frozenset[int]:
    return frozenset({os.geteuid(), 0})


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
