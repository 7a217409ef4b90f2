"""Kraken's book checksum: CRC-32 over the ten best levels of each side (kraken.md 5.3).

A level's token is price and quantity in the pair's own decimals, points and leading zeros dropped. Kraken prints nearly every
figure so already: then the text only loses its point, which is much cheaper than arithmetic.
"""

from decimal import Decimal
from zlib import crc32

from execsvc.kraken.figures import whole

LEVELS = 10
_PRINTED_MAX = 24  # longer figures are left to arithmetic, which bounds them


def digits(value: Decimal, decimals: int) -> str | None:
    """The value's part of a token, "" for zero; None when it is finer, too large, negative or no number at all."""
    text = str(value)
    if text[-decimals - 1 : -decimals] == "." and len(text) < _PRINTED_MAX:
        found = text.replace(".", "").lstrip("0")
        if found.isdecimal():
            return found
    units = whole(value, decimals)
    return None if units is None else str(units or "")


def checksum(text: bytes, before: int = 0) -> int:
    """The checksum of the joined tokens of the best levels; asks upwards first, `before` is theirs, then bids downwards."""
    return crc32(text, before)
