"""The seams: what the use cases need of the world, of the venue and of the store, as protocols.

kraken, store and runtime meet them; app awaits nothing else, so it runs unchanged in simulation. No implementation and no
default lives here. Durations are seconds as float, instants integer nanoseconds since the epoch, `by` a monotonic instant
of the same Clock after which the answer is of no use.
"""

from execsvc.ports.store import (
    Fresh,
    Journal,
    JournalEntry,
    Known,
    NonceBlocks,
    OrderQuery,
    Store,
)
from execsvc.ports.venue import (
    Accepted,
    CancelFoundNothing,
    CancelOutcome,
    CancelTaken,
    ClockReading,
    ExecutionSeen,
    LaneState,
    OrdersSnapshot,
    Placement,
    PrivateEvent,
    PrivateVenue,
    PublicFeed,
    PublicVenue,
    RefusedByVenue,
    Sighting,
    Unknown,
    Unsent,
)
from execsvc.ports.world import (
    Clock,
    Entropy,
    Http,
    Line,
    LineClosedError,
    NotSentError,
    Reply,
    ReplyLostError,
    Tasks,
    WsDialer,
)

__all__ = [
    "Accepted",
    "CancelFoundNothing",
    "CancelOutcome",
    "CancelTaken",
    "Clock",
    "ClockReading",
    "Entropy",
    "ExecutionSeen",
    "Fresh",
    "Http",
    "Journal",
    "JournalEntry",
    "Known",
    "LaneState",
    "Line",
    "LineClosedError",
    "NonceBlocks",
    "NotSentError",
    "OrderQuery",
    "OrdersSnapshot",
    "Placement",
    "PrivateEvent",
    "PrivateVenue",
    "PublicFeed",
    "PublicVenue",
    "RefusedByVenue",
    "Reply",
    "ReplyLostError",
    "Sighting",
    "Store",
    "Tasks",
    "Unknown",
    "Unsent",
    "WsDialer",
]
