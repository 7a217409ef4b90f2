"""The accounts: their names, where each one's key is read from, and the figures that are its own.

Without a section there is one account, `main`. An account that stands alone may have its key from the environment too; of
several each has a file or a credential of its own, since the environment's names do not say which account they mean.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from execsvc.settings.names import KEY_NAMES, TIERS
from execsvc.settings.scalars import Scalars
from execsvc.settings.sections import AccountTable, alike, shaped, tables_of
from execsvc.settings.sources import Sources, did_you_mean
from execsvc.settings.values import AccountSettings, KeySource, Mode, VenueUrls

MAIN = "main"
KEYS = "keys"  # which accounts there are, and where each one's key is
DEAD_MAN_LEAST_S, DEAD_MAN_MOST_S = 15, 3600  # it is refreshed three times within its time
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_CREDENTIALS = "CREDENTIALS_DIRECTORY"  # systemd's: what lies in it outranks files, and is compose's to read


def accounts_of(
    sources: Sources, scalars: Scalars, mode: Mode, venue: VenueUrls | None, *, tier: str
) -> tuple[AccountSettings, ...]:
    """In the order of the file; one at least. `tier` is that of an account of which nothing is said."""
    with scalars.part(KEYS):
        tables = tables_of(sources, "accounts", scalars.problems)
        alike(sources, "accounts", tables, scalars.problems)
    common = AccountSettings(
        MAIN, tier=scalars.choice("EXECSVC_TIER", tier), dead_man_s=scalars.integer("EXECSVC_DEAD_MANS_SWITCH", 0)
    )
    if not _dead_man_fits(common.dead_man_s):
        scalars.wrong("EXECSVC_DEAD_MANS_SWITCH", _DEAD_MAN)
    if mode is Mode.LIVE and common.tier == "unlimited":
        scalars.wrong("EXECSVC_TIER", _NO_LIMITS)
    found, alone = [], len(tables) < 2  # noqa: PLR2004 - one account, or none that is named
    for name, table in (tables or {MAIN: {}}).items():
        path = f"accounts.{name}"
        with scalars.part(KEYS):
            row = _row(path, name, table, sources, scalars)
            keys = None if venue is None else _keys(row, name, sources, scalars, mode, alone=alone)
        tier_here, dead_man_s = _figures(row, common, path, sources, scalars, mode)
        found.append(AccountSettings(name, keys, tier_here, dead_man_s))
    if not alone and venue is not None:
        with scalars.part(KEYS):
            _no_common_key(sources, scalars)
            _files_of_their_own(tuple(found), sources, scalars)
    return tuple(found)


def _row(path: str, name: str, table: Mapping[str, Any], sources: Sources, scalars: Scalars) -> AccountTable:
    if not _NAME.fullmatch(name):
        words = "an account's name is 1 to 64 letters, digits, points, dashes and underscores"
        scalars.problem(f"{sources.place(path)}: {path}: {words}")
    return shaped(sources, path, table, AccountTable, scalars.problems) or AccountTable()


_DEAD_MAN = f"0 or {DEAD_MAN_LEAST_S} to {DEAD_MAN_MOST_S} seconds"
_NO_LIMITS = "no account at Kraken is without limits; say starter, intermediate or pro"


def _figures(
    row: AccountTable, common: AccountSettings, path: str, sources: Sources, scalars: Scalars, mode: Mode
) -> tuple[str, int]:
    """Tier and dead man's switch: the environment's, else the account's own, else the file's common ones."""
    tier, dead_man_s = common.tier, common.dead_man_s
    if row.tier and not scalars.outranks_the_file("EXECSVC_TIER"):
        here = f"{sources.place(f'{path}.tier')}: {path}.tier"
        if row.tier not in TIERS:
            scalars.problem(f"{here}: must be one of {', '.join(TIERS)}{did_you_mean(row.tier, TIERS)}")
        elif mode is Mode.LIVE and row.tier == "unlimited":
            scalars.problem(f"{here}: {_NO_LIMITS}")
        tier = row.tier
    if row.dead_mans_switch is not None and not scalars.outranks_the_file("EXECSVC_DEAD_MANS_SWITCH"):
        dead_man_s = row.dead_mans_switch
        here = f"{path}.dead_mans_switch"
        if not _dead_man_fits(dead_man_s):
            scalars.problem(f"{sources.place(here)}: {here} = {dead_man_s}: {_DEAD_MAN}")
    return tier, dead_man_s


def _dead_man_fits(seconds: int) -> bool:
    return not seconds or DEAD_MAN_LEAST_S <= seconds <= DEAD_MAN_MOST_S


def _keys(row: AccountTable, name: str, sources: Sources, scalars: Scalars, mode: Mode, *, alone: bool) -> KeySource:
    """Where both halves are; the environment's files win over those of the file, where the account stands alone."""
    halves = []
    for variable, key, given in (
        ("KRAKEN_API_KEY", "key_file", row.key_file),
        ("KRAKEN_API_SECRET", "secret_file", row.secret_file),
    ):
        named = sources.environ.get(f"{variable}_FILE", "").strip() if alone else ""
        folder = Path() if sources.file is None else sources.file.parent
        file = Path(named) if named else folder / given if given.strip() else None
        there = file or (alone and sources.environ.get(variable, "").strip()) or sources.environ.get(_CREDENTIALS)
        if not there and (alone and not sources.sections.get("accounts")):
            where = "live mode" if mode is Mode.LIVE else "a venue address of your own"
            scalars.problem(f"{variable}: missing; {where} needs {variable}_FILE (better) or {variable}")
        elif not there:
            path = f"accounts.{name}"
            scalars.problem(f"{sources.place(path)}: {path}: {key} is missing: a file that only execsvc can read")
        halves.append(file)
    return KeySource(*halves)


def _no_common_key(sources: Sources, scalars: Scalars) -> None:
    for name in KEY_NAMES:
        if sources.environ.get(name, "").strip():
            scalars.problem(
                f"{name}: of which of several accounts? unset it, and name key_file and secret_file in [accounts.NAME]"
            )


def _files_of_their_own(accounts: tuple[AccountSettings, ...], sources: Sources, scalars: Scalars) -> None:
    """Two names for one key are one account that undoes its own counts."""
    seen: dict[Path, str] = {}
    for account in accounts:
        file = None if account.keys is None else account.keys.key_file
        other = account.name if file is None else seen.setdefault(file, account.name)
        if other != account.name:
            here = f"accounts.{account.name}.key_file"
            scalars.problem(f"{sources.place(here)}: {here}: is that of {other}; each account has a key of its own")
