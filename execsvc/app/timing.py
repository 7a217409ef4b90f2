"""How long a placement may take, from arrival to entry to answer: the caller's limits as instants. Pure.

The arithmetic is promises.md section 6; what is done when time is too short is the desk's.
"""

from dataclasses import dataclass

DEFAULT_TIMEOUT_S = 10.0
DEFAULT_ENTRY_DELAY_S = 5.0
ENTRY_DELAY_MAX_S = 60.0


@dataclass(frozen=True)
class Timing:
    """A placement's time limits: monotonic arrival, the caller's own deadline (None: 10 s), the wished entry delay."""

    arrived: float
    caller_by: float | None = None
    max_entry_delay_s: float = DEFAULT_ENTRY_DELAY_S

    @property
    def by(self) -> float:
        """The caller's deadline, monotonic."""
        return self.arrived + DEFAULT_TIMEOUT_S if self.caller_by is None else self.caller_by

    @property
    def answer_by(self) -> float:
        """When the answer must leave at the latest: 50 ms or 5 % before the caller gives up."""
        return self.by - max(0.05, 0.05 * (self.by - self.arrived))

    @property
    def entry_delay_s(self) -> float:
        """How long Kraken may take to let the order in, counted from arrival."""
        return min(self.by - self.arrived, self.max_entry_delay_s, ENTRY_DELAY_MAX_S)
