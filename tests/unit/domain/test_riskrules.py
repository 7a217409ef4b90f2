"""Which bounds count for an order: every rule that matches, the defaults where none speaks, and the caller's grant."""

from dataclasses import fields, replace
from decimal import Decimal

import pytest

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.riskrules import (
    DEFAULTS,
    LIFTED,
    LIMITS,
    OFF,
    UNITS,
    DuplicateAction,
    RiskRule,
    RiskRules,
    RiskScope,
    adding_up,
    bounds_for,
    counts_days,
    eased,
)

D = Decimal
TRADE = Grant(frozenset({Permission.TRADE}))


def bounds(*rules, grant=TRADE, caller="ann", symbol="BTC/USD", account="main"):
    return bounds_for(RiskRules(rules), account, caller, symbol, grant)


def limits_of(name, *rules, **asked):
    return [each.limit for each in bounds(*rules, **asked) if each.name == name]


def test_without_rules_the_defaults_count():
    """The collar, the share, the pace and the duplicate guard: nothing else has a figure of its own."""
    named = {each.name: each.limit for each in bounds()}
    assert {
        "max_limit_distance": D("0.05"),
        "max_marketable_distance": D("0.01"),
        "max_volume_share": D("0.1"),
        "max_orders_per_s": D(10),
        "duplicates": D(500),
    } == named


def test_what_a_rule_names_takes_the_defaults_place():
    """Wider or narrower."""
    assert [D("0.2")] == limits_of("max_limit_distance", RiskRule(max_limit_distance=D("0.2")))


def test_every_matching_rule_counts():
    """Over its own scope, so the strictest decides."""
    rules = (
        RiskRule(max_open_orders=9),
        RiskRule(caller="ann", max_open_orders=3),
        RiskRule(caller="bob", max_open_orders=1),
    )
    found = [each for each in bounds(*rules) if each.name == "max_open_orders"]
    assert [(D(9), RiskScope()), (D(3), RiskScope("ann"))] == [(each.limit, each.scope) for each in found]


@pytest.mark.parametrize("scope", [{"account": "other"}, {"caller": "bob"}, {"symbol": "ETH/USD"}])
def test_a_rule_of_another_scope_does_not_count(scope):
    """Of another account, caller or pair."""
    assert [] == limits_of("max_order_notional", RiskRule(max_order_notional=D(5), **scope))


def test_a_rule_of_one_pair_leaves_the_default_to_all_others():
    """Asked for no pair, as GetLimits does, both are told."""
    rule = RiskRule(symbol="BTC/USD", max_orders_per_s=50)
    assert ([D(50)], [D(10)], [D(10), D(50)]) == tuple(
        limits_of("max_orders_per_s", rule, symbol=symbol) for symbol in ("BTC/USD", "ETH/USD", "")
    )


def test_a_grant_narrows_beside_the_rules():
    """Its notional and its pace are bounds of the caller's own."""
    grant = replace(TRADE, max_order_notional=D(50), orders_per_s=2)
    rule = RiskRule(max_order_notional=D(100))
    assert [D(100), D(50)] == limits_of("max_order_notional", rule, grant=grant)
    assert [D(10), D(2)] == limits_of("max_orders_per_s", rule, grant=grant)


def test_what_is_off_is_no_bound():
    """In so many words; then the default is out of force too."""
    assert ((), ()) == (bounds(LIFTED), tuple(limits_of("max_open_notional", RiskRule(max_open_notional=OFF))))


def test_a_limit_in_shadow_is_marked_so():
    """Only those that the rule names."""
    rule = RiskRule(max_open_orders=1, max_order_quantity=D(2), shadow=frozenset({"max_open_orders"}))
    marked = {each.name: each.shadow for each in bounds(rule) if each.name.startswith(("max_open", "max_order_q"))}
    assert {"max_open_orders": True, "max_order_quantity": False} == marked


def test_a_limit_in_shadow_leaves_the_default_in_force():
    """What is only tried out loosens nothing."""
    rule = RiskRule(max_limit_distance=D("0.01"), shadow=frozenset({"max_limit_distance"}))
    found = [(each.limit, each.shadow) for each in bounds(rule) if each.name == "max_limit_distance"]
    assert [(D("0.05"), False), (D("0.01"), True)] == found


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (RiskRule(duplicates=DuplicateAction.REFUSE), [(D(500), False)]),
        (RiskRule(duplicate_window_ms=50), [(D(50), True)]),
        (RiskRule(duplicates=DuplicateAction.OFF), []),
        (RiskRule(duplicates=DuplicateAction.REFUSE, shadow=frozenset({"duplicates"})), [(D(500), True)]),
    ],
    ids=["refuse", "another window", "off", "in shadow"],
)
def test_a_twin_meets_what_the_rule_says(rule, found):
    """What the rule leaves open is as by default; a warning refuses nothing, so it is as if in shadow."""
    assert found == [(each.limit, each.shadow) for each in bounds(rule) if each.name == "duplicates"]


def test_scopes_that_add_up_are_those_of_rules_that_ask_for_it():
    """Each once, of this account or any."""
    rules = RiskRules(
        (
            RiskRule(max_open_orders=1),
            RiskRule(max_daily_loss=D(5)),
            RiskRule(caller="ann", symbol="BTC/USD", max_open_notional=D(9)),
            RiskRule(account="other", caller="bob", max_open_orders=2),
            RiskRule(caller="eve", max_order_notional=D(7)),
        )
    )
    assert (RiskScope(), RiskScope("ann", "BTC/USD")) == adding_up(rules, "main")
    assert (True, False) == (counts_days(rules, "main"), counts_days(RiskRules(rules.rules[2:]), "main"))


def test_every_limit_of_a_rule_has_a_name_and_a_unit():
    """The closed list is that of the rule's own fields."""
    own = {each.name for each in fields(RiskRule)} - {"account", "caller", "symbol", "shadow", "duplicate_window_ms"}
    assert (own, own) == (set(LIMITS), set(UNITS))


def test_where_no_money_moves_the_defaults_are_milder_and_rules_are_not():
    """A playground lets orders rest further away, a load test holds nobody back; a rule stays as it is written."""
    rules = RiskRules((RiskRule(symbol="BTC/USD", max_limit_distance=D("0.02")),))
    mild = eased(rules, playground=True, load_test=True)
    found = {each.name: each.limit for each in bounds_for(mild, "main", "ann", "ETH/USD", TRADE)}
    assert (D("0.5"), None) == (found["max_limit_distance"], found.get("max_orders_per_s"))
    assert [D("0.02")] == [
        each.limit for each in bounds_for(mild, "main", "ann", "BTC/USD", TRADE) if each.name == "max_limit_distance"
    ]
    assert RiskRules().defaults == DEFAULTS
