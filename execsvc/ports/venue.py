"""The seam to the venue: market data without a key, and one account through its key.

kraken meets it. The outcome of a placement is a value with four cases, so that no caller can forget one.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from execsvc.domain.account import Balance, Fill, FillQuery, KeyFacts
from execsvc.domain.errors import Fault
from execsvc.domain.instrument import Asset, Instrument
from execsvc.domain.market import (
    Beat,
    BookView,
    Candle,
    EventTimes,
    FeedEvent,
    LinkDown,
    LinkUp,
    ModeSeen,
    Ticker,
    Topic,
    TradePage,
    VenueMode,
)
from execsvc.domain.order import Order, VenueOrder
from execsvc.domain.story import Step
from execsvc.ports.amends import AmendVenue
from execsvc.ports.rates import Rates, Room


@dataclass(frozen=True)
class ClockReading:
    """Kraken's clock minus ours, and how far that may be off; seconds."""

    offset_s: float
    uncertainty_s: float
    round_trip_s: float


class PublicFeed(Protocol):
    """One public market-data connection that dials again by itself."""

    def want(self, topics: frozenset[Topic]) -> None:
        """Sets the whole wish: what is new is subscribed, what is missing unsubscribed, soon and in bounded bursts."""
        ...

    def renew(self, topic: Topic) -> None:
        """Subscribes one topic anew; a snapshot follows."""
        ...

    def events(self) -> AsyncIterator[FeedEvent]:
        """Events in order, for ever; ends only when the iterator is closed. One reader."""
        ...


class PublicVenue(Protocol):
    """Market data without a key. Reads raise Busy (VENUE_UNREACHABLE, READ_TIMEOUT …), Declined or ProtocolBroken."""

    async def instruments(self) -> tuple[Instrument, ...]:
        """Every pair, by symbol."""
        ...

    async def assets(self) -> tuple[Asset, ...]:
        """Every asset, by code."""
        ...

    async def indexed(self) -> Mapping[str, bool]:
        """Whether a pair has an index price, by symbol; what it does not name is not known."""
        ...

    async def tickers(self, instruments: tuple[Instrument, ...], by: float) -> tuple[Ticker, ...]:
        """Pictures over REST; empty asks for all."""
        ...

    async def book(self, instrument: Instrument, depth: int, by: float) -> BookView:
        """The book over REST."""
        ...

    async def candles(
        self, instrument: Instrument, interval_s: int, since_ns: int | None, by: float
    ) -> tuple[Candle, ...]:
        """Oldest first, the open one last; at most about 720."""
        ...

    async def trades(self, instrument: Instrument, since_ns: int | None, count: int, by: float) -> TradePage:
        """Oldest first, since exclusive; None: the latest."""
        ...

    async def mode(self, by: float) -> VenueMode:
        """SystemStatus."""
        ...

    async def clock(self, by: float) -> ClockReading:
        """Reads Kraken's clock once."""
        ...

    def feed(self) -> PublicFeed:
        """A new feed, not yet dialled."""
        ...


@dataclass(frozen=True)
class Accepted:
    """Kraken took the order."""

    venue_order_id: str


@dataclass(frozen=True)
class RefusedByVenue:
    """Kraken refused the order; nothing of it exists ("Deadline elapsed" only after one look by id)."""

    fault: Fault


@dataclass(frozen=True)
class Unknown:
    """Bytes left and the answer does not settle it; `why` is for the order's story.

    late: where the answer is only overdue, what it says if it still comes (Accepted, RefusedByVenue or Unknown), bounded.
    """

    why: str
    late: "Awaitable[Placement] | None" = None


@dataclass(frozen=True)
class Unsent:
    """No byte left us; the fault says why."""

    fault: Fault


Placement = Accepted | RefusedByVenue | Unknown | Unsent


@dataclass(frozen=True)
class CancelTaken:
    """Kraken took the cancel; pending: accepted, not yet done."""

    pending: bool


@dataclass(frozen=True)
class CancelFoundNothing:
    """Kraken knows no such open order: it is terminal, or (in doubt) not there yet."""


CancelOutcome = CancelTaken | CancelFoundNothing


@dataclass(frozen=True)
class CancelTarget:
    """One order of many to cancel, by txid where it is not empty, else by wire id; symbol: whose counter is charged."""

    venue_order_id: str
    venue_client_id: str
    symbol: str

    @property
    def counted_as(self) -> str:
        """The id its counter knows it by."""
        return self.venue_order_id or self.venue_client_id


@dataclass(frozen=True)
class Sighting:
    """One full sweep: open orders, then closed ones, on the key that sent. Keys are wire ids; absent: not seen.

    looked_for: the ids whose look was finished; of any other it says nothing. Instants are monotonic; barrier: when an answer
    proved that a later nonce of the key was accepted.
    """

    began: float
    ended: float
    barrier: float
    found: Mapping[str, VenueOrder]
    looked_for: frozenset[str]


@dataclass(frozen=True)
class KeyCheck:
    """GetApiKeyInfo, answered: what the key may do, and what its nonce tells.

    accepted: monotonic instant at which a nonce of this process was proved accepted: everything signed before is dead.
    foreign_nonce: a nonce Kraken has seen of this key that was never reserved here; None when all are ours.
    """

    facts: KeyFacts
    accepted: float
    foreign_nonce: int | None


@dataclass(frozen=True)
class OrdersSnapshot:
    """All open orders of the account, as the stream opened; what is not in it is open no more.

    trades: the account's last ones, oldest first, repeats included; trades_whole: it never had others.
    """

    reports: tuple[VenueOrder, ...]
    trades: tuple["ExecutionSeen", ...] = ()
    trades_whole: bool = True


@dataclass(frozen=True)
class ExecutionSeen:
    """One report of the private stream; fill is set when it is a trade (caller and client order id still empty)."""

    report: VenueOrder
    fill: Fill | None


@dataclass(frozen=True)
class BalanceSeen:
    """A balance after one change. total: as `balances` has it; None: it moved in a wallet that `balances` lists elsewhere."""

    asset: str
    total: Decimal | None
    times: EventTimes


@dataclass(frozen=True)
class BalancesSnapshot:
    """All balances, as the stream opened; from here on every change of one is told. Without it none is."""

    rows: tuple[BalanceSeen, ...]


@dataclass(frozen=True)
class BalancesRefused:
    """The venue does not tell of balances for now; `why` in its own words. Orders are told all the same."""

    why: str


PrivateEvent = (
    LinkUp
    | LinkDown
    | Beat
    | ModeSeen
    | OrdersSnapshot
    | ExecutionSeen
    | BalanceSeen
    | BalancesSnapshot
    | BalancesRefused
)


@dataclass(frozen=True)
class LaneState:
    """One lane of a key, for GetVenueStatus: cancel, trade or read; its breaker closed, open or probing.

    stopped: open until a person acts; else an open one ends at blocked_until_ns.
    """

    key_label: str
    lane: str
    breaker: str
    queue_depth: int
    blocked_until_ns: int | None
    stopped: bool


class PrivateVenue(Protocol):
    """One account at the venue, through its key. Reads raise as PublicVenue's do."""

    @property
    def key_label(self) -> str:
        """A name for the key that is not the key."""
        ...

    @property
    def rates(self) -> Rates:
        """Kraken's counters, as they are counted here."""
        ...

    @property
    def amends(self) -> AmendVenue:
        """Amends of this account's orders."""
        ...

    def resume(self, past: Sequence[Order] | None, *, looks_ran: bool) -> None:
        """At the start of a life, before the first call: orders written down of late; None: the exchange is new as well.

        looks_ran: an earlier life may have looked for orders in doubt, which uses what reads must leave.
        """
        ...

    async def place(
        self,
        order: Order,
        instrument: Instrument,
        by: float,
        *,
        room: Room,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> Placement:
        """One POST, never repeated; Unsent when its turn came too late. What venue and network do is never raised.

        `room` was set aside by `rates`; it is used up or given back here. `by`, monotonic, is the entry deadline: it travels
        to the venue in the venue's own time, on the early side.
        `forbidden` is asked once the turn has come: a fault means that nothing may leave any more. `note` is told each step.
        """
        ...

    async def place_many(
        self,
        orders: Sequence[Order],
        instrument: Instrument,
        by: float,
        *,
        rooms: Sequence[Room],
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> tuple[Placement, ...]:
        """2 to 15 orders of one pair and caller in one POST, never repeated; an outcome for each. Else as `place`."""
        ...

    async def cancel(
        self, venue_order_id: str, venue_client_id: str, by: float, *, symbol: str = "", caller: str = ""
    ) -> CancelOutcome:
        """By txid where it is not empty, else by wire id; repeated inside until `by`.

        symbol: whose counter is charged; empty where it is not known. Cancels are counted and never held back by a counter.
        """
        ...

    async def cancel_many(self, targets: Sequence[CancelTarget], by: float, *, caller: str = "") -> int:
        """Any number of orders, 50 at a time; how many were cancelled. Which of them is told by the stream, or asked for."""
        ...

    async def cancel_all(self, by: float, *, caller: str = "") -> int:
        """Every open order of the account, whoever placed it; how many. Raises LOCAL_RATE_LIMITED rather than wait."""
        ...

    async def cancel_all_after(self, timeout_s: int, by: float, *, caller: str = "") -> int | None:
        """Arms the venue's own account-wide timer; 0 takes it off. When it fires, in the venue's time; None: it is off."""
        ...

    async def sweep(
        self, wire_ids: frozenset[str], by: float, *, counts: bool = True, since_ns: int | None = None
    ) -> Sighting:
        """Looks in open, then in closed orders. Raises when no look succeeded: that proves nothing.

        since_ns: none of them was written down before, by a clock that was a few seconds off the venue's at the most.
        A look that does not count towards a negative leaves the key's last points to those that do. Raises Busy
        (LOCAL_RATE_LIMITED) with the exact wait, before the first call, when the key's counter does not allow the whole look.
        """
        ...

    async def query(
        self, venue_order_ids: tuple[str, ...], by: float, *, caller: str = "", resolving: bool = False
    ) -> tuple[VenueOrder, ...]:
        """Orders by txid, any number (asked 50 at a time). resolving: it may use the points that other reads leave."""
        ...

    async def balances(self, by: float, *, caller: str = "") -> tuple[Balance, ...]:
        """What is not zero, by asset; equal reads at one time are one call."""
        ...

    async def fills(
        self, account: str, query: FillQuery, by: float, *, caller: str = "", resolving: bool = False
    ) -> tuple[tuple[Fill, ...], int]:
        """Newest first, at most query.size, and how many there are in all; equal reads at one time are one call.

        resolving: it may use some of the points that other reads leave, or raises Busy (LOCAL_RATE_LIMITED) at once.
        """
        ...

    async def check_key(self, by: float) -> KeyCheck:
        """GetApiKeyInfo. Raises Declined when Kraken refuses key or nonces for good, Busy when it does not answer."""
        ...

    def clock(self) -> ClockReading | None:
        """Kraken's clock against ours as it is known now; None before any stamp of Kraken's was seen."""
        ...

    def accepted_after(self, since: float) -> float | None:
        """When an answer proved that the venue accepted a nonce taken after `since` (both monotonic); None: not yet.

        Whatever was signed before `since` can no longer get in (promises.md section 4).
        """
        ...

    def lanes(self) -> tuple[LaneState, ...]:
        """The lanes as they stand."""
        ...

    def events(self) -> AsyncIterator[PrivateEvent]:
        """The private stream, dialling again by itself, for ever. One reader."""
        ...
