"""The sections of the file: their shapes, and the way from a table to a value of that shape with every problem kept.

A key that a shape does not have is a problem, and so is a value of another kind; both are told with their path and line.
What the values must be besides is said where they are used: accounts.py, callers.py, limits.py.
"""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from decimal import Decimal
from typing import Any, TypeVar, get_type_hints

import msgspec

from execsvc.domain.market import Side
from execsvc.domain.spec import OrderType
from execsvc.settings.sources import Sources, unknown_key

T = TypeVar("T")
_AT = " - at `$"


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
        except msgspec.ValidationError as failure:
            problems.append(_of_value(sources.place(here), here, str(failure)))
    for key, row in rows.items():
        if key not in table and row.default is MISSING and row.default_factory is MISSING:
            problems.append(f"{sources.place(path)}: {path}: {key} is missing")
    return shape(**given) if len(problems) == before else None


def _of_value(place: str, path: str, failure: str) -> str:
    what, _, within = failure.partition(_AT)
    return f"{place}: {path}{within.removesuffix('`')}: {what[:1].lower()}{what[1:]}"
