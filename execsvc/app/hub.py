"""Mailboxes between one upstream topic and its many readers: bounded, and honest about what was folded or lost.

`offer` and the other puts never wait; a slow reader costs its own mailbox and nobody else. CONFLATE keeps the newest
picture per key and counts what it folded; BUFFER keeps every item up to a bound and past it leaves a Gap and asks for a
fresh picture, or, where there is none (trades), counts what is lost. Order events do not pass here: they are read from the
journal (app/orders.py) and cannot be lost.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from execsvc.domain.market import FeedState, GapReason
from execsvc.ports import Clock

T = TypeVar("T")

Key = tuple[str, int]
"""A symbol, and what part of it."""

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
    """What the reader holds of these symbols is void until the snapshot that follows, if one does (of trades none).

    lost: how many changes or trades; None where they cannot be counted.
    """

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


@dataclass(slots=True)
class _Slot(Generic[T]):
    item: T
    snapshot: bool
    folded: int = 0


Mail = Batch[T] | Gap | StateChanged


class Mailbox(Generic[T]):
    """One reader's pending mail.

    `refresh(symbols)` must offer fresh snapshots of those symbols at once; None where there are only the items themselves.
    """

    def __init__(self, delivery: Delivery, clock: Clock, refresh: Callable[[tuple[str, ...]], None] | None) -> None:
        self._delivery = delivery
        self._clock = clock
        self._refresh = refresh
        self._slots: dict[Key, _Slot[T]] = {}
        self._queue: deque[tuple[str, _Slot[T]] | Gap] = deque()
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

    def offer(self, symbol: str, item: T, *, snapshot: bool, part: int = 0) -> None:
        """A new picture or change of a symbol; never waits. `part`: what of the symbol it is, where parts are kept apart.

        A snapshot replaces all that is pending of its symbol. Snapshots are never refused: there is one per symbol at most.
        """
        if self._delivery.conflate:
            self._fold(symbol, part, _Slot(item, snapshot))
        elif snapshot or len(self._queue) < self._delivery.max_buffered:
            self._queue.append((symbol, _Slot(item, snapshot)))
        else:
            self._overflow(symbol)
        self._wake.set()

    def void(self, gap: Gap) -> None:
        """What is pending of the gap's symbols is dropped; the gap goes out before anything newer."""
        for key in [key for key in self._slots if key[0] in gap.symbols]:
            del self._slots[key]
        self._queue = deque(each for each in self._queue if isinstance(each, Gap) or each[0] not in gap.symbols)
        self._note(gap)
        self._wake.set()

    def interrupt(self, gap: Gap) -> None:
        """A hole after what is pending, which stays good: the gap goes out in its place."""
        last = self._queue[-1] if self._queue else None
        if isinstance(last, Gap) and last.reason is gap.reason:
            self._queue[-1] = _joined(last, gap)
        else:
            self._queue.append(gap)
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

    def _fold(self, symbol: str, part: int, slot: _Slot[T]) -> None:
        key = (symbol, part)
        held = self._slots.pop(key, None)
        if slot.snapshot:
            for other in [each for each in self._slots if each[0] == symbol]:
                slot.folded += self._slots.pop(other).folded + 1
        if held is not None:
            slot.folded += held.folded + 1
            slot.snapshot = slot.snapshot or held.snapshot
        elif not slot.snapshot and part and len(self._slots) >= self._delivery.max_buffered:
            self._overflow(symbol)
            return
        self._slots[key] = slot

    def _conflated(self) -> tuple[Batch[T] | None, float | None]:
        if not self._slots:
            return None, None
        spaced = self._delivery.min_interval_s > 0
        now = self._clock.monotonic() if spaced else 0.0
        due, wait_until = self._due(now) if spaced else (list(self._slots.items()), None)
        if not due:
            return None, wait_until
        kind = due[0][1].snapshot
        picked = [each for each in due if each[1].snapshot is kind][: self._delivery.max_batch]
        for key, _ in picked:
            del self._slots[key]
            if spaced:
                self._sent_at[key[0]] = now
        return Batch(tuple([slot.item for _, slot in picked]), kind, sum([slot.folded for _, slot in picked])), None

    def _due(self, now: float) -> tuple[list[tuple[Key, _Slot[T]]], float | None]:
        """What may be told by now, and when the first of the rest may."""
        due, wait_until = [], None
        for key, slot in self._slots.items():
            sent_at = self._sent_at.get(key[0])
            ready_at = now if sent_at is None else sent_at + self._delivery.min_interval_s
            if slot.snapshot or ready_at <= now:
                due.append((key, slot))
            else:
                wait_until = ready_at if wait_until is None else min(wait_until, ready_at)
        return due, wait_until

    def _buffered(self) -> Batch[T] | Gap | None:
        items: list[T] = []
        kind = False
        while self._queue and len(items) < self._delivery.max_batch:
            head = self._queue[0]
            if isinstance(head, Gap):
                if items:
                    break
                self._queue.popleft()
                return head
            if items and head[1].snapshot is not kind:
                break
            kind = head[1].snapshot
            items.append(head[1].item)
            self._queue.popleft()
        return Batch(tuple(items), kind, 0) if items else None

    def _overflow(self, symbol: str) -> None:
        """All that is pending is given up, and so is what should have come on top."""
        pending = [(key[0], slot) for key, slot in self._slots.items()]
        pending += [each for each in self._queue if not isinstance(each, Gap)]
        holes = [each for each in self._queue if isinstance(each, Gap)]
        symbols = {symbol, *(each for each, _ in pending)}
        lost = 1 + sum(not slot.snapshot for _, slot in pending)
        gap = Gap(GapReason.SLOW_CONSUMER, tuple(sorted(symbols)), lost)
        for hole in holes:
            gap = _joined(gap, hole)
        self._slots.clear()
        self._queue.clear()
        self._note(gap)
        if self._refresh is not None:
            self._refresh(gap.symbols)

    def _note(self, gap: Gap) -> None:
        """Gaps go out before anything newer, so that those of one reason can be told as one."""
        for index, notice in enumerate(self._notices):
            if isinstance(notice, Gap) and notice.reason is gap.reason:
                self._notices[index] = _joined(notice, gap)
                return
        self._notices.append(gap)


def _joined(one: Gap, other: Gap) -> Gap:
    """Both holes as one, for the reason of the first."""
    lost = None if one.lost is None or other.lost is None else one.lost + other.lost
    return Gap(one.reason, tuple(sorted({*one.symbols, *other.symbols})), lost)
