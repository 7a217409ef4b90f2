"""Kraken's clock, estimated: each stamp it gives bounds the difference to ours, and the bounds are intersected.

`Time` has whole seconds, WebSocket answers have microseconds (promises.md section 6, "Offset"). Bounds widen with age,
because clocks drift; a stamp that contradicts them (a clock was stepped) starts anew. Pure: all times are handed in.
"""

from dataclasses import dataclass

from execsvc.ports import ClockReading

UNREAD_UNCERTAINTY_S = 0.5
_DRIFT = 1e-4  # a poor crystal is off by 100 parts per million
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True)
class _Bounds:
    low_ns: int
    high_ns: int
    at_ns: int

    def aged(self, now_ns: int) -> "_Bounds":
        slack_ns = int(abs(now_ns - self.at_ns) * _DRIFT)
        return _Bounds(self.low_ns - slack_ns, self.high_ns + slack_ns, now_ns)


class VenueTime:
    """The current estimate of Kraken's clock minus ours."""

    def __init__(self) -> None:
        self._bounds: _Bounds | None = None
        self._round_trip_s = 0.0

    def __repr__(self) -> str:
        return f"<VenueTime {self._bounds}>"

    @property
    def known(self) -> bool:
        """Whether any stamp was seen."""
        return self._bounds is not None

    def forget(self) -> None:
        """Our clock was set: what is known of the difference holds no more."""
        self._bounds = None

    def observe(self, *, sent_ns: int, received_ns: int, earliest_ns: int, latest_ns: int) -> None:
        """Kraken's clock stood between `earliest_ns` and `latest_ns` at some moment between our sent and received."""
        fresh = _Bounds(earliest_ns - received_ns, latest_ns - sent_ns, received_ns)
        self._round_trip_s = max(0, received_ns - sent_ns) / _SECOND_NS
        if self._bounds is None:
            self._bounds = fresh
            return
        old = self._bounds.aged(received_ns)
        low, high = max(old.low_ns, fresh.low_ns), min(old.high_ns, fresh.high_ns)
        self._bounds = _Bounds(low, high, received_ns) if low <= high else fresh

    def observe_seconds(self, *, sent_ns: int, received_ns: int, unixtime: int) -> None:
        """A stamp in whole seconds, cut off."""
        earliest_ns = unixtime * _SECOND_NS
        self.observe(
            sent_ns=sent_ns, received_ns=received_ns, earliest_ns=earliest_ns, latest_ns=earliest_ns + _SECOND_NS
        )

    def reading(self, now_ns: int) -> ClockReading:
        """The middle of the bounds and half their width; offset 0 ± 0.5 s before any stamp."""
        if self._bounds is None:
            return ClockReading(0.0, UNREAD_UNCERTAINTY_S, 0.0)
        offset_s = self._offset_s()
        aged = self._bounds.aged(now_ns)
        return ClockReading(offset_s, (aged.high_ns - aged.low_ns) / 2 / _SECOND_NS, self._round_trip_s)

    def venue_ns(self, now_ns: int) -> int:
        """What Kraken's clock shows when ours shows `now_ns`, as best we know."""
        return now_ns + int(self._offset_s() * _SECOND_NS)

    def _offset_s(self) -> float:
        """The middle of the bounds, which age widens on both sides alike."""
        return 0.0 if self._bounds is None else (self._bounds.low_ns + self._bounds.high_ns) / 2 / _SECOND_NS

    def earliest_ns(self, now_ns: int) -> int:
        """`now_ns` in Kraken's time, on the early side of the uncertainty."""
        reading = self.reading(now_ns)
        return now_ns + int((reading.offset_s - reading.uncertainty_s) * _SECOND_NS)
