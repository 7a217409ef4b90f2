"""Kraken's book checksum: CRC-32 over the ten best levels of each side (kraken.md 5.3).

A level's token is price and quantity in the pair's own decimals, points and leading zeros dropped: as whole numbers of
the smallest unit both come for free.
"""

from zlib import crc32

LEVELS = 10


def token(price_units: int, quantity_units: int) -> str:
    """One level's part of the text."""
    return f"{price_units}{quantity_units}"


def checksum(asks: str, bids: str) -> int:
    """The checksum of the joined tokens of the best levels, asks upwards, then bids downwards."""
    return crc32((asks + bids).encode())
