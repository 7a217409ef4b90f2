"""From the event loop to one thread and back: a bounded queue of work, and answers that come as futures.

A caller that is cancelled abandons its future, never the work. The thread takes whatever is queued, up to a limit, and
hands it to its owner in one piece; what the pieces mean is the owner's business (writer.py, sqlite.py).
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from execsvc.domain.errors import ExecsvcError
from execsvc.store.refusals import unavailable

T = TypeVar("T")
Work = TypeVar("Work")


@dataclass(frozen=True, eq=False)
class Ticket(Generic[Work]):
    """One piece of work and the future its caller waits on."""

    work: Work
    answer: "asyncio.Future[Any]"

    def settle(self, outcome: "Outcome") -> None:
        """Answers, in the loop. An abandoned or already answered future is left alone."""
        if self.answer.done():
            return
        if outcome.error is None:
            self.answer.set_result(outcome.value)
        else:
            self.answer.set_exception(outcome.error)


@dataclass(frozen=True)
class Outcome:
    """What became of a piece of work: a value, or the error to raise."""

    value: Any = None
    error: ExecsvcError | None = None

    @classmethod
    def of(cls, run: Callable[[], Any]) -> "Outcome":
        """Runs it. Only an error of ours is an outcome; anything else is a defect, or the engine's to map."""
        try:
            return cls(run())
        except ExecsvcError as error:
            return cls(error=error)


class Inbox(Generic[T]):
    """A bounded queue with one reader; putting never waits."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._open = True

    def put(self, item: T) -> bool:
        """False when it is full or shut."""
        with self._changed:
            if not self._open or len(self._items) >= self._size:
                return False
            self._items.append(item)
            self._changed.notify()
            return True

    def take(self, most: int) -> list[T]:
        """Waits for something, then takes what is there. Empty: shut, and nothing is left."""
        with self._changed:
            while self._open and not self._items:
                self._changed.wait()
            return [self._items.popleft() for _ in range(min(most, len(self._items)))]

    def shut(self) -> None:
        """Nothing more gets in; what is in can still be taken."""
        with self._changed:
            self._open = False
            self._changed.notify()


class Bridge(Generic[Work]):
    """A thread with an inbox. `serve` runs in it and gets the tickets taken at once; it answers through `tell`."""

    def __init__(self, name: str, size: int, most: int, serve: Callable[[list[Ticket[Work]]], None]) -> None:
        self._name = name
        self._most = most
        self._serve = serve
        self._inbox: Inbox[Ticket[Work]] = Inbox(size)
        self._loop = asyncio.get_running_loop()
        self._stopped = ""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def stopped(self) -> str:
        """Why nothing more is taken; empty while the thread works."""
        return self._stopped

    def ask(self, work: Work) -> "asyncio.Future[Any]":
        """Queues a piece of work. Raises Busy(STORE_UNAVAILABLE) when the queue is full or the thread has ended."""
        ticket = Ticket(work, self._loop.create_future())
        if not self._inbox.put(ticket):
            if self._stopped:
                raise unavailable(self._stopped)
            raise unavailable(f"the queue of its {self._name} is full", retry_after_s=0.1)
        return ticket.answer

    def tell(self, report: Callable[[], None]) -> None:
        """Runs `report` in the loop, in the order told."""
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(report)

    def shut(self) -> None:
        """Takes no more; what is queued is still done."""
        self._stopped = self._stopped or "it is closed"
        self._inbox.shut()

    def join(self) -> None:
        """Blocks until the thread has done what was queued."""
        self._thread.join()

    def _run(self) -> None:
        held: list[Ticket[Work]] = []
        try:
            while held := self._inbox.take(self._most):
                self._serve(held)
        finally:
            if held:
                self._abandon(held)

    def _abandon(self, held: Sequence[Ticket[Work]]) -> None:
        """A defect of ours ended the thread, and the interpreter says so aloud: at least nobody waits for ever."""
        self._stopped = f"its {self._name} has ended by a defect: restart the service"
        self._inbox.shut()
        while held:
            tickets = held
            self.tell(lambda tickets=tickets: _fail(tickets, self._stopped))  # type: ignore[misc]  # bound now, not later
            held = self._inbox.take(self._most)


def _fail(tickets: Sequence[Ticket[Any]], why: str) -> None:
    for ticket in tickets:
        ticket.settle(Outcome(error=unavailable(why)))
