"""Faults in gRPC's words: which code a reason travels under, and what google.rpc details go with it.

One table, total over Reason, feeds the gate, the errors inside answers and docs/reference/errors.md. What goes out is cut to
fit into 8 KiB of trailers; nothing here decides whether a call failed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import grpc
from execsvc_api.v1 import common_pb2 as common
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2 as details  # type: ignore[import-untyped]  # googleapis ships no types
from google.rpc import status_pb2

from execsvc.domain.errors import Fault, Reason
from execsvc.rpc.scalars import duration

DOMAIN = "execsvc"
MESSAGE_BYTES = 400
VALUE_BYTES = 300
STATUS_BYTES = 3600  # in base64, with the message beside it, well below 8 KiB
PATIENCE_S = 10.0  # a longer wait is the caller's decision, not its library's

_C = grpc.StatusCode
_R = Reason
_REASONS = {
    _C.INVALID_ARGUMENT: (
        _R.INVALID_REQUEST, _R.ORDER_TYPE_UNKNOWN, _R.ACCOUNT_REQUIRED, _R.ORDER_MINIMUM_NOT_MET, _R.TICK_SIZE_VIOLATED,
        _R.VENUE_REFUSED_ARGUMENTS, _R.PAGE_TOKEN_INVALID,
    ),
    _C.NOT_FOUND: (_R.UNKNOWN_SYMBOL, _R.ORDER_NOT_FOUND, _R.POSITION_NOT_FOUND),
    _C.ALREADY_EXISTS: (_R.CLIENT_ORDER_ID_REUSED,),
    _C.ABORTED: (_R.VERSION_MISMATCH, _R.NOT_PLACED, _R.VENUE_DEADLINE_ELAPSED, _R.ORDER_IN_DOUBT, _R.CANCELLED_BY_OTHER),
    _C.OUT_OF_RANGE: (_R.RESUME_TOKEN_EXPIRED,),
    _C.FAILED_PRECONDITION: (
        _R.RISK_REFUSED, _R.TRADING_HALTED, _R.INSUFFICIENT_FUNDS, _R.MARGIN_REFUSED, _R.POST_ONLY_WOULD_TAKE,
        _R.REDUCE_ONLY_REFUSED, _R.INSTRUMENT_STATUS, _R.TRIGGER_INDEX_UNAVAILABLE, _R.ORDER_TERMINAL,
        _R.VENUE_CREDENTIALS_REJECTED, _R.VENUE_PERMISSION_MISSING, _R.VENUE_ACCOUNT_RESTRICTED,
    ),
    _C.RESOURCE_EXHAUSTED: (
        _R.LOCAL_RATE_LIMITED, _R.VENUE_RATE_LIMITED, _R.VENUE_ORDER_LIMIT, _R.CALLER_QUOTA, _R.TOO_MANY_STREAMS,
        _R.SLOW_CONSUMER,
    ),
    _C.DEADLINE_EXCEEDED: (_R.DEADLINE_TOO_SHORT, _R.READ_TIMEOUT),
    _C.UNAVAILABLE: (
        _R.VENUE_UNREACHABLE, _R.VENUE_LOCKED_OUT, _R.STORE_UNAVAILABLE, _R.NOT_OWNER, _R.CLOCK_UNTRUSTED,
        _R.SHUTTING_DOWN,
    ),
    _C.UNAUTHENTICATED: (_R.TOKEN_INVALID,),
    _C.PERMISSION_DENIED: (_R.PERMISSION_MISSING, _R.ACCOUNT_NOT_GRANTED, _R.SYMBOL_NOT_GRANTED),
    _C.UNKNOWN: (_R.VENUE_ERROR,),
    _C.INTERNAL: (_R.INTERNAL,),
    _C.UNIMPLEMENTED: (_R.NOT_IMPLEMENTED,),
}  # fmt: skip
CODES: Mapping[Reason, grpc.StatusCode] = MappingProxyType(
    {reason: code for code, reasons in _REASONS.items() for reason in reasons}
)
_QUOTAS = frozenset({_R.LOCAL_RATE_LIMITED, _R.VENUE_RATE_LIMITED, _R.CALLER_QUOTA, _R.TOO_MANY_STREAMS})
_FAULTY_SERVER = frozenset({_C.UNKNOWN, _C.DEADLINE_EXCEEDED, _C.UNIMPLEMENTED, _C.INTERNAL, _C.UNAVAILABLE})


@dataclass(frozen=True)
class Verdict:
    """How a call failed: code and sentence, the serialized google.rpc.Status, and the wait for a client library.

    pushback_ms: None says nothing, -1 forbids a retry, else the exact wait.
    """

    code: grpc.StatusCode
    reason: Reason
    message: str
    status: bytes
    pushback_ms: int | None

    @property
    def number(self) -> int:
        """The code as a google.rpc.Code."""
        return number_of(self.code)

    @property
    def healed_by_waiting(self) -> bool:
        """Whether a library repeats it by itself: unavailable, or exhausted with a wait."""
        return self.code is _C.UNAVAILABLE or (self.code is _C.RESOURCE_EXHAUSTED and self.pushback_ms != -1)

    @property
    def server_fault(self) -> bool:
        """Whether a trace shows it as the server's error rather than the caller's."""
        return self.code in _FAULTY_SERVER


def number_of(code: grpc.StatusCode) -> int:
    """The google.rpc.Code of a gRPC status."""
    number: int = code.value[0]
    return number


def call_error(fault: Fault) -> common.CallError:
    """The fault inside a successful answer."""
    return common.CallError(
        code=number_of(CODES[fault.reason]),
        reason=fault.reason.name,
        message=fault.message,
        metadata=fault.metadata,
        retry_after=None if fault.retry_after_s is None else duration(fault.retry_after_s),
    )


def call_error_of(failed: Verdict) -> common.CallError:
    """A failed call as an error inside a successful answer: the same words, out of its status."""
    status = status_pb2.Status.FromString(failed.status)
    info, retry = details.ErrorInfo(), details.RetryInfo()
    waits = False
    for each in status.details:
        each.Unpack(info)
        waits = each.Unpack(retry) or waits
    told = common.CallError(code=status.code, reason=info.reason, message=status.message, metadata=info.metadata)
    if waits:
        told.retry_after.CopyFrom(retry.retry_delay)
    return told


def verdict(fault: Fault, *, venue: str, request_id: str, caller: str = "") -> Verdict:
    """The fault as a call's failure, with exactly one ErrorInfo."""
    code = CODES[fault.reason]
    message = _cut(fault.message, MESSAGE_BYTES)
    metadata = {name: _cut(value, VALUE_BYTES) for name, value in fault.metadata.items()}
    metadata |= {"venue": venue, "request_id": request_id}
    status = status_pb2.Status(code=number_of(code), message=message)
    _attach(status, details.ErrorInfo(reason=fault.reason.name, domain=DOMAIN, metadata=metadata))
    if fault.retry_after_s is not None:
        _attach(status, details.RetryInfo(retry_delay=duration(fault.retry_after_s)))
    if fault.reason in _QUOTAS:
        subject = f"caller:{caller}" if fault.reason in {_R.CALLER_QUOTA, _R.TOO_MANY_STREAMS} else _subject(fault)
        violation = details.QuotaFailure.Violation(subject=subject, description=message)
        _attach(status, details.QuotaFailure(violations=[violation]))
    if fault.reason is _R.RISK_REFUSED:
        violation_of = details.PreconditionFailure.Violation(
            type=fault.reason.name, subject=fault.metadata.get("check", ""), description=message
        )
        _attach(status, details.PreconditionFailure(violations=[violation_of]))
    _attach_fields(status, fault)
    return Verdict(code, fault.reason, message, status.SerializeToString(), _pushback_ms(fault, code))


def _subject(fault: Fault) -> str:
    """Which of Kraken's counters; the adapter names it where it knows it."""
    return fault.metadata.get("subject", "kraken")


def _pushback_ms(fault: Fault, code: grpc.StatusCode) -> int | None:
    """RESOURCE_EXHAUSTED always tells; a used id forbids a blind retry; else only a short wait is worth a library's while."""
    wait_s = fault.retry_after_s
    if code is _C.RESOURCE_EXHAUSTED:
        used = fault.metadata.get("id_used") == "true"
        return -1 if wait_s is None or used else _whole_ms(wait_s)
    if code is not _C.UNAVAILABLE or wait_s is None:
        return None
    return _whole_ms(wait_s) if wait_s <= PATIENCE_S else -1


def _whole_ms(wait_s: float) -> int:
    """Whole milliseconds, none too few: of the nanoseconds that RetryInfo tells, or a binary fraction adds one too many."""
    return -(-round(wait_s * 1e9) // 1_000_000)


def _attach_fields(status: status_pb2.Status, fault: Fault) -> None:
    """BadRequest with every bad field that fits; what does not fit is counted in a last entry."""
    if not fault.fields:
        return
    room = STATUS_BYTES - status.ByteSize() - 120
    bad = details.BadRequest()
    for index, violation in enumerate(fault.fields):
        words = _cut(violation.description, VALUE_BYTES)
        bad.field_violations.add(field=_cut(violation.path, VALUE_BYTES), description=words)
        if bad.ByteSize() > room:
            del bad.field_violations[index:]
            left = len(fault.fields) - index
            bad.field_violations.add(field="", description=f"and {left} more bad fields that do not fit here")
            break
    _attach(status, bad)


def _attach(status: status_pb2.Status, detail: Message) -> None:
    packed: any_pb2.Any = status.details.add()
    packed.Pack(detail)


def _cut(text: str, most: int) -> str:
    """At most so many bytes as gRPC sends a text, which is percent-encoded outside ASCII."""
    cost = 0
    for index, letter in enumerate(text):
        cost += 1 if " " <= letter <= "~" and letter != "%" else 3 * len(letter.encode())
        if cost > most:
            return f"{text[: max(0, index - 3)]}..."
    return text
