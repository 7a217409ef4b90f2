"""A connection's pulse, sans I/O: when to ping, when silence means death, and what the pongs say of Kraken's clock.

Kraken beats about once a second after the first subscription, and closes connections idle for a minute (kraken.md 5.1);
a ping after two quiet seconds keeps both true before any subscription too.
"""

from execsvc.kraken import frames
from execsvc.kraken.figures import stamp_ns
from execsvc.kraken.venuetime import VenueTime

SILENT_AFTER_S = 5.0
PING_AFTER_S = 2.0
PING_EVERY_S = 20.0  # even on a busy line: the pong's microseconds keep the clock estimate narrow
_PING_IDS = 1 << 40  # far above the numbers of other requests


class Pulse:
    """Liveness of one connection."""

    def __init__(self, venue_time: VenueTime, *, silent_after_s: float = SILENT_AFTER_S) -> None:
        self._venue_time = venue_time
        self._silent_after_s = silent_after_s
        self._heard_at = 0.0
        self._pinged_at = 0.0
        self._ping_sent_ns = 0
        self._ping_id = _PING_IDS

    def opened(self, now: float) -> None:
        """The connection stands."""
        self._heard_at = now
        self._pinged_at = now - PING_EVERY_S  # the first ping goes out at once: its pong tells Kraken's time

    def heard(self, frame: frames.Frame, now: float, wall_ns: int) -> None:
        """A frame of any kind came."""
        self._heard_at = now
        if frame.method == "pong" and frame.req_id == self._ping_id:
            earliest_ns, latest_ns = stamp_ns(frame.time_in), stamp_ns(frame.time_out)
            if earliest_ns is not None and latest_ns is not None:
                self._venue_time.observe(
                    sent_ns=self._ping_sent_ns, received_ns=wall_ns, earliest_ns=earliest_ns, latest_ns=latest_ns
                )

    def due(self, now: float, wall_ns: int) -> list[str]:
        """A ping, when one is due."""
        if now < self._ping_at():
            return []
        self._pinged_at = now
        self._ping_sent_ns = wall_ns
        self._ping_id += 1
        return [f'{{"method":"ping","req_id":{self._ping_id}}}']

    def silent(self, now: float) -> str:
        """Why the line counts as dead; empty while it does not."""
        if (
            now < self._heard_at + self._silent_after_s
        ):  # the sum, as next_timer has it: a difference may round otherwise
            return ""
        return f"no frame for {now - self._heard_at:.1f} s"

    def next_timer(self, now: float) -> float:
        """When to look again."""
        return max(now, min(self._ping_at(), self._heard_at + self._silent_after_s))

    def _ping_at(self) -> float:
        return min(max(self._heard_at, self._pinged_at) + PING_AFTER_S, self._pinged_at + PING_EVERY_S)
