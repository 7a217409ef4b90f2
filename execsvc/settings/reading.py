"""Every source into one frozen tree, or every problem at once.

`from_sources` is pure; `load` also reads the file that EXECSVC_CONFIG or --config names. A file that others may write to is
refused: whoever can write it grants himself rights and lifts limits.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from execsvc.settings.accounts import KEYS, accounts_of
from execsvc.settings.callers import callers_of
from execsvc.settings.doors import doors_of
from execsvc.settings.limits import risk_of, unlimited
from execsvc.settings.names import KEY_NAMES, MODES
from execsvc.settings.scalars import Scalars
from execsvc.settings.sources import SECTIONS, ConfigText, Sources, gather
from execsvc.settings.values import Mode, Settings, SettingsRefused
from execsvc.settings.venues import VENUE, venue_of

CONFIG = "EXECSVC_CONFIG"
STORE, DOORS = "store", "doors"
BYTES_MAX = 1 << 20
_OTHERS_WRITE = 0o002


@dataclass(frozen=True)
class Draft:
    """Settings as far as they can be used; with problems they are for a look only, and nothing may be started on them.

    unfit: the parts that may be other than they were meant: STORE, DOORS, VENUE (its addresses), KEYS (accounts, key files).
    What stands in their place is a default or what was said, and must be neither opened nor asked.
    """

    settings: Settings
    problems: tuple[str, ...]
    unfit: frozenset[str]


def load(environ: Mapping[str, str], *, overrides: Mapping[str, str], dev: bool) -> Settings:
    """The settings; overrides (command line) win over the environment, and that over the file. Raises SettingsRefused."""
    return _whole(load_draft(environ, overrides=overrides, dev=dev))


def load_draft(environ: Mapping[str, str], *, overrides: Mapping[str, str], dev: bool) -> Draft:
    """The settings as far as they can be used. Raises SettingsRefused for a file that cannot be read."""
    named = {**environ, **overrides}.get(CONFIG, "").strip()
    return draft(environ, overrides, None if not named else read_config(Path(named)), dev=dev)


def read_config(path: Path) -> ConfigText:
    """The file's text. Raises SettingsRefused for one that cannot be read, or that others can write."""
    try:
        with path.open("rb") as file:
            mode, raw = os.fstat(file.fileno()).st_mode, file.read(BYTES_MAX + 1)
        if mode & _OTHERS_WRITE:
            raise SettingsRefused((f"{path}: everybody on this machine can write it; chmod o-w {path}",))
        if len(raw) > BYTES_MAX:
            raise SettingsRefused((f"{path}: larger than {BYTES_MAX} bytes: not a configuration",))
        return ConfigText(path, raw.decode())
    except OSError as failure:
        raise SettingsRefused((f"{path}: {failure.strerror or failure}",)) from None
    except UnicodeDecodeError:
        raise SettingsRefused((f"{path}: not UTF-8 text",)) from None


def from_sources(
    environ: Mapping[str, str], overrides: Mapping[str, str], config: ConfigText | None, *, dev: bool
) -> Settings:
    """The same without reading anything. Raises SettingsRefused with every problem."""
    return _whole(draft(environ, overrides, config, dev=dev))


def _whole(found: Draft) -> Settings:
    if found.problems:
        raise SettingsRefused(found.problems)
    return found.settings


def draft(environ: Mapping[str, str], overrides: Mapping[str, str], config: ConfigText | None, *, dev: bool) -> Draft:
    """The settings as far as they can be used, and every problem."""
    sources = gather(environ, overrides, config)
    scalars = Scalars(sources)
    settings = _settings(sources, scalars, dev=dev)
    if settings.id_retention_days < settings.retention_days:
        above = scalars.said("EXECSVC_RETENTION_DAYS", str(settings.retention_days))
        ids = scalars.key("EXECSVC_ID_RETENTION_DAYS")
        scalars.problem(f"{above}: must not be above {ids}, which is {settings.id_retention_days}")
    if settings.mode is Mode.LIVE:
        for name in unlimited(settings.risk, (each.name for each in settings.accounts)):
            scalars.problem(
                f"EXECSVC_MAX_ORDER_NOTIONAL: missing for account {name}; live mode needs the largest order in USD, there or "
                "as max_order_notional in [risk]"
            )
    unfit = {STORE, DOORS, VENUE, KEYS} if sources.unread else scalars.unfit
    return Draft(settings, tuple(scalars.problems), frozenset(unfit))


def _settings(sources: Sources, scalars: Scalars, *, dev: bool) -> Settings:
    mode = Mode(scalars.choice("EXECSVC_MODE", MODES[0]))
    if dev and mode is Mode.LIVE:
        scalars.problem("EXECSVC_MODE=live: dev is paper only; use execsvc serve")
    with scalars.part(STORE, "EXECSVC_STORE"):
        store = _store(scalars, mode, sources.environ, dev=dev)
    beside = None if dev else (store or _state(sources.environ)).parent
    with scalars.part(DOORS):
        doors = doors_of(scalars, mode, beside)
    venue = venue_of(scalars, mode)
    accounts = accounts_of(sources, scalars, mode, venue, tier="intermediate" if dev else "starter")
    names = tuple(each.name for each in accounts)
    callers = callers_of(sources, names, scalars.problems)
    weights = {each.name: each.weight for each in callers} | scalars.figures("EXECSVC_CALLER_WEIGHTS")
    return Settings(
        mode=mode,
        dev=dev,
        listen=doors.listen,
        http=doors.http,
        venue=venue,
        store=store,
        store_is_temporary=dev and not scalars.has("EXECSVC_STORE"),
        accounts=accounts,
        callers=callers,
        caller_weights=weights,
        risk=risk_of(sources, names, scalars.amount("EXECSVC_MAX_ORDER_NOTIONAL"), scalars.problems),
        rest_costs=scalars.figures("EXECSVC_REST_COSTS"),
        tls=doors.tls,
        tokens=doors.tokens,
        insecure_bind=doors.insecure,
        seed=scalars.integer("EXECSVC_SEED", 42),
        demo=scalars.switch("EXECSVC_DEMO", default=dev),
        log_level=scalars.choice("EXECSVC_LOG_LEVEL", "info"),
        deadline_floor_s=scalars.seconds("EXECSVC_DEADLINE_FLOOR", 2.0),
        visibility_s=scalars.seconds("EXECSVC_VISIBILITY_BOUND", 3.0),
        retention_days=scalars.integer("EXECSVC_RETENTION_DAYS", 90),
        id_retention_days=scalars.integer("EXECSVC_ID_RETENTION_DAYS", 400),
        allow_shared_key=scalars.switch("EXECSVC_ALLOW_SHARED_KEY"),
        clear_halt=scalars.text("EXECSVC_CLEAR_HALT"),
        config=sources.file,
        origins=MappingProxyType(_origins(sources)),
    )


def _origins(sources: Sources) -> dict[str, str]:
    """By the setting's name; of the file's other sections by the dotted path."""
    lines = (
        {} if sources.file is None else {path: f"{sources.file.name}:{line}" for path, line in sources.lines.items()}
    )
    in_sections = {path: place for path, place in lines.items() if re.split(r"[.\[]", path)[0] in SECTIONS}
    keys = {name: "environment" for name in KEY_NAMES if sources.environ.get(name, "").strip()}
    return in_sections | keys | {name: said.place for name, said in sources.said.items()}


def _state(environ: Mapping[str, str]) -> Path:
    """Where the store is when nobody says where."""
    home = Path(environ.get("HOME", "").strip() or "/var/lib")
    return Path(environ.get("XDG_STATE_HOME", "").strip() or home / ".local" / "state") / "execsvc" / "execsvc.db"


def _store(scalars: Scalars, mode: Mode, environ: Mapping[str, str], *, dev: bool) -> Path | None:
    value = scalars.text("EXECSVC_STORE")
    if value.startswith("postgresql:"):
        scalars.problem("EXECSVC_STORE: PostgreSQL is not in this build; use sqlite:///path")
    elif value == "memory:":
        if mode is Mode.LIVE:
            scalars.wrong("EXECSVC_STORE", "forgets orders at every stop; live mode needs sqlite:///path")
    elif value.startswith("sqlite:///") and len(value) > len("sqlite:///"):
        return Path("/" + value.removeprefix("sqlite:///").lstrip("/"))
    elif value:
        scalars.wrong("EXECSVC_STORE", "write sqlite:///absolute/path")
    elif not dev:
        return _state(environ)
    return None
