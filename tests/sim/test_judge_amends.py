"""The judge of amends, on histories written by hand: each rule once kept and once broken."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.sim.judges.amends import AmendCall, Amends, AmendTold, Journaled, Sent, Stood, ends, judge

ONE, TWO, THREE = Decimal("0.1"), Decimal("0.2"), Decimal("0.3")
WISH = {"base_quantity": TWO}
APPLIED, DOUBT = AmendTold(applied=True), AmendTold()
CALL = AmendCall("a", "r-1", WISH, invoked=1.0, ended=1.5, limit=6.0, told=APPLIED)
THERE = Stood("a", 1.2, {"base_quantity": TWO}, frozenset({"base_quantity"}), left=TWO)
SENT = Sent(WISH, "1", 1.1)
ENDS = Journaled("a", "r-1", WISH, applied=True)
BELOW = replace(THERE, figures={"base_quantity": THREE}, left=Decimal(0))  # filled to 0.3 already


def refused(reason, *, used):
    return replace(CALL, told=AmendTold(reason=reason, id_used=used))


def told(verdict, **changes):
    return replace(CALL, told=verdict, **changes)


def rules(calls=(CALL,), stood=(THERE,), sent=(SENT,), journal=()):
    return [finding.rule for finding in judge(Amends(tuple(calls), tuple(stood), tuple(sent), tuple(journal)))]


BROKEN = {
    "a change that was applied twice": ("amend.once", {"stood": [THERE, replace(THERE, at=2.0)]}),
    "a change that was signed twice": ("amend.once", {"sent": [SENT, replace(SENT, nonce="2")]}),
    "a change nobody asked for": ("amend.asked", {"stood": [THERE, replace(THERE, figures={"base_quantity": THREE})]}),
    "told as applied and not there": ("amend.positive", {"stood": []}),
    "told as applied before it was": ("amend.positive", {"stood": [replace(THERE, at=1.6)]}),
    "told as not applied and there": ("amend.negative", {"calls": [refused("NOT_PLACED", used=True)]}),
    "told as unsent and there": ("amend.unsent", {"calls": [refused("LOCAL_RATE_LIMITED", used=False)]}),
    "told as unsent, and the other call began later": (
        "amend.unsent",
        {"calls": [refused("LOCAL_RATE_LIMITED", used=False), told(APPLIED, invoked=1.3)]},
    ),
    "two verdicts": ("amend.changed", {"calls": [CALL, refused("NOT_PLACED", used=True)]}),
    "a call that never heard": ("amend.silent", {"calls": [told(None)]}),
    "applied after the caller's time": ("amend.late", {"stood": [replace(THERE, at=6.1)]}),
    "applied before anybody asked": ("amend.late", {"stood": [replace(THERE, at=0.9)]}),
    "not settled at the end": ("amend.stuck", {"journal": [replace(ENDS, applied=None)]}),
    "ends as not applied and is there": ("amend.end", {"journal": [replace(ENDS, applied=False)]}),
    "ends as applied and is not there": ("amend.end", {"calls": [told(DOUBT)], "stood": [], "journal": [ENDS]}),
    "told as applied by what another order did": (
        "amend.positive",
        {"stood": [replace(THERE, order="b", by_hand=True)]},
    ),
    "a later state that only keeps the figure": (
        "amend.positive",
        {"stood": [replace(THERE, changed=frozenset({"limit_price"}), by_hand=True)]},
    ),
}


@pytest.mark.parametrize(("rule", "story"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_of_amends_is_found(rule, story):
    """Each rule, broken once, is named."""
    assert rule in rules(**story)


KEPT = {
    "told as it is": {"journal": [ENDS]},
    "refused, and not there": {
        "calls": [refused("ORDER_TERMINAL", used=True)],
        "stood": [],
        "journal": [replace(ENDS, applied=False)],
    },
    "in doubt, then applied": {"calls": [told(DOUBT), replace(CALL, invoked=2.0, ended=2.1)], "journal": [ENDS]},
    "unsent, while another call applied it": {
        "calls": [refused("ORDER_IN_DOUBT", used=False), CALL],
    },
    "a hang-up that nobody answered": {"calls": [told(None, excused=True)]},
    "a person's change": {
        "calls": [],
        "stood": [replace(THERE, by_hand=True)],
        "sent": [],
    },
    "a total below what is filled, sent": {"stood": [BELOW], "journal": [ENDS]},
    "a total below what is filled, the order having ended before": {
        "stood": [replace(BELOW, at=0.5, by_hand=True)],
        "journal": [ENDS],
    },
    "one change after another": {
        "calls": [CALL, AmendCall("a", "r-2", {"limit_price": ONE}, 2.0, 2.5, 7.0, told=APPLIED)],
        "stood": [
            THERE,
            Stood("a", 2.2, {"base_quantity": TWO, "limit_price": ONE}, frozenset({"limit_price"}), left=TWO),
        ],
    },
    "the same bytes twice": {"sent": [SENT, replace(SENT, at=1.3)]},
}


@pytest.mark.parametrize("story", KEPT.values(), ids=KEPT)
def test_a_kept_rule_of_amends_is_not_called_broken(story):
    """What the contract allows raises no finding."""
    assert rules(**story) == []


def test_the_end_of_amends_alone_can_be_asked_for():
    """`ends` judges the journal only: what callers were told is not its business."""
    it = Amends((told(None),), (THERE,), (), (replace(ENDS, applied=None),))
    assert ["amend.stuck"] == [finding.rule for finding in ends(it)]
