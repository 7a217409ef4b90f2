"""Our counter and Kraken's, driven together: calls leave, are counted at some moment on the way, and answered or lost.

Time is whole microseconds and jumps from event to event. `Drive` is one counter of any kind, `EngineDrive` adds orders and
what a careful client may know of their ages. What is sent when, and how each call fares, is the test's.
"""

import heapq
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from execsvc.kraken import costs
from execsvc.kraken.costs import Act
from execsvc.kraken.counters import Counter
from tests.support import ratereference
from tests.support.ratereference import LIMITS, Engine, Tally

SECOND = 1_000_000
GRAIN = Fraction(1, 10**6)  # points: after months of uptime a float second is no whole number of nanoseconds


@dataclass(frozen=True)
class Flight:
    """How one call fares, in microseconds from its leaving. counted: None if it never arrives; sent: None if it never left.

    answered: its answer, if `lost` the moment when it is given up; from `deadline` on Kraken takes it no more. found: when
    word of a lost one comes after all.
    """

    counted: int | None = 0
    answered: int = 0
    deadline: int = 0
    lost: bool = False
    found: int | None = None
    sent: bool = True
    valid: bool = True


AT_ONCE = Flight()


class Drive:
    """One counter of ours beside one of Kraken's."""

    def __init__(self, ours: Counter, tally: Tally, start: int = 0) -> None:
        self.ours = ours
        self.tally = tally
        self.us = start
        self.flying = 0
        self._numbers = 0
        self._ours_then: list[Fraction] = []
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._scheduled = 0

    @property
    def now(self) -> float:
        """Seconds, as the house counts."""
        return self.us / SECOND

    @property
    def at(self) -> Fraction:
        """Seconds, as the reference counts."""
        return Fraction(self.us, SECOND)

    def next_event(self) -> int | None:
        """When something happens by itself."""
        return self._events[0][0] if self._events else None

    def run_to(self, us: int) -> None:
        """Time passes."""
        while self._events and self._events[0][0] <= us:
            self.us, _, happens = heapq.heappop(self._events)
            happens()
        self.us = max(self.us, us)

    def settle(self) -> None:
        """Everything under way comes to its end."""
        while self._events:
            self.run_to(self._events[0][0])

    def wait_us(self, cost: Decimal, reserve: Decimal = Decimal(0)) -> int | None:
        """What ours says, in whole microseconds."""
        wait_s = self.ours.wait_s(cost, self.now, reserve=reserve)
        return None if wait_s is None else round(wait_s * SECOND)

    def leave(
        self, cost: Decimal, flight: Flight, counts: Callable[[int], None], ends: Callable[[], None] = lambda: None
    ) -> None:
        """A call leaves. counts: Kraken takes it, given its number; ends: nothing of it can come any more."""
        charge = self.ours.hold(cost, self.now)
        self.flying += 1
        self._numbers += 1
        number = self._numbers
        if not flight.sent:
            self._later(flight.answered, lambda: self._ended(lambda: self.ours.release(charge), ends))
            return
        if flight.counted is not None:
            self._later(flight.counted, lambda: self._counted(lambda: counts(number)))
        if not flight.lost:
            self._later(flight.answered, lambda: self._ended(lambda: self.ours.land(charge, self.now, self.now), ends))
            return
        deadline = (self.us + flight.deadline) / SECOND
        self._later(flight.answered, lambda: self.ours.land(charge, deadline, self.now))
        self._later(flight.deadline, lambda: self._ended(ends))
        if flight.found is not None:
            self._later(flight.found, lambda: self.ours.land(charge, self.now, self.now))

    def below(self) -> list[tuple[float, Fraction, Fraction]]:
        """When Kraken's count, right after a call, was above ours and what its decay may lag behind: (s, ours, Kraken's)."""
        levels = zip(self.tally.levels(), self._ours_then, strict=True)
        allowed = ((each.at, ours + self.tally.lag, level) for (each, level), ours in levels)
        return [(float(at), ours, level) for at, ours, level in allowed if ours + GRAIN < level]

    def _counted(self, counts: Callable[[], None]) -> None:
        counts()
        self._ours_then.append(Fraction(self.ours.level(self.now)))

    def _ended(self, *steps: Callable[[], None]) -> None:
        self.flying -= 1
        for step in steps:
            step()

    def _later(self, delay: int, happens: Callable[[], None]) -> None:
        self._scheduled += 1
        heapq.heappush(self._events, (self.us + delay, self._scheduled, happens))


class EngineDrive(Drive):
    """One pair. An order is as young as its last add, amend or edit may be; while one is under way its age is 0."""

    def __init__(self, ours: Counter, engine: Engine, start: int = 0) -> None:
        super().__init__(ours, engine.tally, start)
        self.engine = engine
        self.orders: list[str] = []
        self._changing: defaultdict[str, int] = defaultdict(int)
        self._cancelling: defaultdict[str, int] = defaultdict(int)
        self._born: dict[str, int] = {}

    def busy(self, order: str) -> bool:
        """Something of it is under way: a change that overtakes another, or a cancel, makes that one dearer than it was."""
        return bool(self._changing[order] or self._cancelling[order])

    def age_s(self, order: str) -> float:
        """At the least."""
        return 0.0 if self._changing[order] else (self.us - self._born[order]) / SECOND

    def change_cost(self, act: Act, order: str) -> Decimal:
        """Points of an amend or edit that leaves now."""
        return costs.engine_cost(act, self.age_s(order))

    def add_cost(self, count: int = 1) -> Decimal:
        """Points of an add, or of a batch."""
        return costs.engine_cost(Act.ADD, 0.0) if count == 1 else costs.batch_add_cost(count)

    def cancel_cost(self, orders: Sequence[str]) -> Decimal:
        """Points of a cancel, or of a batch."""
        return sum((costs.engine_cost(Act.CANCEL, self.age_s(order)) for order in orders), Decimal(0))

    def add(self, flight: Flight = AT_ONCE, count: int = 1) -> None:
        """New orders leave."""
        fresh = [f"O{len(self.orders) + each}" for each in range(count)]
        self.orders += fresh
        self._change(
            fresh,
            self.add_cost(count),
            flight,
            lambda number: self.engine.add(fresh, self.at, number=number, valid=flight.valid),
        )

    def change(self, act: Act, order: str, flight: Flight = AT_ONCE) -> None:
        """An amend or an edit leaves."""
        self._change(
            [order],
            self.change_cost(act, order),
            flight,
            lambda number: self.engine.change(act.value, order, self.at, number=number, valid=flight.valid),
        )

    def cancel(self, orders: Sequence[str], flight: Flight = AT_ONCE) -> None:
        """A cancel leaves, of one or more."""
        gone = list(orders)
        for order in gone:
            self._cancelling[order] += 1
        self.leave(
            self.cancel_cost(gone),
            flight,
            lambda number: self.engine.cancel(gone, self.at, number=number),
            lambda: self._cancelled(gone),
        )

    def _cancelled(self, orders: list[str]) -> None:
        for order in orders:
            self._cancelling[order] -= 1

    def _change(self, orders: list[str], cost: Decimal, flight: Flight, counts: Callable[[int], None]) -> None:
        for order in orders:
            self._changing[order] += 1
        self.leave(cost, flight, counts, lambda: self._changed(orders))

    def _changed(self, orders: list[str]) -> None:
        for order in orders:
            self._changing[order] -= 1
            self._born[order] = self.us


def engine_drive(name: str, start: int = 0, **reading: object) -> EngineDrive:
    """A pair of this tier; `reading` says how Kraken's count behaves (ratereference.Tally)."""
    tier, limits = costs.TIERS[name], LIMITS[name]
    tally = Tally(limits.engine_max, limits.engine_decay, **reading)
    return EngineDrive(Counter(tier.engine_max, tier.engine_decay), Engine(tally, limits.open_max), start)


class RestDrive(Drive):
    """One key."""

    def call(self, name: str, flight: Flight = AT_ONCE) -> None:
        """A call of this endpoint leaves."""
        points = ratereference.REST_POINTS[name]
        self.leave(self.cost(name), flight, lambda number: self.tally.count(self.at, points, number=number))

    def cost(self, name: str) -> Decimal:
        """Its points by our table."""
        return Decimal(costs.rest_cost(name))


def rest_drive(name: str, start: int = 0, **reading: object) -> RestDrive:
    """A key of this tier."""
    tier, limits = costs.TIERS[name], LIMITS[name]
    return RestDrive(
        Counter(tier.rest_max, tier.rest_decay), Tally(limits.rest_max, limits.rest_decay, **reading), start
    )
