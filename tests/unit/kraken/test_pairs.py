"""A pair's engine counter, rule by rule: what a placement and a cancel cost, and which orders may be open."""

from decimal import Decimal

import pytest

from execsvc.kraken.costs import TIERS
from execsvc.kraken.pairs import ORDERS_MAX, SEEN_BY_S, PairCounter

STARTER, PRO = TIERS["starter"], TIERS["pro"]
FREE = Decimal(0)


def pair(tier=STARTER):
    return PairCounter("BTC/USD", tier)


def opened(at=0.0, order_id="O1", **parts):
    """A pair with one order that was accepted at that moment."""
    made = pair(**parts)
    made.accepted(made.add(at), order_id, at)
    return made


def cancel_cost(made, at, order_id="O1"):
    """Points that a cancel leaving now adds, once what is there already is taken off."""
    before = made.counter.level(at)
    made.cancel(order_id, at)
    return made.counter.level(at) - before


# ---- placing --------------------------------------------------------------------------------------------------------


def test_a_placement_costs_a_point_from_when_it_may_leave():
    """And it may become an open order."""
    made = pair()
    made.add(1.0)
    assert (Decimal(1), 1) == (made.counter.level(9.0), made.open_orders(9.0))


def test_one_that_never_left_costs_nothing():
    """Its point and its open order are free again."""
    made = pair()
    made.unsent(made.add(1.0))
    assert (FREE, 0) == (made.counter.level(1.0), made.open_orders(1.0))


def test_an_accepted_one_sinks_from_its_answer_and_is_open():
    """Points go, the order stays."""
    made = pair()
    made.accepted(made.add(1.0), "O1", 3.0)
    assert (Decimal("0.5"), 1) == (made.counter.level(3.5), made.open_orders(9.0))


def test_a_refused_one_costs_its_point_and_is_not_open():
    """Kraken counts what it received, whatever it thinks of it."""
    made = pair()
    made.refused(made.add(1.0), 1.0)
    assert (Decimal(1), 0) == (made.counter.level(1.0), made.open_orders(1.0))


def test_one_in_doubt_counts_until_its_entry_deadline():
    """Kraken may still take it."""
    made = pair()
    made.in_doubt(made.add(0.0), 5.0, 2.0)
    assert (Decimal(1), Decimal("0.5")) == (made.counter.level(5.0), made.counter.level(5.5))


def test_one_in_doubt_may_be_open_until_it_must_have_been_seen():
    """Then it is counted by what was seen."""
    made = pair()
    made.in_doubt(made.add(0.0), 5.0, 2.0)
    gone = 5.0 + SEEN_BY_S
    assert (1, 0) == (made.open_orders(gone - 0.1), made.open_orders(gone))


@pytest.mark.parametrize("late", ["accepted", "refused"])
def test_a_late_answer_lands_the_doubt_at_once(late):
    """It sinks from the answer on, not from the deadline that was feared."""
    made = pair()
    adding = made.add(0.0)
    made.in_doubt(adding, 40.0, 2.0)
    if late == "accepted":
        made.accepted(adding, "O1", 5.0)
    else:
        made.refused(adding, 5.0)
    expected = (FREE, 1 if late == "accepted" else 0)
    assert expected == (made.counter.level(6.0), made.open_orders(6.0))


def test_a_doubt_that_was_decided_is_not_taken_off_twice():
    """Answered late, then its time is up: the orders of others stay counted."""
    made = pair()
    doubt = made.add(0.0)
    made.in_doubt(doubt, 5.0, 2.0)
    made.refused(doubt, 3.0)
    made.add(4.0)
    assert 1 == made.open_orders(5.0 + SEEN_BY_S)


# ---- open orders ----------------------------------------------------------------------------------------------------


def test_the_tiers_last_open_order_makes_the_pair_crowded():
    """At the cap one more might be one too many; below it there is room."""
    made = pair()
    for number in range(STARTER.open_orders_max - 1):
        made.seen_open(f"O{number}", 0.0)
    assert not made.crowded(0.0)
    made.add(0.0)
    assert made.crowded(0.0)


def test_an_order_is_counted_once_however_often_it_is_seen():
    """The answer and the stream tell of the same one."""
    made = opened()
    made.seen_open("O1", 1.0)
    assert 1 == made.open_orders(1.0)


def test_an_end_the_stream_told_before_the_answer_stays_an_end():
    """An IOC order is filled before Kraken's answer is read: it does not stay counted as open."""
    made = pair()
    adding = made.add(0.0)
    made.seen_open("O1", 0.1)
    made.seen_ended("O1", 0.2)
    made.accepted(adding, "O1", 0.3)
    assert 0 == made.open_orders(0.3)


def test_an_end_without_a_beginning_is_an_end_too():
    """The first word of an order may be its last."""
    made = pair()
    adding = made.add(0.0)
    made.seen_ended("O1", 0.2)
    made.accepted(adding, "O1", 0.3)
    assert 0 == made.open_orders(0.3)


def test_a_lower_tier_counts_at_once():
    """Maximum, decay and the cap of open orders are the new ones, the level stays."""
    made = pair(PRO)
    made.accepted(made.add(0.0), "O1", 0.0)
    made.resize(STARTER, 0.0)
    assert (Decimal(60), Decimal(1), 60) == (made.counter.maximum, made.counter.decay, made.open_orders_max)
    assert Decimal(1) == made.counter.level(0.0)


def test_no_more_orders_are_remembered_than_any_tier_allows():
    """The oldest are forgotten, and are as young as can be from then on."""
    made = pair()
    for number in range(ORDERS_MAX + 5):
        made.seen_open(f"O{number}", float(number))
    assert ORDERS_MAX == made.open_orders(2000.0)
    assert (0.0, 995.0) == (made.age_s("O4", 2000.0), made.age_s("O1004", 1999.0))


def test_no_more_ends_are_remembered_than_orders():
    """The first one is forgotten, the last one is not."""
    made = pair()
    for number in range(ORDERS_MAX + 1):
        made.seen_ended(f"O{number}", 0.0)
    assert ORDERS_MAX == len(made._ended)
    made.seen_open(f"O{ORDERS_MAX}", 1.0)
    assert 0 == made.open_orders(1.0)


def test_a_picture_of_all_open_orders_ends_those_it_does_not_show():
    """And adds those that nobody knew of."""
    made = opened()
    made.seen_open("O2", 0.0)
    made.only_open(frozenset({"O2", "O3"}), 0.5, 1.0)
    assert {"O2", "O3"} == set(made._born)


def test_a_picture_ends_no_order_that_is_younger_than_it():
    """Accepted after it was taken: it cannot be in it."""
    made = opened(1.0)
    made.only_open(frozenset(), 0.9, 1.1)
    assert 1 == made.open_orders(1.1)


# ---- age ------------------------------------------------------------------------------------------------------------


def test_age_counts_from_the_answer():
    """Kraken created it before that, so it is that old at the least."""
    made = pair()
    made.accepted(made.add(0.0), "O1", 2.0)
    assert 8.0 == made.age_s("O1", 10.0)


def test_age_counts_from_the_first_sight():
    """A later one does not make it younger."""
    made = pair()
    made.seen_open("O1", 1.0)
    made.accepted(made.add(0.0), "O1", 2.0)
    assert 9.0 == made.age_s("O1", 10.0)


def test_an_unknown_order_is_as_young_as_can_be():
    """So its cancel is the dearest."""
    assert 0.0 == pair().age_s("O9", 100.0)


def test_age_is_never_below_nothing():
    """A birth that is still to come, by an earlier life's clock, is now."""
    made = pair()
    made.seen_open("O1", 9.0)
    assert 0.0 == made.age_s("O1", 5.0)


# ---- cancelling -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age_s", "cost"), [(0, 8), (4.9, 8), (5, 6), (10, 5), (15, 4), (45, 2), (90, 1), (299, 1), (300, 0), (900, 0)]
)
def test_a_cancel_costs_by_the_age_of_its_order(age_s, cost):
    """Kraken's table, a step held below its age."""
    assert cost == cancel_cost(opened(), float(age_s))


def test_a_cancel_of_an_unknown_order_costs_the_most():
    """Nobody knows how young it is."""
    assert Decimal(8) == cancel_cost(pair(), 1000.0)


def test_a_cancel_that_is_repeated_under_way_is_charged_once():
    """An order is cancelled once, however often it is asked before the answer comes."""
    made = opened()
    made.cancel("O1", 1.0)
    assert FREE == cancel_cost(made, 2.0)


def test_a_cancel_that_is_repeated_while_it_may_still_arrive_counts_until_the_last_may():
    """The first went lost and may count until 14 s, the second until 20 s: it is one cancel, counted until then."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 2.0, by=14.0)
    made.cancel("O1", 10.0)
    made.cancel_answered("O1", 12.0, by=20.0)
    assert (Decimal(8), Decimal(6)) == (made.counter.level(20.0), made.counter.level(22.0))


def test_the_answer_to_a_repeated_cancel_does_not_hasten_the_first_one():
    """That may still arrive until 30 s, whatever became of the second."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 2.0, by=30.0)
    made.cancel("O1", 3.0)
    made.cancel_answered("O1", 4.0, by=4.0)
    assert (Decimal(8), Decimal(7)) == (made.counter.level(30.0), made.counter.level(31.0))


def test_a_cancel_of_which_two_are_under_way_does_not_sink_with_the_first_answer():
    """The second one may be the one that Kraken counts."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel("O1", 0.5)
    made.cancel_answered("O1", 1.0, by=1.0)
    held = made.counter.level(9.0)
    made.cancel_answered("O1", 9.0, by=9.0)
    assert (Decimal(8), Decimal(7)) == (held, made.counter.level(10.0))


def test_a_cancel_that_is_asked_again_when_the_first_cannot_arrive_any_more_is_charged_anew():
    """Kraken never saw the first, it counts the second."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 2.0, by=14.0)
    assert Decimal(8) == cancel_cost(made, 60.0)


def test_a_cancel_that_is_asked_again_after_its_answer_is_charged_anew():
    """Kraken counts every one that reaches it."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 1.0, by=1.0)
    assert Decimal(8) == cancel_cost(made, 2.0)


def test_cancels_of_two_orders_are_charged_each():
    """One for each order."""
    made = opened()
    made.cancel("O1", 0.0)
    assert Decimal(8) == cancel_cost(made, 0.0, "O2")


def test_a_cancel_sinks_from_its_answer_on():
    """Not from when it left."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 3.0, by=3.0)
    assert (Decimal(8), Decimal(6)) == (made.counter.level(3.0), made.counter.level(5.0))


def test_a_cancel_without_an_answer_counts_until_it_cannot_any_more():
    """Kraken may still read it."""
    made = pair()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 2.0, by=30.0)
    assert (Decimal(8), Decimal(7)) == (made.counter.level(30.0), made.counter.level(31.0))


def test_the_end_of_the_order_lands_its_cancel():
    """The stream shows it cancelled: Kraken has counted by then."""
    made = opened()
    made.cancel("O1", 0.0)
    made.cancel_answered("O1", 2.0, by=30.0)
    made.seen_ended("O1", 3.0)
    assert Decimal(4) == made.counter.level(7.0)


def test_an_answer_to_a_cancel_that_nobody_sent_changes_nothing():
    """It was charged by another road, or is over."""
    made = pair()
    made.cancel_answered("O1", 0.0, by=0.0)
    assert FREE == made.counter.level(0.0)


def test_a_cancel_is_never_held_back():
    """Above the maximum it is counted all the same."""
    made = pair()
    for number in range(20):
        made.cancel(f"O{number}", 0.0)
    assert Decimal(160) == made.counter.level(0.0)


def test_it_shows_what_it_counts():
    """For a log line: points and open orders, by pair."""
    assert "<PairCounter BTC/USD <Counter 1/60> 1 open>" == repr(opened())
