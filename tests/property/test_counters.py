"""Kraken's counters against ours: what ours lets go is never refused, and hardly anything that could go is held back.

The reference (tests/support/ratereference.py) knows when Kraken counts each call; ours knows only when it left and when its
answer came. What each figure of the tables is good for is test_counter_costs.py's.
"""

import random
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from execsvc.kraken.costs import TIERS, Act
from execsvc.kraken.counters import Counter
from tests.support.ratedrive import SECOND, Flight, engine_drive, rest_drive
from tests.support.ratereference import LIMITS

RESERVE = Decimal(6)
MINUTES_US = 600 * SECOND
ASKED_MAX = 20_000  # in ten minutes: a bound that lets everything go must not go on for ever
READS = ("Balance", "Ledgers", "QueryOrders", "ClosedOrders", "TradesHistory", "AddOrder", "CancelAll")

tiers = st.sampled_from(sorted(LIMITS))
starts = st.sampled_from((0, 86_400 * SECOND, 10**7 * SECOND + 1))
look_longer = settings(max_examples=3 * settings().max_examples)
# How Kraken's count may behave: sinking steadily or in steps of up to two seconds, with cancels capped at the maximum or not.
readings = st.fixed_dictionaries(
    {
        "every_s": st.none() | st.just(Fraction(2)) | st.integers(1, 2000).map(lambda ms: Fraction(ms, 1000)),
        "phase_s": st.integers(0, 1999).map(lambda ms: Fraction(ms, 1000)),
        "capped": st.booleans(),
    }
)


@st.composite
def flights(draw):
    """A call that is answered within two seconds, is lost, or never left; counted anywhere on its way."""
    answered = draw(st.sampled_from((0, 5_000, 400_000)) | st.integers(0, 2 * SECOND))
    fate = draw(st.sampled_from(("answered", "answered", "answered", "refused", "lost", "never arrived", "never left")))
    deadline = answered + draw(st.sampled_from((0, 60 * SECOND)) | st.integers(0, 5 * SECOND))
    within = deadline if fate == "lost" else answered
    counted = draw(st.sampled_from((0, within)) | st.integers(0, within))
    return Flight(
        counted=None if fate == "never arrived" else counted,
        answered=answered,
        deadline=deadline,
        lost=fate in {"lost", "never arrived"},
        found=draw(st.none() | st.just(deadline + 1) | st.integers(deadline, 90 * SECOND)),
        sent=fate != "never left",
        valid=fate != "refused",
    )


@dataclass(frozen=True)
class Step:
    """What a caller does next. count: how often; pick: to which order; patient: waits as long as it is told to."""

    what: str
    pause: int
    count: int
    pick: int
    patient: bool
    flight: Flight


def steps(*kinds):
    """What a caller does; half of the time it first fills the counter to the brim."""
    pauses = st.sampled_from((0, 0, 1, SECOND, 60 * SECOND, 400 * SECOND)) | st.integers(0, 12 * SECOND)
    counts = st.integers(1, 4) | st.sampled_from((15, 60, 200))
    step = st.builds(Step, st.sampled_from(kinds), pauses, counts, st.integers(0, 400), st.booleans(), flights())
    brim = st.builds(Step, st.just(kinds[0]), st.just(0), st.just(200), st.just(0), st.just(False), flights())
    first = st.just([]) | brim.map(lambda step: [step])
    return st.tuples(first, st.lists(step, min_size=4, max_size=25)).map(lambda parts: parts[0] + parts[1])


def let_go(drive, cost, *, patient, reserve=Decimal(0)):
    """Whether a call of this cost may leave now, or after the waits that a patient caller was told."""
    for _ in range(20):
        wait = drive.wait_us(cost(), reserve)
        if wait == 0:
            return True
        if wait is None or not patient:
            return False
        drive.run_to(drive.us + wait)
    return False


def act(drive, step):
    """One step at the engine; a cancel is never held back."""
    orders = drive.orders
    if step.what in {"add", "batch"} or not orders:
        count = 1 if step.what != "batch" else 2 + step.pick % 14
        for _ in range(step.count if count == 1 else step.count % 5):
            if not let_go(drive, lambda: drive.add_cost(count), patient=step.patient):
                return
            drive.add(step.flight, count)
    elif step.what == "cancel":
        drive.cancel([orders[step.pick % len(orders)]], step.flight)
    elif step.what == "cancel many":
        first = step.pick % len(orders)
        drive.cancel(orders[first : first + step.count], step.flight)
    else:
        change = Act(step.what)
        for each in range(step.count):
            order = orders[(step.pick + each) % len(orders)]
            if drive.busy(order):
                continue
            if not let_go(drive, lambda order=order: drive.change_cost(change, order), patient=step.patient):
                return
            drive.change(change, order, step.flight)


# ---- what is let go is never refused --------------------------------------------------------------------------------


@look_longer
@given(tiers, starts, readings, steps("add", "add", "batch", "amend", "edit", "cancel", "cancel many"))
def test_the_engine_never_refuses_what_ours_lets_go(tier, start, reading, todo):
    """Adds, amends and edits of any age, whenever Kraken counts them, find room; cancels that left before included."""
    drive = engine_drive(tier, start, **reading)
    for step in todo:
        drive.run_to(drive.us + step.pause)
        act(drive, step)
    drive.settle()
    event("reached the brim" if drive.tally.peak() * 10 > drive.tally.maximum * 9 else "stayed below")
    assert [] == list(drive.tally.overruns())


@look_longer
@given(tiers, starts, readings, steps(*READS), st.booleans())
def test_the_key_never_refuses_what_ours_lets_go(tier, start, reading, todo, whole):
    """Reads of 1 and 2 points, with and without the reserve, whenever Kraken counts them, find room."""
    drive = rest_drive(tier, start, **reading)
    for step in todo:
        drive.run_to(drive.us + step.pause)
        reserve = Decimal(0) if whole and step.pick % 2 else RESERVE
        for _ in range(min(step.count, 60)):
            if not let_go(drive, lambda name=step.what: drive.cost(name), patient=step.patient, reserve=reserve):
                break
            drive.call(step.what, step.flight)
    drive.settle()
    assert [] == list(drive.tally.overruns())


@look_longer
@given(tiers, starts, readings, steps("add", "amend", "edit", "cancel", "cancel many"))
def test_ours_is_never_below_kraken_s(tier, start, reading, todo):
    """Cancels pass the maximum, but not unseen: ours, and what Kraken's decay may lag behind, is never below Kraken's."""
    drive = engine_drive(tier, start, **reading)
    for step in todo:
        drive.run_to(drive.us + step.pause)
        act(drive, step)
    drive.settle()
    assert [] == drive.below()


# ---- hardly anything is held back -----------------------------------------------------------------------------------


def a_usual_flight(chance):
    """5 to 400 ms there and back; of a hundred three are lost and three are given up before they leave."""
    rtt = chance.randint(5_000, 400_000)
    fate = chance.random()
    return Flight(counted=chance.randint(0, rtt), answered=rtt, deadline=2 * SECOND, lost=fate < 0.03, sent=fate < 0.97)


def saturate(drive, chance, wanted, *, reserve=Decimal(0)):
    """Sends whatever is wanted as soon as it may leave, for ten minutes. Returns the share of Kraken's capacity used."""
    until = drive.us + MINUTES_US
    cost, send = wanted()
    for _ in range(ASKED_MAX):
        wait = drive.wait_us(cost(), reserve)
        if wait == 0:
            send(a_usual_flight(chance))
            cost, send = wanted()
        else:
            drive.run_to(min(until, drive.us + wait, drive.next_event() or until))
        if drive.us == until:
            break
    capacity = drive.tally.maximum + drive.tally.decay * MINUTES_US / SECOND
    return drive.tally.total() / capacity


def a_mix(drive, chance):
    """An add, an amend, an edit or a cancel, of one of the youngest orders, of the younger ones or of any."""
    what = chance.choice(("add", "add", "amend", "edit", "cancel"))
    live = [order for order in drive.orders if order in drive.engine.since and not drive.busy(order)][
        -chance.choice((4, 30, 300)) :
    ]
    if what == "add" or not live:
        return drive.add_cost, drive.add
    order = chance.choice(live)
    if what == "cancel":
        return lambda: drive.cancel_cost([order]), lambda flight: drive.cancel([order], flight)
    return lambda: drive.change_cost(Act(what), order), lambda flight: drive.change(Act(what), order, flight)


@pytest.mark.parametrize("tier", sorted(LIMITS))
def test_adds_use_the_engine_to_the_full(tier):
    """Of what Kraken would take in ten minutes at least 95 % is sent, and nothing that it would refuse."""
    drive, chance = engine_drive(tier), random.Random(tier)
    used = saturate(drive, chance, lambda: (drive.add_cost, drive.add))
    assert (True, []) == (used >= Fraction(95, 100), list(drive.tally.overruns()))


@pytest.mark.parametrize("tier", sorted(LIMITS))
def test_a_mix_uses_the_engine_to_the_full(tier):
    """Adds, amends, edits and paced cancels of mixed ages: at least 95 %, though ages are known as lower bounds only."""
    drive, chance = engine_drive(tier), random.Random(tier)
    used = saturate(drive, chance, lambda: a_mix(drive, chance))
    assert (True, []) == (used >= Fraction(95, 100), list(drive.tally.overruns()))


@pytest.mark.parametrize("tier", sorted(LIMITS))
def test_reads_use_the_key_to_the_full(tier):
    """Reads that leave the reserve of 6 points alone still use 95 % of what the key could do in ten minutes."""
    drive, chance = rest_drive(tier), random.Random(tier)

    def wanted():
        name = chance.choice(("Balance", "QueryOrders", "Ledgers"))
        return lambda: drive.cost(name), lambda flight: drive.call(name, flight)

    used = saturate(drive, chance, wanted, reserve=RESERVE)
    assert (True, []) == (used >= Fraction(95, 100), list(drive.tally.overruns()))


# ---- waits are exact ------------------------------------------------------------------------------------------------

halves = st.integers(0, 400).map(lambda half: Decimal(half) / 2)
counters = st.builds(
    lambda tier, rest: Counter(tier.rest_max, tier.rest_decay) if rest else Counter(tier.engine_max, tier.engine_decay),
    st.sampled_from([TIERS[name] for name in sorted(LIMITS)]),
    st.booleans(),
)


def filled(counter, level, now):
    counter.land(counter.hold(level, now), now, now)
    return counter


@given(counters, halves, st.integers(1, 120).map(Decimal), halves, st.sampled_from((Decimal(0), RESERVE)))
def test_a_wait_is_exact(counter, level, cost, ahead, reserve):
    """A millisecond before it the call may not leave, when it is over it may."""
    filled(counter, level, 1000.0)
    wait_s = counter.wait_s(cost, 1000.0, reserve=reserve, ahead=ahead)
    if not wait_s:
        return
    asked = {"reserve": reserve, "ahead": ahead}
    before, over = (
        counter.wait_s(cost, now, **asked) for now in (1000.0 + wait_s - min(0.001, wait_s), 1000.0 + wait_s)
    )
    # What stands ahead goes first and sinks after that: once the counter is empty, waiting for it is theirs to end.
    empties = level / counter.decay <= Decimal(wait_s)
    assert (True, True) == (before > 0, over == 0 or (empties and bool(ahead)))


@given(counters, halves, st.integers(1, 120).map(Decimal), halves, halves)
def test_a_dearer_call_waits_no_less(counter, level, cost, more, ahead):
    """More points, and more points ahead, never mean a shorter wait; None is the longest."""
    filled(counter, level, 1000.0)
    asked = [(cost, ahead), (cost + more, ahead), (cost + more, ahead + more)]
    waits = [counter.wait_s(each, 1000.0, ahead=before) for each, before in asked]
    told = [float("inf") if wait_s is None else wait_s for wait_s in waits]
    assert sorted(told) == told


@given(counters, halves, st.integers(1, 12).map(Decimal), st.integers(1, 12).map(Decimal))
def test_points_ahead_and_points_reserved_count_like_one_s_own(counter, level, cost, others):
    """A call behind others, or that leaves others room, waits as long as one that costs it all."""
    filled(counter, level, 0.0)
    together = counter.wait_s(cost + others, 0.0)
    behind, leaving = counter.wait_s(cost, 0.0, ahead=others), counter.wait_s(cost, 0.0, reserve=others)
    assert (together, together) == (together if together is None else behind, leaving)


@given(
    counters, halves, st.integers(0, 400).map(lambda half: Decimal(half) / 2), st.sampled_from((Decimal(0), RESERVE))
)
def test_never_is_said_of_what_an_empty_counter_would_not_take(counter, level, cost, reserve):
    """None exactly when the call passes what may be used of an empty counter."""
    never = cost > counter.headroom(0.0, reserve) and cost > 0
    filled(counter, level, 0.0)
    assert never == (counter.wait_s(cost, 0.0, reserve=reserve) is None)


@given(counters, halves, st.integers(1, 240).map(lambda half: Decimal(half) / 2), st.integers(0, 10**7))
def test_headroom_and_waits_tell_the_same(counter, level, cost, us):
    """A call may leave exactly if its points are within the headroom."""
    filled(counter, level, 0.0)
    assert (cost <= counter.headroom(us / SECOND)) == (counter.wait_s(cost, us / SECOND) == 0)


# ---- what Kraken says of itself -------------------------------------------------------------------------------------


@given(counters, halves, halves, halves, st.integers(0, 60 * SECOND))
def test_a_correction_only_lifts(counter, level, flying, told, us):
    """Whatever Kraken tells, ours is afterwards not below it and not below what it was."""
    now = us / SECOND
    filled(counter, level, 0.0).hold(flying, 0.0)
    before = counter.level(now)
    drift = counter.correct(told, now)
    assert (before - told, True) == (drift, counter.level(now) >= max(before, told))


@given(tiers, starts, readings, steps("add", "amend", "edit", "cancel"), st.data())
def test_kraken_s_own_word_makes_no_call_leave_too_early(tier, start, reading, todo, data):
    """Corrected now and then by Kraken's own count, ours still lets nothing go that Kraken refuses, and lifts only."""
    drive = engine_drive(tier, start, **reading)
    lowered = []
    for step in todo:
        drive.run_to(drive.us + step.pause)
        act(drive, step)
        if data.draw(st.booleans()):
            before = drive.ours.level(drive.now)
            told = drive.tally.level(drive.at)
            drive.ours.correct(Decimal(told.numerator) / told.denominator, drive.now)
            lowered += [step] if drive.ours.level(drive.now) < before else []
    drive.settle()
    assert ([], []) == (lowered, list(drive.tally.overruns()))


@given(counters, halves, st.integers(1, 12).map(Decimal))
def test_a_full_counter_waits_as_long_as_kraken_s_own(counter, level, cost):
    """After `fill` a call waits for its points and the margin to sink out of a full counter, to the microsecond."""
    over = max(level, counter.maximum) - counter.maximum
    filled(counter, level, 0.0).fill(0.0)
    wait_s = counter.wait_s(cost, 0.0)
    needed = Fraction(cost + counter.margin + over) / Fraction(counter.decay)
    assert 0 <= Fraction(round(wait_s * SECOND), SECOND) - needed < Fraction(1, SECOND)
