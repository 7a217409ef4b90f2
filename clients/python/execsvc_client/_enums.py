"""The contract's enums as Python enums that survive a newer server.

Names and numbers are the contract's, without the prefix. A number this version does not know becomes a member named
UNKNOWN_<number>: compare with `==`, and give every `match` an else branch.
"""

from enum import IntEnum, StrEnum
from typing import Literal, Self, TypeAlias


class Open(IntEnum):
    """An enum to which a newer server may add members."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int):
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNKNOWN_{value}"
        member._value_ = value
        return member

    def __str__(self) -> str:
        return self.name

    def __format__(self, spec: str) -> str:
        return format(self.name, spec)


class Side(Open):
    """Direction."""

    UNSPECIFIED = 0
    BUY = 1
    SELL = 2


class TimeInForce(Open):
    """How long an order may rest. UNSPECIFIED is GTC."""

    UNSPECIFIED = 0
    GTC = 1
    IOC = 2
    FOK = 3
    GTD = 4


class TriggerReference(Open):
    """The price that fires a trigger. UNSPECIFIED is LAST."""

    UNSPECIFIED = 0
    LAST = 1
    INDEX = 2


class SelfTradePrevention(Open):
    """What gives way when an order would trade against one of the same account. UNSPECIFIED is CANCEL_NEWEST."""

    UNSPECIFIED = 0
    CANCEL_NEWEST = 1
    CANCEL_OLDEST = 2
    CANCEL_BOTH = 3


class FeePreference(Open):
    """The asset in which fees are taken. UNSPECIFIED is QUOTE."""

    UNSPECIFIED = 0
    BASE = 1
    QUOTE = 2


class OrderStatus(Open):
    """Where an order stands."""

    UNSPECIFIED = 0
    SUBMITTED = 1
    IN_DOUBT = 2
    PENDING = 3
    OPEN = 4
    FILLED = 5
    CANCELLED = 6
    EXPIRED = 7
    REJECTED = 8
    NOT_PLACED = 9
    NEVER_SENT = 10


class OrderScope(Open):
    """Whose orders. UNSPECIFIED is OWN; ACCOUNT has those too that were not placed through the gateway."""

    UNSPECIFIED = 0
    OWN = 1
    ALL_CALLERS = 2
    ACCOUNT = 3


ScopeLike: TypeAlias = OrderScope | Literal["own", "all_callers", "account"]


def scope_of(given: ScopeLike) -> OrderScope:
    """The scope that is meant. Raises ValueError for another word."""
    if isinstance(given, OrderScope):
        return given
    words = {"own": OrderScope.OWN, "all_callers": OrderScope.ALL_CALLERS, "account": OrderScope.ACCOUNT}
    if given not in words:
        raise ValueError(f"scope is {given!r}: one of {', '.join(words)}")
    return words[given]


class TimelineKind(Open):
    """What a step in the story of an order is."""

    UNSPECIFIED = 0
    RECEIVED = 1
    CHECKED = 2
    WAITED = 3
    JOURNALED = 4
    SENT = 5
    ANSWERED = 6
    DOUBTED = 7
    BARRIER = 8
    SWEPT = 9
    RESOLVED = 10
    STATUS = 11
    FILLED = 12
    AMENDED = 13
    CANCEL = 14
    REPLAYED = 15
    CORRECTED = 16


class FeedState(Open):
    """State of the exchange feed behind a value; treat anything but LIVE as unfit to quote on."""

    UNSPECIFIED = 0
    LIVE = 1
    STALE = 2
    RESYNCING = 3


class GapReason(Open):
    """Why a stream has a hole."""

    UNSPECIFIED = 0
    UPSTREAM_RECONNECT = 1
    UPSTREAM_INTEGRITY = 2
    SLOW_CONSUMER = 3


class InstrumentStatus(Open):
    """What may be done with a pair now."""

    UNSPECIFIED = 0
    ONLINE = 1
    CANCEL_ONLY = 2
    POST_ONLY = 3
    LIMIT_ONLY = 4
    REDUCE_ONLY = 5
    MAINTENANCE = 6
    WORK_IN_PROGRESS = 7
    DELISTED = 8


class AssetStatus(Open):
    """What may be done with an asset now."""

    UNSPECIFIED = 0
    ENABLED = 1
    DEPOSIT_ONLY = 2
    WITHDRAWAL_ONLY = 3
    FUNDING_DISABLED = 4
    DISABLED = 5


class VenueMode(Open):
    """State of the whole exchange."""

    UNSPECIFIED = 0
    ONLINE = 1
    MAINTENANCE = 2
    CANCEL_ONLY = 3
    POST_ONLY = 4


class TradingMode(Open):
    """What the kill switch allows; treat an unknown one as HALTED."""

    UNSPECIFIED = 0
    NORMAL = 1
    REDUCE_ONLY = 2
    CANCEL_ONLY = 3
    HALTED = 4


ModeLike: TypeAlias = TradingMode | Literal["normal", "reduce_only", "cancel_only", "halted"]


def mode_of(given: ModeLike) -> TradingMode:
    """The mode that is meant. Raises ValueError for another word and for UNSPECIFIED."""
    words = {mode.name.lower(): mode for mode in TradingMode if mode}
    mode = given if isinstance(given, TradingMode) else words.get(given)
    if not mode:
        raise ValueError(f"mode is {given!r}: one of {', '.join(words)}")
    return mode


class CounterKind(Open):
    """Which of Kraken's counters."""

    UNSPECIFIED = 0
    REST_KEY = 1
    ENGINE_PAIR = 2


class CallClass(Open):
    """What kind of call capacity is asked for."""

    UNSPECIFIED = 0
    PLACE = 1
    AMEND = 2
    CANCEL = 3
    READ = 4
    HISTORY = 5


class BreakerState(Open):
    """State of a lane's breaker."""

    UNSPECIFIED = 0
    CLOSED = 1
    OPEN = 2
    PROBING = 3


class Reason(StrEnum):
    """Why a call failed: the words of ErrorInfo.reason. An error's `reason` is a plain str, so newer words survive."""

    INVALID_REQUEST = "INVALID_REQUEST"
    ORDER_TYPE_UNKNOWN = "ORDER_TYPE_UNKNOWN"
    ACCOUNT_REQUIRED = "ACCOUNT_REQUIRED"
    ORDER_MINIMUM_NOT_MET = "ORDER_MINIMUM_NOT_MET"
    TICK_SIZE_VIOLATED = "TICK_SIZE_VIOLATED"
    VENUE_REFUSED_ARGUMENTS = "VENUE_REFUSED_ARGUMENTS"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"  # noqa: S105 - a reason's name, not a password
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    POSITION_NOT_FOUND = "POSITION_NOT_FOUND"
    CLIENT_ORDER_ID_REUSED = "CLIENT_ORDER_ID_REUSED"
    VERSION_MISMATCH = "VERSION_MISMATCH"
    NOT_PLACED = "NOT_PLACED"
    VENUE_DEADLINE_ELAPSED = "VENUE_DEADLINE_ELAPSED"
    ORDER_IN_DOUBT = "ORDER_IN_DOUBT"
    RESUME_TOKEN_EXPIRED = "RESUME_TOKEN_EXPIRED"  # noqa: S105 - a reason's name, not a password
    RISK_REFUSED = "RISK_REFUSED"
    TRADING_HALTED = "TRADING_HALTED"
    INSUFFICIENT_FUNDS = "INSUFFICIENT_FUNDS"
    MARGIN_REFUSED = "MARGIN_REFUSED"
    POST_ONLY_WOULD_TAKE = "POST_ONLY_WOULD_TAKE"
    REDUCE_ONLY_REFUSED = "REDUCE_ONLY_REFUSED"
    INSTRUMENT_STATUS = "INSTRUMENT_STATUS"
    TRIGGER_INDEX_UNAVAILABLE = "TRIGGER_INDEX_UNAVAILABLE"
    ORDER_TERMINAL = "ORDER_TERMINAL"
    VENUE_CREDENTIALS_REJECTED = "VENUE_CREDENTIALS_REJECTED"
    VENUE_PERMISSION_MISSING = "VENUE_PERMISSION_MISSING"
    VENUE_ACCOUNT_RESTRICTED = "VENUE_ACCOUNT_RESTRICTED"
    LOCAL_RATE_LIMITED = "LOCAL_RATE_LIMITED"
    VENUE_RATE_LIMITED = "VENUE_RATE_LIMITED"
    VENUE_ORDER_LIMIT = "VENUE_ORDER_LIMIT"
    CALLER_QUOTA = "CALLER_QUOTA"
    TOO_MANY_STREAMS = "TOO_MANY_STREAMS"
    SLOW_CONSUMER = "SLOW_CONSUMER"
    DEADLINE_TOO_SHORT = "DEADLINE_TOO_SHORT"
    READ_TIMEOUT = "READ_TIMEOUT"
    VENUE_UNREACHABLE = "VENUE_UNREACHABLE"
    VENUE_LOCKED_OUT = "VENUE_LOCKED_OUT"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    NOT_OWNER = "NOT_OWNER"
    CLOCK_UNTRUSTED = "CLOCK_UNTRUSTED"
    SHUTTING_DOWN = "SHUTTING_DOWN"
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105 - a reason's name, not a password
    PERMISSION_MISSING = "PERMISSION_MISSING"
    ACCOUNT_NOT_GRANTED = "ACCOUNT_NOT_GRANTED"
    SYMBOL_NOT_GRANTED = "SYMBOL_NOT_GRANTED"
    VENUE_ERROR = "VENUE_ERROR"
    INTERNAL = "INTERNAL"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    CANCELLED_BY_OTHER = "CANCELLED_BY_OTHER"
