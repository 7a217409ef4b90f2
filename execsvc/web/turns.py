"""The pace of the HTTP address: one answer after the other, and a rest after each.

gRPC and HTTP share one event loop and one processor. Answers as fast as somebody asks would leave an order's call waiting
behind them, so however many ask, answers take a small part of the time. Nobody is refused: those who ask wait in line, and
there are never more of them than connections (listen.py).
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from execsvc.ports import Clock

A = TypeVar("A")

REST_LEAST_S = 0.005  # at most 200 answers a second: what aiohttp does around a short one takes longer than making it
REST_MOST_S = 0.25  # with every connection in line the last of them still waits less than a scraper's ten seconds
REST_TIMES = 49  # an answer that takes longer, as the figures do, may delay two of a hundred calls


def rest_s(took_s: float) -> float:
    """How long nothing is answered after an answer that took so long to make."""
    return min(max(REST_LEAST_S, REST_TIMES * took_s), REST_MOST_S)


class Turns:
    """One line: first come, first served. Whoever leaves while it waits loses its place."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._line = asyncio.Lock()
        self._free_at = clock.monotonic()

    async def taken(self, make: Callable[[], Awaitable[A]]) -> A:
        """The answer that `make` makes, when its turn has come; its errors pass."""
        async with self._line:
            left = self._free_at - self._clock.monotonic()
            if left > 0:
                await self._clock.sleep(left)
            began = self._clock.monotonic()
            try:
                return await make()
            finally:
                now = self._clock.monotonic()
                self._free_at = now + rest_s(now - began)
