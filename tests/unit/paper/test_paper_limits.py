"""The figures of both rate counters, and the counter itself against a slow one that is obviously right."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.paper.limits import POINT, TIERS, Counter, age_cost, call_cost, fixed_cost, per_second, points
from tests.unit.paper.paperbench import NS, START

MS = NS // 1000


def total(action, *ages_s):
    """What an action on orders of these ages costs, in points."""
    units = fixed_cost(action, orders=len(ages_s)) + sum(age_cost(action, int(age * NS)) for age in ages_s)
    return Fraction(units, POINT)


@pytest.mark.parametrize(
    ("tier", "figures"),
    [
        ("starter", (15, "0.33", 60, "1", 60)),
        ("intermediate", (20, "0.5", 125, "2.34", 80)),
        ("pro", (20, "1", 180, "3.75", 225)),
        ("unlimited", (10**9, "1000000000", 10**9, "1000000000", 10**9)),
    ],
)
def test_figures_of_a_tier(tier, figures):
    """Each tier has the maxima and decays of Kraken's pages; the fourth is out of reach."""
    row = TIERS[tier]
    told = (row.call_max, per_second(row.call_decay), row.engine_max, per_second(row.engine_decay), row.open_max)
    assert figures == told


@pytest.mark.parametrize(
    ("cost", "methods"),
    [
        (0, ("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch")),
        (2, ("Ledgers", "QueryLedgers", "TradesHistory")),
        (1, ("Balance", "OpenOrders", "ClosedOrders", "QueryOrders", "QueryTrades", "GetWebSocketsToken")),
        (1, ("CancelAll", "CancelAllOrdersAfter", "GetApiKeyInfo", "NeverHeardOf")),
    ],
)
def test_what_a_call_costs(cost, methods):
    """Orders cost a key nothing, ledgers and trade history two points, everything else one."""
    assert {cost * POINT} == {call_cost(method) for method in methods}


AGES = (0, 4.999999999, 5, 9.999999999, 10, 14.9, 15, 44.9, 45, 89.9, 90, 299.9, 300, 86_400)


@pytest.mark.parametrize(
    ("action", "costs"),
    [
        ("add", (1,) * 14),
        ("amend", (4, 4, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1)),
        ("edit", (7, 7, 6, 6, 5, 5, 3, 3, 2, 2, 1, 1, 1, 1)),
        ("cancel", (8, 8, 6, 6, 5, 5, 4, 4, 2, 2, 1, 1, 0, 0)),
        ("batch_cancel", (8, 8, 6, 6, 5, 5, 4, 4, 2, 2, 1, 1, 0, 0)),
    ],
)
def test_what_an_action_costs_by_age(action, costs):
    """Fixed and age part of each action are those of Kraken's table, each column ending just before its age."""
    assert costs == tuple(total(action, age) for age in AGES)


@pytest.mark.parametrize(("orders", "cost"), [(2, 1), (3, Fraction(3, 2)), (15, Fraction(15, 2))])
def test_batch_add_costs_half(orders, cost):
    """A batch of n orders costs n/2, exactly."""
    assert cost == total("batch_add", *[0] * orders)


def test_batch_cancel_costs_each_order_by_its_age():
    """A batch of cancels costs what its orders cost one by one."""
    assert 8 + 8 + 4 + 0 == total("batch_cancel", 1, 2, 20, 1000)


def test_worked_example_of_the_documentation():
    """Placed, amended after 7 s and cancelled 36 s later, an order costs 8 in all."""
    assert 8 == total("add", 0) + total("amend", 7) + total("cancel", 36)


@pytest.mark.parametrize(
    ("units", "text"), [(0, "0"), (POINT, "1"), (366 * POINT // 100, "3.66"), (1, "0.00000000001")]
)
def test_points_are_printed_exactly(units, text):
    """A level is printed with the digits it has."""
    assert text == points(units)


class Slow:
    """A counter of fractions that takes every step of its decay one by one."""

    def __init__(self, points_max, decay, step_ns):
        self.cap, self.loss, self.step = Fraction(points_max), Fraction(decay, 100) * Fraction(step_ns, NS), step_ns
        self.level = self.charged = self.peak = Fraction(0)
        self.refused, self.at = 0, START

    def wait(self, ns):
        for _ in range((self.at + ns) // self.step - self.at // self.step):
            self.level = max(Fraction(0), self.level - self.loss)
        self.at += ns

    def charge(self, cost):
        room = self.level + cost <= self.cap
        if room:
            self.put(cost)
        else:
            self.refused += 1
        return room

    def put(self, cost):
        self.level += cost
        self.charged += cost
        self.peak = max(self.peak, self.level)


COUNTERS = st.tuples(st.integers(1, 30), st.sampled_from([33, 50, 100, 234, 375]), st.sampled_from([250, 1000, 2000]))
WAITS = st.integers(0, 8 * NS) | st.sampled_from([0, NS, 2 * NS])
STEPS = st.lists(
    st.tuples(WAITS, st.sampled_from(["charge", "cancel", "fill"]), st.sampled_from([0, 1, 3, 5, 8, 16])), max_size=30
)


@given(COUNTERS, STEPS)
def test_counter_agrees_with_a_slow_one(figures, steps):
    """Level, verdicts, charges and peak are those of a counter that does everything in small steps with fractions."""
    points_max, decay, step_ms = figures
    slow = Slow(points_max, decay, step_ms * MS)
    fast = Counter(points_max=points_max, decay=decay, step_ns=step_ms * MS)
    for wait, act, halves in steps:
        slow.wait(wait)
        cost, units = Fraction(halves, 2), halves * POINT // 2
        match act:
            case "charge":
                assert slow.charge(cost) == fast.charge(units, slow.at)
            case "cancel":
                slow.put(min(cost, slow.cap - slow.level))
                fast.charge_what_fits(units, slow.at)
            case _:
                slow.level = slow.peak = slow.cap
                fast.fill(slow.at)
        assert (slow.level, slow.charged, slow.peak, slow.refused) == (
            Fraction(fast.level(slow.at), POINT),
            Fraction(fast.charged, POINT),
            Fraction(fast.peak, POINT),
            fast.refused,
        )


@given(COUNTERS, STEPS)
def test_looking_changes_nothing(figures, steps):
    """However often the level is asked for in between, it comes out the same, without steps too."""
    points_max, decay, step_ms = figures
    for step_ns in (1, step_ms * MS):
        alone, watched = (Counter(points_max=points_max, decay=decay, step_ns=step_ns) for _ in range(2))
        now = START
        for wait, _, halves in steps:
            for part in range(3):
                watched.level(now + wait * part // 3)
            now += wait
            verdicts = [counter.charge(halves * POINT // 2, now) for counter in (alone, watched)]
            assert verdicts[0] == verdicts[1]
            assert alone.level(now) == watched.level(now)


@given(COUNTERS, STEPS)
def test_no_more_is_charged_than_could_be(figures, steps):
    """Without steps, a window's charges never exceed its first room and the decay since: a utilisation of 1 at most."""
    points_max, decay, _ = figures
    counter, now = Counter(points_max=points_max, decay=decay, step_ns=1), START
    for wait, act, halves in steps:
        now += wait
        if act == "fill":
            counter.restart(now)
        counter.charge(halves * POINT // 2, now)
        assert 0 <= counter.level(now) <= counter.cap
        assert 0 <= counter.utilisation(now) <= 1


def test_decay_without_steps():
    """With a step of one ns the level falls by the rate, to the last digit."""
    counter = Counter(points_max=125, decay=234, step_ns=1)
    counter.charge(100 * POINT, START)
    assert Fraction(100) - Fraction(234, 100) * Fraction(1_234_567, NS) == Fraction(
        counter.level(START + 1_234_567), POINT
    )


def test_decay_in_steps():
    """With a step of two seconds nothing falls off before it, and two seconds' worth at once then."""
    counter = Counter(points_max=20, decay=50, step_ns=2 * NS)
    counter.charge(5 * POINT, START + NS)
    levels = [points(counter.level(START + ns)) for ns in (NS, 2 * NS - 1, 2 * NS, 4 * NS - 1, 4 * NS)]
    assert ["5", "5", "4", "4", "3"] == levels


def test_room_to_the_last_point():
    """A charge that just fits is taken, one that would pass the maximum by anything is not."""
    counter = Counter(points_max=15, decay=33, step_ns=2 * NS)
    assert [True, True, False, True] == [
        counter.charge(units, START) for units in (14 * POINT, POINT // 2, POINT // 2 + 1, POINT // 2)
    ]


def test_clock_that_stands_or_goes_back():
    """An instant before the last one takes nothing off and gives nothing back."""
    counter = Counter(points_max=20, decay=100, step_ns=1)
    counter.charge(10 * POINT, START)
    counter.level(START + NS)
    assert ("9", "9", "8") == tuple(points(counter.level(START + at * NS)) for at in (1, -5, 2))


def test_utilisation_is_a_share_of_all_that_could_be():
    """Charged over maximum and decay since the first use; after a restart over the room there was and decay since."""
    counter = Counter(points_max=20, decay=100, step_ns=1)
    assert 0.0 == counter.utilisation(START)
    counter.charge(15 * POINT, START)
    assert 0.75 == counter.utilisation(START)
    assert 0.5 == counter.utilisation(START + 10 * NS)
    counter.restart(START + 10 * NS)
    assert ("5", "5", 0) == (points(counter.level(START + 10 * NS)), points(counter.peak), counter.charged)
    counter.charge(15 * POINT, START + 10 * NS)
    assert (1.0, 0.75) == (counter.utilisation(START + 10 * NS), counter.utilisation(START + 15 * NS))


def test_restart_of_a_full_counter():
    """A window that begins with no room and no time gone has used nothing."""
    counter = Counter(points_max=20, decay=100, step_ns=1)
    counter.charge(20 * POINT, START)
    counter.restart(START)
    assert 0.0 == counter.utilisation(START)


def test_restart_before_the_first_use():
    """A counter nobody used yet is measured from its first use."""
    counter = Counter(points_max=20, decay=100, step_ns=1)
    counter.restart(START)
    assert counter.since is None
    counter.charge(POINT, START + 5 * NS)
    assert (START + 5 * NS, 0.05) == (counter.since, counter.utilisation(START + 5 * NS))
