"""Seeded chance, split by name: every stream is its own generator, so a new draw in one never shifts another.

Nothing here reads the operating system's randomness or Python's hash seed: one seed is one exchange.
"""

import hashlib
import random
import string

_SYMBOLS = string.digits + string.ascii_uppercase
_MASK = (1 << 64) - 1


def number(seed: int, *names: str) -> int:
    """Return 64 bits that depend on the seed and the names only."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def stream(seed: int, *names: str) -> random.Random:
    """Return the generator of that name."""
    return random.Random(number(seed, *names))


def knot(salt: int, index: int) -> float:
    """Return a fixed value in [-1, 1) for a lattice point: the same for ever, with no state (splitmix64)."""
    z = (salt + index * 0x9E3779B97F4A7C15) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return (z ^ (z >> 31)) / (1 << 63) - 1.0


class Mint:
    """Makes ids that never repeat: orders, trades, ledger entries, tokens, keys.

    `life` tells two exchanges of one seed apart: whoever remembers the ids of the first must not meet them again.
    """

    def __init__(self, seed: int, life: str = "") -> None:
        self._orders = stream(seed, "ids", life, "orders")
        self._trades = stream(seed, "ids", life, "trades")
        self._entries = stream(seed, "ids", life, "ledger")
        self._amends = stream(seed, "ids", life, "amends")
        self._tokens = stream(seed, "ids", life, "tokens")
        self._lines = stream(seed, "ids", life, "lines")
        self._used: set[str] = set()

    def order(self) -> str:
        """Return an order id in Kraken's 6-5-6 form, marked as paper by its first group."""
        return self._fresh(self._orders, "OPAPER")

    def trade(self) -> str:
        """Return a trade id: T and the rest of 6-5-6."""
        return self._fresh(self._trades, "T")

    def amend(self) -> str:
        """Return an amend id: T and the rest of 6-5-6."""
        return self._fresh(self._amends, "T")

    def entry(self) -> str:
        """Return a ledger entry id: L and the rest of 6-5-6."""
        return self._fresh(self._entries, "L")

    def token(self) -> str:
        """Return a WebSocket token of 43 characters; marked as keys are, so that it is recognised wherever it turns up."""
        return "PAPER" + "".join(self._tokens.choices(string.ascii_letters + string.digits, k=38))

    def connection(self) -> int:
        """Return a connection id; Kraken's exceed 2^53, so ours do too."""
        return self._lines.getrandbits(62) | (1 << 62)

    def _fresh(self, source: random.Random, head: str) -> str:
        while True:
            tail = "".join(source.choices(_SYMBOLS, k=17 - len(head)))
            text = head + tail
            code = f"{text[:6]}-{text[6:11]}-{text[11:]}"
            if code not in self._used:
                self._used.add(code)
                return code
