"""One of Kraken's counters as an upper bound: it starts at 0, rises with every call, and sinks steadily. Pure.

When Kraken counts a call is only known to lie between sending and answer: so it counts in full from when it may leave,
and its points begin to sink with its answer, or with the moment after which Kraken cannot take it any more. What Kraken
says of its own count lifts ours, never lowers it. Sums are exact: whole parts of a point, whole nanoseconds. What a call
costs is costs.py's table, which calls wait for it is lane.py's and rates.py's.
"""

import heapq
from dataclasses import dataclass
from decimal import Decimal

PARTS = 10**11  # of a point: the decay of every tier is a whole number of parts a nanosecond
_NS = 10**9
LATE_COUNT_S = 30.0  # a call without an answer may be counted by Kraken for so long
QUANTUM_S = 2  # Kraken lets its count sink "every couple of seconds": it may lag behind a steady decay by so much


@dataclass(eq=False)
class Charge:
    """The points of one call, from when it may leave. It is released, or it lands: then its points sink."""

    parts: int
    flying: bool = True
    lands_ns: int | None = None

    def __repr__(self) -> str:
        return f"<Charge {points(self.parts)} {'flying' if self.flying else 'done'}>"


class Counter:
    """The bound. `now` is monotonic seconds everywhere, points are Decimal."""

    def __init__(self, maximum: int, decay: Decimal) -> None:
        self._measure(maximum, decay)
        self._landed = 0
        self._at_ns: int | None = None
        self._flying = 0
        self._due: list[tuple[int, int, Charge]] = []
        self._landings = 0
        self.told: Decimal | None = None

    def __repr__(self) -> str:
        return f"<Counter {points(self._landed + self._flying)}/{self.maximum}>"

    def _measure(self, maximum: int, decay: Decimal) -> None:
        """Its figures. `margin`: points that are never used: one, and what Kraken's own decay may lag behind."""
        self.maximum, self.decay = Decimal(maximum), decay
        self._most, self._decay = _parts(self.maximum), _parts(decay) // _NS
        lag = 1 + decay * QUANTUM_S
        self.margin = lag if self.maximum > lag else Decimal(0)
        self._usable = self._most - _parts(self.margin)

    def level(self, now: float) -> Decimal:
        """The most that Kraken's count can be at any moment from now on, if nothing more is sent."""
        return points(self._sunk(_ns(now)) + self._flying)

    def headroom(self, now: float, reserve: Decimal = Decimal(0)) -> Decimal:
        """Points that may be used now; never below 0."""
        return max(Decimal(0), self.maximum - self.margin - reserve - self.level(now))

    def beyond(self, now: float) -> Decimal:
        """Points above what may be used; 0 while there are none."""
        over = self._sunk(_ns(now)) + self._flying - self._usable
        return points(over) if over > 0 else Decimal(0)

    def wait_s(
        self, cost: Decimal, now: float, *, reserve: Decimal = Decimal(0), ahead: Decimal = Decimal(0)
    ) -> float | None:
        """Seconds until a call of this cost may leave behind others worth `ahead`: 0 now, None never.

        Exact where it is known when what flies will land; what flies without a deadline is taken to land now.
        """
        if not cost:
            return 0.0
        usable = self._usable - _parts(reserve)
        if _parts(cost) > usable:
            return None
        now_ns = _ns(now)
        over = self._sunk(now_ns) + self._flying + _parts(cost + ahead) - usable
        return 0.0 if over <= 0 else -(-self._sinks_ns(over, now_ns) // 1000) / 1e6

    def _sinks_ns(self, over: int, now_ns: int) -> int:
        """Nanoseconds until so many parts have sunk: what has not landed yet does not sink."""
        due = sorted(
            (at_ns, charge.parts) for at_ns, _, charge in self._due if charge.flying and charge.lands_ns == at_ns
        )
        landed, at_ns = self._landed + self._flying - sum(parts for _, parts in due), now_ns
        for lands_ns, parts in due:
            sunk = min(landed, self._decay * (lands_ns - at_ns))
            if sunk >= over:
                break
            landed, over, at_ns = landed - sunk + parts, over - sunk, lands_ns
        return at_ns - now_ns + -(-over // self._decay)

    def hold(self, cost: Decimal, now: float) -> Charge:
        """Counts a call in full from now on; whether it may leave was asked before."""
        self._sunk(_ns(now))
        charge = Charge(_parts(cost))
        self._flying += charge.parts
        return charge

    def release(self, charge: Charge) -> None:
        """It never left: its points are free."""
        if charge.flying:
            charge.flying = False
            self._flying -= charge.parts

    def land(self, charge: Charge, at: float, now: float, *, capped: bool = False) -> None:
        """Kraken has counted it by `at`: past or present with its answer, later where only a deadline is known.

        A charge that lands later may land sooner after all: the earliest word counts. `capped`: Kraken lets its count rise to
        the maximum and no further; whoever says so hears from Kraken if it is not so.
        """
        now_ns, at_ns = _ns(now), _ns(at)
        self._sunk(now_ns)  # which may land it, if it had a deadline
        if not charge.flying:
            return
        if at_ns <= now_ns:
            before = self._landed
            self._touch(charge)
            if capped:
                self._landed = min(self._landed, max(self._most, before))
        elif charge.lands_ns is None or at_ns < charge.lands_ns:
            charge.lands_ns = at_ns
            self._landings += 1
            heapq.heappush(self._due, (at_ns, self._landings, charge))

    def keep_flying(self, charge: Charge, now: float) -> bool:
        """It may be counted later than was said: it flies on, without a deadline. False when it has landed already."""
        self._sunk(_ns(now))
        if charge.flying:
            charge.lands_ns = None
        return charge.flying

    def correct(self, told: Decimal, now: float) -> Decimal:
        """Kraken told its own count: ours is lifted to it. Returns ours minus Kraken's before that, so < 0 is our error."""
        landed = self._sunk(_ns(now))
        self.told = told
        drift = points(landed + self._flying) - told
        self._landed = max(landed, _parts(told))
        return drift

    def fill(self, now: float) -> None:
        """Kraken says it is full: so it is, whatever we thought."""
        self._landed = max(self._sunk(_ns(now)), self._most)

    def start_at(self, level: Decimal, now: float) -> None:
        """At the start of a life: as full as an earlier one may have left it."""
        self._sunk(_ns(now))
        self._landed = max(0, _parts(level))

    def resize(self, maximum: int, decay: Decimal, now: float) -> None:
        """The account is of another tier than thought: the level stays, the figures change."""
        self._sunk(_ns(now))
        self._measure(maximum, decay)

    def idle(self, now: float) -> bool:
        """Nothing is in it and nothing under way."""
        return not self._sunk(_ns(now)) and not self._flying

    def _sunk(self, now_ns: int) -> int:
        """The landed part at `now_ns`, everything that landed on the way counted when it did."""
        while self._due and self._due[0][0] <= now_ns:
            at_ns, _, charge = heapq.heappop(self._due)
            if charge.flying and charge.lands_ns == at_ns:
                self._decayed(at_ns)
                self._touch(charge)
        return self._decayed(now_ns)

    def _decayed(self, now_ns: int) -> int:
        if self._at_ns is not None and now_ns > self._at_ns:
            self._landed = max(0, self._landed - self._decay * (now_ns - self._at_ns))
        self._at_ns = now_ns if self._at_ns is None else max(now_ns, self._at_ns)
        return self._landed

    def _touch(self, charge: Charge) -> None:
        charge.flying = False
        self._flying -= charge.parts
        self._landed += charge.parts


def points(parts: int) -> Decimal:
    """Parts as points."""
    return Decimal(parts).scaleb(-11).normalize() + 0


def _parts(amount: Decimal) -> int:
    return int(amount.scaleb(11))


def _ns(now: float) -> int:
    return round(now * 1e9)
