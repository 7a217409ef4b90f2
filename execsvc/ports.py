"""The seams: what the use cases need of the world, of the venue and of the store, as protocols.

kraken, store and runtime meet them; app awaits nothing else, so it runs unchanged in simulation. No implementation and no
default lives here. Durations are seconds as float, instants integer nanoseconds since the epoch, `by` a monotonic instant
of the same Clock after which the answer is of no use.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from execsvc.domain.account import Balance, Fill, FillQuery, KeyFacts
from execsvc.domain.errors import Fault
from execsvc.domain.ids import OrderKey
from execsvc.domain.instrument import Asset, Instrument
from execsvc.domain.market import (
    Beat,
    BookView,
    Candle,
    FeedEvent,
    LinkDown,
    LinkUp,
    Ticker,
    Topic,
    TradePage,
    VenueMode,
)
from execsvc.domain.order import Intent, Order, OrderEvent, Status, VenueOrder

T = TypeVar("T")

# ---- the world ---------------------------------------------------------------------------------------------------


class Clock(Protocol):
    """Time. The only reader of a real clock is runtime/clock.py."""

    def monotonic(self) -> float:
        """Seconds that never step back; the scale of every `by`."""
        ...

    def wall_ns(self) -> int:
        """Nanoseconds since the epoch, as the machine believes."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits; zero or less yields once."""
        ...

    def timeout_at(self, by: float | None) -> AbstractAsyncContextManager[Any]:
        """Cancels its block at monotonic `by` and raises TimeoutError; None never does."""
        ...


class Entropy(Protocol):
    """Chance. A branch is independent: a new draw in one never shifts another."""

    def token(self, size: int) -> bytes:
        """`size` unpredictable bytes."""
        ...

    def uniform(self) -> float:
        """From 0 to just below 1: for jitter, never for money."""
        ...

    def branch(self, name: str) -> "Entropy":
        """The source of that name."""
        ...


class Tasks(Protocol):
    """Work the server owns: it outlives the caller that asked for it."""

    def start(self, name: str, work: Coroutine[Any, Any, T]) -> Awaitable[T]:
        """Runs `work` now, strongly referenced; awaiting the handle from a cancelled caller leaves it running."""
        ...

    def supervise(self, name: str, factory: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs a loop for ever: one that dies is made anew by rule, or takes the service down loudly."""
        ...


@dataclass(frozen=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class NotSentError(Exception):
    """No byte of the request left us: DNS, connect or TLS failure on a fresh connection."""


class ReplyLostError(Exception):
    """Bytes left, no whole answer came; also the choice when it cannot be known."""


class Http(Protocol):
    """One request, sent at most once: no redirects, no retries, whatever happens."""

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, timeout_s: float
    ) -> Reply:
        """Raises NotSentError or ReplyLostError."""
        ...


class LineClosedError(Exception):
    """The WebSocket is gone; the message says why."""


class Line(Protocol):
    """One open WebSocket."""

    async def send(self, text: str) -> None:
        """Raises LineClosedError."""
        ...

    async def receive(self) -> bytes:
        """The next whole text frame, as bytes. Raises LineClosedError."""
        ...

    async def close(self) -> None:
        """Closes; never raises."""
        ...


class WsDialer(Protocol):
    """Opens WebSockets."""

    async def dial(self, url: str, timeout_s: float) -> Line:
        """Raises NotSentError when no connection came about."""
        ...


# ---- the venue ---------------------------------------------------------------------------------------------------


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
    """Bytes left and the answer does not settle it; `why` is for the order's story."""

    why: str


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
class Sighting:
    """One full sweep: open orders, then closed ones, on the key that sent. Keys are wire ids; absent: not seen.

    barrier_ns: when, on our clock, an answer proved that a later nonce of the key was accepted.
    """

    began_ns: int
    ended_ns: int
    barrier_ns: int
    found: Mapping[str, VenueOrder]


@dataclass(frozen=True)
class OrdersSnapshot:
    """All open orders of the account, as the stream opened; what is not in it is open no more."""

    reports: tuple[VenueOrder, ...]


@dataclass(frozen=True)
class ExecutionSeen:
    """One report of the private stream; fill is set when it is a trade (caller and client order id still empty)."""

    report: VenueOrder
    fill: Fill | None


PrivateEvent = LinkUp | LinkDown | Beat | OrdersSnapshot | ExecutionSeen


@dataclass(frozen=True)
class LaneState:
    """One lane of a key, for GetVenueStatus."""

    key_label: str
    lane: str
    queue_depth: int
    blocked_until_ns: int | None
    stopped: bool


class PrivateVenue(Protocol):
    """One account at the venue, through its key. Reads raise as PublicVenue's do."""

    @property
    def key_label(self) -> str:
        """A name for the key that is not the key."""
        ...

    async def place(self, order: Order, instrument: Instrument, by: float) -> Placement:
        """One POST, never repeated; Unsent when its turn came too late. What venue and network do is never raised."""
        ...

    async def cancel(self, order: Order, by: float) -> CancelOutcome:
        """By txid where known, else by wire id; repeated inside until `by`."""
        ...

    async def sweep(self, wire_ids: frozenset[str], by: float) -> Sighting:
        """Looks in open, then in closed orders. Raises when a look did not succeed: that proves nothing."""
        ...

    async def query(self, venue_order_ids: tuple[str, ...], by: float) -> tuple[VenueOrder, ...]:
        """Orders by txid, any number (asked 50 at a time)."""
        ...

    async def balances(self, by: float) -> tuple[Balance, ...]:
        """What is not zero, by asset."""
        ...

    async def fills(self, account: str, query: FillQuery, by: float) -> tuple[tuple[Fill, ...], int]:
        """Newest first, at most query.size, and how many there are in all."""
        ...

    async def key_facts(self, by: float) -> KeyFacts:
        """GetApiKeyInfo."""
        ...

    def lanes(self) -> tuple[LaneState, ...]:
        """The lanes as they stand."""
        ...

    def events(self) -> AsyncIterator[PrivateEvent]:
        """The private stream, dialling again by itself, for ever. One reader."""
        ...


# ---- the store ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fresh:
    """This process's insert won: it alone may send."""

    order: Order


@dataclass(frozen=True)
class Known:
    """The id was used before, for the same content."""

    order: Order


@dataclass(frozen=True)
class JournalEntry:
    """One published fact, in journal order: an order's new state, or a fill (the order that includes it follows)."""

    sequence: int
    order: Order | None = None
    fill: Fill | None = None


@dataclass(frozen=True)
class OrderQuery:
    """Newest first. Empty filters mean all; end exclusive; `before` is a page's last (create_time_ns, key)."""

    account: str
    caller: str = ""
    symbol: str = ""
    statuses: frozenset[Status] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    size: int = 100
    before: tuple[int, OrderKey] | None = None


class Journal(Protocol):
    """Orders and fills, durable before anybody is told. Raises Busy(STORE_UNAVAILABLE) when the store fails.

    Every write is committed (fsync) before it returns; writes queued at once share one commit.
    """

    async def begin(self, intent: Intent, now_ns: int) -> Fresh | Known:
        """Makes the intent durable. A NEVER_SENT order of the same content starts its next attempt (Fresh).

        Raises Conflict(CLIENT_ORDER_ID_REUSED) with both content hashes when the id stands for other content.
        """
        ...

    async def record(self, key: OrderKey, event: OrderEvent, now_ns: int) -> Order:
        """Folds the event into the order and commits; a no-news event writes nothing. Raises Broken as apply() does."""
        ...

    async def record_fill(
        self, fill: Fill, key: OrderKey | None, event: OrderEvent | None, now_ns: int
    ) -> Order | None:
        """Commits a fill and, with it, the event on its order. A fill_id seen before is not written twice."""
        ...

    async def get(self, key: OrderKey) -> Order | None:
        """One order."""
        ...

    async def find(self, account: str, *, venue_order_id: str = "", venue_client_id: str = "") -> Order | None:
        """One order by either of Kraken's ids (any attempt's wire id)."""
        ...

    async def in_status(self, account: str, statuses: frozenset[Status]) -> tuple[Order, ...]:
        """All orders in these states, oldest first: what a start must resolve or watch."""
        ...

    async def page(self, query: OrderQuery) -> tuple[Order, ...]:
        """At most query.size orders, newest first."""
        ...

    async def after(self, account: str, sequence: int, limit: int) -> tuple[JournalEntry, ...]:
        """Entries with a higher sequence, oldest first. Raises Conflict(RESUME_TOKEN_EXPIRED) when they are gone."""
        ...

    async def last_sequence(self, account: str) -> int:
        """The newest entry's sequence; 0 when there is none."""
        ...

    def subscribe(self, listener: Callable[[JournalEntry], None]) -> Callable[[], None]:
        """Calls `listener` in the loop, in sequence order, after each commit; returns how to stop."""
        ...


class NonceBlocks(Protocol):
    """Nonce ranges, durable before the first of them is used."""

    async def reserve(self, key_fingerprint: str, floor: int, size: int) -> range:
        """`size` nonces above everything ever reserved for the key and above `floor`."""
        ...

    async def high_water(self, key_fingerprint: str) -> int | None:
        """The highest nonce ever reserved; None for a key never used here."""
        ...


class Store(Journal, NonceBlocks, Protocol):
    """One opened store, exclusively ours until closed."""

    @property
    def installation_secret(self) -> bytes:
        """32 bytes, made at the store's birth: the key of wire_id()."""
        ...

    @property
    def epoch(self) -> int:
        """Grows by one with every opening."""
        ...

    @property
    def journal_id(self) -> str:
        """Names this journal in resume tokens: a token of another store is refused, not misread."""
        ...

    async def close(self) -> None:
        """Finishes what is queued, then closes."""
        ...
