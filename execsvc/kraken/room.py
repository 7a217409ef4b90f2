"""The door to a pair's engine counter: room for one placement, now or in turn, and the ends that a send can have.

Who is turned away is promised its place: after the time it was told, the room is there for it, for a moment. So the wait is
exact for whoever has one order to place, and a caller that asks without pause gets no more than its share.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal

from execsvc.domain import money
from execsvc.domain.errors import Broken, Fault, Reason, error_of
from execsvc.kraken.costs import Act, batch_add_cost, engine_cost
from execsvc.kraken.pairs import Adding, PairCounter
from execsvc.kraken.turns import Place, Turns
from execsvc.ports import CallClass, Clock, Room
from execsvc.telemetry import Telemetry

GRACE_S = 0.5  # a place that was promised is kept so long after its time
CLAIMS_MAX = 8  # of a caller and pair: more are told the wait of the last one
PLACE = engine_cost(Act.ADD, 0.0)


@dataclass(frozen=True)
class Need:
    """What is asked room for: its points, the open orders it may become, and its name in a refusal.

    prices: of what gets cheaper by waiting, as (in how many seconds, points), at a moment, from the dearest on.
    """

    points: Decimal = PLACE
    orders: int = 1
    what: str = "a placement"
    kind: CallClass = CallClass.PLACE
    prices: Callable[[float], tuple[tuple[float, Decimal], ...]] | None = None


ONE = Need()


def batch_need(count: int) -> Need:
    """Room for so many placements in one call."""
    return Need(batch_add_cost(count), count, f"a batch of {count}")


@dataclass(eq=False)
class Wish:
    """A place in a pair's line: a call that waits here, or one that was told when to come again."""

    waits: bool = False
    ready: float = 0.0
    news: "asyncio.Event" = field(default_factory=asyncio.Event)


@dataclass(eq=False)
class EngineRoom:
    """ports.Room: what one placement may use, and how its send ends. Every end is told once; later ones do nothing."""

    pair: PairCounter
    adding: Adding
    clock: Clock
    freed: Callable[[], None]
    need: Need = ONE
    _told: bool = False

    def release(self) -> None:
        """Nothing was sent."""
        if self._once():
            self.pair.unsent(self.adding)
            self.freed()

    def accepted(self, order_id: str) -> None:
        """Kraken took the order, perhaps late."""
        self.pair.accepted(self.adding, order_id, self.clock.monotonic())
        self._told = True

    def refused(self) -> None:
        """Kraken refused it, perhaps late."""
        self.pair.refused(self.adding, self.clock.monotonic())
        self._told = True

    def in_doubt(self, counted_by: float) -> None:
        """No answer yet: Kraken may receive it late, and counts it then, even if only to find its deadline passed."""
        if self._once():
            self.pair.in_doubt(self.adding, counted_by, self.clock.monotonic())

    def overrun(self) -> Fault | None:
        """Why it must not leave now after all: cancels, which nothing holds back, have used the room since. With the wait."""
        pair, now = self.pair, self.clock.monotonic()
        over = pair.counter.beyond(now)
        return None if over <= 0 else no_room(pair, float(over / pair.counter.decay), now, self.need)  # seconds

    def full(self) -> None:
        """Kraken says the pair's counter is full."""
        self.pair.counter.fill(self.clock.monotonic())

    def _once(self) -> bool:
        first, self._told = not self._told, True
        return first


class PairDoor:
    """Placements of one pair, in turn."""

    def __init__(self, pair: PairCounter, turns: Turns[Wish], clock: Clock, telemetry: Telemetry) -> None:
        self.pair = pair
        self._turns = turns
        self._clock = clock
        self._telemetry = telemetry

    def __repr__(self) -> str:
        return f"<PairDoor {self.pair!r} {len(self._turns)} waiting>"

    async def ask(self, caller: str, by: float) -> EngineRoom:
        """See ports.Rates.room."""
        await self.reach(caller, by, ONE)
        return self._granted(PLACE, ONE)

    async def ask_batch(self, caller: str, by: float, count: int) -> tuple[EngineRoom, ...]:
        """Room for so many placements in one call, one each."""
        need = batch_need(count)
        await self.reach(caller, by, need)
        return tuple(self._granted(need.points / count, need) for _ in range(count))

    async def reach(self, caller: str, by: float, need: Need) -> None:
        """Returns when there is room and it is the caller's turn; it must be taken before anything is awaited.

        Raises Busy as ports.Rates.room.
        """
        now = self._clock.monotonic()
        self._demand_open_orders(now, need)
        if not len(self._turns) and self._wait_s(Decimal(0), now, need) == 0:
            return
        self._forget(now)
        place = self._ripe(caller, now, need)
        if place is None and by > now:
            place = next(
                (each for each in self._turns.of(caller) if not each.value.waits and each.cost >= need.points), None
            )  # it stays, and waits here
        if place is None and self._wait_s(self._turns.ahead_of_new(caller, need.points), now, need) == 0:
            self.tell()
            return
        if place is None:
            claims = self._turns.of(caller)
            if len(claims) >= CLAIMS_MAX:
                self._refuse(self._wait_s(self._turns.ahead(claims[-1]), now, need), need)
            place = self._turns.push(caller, need.points, Wish())
        await self._waited(place, by, need)

    async def _waited(self, place: Place[Wish], by: float, need: Need) -> None:
        wish, began = place.value, self._clock.monotonic()
        wish.waits = True
        try:
            while True:
                now = self._clock.monotonic()
                self._forget(now)
                wait_s = self._wait_s(self._turns.ahead(place), now, need)
                if wait_s == 0:
                    self._demand_open_orders(now, need)
                    self._turns.serve(place)
                    self._telemetry.rate_wait_seconds.record(now - began, {"class": need.kind.value})
                    self.tell()
                    return
                if now + wait_s > by:
                    wish.ready = now + wait_s
                    self._refuse(wait_s, need)
                wish.news.clear()
                with suppress(TimeoutError):
                    async with self._clock.timeout_at(min(now + wait_s, self._next_lost())):
                        await wish.news.wait()
        except BaseException:
            if wish.ready <= self._clock.monotonic():
                self._turns.leave(place)  # nobody was told to come again
                self.tell()
            raise
        finally:
            wish.waits = False

    def _wait_s(self, ahead: Decimal, now: float, need: Need) -> float:
        """Room for the price of now, or the moment when a lower price holds and there is room for that: the sooner."""
        never_s = float("inf")  # seconds
        if need.prices is None:
            whole_s = self.pair.counter.wait_s(need.points, now, ahead=ahead)
            return never_s if whole_s is None else whole_s
        waits = ((after_s, self.pair.counter.wait_s(points, now, ahead=ahead)) for after_s, points in need.prices(now))
        return min((max(after_s, wait_s) for after_s, wait_s in waits if wait_s is not None), default=never_s)

    def _granted(self, points: Decimal, need: Need) -> EngineRoom:
        adding = self.pair.add(self._clock.monotonic(), points)
        return EngineRoom(self.pair, adding, self._clock, self.tell, need)

    def tell(self) -> None:
        """Points were given back: whoever waits may go sooner."""
        for place in self._turns:
            place.value.news.set()

    def _ripe(self, caller: str, now: float, need: Need) -> Place[Wish] | None:
        """The caller's first promised place whose time has come, if it is large enough."""
        places = (each for each in self._turns.of(caller) if each.cost >= need.points)
        return next((each for each in places if not each.value.waits and now >= each.value.ready - 1e-6), None)

    def _forget(self, now: float) -> None:
        """Whoever was told when to come and did not has lost its place."""
        for place in self._turns:
            if not place.value.waits and now > place.value.ready + GRACE_S:
                self._turns.leave(place)

    def _next_lost(self) -> float:
        """When the first promise is lost that nobody has come for: whoever waits may go sooner then."""
        ends = (place.value.ready + GRACE_S + 1e-6 for place in self._turns if not place.value.waits)
        return min(ends, default=float("inf"))  # seconds  # seconds

    def _demand_open_orders(self, now: float, need: Need) -> None:
        pair = self.pair
        if need.orders and pair.crowded(now, need.orders):
            raise error_of(
                Fault(
                    Reason.VENUE_ORDER_LIMIT,
                    f"{pair.open_orders(now)} orders of {pair.symbol} may be open and Kraken allows "
                    f"{pair.open_orders_max}: nothing was sent, cancel some first",
                    {"limit": str(pair.open_orders_max), "symbol": pair.symbol},
                )
            )

    def _refuse(self, wait_s: float, need: Need) -> None:
        raise error_of(no_room(self.pair, wait_s, self._clock.monotonic(), need))


def no_room(pair: PairCounter, wait_s: float, now: float, need: Need = ONE) -> Fault:
    """The counter is too full for what is needed; it will not be after so long."""
    level = money.numeral(pair.counter.level(now).quantize(Decimal("0.01")))
    return Fault(
        Reason.LOCAL_RATE_LIMITED,
        f"Kraken's trading counter of {pair.symbol} is at {level} of {pair.counter.maximum} and {need.what} costs "
        f"{money.numeral(need.points)}: nothing was sent, there is room for it in {wait_s:.3f} s",
        {"subject": f"kraken:engine:{pair.symbol}", "level": level, "max": str(pair.counter.maximum)},
        retry_after_s=wait_s,
    )


def engine_room(room: Room) -> EngineRoom:
    """The room as it was made here. Raises Broken for one of another house."""
    if not isinstance(room, EngineRoom):
        raise Broken(Fault(Reason.INTERNAL, "room for an order that these counters never set aside"))
    return room
