"""The order's life: which moves are possible, and that numbers only grow."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.account import AssetAmount
from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.domain.ids import OrderKey
from execsvc.domain.intent import Intent
from execsvc.domain.market import Side
from execsvc.domain.order import (
    LOOKS_LAG_NS,
    TERMINAL,
    TRANSITIONS,
    Acknowledged,
    Amended,
    CancelWished,
    Corrected,
    Doubted,
    NeverSent,
    ProvedAbsent,
    Refused,
    Seen,
    Status,
    VenueOrder,
    submitted,
)
from execsvc.domain.spec import OrderSpec, OrderType, TimeInForce, content_hash
from tests.support.specs import KINDS, START_NS, spec

KEY = OrderKey("main", "local", "c-1")
SPEC = OrderSpec("BTC/USD", Side.BUY, Decimal("1.00"), OrderType.LIMIT, Decimal("100.0"))
INTENT = Intent(KEY, SPEC, 10**18, "key", "", lambda attempt: f"wire-{attempt}")
FAULT = Fault(Reason.INSUFFICIENT_FUNDS, "no funds")
HALT = Fault(Reason.TRADING_HALTED, "trading was HALTED for everything by ops: news")
STATUSES = st.sampled_from([Status.PENDING, Status.OPEN, Status.FILLED, Status.CANCELLED, Status.EXPIRED])
REPORTS = st.builds(
    lambda status, filled: VenueOrder("OTX", "wire-0", status, Decimal(filled), Decimal(filled) * 100),
    STATUSES,
    st.sampled_from(["0", "0.25", "0.5", "1.00"]),
)
EVENTS = st.one_of(
    st.just(Acknowledged("OTX")),
    st.just(Refused(FAULT)),
    st.just(Doubted("lost")),
    st.just(ProvedAbsent(FAULT)),
    st.just(NeverSent(FAULT)),
    st.just(CancelWished()),
    st.just(CancelWished(HALT)),
    st.builds(Seen, REPORTS),
)


def order(status=Status.SUBMITTED):
    return replace(submitted(INTENT, 1), status=status)


def test_a_fresh_intent_is_submitted_at_version_one():
    """What begin() makes durable."""
    fresh = submitted(INTENT, 7)
    assert (fresh.status, fresh.version, fresh.venue_client_id, fresh.create_time_ns) == (
        Status.SUBMITTED,
        1,
        "wire-0",
        7,
    )


@given(st.lists(EVENTS, max_size=12))
def test_only_listed_moves_happen_and_versions_count_changes(events):
    """Whatever the world says in whatever order: the table holds, versions are gapless, terminal stays terminal."""
    held = order()
    for now, event in enumerate(events, start=2):
        try:
            moved = held.apply(event, now)
        except Broken:
            continue
        if moved is not held:
            assert moved.version == held.version + 1
            assert moved.status is held.status or moved.status in TRANSITIONS[held.status]
            assert moved.filled_quantity >= held.filled_quantity
            assert held.status not in TERMINAL or moved.status is held.status
        held = moved


def test_news_that_are_no_news_change_nothing():
    """The same report twice is one change; the object itself comes back."""
    report = Seen(VenueOrder("OTX", None, Status.OPEN, Decimal("0.5"), Decimal(50)))
    seen = order().apply(report, 2)
    assert seen.apply(report, 3) is seen


def test_a_stream_report_before_the_answer_is_not_taken_back_by_it():
    """The acknowledgement of an order already seen FILLED only adds the id it has."""
    filled = order().apply(Seen(VenueOrder("OTX", None, Status.FILLED, Decimal(1), Decimal(100))), 2)
    assert filled.apply(Acknowledged("OTX"), 3) is filled


def test_the_answer_takes_an_order_out_of_pending():
    """Kraken's stream says pending_new before the reply says accepted."""
    pending = order().apply(Seen(VenueOrder("OTX", None, Status.PENDING)), 2)
    assert not pending.is_settled
    assert pending.apply(Acknowledged("OTX"), 3).status is Status.OPEN


def test_an_older_open_picture_never_reopens_a_cancelled_order():
    """Terminal is for ever, and a fill told late still counts."""
    cancelled = order(Status.OPEN).apply(Seen(VenueOrder("OTX", None, Status.CANCELLED, Decimal(0))), 2)
    later = cancelled.apply(Seen(VenueOrder("OTX", None, Status.OPEN, Decimal("0.25"), Decimal(25))), 3)
    assert (later.status, later.filled_quantity) == (Status.CANCELLED, Decimal("0.25"))


def test_whole_quantity_filled_is_filled_whatever_the_word():
    """Derived from quantities: a trade that completes the order reports partially_filled at Kraken."""
    moved = order().apply(Seen(VenueOrder("OTX", None, Status.OPEN, Decimal("1.0"), Decimal(100))), 2)
    assert moved.status is Status.FILLED


def test_a_reject_after_the_fact_is_broken():
    """An order seen open cannot be proved absent."""
    with pytest.raises(Broken):
        order(Status.OPEN).apply(ProvedAbsent(FAULT), 2)


def test_never_sent_starts_the_next_attempt_under_a_new_wire_id():
    """The same client order id may go again; Kraken sees another id."""
    again = order().apply(NeverSent(FAULT), 2).resubmitted(INTENT, 3)
    assert (again.status, again.attempt, again.venue_client_id, again.end_fault) == (
        Status.SUBMITTED,
        1,
        "wire-1",
        None,
    )


@pytest.mark.parametrize("told", [Status.NOT_PLACED, Status.NEVER_SENT, Status.REJECTED])
def test_a_live_order_that_was_told_as_absent_is_a_contradiction(told):
    """Never merged in silence: someone must look."""
    with pytest.raises(Broken, match=told.name):
        order(told).apply(Seen(VenueOrder("OTX", None, Status.OPEN)), 2)


def test_a_refused_order_may_show_as_cancelled_without_a_fill():
    """Kraken may list a post-only refusal among its cancelled orders: no contradiction, no change of status."""
    moved = order(Status.REJECTED).apply(Seen(VenueOrder("OTX", None, Status.CANCELLED, Decimal(0))), 2)
    assert moved.status is Status.REJECTED


def test_what_was_told_as_in_doubt_and_never_left_is_not_placed():
    """A caller that was told "in doubt" is never told "send it again under this id"."""
    moved = order(Status.IN_DOUBT).apply(NeverSent(FAULT), 2)
    assert moved.status is Status.NOT_PLACED
    assert (moved.end_fault.reason, moved.end_fault.metadata["id_used"]) == (Reason.NOT_PLACED, "true")


def test_a_wish_to_cancel_does_not_outlive_the_attempt_it_was_for():
    """Placed again after NEVER_SENT, the order is wanted."""
    wished = order().apply(CancelWished(), 2).apply(NeverSent(FAULT), 3)
    assert wished.cancel_requested
    assert not wished.resubmitted(INTENT, 4).cancel_requested


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.NEVER_SENT}, key=lambda each: each.value))
def test_nothing_but_never_sent_is_sent_again(status):
    """An order that may have been sent is never signed twice."""
    with pytest.raises(Broken):
        order(status).resubmitted(INTENT, 3)


def fill_report(quantity, fee, filled, status=Status.OPEN):
    """What the stream tells with one fill: its own quantity and fee, and how far the order is filled by then."""
    return VenueOrder(
        "OTX",
        None,
        status,
        None if filled is None else Decimal(filled),
        None if filled is None else Decimal(filled) * 100,
        added_fees=(AssetAmount("USD", Decimal(fee)),),
        added_quantity=Decimal(quantity),
    )


def total_report(filled, fee):
    """What REST tells: sums."""
    filled = Decimal(filled)
    return VenueOrder("OTX", None, Status.OPEN, filled, filled * 100, total_fees=(AssetAmount("USD", Decimal(fee)),))


@pytest.mark.parametrize(
    ("told", "fee"),
    [
        ((fill_report("0.5", "0.2", "0.5"), fill_report("0.25", "0.1", "0.75")), "0.3"),
        ((fill_report("0.5", "0.2", "0.75"), fill_report("0.25", "0.1", "0.75")), "0.3"),
        ((fill_report("0.25", "0.1", "0.75"), fill_report("0.5", "0.2", "0.5")), "0.3"),
        ((fill_report("0.5", "0.2", "0.5"), total_report("0.75", "0.3"), fill_report("0.25", "0.1", "0.75")), "0.3"),
        ((total_report("0.75", "0.3"), fill_report("0.5", "0.2", "0.5"), fill_report("0.25", "0.1", "0.75")), "0.3"),
        ((fill_report("0.5", "0.2", "0.5"), fill_report("0.25", "0.1", "0.75"), total_report("0.5", "0.2")), "0.3"),
        (
            (
                total_report("0.5", "0.2"),
                VenueOrder("OTX", None, Status.OPEN, Decimal("0.75"), Decimal(75)),
                fill_report("0.25", "0.15", "0.25"),
                fill_report("0.25", "0.05", "0.5"),
                fill_report("0.25", "0.1", "0.75"),
            ),
            "0.3",
        ),
        ((fill_report("0.25", "0.1", "0.75"), total_report("0.75", "0.3")), "0.3"),
    ],
    ids=[
        "in order",
        "both with the last sum",
        "out of order",
        "total between",
        "total first",
        "older total last",
        "sum, then each",
        "one missed",
    ],
)
def test_every_fills_fee_counts_once_whatever_the_order_of_telling(told, fee):
    """Of the fills told one by one and the last sum told, the one that knows more of the order is right."""
    held = order()
    for now, report in enumerate(told, start=2):
        held = held.apply(Seen(report), now)
    assert (AssetAmount("USD", Decimal(fee)),) == held.fees


def test_a_fill_told_again_adds_nothing():
    """Its picture may be news, its fee is not."""
    report = fill_report("0.25", "0.1", "0.75")
    held = order().apply(Seen(report), 2)
    assert held is held.apply(Seen(report.told_before()), 3)


def test_filled_without_a_figure_stays_open_until_somebody_tells_how_far():
    """Quantities over words: the order is asked for, and told whole."""
    held = order().apply(Seen(fill_report("1.00", "0.4", None, Status.FILLED)), 2)
    assert Status.OPEN is held.status
    assert Status.FILLED is held.apply(Seen(total_report("1.00", "0.4")), 3).status


def test_a_wish_to_cancel_stands_until_the_order_is_terminal():
    """On a terminal order the wish changes nothing."""
    assert order(Status.IN_DOUBT).apply(CancelWished(), 2).cancel_requested
    done = order(Status.FILLED)
    assert done.apply(CancelWished(), 2) is done


@pytest.mark.parametrize(
    ("status", "filled", "reason", "told"),
    [
        (Status.CANCELLED, "0", "User requested", HALT),
        (Status.CANCELLED, "0.4", "", HALT),
        (Status.CANCELLED, "0", "Post only order", Reason.POST_ONLY_WOULD_TAKE),
        (Status.EXPIRED, "0", "", None),
        (Status.FILLED, "1.00", "", None),
    ],
    ids=["taken", "in part filled", "by Kraken", "expired", "filled before"],
)
def test_why_an_order_was_cancelled_is_told_of_an_end_that_came_of_it(status, filled, reason, told):
    """Kraken's own words count before it, and whatever ended otherwise ended for another reason."""
    wished = order(Status.OPEN).apply(CancelWished(HALT), 2)
    ended = wished.apply(Seen(VenueOrder("OTX", "wire-0", status, Decimal(filled), reason=reason)), 3)
    fault = ended.end_fault
    assert (None, told) == (wished.end_fault, fault.reason if isinstance(told, Reason) and fault is not None else fault)


def test_whoever_wished_it_first_is_why_an_order_goes():
    """A second wish, of whomever, changes nothing."""
    own, halted = order().apply(CancelWished(), 2), order().apply(CancelWished(HALT), 2)
    assert (own, halted) == (own.apply(CancelWished(HALT), 3), halted.apply(CancelWished(), 3))
    assert (None, HALT) == (own.cancel_why, halted.cancel_why)


def test_an_order_that_is_placed_anew_is_not_to_go_any_more():
    """Neither the wish of its last attempt nor its reason is left."""
    again = order().apply(CancelWished(HALT), 2).apply(NeverSent(FAULT), 3).resubmitted(INTENT, 4)
    assert (False, None, None) == (again.cancel_requested, again.cancel_why, again.end_fault)


def test_a_post_only_order_that_kraken_cancelled_says_why():
    """The reason of an accepted, then cancelled order is the caller's reason."""
    report = VenueOrder("OTX", None, Status.CANCELLED, Decimal(0), reason="Post only order")
    moved = order(Status.OPEN).apply(Seen(report), 2)
    assert moved.end_fault is not None
    assert moved.end_fault.reason is Reason.POST_ONLY_WOULD_TAKE


# ---- orders that wait ------------------------------------------------------------------------------------------------


def waiting(wish, status=Status.SUBMITTED):
    return replace(submitted(replace(INTENT, spec=wish), 1), status=status)


def shown(status, filled=None, **more):
    return Seen(VenueOrder("OTX", None, status, None if filled is None else Decimal(filled), **more))


STOP, SCHEDULED = KINDS["stop"], spec(start_time_ns=START_NS)


@pytest.mark.parametrize("wish", [STOP, SCHEDULED], ids=["trigger", "start"])
def test_an_order_that_waits_is_pending_when_it_is_taken(wish):
    """Its trigger or start is ahead, and that is an answer: the caller need not wait for it."""
    taken = waiting(wish).apply(Acknowledged("OTX"), 2)
    assert (Status.PENDING, True) == (taken.status, taken.is_settled)


def test_a_stop_that_kraken_calls_open_is_pending_until_it_fires():
    """Kraken's word for an untriggered stop is "open"; it is not in the book."""
    seen = waiting(STOP).apply(shown(Status.OPEN, triggered=False), 2)
    fired = seen.apply(shown(Status.OPEN, triggered=True), 3)
    assert [(Status.PENDING, False), (Status.OPEN, True)] == [(each.status, each.triggered) for each in (seen, fired)]


def test_a_trigger_does_not_unfire():
    """A picture from before it fired changes nothing."""
    fired = waiting(STOP).apply(shown(Status.OPEN, triggered=True), 2)
    assert fired is fired.apply(shown(Status.OPEN, triggered=False), 3)


def test_what_has_filled_has_fired():
    """Whether or not anyone said so."""
    filled = waiting(STOP).apply(shown(Status.OPEN, "0.1"), 2)
    assert (Status.OPEN, True) == (filled.status, filled.triggered)


def test_a_scheduled_order_is_open_once_kraken_says_so():
    """Its time has come."""
    started = waiting(SCHEDULED).apply(shown(Status.PENDING), 2).apply(shown(Status.OPEN), 3)
    assert (Status.OPEN, False) == (started.status, started.triggered)


def test_an_order_without_a_trigger_never_fires():
    """Whatever a picture says."""
    assert not order().apply(shown(Status.OPEN, triggered=True), 2).triggered


def test_where_a_trailing_stop_stands_is_kept():
    """The last that was told; a picture that does not tell it takes nothing back."""
    trailing = waiting(KINDS["trailing stop"]).apply(shown(Status.OPEN, current_trigger_price=Decimal(59000)), 2)
    assert Decimal(59000) == trailing.apply(shown(Status.OPEN, triggered=True), 3).current_trigger_price


def test_only_a_trailing_stop_has_a_trigger_that_moves():
    """That of a stop is in its wish."""
    assert waiting(STOP).apply(shown(Status.OPEN, current_trigger_price=Decimal(1)), 2).current_trigger_price is None


def test_a_child_keeps_its_parent():
    """A picture that does not name it takes nothing back."""
    child = order().apply(shown(Status.OPEN, parent_order_id="OPARENT"), 2)
    assert "OPARENT" == child.apply(shown(Status.OPEN, "0.5"), 3).parent_order_id


# ---- sizes that only Kraken knows, and those it changed --------------------------------------------------------------


@pytest.mark.parametrize("name", ["market in quote", "close position", "settle position"])
def test_an_order_without_a_base_quantity_is_filled_when_kraken_says_so(name):
    """No quantity can tell it."""
    part = waiting(KINDS[name]).apply(shown(Status.OPEN, "0.0016"), 2)
    assert [Status.OPEN, Status.FILLED] == [part.status, part.apply(shown(Status.FILLED, "0.0017"), 3).status]


def test_an_amend_that_kraken_shows_is_in_the_order():
    """Quantity and price as they are now; one version more."""
    amended = replace(SPEC, base_quantity=Decimal(2), limit_price=Decimal("101.0"))
    held = order(Status.OPEN)
    found = held.apply(shown(Status.OPEN, spec=amended), 2)
    assert (amended, held.version + 1) == (found.spec, found.version)


def test_a_picture_of_the_wish_as_it_is_is_no_news():
    """Equal by value: the object itself comes back."""
    held = order(Status.OPEN).apply(shown(Status.OPEN), 2)
    assert held is held.apply(shown(Status.OPEN, spec=replace(SPEC, base_quantity=Decimal("1.00000000"))), 3)


@pytest.mark.parametrize("end", [Status.FILLED, Status.CANCELLED])
def test_a_fill_that_leaves_something_does_not_end_it(end):
    """Kraken calls it the last one where an amend was not heard of: it is asked for, and told with the wish as it became."""
    part = {"added_quantity": Decimal("0.6"), "added_fees": ()}
    held = order(Status.OPEN).apply(shown(Status.FILLED, "0.6", **part), 2)
    assert (Status.OPEN, SPEC, Decimal("0.6")) == (held.status, held.spec, held.filled_quantity)
    smaller = replace(SPEC, base_quantity=Decimal("0.6"))
    ended = held.apply(shown(end, "0.6", spec=smaller), 3)
    assert (end, smaller) == (ended.status, ended.spec)
    whole = order(Status.OPEN).apply(shown(Status.FILLED, "1", **part), 2)
    assert Status.FILLED is whole.status


def test_a_picture_of_it_open_takes_no_amend_back_from_what_has_ended():
    """It is older than the end, and nothing would put it right again; a picture of the end may bring the last amend."""
    amended = replace(SPEC, limit_price=Decimal("101.0"))
    ended = order(Status.OPEN).apply(shown(Status.CANCELLED, spec=amended), 2)
    assert ended is ended.apply(shown(Status.OPEN, spec=SPEC), 3)
    later = replace(SPEC, limit_price=Decimal("102.0"))
    assert later == ended.apply(shown(Status.CANCELLED, spec=later), 3).spec


@pytest.mark.parametrize(("after_ns", "wish"), [(LOOKS_LAG_NS - 1, "ours"), (LOOKS_LAG_NS, "theirs")])
def test_a_look_so_soon_after_an_amend_that_it_may_not_show_it_takes_nothing_back(after_ns, wish):
    """Where the order ends meanwhile nothing would mend it. From V on a look is believed."""
    ours, theirs = (replace(SPEC, limit_price=Decimal(price)) for price in ("101.0", "102.0"))
    held = order(Status.OPEN).apply(Amended(ours), 5)
    seen = held.apply(shown(Status.OPEN, spec=theirs, asked_ns=5 + after_ns), 6 + after_ns)
    assert {"ours": ours, "theirs": theirs}[wish] == seen.spec


@pytest.mark.parametrize("before", [Status.OPEN, Status.CANCELLED])
@pytest.mark.parametrize("end", [Status.FILLED, Status.CANCELLED, Status.EXPIRED])
def test_a_look_that_shows_its_end_is_the_last_word_however_soon_after_an_amend(before, end):
    """Nothing amends an order that has ended, so what Kraken shows of it then is no older than any amend."""
    ours, theirs = (replace(SPEC, limit_price=Decimal(price)) for price in ("101.0", "102.0"))
    held = order(Status.OPEN).apply(Amended(ours), 5).apply(shown(before), 6)
    seen = held.apply(shown(end, "1" if end is Status.FILLED else None, spec=theirs, asked_ns=5), 7)
    assert theirs == seen.spec


@pytest.mark.parametrize(("told_ns", "wish"), [(4, "ours"), (5, "ours"), (6, "theirs")])
def test_an_amend_takes_nothing_back_that_was_told_after_it_was_written_down(told_ns, wish):
    """Its answer may have been overtaken by the next amend; a change that was told before it is amended by it."""
    ours, theirs = (replace(SPEC, limit_price=Decimal(price)) for price in ("101.0", "102.0"))
    held = order(Status.OPEN).apply(shown(Status.OPEN, spec=theirs), told_ns)
    assert {"ours": ours, "theirs": theirs}[wish] == held.apply(Amended(ours, 5), 7).spec


def test_an_amend_below_what_is_filled_ends_the_order_though_the_stream_told_of_it_first():
    """The figures stand already; that the rest is cancelled is news."""
    smaller = replace(SPEC, base_quantity=Decimal("0.4"))
    held = order(Status.OPEN).apply(shown(Status.OPEN, "0.6", spec=smaller), 6)
    assert [Status.OPEN, Status.CANCELLED] == [held.status, held.apply(Amended(smaller, 5), 7).status]


def test_the_streams_word_of_a_wish_counts_at_once():
    """It is never late."""
    ours, theirs = (replace(SPEC, limit_price=Decimal(price)) for price in ("101.0", "102.0"))
    held = order(Status.OPEN).apply(Amended(ours), 5)
    assert theirs == held.apply(shown(Status.OPEN, spec=theirs), 6).spec


@pytest.mark.parametrize(("ours", "theirs"), [("2", "1"), ("1", "2")], ids=["older picture", "newer picture"])
def test_an_order_is_whole_by_the_larger_of_two_quantities(ours, theirs):
    """Which of the two is older cannot be told, and FILLED is for ever."""
    held = waiting(replace(SPEC, base_quantity=Decimal(ours)), Status.OPEN)
    report = shown(Status.OPEN, "1", spec=replace(SPEC, base_quantity=Decimal(theirs)))
    assert Status.OPEN is held.apply(report, 2).status


# ---- content ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, base_quantity=Decimal("1.000")),
        replace(SPEC, limit_price=Decimal(100)),
    ],
)
def test_content_is_compared_by_value(other):
    """1.00 and 1.000 are one quantity."""
    assert content_hash("main", SPEC) == content_hash("main", other)


@pytest.mark.parametrize(
    "other",
    [
        replace(SPEC, base_quantity=Decimal("1.01")),
        replace(SPEC, limit_price=Decimal("100.1")),
        replace(SPEC, side=Side.SELL),
        replace(SPEC, symbol="ETH/USD"),
        replace(SPEC, post_only=True),
        replace(SPEC, time_in_force=TimeInForce.IOC),
        replace(SPEC, label="x"),
        OrderSpec("BTC/USD", Side.BUY, Decimal("1.00"), OrderType.MARKET),
    ],
)
def test_any_other_content_has_another_hash(other):
    """Each field of the spec is content."""
    assert content_hash("main", SPEC) != content_hash("main", other)
    assert content_hash("main", SPEC) != content_hash("else", SPEC)


@pytest.mark.parametrize("told", [Status.NOT_PLACED, Status.NEVER_SENT, Status.REJECTED])
@pytest.mark.parametrize("shown", [Status.OPEN, Status.FILLED])
def test_a_verdict_that_kraken_denies_is_corrected(told, shown):
    """The one event that leaves a verdict: Kraken's picture, and what was told, are both kept."""
    filled = Decimal("1.00") if shown is Status.FILLED else Decimal(0)
    corrected = replace(order(told), end_fault=FAULT).apply(Corrected(VenueOrder("OTX", "wire-0", shown, filled)), 2)
    assert (shown, told, "OTX", None) == (
        corrected.status,
        corrected.corrected_from,
        corrected.venue_order_id,
        corrected.end_fault,
    )


def test_a_refused_order_that_shows_as_cancelled_is_no_contradiction():
    """Post-only orders end that way: the refusal stands."""
    refused = replace(order(Status.REJECTED), end_fault=FAULT)
    assert refused is refused.apply(Corrected(VenueOrder("OTX", "wire-0", Status.CANCELLED, Decimal(0))), 2)


@pytest.mark.parametrize(
    "status", sorted(set(Status) - {Status.NOT_PLACED, Status.NEVER_SENT, Status.REJECTED}, key=str)
)
def test_only_a_verdict_can_be_corrected(status):
    """Of any other order the event says nothing."""
    there = order(status)
    assert there is there.apply(Corrected(VenueOrder("OTX", "wire-0", Status.OPEN)), 2)
