"""The end of service, in one object: whoever waits for news waits inside `interruptible`, and the drain ends the wait.

Works like a timeout scope: the waiting task is cancelled, and the scope turns that cancellation, and only that one, into
SHUTTING_DOWN. A caller that hangs up at the same moment wins. Without it a stream would be seen to end by the server's
grace period alone.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from execsvc.domain.errors import Fault, Reason, error_of

RECONNECT_AFTER_S = 0.5
SHUTTING_DOWN = Fault(
    Reason.SHUTTING_DOWN,
    "the server is shutting down; nothing was sent, connect again",
    retry_after_s=RECONNECT_AFTER_S,
)


class Drain:
    """`refusing`: no new orders or streams. `ending`: open streams end too."""

    def __init__(self) -> None:
        self.refusing = False
        self.ending = False
        self._waiting: set[asyncio.Task[object]] = set()
        self._struck: set[asyncio.Task[object]] = set()

    def __repr__(self) -> str:
        state = "ending" if self.ending else "refusing" if self.refusing else "open"
        return f"<Drain {state}, {len(self._waiting)} waiting>"

    def refuse(self) -> None:
        """From now on nothing new begins."""
        self.refusing = True

    def end(self) -> None:
        """Wakes everybody who waits; from now on every wait ends at once."""
        self.refusing = self.ending = True
        for task in tuple(self._waiting):
            self._struck.add(task)
            task.cancel()

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Raises SHUTTING_DOWN when the drain ends the wait inside, or has ended already."""
        if self.ending:
            raise error_of(SHUTTING_DOWN)
        task = asyncio.current_task()
        if task is None or task in self._waiting:
            raise RuntimeError("interruptible() stands once around one await of a task")
        cancelled_before = task.cancelling()
        self._waiting.add(task)
        try:
            yield
        except asyncio.CancelledError:
            if task in self._struck and task.uncancel() <= cancelled_before:
                raise error_of(SHUTTING_DOWN) from None
            raise
        finally:
            self._waiting.discard(task)
            self._struck.discard(task)
