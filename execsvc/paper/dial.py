"""The exchange's own clock, and how far it is off its owner's.

Whatever the exchange prints or compares with a client's instants is on its own clock: Time, deadlines, expiries,
timestamps. When things happen, delays, heartbeats and mishaps among them, is on the owner's, which never goes back.
"""


class Dial:
    """Instants in ns. `skew` is how far the exchange's clock is ahead; negative, behind."""

    def __init__(self) -> None:
        self.skew = 0

    def reads(self, now: int) -> int:
        """Return what the exchange's clock says at the owner's instant `now`."""
        return now + self.skew

    def owners(self, at: int) -> int:
        """Return the owner's instant at which the exchange's clock says `at`."""
        return at - self.skew
