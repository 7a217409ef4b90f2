"""One amend of an order at a time: who waits for the one before, and who hears what became of one.

An order is held from before its amend is written down until that amend is settled, which the journal's announcements tell,
whichever road the news came by. Nothing is decided here, and the commit checks it all once more.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from execsvc.domain.amend import Amend, AmendKey
from execsvc.domain.ids import OrderKey
from execsvc.ports import Clock, Journal, JournalEntry

WAITING_MAX = 16  # of one order: who comes then is told at once


class AmendWatch:
    """News of one amend since the watch began."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._latest: Amend | None = None
        self._news = asyncio.Event()

    def heard(self, amend: Amend) -> None:
        """The journal holds a newer state."""
        self._latest = amend
        self._news.set()

    async def until_settled(self, amend: Amend, by: float) -> Amend:
        """`amend`, or what became of it: as soon as it is settled, at the latest at monotonic `by`."""
        latest = amend
        with suppress(TimeoutError):
            async with self._clock.timeout_at(by):
                while not latest.is_settled:
                    await self._news.wait()
                    self._news.clear()
                    latest = self._latest or latest
        return self._latest or latest


class AmendTurns:
    """The orders of one account that are being amended, each with who waits for it."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._clock = clock
        self._held: dict[OrderKey, AmendKey] = {}
        self._waiting: dict[OrderKey, deque[tuple[AmendKey, asyncio.Event]]] = {}
        self._watches: dict[AmendKey, set[AmendWatch]] = {}
        self._stop = journal.subscribe(self._heard)

    def __repr__(self) -> str:
        return f"<AmendTurns {len(self._held)} orders held, {sum(map(len, self._waiting.values()))} wait>"

    def close(self) -> None:
        """Listens no more."""
        self._stop()

    def holder(self, order: OrderKey) -> AmendKey | None:
        """The amend that the order is held for."""
        return self._held.get(order)

    def hold(self, key: AmendKey) -> None:
        """An amend that is unsettled already, such as an earlier life's."""
        self._held[key.order] = key

    async def take(self, key: AmendKey, by: float) -> bool:
        """Holds the order for this amend, waited for until monotonic `by`; False: it is held for another one still."""
        if key.order not in self._held:
            self._held[key.order] = key
            return True
        line = self._waiting.setdefault(key.order, deque())
        if by <= self._clock.monotonic() or len(line) >= WAITING_MAX:
            self._tidy(key.order)
            return False
        place = (key, asyncio.Event())
        line.append(place)
        try:
            async with self._clock.timeout_at(by):
                await place[1].wait()
        except TimeoutError:
            pass
        except BaseException:
            if place[1].is_set():
                self.give(key)
            raise
        finally:
            if place in line:
                line.remove(place)
            self._tidy(key.order)
        return place[1].is_set()

    def give(self, key: AmendKey) -> None:
        """It holds the order no more; the next in line does. No error when it does not hold it."""
        if self._held.get(key.order) != key:
            return
        del self._held[key.order]
        line = self._waiting.get(key.order)
        if line:
            following, news = line.popleft()
            self._held[key.order] = following
            news.set()

    @contextmanager
    def watch(self, key: AmendKey) -> Iterator[AmendWatch]:
        """News of the amend from here on."""
        watch = AmendWatch(self._clock)
        self._watches.setdefault(key, set()).add(watch)
        try:
            yield watch
        finally:
            watches = self._watches[key]
            watches.discard(watch)
            if not watches:
                del self._watches[key]

    def _tidy(self, order: OrderKey) -> None:
        if not self._waiting.get(order):
            self._waiting.pop(order, None)

    def _heard(self, entry: JournalEntry) -> None:
        if entry.amend is None:
            return
        for watch in self._watches.get(entry.amend.key, ()):
            watch.heard(entry.amend)
        if entry.amend.is_settled:
            self.give(entry.amend.key)
        else:
            self._held.setdefault(entry.amend.key.order, entry.amend.key)
