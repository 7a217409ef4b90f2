"""The settings in force as rows for people: name, value, and where it was said.

Names are those of the file's sections and, for what has none, of the environment. A secret is no setting; what is shown of a
key is the file it lies in.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from decimal import Decimal
from enum import Enum
from pathlib import Path

from execsvc.domain import money
from execsvc.domain.rights import Rights
from execsvc.domain.riskrules import RATE_OFF, RiskRule
from execsvc.settings.limits import SCOPE
from execsvc.settings.values import AccountSettings, CallerSettings, KeySource, Settings

DEFAULT = "default"
FILE_RULES = "risk.rules"


@dataclass(frozen=True)
class Shown:
    """One row. origin: default, environment, command line, or FILE:LINE."""

    name: str
    value: str
    origin: str


def shown(settings: Settings) -> tuple[Shown, ...]:
    """All that is in force, common settings first."""
    return (
        *(Shown(name, value, settings.origins.get(name, DEFAULT)) for name, value in _common(settings)),
        *(row for account in settings.accounts for row in _account(settings, account)),
        *(row for caller in settings.callers for row in _caller(settings, caller)),
        *_rules(settings),
    )


def _common(settings: Settings) -> tuple[tuple[str, str], ...]:
    venue, tls = settings.venue, settings.tls
    return (
        ("EXECSVC_CONFIG", _text(settings.config)),
        ("EXECSVC_MODE", settings.mode.value),
        ("EXECSVC_LISTEN", str(settings.listen)),
        ("EXECSVC_HTTP_LISTEN", "off" if settings.http is None else str(settings.http)),
        ("EXECSVC_STORE", _store(settings)),
        ("EXECSVC_TOKENS", "off" if settings.tokens is None else str(settings.tokens)),
        ("EXECSVC_TLS_CERT_FILE", _text(None if tls is None else tls.certificate)),
        ("EXECSVC_TLS_KEY_FILE", _text(None if tls is None else tls.key)),
        ("EXECSVC_TLS_CLIENT_CA_FILE", _text(None if tls is None else tls.client_ca)),
        ("EXECSVC_INSECURE_BIND", _text(settings.insecure_bind)),
        ("EXECSVC_KRAKEN_REST_URL", "built-in exchange" if venue is None else venue.rest),
        ("EXECSVC_KRAKEN_WS_URL", "built-in exchange" if venue is None else venue.ws),
        ("EXECSVC_KRAKEN_WS_AUTH_URL", "built-in exchange" if venue is None else venue.ws_auth),
        ("EXECSVC_CALLER_WEIGHTS", _figures(_uneven(settings)) or "1 each"),
        ("EXECSVC_REST_COSTS", _figures(settings.rest_costs.items()) or "none"),
        ("EXECSVC_ALLOW_SHARED_KEY", _text(settings.allow_shared_key)),
        ("EXECSVC_CLEAR_HALT", _text(settings.clear_halt)),
        ("EXECSVC_DEADLINE_FLOOR", f"{settings.deadline_floor_s:g}"),
        ("EXECSVC_VISIBILITY_BOUND", f"{settings.visibility_s:g}"),
        ("EXECSVC_RETENTION_DAYS", str(settings.retention_days)),
        ("EXECSVC_ID_RETENTION_DAYS", str(settings.id_retention_days)),
        ("EXECSVC_LOG_LEVEL", settings.log_level),
        ("EXECSVC_SEED", str(settings.seed)),
        ("EXECSVC_DEMO", _text(settings.demo)),
    )


def _uneven(settings: Settings) -> Iterable[tuple[str, int]]:
    return ((name, weight) for name, weight in settings.caller_weights.items() if weight != 1)


def _store(settings: Settings) -> str:
    if settings.store is not None:
        return f"sqlite:///{str(settings.store).lstrip('/')}"
    return "temporary" if settings.store_is_temporary else "memory:"


def _account(settings: Settings, account: AccountSettings) -> Iterator[Shown]:
    keys = account.keys or KeySource(None, None)
    for key, name, file in (
        ("key_file", "KRAKEN_API_KEY", keys.key_file),
        ("secret_file", "KRAKEN_API_SECRET", keys.secret_file),
    ):
        yield _half(settings, f"accounts.{account.name}.{key}", name, file, used=account.keys is not None)
    for key, name, figure in (
        ("tier", "EXECSVC_TIER", account.tier),
        ("dead_mans_switch", "EXECSVC_DEAD_MANS_SWITCH", account.dead_man_s),
    ):
        path = f"accounts.{account.name}.{key}"
        yield Shown(path, _text(figure), _nearest(settings, name, path))


def _half(settings: Settings, path: str, name: str, file: Path | None, *, used: bool) -> Shown:
    """Of a key: the file it lies in, or where else it is read from."""
    origin = _nearest(settings, f"{name}_FILE", path)
    if not used:
        return Shown(path, "none" if origin == DEFAULT else "not used: the built-in exchange needs no key", origin)
    if file is None and name in settings.origins:
        return Shown(path, f"{name} itself", settings.origins[name])
    return Shown(path, "a systemd credential" if file is None else str(file), origin)


def _nearest(settings: Settings, name: str, path: str) -> str:
    """Environment and command line outrank the account's own entry, which outranks the file's common one."""
    common = settings.origins.get(name, DEFAULT)
    return common if common in {"environment", "command line"} else settings.origins.get(path, common)


def _caller(settings: Settings, caller: CallerSettings) -> Iterator[Shown]:
    rights = Rights(caller.unbound, caller.grants, caller.default)
    bounds = rights.bounds()
    for key, value in (
        ("permissions", rights.words()),
        ("symbols", sorted(bounds.symbols) or "all"),
        ("sides", sorted(each.value for each in bounds.sides) or "all"),
        ("order_types", sorted(each.value for each in bounds.order_types) or "all"),
        ("max_order_notional", bounds.max_order_notional),
        ("orders_per_s", bounds.orders_per_s),
        ("certificates", caller.certificates),
        ("weight", settings.caller_weights.get(caller.name, caller.weight)),
        ("default_account", caller.default),
    ):
        path = f"callers.{caller.name}.{key}"
        yield Shown(path, _text(value), settings.origins.get(path, DEFAULT))


def _rules(settings: Settings) -> Iterator[Shown]:
    """Each rule on one row; where it stands is told as the place of its beginning."""
    for path, rule in zip(_places(settings), settings.risk.rules, strict=True):
        scope = ", ".join(f"{key} {getattr(rule, key)}" for key in SCOPE if getattr(rule, key)) or "every order"
        limits = "; ".join(f"{name} {_limit(name, value)}" for name, value in _named(rule))
        yield Shown(path, f"{scope}: {limits}", settings.origins.get(path, DEFAULT))


def _places(settings: Settings) -> tuple[str, ...]:
    """The name of each rule, in the order in which limits.py put them."""
    said = ["EXECSVC_MAX_ORDER_NOTIONAL"] if "EXECSVC_MAX_ORDER_NOTIONAL" in settings.origins else []
    in_risk = any(path.startswith("risk.") and not path.startswith(FILE_RULES) for path in settings.origins)
    first = [*said, *(["risk"] if in_risk else [])]
    rest = len(settings.risk.rules) - len(first)
    return (*first, *(f"{FILE_RULES}[{place}]" for place in range(rest)))


def _named(rule: RiskRule) -> Iterator[tuple[str, object]]:
    for each in fields(rule):
        value = getattr(rule, each.name)
        if each.name not in SCOPE and value is not None and value != frozenset():
            yield each.name, value


def _limit(name: str, value: object) -> str:
    off = (isinstance(value, Decimal) and not value.is_finite()) or (name.endswith("_per_s") and value == RATE_OFF)
    return "off" if off else _text(value)


def _figures(pairs: Iterable[tuple[str, int]]) -> str:
    return ",".join(f"{name}={figure}" for name, figure in pairs)


def _text(value: object) -> str:
    match value:
        case None | "" | ():
            return "none"
        case bool(on):
            return "on" if on else "off"
        case Decimal() as amount:
            return money.text(amount)
        case Enum(value=word):
            return str(word)
        case Path() | str() | int():
            return str(value)
        case _ if isinstance(value, Iterable):
            return ", ".join(sorted(map(str, value)) if isinstance(value, frozenset) else map(str, value)) or "none"
        case _:
            return str(value)
