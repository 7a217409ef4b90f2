"""Every planted bug is caught: a checker that never finds anything would pass every other test here."""

import pytest

from tests.sim.planted.bugs import BUGS
from tests.sim.planted.hunt import SEEDS, hunt


def test_every_bug_has_its_number():
    """proof.md lists them, in this sequence: of single orders, of many and of changes, of the kill switch, of people."""
    assert list(range(1, 37)) == [bug.number for bug in BUGS]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_caught(bug):
    """The checker sees it within 500 seeds, by one of the bug's own rules, where the engine without it is clean."""
    caught = hunt(bug.number, first=bug.shown_by)
    assert 0 < caught.seeds <= SEEDS, bug.name
