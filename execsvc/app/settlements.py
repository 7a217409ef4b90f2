"""Waiting for an order to be settled: whoever needs its fate waits here, whoever learns it commits to the journal.

Fed by the journal's own announcements, so a fate is told only after it is durable, whichever road it came by: the answer,
the private stream or the resolver. A watch begins before the order is looked up or made, so no news falls between.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from execsvc.domain.ids import OrderKey
from execsvc.domain.order import TERMINAL, Order
from execsvc.ports import Clock, Journal, JournalEntry


class Watch:
    """News of one order since the watch began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: Order | None = None
        self._news = asyncio.Event()

    def heard(self, order: Order) -> None:
        """The journal holds a newer state."""
        self._latest = order
        self._news.set()

    async def until_settled(self, order: Order, by: float) -> Order:
        """`order`, or what became of it: as soon as it is settled, at the latest at monotonic `by`."""
        return await self._until(lambda newest: newest.is_settled, order, by)

    async def until_ended(self, order: Order, by: float) -> Order:
        """`order`, or what became of it: as soon as it is open no more, at the latest at monotonic `by`."""
        return await self._until(lambda newest: newest.status in TERMINAL, order, by)

    async def _until(self, reached: Callable[[Order], bool], order: Order, by: float) -> Order:
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                while not reached(self._newest(order)):
                    await self._news.wait()
                    self._news.clear()
        return self._newest(order)

    def _newest(self, order: Order) -> Order:
        return self._latest if self._latest is not None and self._latest.version > order.version else order


class Settlements:
    """Tells every watch of an order what the journal announces of it."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._clock = clock
        self._watches: dict[OrderKey, set[Watch]] = {}
        self._stop = journal.subscribe(self._heard)

    def close(self) -> None:
        """Listens no more."""
        self._stop()

    @contextmanager
    def watch(self, key: OrderKey) -> Iterator[Watch]:
        """News of the order from here on."""
        watch = Watch(self._clock)
        self._watches.setdefault(key, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[key]
            watches.discard(watch)
            if not watches:
                del self._watches[key]

    def _heard(self, entry: JournalEntry) -> None:
        if entry.order is not None:
            for watch in self._watches.get(entry.order.key, ()):
                watch.heard(entry.order)
