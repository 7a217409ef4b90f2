"""Looks for one planted bug, seed after seed, until the checker sees it.

A finding counts if it is one of the bug's own rules and the engine without the bug does not have it on that seed.
"""

from dataclasses import dataclass

from tests.sim.planted.bugs import BUGS
from tests.sim.runs import run_one

SEEDS = 500


@dataclass(frozen=True)
class Caught:
    """How many seeds it took, and what the checker said; seeds 0: never caught."""

    number: int
    seeds: int
    said: str = ""


def hunt(number, first=None):
    """The first seed that shows the bug; `first` is tried before the others, to save time."""
    bug = next(each for each in BUGS if each.number == number)
    for seed in (*(() if first is None else (first,)), *range(SEEDS)):
        with bug.planted():
            seen = [it for it in run_one(seed).findings if it.rule in bug.rules]
        if seen:
            clean = {it.rule for it in run_one(seed).findings}
            said = next((it for it in seen if it.rule not in clean), None)
            if said is not None:
                return Caught(number, seed + 1, str(said))
    return Caught(number, 0)
