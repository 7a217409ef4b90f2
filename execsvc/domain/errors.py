"""Everything that can go wrong, by what the caller may do next.

    ExecsvcError          never raised itself; carries one Fault
    ├── Declined          nothing happened; asking again unchanged is useless
    ├── Conflict          nothing happened; the same id or token already means something else
    ├── Busy              nothing happened (or it was only a read); ask again, after retry_after_s where given
    ├── ProtocolBroken    the venue said what we cannot read; on an order it becomes a doubt, never an error
    └── Broken            a rule of ours is violated: stop, let the journal recover

A doubt is not in this tree: it is an order state. `Reason` is the contract's ErrorReason without its prefix; which gRPC
code a reason travels under is rpc/status.py's table, which Kraken text leads to it is kraken/faults.py's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum


class Reason(IntEnum):
    """Why: the numbers are the contract's (proto/execsvc/v1/error_reason.proto) and never change."""

    INVALID_REQUEST = 1
    ORDER_TYPE_UNKNOWN = 2
    ACCOUNT_REQUIRED = 3
    ORDER_MINIMUM_NOT_MET = 4
    TICK_SIZE_VIOLATED = 5
    VENUE_REFUSED_ARGUMENTS = 6
    PAGE_TOKEN_INVALID = 7
    UNKNOWN_SYMBOL = 8
    ORDER_NOT_FOUND = 9
    POSITION_NOT_FOUND = 10
    CLIENT_ORDER_ID_REUSED = 11
    VERSION_MISMATCH = 12
    NOT_PLACED = 13
    VENUE_DEADLINE_ELAPSED = 14
    ORDER_IN_DOUBT = 15
    RESUME_TOKEN_EXPIRED = 16
    RISK_REFUSED = 17
    TRADING_HALTED = 18
    INSUFFICIENT_FUNDS = 19
    MARGIN_REFUSED = 20
    POST_ONLY_WOULD_TAKE = 21
    REDUCE_ONLY_REFUSED = 22
    INSTRUMENT_STATUS = 23
    TRIGGER_INDEX_UNAVAILABLE = 24
    ORDER_TERMINAL = 25
    VENUE_CREDENTIALS_REJECTED = 26
    VENUE_PERMISSION_MISSING = 27
    VENUE_ACCOUNT_RESTRICTED = 28
    LOCAL_RATE_LIMITED = 29
    VENUE_RATE_LIMITED = 30
    VENUE_ORDER_LIMIT = 31
    CALLER_QUOTA = 32
    TOO_MANY_STREAMS = 33
    SLOW_CONSUMER = 34
    DEADLINE_TOO_SHORT = 35
    READ_TIMEOUT = 36
    VENUE_UNREACHABLE = 37
    VENUE_LOCKED_OUT = 38
    STORE_UNAVAILABLE = 39
    NOT_OWNER = 40
    CLOCK_UNTRUSTED = 41
    SHUTTING_DOWN = 42
    TOKEN_INVALID = 43
    PERMISSION_MISSING = 44
    ACCOUNT_NOT_GRANTED = 45
    SYMBOL_NOT_GRANTED = 46
    VENUE_ERROR = 47
    INTERNAL = 48
    NOT_IMPLEMENTED = 49
    CANCELLED_BY_OTHER = 50


@dataclass(frozen=True)
class FieldViolation:
    """One bad field: its proto path (`spec.limit.limit_price`) and what is wrong, for a person."""

    path: str
    description: str


@dataclass(frozen=True)
class Fault:
    """One reason in words; what an error carries and what an ended order remembers.

    `metadata` holds the figures the contract names for the reason (`increment`, `suggestions`, `id_used` …) and, where
    Kraken spoke, `venue_error` with its raw text. `retry_after_s` is present only where waiting heals.
    """

    reason: Reason
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    fields: tuple[FieldViolation, ...] = ()
    retry_after_s: float | None = None

    def with_metadata(self, **more: str) -> "Fault":
        """The same fault with more figures; the new ones win."""
        return replace(self, metadata={**self.metadata, **more})


class ExecsvcError(Exception):
    """Carries a Fault; raise one of the subclasses."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.fault.reason.name}: {self.fault.message}>"

    @property
    def reason(self) -> Reason:
        """The fault's reason."""
        return self.fault.reason


class Declined(ExecsvcError):
    """Nothing happened; asking again unchanged is useless."""


class Conflict(ExecsvcError):
    """Nothing happened; the id, version or token already means something else."""


class Busy(ExecsvcError):
    """Nothing happened; ask again later."""


class ProtocolBroken(ExecsvcError):
    """The venue's answer cannot be read."""


class Broken(ExecsvcError):
    """A rule of this house is violated."""


_CONFLICTS = frozenset({
    Reason.CLIENT_ORDER_ID_REUSED, Reason.VERSION_MISMATCH, Reason.NOT_PLACED, Reason.VENUE_DEADLINE_ELAPSED,
    Reason.ORDER_IN_DOUBT, Reason.RESUME_TOKEN_EXPIRED,
})  # fmt: skip
_BUSY = frozenset({
    Reason.LOCAL_RATE_LIMITED, Reason.VENUE_RATE_LIMITED, Reason.VENUE_ORDER_LIMIT, Reason.CALLER_QUOTA,
    Reason.TOO_MANY_STREAMS, Reason.SLOW_CONSUMER, Reason.DEADLINE_TOO_SHORT, Reason.READ_TIMEOUT,
    Reason.VENUE_UNREACHABLE, Reason.VENUE_LOCKED_OUT, Reason.STORE_UNAVAILABLE, Reason.NOT_OWNER,
    Reason.CLOCK_UNTRUSTED, Reason.SHUTTING_DOWN,
})  # fmt: skip


def error_of(fault: Fault) -> ExecsvcError:
    """The exception class a fault is raised as; total over Reason."""
    if fault.reason in _CONFLICTS:
        return Conflict(fault)
    if fault.reason in _BUSY:
        return Busy(fault)
    if fault.reason is Reason.VENUE_ERROR:
        return ProtocolBroken(fault)
    if fault.reason is Reason.INTERNAL:
        return Broken(fault)
    return Declined(fault)


def refuse(
    reason: Reason,
    message: str,
    *,
    fields: tuple[FieldViolation, ...] = (),
    retry_after_s: float | None = None,
    **metadata: str,
) -> ExecsvcError:
    """The error to raise for a reason; keywords beyond the named ones become its metadata."""
    return error_of(Fault(reason, message, metadata, fields, retry_after_s))


def invalid(fields: tuple[FieldViolation, ...]) -> ExecsvcError:
    """INVALID_REQUEST naming every bad field at once; `fields` is not empty."""
    listed = "; ".join(f"{bad.path}: {bad.description}" if bad.path else bad.description for bad in fields)
    return refuse(Reason.INVALID_REQUEST, f"the request is malformed: {listed}", fields=fields)
