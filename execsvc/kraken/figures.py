"""Kraken's numbers and times, checked: finite, of bearable size, in our units. Everything else is ProtocolBroken.

What a figure means, and whether it may be zero or negative there, is the decoders' business.
"""

from datetime import datetime
from decimal import Decimal

from execsvc.kraken.wire import broken

_DIGITS_MAX = 18  # on either side of the point: the contract's grammar
_DIGITS_IN_ALL_MAX = 28  # what Decimal's arithmetic carries without rounding
_SECOND_NS = 1_000_000_000
_NANOSECOND_DIGITS = 9
_YEAR_10000 = 253_402_300_800
_COUNT_END = 1 << 32
_MICROSECONDS_TEXT = 8
_SECONDS_TEXT = 19  # 2023-09-25T09:04:31
_last_second: tuple[str, int] = ("", 0)


def figure(value: Decimal) -> Decimal:
    """The value, or ProtocolBroken where no money is written so (NaN, 1e999, 30 digits)."""
    sign, digits, exponent = value.as_tuple()
    if (
        not isinstance(exponent, int)
        or exponent < -_DIGITS_MAX
        or len(digits) + exponent > _DIGITS_MAX
        or len(digits) > _DIGITS_IN_ALL_MAX
    ):
        raise broken(f"{str(value)[:40]} is no number of money")
    if exponent > 0:  # 1E+2: written out, so that it prints as digits
        return Decimal((sign, digits + (0,) * exponent, 0))
    return value or value.copy_abs()  # -0 is no number of the contract


def positive(value: Decimal) -> Decimal:
    """A figure not below zero."""
    checked = figure(value)
    if checked < 0:
        raise broken(f"{value} is below zero")
    return checked


def whole(value: Decimal, decimals: int) -> int | None:
    """The value in units of 10^-decimals; None when it is finer, too large, negative or no number at all.

    For every level of every book: cheaper than figure(), and the size is looked at before int() writes it out.
    """
    if value.adjusted() > _DIGITS_MAX:
        return None
    try:
        scaled = value.scaleb(decimals)
        units = int(scaled)
    except (ValueError, ArithmeticError):
        return None
    return units if units >= 0 and units == scaled else None


def count(value: int) -> int:
    """A number of things: 0 to 2^32 - 1."""
    if not 0 <= value < _COUNT_END:
        raise broken(f"{str(value)[:40]} is no count")
    return value


def unix_ns(seconds: Decimal | int) -> int:
    """Unix seconds (with fraction), 1970 to 9999 → ns."""
    checked = figure(Decimal(seconds))
    if not 0 <= checked < _YEAR_10000:
        raise broken(f"{checked} is no time")
    return int(checked.scaleb(_NANOSECOND_DIGITS))


def stamp_ns(text: str) -> int | None:
    """RFC 3339 in UTC (with up to nine digits of fraction) → ns; None for an empty text."""
    global _last_second  # noqa: PLW0603  many stamps share their second: the last one parsed is kept
    if not text:
        return None
    head, tail = text[:_SECONDS_TEXT], text[_SECONDS_TEXT:]
    if len(tail) == _MICROSECONDS_TEXT and head == _last_second[0] and tail[0] == "." and tail[-1] == "Z":
        fraction = tail[1:-1]  # .440295Z: nearly every stamp
        if fraction.isdecimal() and fraction.isascii():
            return _last_second[1] + int(fraction) * 1_000
    if head != _last_second[0]:
        try:
            _last_second = (head, int(datetime.fromisoformat(head + "+00:00").timestamp()) * _SECOND_NS)
        except ValueError:
            raise broken(f"{text[:40]!r} is no time") from None
    fraction = tail.removesuffix("Z").removesuffix("+00:00").removeprefix(".")
    if not tail.endswith(("Z", "+00:00")) or not (fraction.isdecimal() or not fraction) or not fraction.isascii():
        raise broken(f"{text[:40]!r} is no time in UTC")
    return _last_second[1] + int(fraction[:_NANOSECOND_DIGITS].ljust(_NANOSECOND_DIGITS, "0"))
