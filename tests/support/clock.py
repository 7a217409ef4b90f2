"""Clocks for tests that live on a real loop, or on none: virtual time is simloop's."""

import asyncio
import time


class LoopClock:
    """Real time, with a wall clock a test may step."""

    def __init__(self):
        self.skew_s = 0.0

    def monotonic(self):
        return time.monotonic()

    def wall_ns(self):
        return time.time_ns() + round(self.skew_s * 1e9)

    async def sleep(self, seconds):
        await asyncio.sleep(max(seconds, 0))

    def timeout_at(self, by):
        return asyncio.timeout(None if by is None else max(0.0, by - self.monotonic()))
