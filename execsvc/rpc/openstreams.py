"""The streams that are open now, of all callers: who may not have them any more is shown out, an administrator sees them.

A token that is revoked, narrowed or over ends its streams within a second, idle or not: the callers' revision and the next
end of a token are looked at on a clock, so that a message costs nothing. A reader that does not read gets nothing meanwhile
and is ended with its next message. What a stream carries is streams.py's.
"""

import asyncio
from dataclasses import dataclass, field

from execsvc.domain.errors import Busy, ExecsvcError
from execsvc.ports import Clock
from execsvc.rpc.admit import Visit, still_admitted
from execsvc.rpc.call import Call
from execsvc.rpc.callers import Callers
from execsvc.rpc.permits import PACKAGE
from execsvc.telemetry import Telemetry

WATCH_S = 0.2
AT_ONCE = 256  # judged in one go; others have their turn in between
_NEVER = float("inf")  # seconds: later than any end


@dataclass
class OpenStream:
    """One of them. `end`: why it may not go on; `waiting`: its task is waiting for news and may be woken."""

    visit: Visit
    call: Call
    task: asyncio.Task[object]
    open_ns: int
    expires_ns: float
    waiting: bool = False
    end: ExecsvcError | None = field(default=None, repr=False)

    def strike(self, why: ExecsvcError) -> None:
        """It ends with this: now where it waits, else with its next message."""
        if self.end is None:
            self.end = why
            if self.waiting:
                self.task.cancel()

    def was_struck(self, cancelled_before: int) -> bool:
        """Whether the cancellation just caught was that of `strike` alone; a caller that hung up at the same moment wins."""
        return self.end is not None and self.task.uncancel() <= cancelled_before


class OpenStreams:
    """All of them; one for the whole gate."""

    def __init__(self, callers: Callers, clock: Clock, telemetry: Telemetry) -> None:
        self._callers = callers
        self._clock = clock
        self._telemetry = telemetry
        self._open: dict[str, OpenStream] = {}
        self._revision = callers.revision
        self._next_end_ns = _NEVER
        self._unsure = False  # of somebody it could not be told: looked at again

    def __repr__(self) -> str:
        return f"<OpenStreams {len(self._open)}>"

    def __len__(self) -> int:
        return len(self._open)

    def enter(self, visit: Visit, call: Call) -> OpenStream:
        """From now on it is looked after; call `leave` however it ends."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a stream is opened within a task")
        opened = OpenStream(visit, call, task, self._clock.wall_ns(), _end_ns(call.who.expires_ns))
        self._open[call.stream_id] = opened
        self._next_end_ns = min(self._next_end_ns, opened.expires_ns)
        self._telemetry.subscribers.add(1, _labels(visit))
        return opened

    def leave(self, opened: OpenStream) -> None:
        """It has ended."""
        del self._open[opened.call.stream_id]
        self._telemetry.subscribers.add(-1, _labels(opened.visit))

    def all(self) -> tuple[OpenStream, ...]:
        """The longest open first."""
        return tuple(self._open.values())

    async def watch(self) -> None:
        """Looks for ever."""
        while True:
            await self._clock.sleep(WATCH_S)
            await self.look()

    async def look(self) -> None:
        """Judges all of them anew where callers have changed or a token has come to its end."""
        revision = self._callers.revision
        if revision == self._revision and self._clock.wall_ns() < self._next_end_ns and not self._unsure:
            return
        self._revision, self._unsure = revision, False
        judged = self.all()
        for index, opened in enumerate(judged):
            if index and index % AT_ONCE == 0:
                await self._clock.sleep(0)
            self._judge(opened)
        self._next_end_ns = min((each.expires_ns for each in self._open.values() if each.end is None), default=_NEVER)

    def _judge(self, opened: OpenStream) -> None:
        try:
            who = still_admitted(self._callers, opened.visit, opened.call)
        except Busy:
            self._unsure = True
        except ExecsvcError as refused:
            opened.strike(refused)
        else:
            opened.expires_ns = _end_ns(who.expires_ns)


def _end_ns(expires_ns: int | None) -> float:
    return _NEVER if expires_ns is None else expires_ns


def _labels(visit: Visit) -> dict[str, str]:
    return {"rpc.method": visit.method.removeprefix(f"{PACKAGE}.")}
