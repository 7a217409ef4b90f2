"""Waiting for an order to be settled: whoever needs its fate waits here, whoever learns it commits to the journal.

Fed by the journal's own announcements, so a fate is told only after it is durable, whichever road it came by: the answer,
the private stream or the resolver.
"""

import asyncio
from contextlib import suppress

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import Order
from execsvc.ports import Clock, Journal, JournalEntry


class Settlements:
    """Wakes those who wait for an order to leave SUBMITTED and IN_DOUBT."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._waiting: dict[OrderKey, set[asyncio.Event]] = {}
        self._stop = journal.subscribe(self._heard)

    def close(self) -> None:
        """Listens no more."""
        self._stop()

    async def until_settled(self, key: OrderKey, by: float) -> Order | None:
        """The order once settled, or as it stands at monotonic `by`."""
        woken = asyncio.Event()
        self._waiting.setdefault(key, set()).add(woken)
        try:
            with suppress(TimeoutError):
                async with self._clock.timeout_at(by):
                    while True:
                        order = await self._journal.get(key)
                        if order is None or order.is_settled:
                            return order
                        await woken.wait()
                        woken.clear()
            return await self._journal.get(key)
        finally:
            waiting = self._waiting[key]
            waiting.discard(woken)
            if not waiting:
                del self._waiting[key]

    def _heard(self, entry: JournalEntry) -> None:
        if entry.order is not None:
            for woken in self._waiting.get(entry.order.key, ()):
                woken.set()
