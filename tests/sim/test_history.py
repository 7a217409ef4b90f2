"""The checker itself, on histories written by hand: each rule once kept and once broken."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.support.history import Call, Entered, Finding, Heard, History, Told, ends, judge

ONE, TWO = Decimal("0.1"), Decimal("0.2")
OPEN = Told(status="open", venue_id="X1")
THERE = Entered("X1", ONE, at=1.0, status="open")
PLACE = Call("place", "a", invoked=0.5, ended=1.5, content=ONE, limit=5.5, told=OPEN)
LOOK = Call("get", "a", invoked=2.0, ended=2.1, told=OPEN)


def refused(reason, *, used):
    return Told(reason=reason, id_used=used)


def told(told, **changes):
    return replace(PLACE, told=told, **changes)


def signed(nonce, owner=1, **changes):
    return replace(Heard(float(nonce), float(nonce), owner, nonce, "AddOrder", admitted=True, applied=True), **changes)


def rules(calls=(PLACE,), entered=(THERE,), finals=None, **more):
    return [finding.rule for finding in judge(History(calls, entered, finals=finals or {}, **more))]


def test_a_clean_history_has_no_findings():
    """What was told is what is there: nothing is found."""
    assert rules([PLACE, LOOK], finals={"a": OPEN}, heard=[signed(1), signed(2)]) == []


def test_a_finding_says_rule_and_story():
    """A finding reads as the rule and what broke it."""
    assert str(Finding("P1.once", "a is there twice")) == "P1.once: a is there twice"


BROKEN = {
    "an id that is there twice": ("P1.once", {"entered": [THERE, replace(THERE, venue_id="X2", at=2.0)]}),
    "an id that was taken for two contents": (
        "P1.content",
        {"calls": [PLACE, told(Told(status="in_doubt"), content=TWO, invoked=2.0, ended=2.5)]},
    ),
    "an order nobody asked for": ("P1.asked", {"entered": [THERE, replace(THERE, quantity=TWO)]}),
    "an order told as not placed that is there": ("P2.negative", {"calls": [told(refused("NOT_PLACED", used=True))]}),
    "a look that told not placed": ("P2.negative", {"calls": [PLACE, replace(LOOK, told=Told(status="not_placed"))]}),
    "a negative that the exchange denies later": (
        "P2.negative",
        {"calls": [told(refused("INSUFFICIENT_FUNDS", used=True), ended=0.9)], "entered": [replace(THERE, at=3.0)]},
    ),
    "an order told as unsent that is there": (
        "P2.unsent",
        {"calls": [told(refused("LOCAL_RATE_LIMITED", used=False))]},
    ),
    "a look that told never sent": ("P2.unsent", {"calls": [PLACE, replace(LOOK, told=Told(status="never_sent"))]}),
    "an order told as open that is not there": ("P2.positive", {"entered": []}),
    "an order told under a wrong id": ("P2.positive", {"entered": [replace(THERE, venue_id="X9")]}),
    "an order told before it entered": ("P2.positive", {"entered": [replace(THERE, at=1.6)]}),
    "a fill that never was": ("P2.positive", {"calls": [told(replace(OPEN, filled=ONE))]}),
    "a filled order that is open": ("P2.positive", {"calls": [told(replace(OPEN, status="filled"))]}),
    "a call that never heard": ("P2.silent", {"calls": [told(None)]}),
    "a refusal that became another verdict": (
        "P2.changed",
        {
            "calls": [
                told(refused("INSUFFICIENT_FUNDS", used=True)),
                told(refused("NOT_PLACED", used=True), invoked=2.0, ended=2.2),
            ],
            "entered": [],
        },
    ),
    "an order that entered too late": (
        "P6",
        {"entered": [replace(THERE, at=5.6)], "calls": [told(None, excused=True)]},
    ),
    "an order that entered before it was asked for": (
        "P6",
        {"entered": [replace(THERE, at=0.4)], "calls": [told(None, excused=True)]},
    ),
    "an order that stays in doubt": ("stuck", {"finals": {"a": Told(status="in_doubt")}}),
    "an order that ends as pending": ("stuck", {"finals": {"a": Told(status="pending")}}),
    "an order that is there and forgotten": ("P2.forgotten", {"finals": {"a": None}}),
    "an id that was known and is forgotten": (
        "P2.forgotten",
        {"calls": [told(Told(status="in_doubt"))], "entered": [], "finals": {"a": None}},
    ),
    "a fill that the journal missed": (
        "P2.fills",
        {"entered": [replace(THERE, filled=ONE, cost=TWO, status="closed")], "finals": {"a": OPEN}},
    ),
    "a fee that the journal missed": ("P2.fills", {"entered": [replace(THERE, fee=ONE)], "finals": {"a": OPEN}}),
    "an order open here and ended there": (
        "P2.fills",
        {"entered": [replace(THERE, status="canceled")], "finals": {"a": OPEN}},
    ),
    "a cancel that was forgotten": ("P2.wish", {"finals": {"a": replace(OPEN, cancel_wished=True)}}),
    "an order that ends as not placed and is there": ("P2.negative", {"finals": {"a": Told(status="not_placed")}}),
    "an order that ends as open and never was": (
        "P2.positive",
        {"calls": [told(None, excused=True)], "entered": [], "finals": {"a": OPEN}},
    ),
    "an unsent order that ends as not placed": (
        "P2.changed",
        {
            "calls": [told(refused("LOCAL_RATE_LIMITED", used=False))],
            "entered": [],
            "finals": {"a": Told(status="not_placed")},
        },
    ),
    "a nonce that was used twice": ("P3.rise", {"heard": [signed(1), signed(2), signed(2, at=3.0)]}),
    "a nonce that went back": ("P3.rise", {"heard": [signed(2), signed(1, at=3.0)]}),
    "an old owner let in after the new one": ("P3.stale", {"heard": [signed(1), signed(2, owner=2), signed(3)]}),
    "an old owner that sends on": ("P3.tenure", {"heard": [signed(9, admitted=False)], "superseded": {1: 6.9}}),
}


@pytest.mark.parametrize(("rule", "history"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_found(rule, history):
    """Each rule, broken once, is named."""
    assert rule in rules(**history)


KEPT = {
    "the same id and content again": {"calls": [PLACE, replace(PLACE, invoked=2.0, ended=2.1)]},
    "another content under the id, refused": {
        "calls": [PLACE, told(refused("CLIENT_ORDER_ID_REUSED", used=True), content=TWO, invoked=2.0, ended=2.1)]
    },
    "not placed, and not there": {
        "calls": [told(refused("NOT_PLACED", used=True))],
        "entered": [],
        "finals": {"a": Told(status="not_placed")},
    },
    "unsent at first, then placed by the next call": {
        "calls": [
            told(refused("LOCAL_RATE_LIMITED", used=False), invoked=0.1, ended=0.3),
            PLACE,
        ]
    },
    "unsent, while another call of the id placed it": {
        "calls": [told(refused("LOCAL_RATE_LIMITED", used=False)), told(None, excused=True, invoked=0.6)]
    },
    "a hang-up that nobody answered": {"calls": [told(None, excused=True)], "finals": {"a": OPEN}},
    "in doubt while it lasts": {"calls": [told(Told(status="in_doubt"))], "finals": {"a": OPEN}},
    "an order never begun": {
        "calls": [told(refused("DEADLINE_TOO_SHORT", used=False))],
        "entered": [],
        "finals": {"a": None},
    },
    "a part filled now, more later": {
        "calls": [told(replace(OPEN, filled=Decimal("0.03")))],
        "entered": [replace(THERE, filled=Decimal("0.05"))],
    },
    "a second call that lengthens the time": {
        "calls": [PLACE, replace(PLACE, invoked=4.0, ended=6.5, limit=9.0)],
        "entered": [replace(THERE, at=1.4)],
    },
    "an old owner refused": {"heard": [signed(1), signed(3, owner=2), signed(2, at=4.0, admitted=False)]},
    "an old owner let in before the new one": {"heard": [signed(1), signed(2), signed(3, owner=2)]},
    "an old owner within its tenure": {"heard": [signed(9, admitted=False)], "superseded": {1: 7.1}},
    "an old owner that cancels": {
        "heard": [signed(9, admitted=False, method="CancelOrder")],
        "superseded": {1: 1.0},
    },
}


@pytest.mark.parametrize("history", KEPT.values(), ids=KEPT)
def test_a_kept_rule_is_not_called_broken(history):
    """What the contract allows raises no finding."""
    assert rules(**history) == []


def test_the_end_alone_can_be_asked_for():
    """`ends` judges the last look only: other findings are not its business."""
    history = History([told(None)], [THERE], finals={"a": Told(status="in_doubt")})
    assert [finding.rule for finding in ends(history)] == ["stuck"]
