"""Each figure of the tables, broken on purpose: one too low is a call that Kraken refuses, one too high is room not used.

The tables are changed in the house only, the reference keeps Kraken's; what then has to go wrong are the two properties of
test_counters.py. Without this a wrong figure might hide behind the margin.
"""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType

import pytest

from execsvc.kraken import costs
from execsvc.kraken.costs import PRO, Act
from execsvc.kraken.pairs import PairCounter
from tests.support.ratedrive import SECOND, engine_drive, rest_drive
from tests.support.ratereference import LIMITS, REST_POINTS, engine_points

STEPS = (0, *costs.AGES_S)
# An add is of no age: the later cells of its row are never asked for.
CELLS = [(Act.ADD, 0)] + [(act, step) for act in (Act.AMEND, Act.EDIT, Act.CANCEL) for step in range(len(STEPS))]
NAMES = sorted(LIMITS)
LASTS_S = 120
FINE = (False, True)


def refused_and_used(drive, dearest, lasts_s=0):
    """Whether Kraken refused anything, and whether all that it had was used but the margin and less than one call."""
    tally = drive.tally
    margin = 1 + 2 * tally.decay
    used = tally.total() if lasts_s else tally.level(drive.at)
    return any(tally.overruns()), used > tally.maximum - margin - max(dearest, 1) + tally.decay * lasts_s


def burst(drive, cost, send, most):
    """As many calls as may leave at this moment."""
    for _ in range(most):
        if drive.wait_us(cost()) != 0:
            return
        send()
        drive.run_to(drive.us)


def acts_of_one_age(act, step):
    """Orders grow as old as the cell begins, then all are amended, edited or cancelled at once; adds take what is left."""
    drive, points = engine_drive(PRO), engine_points(act.value, STEPS[step])
    burst(drive, drive.add_cost, drive.add, drive.tally.maximum // max(points, 1) + 2)
    drive.run_to(STEPS[step] * SECOND)
    left = [] if act is Act.ADD else list(drive.orders)
    if act is Act.CANCEL:
        burst(drive, lambda: drive.cancel_cost(left[:1]), lambda: drive.cancel([left.pop(0)]), len(left))
    else:
        burst(drive, lambda: drive.change_cost(act, left[0]), lambda: drive.change(act, left.pop(0)), len(left))
    burst(drive, drive.add_cost, drive.add, 2 * drive.tally.maximum)
    drive.run_to(drive.us + SECOND)
    burst(drive, drive.add_cost, drive.add, 2 * drive.tally.maximum)
    return refused_and_used(drive, points)


def calls_of_one_kind(name):
    """As many calls of the endpoint as may leave, but not without end; plain reads take what is left."""
    drive = rest_drive(PRO)
    for each in (name, "Balance"):
        burst(drive, lambda each=each: drive.cost(each), lambda each=each: drive.call(each), 2 * drive.tally.maximum)
    return refused_and_used(drive, REST_POINTS[name])


def two_minutes(drive, cost, send):
    """Calls of one point, each as soon as it may leave."""
    burst(drive, cost, send, 2 * drive.tally.maximum)
    while drive.us < LASTS_S * SECOND:
        drive.run_to(min(LASTS_S * SECOND, drive.us + max(drive.wait_us(cost()), 1)))
        burst(drive, cost, send, 2 * drive.tally.maximum)
    return refused_and_used(drive, 1, LASTS_S)


def two_minutes_of_adds(name):
    drive = engine_drive(name)
    return two_minutes(drive, drive.add_cost, drive.add)


def two_minutes_of_reads(name):
    drive = rest_drive(name)
    return two_minutes(drive, lambda: drive.cost("Balance"), lambda: drive.call("Balance"))


def orders_until_crowded(name):
    """Orders are placed until ours says that the pair is crowded: whether Kraken refused one, and whether it was full."""
    pair, engine = PairCounter("BTC/USD", costs.TIERS[name]), engine_drive(name).engine
    for number in range(2 * engine.open_max):
        if pair.crowded(0.0):
            break
        pair.accepted(pair.add(0.0), f"O{number}", 0.0)
        engine.add([f"O{number}"], Fraction(0))
    return engine.crowded_out > 0, len(engine.since) >= engine.open_max


TIER_FIGURES = {
    "engine_max": two_minutes_of_adds,
    "engine_decay": two_minutes_of_adds,
    "rest_max": two_minutes_of_reads,
    "rest_decay": two_minutes_of_reads,
    "open_orders_max": orders_until_crowded,
}


@pytest.fixture
def broken(monkeypatch):
    """Changes one figure in the house's tables."""

    def change(table, key, figure):
        monkeypatch.setattr(costs, table, MappingProxyType({**getattr(costs, table), key: figure}))

    return change


def with_cell(act, step, figure):
    row = list(costs.BY_AGE[act])
    row[step] = figure
    return tuple(row)


def too_dear(figure):
    return figure + max(figure, 2)


# ---- the figures as they are ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "step"), CELLS)
def test_a_cell_that_is_right_uses_the_counter_and_is_never_refused(act, step):
    """Every cell, and the fixed parts with it."""
    assert FINE == acts_of_one_age(act, step)


@pytest.mark.parametrize("name", sorted(REST_POINTS))
def test_an_endpoint_that_is_right_uses_the_counter_and_is_never_refused(name):
    """Every endpoint, those that cost nothing too."""
    assert FINE == calls_of_one_kind(name)


@pytest.mark.parametrize("tier", NAMES)
@pytest.mark.parametrize("figure", TIER_FIGURES)
def test_a_tier_that_is_right_uses_the_counter_and_is_never_refused(figure, tier):
    """Both counters and the open orders of every tier."""
    assert FINE == TIER_FIGURES[figure](tier)


# ---- one figure wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "step"), CELLS)
def test_a_cell_one_too_low_is_refused(broken, act, step):
    """One point less in any cell, and Kraken refuses something."""
    broken("BY_AGE", act, with_cell(act, step, costs.BY_AGE[act][step] - 1))
    assert acts_of_one_age(act, step)[0]


@pytest.mark.parametrize(("act", "step"), CELLS)
def test_a_cell_too_high_leaves_room_unused(broken, act, step):
    """A cell twice as dear, or two instead of nothing, wastes what Kraken would give."""
    broken("BY_AGE", act, with_cell(act, step, too_dear(costs.BY_AGE[act][step])))
    assert (False, False) == acts_of_one_age(act, step)


@pytest.mark.parametrize("act", Act)
def test_a_fixed_part_one_too_low_is_refused(broken, act):
    """One point less in any fixed part, and Kraken refuses something."""
    broken("FIXED", act, costs.FIXED[act] - 1)
    assert acts_of_one_age(act, 0)[0]


@pytest.mark.parametrize("act", Act)
def test_a_fixed_part_too_high_leaves_room_unused(broken, act):
    """A fixed part of two points more wastes what Kraken would give."""
    broken("FIXED", act, too_dear(costs.FIXED[act]))
    assert (False, False) == acts_of_one_age(act, 0)


@pytest.mark.parametrize("name", sorted(REST_POINTS))
def test_an_endpoint_one_too_low_is_refused(broken, name):
    """One point less for any endpoint, and Kraken refuses something."""
    broken("REST_COSTS", name, costs.rest_cost(name) - 1)
    assert calls_of_one_kind(name)[0]


@pytest.mark.parametrize("name", sorted(REST_POINTS))
def test_an_endpoint_too_high_leaves_room_unused(broken, name):
    """An endpoint twice as dear, or two instead of nothing, wastes what Kraken would give."""
    broken("REST_COSTS", name, too_dear(costs.rest_cost(name)))
    assert (False, False) == calls_of_one_kind(name)


def test_the_usual_cost_one_too_low_is_refused(monkeypatch):
    """Endpoints that no table names are not free."""
    monkeypatch.setattr(costs, "REST_COST", costs.REST_COST - 1)
    assert calls_of_one_kind("Balance")[0]


@pytest.mark.parametrize("tier", NAMES)
@pytest.mark.parametrize("figure", TIER_FIGURES)
def test_a_tier_too_generous_is_refused(broken, figure, tier):
    """A maximum or a decay half as large again, and Kraken refuses something."""
    right = costs.TIERS[tier]
    generous = getattr(right, figure) * 3 / Decimal(2)
    broken("TIERS", tier, replace(right, **{figure: type(getattr(right, figure))(generous)}))
    assert TIER_FIGURES[figure](tier)[0]


@pytest.mark.parametrize("tier", NAMES)
@pytest.mark.parametrize("figure", TIER_FIGURES)
def test_a_tier_too_mean_leaves_room_unused(broken, figure, tier):
    """A maximum one lower, or three quarters of the decay, wastes what Kraken would give."""
    right = getattr(costs.TIERS[tier], figure)
    mean = right * 3 / 4 if figure.endswith("decay") else right - 1
    broken("TIERS", tier, replace(costs.TIERS[tier], **{figure: mean}))
    assert (False, False) == TIER_FIGURES[figure](tier)


def test_no_figure_was_forgotten():
    """Every endpoint and act of the house's tables, and every figure of a tier, is broken above."""
    cells = {
        (act, step) for act in costs.BY_AGE for step in range(len(costs.BY_AGE[act])) if act is not Act.ADD or not step
    }
    figures = {name for name in vars(costs.TIERS[PRO]) if name != "name"}
    assert (set(), set(CELLS), set(TIER_FIGURES)) == (set(costs.REST_COSTS) - set(REST_POINTS), cells, figures)
