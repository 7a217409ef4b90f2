"""The machine's clock, behind ports.Clock: the only place that reads real time or sleeps.

How far it may be trusted is not known here: Kraken's clock is compared with it in kraken/venuetime.py.
"""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from typing import Any


class RealClock:
    """Time as the operating system tells it."""

    def monotonic(self) -> float:
        """Seconds that never step back."""
        return time.monotonic()

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch."""
        return time.time_ns()

    async def sleep(self, seconds: float) -> None:
        """Waits; zero or less yields once."""
        await asyncio.sleep(max(0.0, seconds))

    def timeout_at(self, by: float | None) -> AbstractAsyncContextManager[Any]:
        """Raises TimeoutError in its block at monotonic `by`; None never does."""
        return asyncio.timeout(None if by is None else max(0.0, by - time.monotonic()))
