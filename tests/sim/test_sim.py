"""A few dozen seeds of the simulation, for every day; `make sim` runs thousands."""

import pytest

from execsvc.kraken.specs import ORDER_TYPES
from tests.sim.runs import repeat_line, run_one

SEEDS = range(400, 440)


@pytest.mark.parametrize("seed", SEEDS)
def test_every_order_is_placed_once_or_provably_not_at_all(seed):
    """Whatever is lost, late, doubled, stopped, killed or taken over: P1, P2, P3 and P6 hold in the callers' view."""
    outcome = run_one(seed)
    assert outcome.findings == (), f"\n{repeat_line(outcome)}\n" + "\n".join(map(str, outcome.findings))


def test_the_seeds_have_something_to_tell():
    """Where nothing happens nothing is proved: orders enter, fill, are refused, are proved absent, and owners die."""
    counts = sum((run_one(seed).counts for seed in SEEDS[:12]), start=run_one(SEEDS[12]).counts)
    wanted = ("entered", "ends filled", "ends cancelled", "ends rejected", "ends not_placed", "ends never_sent", "kill")
    assert [name for name in wanted if not counts[name]] == []


def test_the_seeds_draw_from_all_that_can_be_asked_for():
    """Orders of every type enter, are changed, come in batches, go by lists, sweeps, switches and streams; modes are set."""
    counts = sum((run_one(seed).counts for seed in SEEDS[1:]), start=run_one(SEEDS[0]).counts)
    kinds = [
        word for word in ORDER_TYPES if word != "settle-position"
    ]  # needs a position that is open: one in 500 seeds
    wanted = [
        *(f"type {word}" for word in kinds),
        "applied",
        "batches",
        "lists",
        "clears",
        "switches",
        "streams",
        "by hand",
        "halts",
        "resumes",
    ]
    assert [name for name in wanted if not counts[name]] == []
