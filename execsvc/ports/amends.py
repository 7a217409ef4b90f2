"""The seam of amends: their part of the journal, and their part of the venue. kraken and store meet it.

An amend and what it does to its order are durable in one commit, so no reader sees one without the other. The outcome of
sending one is a value with four cases, as a placement's is.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from execsvc.domain.amend import Amend, AmendEvent, AmendIntent, AmendKey
from execsvc.domain.amendwish import ShownAmend
from execsvc.domain.errors import Fault
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order
from execsvc.domain.story import Step
from execsvc.ports.rates import Room


@dataclass(frozen=True)
class FreshAmend:
    """This process's insert won: it alone may send. `order` is the order as it was at that commit."""

    amend: Amend
    order: Order


@dataclass(frozen=True)
class KnownAmend:
    """The request_id was used before on this order, for the same content. `order` is the order as it is now."""

    amend: Amend
    order: Order


class AmendJournal(Protocol):
    """Amends, durable before anybody is told. Raises Busy(STORE_UNAVAILABLE) when the store fails; else as Journal does."""

    async def begin(self, intent: AmendIntent, now_ns: int, steps: tuple[Step, ...] = ()) -> FreshAmend | KnownAmend:
        """Makes the intent durable, with its audit record and its step of the order's story.

        What only a commit can know is checked here: raises Conflict when the request_id stands for other content, when
        another amend of the order is unsettled, when the order has moved on from `if_version`, or is not at the venue (any
        more). A NEVER_SENT amend of the same content starts its next attempt (FreshAmend).
        """
        ...

    async def record(
        self, key: AmendKey, event: AmendEvent, now_ns: int, steps: tuple[Step, ...] = ()
    ) -> tuple[Amend, Order]:
        """Folds the event into the amend and, when it was applied, the change into its order.

        A no-news event writes nothing but `steps`. Raises Broken as Amend.apply().
        """
        ...

    async def get(self, key: AmendKey) -> KnownAmend | None:
        """One amend, and its order."""
        ...

    async def of(self, order: OrderKey) -> tuple[Amend, ...]:
        """Every amend of the order."""
        ...

    async def unsettled(self, account: str) -> tuple[Amend, ...]:
        """Those whose fate is not known, oldest first: what a start must resolve."""
        ...

    async def since(self, account: str, since_ns: int, limit: int) -> tuple[Amend, ...]:
        """Those begun at `since_ns` or later, newest first: what may still count at the venue."""
        ...


@dataclass(frozen=True)
class AmendTaken:
    """Kraken took the amend under this id."""

    amend_id: str


@dataclass(frozen=True)
class AmendDeclined:
    """Kraken refused it: the order is as it was ("Deadline elapsed" only after one look)."""

    fault: Fault


@dataclass(frozen=True)
class AmendUnsent:
    """No byte left us; the fault says why."""

    fault: Fault


@dataclass(frozen=True)
class AmendUnknown:
    """Bytes left and the answer does not settle it. late: what an overdue answer says if it still comes, bounded."""

    why: str
    late: "Awaitable[AmendOutcome] | None" = None


AmendOutcome = AmendTaken | AmendDeclined | AmendUnknown | AmendUnsent


@dataclass(frozen=True)
class AmendLook:
    """Every state the order has had, oldest first. Instants are monotonic; the answer itself is a barrier at `ended`."""

    began: float
    ended: float
    shown: tuple[ShownAmend, ...]


class AmendVenue(Protocol):
    """Amends of one account at the venue, through its key."""

    def resume(self, past: Sequence[KnownAmend]) -> None:
        """At the start of a life, before the first call: amends of late that may have been sent."""
        ...

    async def room(self, symbol: str, order_id: str, caller: str, by: float) -> Room:
        """Room for one amend of that order in the pair's counter; else as Rates.room()."""
        ...

    async def send(
        self,
        amend: Amend,
        order: Order,
        instrument: Instrument,
        by: float,
        *,
        room: Room,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> AmendOutcome:
        """One POST, never repeated; everything else as PrivateVenue.place."""
        ...

    async def look(self, venue_order_id: str, by: float) -> AmendLook:
        """Asks for every state of one order. Raises Busy, Declined or ProtocolBroken: that proves nothing."""
        ...
