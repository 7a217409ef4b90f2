"""Answers that were given and not taken, by caller: what a reader that keeps its window shut makes us hold.

gRPC holds a call until its answer has left, and a caller decides when that is; at its bound gRPC stops listening to all.
So a caller that has too many answers waiting is refused before it gets another, and the refusal always leaves: a status has
no message that a window could hold back. It sits around the recognising of callers, which comes before everything else.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial

from execsvc.domain.caller import Caller
from execsvc.domain.errors import Reason, refuse
from execsvc.rpc.bounds import UNTAKEN_BYTES, UNTAKEN_MOST
from execsvc.rpc.callers import Callers

AGAIN_S = 1.0
_CALLER: ContextVar[str] = ContextVar("caller", default="")


class Untaken:
    """Callers as `callers` recognises them, as long as they take their answers."""

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._held: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"<Untaken {self._held.total()} answers>"

    @property
    def revision(self) -> int:
        """Theirs."""
        return self._callers.revision

    @property
    def problems(self) -> tuple[str, ...]:
        """Theirs."""
        return self._callers.problems

    def knows(self, caller: str) -> bool:
        """As they do."""
        return self._callers.knows(caller)

    def describe(self) -> str:
        """As they do."""
        return self._callers.describe()

    def recognise(self, meta: Mapping[str, str], peer: str, names: tuple[str, ...] = ()) -> Caller:
        """Raises TOKEN_INVALID as they do, and CALLER_QUOTA for one who does not take what it asked for."""
        who = self._callers.recognise(meta, peer, names)
        if self._held[who.name] >= UNTAKEN_MOST:
            raise refuse(
                Reason.CALLER_QUOTA,
                f"{who.name!r} has {self._held[who.name]} answers waiting that it does not read; nothing was done",
                retry_after_s=AGAIN_S,
                id_used="false",
            )
        _CALLER.set(who.name)
        return who

    def held(self, caller: str) -> int:
        """How many answers wait for that caller, long ones counted as many."""
        return self._held[caller]

    def given(self, size: int) -> None:
        """This call's task has an answer of so many bytes to send, and ends when it was taken. A long one counts as many."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("an answer is given in the task of its call")
        name, weight = _CALLER.get(), 1 + size // UNTAKEN_BYTES
        self._held[name] += weight
        task.add_done_callback(partial(self._taken, name, weight))

    def _taken(self, name: str, weight: int, _: "asyncio.Task[object]") -> None:
        self._held[name] -= weight
        if not self._held[name]:
            del self._held[name]
