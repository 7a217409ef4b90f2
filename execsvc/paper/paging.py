"""How long lists are asked for: pages of 50 rows, newest first, between two bounds.

A bound is a Unix time or an id, whose time it then stands for; `start` is exclusive, `end` inclusive. What is listed, and
what an id stands for, is the caller's affair.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from .figures import NS
from .params import Params, decimal
from .words import bad_argument

PAGE = 50
_FAR = 1 << 62
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Span:
    """Two bounds in ns on the exchange's clock; None is open."""

    start: int | None
    end: int | None

    @property
    def whole(self) -> bool:
        """Tell whether nothing is left out."""
        return self.start is None and self.end is None

    def holds(self, times: Iterable[int]) -> bool:
        """Tell whether any of the instants lies inside."""
        start, end = self.start, self.end
        return any((start is None or at > start) and (end is None or at <= end) for at in times)


def read_span(params: Params, lookup: Callable[[str], int | None]) -> Span:
    """Read start and end; `lookup` returns an id's instant, or None when it knows none: then Refused is raised."""
    return Span(_bound(params, "start", lookup), _bound(params, "end", lookup))


def page(params: Params, rows: list[Row]) -> list[Row]:
    """Return the page that begins at row `ofs`."""
    offset = params.integer("ofs", 0, low=0, high=_FAR)
    return rows[offset : offset + PAGE]


def _bound(params: Params, name: str, lookup: Callable[[str], int | None]) -> int | None:
    """Return a bound in ns: of a Unix time, or of what it names; 0 and empty are none."""
    text = params.text(name)
    if "-" in text:
        at = lookup(text)
        if at is None:
            raise bad_argument(name)
        return at
    value = decimal(text, name) if text else Decimal(0)
    return int(value * NS) if value else None
