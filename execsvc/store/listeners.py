"""Who wants to hear what was committed. Lives in the loop; each listener is called by the loop itself, in order.

A listener that fails fails alone: the loop reports its error, and neither the others nor the waiting writers notice.
"""

import asyncio
from collections.abc import Callable, Iterable
from itertools import count

from execsvc.ports import JournalEntry

Listener = Callable[[JournalEntry], None]


class Listeners:
    """The subscriptions of one store."""

    def __init__(self) -> None:
        self._numbers = count()
        self._listeners: dict[int, Listener] = {}

    def add(self, listener: Listener) -> Callable[[], None]:
        """Starts a subscription; the result ends it at once, even for what is already on its way."""
        number = next(self._numbers)
        self._listeners[number] = listener

        def stop() -> None:
            self._listeners.pop(number, None)

        return stop

    def publish(self, entries: Iterable[JournalEntry]) -> None:
        """Schedules every listener for every entry; entries come in the order of their commits."""
        loop = asyncio.get_running_loop()
        for entry in entries:
            for number in self._listeners:
                loop.call_soon(self._hand, number, entry)

    def _hand(self, number: int, entry: JournalEntry) -> None:
        listener = self._listeners.get(number)
        if listener is not None:
            listener(entry)
