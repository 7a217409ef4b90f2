"""Kraken's two counters as its pages tell them (kraken.md 3), naively: all that was counted is kept, and summed up anew.

The reference that the house's bounds are held against. It shares no code and no table with the house, knows exactly when
each call was counted, and refuses nothing: it tells what Kraken would have had to refuse. Points and seconds are Fractions.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import floor


@dataclass(frozen=True)
class Limits:
    """One tier's row in each of the two tables of limits."""

    rest_max: int
    rest_decay: Fraction
    engine_max: int
    engine_decay: Fraction
    open_max: int


LIMITS = {
    "starter": Limits(15, Fraction("0.33"), 60, Fraction(1), 60),
    "intermediate": Limits(20, Fraction("0.5"), 125, Fraction("2.34"), 80),
    "pro": Limits(20, Fraction(1), 180, Fraction("3.75"), 225),
}

REST_POINTS = {
    **dict.fromkeys(("AddOrder", "AddOrderBatch", "AmendOrder", "EditOrder", "CancelOrder", "CancelOrderBatch"), 0),
    **dict.fromkeys(("Ledgers", "QueryLedgers", "TradesHistory", "QueryTrades", "ClosedOrders"), 2),
    **dict.fromkeys(
        ("CancelAll", "CancelAllOrdersAfter", "GetWebSocketsToken", "Balance", "OpenOrders", "QueryOrders"), 1
    ),
}

# act: its fixed part, then (younger than, points); older than all of them costs nothing more.
ENGINE_POINTS = {
    "add": (1, ()),
    "amend": (1, ((5, 3), (10, 2), (15, 1))),
    "edit": (1, ((5, 6), (10, 5), (15, 4), (45, 2), (90, 1))),
    "cancel": (0, ((5, 8), (10, 6), (15, 5), (45, 4), (90, 2), (300, 1))),
}


def engine_points(act: str, age_s: Fraction | int) -> int:
    """Points of one act on an order of this age."""
    fixed, steps = ENGINE_POINTS[act]
    return fixed + next((points for younger_than, points in steps if age_s < younger_than), 0)


@dataclass(frozen=True)
class Counted:
    """One call that Kraken counted. number: where it stood in the order of leaving; held: Kraken may refuse it."""

    at: Fraction
    points: Fraction
    number: int
    held: bool


class Tally:
    """One counter. every_s: decay comes in steps of so many seconds, None: steadily; capped: never above the maximum."""

    def __init__(
        self,
        maximum: int,
        decay: Fraction,
        *,
        every_s: Fraction | None = None,
        phase_s: Fraction = Fraction(0),
        capped: bool = False,
    ) -> None:
        self.maximum = maximum
        self.decay = decay
        self.lag = decay * (every_s or 0)  # points that the steps may be behind a steady decay
        self._every_s = every_s
        self._phase_s = phase_s
        self._capped = capped
        self.counted: list[Counted] = []

    def count(self, at: Fraction, points: Fraction | int, *, number: int = 0, held: bool = True) -> None:
        """Kraken counts a call now; a cancel (held False) is taken even where it passes the maximum."""
        self.counted.append(Counted(at, Fraction(points), number, held))

    def total(self) -> Fraction:
        """All points ever counted."""
        return sum((each.points for each in self.counted), Fraction(0))

    def level(self, at: Fraction) -> Fraction:
        """Kraken's count at a moment, all that was counted by then included."""
        level, since = Fraction(0), at
        for each, reached in self.levels(lambda each: each.at <= at):
            level, since = reached, each.at
        return self._sunk(level, since, at)

    def peak(self) -> Fraction:
        """The highest that it ever was."""
        return max((level for _, level in self.levels()), default=Fraction(0))

    def overruns(self) -> Iterator[Counted]:
        """The calls that Kraken would have refused, though only what had left before them is held against them.

        A cancel is never held back, so one that left later and arrived sooner may cost a call its room: nobody could know.
        """
        suspects = [each for each, level in self.levels() if each.held and level > self.maximum]
        return (each for each in suspects if self._without_later_cancels(each) > self.maximum)

    def _without_later_cancels(self, call: Counted) -> Fraction:
        levels = self.levels(lambda each: each.held or each.number < call.number)
        return next(level for each, level in levels if each is call)

    def levels(self, among: Callable[[Counted], bool] = lambda _: True) -> Iterator[tuple[Counted, Fraction]]:
        """Each call and the count right after it."""
        level, since = Fraction(0), Fraction(0)
        for each in sorted(filter(among, self.counted), key=lambda each: each.at):
            level = self._sunk(level, since, each.at) + each.points
            if self._capped and not each.held:
                level = min(level, Fraction(self.maximum))
            since = each.at
            yield each, level

    def _sunk(self, level: Fraction, since: Fraction, at: Fraction) -> Fraction:
        if self._every_s is None:
            sunk = self.decay * (at - since)
        else:
            ticks = floor((at - self._phase_s) / self._every_s) - floor((since - self._phase_s) / self._every_s)
            sunk = self.decay * self._every_s * ticks
        return max(Fraction(0), level - sunk)


class Engine:
    """The matching engine's counter of one pair: it knows when each order came into being or was last amended."""

    def __init__(self, tally: Tally, open_max: int) -> None:
        self.tally = tally
        self.open_max = open_max
        self.since: dict[str, Fraction] = {}
        self.crowded_out = 0

    def add(self, orders: list[str], at: Fraction, *, number: int = 0, valid: bool = True) -> None:
        """One order, or a batch at half the price. The fixed part is charged on receipt, valid or not."""
        price = Fraction(1) if len(orders) == 1 else Fraction(len(orders), 2)
        self.tally.count(at, price, number=number)
        for order in orders if valid else ():
            if len(self.since) >= self.open_max:
                self.crowded_out += 1
            self.since[order] = at

    def change(self, act: str, order: str, at: Fraction, *, number: int = 0, valid: bool = True) -> None:
        """An amend or an edit; age counts from it on."""
        if valid and order in self.since:
            self.tally.count(at, engine_points(act, at - self.since[order]), number=number)
            self.since[order] = at
        else:
            self.tally.count(at, ENGINE_POINTS[act][0], number=number)

    def cancel(self, orders: list[str], at: Fraction, *, number: int = 0) -> None:
        """One order or many: what each costs alone. One that is gone costs nothing."""
        ages = [at - self.since.pop(order) for order in orders if order in self.since]
        self.tally.count(at, sum(engine_points("cancel", age) for age in ages), number=number, held=False)
