"""The book checksum, from Kraken's guide: CRC-32 over the digits of the ten best asks, then the ten best bids.

A price or quantity in integer units, printed, is exactly the text the guide asks for: the fixed-point figure without
its point and without leading zeros.
"""

from collections.abc import Iterable
from zlib import crc32

LEVELS = 10


def checksum(asks: Iterable[tuple[int, int]], bids: Iterable[tuple[int, int]]) -> int:
    """Return the checksum of two sides, best level first, each level (price, quantity) in integer units."""
    parts: list[str] = []
    for side in (asks, bids):
        for (price, quantity), _ in zip(side, range(LEVELS), strict=False):
            parts.append(f"{price}{quantity}")
    return crc32("".join(parts).encode())
