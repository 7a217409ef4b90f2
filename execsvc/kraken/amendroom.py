"""Room for one amend in a pair's engine counter: what it costs by the age of its order, and the ends that its send can have.

An order that was amended, or may have been, is as young as that: it costs more to cancel or to amend again. How callers get
their turns is room.py's, what an order's age is pairs.py's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from execsvc.domain.errors import Broken, Fault, Reason
from execsvc.kraken.pairs import Amending, PairCounter
from execsvc.kraken.room import Need, PairDoor, no_room
from execsvc.ports import CallClass, Clock, Room


@dataclass(eq=False)
class AmendRoom:
    """ports.Room: what one amend may use, and how its send ends. Every end is told once; later ones do nothing."""

    pair: PairCounter
    amending: Amending
    clock: Clock
    freed: Callable[[], None]
    need: Need
    _told: bool = False

    def release(self) -> None:
        """Nothing was sent."""
        if self._once():
            self.pair.amend_unsent(self.amending)
            self.freed()

    def ended(self, *, applied: bool) -> None:
        """Kraken took or refused it, perhaps late."""
        now = self.clock.monotonic()
        self.pair.amend_ended(self.amending, now, at=now, applied=applied)
        self._told = True

    def in_doubt(self, counted_by: float) -> None:
        """No answer yet: Kraken may receive it late, and counts it then."""
        if self._once():
            self.pair.amend_ended(self.amending, self.clock.monotonic(), at=counted_by, applied=True)

    def overrun(self) -> Fault | None:
        """As EngineRoom.overrun: cancels have used the room since."""
        pair, now = self.pair, self.clock.monotonic()
        over = pair.counter.beyond(now)
        return None if over <= 0 else no_room(pair, float(over / pair.counter.decay), now, self.need)  # seconds

    def full(self) -> None:
        """Kraken says the pair's counter is full."""
        self.pair.counter.fill(self.clock.monotonic())

    def _once(self) -> bool:
        first, self._told = not self._told, True
        return first


async def ask_amend(door: PairDoor, clock: Clock, order_id: str, caller: str, by: float) -> AmendRoom:
    """Room for an amend of that order. Its price is that of the order's age when the room is taken. Raises as Rates.room."""
    pair = door.pair
    need = amend_need(pair, order_id, clock.monotonic())
    await door.reach(caller, by, need)
    now = clock.monotonic()
    return AmendRoom(pair, pair.amend(order_id, now), clock, door.tell, amend_need(pair, order_id, now))


def amend_need(pair: PairCounter, order_id: str, now: float) -> Need:
    """What an amend of that order costs from now on."""
    (_, points), *_ = pair.amend_steps(order_id, now)
    return Need(
        points,
        orders=0,
        what="an amend of an order of this age",
        kind=CallClass.AMEND,
        prices=lambda at: pair.amend_steps(order_id, at),
    )


def amend_room(room: Room) -> AmendRoom:
    """The room as it was made here. Raises Broken for one of another house."""
    if not isinstance(room, AmendRoom):
        raise Broken(Fault(Reason.INTERNAL, "room for an amend that these counters never set aside"))
    return room
