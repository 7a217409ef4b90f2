"""Listings in pages: every row once, newest first, whatever is booked meanwhile; and short pages that go on."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.domain.account import Mark, Page
from execsvc.domain.errors import Busy, Declined, Reason, refuse
from execsvc.kraken.history import ROWS, Row, Span, listing

SECOND = 10**9
OPEN = Span(None, None)


class Book:
    """What Kraken does with a listing: rows newest first, `end` inclusive and `start` exclusive, 50 at a time."""

    def __init__(self, *times_ns, counts=True, slack=0):
        self.rows = [(f"L{at}", at) for at in sorted(times_ns, reverse=True)]
        self.counts = counts
        self.slack = slack  # rows that an id as `end` leaves out, or shows too many of (below zero)
        self.calls = []
        self.refusals = []

    def add(self, *times_ns):
        self.rows = sorted([*self.rows, *((f"L{at}", at) for at in times_ns)], key=lambda row: -row[1])

    def chosen(self, params):
        start = int(params["start"]) * SECOND if "start" in params else None
        rows = [row for row in self.rows if start is None or row[1] > start]
        end = params.get("end", "")
        if end.isdecimal():
            return [row for row in rows if row[1] <= int(end) * SECOND]
        if not end:
            return rows
        place = max(0, [row[0] for row in rows].index(end) + self.slack)
        return rows[place:]

    async def ask(self, params):
        self.calls.append(params)
        if self.refusals and (failure := self.refusals.pop(0)) is not None:
            raise failure
        rows = self.chosen(params)
        page = rows[int(params["ofs"]) : int(params["ofs"]) + ROWS]
        return [Row(row_id, at, row_id) for row_id, at in page], len(rows) if self.counts else None


def page_of(book, *, size, mark=None, span=OPEN, **more):
    return asyncio.run(listing(book.ask, span=span, size=size, mark=mark, **more))


def all_pages(book, *, size, between=lambda: None, span=OPEN, **more):
    """The rows of every page, and how many pages there were."""
    found, count, mark = [], 0, None
    while True:
        page = page_of(book, size=size, mark=mark, span=span, **more)
        found += page.rows
        count += 1
        mark = page.next
        if mark is None:
            return found, count
        assert count < 200
        between()


def test_a_listing_of_none_is_one_empty_page():
    """Nothing there, nothing to come."""
    assert Page((), None) == page_of(Book(), size=10)


@pytest.mark.parametrize("counts", [True, False])
def test_a_full_last_page_is_the_last(counts):
    """Where Kraken tells how many there are, no empty page follows; where it does not, at most one."""
    found, count = all_pages(Book(*range(1, 51), counts=counts), size=50)
    assert (50, 1 if counts else 2) == (len(found), count)


def test_a_page_smaller_than_kraken_s_costs_one_call():
    """Ten rows are read from one answer."""
    book = Book(*range(1, 101))
    page = page_of(book, size=10)
    assert (10, Mark("L100", 10, "L91"), 1) == (len(page.rows), page.next, len(book.calls))


def test_rows_booked_between_two_pages_do_not_shift_them():
    """What is newer than the first page's first row is in none of the pages."""
    book, fresh = Book(*range(1, 131)), iter(range(1000, 2000))
    found, _ = all_pages(book, size=20, between=lambda: book.add(next(fresh), next(fresh), next(fresh)))
    assert [f"L{at}" for at in range(130, 0, -1)] == found


def test_however_many_rows_come_meanwhile_a_page_costs_the_same():
    """The listing is pinned to its first row: three hundred newer ones are not read through."""
    book = Book(*range(1, 121))
    first = page_of(book, size=30)
    book.add(*range(1000, 1300))
    second = page_of(book, size=30, mark=first.next)
    assert ([f"L{at}" for at in range(90, 60, -1)], 2) == (list(second.rows), len(book.calls))


def test_a_row_booked_late_does_not_repeat_another():
    """A row that comes in below the first page's first moves all others: the last one is found again, further down."""
    book = Book(*range(10, 1300, 10))
    first = page_of(book, size=20)
    book.add(1285, 1275, 1265)
    second = page_of(book, size=20, mark=first.next)
    assert [f"L{at}" for at in range(1290 - 200, 1290 - 400, -10)] == list(second.rows)


@pytest.mark.parametrize("slack", [1, -1])
def test_a_bound_that_kraken_reads_otherwise_loses_no_row(slack):
    """Should an id as `end` be exclusive, or its time shared with a newer row: still every row, once."""
    found, _ = all_pages(Book(*range(1, 121), slack=slack), size=30)
    assert [f"L{at}" for at in range(120, 0, -1)] == found


def test_a_mark_that_is_gone_is_refused():
    """Rather than go on anywhere."""
    book = Book(*range(1, 121))
    mark = page_of(book, size=30).next
    book.rows = [row for row in book.rows if row[0] != mark.last]
    with pytest.raises(Declined) as refused:
        page_of(book, size=30, mark=mark)
    assert Reason.PAGE_TOKEN_INVALID is refused.value.reason


def test_start_is_inclusive_and_end_exclusive_to_the_nanosecond():
    """Kraken is asked for whole seconds around the wish, and the rest is cut off here."""
    times = [SECOND, 2 * SECOND - 1, 2 * SECOND, 3 * SECOND, 3 * SECOND + 1, 4 * SECOND]
    book = Book(*times)
    page = page_of(book, size=10, span=Span(2 * SECOND, 3 * SECOND + 1))
    assert ((f"L{3 * SECOND}", f"L{2 * SECOND}"), None) == (page.rows, page.next)
    assert {"start": "1", "end": "4", "ofs": "0"} == book.calls[0]


def test_rows_before_the_start_end_the_listing():
    """No further page is asked for, or promised, once a row is too old."""
    book = Book(*(SECOND + at for at in range(1, 200)))
    page = page_of(book, size=10, span=Span(SECOND + 195, None))
    assert (5, None, 1) == (len(page.rows), page.next, len(book.calls))


def test_a_filter_s_page_may_be_short_and_goes_on():
    """Calls are bounded, however rare what is wanted; the next page goes on behind what was looked at."""
    book = Book(*range(1, 1001))
    found, count = all_pages(book, size=10, wanted=lambda row_id: int(row_id[1:]) % 100 == 0)
    assert [f"L{at}" for at in range(1000, 0, -100)] == found
    assert (True, True) == (count > 5, len(book.calls) <= 2 * count)


def test_no_room_for_the_next_call_ends_the_page_not_the_listing():
    """What was read is told, and the token goes on from there."""
    book = Book(*range(1, 301))
    book.refusals = [None, None, refuse(Reason.LOCAL_RATE_LIMITED, "full")]
    first = page_of(book, size=200)
    second = page_of(book, size=200, mark=first.next)
    assert (100, 200) == (len(first.rows), len(second.rows))
    assert [f"L{at}" for at in range(300, 0, -1)] == [*first.rows, *second.rows]


def test_a_page_does_not_wait_for_room_once_it_has_rows():
    """The first call takes its turn, further ones only if they may go at once; the token goes on from there."""
    book = Book(*range(1, 301))
    page = page_of(book, size=200, room=lambda: len(book.calls) < 2)
    assert (100, 2, True) == (len(page.rows), len(book.calls), page.next is not None)
    assert 50 == len(page_of(book, size=200, room=lambda: False).rows)


def test_a_first_call_that_fails_is_the_answer():
    """An empty page would say that there is nothing."""
    book = Book(*range(1, 301))
    book.refusals = [refuse(Reason.LOCAL_RATE_LIMITED, "full")]
    with pytest.raises(Busy):
        page_of(book, size=200)


@given(
    st.lists(st.integers(1, 400), unique=True, max_size=180),
    st.integers(1, 120),
    st.lists(st.integers(0, 6), max_size=12),
    st.booleans(),
)
def test_every_row_that_was_there_comes_once_and_in_order(times, size, arrivals, counts):
    """For any rows, any page size and any newer rows between two pages."""
    book, fresh, left = Book(*times, counts=counts), iter(range(1000, 3000)), list(arrivals)
    found, _ = all_pages(
        book, size=size, between=lambda: book.add(*(next(fresh) for _ in range(left.pop() if left else 0)))
    )
    assert [f"L{at}" for at in sorted(times, reverse=True)] == found
