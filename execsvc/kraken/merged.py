"""Equal reads at one time are one call: whoever asks while an answer is on its way shares it.

A shared call runs in the time of whoever began it. When that was too short for somebody who joined, the one who joined
asks anew. Nothing is kept beyond the answer: this is no cache.
"""

from collections.abc import Awaitable, Callable, Coroutine, Hashable
from typing import Any, TypeVar

from execsvc.domain.errors import Busy, ExecsvcError, error_of
from execsvc.kraken.endpoints import Effect
from execsvc.kraken.retry import timed_out
from execsvc.ports import Clock, Tasks

T = TypeVar("T")

TRIES_MAX = 3


class Merged:
    """The reads under way."""

    def __init__(self, clock: Clock, tasks: Tasks) -> None:
        self._clock = clock
        self._tasks = tasks
        self._under_way: dict[Hashable, tuple[float, Awaitable[Any]]] = {}

    def __repr__(self) -> str:
        return f"<Merged {len(self._under_way)} under way>"

    async def read(self, key: Hashable, by: float, call: Callable[[float], Coroutine[Any, Any, T]]) -> T:
        """`call(by)`, or what an equal one under way answers. Raises what the call raises, READ_TIMEOUT at `by`."""
        for _ in range(TRIES_MAX):
            joined = self._under_way.get(key)
            if joined is None:
                joined = self._under_way[key] = (by, self._tasks.start("a shared read", self._run(key, call, by)))
            until, answer = joined
            try:
                async with self._clock.timeout_at(by):
                    outcome: T | ExecsvcError = await answer
            except TimeoutError:
                raise error_of(timed_out(Effect.READ)) from None
            if not isinstance(outcome, ExecsvcError):
                return outcome
            if not isinstance(outcome, Busy) or until >= by or self._clock.monotonic() >= by:
                raise error_of(outcome.fault)  # each who shares it gets an error of its own
        return await call(by)

    async def _run(
        self, key: Hashable, call: Callable[[float], Coroutine[Any, Any, T]], by: float
    ) -> "T | ExecsvcError":
        """A failure is a value here: when all who asked have gone, nobody needs to hear of it."""
        try:
            return await call(by)
        except ExecsvcError as failure:
            return failure
        finally:
            self._under_way.pop(key, None)
