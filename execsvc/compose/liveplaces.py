"""Looks at this machine for the live check: where the store lies, which doors there are, who may call.

Files are only read; nothing here asks the exchange. What the facts mean is app/liveground.py's.
"""

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from execsvc.app.livefacts import CallerFacts, Door, StoreFacts, TokenFacts
from execsvc.domain.caller import Permission
from execsvc.domain.rights import Rights
from execsvc.domain.token import Token
from execsvc.ports import Clock
from execsvc.runtime import tokenfile
from execsvc.runtime.otel import ENDPOINTS
from execsvc.runtime.x509 import Unreadable, validities
from execsvc.settings import Address, Settings
from execsvc.store.inspect import inspecting
from execsvc.store.place import disk_kind

KNOCK_S = 2.0
OTLP_PORT = 4317
_SIDE_FILES = ("-wal", "-shm", "-journal", ".lock")


# ---- the store --------------------------------------------------------------------------------------------------


def store_facts(path: Path, now_ns: int) -> StoreFacts:
    """Of a store that was opened: how full its disk is, what kind that is, how old its newest backup."""
    with inspecting(path) as store:
        entries, tried_ns = sum(head.sequence for head in store.heads()), store.newest("mode")
    return StoreFacts(
        str(path),
        disk=disk_kind(path),
        free_bytes=shutil.disk_usage(path.parent).free,
        entries=entries,
        backup_age_s=_backup_age_s(path, now_ns),
        switch_tried_ns=tried_ns,
    )


def _backup_age_s(path: Path, now_ns: int) -> float | None:
    """Of the newest file beside the store whose name begins with the store's and that is none of SQLite's own."""
    ages = [
        (now_ns - each.stat().st_mtime_ns) / 1e9
        for each in path.parent.glob(f"{path.name}[.-]*")
        if each.is_file() and each.name.removeprefix(path.name) not in _SIDE_FILES
    ]
    return max(0.0, min(ages)) if ages else None


# ---- doors ------------------------------------------------------------------------------------------------------


def doors(settings: Settings) -> tuple[Door, ...]:
    """The listeners that a start would open."""
    named = (("gRPC", settings.listen), ("HTTP", settings.http))
    until_ns = None if settings.tls is None else certificate_end_ns(settings.tls.certificate)
    return tuple(
        Door(name, str(address), address.is_local, settings.tls is not None, until_ns, _folder_mode(address))
        for name, address in named
        if address is not None
    )


def certificate_end_ns(file: Path) -> int | None:
    """Until when the first certificate of a chain is valid; None for one that cannot be read, which a start refuses."""
    try:
        return validities(file.read_text())[0].until_ns
    except (OSError, UnicodeDecodeError, Unreadable):
        return None


def _folder_mode(address: Address) -> int | None:
    folder = Path(address.path).parent if address.path else None
    return folder.stat().st_mode & 0o777 if folder is not None and folder.is_dir() else None


# ---- callers ----------------------------------------------------------------------------------------------------


async def callers(settings: Settings, environ: Mapping[str, str], clock: Clock) -> CallerFacts:
    """Tokens as they are bounded in the end, by themselves and by the settings; and where the figures go."""
    tokens, problem = _tokens(settings)
    exporter = next((environ[name] for name in ENDPOINTS if environ.get(name)), "")
    return CallerFacts(
        tokens_at="" if settings.tokens is None else str(settings.tokens),
        problem=problem,
        tokens=tokens,
        metrics_at="" if settings.http is None else str(settings.http),
        exporter=exporter,
        exporter_problem=await _knock(exporter, clock) if exporter else "",
    )


def _tokens(settings: Settings) -> tuple[tuple[TokenFacts, ...], str]:
    if settings.tokens is None or not os.path.lexists(settings.tokens):
        return (), ""
    try:
        return tuple(_token(each, settings) for each in tokenfile.read(settings.tokens)), ""
    except tokenfile.TokenFileError as unfit:
        return (), str(unfit)


def _token(token: Token, settings: Settings) -> TokenFacts:
    accounts = tuple(account.name for account in settings.accounts)
    rights = token.rights.over(accounts)
    configured = next((each for each in settings.callers if each.name == token.caller), None)
    if configured is not None:
        rights = rights.narrowed(Rights(configured.unbound, configured.grants, configured.default))
    trading = [grant for grant in rights.grants.values() if Permission.TRADE in grant.permissions]
    return TokenFacts(
        token.id,
        token.caller,
        token.expires_ns,
        bounded=all(grant.symbols for grant in trading),
        limited=all(grant.max_order_notional is not None or grant.orders_per_s is not None for grant in trading),
        trades=bool(trading),
    )


def named_pairs(settings: Settings) -> tuple[str, ...]:
    """Those that the settings name, for callers and for limits."""
    granted = {symbol for each in settings.callers for grant in each.grants.values() for symbol in grant.symbols}
    limited = {rule.symbol for rule in settings.risk.rules if rule.symbol}
    return tuple(sorted(granted | limited))


async def _knock(address: str, clock: Clock) -> str:
    """Why nobody answers at the exporter's address; empty when somebody does."""
    parts = urlsplit(address if "//" in address else f"//{address}")
    try:
        async with clock.timeout_at(clock.monotonic() + KNOCK_S):
            _, writer = await asyncio.open_connection(parts.hostname or "", parts.port or OTLP_PORT)
            writer.close()
    except (OSError, TimeoutError, ValueError) as failure:
        return f"the telemetry collector does not answer: {failure or 'no answer in time'}"
    return ""
