"""Kraken's listings, newest first in pages of 50, read so that what comes in meanwhile neither shifts nor repeats a row.

Kraken pages by an offset from the newest row. So a listing is pinned to the row it began with (`end` is inclusive and takes
ids), and each later page looks for the row it ended with, a little before the offset: rows that were booked late, or a bound
that is read otherwise, move it by a few. Which call is made is accountreads.py's.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from execsvc.domain.account import Mark, Page
from execsvc.domain.errors import Busy, Reason, refuse

T = TypeVar("T")

ROWS = 50  # of one answer (kraken.md 2.3)
OVERLAP = 2  # rows asked for again, to find the last one
SPARE_CALLS = 2  # besides those that full pages need
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class Row(Generic[T]):
    """One row of a listing."""

    row_id: str
    at_ns: int
    value: T


@dataclass(frozen=True)
class Span:
    """start inclusive, end exclusive, both ns; None: open."""

    start_ns: int | None
    end_ns: int | None

    def bounds(self, newest: str) -> dict[str, str]:
        """Kraken's start is exclusive, its end inclusive; whole seconds around the wish, and the pin where there is one."""
        bounds: dict[str, str] = {}
        if self.start_ns is not None:
            bounds["start"] = str((self.start_ns - 1) // _SECOND_NS)
        if newest:
            bounds["end"] = newest
        elif self.end_ns is not None:
            bounds["end"] = str(-(-self.end_ns // _SECOND_NS))
        return bounds

    def holds(self, at_ns: int) -> bool:
        """Whether that is inside."""
        return not self.begins_after(at_ns) and not self.ends_before(at_ns)

    def begins_after(self, at_ns: int) -> bool:
        """Whether that, and whatever is older, is not wanted."""
        return self.start_ns is not None and at_ns < self.start_ns

    def ends_before(self, at_ns: int) -> bool:
        """Whether that is too new."""
        return self.end_ns is not None and at_ns >= self.end_ns


Ask = Callable[[Mapping[str, str]], Awaitable[tuple[list[Row[T]], int | None]]]


async def listing(
    ask: Ask[T],
    *,
    span: Span,
    size: int,
    mark: Mark | None = None,
    offset: int = 0,
    wanted: Callable[[T], bool] = lambda _: True,
    room: Callable[[], bool] = lambda: True,
) -> Page[T]:
    """At most `size` wanted rows, in at most size/50 + 2 calls; `ask` gives a page and how many rows there are, if told.

    When Kraken cannot be asked on, or there is no `room` for a further call at once, what was read so far is the page. Raises
    what the first call raises, and PAGE_TOKEN_INVALID when the mark's row is not there any more.
    """
    reading = _Reading(span, size, mark, offset, wanted)
    bounds = span.bounds("" if mark is None else mark.newest)
    for _ in range(size // ROWS + SPARE_CALLS):
        if reading.began and not room():
            break
        try:
            rows, total = await ask({**bounds, "ofs": str(reading.at)})
        except Busy:
            if not reading.began:
                raise
            break
        if reading.take(rows, total):
            return Page(tuple(reading.found), reading.next)
    if not reading.began:
        raise lost_mark()
    return Page(tuple(reading.found), reading.next)


class _Reading(Generic[T]):
    """How far one page has got."""

    def __init__(self, span: Span, size: int, mark: Mark | None, offset: int, wanted: Callable[[T], bool]) -> None:
        self._span = span
        self._size = size
        self._wanted = wanted
        self._sought = "" if mark is None else mark.last
        self._newest = "" if mark is None else mark.newest
        self._last = ""
        self.at = offset if mark is None else max(0, mark.passed - OVERLAP)
        self._origin = offset if mark is None else 0  # where `newest` stands in this counting
        self._more = True
        self.found: list[T] = []

    def __repr__(self) -> str:
        return f"<reading at {self.at}, {len(self.found)} found>"

    @property
    def began(self) -> bool:
        """Whether a row was read that the page before had not."""
        return bool(self._last)

    @property
    def next(self) -> Mark | None:
        """Where the next page begins; None when there is none."""
        return Mark(self._newest, self.at - self._origin, self._last) if self._more else None

    def take(self, rows: list[Row[T]], total: int | None) -> bool:
        """Takes in one answer; True when the page is done."""
        end = self.at + len(rows)
        exhausted = not rows or (len(rows) < ROWS if total is None else end >= total)
        for index, row in enumerate(rows):
            if self._span.begins_after(row.at_ns) and not self._sought:
                self._more = False
                return True
            self._pass(row)
            if len(self.found) == self._size:
                rest = rows[index + 1 :]
                self._more = not self._span.begins_after(rest[0].at_ns) if rest else not exhausted
                return True
        if exhausted:
            if self._sought:
                raise lost_mark()
            self._more = False
        return exhausted

    def _pass(self, row: Row[T]) -> None:
        self.at += 1
        self._newest = self._newest or row.row_id
        if self._sought:
            self._sought = "" if row.row_id == self._sought else self._sought
            return
        self._last = row.row_id
        if not self._span.ends_before(row.at_ns) and self._wanted(row.value):
            self.found.append(row.value)


def lost_mark() -> Exception:
    """The refusal of a token whose row Kraken does not list any more."""
    return refuse(
        Reason.PAGE_TOKEN_INVALID,
        "the entry at which the page before ended is not listed any more; leave the token out to start with the first page",
    )
