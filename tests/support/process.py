"""A process in virtual time that may stall, be killed and outlive its own death notice: what SIGSTOP and kill -9 do.

All simulated processes share one loop. What belongs to a process is known by its context: every task that its code starts
is its own. While it is stopped, all that comes to it from outside (timers, answers, frames, results of the store) waits in
`_held` and reaches it on waking, in order; what it had sent before is on its way. A killed process never runs again, and
its ports take nothing from it any more. `ProcessClock` and `HeldStore` are its ports; the wire's are in wire.py.
"""

import asyncio
import inspect
from collections.abc import Callable
from contextvars import ContextVar, copy_context

from tests.support.simloop import SimClock

TICK_S = 1e-6  # no timer rings in the instant it is set: time goes on, as it does in the world
_OWNER: ContextVar["Process | None"] = ContextVar("owner", default=None)


def own_tasks(loop):
    """Makes the loop enter each new task with the process whose code started it."""
    loop.set_task_factory(_owned)


def _owned(loop, work, context=None):
    owner = _OWNER.get() if context is None else context.get(_OWNER)
    task = asyncio.Task(work, loop=loop, context=context)
    if owner is not None:
        owner.tasks[task] = None
        task.add_done_callback(owner.ended)
        if not owner.alive:
            task.cancel()
    return task


class Process:
    """One life of a program. `name` is for stories; `tasks` are those that have not ended."""

    def __init__(self, name, loop):
        self.name = name
        self.loop = loop
        self.alive = True
        self.stopped = False
        self.tasks = {}
        self._held = []
        self._last_words = []
        self._disturbed = 0.0
        self._context = copy_context()
        self._context.run(_OWNER.set, self)

    def __repr__(self):
        state = "dead" if not self.alive else "stopped" if self.stopped else "running"
        return f"<Process {self.name} {state}, {len(self.tasks)} tasks>"

    def run(self, work, name=None):
        """A task of this process."""
        return self.loop.create_task(work, name=name, context=self._context.copy())

    def ended(self, task):
        self.tasks.pop(task, None)

    def disturbed_since(self, then):
        """Whether it was stopped or dead at any moment since."""
        return self.stopped or not self.alive or self._disturbed >= then

    def at_death(self, act):
        """Calls `act` when the process is killed, as a peer hears of it; returns how to forget that."""
        self._last_words.append(act)
        return lambda: act in self._last_words and self._last_words.remove(act)

    # ---- what reaches it ----------------------------------------------------------------------------------------

    def deliver(self, act, *args):
        """Something from outside: now, on waking, or never."""
        if self.stopped:
            self._held.append((False, act, args))
        elif self.alive:
            act(*args)

    def ring(self, act, *args):
        """A timer of its own: as `deliver`, but apart, for who comes first on waking is the loop's choice."""
        if self.stopped:
            self._held.append((True, act, args))
        elif self.alive:
            act(*args)

    async def awake(self):
        """Goes on once the process runs."""
        while self.stopped:
            turn = self.loop.create_future()
            self._held.append((False, _wake, (turn,)))
            await turn
        self.demand_alive()

    def demand_alive(self):
        """A dead process does nothing: what its tasks try on the way out is stopped here."""
        if not self.alive:
            raise asyncio.CancelledError

    # ---- what happens to it -------------------------------------------------------------------------------------

    def stop(self):
        """SIGSTOP."""
        if self.alive:
            self.stopped = True

    def resume(self, *, timers_first=False):
        """SIGCONT: all that waited comes at once."""
        if not self.stopped:
            return
        self.stopped = False
        self._disturbed = self.loop.now
        held, self._held = self._held, []
        held.sort(key=lambda each: each[0] is not timers_first)
        for _, act, args in held:
            self.deliver(act, *args)

    def kill(self):
        """The end, as by kill -9: nothing of it runs on, nothing is tidied up."""
        if not self.alive:
            return
        self.alive = self.stopped = False
        self._held.clear()
        for task in tuple(self.tasks):
            task.cancel()
        words, self._last_words = self._last_words, []
        for act in words:
            act()


def _wake(turn, value=None):
    if not turn.done():
        turn.set_result(value)


class ProcessClock(SimClock):
    """Its clock; `skew_s` of the machine it runs on is asked for each time, so that a step is seen by all on it."""

    def __init__(self, process, machine):
        super().__init__()
        self._process = process
        self._loop = process.loop
        self._machine = machine

    def monotonic(self):
        return self._loop.now

    def wall_ns(self):
        return self.EPOCH_NS + round((self._loop.now + self._machine.skew_s) * 1e9)

    async def sleep(self, seconds):
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        turn = self._loop.create_future()
        timer = self._loop.call_later(seconds, self._process.ring, _wake, turn)
        try:
            await turn
        finally:
            timer.cancel()

    def timeout_at(self, by):
        return _Timeout(self._process, by)


class _Timeout:
    """As asyncio.timeout_at, with a timer that can be held back."""

    def __init__(self, process, by):
        self._process = process
        self._by = by
        self._timer = None
        self._task = None
        self._cancelling = 0
        self._expired = False

    async def __aenter__(self):
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling()
        if self._by is not None:
            loop = self._process.loop
            self._timer = loop.call_at(max(self._by, loop.now + TICK_S), self._process.ring, self._expire)
        return self

    async def __aexit__(self, kind, error, trace):
        if self._timer is not None:
            self._timer.cancel()
        task, self._task = self._task, None
        if self._expired and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _expire(self):
        if self._task is not None:
            self._expired = True
            self._task.cancel()


class HeldStore:
    """A store whose results and news reach the process only while it runs. What was asked before it stopped is done."""

    def __init__(self, store, process):
        self._store = store
        self._process = process

    def __repr__(self):
        return repr(self._store)

    def __getattr__(self, name):
        found = getattr(self._store, name)
        if not inspect.iscoroutinefunction(found):
            return found
        held = self._held(found)
        self.__dict__[name] = held
        return held

    def subscribe(self, listener: Callable):
        return self._store.subscribe(lambda entry: self._process.deliver(listener, entry))

    def _held(self, ask):
        process = self._process

        async def asked(*args, **named):
            process.demand_alive()
            try:
                return await ask(*args, **named)
            finally:
                if process.stopped:
                    await process.awake()

        return asked
