"""Work the server owns, behind ports.Tasks, and the loops that must not die.

`start` keeps a strong reference, so the work outlives a caller that hangs up. `supervise` runs a loop for ever: what
escapes is restarted after a jittered pause, and too many restarts, or a broken rule of the house, end the service loudly.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from execsvc.domain.errors import Broken
from execsvc.ports import Clock, Entropy

T = TypeVar("T")

PAUSE_LEAST_S = 0.1
PAUSE_MOST_S = 5.0
RESTARTS_MAX = 10
RESTARTS_WINDOW_S = 60.0
CLOSE_S = 5.0

Told = Callable[[str, BaseException], None]


class _Handle(Awaitable[T], Generic[T]):
    """Awaiting it waits for the work without owning it: a cancelled waiter leaves the work running."""

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiters = 0

    def __await__(self) -> Generator[Any, None, T]:
        self.waiters += 1
        try:
            return (yield from asyncio.shield(self.task).__await__())
        finally:
            self.waiters -= 1


class Supervisor:
    """Owner of tasks. `on_failure` hears what nobody waits for, `on_fatal` what must end the service."""

    def __init__(self, clock: Clock, entropy: Entropy, *, on_failure: Told, on_fatal: Told) -> None:
        self._clock = clock
        self._chance = entropy.branch("tasks")
        self._on_failure = on_failure
        self._on_fatal = on_fatal
        self._owned: set[_Handle[Any]] = set()
        self._loops: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Supervisor {len(self._owned)} tasks, {len(self._loops)} loops>"

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Runs `work` now; the handle may be awaited, or not."""
        handle = _Handle(asyncio.get_running_loop().create_task(work, name=name))
        self._owned.add(handle)
        handle.task.add_done_callback(lambda _: self._ended(handle))
        return handle

    def supervise(self, name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs the loop `factory()` makes, for ever; a loop that ends or fails is made anew."""
        task = asyncio.get_running_loop().create_task(self._keep(name, factory), name=name)
        self._loops.add(task)
        task.add_done_callback(self._loops.discard)

    async def wait_idle(self, timeout_s: float) -> bool:
        """Waits until nothing that `start` began is left; False when time ran out. Loops do not count."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while self._owned:
                    await asyncio.wait([handle.task for handle in self._owned])
        return not self._owned

    async def close(self) -> None:
        """Cancels loops and tasks and waits for them, a few seconds at most; nothing started here is left behind."""
        left = [*self._loops, *(handle.task for handle in self._owned)]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=CLOSE_S)

    def _ended(self, handle: _Handle[Any]) -> None:
        self._owned.discard(handle)
        if handle.task.cancelled():
            return
        failure = handle.task.exception()
        if failure is None:
            return
        if isinstance(failure, Broken):
            self._on_fatal(handle.task.get_name(), failure)
        elif not handle.waiters:
            self._on_failure(handle.task.get_name(), failure)

    async def _keep(self, name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> None:
        ends: deque[float] = deque(maxlen=RESTARTS_MAX)
        while True:
            failure = await self._run_once(name, factory)
            now = self._clock.monotonic()
            ends.append(now)
            worn_out = len(ends) == RESTARTS_MAX and now - ends[0] < RESTARTS_WINDOW_S
            if worn_out or isinstance(failure, Broken):
                self._on_fatal(name, failure)
                return
            self._on_failure(name, failure)
            ceiling_s = min(PAUSE_MOST_S, PAUSE_LEAST_S * 2 ** len(ends))
            await self._clock.sleep(PAUSE_LEAST_S + self._chance.uniform() * ceiling_s)

    async def _run_once(self, name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> Exception:
        try:
            await factory()
        except Exception as failure:  # noqa: BLE001  the supervisor is where a loop's death is caught and told
            return failure
        return RuntimeError(f"the loop {name} ended although it must not")
