"""A fair line: who goes next when several callers want the same thing, and how much stands ahead of each. Pure.

Start-time fair queueing: each place gets a tag, the caller's last tag plus cost over weight, never below the tag that is
being served. Whoever asks a hundred times stands behind everybody who asked once. What is waited for (a turn in the
lane, points at the engine) is the business of whoever holds the line.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Generic, TypeVar

WEIGHT = 1
TAG_PARTS = 1_000_000  # tags are whole: no sum of weights drifts
LEFT_MAX = 1000  # callers whose given-up place is kept

V = TypeVar("V")


@dataclass(eq=False, frozen=True)
class Place(Generic[V]):
    """One place: whose, what it wants, and its tag."""

    caller: str
    cost: Decimal
    tag: int
    number: int
    value: V

    @property
    def order(self) -> tuple[int, int]:
        """Lower goes first."""
        return self.tag, self.number


class Turns(Generic[V]):
    """Callers' places, each caller's own in order of arrival. `weights` are shares; a caller not named has WEIGHT."""

    def __init__(self, weights: Mapping[str, int] = MappingProxyType({})) -> None:
        self._weights = weights
        self._queues: dict[str, deque[Place[V]]] = {}
        self._served = 0
        self._count = 0
        self._numbers = 0
        self._left: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Turns of {self._count} places, {len(self._queues)} callers>"

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Place[V]]:
        return (place for queue in tuple(self._queues.values()) for place in tuple(queue))

    def of(self, caller: str) -> tuple[Place[V], ...]:
        """The caller's places, first to last."""
        return tuple(self._queues.get(caller, ()))

    def depth(self, caller: str) -> int:
        """How many places the caller has."""
        return len(self._queues.get(caller, ()))

    def push(self, caller: str, cost: Decimal, value: V) -> Place[V]:
        """The caller's last place."""
        place = self.promise(caller, cost, value)
        self._queues.setdefault(caller, deque()).append(place)
        self._count += 1
        return place

    def promise(self, caller: str, cost: Decimal, value: V, behind: int = 0) -> Place[V]:
        """The place that the caller would get now, behind one of its own with that tag; it does not wait in it yet."""
        kept = None if behind or caller in self._queues else self._left.get(caller)
        if kept is not None:
            return Place(caller, cost, *kept, value)
        place = Place(caller, cost, self._tag(caller, cost, behind), self._numbers, value)
        self._numbers += 1
        return place

    def take(self, place: Place[V]) -> None:
        """The caller waits in a place that it was promised."""
        queue = self._queues.setdefault(place.caller, deque())
        queue.insert(sum(1 for each in queue if each.order < place.order), place)
        self._count += 1

    def first(self) -> Place[V] | None:
        """Who goes next."""
        heads = [queue[0] for queue in self._queues.values()]
        if len(heads) <= 1:
            return heads[0] if heads else None
        return min(heads, key=lambda place: place.order)

    def serve(self, place: Place[V]) -> None:
        """It goes: the line moves on to its tag."""
        self._served = max(self._served, place.tag)
        self._gone(place)
        self._left.pop(place.caller, None)

    def leave(self, place: Place[V]) -> None:
        """It gives its place up; no error when it has none any more.

        A caller's last one is kept for it: whoever hangs up and asks again loses nothing by having waited.
        """
        if self._gone(place) and place.caller not in self._queues:
            self._left[place.caller] = place.order
            if len(self._left) > LEFT_MAX:
                self._left.popitem(last=False)

    def _gone(self, place: Place[V]) -> bool:
        queue = self._queues.get(place.caller)
        if queue is None or place not in queue:
            return False
        queue.remove(place)
        self._count -= 1
        if not queue:
            del self._queues[place.caller]
        return True

    def ahead(self, place: Place[V]) -> Decimal:
        """What stands before it, in points."""
        return sum((each.cost for each in self if each.order < place.order), Decimal(0))

    def ahead_of_new(self, caller: str, cost: Decimal) -> Decimal:
        """What would stand before a new place of the caller."""
        order = (self._tag(caller, cost), self._numbers)
        if caller not in self._queues:
            order = self._left.get(caller, order)
        return sum((each.cost for each in self if each.order < order), Decimal(0))

    def _tag(self, caller: str, cost: Decimal, behind: int = 0) -> int:
        """Behind the caller's own last place, and never before what is being served."""
        queue = self._queues.get(caller)
        step = int(max(cost, Decimal(1)) * TAG_PARTS) // self._weights.get(caller, WEIGHT)
        return max(self._served, behind, queue[-1].tag if queue else 0) + step
