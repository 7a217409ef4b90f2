"""The memory store's indexes: whatever happens to the orders, each list holds exactly what it is for, in its order."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.order import LIVE, Status, submitted
from execsvc.ports import OrderQuery
from execsvc.store.batch import UNSETTLED
from execsvc.store.ledger import Ledger
from execsvc.store.retention import FILL_IDS_LEAST
from tests.unit.store.samples import intent_of, key_of

NAMES = "abcd"
# Whose, its new status, or None for a fill that says nothing new.
changes = st.lists(st.tuples(st.sampled_from(NAMES), st.none() | st.sampled_from(Status)), min_size=12, max_size=40)
ages = st.fixed_dictionaries({name: st.integers(1, 3) for name in NAMES})


def entered(changes, ages):
    """A ledger after these changes, and the orders and their newest entries as a plain account of it."""
    ledger, orders, newest = Ledger(), {}, {}
    for sequence, (name, status) in enumerate(changes, 1):
        key = key_of(name)
        before = orders.get(key)
        if status is None and before is None:
            continue
        newest[key] = sequence
        if status is None:
            ledger.touch(key, sequence)
        else:
            orders[key] = replace(before or submitted(intent_of(key), ages[name]), status=status)
            ledger.enter(before, orders[key], sequence)
    return ledger, orders, newest


def by_age(orders):
    return [key for _, key in sorted((order.create_time_ns, key) for key, order in orders.items())]


@given(changes, ages)
def test_the_unsettled_are_those_that_are(changes, ages):
    """Who settles leaves the list, who is unsettled again comes back, once, at its age."""
    ledger, orders, _ = entered(changes, ages)
    unsettled = {key: order for key, order in orders.items() if order.status in UNSETTLED}
    assert by_age(unsettled) == [row[3] for row in ledger.unsettled]
    assert by_age(unsettled) == list(ledger.oldest_first(LIVE))
    assert by_age(orders) == list(ledger.oldest_first(frozenset(Status)))


@given(changes, ages)
def test_the_ended_lie_by_their_newest_entry(changes, ages):
    """Whatever an order went through before, it lies where its last entry, a fill's too, has put it."""
    ledger, orders, newest = entered(changes, ages)
    ended = sorted((key for key in orders if orders[key].status not in UNSETTLED), key=newest.__getitem__)
    assert ended == list(ledger.ended)
    middle = len(changes) // 2
    assert [key for key in ended if newest[key] <= middle] == ledger.oldest_ended(middle, 99)
    assert ended[:2] == ledger.oldest_ended(10**9, 2)


@given(changes, ages, st.integers(0, 4), st.integers(0, 4))
def test_pages_are_cut_out_of_the_list(changes, ages, start, end):
    """A page's times bound what is looked at: start counts, end does not, newest first."""
    ledger, orders, _ = entered(changes, ages)
    query = OrderQuery("main", start_ns=start, end_ns=end)
    expected = [key for key in reversed(by_age(orders)) if start <= orders[key].create_time_ns < end]
    assert expected == list(ledger.newest_first(query))


@given(changes, ages)
def test_what_is_struck_is_nowhere(changes, ages):
    """An order that was dropped is in no list any more; the others lie as before."""
    ledger, orders, _ = entered(changes, ages)
    gone = [*ledger.ended][::2]
    kept = [key for key in ledger.ended if key not in gone]
    ledger.strike(gone)
    left = [key for key in by_age(orders) if key not in gone]
    assert (kept, left) == (list(ledger.ended), [row[3] for row in ledger.by_age])
    assert {*left} == ledger.newest.keys()


@pytest.mark.parametrize(("spare", "limit", "expected"), [(0, 9, 0), (3, 9, 3), (3, 2, 2)])
def test_the_newest_fills_are_not_offered(spare, limit, expected):
    """Only what lies before the newest thousand is ever old enough."""
    ledger = Ledger()
    for number in range(FILL_IDS_LEAST + spare):
        ledger.fills[f"T{number}"] = (number, number)
    assert [f"T{number}" for number in range(expected)] == [
        fill.fill_id for fill in ledger.oldest_fill_ids(10**9, limit)
    ]
