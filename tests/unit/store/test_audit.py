"""The hash chain: whatever is done to the entries of a journal, it shows."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.store.audit import Mark, link, origin, verify

START = origin("journal", "main")


def chain(bodies, start=START):
    records, at = [], start
    for body in bodies:
        record = link(at, 1, 1_000 + len(records), "order", body)
        records.append(record)
        at = Mark(record.sequence, record.hash)
    return records, at


RECORDS, HEAD = chain(["one", "two", "three", "four"])


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=8))
def test_an_untouched_chain_is_whole(bodies):
    """Nothing is said of a chain that nobody touched."""
    records, head = chain(bodies)
    assert () == verify(START, records, head)


TAMPERED = {
    "body": [*RECORDS[:1], replace(RECORDS[1], body="TWO"), *RECORDS[2:]],
    "time": [*RECORDS[:1], replace(RECORDS[1], at_ns=1), *RECORDS[2:]],
    "epoch": [*RECORDS[:1], replace(RECORDS[1], epoch=2), *RECORDS[2:]],
    "kind": [*RECORDS[:1], replace(RECORDS[1], kind="fill"), *RECORDS[2:]],
    "hash": [*RECORDS[:1], replace(RECORDS[1], hash=b"x" * 32), *RECORDS[2:]],
    "first gone": RECORDS[1:],
    "middle gone": [*RECORDS[:1], *RECORDS[2:]],
    "last gone": RECORDS[:-1],
    "all gone": [],
    "two swapped": [RECORDS[0], RECORDS[2], RECORDS[1], RECORDS[3]],
    "one twice": [*RECORDS[:2], RECORDS[1], *RECORDS[2:]],
    "one added": [*RECORDS, link(HEAD, 1, 9, "order", "five")],
    "bodies swapped": [
        replace(RECORDS[0], body=RECORDS[1].body),
        replace(RECORDS[1], body=RECORDS[0].body),
        *RECORDS[2:],
    ],
    "rechained with other content": chain(["one", "2", "three", "four"])[0],
    "moved to another account": chain(["one", "two", "three", "four"], origin("journal", "other"))[0],
    "moved to another journal": chain(["one", "two", "three", "four"], origin("other", "main"))[0],
}


@pytest.mark.parametrize("records", TAMPERED.values(), ids=TAMPERED)
def test_whatever_is_done_to_the_entries_shows(records):
    """A change, a gap, a swap, an addition and a cut are all found."""
    assert verify(START, records, HEAD)


@given(st.integers(0, 3), st.binary(min_size=32, max_size=32))
def test_a_head_that_was_changed_shows(sequence, digest):
    """The head must be the last entry's, in number and in hash."""
    assert verify(START, RECORDS, Mark(sequence, digest))


def test_a_part_of_a_chain_is_verified_from_the_mark_before_it():
    """Entries that were dropped by retention need not be there: the mark before the first kept one stands for them."""
    before = Mark(RECORDS[1].sequence, RECORDS[1].hash)
    assert () == verify(before, RECORDS[2:], HEAD)


@pytest.mark.parametrize(
    ("records", "flaws"),
    [
        (TAMPERED["body"], ["entry 2 was changed"]),
        (TAMPERED["middle gone"], ["entry 1 is followed by 3", "entry 3 was changed, or does not belong"]),
        (TAMPERED["last gone"], ["the journal ends at entry 3, its head says 4"]),
    ],
    ids=["changed", "gap", "cut"],
)
def test_a_flaw_names_its_place(records, flaws):
    """A person is told where to look, and only there."""
    found = verify(START, records, HEAD)
    assert len(flaws) == len(found)
    assert [] == [words for words, whole in zip(flaws, found, strict=True) if not whole.startswith(words)]
