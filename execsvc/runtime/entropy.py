"""The operating system's randomness, behind ports.Entropy.

Seeded chance, for tests and simulation, lives with them.
"""

import secrets


class RealEntropy:
    """Unpredictable bytes and jitter. Branches need no state of their own: nothing here can be shifted by a draw."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        return secrets.token_bytes(size)

    def uniform(self) -> float:
        """From 0 to just below 1, with 53 bits."""
        return secrets.randbits(53) / (1 << 53)

    def branch(self, name: str) -> "RealEntropy":  # noqa: ARG002  the port names branches; this source needs none
        """The source of that name: the same one."""
        return self
