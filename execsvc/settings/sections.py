"""The sections of the file: their shapes, and the way from a table to a value of that shape with every problem kept.

A key that a shape does not have is a problem, and so is a value of another kind; both are told with their path and line.
What the values must be besides is said where they are used: accounts.py, callers.py, limits.py.
"""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import date, time
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from execsvc.domain.market import Side
from execsvc.domain.spec import OrderType
from execsvc.settings.figures import TOO_LONG, is_too_long
from execsvc.settings.sources import Sources, unknown_key

T = TypeVar("T")
_SHOWN_MOST = 40  # characters of a value that is told


@dataclass(frozen=True)
class AccountTable:
    """[accounts.NAME]: where its key is read from, and its own figures in place of the common ones."""

    key_file: str = ""
    secret_file: str = ""
    tier: str = ""
    dead_mans_switch: int | None = None


@dataclass(frozen=True)
class CallerTable:
    """[callers.NAME]: what a caller may do at most. Empty lists of pairs, sides and types mean all."""

    permissions: tuple[str, ...]
    symbols: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    order_types: tuple[OrderType, ...] = ()
    max_order_notional: Decimal | None = None
    orders_per_s: int | None = None
    certificates: tuple[str, ...] = ()
    weight: int = 1
    default_account: str = ""


def tables_of(sources: Sources, section: str, problems: list[str]) -> Mapping[str, Mapping[str, Any]]:
    """The tables in a section, by name."""
    value = sources.sections.get(section, {})
    if not isinstance(value, dict):
        problems.append(f"{sources.place(section)}: {section}: sections of their own, [{section}.NAME]")
        return {}
    found = {}
    for name, table in value.items():
        if isinstance(table, dict):
            found[name] = table
        else:
            problems.append(f"{sources.place(f'{section}.{name}')}: {section}.{name}: a section, [{section}.{name}]")
    return found


def alike(sources: Sources, section: str, names: Iterable[str], problems: list[str]) -> None:
    """A problem for each name that is another's but for capitals: people, file systems and dashboards take them for one."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            path = f"{section}.{name}"
            problems.append(f"{sources.place(path)}: {path}: only capitals tell it from {other}; choose another name")


def shaped(sources: Sources, path: str, table: Mapping[str, Any], shape: type[T], problems: list[str]) -> T | None:
    """The table as a value of that shape; None when a part of it cannot be used, every such part being a problem."""
    hints, given, before = get_type_hints(shape), dict[str, Any](), len(problems)
    rows = {each.name: each for each in fields(shape)}  # type: ignore[arg-type]  # a shape is a dataclass
    for key, value in table.items():
        here = f"{path}.{key}" if path else key
        if key not in rows:
            problems.append(unknown_key(sources.place(here), here, rows))
            continue
        try:
            given[key] = msgspec.convert(value, hints[key])
        except msgspec.ValidationError:
            problems.append(f"{sources.place(here)}: {_unlike(here, value, hints[key])}")
        else:
            if is_too_long(given[key]):
                problems.append(f"{sources.place(here)}: {here}: {TOO_LONG}")
    for key, row in rows.items():
        if key not in table and row.default is MISSING and row.default_factory is MISSING:
            problems.append(f"{sources.place(path)}: {path}: {key} is missing")
    return shape(**given) if len(problems) == before else None


def _unlike(path: str, value: object, hint: Any) -> str:
    """Where the value is not what the shape wants, what that is, and what it is instead."""
    kind = next(each for each in get_args(hint) if each is not type(None)) if isinstance(hint, UnionType) else hint
    if get_origin(kind) not in {tuple, frozenset}:
        return f"{path}: {_wanted(kind)}, not {_told(value)}"
    if not isinstance(value, list):
        return f"{path}: a list, written in [ ], not {_told(value)}"
    element = get_args(kind)[0]
    place = next((place for place, each in enumerate(value) if not _fits(each, element)), 0)
    return _unlike(f"{path}[{place}]", value[place], element)


def _fits(value: object, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _wanted(kind: type) -> str:
    if issubclass(kind, Enum):
        return f"one of {', '.join(str(each.value) for each in kind)}"
    return {int: "a whole number", Decimal: "a number", str: "text, in quotes"}[kind]


def _told(value: object) -> str:
    """The value in a few words, as the file has it."""
    match value:
        case bool(on):
            return "true" if on else "false"
        case dict():
            return "a table"
        case list():
            return "a list"
        case int() | Decimal() if is_too_long(value):
            return "one of so many digits"
        case str(text):
            return f'"{text[:_SHOWN_MOST]}{"…" if len(text) > _SHOWN_MOST else ""}"'
        case date() | time():
            return "a date or time"
        case _:
            return str(value)
