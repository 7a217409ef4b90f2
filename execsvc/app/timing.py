"""How long a placement may take, from arrival to entry to answer: the caller's limits as instants. Pure.

The arithmetic is promises.md section 6; what is done when time is too short is the desk's.
"""

from dataclasses import dataclass

from execsvc.domain.errors import Fault, Reason
from execsvc.ports import ClockReading

DEFAULT_TIMEOUT_S = 10.0
DEFAULT_ENTRY_DELAY_S = 5.0
ENTRY_DELAY_MAX_S = 60.0
CLOCK_OFF_MAX_S = 5.0
CLOCK_MOVED_MAX_S = 2.0  # between writing an order down and sending it


def clock_untrusted(reading: ClockReading | None) -> Fault | None:
    """Deadlines travel in Kraken's time: a clock that is far off makes every figure of ours suspect."""
    if reading is None:
        return None  # read before the first send; without it nothing is sent
    off_s = max(0.0, abs(reading.offset_s) - reading.uncertainty_s)
    if off_s <= CLOCK_OFF_MAX_S:
        return None
    return Fault(
        Reason.CLOCK_UNTRUSTED,
        f"this machine's clock is {off_s:.1f} s off Kraken's, at most {CLOCK_OFF_MAX_S:g} s may be; nothing was sent",
        retry_after_s=5.0,
    )


def clock_moved(*, steady_s: float, wall_s: float) -> Fault | None:
    """An order is looked for by when it was written down: should the clock have been set since, that moment means nothing."""
    if abs(wall_s - steady_s) <= CLOCK_MOVED_MAX_S:
        return None
    return Fault(
        Reason.CLOCK_UNTRUSTED,
        f"this machine's clock was set by {wall_s - steady_s:+.1f} s while the order waited; nothing was sent",
        retry_after_s=1.0,
    )


@dataclass(frozen=True)
class Timing:
    """A placement's time limits: monotonic arrival, the caller's own deadline (None: 10 s), the wished entry delay.

    queue_s: how long it may be held back for a counter before anything is done; 0 refuses at once.
    """

    arrived: float
    caller_by: float | None = None
    max_entry_delay_s: float = DEFAULT_ENTRY_DELAY_S
    queue_s: float = 0.0

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

    def queue_by(self, least_s: float) -> float:
        """Until when it may be held back: what is left then must do for the placement itself, `least_s`."""
        return min(self.arrived + self.queue_s, self.arrived + self.entry_delay_s - least_s)
