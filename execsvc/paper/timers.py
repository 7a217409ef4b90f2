"""What is to happen later, in order of time: the exchange's whole future, driven by `advance`.

It neither waits nor reads a clock.
"""

from collections.abc import Callable
from heapq import heappop, heappush

Act = Callable[[int], None]


class Timers:
    """A heap of (instant, act). Acts due at one instant run in the order they were planned."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Act]] = []
        self._planned = 0

    def at(self, due: int, act: Act) -> None:
        """Plan an act; it is called with its own instant."""
        self._planned += 1
        heappush(self._heap, (due, self._planned, act))

    @property
    def due(self) -> int | None:
        """Return when the next act is due."""
        return self._heap[0][0] if self._heap else None

    def pop(self, now: int) -> tuple[int, Act] | None:
        """Take the next act that is due by now, or None."""
        if not self._heap or self._heap[0][0] > now:
            return None
        due, _, act = heappop(self._heap)
        return due, act
