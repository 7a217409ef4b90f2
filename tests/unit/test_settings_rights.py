"""Callers and limits of the configuration file: what is granted and what is bounded, and nothing that is not meant."""

from decimal import Decimal

import pytest

from execsvc.domain.caller import Grant, Permission
from execsvc.domain.market import Side
from execsvc.domain.riskrules import OFF, DuplicateAction, RiskRule
from execsvc.domain.spec import OrderType
from tests.support.configs import TWO, only, read, wrong

# ---- callers ---------------------------------------------------------------------------------------------------------

FULL = """
[accounts.main]
[accounts.hedge]
[callers.desk]
permissions = ["market", "account:*", "trade:hedge"]
symbols = ["BTC/USD"]
sides = ["buy"]
order_types = ["limit", "stop-loss"]
max_order_notional = "2500.5"
orders_per_s = 4
certificates = ["desk.example"]
weight = 3
default_account = "hedge"
"""


def test_a_caller_has_what_its_section_grants_spelt_out_over_the_accounts():
    """A star is every account of the file; the bounds hold on each."""
    found = read(FULL)
    (caller,) = found.callers
    bounds = (
        frozenset({"BTC/USD"}),
        frozenset({Side.BUY}),
        frozenset({OrderType.LIMIT, OrderType.STOP_LOSS}),
        Decimal("2500.5"),
        4,
    )
    assert {
        "main": Grant(frozenset({Permission.ACCOUNT}), *bounds),
        "hedge": Grant(frozenset({Permission.ACCOUNT, Permission.TRADE}), *bounds),
    } == dict(caller.grants)
    assert (frozenset({Permission.MARKET}), "hedge", ("desk.example",), 3) == (
        caller.unbound,
        caller.default,
        caller.certificates,
        caller.weight,
    )
    assert {"desk": 3} == found.caller_weights


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"trade:hedge"', '"trade:hedgee"'), "no account 'hedgee'; did you mean hedge?"),
        (('"trade:hedge"', '"trad:hedge"'), "'trad:hedge': no such permission"),
        (('"trade:hedge"', '"trade"'), "trade is granted on an account"),
        (('default_account = "hedge"', 'default_account = "hege"'), "no account 'hege'; did you mean hedge?"),
        (('["buy"]', '["long"]'), 'callers.desk.sides[0]: one of buy, sell, not "long"'),
        (('["BTC/USD"]', '["XBT/USD"]'), "callers.desk.symbols: 'XBT/USD': write BTC/USD"),
        (('["BTC/USD"]', '["btcusd"]'), "callers.desk.symbols: 'btcusd': write a pair as BASE/QUOTE"),
        (("weight = 3", "weight = 0"), "callers.desk.weight: from 1 to 100"),
        (("orders_per_s = 4", "orders_per_s = 0"), "callers.desk.orders_per_s: 1 or more"),
        (('"2500.5"', "nan"), "callers.desk.max_order_notional: an amount above 0"),
        (('"2500.5"', "0"), "callers.desk.max_order_notional: an amount above 0"),
        (('["desk.example"]', '[" "]'), "callers.desk.certificates: an empty name"),
        (("[callers.desk]", "[callers.local]"), "callers.local: local is the house's own name"),
        (("[callers.desk]", '[callers."a b"]'), "a caller's name is"),
    ],
)
def test_a_caller_that_cannot_be_meant_is_a_problem(change, said):
    """Nothing is guessed where rights are granted."""
    assert said in only(wrong(FULL.replace(*change)))


def test_a_certificate_is_one_callers():
    """Two callers with one name would be one another."""
    text = FULL + '[callers.other]\npermissions = []\ncertificates = ["desk.example"]'
    assert "'desk.example' is desk's already" in only(wrong(text))


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_rules_are_kept_in_their_order_with_the_environments_first():
    """A rule of the environment is one for every order, beside those of the file."""
    text = """
[accounts.main]
[accounts.hedge]
[risk]
max_limit_distance = 0.02
[[risk.rules]]
account = "hedge"
caller = "desk"
symbol = "BTC/USD"
max_order_quantity = "0.5"
duplicates = "refuse"
shadow = ["max_order_quantity"]
"""
    assert (
        RiskRule(max_order_notional=Decimal(500)),
        RiskRule(max_limit_distance=Decimal("0.02")),
        RiskRule(
            account="hedge",
            caller="desk",
            symbol="BTC/USD",
            max_order_quantity=Decimal("0.5"),
            duplicates=DuplicateAction.REFUSE,
            shadow=frozenset({"max_order_quantity"}),
        ),
    ) == read(text, {"EXECSVC_MAX_ORDER_NOTIONAL": "500"}).risk.rules


def test_a_limit_is_switched_off_in_so_many_words():
    """Off is said, never left out: a default stands where nothing is said."""
    (rule,) = read('[risk]\nmax_limit_distance = "off"').risk.rules
    assert OFF == rule.max_limit_distance


def test_the_largest_order_of_all_is_the_least_that_holds_for_everybody():
    """Not one of an account, a caller or a pair; and a limit that is off is none."""
    rows = "".join(f'[[risk.rules]]\n{key} = "{name}"\nmax_order_notional = 1\n' for key, name in SCOPES.items())
    assert Decimal(20) == read(f"max_order_notional = 20\n[risk]\nmax_order_notional = 30\n{rows}").max_order_notional
    assert read(f'[risk]\nmax_order_notional = "off"\n{rows}').max_order_notional is None
    assert read('[risk]\nmax_order_notional = 5\nshadow = ["max_order_notional"]').max_order_notional is None


SCOPES = {"account": "main", "caller": "desk", "symbol": "BTC/USD"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[risk]\nmax_limit_distance = 5", "risk.max_limit_distance: a fraction: 0.05 is 5 %"),
        ("[risk]\nmax_order_notional = 0", "risk.max_order_notional: a figure above 0, or off"),
        ("[risk]\nmax_order_notional = -1", "risk.max_order_notional: a figure above 0, or off"),
        ("[risk]\nmax_order_notional = nan", "risk.max_order_notional: a figure above 0, or off"),
        ("[risk]\nmax_open_orders = 0", "risk.max_open_orders: a whole number, 1 or more"),
        ('[risk]\nsymbol = "BTC/USD"\nmax_open_orders = 1', "risk.symbol: [risk] is for every order"),
        ('[[risk.rules]]\nsymbol = "BTC/USD"', "execsvc.toml:1: risk.rules[0]: limits nothing"),
        ('[[risk.rules]]\nsymbol = "XBT/USD"\nmax_open_orders = 1', "risk.rules[0].symbol: 'XBT/USD': write BTC/USD"),
        ('[[risk.rules]]\naccount = "man"\nmax_open_orders = 1', "no account 'man'; did you mean main?"),
        ('[risk]\nmax_open_orders = 1\nshadow = ["max_open_order"]', "did you mean max_open_orders?"),
        ('[risk]\nduplicates = "maybe"', 'risk.duplicates: one of warn, refuse, off, not "maybe"'),
        ("[risk]\nrules = 1", "risk.rules: sections, each [[risk.rules]]"),
        ("risk = 1", "risk: a section, [risk]"),
    ],
)
def test_a_rule_that_would_not_hold_as_meant_is_a_problem(text, said):
    """A limit that limits nothing is worse than none: somebody counts on it."""
    assert said in only(wrong(text))


LIVE = {"EXECSVC_MODE": "live"}


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        (TWO, ["main", "hedge"]),
        (TWO + "[risk]\nmax_order_notional = 5", []),
        (TWO + '[[risk.rules]]\naccount = "main"\nmax_order_notional = 5', ["hedge"]),
        (TWO + '[[risk.rules]]\nsymbol = "BTC/USD"\nmax_order_notional = 5', ["main", "hedge"]),
        (TWO + '[[risk.rules]]\ncaller = "desk"\nmax_order_notional = 5', ["main", "hedge"]),
        (TWO + '[risk]\nmax_order_notional = "off"', ["main", "hedge"]),
        (TWO + '[risk]\nmax_order_notional = 5\nshadow = ["max_order_notional"]', ["main", "hedge"]),
    ],
    ids=["none", "for all", "for one account", "for a pair", "for a caller", "off", "only observed"],
)
def test_live_wants_a_largest_order_that_reaches_every_account(text, missing):
    """Of whichever caller and pair, and one that refuses."""
    found = () if not missing else wrong(text, LIVE)
    assert [f"EXECSVC_MAX_ORDER_NOTIONAL: missing for account {name}" for name in missing] == [
        each.partition(";")[0] for each in found
    ]
    assert missing or read(text, LIVE).accounts
