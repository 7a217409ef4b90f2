"""Counter, rule by rule: what is held, what lands, what sinks, and what a caller is told."""

from decimal import Decimal

import pytest

from execsvc.kraken.counters import Counter, points

NOTHING = Decimal(0)


def counter(maximum=60, decay="1"):
    return Counter(maximum, Decimal(decay))


def landed(cost, at=0.0, **figures):
    made = counter(**figures)
    made.land(made.hold(Decimal(cost), at), at, at)
    return made


def test_a_new_counter_is_empty():
    """It starts at 0."""
    assert (NOTHING, True) == (counter().level(5.0), counter().idle(5.0))


def test_a_call_counts_from_when_it_may_leave():
    """Holding is counting, in full."""
    made = counter()
    made.hold(Decimal(8), 1.0)
    assert (Decimal(8), False) == (made.level(1.0), made.idle(1.0))


def test_a_call_under_way_does_not_sink():
    """Kraken may count it at any moment until its answer."""
    made = counter()
    made.hold(Decimal(8), 1.0)
    assert Decimal(8) == made.level(1000.0)


def test_a_call_sinks_from_its_answer_on():
    """Not from when it left."""
    made = counter()
    charge = made.hold(Decimal(8), 1.0)
    made.land(charge, 3.0, 3.0)
    assert Decimal("5.5") == made.level(5.5)


def test_it_never_sinks_below_nothing():
    """An idle hour is no credit."""
    made = landed(8)
    made.level(3600.0)
    made.land(made.hold(Decimal(5), 3600.0), 3600.0, 3600.0)
    assert Decimal(5) == made.level(3600.0)


@pytest.mark.parametrize(("decay", "left"), [("0.33", "7.67"), ("0.5", "7.5"), ("2.34", "5.66"), ("3.75", "4.25")])
def test_every_tier_s_decay_is_exact(decay, left):
    """A second takes the tier's figure, to the last digit."""
    assert Decimal(left) == landed(8, decay=decay).level(1.0)


def test_many_small_steps_are_one_large_one():
    """No looking at it changes it."""
    made = landed(8, decay="0.33")
    for step in range(1, 1000):
        made.level(step / 1000 * 7)
    assert landed(8, decay="0.33").level(7.0) == made.level(7.0)


def test_what_never_left_is_free_again():
    """A release takes the points off at once, and only once."""
    made = counter()
    charge = made.hold(Decimal(8), 1.0)
    made.hold(Decimal(1), 1.0)
    made.release(charge)
    made.release(charge)
    assert Decimal(1) == made.level(1.0)


def test_what_landed_cannot_be_released():
    """Its answer proved that Kraken counted it."""
    made = counter()
    charge = made.hold(Decimal(8), 1.0)
    made.land(charge, 1.0, 1.0)
    made.release(charge)
    assert Decimal(8) == made.level(1.0)


def test_what_was_released_cannot_land():
    """It never left, whatever is said of it later."""
    made = counter()
    charge = made.hold(Decimal(8), 1.0)
    made.release(charge)
    made.land(charge, 2.0, 2.0)
    assert NOTHING == made.level(2.0)


def test_a_lost_call_is_held_until_its_deadline():
    """Without an answer it sinks from the moment after which Kraken cannot take it."""
    made = counter()
    made.land(made.hold(Decimal(8), 0.0), 5.0, 2.0)
    assert (Decimal(8), Decimal(8), Decimal(6)) == (made.level(4.0), made.level(5.0), made.level(7.0))


def test_a_deadline_that_passed_unseen_counts_from_when_it_was():
    """Nobody has to look at the right moment."""
    made = counter()
    made.land(made.hold(Decimal(8), 0.0), 5.0, 2.0)
    assert Decimal(2) == made.level(11.0)


def test_deadlines_come_in_the_order_of_time():
    """Whatever order they were told in, each call sinks from its own on."""
    made = counter()
    first, second = made.hold(Decimal(3), 0.0), made.hold(Decimal(4), 0.0)
    made.land(first, 9.0, 1.0)
    made.land(second, 2.0, 1.0)
    assert (Decimal(3), Decimal(2)) == (made.level(9.0), made.level(10.0))


def test_a_late_answer_still_counts():
    """An answer before the deadline lets it sink earlier."""
    made = counter()
    charge = made.hold(Decimal(8), 0.0)
    made.land(charge, 5.0, 2.0)
    made.land(charge, 3.0, 3.0)
    assert Decimal(4) == made.level(7.0)


def test_an_answer_after_the_deadline_lands_nothing_twice():
    """It had landed by its deadline already, though nobody looked: it is off what is under way once."""
    made = counter()
    charge = made.hold(Decimal(8), 0.0)
    made.land(charge, 5.0, 2.0)
    made.land(charge, 9.0, 9.0)
    made.hold(Decimal(1), 9.0)
    assert (Decimal(5), Decimal(1)) == (made.level(9.0), made.level(100.0))


def test_a_release_after_the_deadline_takes_nothing_off_twice():
    """It had landed by its deadline, or it is off what is under way; never both."""
    made = counter()
    charge = made.hold(Decimal(8), 0.0)
    made.land(charge, 5.0, 2.0)
    made.release(charge)
    made.hold(Decimal(1), 9.0)
    assert Decimal(1) == made.level(100.0)


def test_a_later_deadline_changes_nothing():
    """The earliest word counts."""
    made = counter()
    charge = made.hold(Decimal(8), 0.0)
    made.land(charge, 5.0, 2.0)
    made.land(charge, 9.0, 2.0)
    assert Decimal(6) == made.level(7.0)


def test_a_late_word_that_it_never_left_is_believed():
    """A call with a deadline can still be released."""
    made = counter()
    charge = made.hold(Decimal(8), 0.0)
    made.land(charge, 5.0, 2.0)
    made.release(charge)
    assert (NOTHING, NOTHING) == (made.level(2.0), made.level(9.0))


def test_a_clock_that_steps_back_gives_nothing():
    """Time that was seen once does not sink twice."""
    made = landed(8, at=10.0)
    made.level(12.0)
    assert (Decimal(6), Decimal(6), Decimal(5)) == (made.level(9.0), made.level(12.0), made.level(13.0))


@pytest.mark.parametrize(
    ("maximum", "decay", "margin"),
    [
        (60, "1", "3"),
        (125, "2.34", "5.68"),
        (180, "3.75", "8.5"),
        (15, "0.33", "1.66"),
        (20, "0.5", "2"),
        (20, "1", "3"),
    ],
)
def test_the_margin_is_one_and_two_seconds_of_decay(maximum, decay, margin):
    """Kraken's count may lag behind a steady decay by two seconds of it."""
    assert Decimal(margin) == counter(maximum, decay).margin


def test_a_counter_without_limits_has_no_margin():
    """A margin larger than the counter would let nothing go."""
    assert NOTHING == counter(10**9, str(10**9)).margin


def test_headroom_is_what_is_left_under_margin_and_reserve():
    """Maximum less margin, reserve and level."""
    assert Decimal(60 - 3 - 6 - 8) == landed(8).headroom(0.0, Decimal(6))


def test_headroom_is_never_below_nothing():
    """A counter that is overfull has none."""
    assert NOTHING == landed(100).headroom(0.0)


def test_what_fits_exactly_may_go():
    """The last usable point is usable."""
    assert (0.0, 1.0) == (landed(56).wait_s(Decimal(1), 0.0), landed(57).wait_s(Decimal(1), 0.0))


def test_a_wait_is_told_to_the_microsecond_and_never_too_short():
    """A wait that does not come out even is rounded up."""
    assert 0.854701 == landed(Decimal("120.32"), maximum=125, decay="2.34").wait_s(Decimal(1), 0.0)


def test_what_stands_ahead_is_waited_for():
    """Others' points go first."""
    assert 9.0 == landed(57).wait_s(Decimal(1), 0.0, ahead=Decimal(8))


def test_a_reserve_is_left_alone():
    """Reads stop where the reserve begins, what may use it does not."""
    made = landed(51)
    assert (1.0, 0.0) == (made.wait_s(Decimal(1), 0.0, reserve=Decimal(6)), made.wait_s(Decimal(1), 0.0))


def test_a_call_larger_than_the_counter_never_goes():
    """None, and no number that would be a lie."""
    assert (None, 0.0) == (counter().wait_s(Decimal("57.01"), 0.0), counter().wait_s(Decimal(57), 0.0))


def test_a_free_call_never_waits():
    """Not for a full counter, and not for others."""
    made = landed(100)
    assert 0.0 == made.wait_s(NOTHING, 0.0, reserve=Decimal(6), ahead=Decimal(50))


def test_a_correction_lifts():
    """Kraken counts more than we thought: we were wrong, by so much."""
    made = landed(8)
    assert (Decimal(-12), Decimal(20)) == (made.correct(Decimal(20), 0.0), made.level(0.0))


def test_a_correction_never_lowers():
    """Kraken counts less than we do: it has not counted everything yet."""
    made = landed(8)
    assert (Decimal(5), Decimal(8), Decimal(3)) == (made.correct(Decimal(3), 0.0), made.level(0.0), made.told)


def test_a_correction_does_not_count_on_what_is_under_way():
    """It may or may not be in Kraken's figure already: it comes on top."""
    made = counter()
    made.hold(Decimal(8), 0.0)
    assert (Decimal(-2), Decimal(18)) == (made.correct(Decimal(10), 0.0), made.level(0.0))


def test_kraken_says_full():
    """Then it is as full as can be, and waits for margin and cost."""
    made = counter()
    made.fill(0.0)
    assert (Decimal(60), 4.0) == (made.level(0.0), made.wait_s(Decimal(1), 0.0))


def test_full_lowers_nothing():
    """A counter beyond its maximum stays there."""
    made = landed(100)
    made.fill(0.0)
    assert Decimal(100) == made.level(0.0)


def test_a_life_starts_as_full_as_the_last_may_have_left_it():
    """And sinks from there."""
    made = counter(15, "0.33")
    made.start_at(Decimal(9), 100.0)
    assert Decimal("8.67") == made.level(101.0)


def test_another_tier_keeps_the_level():
    """What was counted stays counted, what sank until then sank at the old pace."""
    made = landed(50, maximum=180, decay="3.75")
    made.resize(60, Decimal(1), 4.0)
    assert (Decimal(35), Decimal(33), Decimal(60)) == (made.level(4.0), made.level(6.0), made.maximum)


def test_another_tier_has_its_own_limits():
    """What may go is measured by the new figures."""
    made = landed(50, maximum=180, decay="3.75")
    made.resize(60, Decimal(1), 0.0)
    assert (Decimal(7), None) == (made.headroom(0.0), made.wait_s(Decimal(58), 0.0))


def test_it_is_idle_only_when_nothing_is_in_it_or_under_way():
    """A held call of any age keeps it busy."""
    made = counter()
    charge = made.hold(Decimal(1), 0.0)
    busy = made.idle(100.0)
    made.land(charge, 100.0, 100.0)
    assert (False, False, True) == (busy, made.idle(100.5), made.idle(101.0))


def test_points_read_like_kraken_s():
    """Whole tens are no exponents."""
    assert ("10", "0.5", "0") == (f"{points(10**12)}", f"{points(5 * 10**10)}", f"{points(0)}")


def test_a_person_sees_level_and_maximum():
    """The repr tells both."""
    made = landed(8)
    charge = made.hold(Decimal("0.5"), 0.0)
    assert ("<Counter 8.5/60>", "<Charge 0.5 flying>") == (repr(made), repr(charge))


@pytest.mark.parametrize(("used", "over"), [(0, 0), (57, 0), ("57.25", "0.25"), (60, 3)])
def test_what_is_beyond_is_the_level_above_what_may_be_used(used, over):
    """Above the maximum less the margin; never below nothing."""
    assert Decimal(over) == landed(used).beyond(0.0)


def test_what_may_be_used_follows_the_tier():
    """The account turns out to be of a larger one: what was beyond is not any more, and the margin is the new one's."""
    made = landed(60)
    made.resize(125, Decimal("2.34"), 0.0)
    made.correct(Decimal(120), 0.0)
    assert (Decimal("5.68"), Decimal("0.68")) == (made.margin, made.beyond(0.0))
