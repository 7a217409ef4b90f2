"""The limits of the file: [risk] for every order, [[risk.rules]] for some, and the largest order of the environment.

The keys are the fields of domain/riskrules.py, so that a limit which is added there can be written here. What a rule means
is said there too: every one that matches counts, and the strictest decides.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, get_type_hints

from execsvc.domain.money import ZERO
from execsvc.domain.riskrules import LIMITS, OFF, RATE_OFF, RiskRule, RiskRules
from execsvc.settings.pairs import pair_fault
from execsvc.settings.sections import shaped
from execsvc.settings.sources import Sources, did_you_mean, unknown_key

SCOPE = ("account", "caller", "symbol")
_FRACTIONS = ("_distance", "_share")
_HINTS = get_type_hints(RiskRule)


def risk_of(sources: Sources, accounts: Iterable[str], most: Decimal | None, problems: list[str]) -> RiskRules:
    """All rules in the order they were written; `most` is EXECSVC_MAX_ORDER_NOTIONAL, a rule for every order."""
    table = sources.sections.get("risk", {})
    rules = [] if most is None else [RiskRule(max_order_notional=most)]
    if not isinstance(table, dict):
        problems.append(f"{sources.place('risk')}: risk: a section, [risk]")
        return RiskRules(tuple(rules))
    common = {key: value for key, value in table.items() if key != "rules"}
    for key in SCOPE:
        if key in common:
            common.pop(key)
            here = f"risk.{key}"
            problems.append(f"{sources.place(here)}: {here}: [risk] is for every order; write it in [[risk.rules]]")
    if common:
        rules += _rule(sources, "risk", common, accounts, problems)
    rows = table.get("rules", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        problems.append(f"{sources.place('risk.rules')}: risk.rules: sections, each [[risk.rules]]")
        rows = []
    for place, row in enumerate(rows):
        rules += _rule(sources, f"risk.rules[{place}]", row, accounts, problems)
    return RiskRules(tuple(rules))


def unlimited(rules: RiskRules, accounts: Iterable[str]) -> tuple[str, ...]:
    """The accounts in which somebody's order of some pair may be of any size."""
    whole = [
        rule
        for rule in rules.rules
        if not rule.caller and not rule.symbol and "max_order_notional" not in rule.shadow
        if rule.max_order_notional is not None and rule.max_order_notional.is_finite()
    ]
    return tuple(name for name in accounts if not any(rule.account in {"", name} for rule in whole))


def _rule(
    sources: Sources, path: str, row: Mapping[str, Any], accounts: Iterable[str], problems: list[str]
) -> list[RiskRule]:
    """The rule, or none and what is wrong with it."""
    meant = {key: _off(key, value) for key, value in row.items()}
    rule = shaped(sources, path, meant, RiskRule, problems)
    if rule is None:
        return []
    before = len(problems)
    _scope(rule, path, sources, tuple(accounts), problems)
    for name in (each.name for each in fields(RiskRule)):
        value = getattr(rule, name)
        if fault := _figure_fault(name, value):
            problems.append(f"{sources.place(f'{path}.{name}')}: {path}.{name}: {fault}")
    here = f"{path}.shadow"
    problems += [unknown_key(sources.place(here), f"{here}.{name}", LIMITS) for name in sorted(rule.shadow - {*LIMITS})]
    if not {*row} - {*SCOPE, "shadow"}:
        problems.append(f"{sources.place(path)}: {path}: limits nothing")
    return [rule] if len(problems) == before else []


def _off(key: str, value: object) -> object:
    """`off` said of a limit that is a number."""
    if value != "off" or key not in _HINTS:
        return value
    return {Decimal | None: OFF, int | None: RATE_OFF if key.endswith("_per_s") else None}.get(_HINTS[key], value)


def _figure_fault(name: str, value: object) -> str:
    if isinstance(value, Decimal):
        if value.is_nan() or value <= ZERO:
            return "a figure above 0, or off"
        if name.endswith(_FRACTIONS) and value.is_finite() and value > 1:
            return "a fraction: 0.05 is 5 %"
    if isinstance(value, int) and value < (0 if name.endswith("_ms") else 1):
        return "a whole number, 0 or more" if name.endswith("_ms") else "a whole number, 1 or more"
    return ""


def _scope(rule: RiskRule, path: str, sources: Sources, accounts: tuple[str, ...], problems: list[str]) -> None:
    if rule.account and rule.account not in accounts:
        here = f"{path}.account"
        problems.append(
            f"{sources.place(here)}: {here}: no account {rule.account!r}{did_you_mean(rule.account, accounts)}"
        )
    if rule.symbol and (fault := pair_fault(rule.symbol)):
        problems.append(f"{sources.place(f'{path}.symbol')}: {path}.symbol: {fault}")
