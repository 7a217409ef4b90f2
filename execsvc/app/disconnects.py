"""Cancel on disconnect: when a stream or session that asked for it is lost and none like it comes back in time.

A stream that this server ends by itself, for a planned stop, is no loss of the caller's; a server that dies cannot act, for
which there is the dead man's switch (app/deadman.py).
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from execsvc.domain.errors import Busy, ExecsvcError, Reason
from execsvc.ports import Clock, Tasks

GRACE_S = 2.0
TRIES = 30
AGAIN_S = 1.0


class Disconnects:
    """Who is attached, by a name that a caller's next stream has again."""

    def __init__(self, clock: Clock, tasks: Tasks, alarm: Callable[[str], None], *, grace_s: float = GRACE_S) -> None:
        self._clock = clock
        self._tasks = tasks
        self._alarm = alarm
        self._grace_s = grace_s
        self._attached: Counter[str] = Counter()
        self._losses: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Disconnects {self._attached.total()} attached>"

    @contextmanager
    def attached(self, name: str, lost: Callable[[], Awaitable[object]]) -> Iterator[None]:
        """For the length of a stream; `lost` is run when it was the last of its name and none follows within the grace."""
        self._attached[name] += 1
        planned = False
        try:
            yield
        except ExecsvcError as end:
            planned = end.reason is Reason.SHUTTING_DOWN
            raise
        finally:
            self._attached[name] -= 1
            if not self._attached[name]:
                del self._attached[name]
                if not planned:
                    self._losses[name] += 1
                    self._tasks.start(f"cancel on disconnect of {name}", self._after_grace(name, lost))

    async def _after_grace(self, name: str, lost: Callable[[], Awaitable[object]]) -> None:
        """A loss whose orders are being cancelled is past: what is placed meanwhile goes with the next one."""
        try:
            await self._clock.sleep(self._grace_s)
        finally:
            self._losses[name] -= 1
            if not self._losses[name]:
                del self._losses[name]
        if name in self._attached or name in self._losses:
            return  # it is back, or was lost once more since, which counts from then
        await self._carried_out(name, lost)

    async def _carried_out(self, name: str, lost: Callable[[], Awaitable[object]]) -> None:
        for _ in range(TRIES):
            try:
                await lost()
            except Busy as failure:
                why = failure.fault.message
                await self._clock.sleep(AGAIN_S)
            else:
                return
        self._alarm(f"orders of {name}, whose stream was lost, could not be cancelled: {why}")
