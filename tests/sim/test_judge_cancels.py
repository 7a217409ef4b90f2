"""The judges of cancels and of the journal's ledger, on histories written by hand: each rule once kept and once broken."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.sim.judges import ledger
from tests.sim.judges.cancels import (
    ACCOUNT,
    EVERYBODY,
    TIMER,
    USER,
    Cancels,
    Clear,
    ClearTold,
    Life,
    Loss,
    Setting,
    judge,
)
from tests.sim.judges.ledger import Ledgers, OrderRow

LIFE = Life("a", "c", asked=1.0, opened=1.1, seen=((1.0, "submitted"), (1.2, "open")))
ENDED = replace(LIFE, closed=4.0, reason=USER)
HAND = Life("H1", "", asked=1.0, opened=1.0, seen=((1.1, "open"),))
DONE = ClearTold(requested=1, gone=1)
PART = ClearTold(requested=2, gone=1)
CLEAR = Clear("c", invoked=3.0, ended=3.5, told=PART)
SET = Setting("c", timeout_s=5.0, invoked=2.0, ended=2.1, told=ClearTold())
LOSS = Loss("c", at=2.0, grace_s=2.0, kept=True)


def rules(*lives, **more):
    return [finding.rule for finding in judge(Cancels(lives, **more))]


BROKEN = {
    "a cancel held back": ("cancel.blocked", [], {"refusals": [("a", "LOCAL_RATE_LIMITED")]}),
    "a cancel of all held back": (
        "cancel.blocked",
        [],
        {"clears": [replace(CLEAR, told=ClearTold(reason="TRADING_HALTED"))]},
    ),
    "told gone and still open": ("clear.told", [ENDED], {"clears": [replace(CLEAR, told=DONE)]}),
    "left by a cancel of all": ("clear.left", [LIFE], {"clears": [CLEAR]}),
    "left while it was on its way": (
        "clear.left",
        [replace(LIFE, opened=3.4, seen=((2.9, "submitted"),))],
        {"clears": [replace(CLEAR, whose=EVERYBODY)]},
    ),
    "left by a list": ("clear.left", [LIFE], {"clears": [replace(CLEAR, whose="a list", orders=frozenset({"a"}))]}),
    "placed by hand and left by the account's": ("clear.left", [HAND], {"clears": [replace(CLEAR, whose=ACCOUNT)]}),
    "left by a switch": ("switch.left", [LIFE], {"settings": [SET]}),
    "left by Kraken's timer": ("switch.left", [LIFE], {"settings": [replace(SET, whose=ACCOUNT, timeout_s=9.0)]}),
    "outlived Kraken's timer": (
        "switch.left",
        [replace(ENDED, closed=30.0, cancels=(29.0,))],
        {"settings": [replace(SET, whose=ACCOUNT, timeout_s=9.0)]},
    ),
    "left by a lost stream": ("lost.left", [LIFE], {"losses": [LOSS]}),
    "ended and nobody asked": ("cancel.uncalled", [ENDED], {}),
    "ended before anybody asked": ("cancel.uncalled", [replace(ENDED, cancels=(4.5,))], {}),
    "ended by another caller's": ("cancel.uncalled", [ENDED], {"clears": [replace(CLEAR, whose="d")]}),
    "ended by a switch before its time": ("cancel.uncalled", [ENDED], {"settings": [SET]}),
    "ended by a switch that was set again": (
        "cancel.uncalled",
        [replace(ENDED, closed=7.5)],
        {"settings": [SET, replace(SET, invoked=5.0, ended=5.1)]},
    ),
    "ended by a timer that was taken off": (
        "cancel.uncalled",
        [replace(ENDED, closed=7.0, reason=TIMER)],
        {"settings": [replace(SET, whose=ACCOUNT), replace(SET, whose=ACCOUNT, timeout_s=0, invoked=3.0, ended=3.1)]},
    ),
    "ended before the grace was over": ("cancel.uncalled", [replace(ENDED, closed=3.0)], {"losses": [LOSS]}),
    "ended though the stream was back": (
        "cancel.uncalled",
        [replace(ENDED, closed=5.0)],
        {"losses": [replace(LOSS, back=True)]},
    ),
    "placed by hand and ended by a caller's": (
        "cancel.uncalled",
        [replace(HAND, closed=4.0, reason=USER)],
        {"clears": [CLEAR]},
    ),
}


@pytest.mark.parametrize(("rule", "lives", "more"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_of_cancels_is_found(rule, lives, more):
    """Each rule, broken once, is named."""
    assert rule in rules(*lives, **more)


KEPT = {
    "an order that rests": ([LIFE], {}),
    "an order that was filled": ([replace(ENDED, reason="")], {}),
    "its own cancel": ([replace(ENDED, cancels=(3.0,))], {}),
    "a person's doing": ([replace(ENDED, by_hand=True)], {}),
    "a cancel of all": ([ENDED], {"clears": [CLEAR]}),
    "placed after the cancel of all": (
        [replace(LIFE, asked=5.0, opened=5.1, seen=((5.0, "submitted"),))],
        {"clears": [CLEAR]},
    ),
    "never sent, and placed anew after it": (
        [replace(LIFE, seen=((1.0, "submitted"), (3.2, "never_sent"), (6.0, "open")))],
        {"clears": [CLEAR]},
    ),
    "a cancel of all that was never heard of": ([LIFE], {"clears": [replace(CLEAR, told=None)]}),
    "asked of a gateway that could not write": ([LIFE], {"clears": [replace(CLEAR, steady=False)]}),
    "refused because nothing could be reached": (
        [LIFE],
        {"clears": [replace(CLEAR, told=ClearTold(reason="VENUE_UNREACHABLE"))]},
    ),
    "a switch that went off": ([replace(ENDED, closed=7.2)], {"settings": [SET]}),
    "a switch that was taken off": ([LIFE], {"settings": [SET, replace(SET, timeout_s=0, invoked=4.0, ended=4.1)]}),
    "a switch whose last setting nobody heard of": (
        [LIFE],
        {"settings": [SET, replace(SET, invoked=4.0, ended=4.1, told=None)]},
    ),
    "a switch after a clock was set": ([LIFE], {"settings": [SET], "stepped": True}),
    "Kraken's timer, a little early": (
        [replace(ENDED, closed=6.0, reason=TIMER)],
        {"settings": [replace(SET, whose=ACCOUNT)]},
    ),
    "Kraken's timer, set and not heard of": (
        [replace(ENDED, closed=7.0, reason=TIMER)],
        {"settings": [replace(SET, whose=ACCOUNT, told=None)]},
    ),
    "a lost stream": ([replace(ENDED, closed=4.1)], {"losses": [LOSS]}),
    "a stream that was back in time": ([LIFE], {"losses": [replace(LOSS, back=True)]}),
    "a stream whose gateway died": ([LIFE], {"losses": [replace(LOSS, kept=False)]}),
    "Kraken's cancel-all, still under way": (
        [replace(HAND, asked=9.0, opened=9.0, closed=9.5, reason=USER)],
        {"clears": [replace(CLEAR, whose=ACCOUNT, told=None)]},
    ),
}


@pytest.mark.parametrize(("lives", "more"), KEPT.values(), ids=KEPT)
def test_a_kept_rule_of_cancels_is_not_called_broken(lives, more):
    """What was promised, and what was asked for, raises no finding."""
    assert rules(*lives, **more) == []


# ---- the ledger --------------------------------------------------------------------------------------------------

ONE, TWO = Decimal("0.1"), Decimal("0.2")
THERE = OrderRow("X1", "open", figures={"base_quantity": TWO, "limit_price": ONE})
FILLED = OrderRow("H1", "closed", filled=ONE, cost=TWO, fee=ONE, figures={"base_quantity": ONE})


def flaws(there=(THERE,), here=(THERE,), **more):
    return [finding.rule for finding in ledger.ends(Ledgers(there, here, **more))]


UNLIKE = {
    "a price that is another": ("ledger.figures", {"here": [replace(THERE, figures={"limit_price": TWO})]}),
    "a total above what is there": (
        "ledger.figures",
        {"here": [replace(THERE, figures={"base_quantity": Decimal(3)})]},
    ),
    "a price that is another, of one that has ended": (
        "ledger.figures",
        {
            "there": [replace(THERE, status="canceled")],
            "here": [replace(THERE, status="cancelled", figures={"limit_price": TWO})],
        },
    ),
    "a fill that is missing": ("ledger.fills", {"fills_there": {"T1"}}),
    "a fill that never was": ("ledger.fills", {"fills_here": {"T1"}}),
    "placed elsewhere, filled, and not known": ("ledger.outside", {"there": [FILLED], "here": [], "outside": {"H1"}}),
    "placed elsewhere, open, and not known": ("ledger.outside", {"here": [], "outside": {"X1"}}),
    "placed elsewhere, with another fee": (
        "ledger.outside",
        {"there": [FILLED], "here": [replace(FILLED, status="filled", fee=TWO)], "outside": {"H1"}},
    ),
    "placed elsewhere, with another end": (
        "ledger.outside",
        {"there": [FILLED], "here": [replace(FILLED, status="cancelled")], "outside": {"H1"}},
    ),
}


@pytest.mark.parametrize(("rule", "sides"), UNLIKE.values(), ids=UNLIKE)
def test_ledgers_that_differ_are_found(rule, sides):
    """Each difference is named."""
    assert [rule] == flaws(**sides)


ALIKE = {
    "the same": {},
    "an order that never got there": {"here": [THERE, replace(THERE, venue_id="")]},
    "a total below what is filled": {
        "there": [replace(FILLED, figures={"base_quantity": ONE})],
        "here": [replace(FILLED, figures={"base_quantity": Decimal("0.05")})],
    },
    "placed elsewhere, come and gone unfilled": {
        "there": [replace(THERE, status="canceled")],
        "here": [],
        "outside": {"X1"},
    },
    "placed elsewhere, told whole": {
        "there": [FILLED],
        "here": [replace(FILLED, status="filled")],
        "outside": {"H1"},
        "fills_there": {"T1"},
        "fills_here": {"T1"},
    },
}


@pytest.mark.parametrize("sides", ALIKE.values(), ids=ALIKE)
def test_ledgers_that_agree_are_not_called_unlike(sides):
    """What a journal may say otherwise raises no finding."""
    assert flaws(**sides) == []
