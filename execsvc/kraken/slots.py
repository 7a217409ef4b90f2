"""A few unsigned reads at a time: Kraken counts them per address, and no published figure says how many (kraken.md 3.1).

Signed calls do not pass here: they have the lane of their key.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from execsvc.domain.errors import error_of
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.retry import timed_out
from execsvc.ports import Clock

AT_ONCE = 2


class Slots:
    """A bound on what is in flight."""

    def __init__(self, clock: Clock, *, at_once: int = AT_ONCE) -> None:
        self._clock = clock
        self._free = asyncio.Semaphore(at_once)

    @asynccontextmanager
    async def one(self, by: float) -> AsyncIterator[None]:
        """One slot for the length of the block. Raises Busy(READ_TIMEOUT) when none is free by then."""
        try:
            async with self._clock.timeout_at(by):
                await self._free.acquire()
        except TimeoutError:
            raise error_of(timed_out(Effect.READ)) from None
        try:
            yield
        finally:
            self._free.release()
