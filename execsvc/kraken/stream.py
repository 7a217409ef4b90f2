"""The loop around a session: dial, feed frames, send what is due, notice silence, back off, dial again, for ever.

A session is sans I/O (feed.py, executions.py); this is the only place that awaits for streams. Frames are read by whoever
iterates `events()`; a second task per connection sends and keeps the timers, so that no timer is set per frame.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from execsvc.domain.errors import Busy, Declined, ProtocolBroken
from execsvc.domain.market import LinkDown
from execsvc.ports import Clock, Entropy, Line, LineClosedError, NotSentError, Tasks, WsDialer

E = TypeVar("E")

DIAL_TIMEOUT_S = 10.0
SEND_TIMEOUT_S = 5.0
BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 10.0
STEADY_AFTER_S = 10.0
DIALS_FREE = 20  # per window and connection; Kraken bans an address at about 150 dials in ten minutes (kraken.md 5.1)
DIALS_WINDOW_S = 600.0
DIALS_SPACED_S = 30.0  # once the free ones are spent: a long outage ends at most this late


class Session(Protocol[E]):
    """One connection's protocol, without the connection."""

    ended: str

    def opened(self, now: float, wall_ns: int) -> list[E]:
        """The connection stands."""
        ...

    def receive(self, text: bytes, now: float, wall_ns: int) -> list[E]:
        """The events of one frame. Raises ProtocolBroken; sets `ended` when the link must be dropped."""
        ...

    def due(self, now: float, wall_ns: int) -> list[str]:
        """Texts to send now; sets `ended` on silence."""
        ...

    def next_timer(self, now: float) -> float:
        """When `due` should be asked again."""
        ...


class DialPlan:
    """When the next dial may be made. Pure: exponential with full jitter, spaced wide once a budget is spent."""

    def __init__(self) -> None:
        self._dials: deque[float] = deque(maxlen=DIALS_FREE)
        self._failures = 0

    def wait_s(self, now: float, chance: float) -> float:
        """Seconds to wait before dialling; `chance` is uniform below 1."""
        backoff_s = 0.0
        if self._failures:
            backoff_s = chance * min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(self._failures, 10))
        spent = len(self._dials) == DIALS_FREE and now - self._dials[0] < DIALS_WINDOW_S
        budget_s = self._dials[-1] + DIALS_SPACED_S - now if spent else 0.0
        return max(backoff_s, budget_s)

    def dialled(self, now: float) -> None:
        """A dial is made."""
        self._dials.append(now)

    def ended(self, lived_s: float) -> None:
        """The link is gone after so long; one that lived a while starts the backoff anew."""
        self._failures = 1 if lived_s >= STEADY_AFTER_S else self._failures + 1


class Stream(Generic[E]):
    """One connection that dials again by itself."""

    def __init__(
        self,
        *,
        name: str,
        url: str,
        dialer: WsDialer,
        clock: Clock,
        entropy: Entropy,
        tasks: Tasks,
        open_session: Callable[[], Awaitable[Session[E]]],
    ) -> None:
        self._name = name
        self._url = url
        self._dialer = dialer
        self._clock = clock
        self._chance = entropy.branch(name)
        self._tasks = tasks
        self._open_session = open_session
        self._wake = asyncio.Event()
        self._up = True  # so that a first dial that fails is told too

    def nudge(self) -> None:
        """The session may have something new to send."""
        self._wake.set()

    async def events(self) -> AsyncGenerator[E | LinkDown, None]:
        """Events in order, for ever. Close the iterator to end the connection."""
        plan = DialPlan()
        while True:
            await self._clock.sleep(plan.wait_s(self._clock.monotonic(), self._chance.uniform()))
            began = self._clock.monotonic()
            plan.dialled(began)
            try:
                session = await self._open_session()
                line = await self._dialer.dial(self._url, DIAL_TIMEOUT_S)
            except (NotSentError, Busy, Declined, ProtocolBroken) as failure:
                why = f"cannot connect: {failure}"
            else:
                connection = _Connection(session, line, self._clock, self._wake)
                opened = session.opened(self._clock.monotonic(), self._clock.wall_ns())
                tender = self._tasks.start(f"{self._name} tender", connection.tend())
                try:
                    for event in opened:
                        self._up = True
                        yield event
                    while not connection.lost:
                        for event in await connection.next():
                            self._up = True
                            yield event
                finally:
                    await connection.close()
                    await tender
                why = connection.why
            plan.ended(self._clock.monotonic() - began)
            if self._up:
                self._up = False
                yield LinkDown(why)


class _Connection(Generic[E]):
    """One line and its session."""

    def __init__(self, session: Session[E], line: Line, clock: Clock, wake: asyncio.Event) -> None:
        self._session = session
        self._line = line
        self._clock = clock
        self._wake = wake
        self._closing = False
        self.lost = False
        self.why = ""

    async def next(self) -> list[E]:
        """The events of the next frame; `lost` and `why` are set when there is none any more."""
        try:
            text = await self._line.receive()
            events = self._session.receive(text, self._clock.monotonic(), self._clock.wall_ns())
        except LineClosedError as failure:
            return self._end(self._session.ended or str(failure))
        except ProtocolBroken as failure:
            return self._end(failure.fault.message)
        if self._session.ended:
            self._end(self._session.ended)
        return events

    def _end(self, why: str) -> list[E]:
        self.lost = True
        self.why = why
        return []

    async def tend(self) -> None:
        """Sends what is due and closes the line when it is silent; ends with the line."""
        clock, session = self._clock, self._session
        with suppress(LineClosedError, TimeoutError):
            while not self._closing and not session.ended:
                self._wake.clear()
                for text in session.due(clock.monotonic(), clock.wall_ns()):
                    async with clock.timeout_at(clock.monotonic() + SEND_TIMEOUT_S):
                        await self._line.send(text)
                with suppress(TimeoutError):
                    async with clock.timeout_at(session.next_timer(clock.monotonic())):
                        await self._wake.wait()
        await self._line.close()

    async def close(self) -> None:
        """Ends both sides."""
        self._closing = True
        self._wake.set()
        await self._line.close()
