"""Pairs as the settings name them: by the one spelling that orders are held to, since no catalogue is at hand here.

A rule on a spelling that no order ever carries would hold nobody to anything; so another spelling is a problem, not a guess.
"""

import re

_PAIR = re.compile(r"([A-Z0-9.]{1,15})/([A-Z0-9.]{1,15})", re.ASCII)
_OLD = {"XBT": "BTC", "XDG": "DOGE"}


def pair_fault(symbol: str) -> str:
    """What is wrong with it, in words; empty: nothing."""
    shape = _PAIR.fullmatch(symbol)
    if shape is None:
        return f"{symbol!r}: write a pair as BASE/QUOTE, such as BTC/USD"
    new = "/".join(_OLD.get(code, code) for code in shape.groups())
    return "" if new == symbol else f"{symbol!r}: write {new}"
