"""One lane per key: what is signed goes out one at a time, in the order of its nonces (promises.md section 5).

Cancels first, then trades, resolving, reads; first come, first served within a class; a resolve step that waited a second
goes before trades, or a flood of orders would keep doubts open, and the steps of one look wait that second once. A call that
gets no answer holds the lane for its patience only; then the next one overtakes it over another connection, and the late
one's nonce is dead. `LaneQueue` decides
purely; `Lane` carries it out. Nonces and signatures are taken by whoever holds the lane (rest.py).
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.kraken.endpoints import Effect, Rank
from execsvc.kraken.retry import timed_out
from execsvc.ports import Clock, LaneState

DEPTH_MAX = 256  # of a class: a flood of reads never takes a cancel's place
AGEING_S = 1.0
PATIENCE_S = 2.0
PATIENCE_BEFORE_CANCEL_S = 0.5


@dataclass(eq=False)
class Ticket:
    """One call's place: waiting, then holding."""

    rank: Rank
    since: float
    granted: bool = False
    overtaken: bool = False  # its patience ran out: a later nonce may have arrived before its own
    turn: "asyncio.Future[None] | None" = None


class LaneQueue:
    """Who waits, and who goes next. Pure: no clock, no future."""

    def __init__(self, *, depth_max: int = DEPTH_MAX, ageing_s: float = AGEING_S) -> None:
        self._waiting: dict[Rank, deque[Ticket]] = {rank: deque() for rank in Rank}
        self._depth_max = depth_max
        self._ageing_s = ageing_s

    def __repr__(self) -> str:
        return f"<LaneQueue {' '.join(f'{rank.name.lower()}={len(self._waiting[rank])}' for rank in Rank)}>"

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def __iter__(self) -> Iterator[Ticket]:
        return (ticket for rank in Rank for ticket in tuple(self._waiting[rank]))

    def depth(self, rank: Rank) -> int:
        """How many wait in the class."""
        return len(self._waiting[rank])

    def full(self, rank: Rank) -> bool:
        """Whether the class takes no more."""
        return len(self._waiting[rank]) >= self._depth_max

    def push(self, ticket: Ticket) -> None:
        """Last in its class."""
        self._waiting[ticket.rank].append(ticket)

    def remove(self, ticket: Ticket) -> None:
        """Forgets one that waits; no error when it does not."""
        with suppress(ValueError):
            self._waiting[ticket.rank].remove(ticket)

    def pick(self, now: float) -> Ticket | None:
        """Who goes next; it stays in the queue until removed."""
        resolving = self._waiting[Rank.RESOLVE]
        aged = any(now - ticket.since >= self._ageing_s for ticket in resolving)
        order = (Rank.CANCEL, Rank.RESOLVE, Rank.TRADE, Rank.READ) if aged else tuple(Rank)
        return next((self._waiting[rank][0] for rank in order if self._waiting[rank]), None)


class Lane:
    """The lane of one key. `async with`-free on purpose: enter, then leave in `finally`."""

    def __init__(self, key_label: str, clock: Clock, *, patience_s: float = PATIENCE_S) -> None:
        self.key_label = key_label
        self._clock = clock
        self._patience_s = patience_s
        self._queue = LaneQueue()
        self._holder: Ticket | None = None
        self._held_since = 0.0
        self._held_s = 0.05  # how long a turn took of late
        self._blocked: tuple[float, int, Fault] | None = None
        self._stopped: Fault | None = None

    def __repr__(self) -> str:
        state = "stopped" if self._stopped else "busy" if self._holder else "free"
        return f"<Lane of {self.key_label} {state} {self._queue!r}>"

    def states(self) -> tuple[LaneState, ...]:
        """One row per class."""
        until_ns = self._blocked[1] if self._blocked is not None and self._still_blocked() else None
        return tuple(
            LaneState(self.key_label, rank.name.lower(), self._queue.depth(rank), until_ns, self._stopped is not None)
            for rank in Rank
        )

    def depth(self) -> int:
        """How many wait in all classes."""
        return len(self._queue)

    def stop(self, fault: Fault) -> None:
        """No call goes out any more: every one is told `fault`, until an operator starts the service anew."""
        self._stopped = fault
        self._wake_all()

    def block(self, seconds: float, fault: Fault) -> None:
        """No call goes out for so long."""
        until_ns = self._clock.wall_ns() + int(seconds * 1e9)
        self._blocked = (self._clock.monotonic() + seconds, until_ns, fault)
        self._wake_all()

    @contextmanager
    def holding(self, ticket: Ticket) -> Iterator[None]:
        """The turn, for the length of the block."""
        try:
            yield
        finally:
            self._leave(ticket)

    async def enter(self, rank: Rank, effect: Effect, by: float, *, since: float | None = None) -> Ticket:
        """Waits for a turn. Raises Busy: LOCAL_RATE_LIMITED when full, a timeout at `by`; or why the lane is closed.

        `since`: the call is a step of something that has waited longer; ageing counts from there.
        """
        self._raise_if_closed()
        now = self._clock.monotonic()
        ticket = Ticket(rank, now if since is None else since)
        if now >= by:
            raise error_of(timed_out(effect))
        if self._holder is None and not len(self._queue):
            self._grant(ticket)
            return ticket
        if self._queue.full(rank):
            raise error_of(self._too_many(rank))
        self._queue.push(ticket)
        try:
            await self._until_granted(ticket, effect, by)
        except BaseException:
            if ticket.granted:
                self._leave(ticket)
            self._queue.remove(ticket)
            raise
        return ticket

    async def _until_granted(self, ticket: Ticket, effect: Effect, by: float) -> None:
        while not ticket.granted:
            turn = ticket.turn = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with self._clock.timeout_at(min(by, self._overtakes_at(ticket))):
                    await turn
            self._raise_if_closed()
            now = self._clock.monotonic()
            if not ticket.granted and now >= by:
                raise error_of(timed_out(effect))
            if not ticket.granted and now >= self._overtakes_at(ticket):
                if self._holder is not None:
                    self._holder.overtaken = True
                self._grant_next(now)  # the holder's patience is over, whoever is next

    def _overtakes_at(self, ticket: Ticket) -> float:
        patience_s = self._patience_s
        if ticket.rank is Rank.CANCEL:
            patience_s = min(patience_s, PATIENCE_BEFORE_CANCEL_S)
        return self._held_since + patience_s

    def _grant(self, ticket: Ticket) -> None:
        ticket.granted = True
        self._held_since = self._clock.monotonic()
        self._holder = ticket
        _wake(ticket)

    def _leave(self, ticket: Ticket) -> None:
        if self._holder is not ticket:
            return  # it was overtaken: the lane is not its own any more
        now = self._clock.monotonic()
        self._held_s += (now - self._held_since - self._held_s) / 8
        self._holder = None
        self._grant_next(now)

    def _grant_next(self, now: float) -> None:
        following = self._queue.pick(now)
        if following is not None:
            self._queue.remove(following)
            self._grant(following)

    def _too_many(self, rank: Rank) -> Fault:
        wait_s = max(0.05, self._queue.depth(rank) * self._held_s)
        return Fault(
            Reason.LOCAL_RATE_LIMITED,
            f"{self._queue.depth(rank)} calls wait for the key already",
            {"lane": rank.name.lower()},
            retry_after_s=round(wait_s, 3),
        )

    def _still_blocked(self) -> bool:
        return self._blocked is not None and self._clock.monotonic() < self._blocked[0]

    def _raise_if_closed(self) -> None:
        if self._stopped is not None:
            raise error_of(self._stopped)
        if self._blocked is not None and self._still_blocked():
            left_s = self._blocked[0] - self._clock.monotonic()
            fault = self._blocked[2]
            raise error_of(Fault(fault.reason, fault.message, fault.metadata, retry_after_s=round(left_s, 3)))

    def _wake_all(self) -> None:
        for ticket in self._queue:
            _wake(ticket)


def _wake(ticket: Ticket) -> None:
    if ticket.turn is not None and not ticket.turn.done():
        ticket.turn.set_result(None)
