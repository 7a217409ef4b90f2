"""One lane per key: what is signed goes out one at a time, in the order of its nonces (promises.md section 5).

A call that gets no answer holds the lane for its patience only; then the next one overtakes it over another connection, and
the late one's nonce is dead. Who goes next is decided by lanequeue.py, what keeps everybody waiting by breaker.py; nonces and
signatures are taken by whoever holds the lane (rest.py).
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from decimal import Decimal
from types import MappingProxyType

from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.kraken.breaker import LANE_OF, LANES, Breaker
from execsvc.kraken.counters import LATE_COUNT_S, Charge, Counter
from execsvc.kraken.endpoints import Effect, Rank
from execsvc.kraken.lanequeue import Fate, LaneQueue, Ticket
from execsvc.kraken.retry import timed_out
from execsvc.ports import Clock, LaneState

PATIENCE_S = 2.0
PATIENCE_BEFORE_CANCEL_S = 0.5


class Lane:
    """The lane of one key. `async with`-free on purpose: enter, then leave in `finally`."""

    def __init__(
        self,
        key_label: str,
        clock: Clock,
        counter: Counter,
        *,
        weights: Mapping[str, int] = MappingProxyType({}),
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.key_label = key_label
        self.breaker = Breaker()
        self._clock = clock
        self._counter = counter
        self._patience_s = patience_s
        self._queue = LaneQueue(counter, weights=weights)
        self._holder: Ticket | None = None
        self._held_since = 0.0
        self._held_s = 0.05  # how long a turn took of late
        self._turns = 0
        self._lost: dict[int, Charge] = {}

    def __repr__(self) -> str:
        state = "busy" if self._holder else "free"
        return f"<Lane of {self.key_label} {state} {self._queue!r} {self.breaker!r}>"

    def states(self) -> tuple[LaneState, ...]:
        """One row per lane of the breaker: cancel, trade, read (resolving goes with the reads)."""
        now = self._clock.monotonic()
        rows = []
        for lane in LANES:
            state, until_ns = self.breaker.state(lane, now)
            depth = sum(self._queue.depth(rank) for rank in Rank if LANE_OF[rank] == lane)
            rows.append(LaneState(self.key_label, lane, state, depth, until_ns, self.breaker.stopped is not None))
        return tuple(rows)

    def depth(self) -> int:
        """How many wait in all ranks."""
        return len(self._queue)

    def stop(self, fault: Fault) -> None:
        """No call goes out any more: every one is told `fault`, until an operator starts the service anew."""
        self.breaker.stop(fault)
        self._wake_all()

    def block(self, seconds: float, fault: Fault, lanes: Collection[str] = LANES) -> None:
        """No call goes out in these lanes for so long; then one, as a probe."""
        until_ns = self._clock.wall_ns() + int(seconds * 1e9)
        self.breaker.open(lanes, self._clock.monotonic() + seconds, until_ns, fault)
        self._wake_all()

    @contextmanager
    def holding(self, ticket: Ticket) -> Iterator[None]:
        """The turn, for the length of the block; `ticket.fate` says what became of the call."""
        try:
            yield
        finally:
            self.settle(ticket)
            self._leave(ticket)

    def settle(self, ticket: Ticket) -> None:
        """Counts the call by what is known of its fate; a late answer may settle it once more."""
        now = self._clock.monotonic()
        self.breaker.came_back(ticket, answered=ticket.fate is Fate.ANSWERED)
        if ticket.fate is Fate.ANSWERED:
            self._land_lost(ticket.number, now)
        if ticket.charge is None:
            return
        if ticket.fate is Fate.UNSENT:
            self._counter.release(ticket.charge)
            self._wake_heads()
        elif ticket.fate is Fate.ANSWERED:
            self._counter.land(ticket.charge, now, now)
        else:
            self._counter.land(ticket.charge, now + LATE_COUNT_S, now)
            self._lost[ticket.number] = ticket.charge

    def _land_lost(self, number: int, now: float) -> None:
        """A call of that turn was heard: what went lost in earlier turns has been counted by now, or never will be."""
        for earlier in [each for each in self._lost if each < number]:
            self._counter.land(self._lost.pop(earlier), now, now)

    async def enter(
        self,
        rank: Rank,
        effect: Effect,
        by: float,
        *,
        caller: str = "",
        cost: Decimal = Decimal(0),
        since: float | None = None,
    ) -> Ticket:
        """Waits for a turn, and for the key's counter where the call costs points.

        Raises Busy: LOCAL_RATE_LIMITED, with the exact wait where the counter cannot let it go by then or with a guess where
        the queue is full; a timeout at `by`; or why the lane is closed beyond it. `since`: the call is a step of something
        that has waited longer; ageing counts from there.
        """
        self._raise_if_closed(rank, by)
        now = self._clock.monotonic()
        ticket = Ticket(rank, now if since is None else since, caller, cost)
        if now >= by:
            raise error_of(timed_out(effect))
        self._demand_room(ticket, now, by)
        self._queue.push(ticket)
        self._grant_next(now)
        try:
            await self._until_granted(ticket, effect, by)
        except BaseException:
            if ticket.granted:
                ticket.fate = Fate.UNSENT
                self.settle(ticket)
                self._leave(ticket)
            self._queue.remove(ticket)
            self._wake_heads()
            raise
        return ticket

    async def _until_granted(self, ticket: Ticket, effect: Effect, by: float) -> None:
        while not ticket.granted:
            turn = ticket.turn = asyncio.get_running_loop().create_future()
            with suppress(TimeoutError):
                async with self._clock.timeout_at(min(by, self._acts_at(ticket))):
                    await turn
            if ticket.granted:
                return
            self._raise_if_closed(ticket.rank, by)
            now = self._clock.monotonic()
            if now >= by:
                raise error_of(timed_out(effect))
            if self._holder is not None and self._queue.is_head(ticket) and now >= self._overtakes_at(ticket):
                self._holder.overtaken = True  # its patience is over, whoever is next
                self._holder = None
            self._grant_next(now)

    def _acts_at(self, ticket: Ticket) -> float:
        """When this one must look again by itself: the next of its rank keeps the time for all behind it."""
        if not self._queue.is_head(ticket):
            return float("inf")  # seconds
        if self._holder is not None:
            return self._overtakes_at(ticket)
        now = self._clock.monotonic()
        wait_s = self._queue.wait_s(ticket, now)
        closed_s = self.breaker.left_s(LANE_OF[ticket.rank], now)
        if wait_s is None or closed_s is None or not self.breaker.lets(ticket.rank):
            return float("inf")  # seconds
        claim_ends = self._queue.next_claim_ends(now)
        counted_s = wait_s if claim_ends is None else min(wait_s, max(claim_ends - now, 1e-6))
        return now + max(counted_s, closed_s)

    def _overtakes_at(self, ticket: Ticket) -> float:
        if not self.breaker.lets(ticket.rank):
            return float("inf")  # seconds: a probe's answer is waited for
        patience_s = self._patience_s
        if ticket.rank is Rank.CANCEL:
            patience_s = min(patience_s, PATIENCE_BEFORE_CANCEL_S)
        return self._held_since + patience_s

    def _grant_next(self, now: float) -> None:
        if self._holder is not None:
            return
        following = self._queue.pick(now, lambda rank: self._may_go(rank, now))
        if following is not None:
            self._queue.serve(following, now)
            self._grant(following, now)
            self._wake_heads(following.rank)

    def _may_go(self, rank: Rank, now: float) -> bool:
        return self.breaker.refusal(rank, now) is None and self.breaker.lets(rank)

    def _grant(self, ticket: Ticket, now: float) -> None:
        ticket.granted = True
        self._turns += 1
        ticket.number = self._turns
        self._held_since = now
        self._holder = ticket
        self.breaker.went(ticket.rank, ticket)
        if ticket.cost:
            ticket.charge = self._counter.hold(ticket.cost, now)
        _wake(ticket)

    def _leave(self, ticket: Ticket) -> None:
        if self._holder is not ticket:
            return  # it was overtaken: the lane is not its own any more
        now = self._clock.monotonic()
        self._held_s += (now - self._held_since - self._held_s) / 8
        self._holder = None
        self._grant_next(now)
        if self._holder is None:
            self._wake_heads()

    def _demand_room(self, ticket: Ticket, now: float, by: float) -> None:
        rank = ticket.rank
        if self._queue.full(rank, ticket.caller):
            waiting = self._queue.depth(rank, ticket.caller)
            raise error_of(self._too_many(rank, waiting, max(0.05, waiting * self._held_s)))
        wait_s = self._queue.forecast_s(ticket, now)
        if wait_s is None or now + wait_s > by:
            if wait_s is not None:
                self._queue.claim(ticket, now + wait_s)
            raise error_of(self._counted_out(ticket, wait_s, now))

    def _too_many(self, rank: Rank, waiting: int, wait_s: float) -> Fault:
        return Fault(
            Reason.LOCAL_RATE_LIMITED,
            f"{waiting} calls of this caller wait for the key already",
            {"lane": LANE_OF[rank], "subject": f"kraken:rest:{self.key_label}"},
            retry_after_s=round(wait_s, 3),
        )

    def _counted_out(self, ticket: Ticket, wait_s: float | None, now: float) -> Fault:
        level = f"{self._counter.level(now):.2f} of {self._counter.maximum}"
        when = "never" if wait_s is None else f"in {wait_s:.3f} s"
        return Fault(
            Reason.LOCAL_RATE_LIMITED,
            f"Kraken's call counter of key {self.key_label} is at {level}: this call may go {when}; nothing was sent",
            {"lane": LANE_OF[ticket.rank], "subject": f"kraken:rest:{self.key_label}"},
            retry_after_s=wait_s,
        )

    def _raise_if_closed(self, rank: Rank, by: float) -> None:
        """A block that ends in time is waited for."""
        now = self._clock.monotonic()
        fault = self.breaker.refusal(rank, now)
        if fault is not None and (fault.retry_after_s is None or now + fault.retry_after_s > by):
            raise error_of(fault)

    def _wake_heads(self, rank: Rank | None = None) -> None:
        """Whoever became the next of its rank keeps the time from now on."""
        heads = self._queue.heads() if rank is None else (self._queue.head(rank),)
        for ticket in heads:
            if ticket is not None:
                _wake(ticket)

    def _wake_all(self) -> None:
        for ticket in self._queue:
            _wake(ticket)


def _wake(ticket: Ticket) -> None:
    if ticket.turn is not None and not ticket.turn.done():
        ticket.turn.set_result(None)
