"""The tables of costs, cell by cell, against Kraken's page (kraken.md 3) as the reference wrote it down."""

from decimal import Decimal
from fractions import Fraction

import pytest

from execsvc.kraken.costs import (
    AGES_S,
    BY_AGE,
    FIXED,
    INTERMEDIATE,
    PRO,
    REST_COST,
    REST_COSTS,
    STARTER,
    TIERS,
    Act,
    batch_add_cost,
    engine_cost,
    rest_cost,
)
from tests.support.ratereference import LIMITS, REST_POINTS, engine_points

STEPS = (0, *AGES_S)
CELLS = [(act, step) for act in Act for step in range(len(STEPS))]
# By Kraken's page, row by row: younger than 5, 10, 15, 45, 90, 300 seconds, and older.
PAGE = {
    Act.ADD: (1, 1, 1, 1, 1, 1, 1),
    Act.AMEND: (4, 3, 2, 1, 1, 1, 1),
    Act.EDIT: (7, 6, 5, 3, 2, 1, 1),
    Act.CANCEL: (8, 6, 5, 4, 2, 1, 0),
}


@pytest.mark.parametrize(("act", "step"), CELLS)
def test_a_cell_is_kraken_s(act, step):
    """Each cell costs what the page says, from the first moment of its age on."""
    assert PAGE[act][step] == engine_cost(act, float(STEPS[step]))


@pytest.mark.parametrize(("act", "step"), CELLS[:-1])
def test_a_cell_holds_until_the_next_begins(act, step):
    """An order that is not quite as old as the next cell still costs this one's points."""
    until = float("inf") if step == len(AGES_S) else AGES_S[step] - 1e-9
    assert PAGE[act][step] == engine_cost(act, until)


@pytest.mark.parametrize("act", Act)
@pytest.mark.parametrize("age_s", range(0, 320, 3))
def test_the_reference_says_the_same(act, age_s):
    """Two tables written apart from each other agree at every age."""
    assert engine_points(act.value, age_s) == engine_cost(act, age_s)


@pytest.mark.parametrize("act", Act)
def test_every_row_has_a_cell_for_every_age(act):
    """No row is shorter than the ages, and each act has its fixed part."""
    assert (len(AGES_S) + 1, True) == (len(BY_AGE[act]), act in FIXED)


@pytest.mark.parametrize("act", Act)
def test_older_is_never_dearer(act):
    """Costs fall with age, or an age that is too low would not be on the safe side."""
    assert sorted(BY_AGE[act], reverse=True) == list(BY_AGE[act])


def test_an_age_below_nothing_is_the_youngest():
    """A clock that stepped back makes nothing cheaper."""
    assert Decimal(8) == engine_cost(Act.CANCEL, -1.0)


def test_kraken_s_own_example():
    """Add, amend after 7 s, cancel 36 s after that: 8 points in all."""
    spent = engine_cost(Act.ADD, 0), engine_cost(Act.AMEND, 7), engine_cost(Act.CANCEL, 36)
    assert ((1, 3, 4), 8) == (spent, sum(spent))


@pytest.mark.parametrize("count", range(2, 16))
def test_a_batch_of_orders_costs_half(count):
    """Each order of a batch is half an order, exactly."""
    assert Fraction(count, 2) == Fraction(batch_add_cost(count))


@pytest.mark.parametrize("name", sorted(REST_POINTS | REST_COSTS))
def test_an_endpoint_costs_what_the_page_says(name):
    """Placing and cancelling are free at the key's counter, ledgers and history cost 2, all else 1."""
    assert REST_POINTS[name] == rest_cost(name)


def test_an_endpoint_nobody_named_costs_one():
    """Everything else is 1."""
    assert (1, 1) == (REST_COST, rest_cost("TradeVolume"))


def test_an_operator_knows_better():
    """A figure that was set goes before the table, also where it is 0."""
    changed = {"ClosedOrders": 4, "Balance": 0}
    assert (4, 0, 2) == (*(rest_cost(name, changed) for name in changed), rest_cost("Ledgers", changed))


@pytest.mark.parametrize("name", [STARTER, INTERMEDIATE, PRO])
def test_a_tier_is_kraken_s(name):
    """Both counters' maxima and decays, and the open orders, of each tier."""
    tier, limits = TIERS[name], LIMITS[name]
    ours = (tier.rest_max, tier.rest_decay, tier.engine_max, tier.engine_decay, tier.open_orders_max)
    theirs = (limits.rest_max, limits.rest_decay, limits.engine_max, limits.engine_decay, limits.open_max)
    assert theirs == tuple(map(Fraction, ours))


def test_every_tier_bears_its_own_name():
    """The name in the table is the name in the row."""
    assert list(TIERS) == [tier.name for tier in TIERS.values()]
