"""The callers of the file: what each may do at most, and the certificates that are it.

A caller that only tokens name needs no section; one that has a section is held to it, whatever its tokens say. Rights are
written as everywhere (domain/rights.py), `*` being every account of this file.
"""

from collections.abc import Iterable

from execsvc.domain.caller import Grant
from execsvc.domain.money import ZERO
from execsvc.domain.rights import EVERY, Rights, name_fault, rights_of
from execsvc.settings.pairs import pair_fault
from execsvc.settings.sections import CallerTable, alike, shaped, tables_of
from execsvc.settings.sources import Sources, did_you_mean
from execsvc.settings.values import CallerSettings

WEIGHT_MAX = 100


def callers_of(sources: Sources, accounts: Iterable[str], problems: list[str]) -> tuple[CallerSettings, ...]:
    """In the order of the file."""
    found, whose = [], dict[str, str]()
    tables = tables_of(sources, "callers", problems)
    alike(sources, "callers", tables, problems)
    for name, table in tables.items():
        path = f"callers.{name}"
        if fault := name_fault(name):
            problems.append(f"{sources.place(path)}: {path}: {fault}")
        row = shaped(sources, path, table, CallerTable, problems)
        if row is None:
            continue
        before = len(problems)
        _judge(row, path, sources, problems)
        _certificates(row, path, name, sources, whose, problems)
        rights = _rights(row, path, sources, tuple(accounts), problems)
        if rights is not None and len(problems) == before:
            found.append(
                CallerSettings(name, rights.unbound, rights.grants, rights.default, row.certificates, row.weight)
            )
    return tuple(found)


def _judge(row: CallerTable, path: str, sources: Sources, problems: list[str]) -> None:
    def wrong(key: str, why: str) -> None:
        problems.append(f"{sources.place(f'{path}.{key}')}: {path}.{key}: {why}")

    for symbol in row.symbols:
        if fault := pair_fault(symbol):
            wrong("symbols", fault)
    if row.max_order_notional is not None and not (
        row.max_order_notional.is_finite() and row.max_order_notional > ZERO
    ):
        wrong("max_order_notional", "an amount above 0; without it the rules of the house alone count")
    if row.orders_per_s is not None and row.orders_per_s < 1:
        wrong("orders_per_s", "1 or more")
    if not 1 <= row.weight <= WEIGHT_MAX:
        wrong("weight", f"from 1 to {WEIGHT_MAX}")


def _certificates(
    row: CallerTable, path: str, name: str, sources: Sources, whose: dict[str, str], problems: list[str]
) -> None:
    """A name in a certificate is one caller's."""
    for certificate in row.certificates:
        other = whose.setdefault(certificate, name)
        here = f"{sources.place(f'{path}.certificates')}: {path}.certificates"
        if not certificate.strip():
            problems.append(f"{here}: an empty name is nobody's")
        elif other != name:
            problems.append(f"{here}: {certificate!r} is {other}'s already")


def _rights(
    row: CallerTable, path: str, sources: Sources, accounts: tuple[str, ...], problems: list[str]
) -> Rights | None:
    """Spelt out over the accounts. None, with a problem, for words that make none."""
    here = f"{sources.place(f'{path}.permissions')}: {path}.permissions"
    bounds = Grant(
        frozenset(),
        frozenset(row.symbols),
        frozenset(row.sides),
        frozenset(row.order_types),
        row.max_order_notional,
        row.orders_per_s,
    )
    try:
        rights = rights_of(row.permissions, bounds, row.default_account)
    except ValueError as failure:
        problems.append(f"{here}: {failure}")
        return None
    strange = sorted(set(rights.grants) - {*accounts, EVERY})
    problems += [f"{here}: no account {name!r}{did_you_mean(name, accounts)}" for name in strange]
    if row.default_account and row.default_account not in accounts:
        key = f"{path}.default_account"
        near = did_you_mean(row.default_account, accounts)
        problems.append(f"{sources.place(key)}: {key}: no account {row.default_account!r}{near}")
    return rights.over(accounts)
