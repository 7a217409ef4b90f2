"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

No sockets and no threads live under it. "Nothing is scheduled" is a reported deadlock, so a test that would hang fails at
once. `SimClock` and `SimTasks` are the ports' doubles that belong to it.
"""

import asyncio
import selectors
from contextlib import suppress


class Deadlock(Exception):
    """Everything waits and nothing is scheduled."""


class _Jump(selectors.SelectSelector):
    def __init__(self, loop):
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        if timeout is None:
            raise Deadlock("nothing is scheduled and nobody is ready")
        self._loop.now += max(timeout, 0)
        return []


class SimLoop(asyncio.SelectorEventLoop):
    """Starts at second 0 of virtual time."""

    def __init__(self):
        self.now = 0.0
        super().__init__(_Jump(self))

    def time(self):
        return self.now


class SimClock:
    """Reads the running SimLoop; wall time is a fixed epoch plus virtual seconds, plus `skew_s` where a test steps it."""

    EPOCH_NS = 1_790_000_000 * 10**9

    def __init__(self):
        self.skew_s = 0.0

    def monotonic(self):
        return asyncio.get_running_loop().time()

    def wall_ns(self):
        return self.EPOCH_NS + round((self.monotonic() + self.skew_s) * 1e9)

    async def sleep(self, seconds):
        await asyncio.sleep(max(seconds, 0))

    def timeout_at(self, by):
        return asyncio.timeout_at(by)


class SimHandle:
    """Awaits the work without owning it."""

    def __init__(self, task):
        self.task = task
        self.waiters = 0

    def __await__(self):
        self.waiters += 1
        try:
            return (yield from asyncio.shield(self.task).__await__())
        finally:
            self.waiters -= 1


class SimTasks:
    """Owned work: shielded from whoever awaits it; failures that nobody waited for are kept for the test to see."""

    def __init__(self):
        self.running = set()
        self.failures = []

    def start(self, name, work):
        task = asyncio.ensure_future(work)
        task.set_name(name)
        handle = SimHandle(task)
        self.running.add(task)
        task.add_done_callback(lambda _: self._ended(handle))
        return handle

    def supervise(self, name, factory):
        self.start(name, factory())

    def _ended(self, handle):
        task = handle.task
        self.running.discard(task)
        if not task.cancelled() and task.exception() is not None and not handle.waiters:
            self.failures.append(task.exception())

    async def close(self):
        for task in tuple(self.running):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


def run_sim(main):
    """Runs `main` (a coroutine) to its end in virtual time."""
    with asyncio.Runner(loop_factory=SimLoop) as runner:
        return runner.run(main)
