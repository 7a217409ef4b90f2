"""Mailboxes between one upstream topic and its many readers: bounded, and honest about what was folded or lost.

`offer` and the other puts never wait; a slow reader costs its own mailbox and nobody else. CONFLATE keeps the newest
picture per key and counts what it folded; BUFFER keeps every item up to a bound and past it leaves a Gap and asks for a
fresh picture. Order events do not pass here: they are read from the journal (app/orders.py) and cannot be lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from execsvc.domain.market import FeedState, GapReason
from execsvc.ports import Clock

T = TypeVar("T")

MAX_BUFFERED = 1024
MAX_BATCH = 500


@dataclass(frozen=True)
class Delivery:
    """How a reader wants its items; the contract's DeliveryPolicy, defaults filled in."""

    conflate: bool
    min_interval_s: float = 0.0
    max_buffered: int = MAX_BUFFERED
    max_batch: int = MAX_BATCH


@dataclass(frozen=True)
class Gap:
    """What the reader holds of these symbols is void until the snapshot that follows."""

    reason: GapReason
    symbols: tuple[str, ...]
    lost: int | None = None


@dataclass(frozen=True)
class Batch(Generic[T]):
    """Items of one message: all snapshots or all updates, oldest first."""

    items: tuple[T, ...]
    snapshot: bool
    folded: int


@dataclass(frozen=True)
class StateChanged:
    """The feed state moved: tell the reader now, with a heartbeat."""


@dataclass
class _Slot(Generic[T]):
    item: T
    snapshot: bool
    folded: int = 0


Mail = Batch[T] | Gap | StateChanged


class Mailbox(Generic[T]):
    """One reader's pending mail. `refresh(symbols)` must offer fresh snapshots of those symbols at once."""

    def __init__(self, delivery: Delivery, clock: Clock, refresh: Callable[[tuple[str, ...]], None]) -> None:
        self._delivery = delivery
        self._clock = clock
        self._refresh = refresh
        self._slots: dict[str, _Slot[T]] = {}
        self._queue: deque[tuple[str, _Slot[T]]] = deque()
        self._notices: deque[Gap | StateChanged] = deque()
        self._sent_at: dict[str, float] = {}
        self._wake = asyncio.Event()
        self.state: FeedState = FeedState.RESYNCING

    @property
    def conflates(self) -> bool:
        """Whether only the newest picture per symbol is kept."""
        return self._delivery.conflate

    def __len__(self) -> int:
        return len(self._slots) + len(self._queue)

    def offer(self, symbol: str, item: T, *, snapshot: bool) -> None:
        """A new picture or change of a symbol; never waits."""
        if self._delivery.conflate:
            held = self._slots.pop(symbol, None)
            folded = 0 if held is None else held.folded + 1
            self._slots[symbol] = _Slot(item, snapshot or (held is not None and held.snapshot), folded)
        else:
            if len(self._queue) >= self._delivery.max_buffered:
                self._overflow()
                return
            self._queue.append((symbol, _Slot(item, snapshot)))
        self._wake.set()

    def void(self, gap: Gap) -> None:
        """What is pending of the gap's symbols is dropped; the gap goes out before anything newer."""
        for symbol in gap.symbols:
            self._slots.pop(symbol, None)
        self._queue = deque(pair for pair in self._queue if pair[0] not in gap.symbols)
        self._notices.append(gap)
        self._wake.set()

    def move(self, state: FeedState) -> None:
        """The worst state of the reader's symbols is now `state`."""
        if state is not self.state:
            self.state = state
            if not any(isinstance(notice, StateChanged) for notice in self._notices):
                self._notices.append(StateChanged())
            self._wake.set()

    async def take(self, by: float) -> Mail[T] | None:
        """The next mail, or None at monotonic `by`."""
        while True:
            mail, ready_at = self._next()
            if mail is not None:
                return mail
            self._wake.clear()
            limit = by if ready_at is None else min(by, ready_at)
            try:
                async with self._clock.timeout_at(limit):
                    await self._wake.wait()
            except TimeoutError:
                if self._clock.monotonic() >= by:
                    return None

    def _next(self) -> tuple[Mail[T] | None, float | None]:
        if self._notices:
            return self._notices.popleft(), None
        return self._conflated() if self._delivery.conflate else (self._buffered(), None)

    def _conflated(self) -> tuple[Batch[T] | None, float | None]:
        now = self._clock.monotonic()
        interval = self._delivery.min_interval_s
        due, wait_until = [], None
        for symbol, slot in self._slots.items():
            ready_at = self._sent_at.get(symbol, now) + interval if symbol in self._sent_at else now
            if slot.snapshot or ready_at <= now:
                due.append(symbol)
            else:
                wait_until = ready_at if wait_until is None else min(wait_until, ready_at)
        if not due:
            return None, wait_until
        kind = self._slots[due[0]].snapshot
        picked = [symbol for symbol in due if self._slots[symbol].snapshot is kind][: self._delivery.max_batch]
        slots = [self._slots.pop(symbol) for symbol in picked]
        if interval:
            self._sent_at.update(dict.fromkeys(picked, now))
        return Batch(tuple(slot.item for slot in slots), kind, sum(slot.folded for slot in slots)), None

    def _buffered(self) -> Batch[T] | None:
        if not self._queue:
            return None
        kind = self._queue[0][1].snapshot
        items: list[T] = []
        while self._queue and self._queue[0][1].snapshot is kind and len(items) < self._delivery.max_batch:
            items.append(self._queue.popleft()[1].item)
        return Batch(tuple(items), kind, 0)

    def _overflow(self) -> None:
        lost = len(self._queue) + 1
        symbols = tuple(sorted({symbol for symbol, _ in self._queue}))
        self._queue.clear()
        self._notices.append(Gap(GapReason.SLOW_CONSUMER, symbols, lost))
        self._wake.set()
        self._refresh(symbols)
