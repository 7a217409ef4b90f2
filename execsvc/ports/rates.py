"""The seam to Kraken's counters: how full they are, when a call may go, and room set aside for one placement.

Points are Kraken's own (kraken.md 3): a REST counter for each key, a matching-engine counter for each pair. What is told
here is never below Kraken's own count. How it is worked out is kraken/counters.py's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Protocol


class CounterKind(Enum):
    """Which of Kraken's counters."""

    REST_KEY = "rest_key"
    ENGINE_PAIR = "engine_pair"


class CallClass(Enum):
    """What kind of call is asked about. AMEND and CANCEL cost by the order's age, HISTORY more than READ."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    READ = "read"
    HISTORY = "history"


@dataclass(frozen=True)
class CounterState:
    """One counter now, points as Kraken counts them; name: the key's label or the symbol.

    headroom: what may be used now, margin and reserves taken off; venue_level: Kraken's own last word, None where it said
    none; reserve: points that reads leave for resolving; open orders are of the pair, 0 for a key.
    """

    kind: CounterKind
    name: str
    level: Decimal
    maximum: Decimal
    decay_per_s: Decimal
    headroom: Decimal
    reserve: Decimal = Decimal(0)
    venue_level: Decimal | None = None
    open_orders: int = 0
    max_open_orders: int = 0
    blocked_until_ns: int | None = None


@dataclass(frozen=True)
class CapacityQuestion:
    """When may `count` such calls go? order_age_s: of the order to amend or cancel; None: the youngest, so the dearest."""

    call_class: CallClass
    symbol: str = ""
    count: int = 1
    order_age_s: float | None = None


@dataclass(frozen=True)
class CapacityAnswer:
    """allowed_now: how many of them may go at once; wait_s: until all of them may, 0 now, None never.

    spacing_s: seconds between two such calls once the counter is full; None where nothing is counted or nothing may go.
    """

    allowed_now: int
    wait_s: float | None
    spacing_s: float | None


class Room(Protocol):
    """Points and an open order set aside for one placement, until it is sent or given back."""

    def release(self) -> None:
        """Nothing was sent: the room is free again. Does nothing once it was sent."""
        ...


class Rates(Protocol):
    """Kraken's counters of one account and its key."""

    @property
    def tier(self) -> str:
        """starter, intermediate, pro or unlimited: the figures counted with."""
        ...

    @property
    def problems(self) -> tuple[str, ...]:
        """What an operator should know of the figures counted with, in words."""
        ...

    def counters(self, symbols: tuple[str, ...]) -> tuple[CounterState, ...]:
        """The key's counter, then those of these pairs; of every pair used so far when none is named."""
        ...

    def capacity(self, question: CapacityQuestion) -> CapacityAnswer:
        """When calls may go, others that wait not counted."""
        ...

    def place_cost(self) -> Decimal:
        """Points that one placement adds to the pair's counter."""
        ...

    async def room(self, symbol: str, caller: str, by: float) -> Room:
        """Room for one placement, waited for until monotonic `by` at most; callers get their turns fairly.

        Raises Busy: LOCAL_RATE_LIMITED with the exact wait when there is none by then, VENUE_ORDER_LIMIT when too many orders
        of the pair are open.
        """
        ...

    async def rooms(self, symbol: str, caller: str, by: float, count: int) -> Sequence[Room]:
        """Room for so many placements in one call, one each. Waits and raises as `room`."""
        ...
