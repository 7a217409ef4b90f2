"""docs/reference/risk.md: its limits, units and defaults are those in force, its file is read, its examples come out so."""

import re
from decimal import Decimal
from pathlib import Path

import pytest

from execsvc.app.links import STALENESS_BOUND_S
from execsvc.app.riskpace import BURST_LEAST, CANCELS_PER_S
from execsvc.app.riskprices import ARRIVES_S
from execsvc.app.worth import SLIPPAGE_CAP
from execsvc.domain.caller import Grant
from execsvc.domain.collar import Market
from execsvc.domain.market import Side
from execsvc.domain.risk import Seen, Used, Wish, judge
from execsvc.domain.riskrules import (
    DEFAULTS,
    LIMITS,
    OFF,
    PLAYGROUND_DISTANCE,
    UNITS,
    DuplicateAction,
    RiskRule,
    RiskRules,
    bounds_for,
)
from execsvc.domain.spec import OrderSpec, OrderType
from execsvc.settings import load

PAGE = Path("docs/reference/risk.md").read_text()
D = Decimal
ROWS = re.findall(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
EXAMPLES = re.findall(
    r"^\| (buy|sell) ([\d.]+) at ([\w ]+) \| `(\w+)` \| ([\d.]+) \| (passed|refused) \|$", PAGE, re.MULTILINE
)


def test_every_limit_has_its_row_with_its_unit():
    """In the sequence they are told, no more and no less."""
    assert [(name, UNITS[name]) for name in LIMITS] == [(name, unit) for name, unit, _ in ROWS]


@pytest.mark.parametrize(
    ("name", "said"), [(name, default) for name, _, default in ROWS if not default.startswith("none")]
)
def test_a_default_is_the_one_in_force(name, said):
    """As a figure; that of the duplicate guard is its window, and what it does."""
    figures = {
        each.name: (each.limit, each.action.value)
        for each in bounds_for(RiskRules(), "a", "b", "C/USD", Grant(frozenset()))
    }
    limit, action = figures[name]
    assert said == (f"{limit}, {action}" if name == "duplicates" else str(limit))


def test_whatever_has_no_default_is_told_so():
    """And has none."""
    without = {name for name, _, default in ROWS if default.startswith("none")}
    assert {name for name in LIMITS if getattr(DEFAULTS, name) is None} == without


def test_the_file_of_the_page_is_read_as_it_is_explained(tmp_path):
    """Rule by rule."""
    (text,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    file = tmp_path / "execsvc.toml"
    file.write_text(f"[accounts.paper]\n[callers.signal]\npermissions = ['trade:paper']\n{text}")
    file.chmod(0o600)
    found = load({"EXECSVC_CONFIG": str(file), "HOME": str(tmp_path)}, overrides={}, dev=False).risk
    assert (
        RiskRule(max_order_notional=D(5000), max_open_notional=D(20000), max_daily_loss=D(500)),
        RiskRule(caller="signal", max_orders_per_s=2, max_open_orders=4),
        RiskRule(
            symbol="BTC/USD",
            max_limit_distance=D("0.02"),
            duplicates=DuplicateAction.REFUSE,
            max_open_orders=10,
            shadow=frozenset({"max_open_orders"}),
        ),
        RiskRule(account="paper", max_volume_share=OFF),
    ) == found.rules


@pytest.mark.parametrize(("side", "size", "at", "name", "figure", "verdict"), EXAMPLES)
def test_an_example_comes_out_as_the_page_says(side, size, at, name, figure, verdict):
    """By the defaults, in the market of the page."""
    price = None if at == "the market" else D(at)
    kind = OrderType.MARKET if price is None else OrderType.LIMIT
    spec = OrderSpec("BTC/USD", Side(side), D(size), kind, price)
    bounds = bounds_for(RiskRules(), "main", "ann", "BTC/USD", Grant(frozenset()))
    seen = Seen("BTC/USD", Market(D(59995), D(60005), D(100)), D(size) * 60000, D(size))
    (found,) = [each for each in judge(bounds, Wish(spec), seen, lambda _: Used(D(0))) if each.name == name]
    assert (figure, verdict == "passed") == (found.value, found.passed)


def test_the_page_has_examples_of_every_default_that_looks_at_one_order():
    """Passed and refused."""
    names = {"max_limit_distance", "max_marketable_distance", "max_volume_share"}
    assert {(name, verdict) for name in names for verdict in ("passed", "refused")} == {
        (name, verdict) for *_, name, _, verdict in EXAMPLES
    }


def test_the_figures_in_the_text_are_those_of_the_code():
    """Ages, waits, bursts and margins."""
    assert (D("1.01"), 5.0, 1.5, 15, 5, D("0.5")) == (
        *(SLIPPAGE_CAP, STALENESS_BOUND_S, ARRIVES_S, BURST_LEAST, CANCELS_PER_S),
        PLAYGROUND_DISTANCE,
    )
    for words in (
        "plus 1 %",
        "last five seconds",
        "1.5 s",
        "15 at once",
        "more than five\na second",
        "half the mid away",
    ):
        assert words in PAGE
