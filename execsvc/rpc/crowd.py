"""How many may be inside the door at once, whoever they are, and how long a peer may keep it waiting.

gRPC itself stops listening to everybody when its own bound is reached, and waits for ever for a request that was announced
and never comes. So both are bounded here, below gRPC's bound, and refused in words. One caller's share is quotas.py's.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import TypeVar

from execsvc.domain.errors import ExecsvcError, Fault, Reason, error_of
from execsvc.ports import Clock
from execsvc.rpc.bounds import ARRIVING_MOST, ARRIVING_S, CALLS_MOST, CANCELS_MOST, STREAMS_MOST
from execsvc.rpc.permits import Permit
from execsvc.rpc.quotas import Room, room_of

LOOK_EVERY_S = 1.0
AGAIN_S = 0.5
_MOST = {Room.STREAMS: STREAMS_MOST, Room.CALLS: CALLS_MOST, Room.CANCELS: CANCELS_MOST}

T = TypeVar("T")


class OutOfPatienceError(Exception):
    """The peer took too long, or (`crowded`) too many waited and it had waited longest."""

    def __init__(self, *, crowded: bool) -> None:
        super().__init__("too many wait" if crowded else "too late")
        self.crowded = crowded


class Patience:
    """Waits for peers: at most so many at once and so long each.

    Where one more would be too many, the longest wait ends of the peer that has most of them: a flood ends its own.
    """

    def __init__(self, clock: Clock, *, most: int, within_s: float) -> None:
        self._clock = clock
        self._most = most
        self._within_s = within_s
        self._since: dict[str, dict[asyncio.Task[object], float]] = {}  # by peer, the longest first
        self._count = 0
        self._struck: dict[asyncio.Task[object], bool] = {}  # whether for the crowd

    def __repr__(self) -> str:
        return f"<Patience {self._count} of {self._most} wait>"

    def __len__(self) -> int:
        return self._count

    async def wait(self, what: Awaitable[T], *, peer: str) -> T:
        """What it gives. Raises OutOfPatienceError; a caller that hangs up at the same moment wins."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("only a task can be kept waiting")
        if self._count >= self._most:
            most = max(self._since, key=lambda each: len(self._since[each]))
            self._strike(most, next(iter(self._since[most])), crowded=True)
        self._since.setdefault(peer, {})[task] = self._clock.monotonic()
        self._count += 1
        cancelled_before = task.cancelling()
        try:
            return await what
        except asyncio.CancelledError:
            if task in self._struck and task.uncancel() <= cancelled_before:
                raise OutOfPatienceError(crowded=self._struck[task]) from None
            raise
        finally:
            self._over(peer, task)
            self._struck.pop(task, None)

    def look(self) -> None:
        """Ends what has waited too long."""
        begun_by = self._clock.monotonic() - self._within_s
        for peer in list(self._since):
            for task, since in list(self._since[peer].items()):
                if since > begun_by:
                    break  # the rest of this peer's began later
                self._strike(peer, task, crowded=False)

    def _strike(self, peer: str, task: "asyncio.Task[object]", *, crowded: bool) -> None:
        self._over(peer, task)
        self._struck[task] = crowded
        task.cancel()

    def _over(self, peer: str, task: "asyncio.Task[object]") -> None:
        theirs = self._since.get(peer, {})
        if theirs.pop(task, None) is not None:
            self._count -= 1
            if not theirs:
                del self._since[peer]


class Crowd:
    """Everybody inside. `arriving`: calls whose request has not come yet."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._inside: Counter[Room] = Counter()
        self.arriving = Patience(clock, most=ARRIVING_MOST, within_s=ARRIVING_S)

    def __repr__(self) -> str:
        return f"<Crowd {dict(self._inside)}, arriving {self.arriving!r}>"

    async def watch(self) -> None:
        """Looks for ever at who keeps the door waiting."""
        while True:
            self.arriving.look()
            await self._clock.sleep(LOOK_EVERY_S)

    def enter(self, permit: Permit) -> Room:
        """Takes a place, which `leave` gives back. Raises CALLER_QUOTA or TOO_MANY_STREAMS when all of its kind are taken."""
        room = room_of(permit)
        if self._inside[room] >= _MOST[room]:
            raise _full(permit, room)
        self._inside[room] += 1
        return room

    def inside(self, room: Room) -> int:
        """How many there are."""
        return self._inside[room]

    def leave(self, room: Room) -> None:
        """Gives a place back."""
        self._inside[room] -= 1


def crowded_out(permit: Permit | None) -> ExecsvcError:
    """What one is told whose request was still on its way when too many others were."""
    told = {"id_used": "false"} if permit is not None and permit.places else {}
    words = "this server waits for too many requests that do not come; nothing was done, ask again"
    return error_of(Fault(Reason.CALLER_QUOTA, words, told, retry_after_s=AGAIN_S))


def _full(permit: Permit, room: Room) -> ExecsvcError:
    told = {"id_used": "false"} if permit.places else {}
    if room is Room.STREAMS:
        return error_of(Fault(Reason.TOO_MANY_STREAMS, f"this server has all of its {_MOST[room]} streams open", told))
    words = f"this server has {_MOST[room]} {room.value} in flight already, of all callers together; nothing was done"
    return error_of(Fault(Reason.CALLER_QUOTA, words, told, retry_after_s=AGAIN_S))
