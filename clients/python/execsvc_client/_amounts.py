"""Money in and out: exact, and in the words of the contract's one decimal grammar.

Goes in as Decimal, str or int and comes out as Decimal; a float is refused before anything is sent, because 0.1 as a
float is not 0.1. What a price or a quantity must be besides (tick, lot, minimum) is the server's business.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TypeAlias

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

Number: TypeAlias = Decimal | str | int

_GRAMMAR = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?")


def to_wire(value: Number, name: str) -> str:
    """Write an amount as the contract does, digits kept: Decimal("0.10") is "0.10".

    Raises TypeError for a float (and whatever else is no number), ValueError for what the grammar cannot say.
    """
    # A caller without a type checker may hand in anything; the annotation does not stop a float.
    given: object = value
    if isinstance(given, float):
        raise TypeError(f'{name} is a float, which cannot hold {given!r} exactly: pass Decimal("…") or a string')
    if isinstance(given, bool) or not isinstance(given, Decimal | str | int):
        raise TypeError(f"{name} must be a Decimal, a string or an int, not {type(given).__name__}")
    if isinstance(given, Decimal):
        if not given.is_finite():
            raise ValueError(f"{name} is {given}: an amount is a finite number")
        text = format(given, "f")
    else:
        text = str(given)
    if not _GRAMMAR.fullmatch(text) or (text.startswith("-") and not text.strip("-0.")):
        raise ValueError(
            f"{name} is {text!r}: write digits with at most 18 before and 18 after the point, "
            "no exponent, no plus sign, no leading zeros"
        )
    return text


def known(text: str) -> Decimal | None:
    """Read an amount that may be empty on the wire, which means "not known" and never zero."""
    return Decimal(text) if text else None


def seconds(value: float, name: str) -> Duration:
    """A span in seconds as a Duration. Raises ValueError for a negative one."""
    if value < 0:
        raise ValueError(f"{name} is {value}: a span is not negative")
    whole = Duration()
    whole.FromTimedelta(timedelta(seconds=value))
    return whole


def moment(value: datetime, name: str) -> Timestamp:
    """A time as a Timestamp. Raises ValueError for one without a time zone, which could mean any hour."""
    if value.tzinfo is None:
        raise ValueError(f"{name} has no time zone: use datetime.now(tz=UTC) or .replace(tzinfo=…)")
    stamp = Timestamp()
    stamp.FromDatetime(value.astimezone(UTC))
    return stamp


def when(stamp: Timestamp, *, present: bool) -> datetime | None:
    """A Timestamp as a UTC datetime, to the microsecond; None where it is absent. `wire` has the nanoseconds."""
    return stamp.ToDatetime(tzinfo=UTC) if present else None
