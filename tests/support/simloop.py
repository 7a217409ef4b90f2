"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

No sockets and no threads live under it. "Nothing is scheduled" is a reported deadlock, so a test that would hang fails at
once. `SimClock` and `SimTasks` are the ports' doubles that belong to it.
"""

import asyncio
from contextlib import suppress
from heapq import heappop, heappush

_SOON_S = 1e-9  # what is due within a nanosecond is due


class Deadlock(Exception):
    """Everything waits and nothing is scheduled."""


class SimLoop(asyncio.SelectorEventLoop):
    """Starts at second 0 of virtual time. Timers of one instant ring in the order they were set.

    It has a turn of its own, for a simulation of a million orders is made of little else: asyncio's asks a selector each
    time and compares timers in Python.
    """

    def __init__(self):
        self.now = 0.0
        self._timers = []
        self._set = 0
        super().__init__()

    def time(self):
        return self.now

    def call_later(self, delay, callback, *args, context=None):
        return self.call_at(self.now + delay, callback, *args, context=context)

    def call_at(self, when, callback, *args, context=None):
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        self._set += 1
        heappush(self._timers, (when, self._set, timer))
        return timer

    def _timer_handle_cancelled(self, handle):
        """A cancelled timer stays until its time and is passed over then."""

    def _run_once(self):
        ready, timers = self._ready, self._timers
        while timers and timers[0][2]._cancelled:
            heappop(timers)
        if not ready:
            if not timers:
                raise Deadlock("nothing is scheduled and nobody is ready")
            self.now = max(self.now, timers[0][0])
        due = self.now + _SOON_S
        while timers and timers[0][0] < due:
            timer = heappop(timers)[2]
            if not timer._cancelled:
                ready.append(timer)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._run()


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
