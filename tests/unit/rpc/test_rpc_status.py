"""Reasons and codes: the table whole, and what goes out with a fault."""

import re

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

from execsvc.domain.errors import Fault, FieldViolation, Reason
from execsvc.rpc.status import CODES, STATUS_BYTES, call_error, number_of, verdict
from tests.house.contract_source import elements, enums

COMMENTS = {
    each.name.removeprefix("ERROR_REASON_"): each.comment
    for each in elements()
    if each.owner == "ErrorReason" and each.name != "ERROR_REASON_UNSPECIFIED"
}


def told(fault, **more):
    return verdict(fault, **({"venue": "paper", "request_id": "r1", "caller": "ann"} | more))


def unpacked(given):
    status = status_pb2.Status.FromString(given.status)
    held = {}
    for packed in status.details:
        assert isinstance(packed, any_pb2.Any)
        message = getattr(details, packed.TypeName().removeprefix("google.rpc."))()
        assert packed.Unpack(message)
        held.setdefault(type(message).__name__, []).append(message)
    return status, held


def test_every_reason_has_one_code():
    """The table is total over Reason."""
    assert set(Reason) == set(CODES)


def test_reasons_are_those_of_the_contract():
    """Names and numbers are the enum's."""
    described = {value.name: value.number for value in enums()["ErrorReason"].value if value.number}
    assert described == {f"ERROR_REASON_{reason.name}": int(reason) for reason in Reason}


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_the_contracts_comment_names_the_same_code(reason):
    """Each reason's comment begins with the code it comes under."""
    (code,) = re.findall(r"^([A-Z_]+):", COMMENTS[reason.name])
    assert code == CODES[reason].name


@pytest.mark.parametrize("reason", Reason, ids=lambda reason: reason.name)
def test_every_fault_has_exactly_one_error_info(reason):
    """reason, domain, and metadata with venue and request_id, whatever else there is."""
    fault = Fault(reason, "words", {"symbol": "BTC/USD"}, (FieldViolation("a.b", "bad"),), 1.5)
    status, held = unpacked(told(fault))
    (info,) = held["ErrorInfo"]
    assert (reason.name, "execsvc", {"symbol": "BTC/USD", "venue": "paper", "request_id": "r1"}) == (
        info.reason,
        info.domain,
        dict(info.metadata),
    )
    assert (number_of(CODES[reason]), "words", 1.5, "a.b") == (
        status.code,
        status.message,
        held["RetryInfo"][0].retry_delay.ToTimedelta().total_seconds(),
        held["BadRequest"][0].field_violations[0].field,
    )


@pytest.mark.parametrize(
    ("reason", "metadata", "subject"),
    [
        (Reason.CALLER_QUOTA, {}, "caller:ann"),
        (Reason.TOO_MANY_STREAMS, {}, "caller:ann"),
        (Reason.LOCAL_RATE_LIMITED, {"subject": "kraken:engine:BTC/USD"}, "kraken:engine:BTC/USD"),
        (Reason.VENUE_RATE_LIMITED, {}, "kraken"),
    ],
)
def test_a_quota_names_its_subject(reason, metadata, subject):
    """QuotaFailure says whose quota is used up."""
    _, held = unpacked(told(Fault(reason, "slow", metadata)))
    assert subject == held["QuotaFailure"][0].violations[0].subject


def test_a_risk_refusal_names_its_check():
    """PreconditionFailure has the failed check."""
    _, held = unpacked(told(Fault(Reason.RISK_REFUSED, "too large", {"check": "max_order_notional"})))
    (violation,) = held["PreconditionFailure"][0].violations
    assert ("RISK_REFUSED", "max_order_notional", "too large") == (
        violation.type,
        violation.subject,
        violation.description,
    )


def test_what_waiting_cannot_heal_has_no_retry_info():
    """Without a wait there is none."""
    _, held = unpacked(told(Fault(Reason.VENUE_ORDER_LIMIT, "full")))
    assert "RetryInfo" not in held


@pytest.mark.parametrize(
    ("reason", "wait_s", "metadata", "expected"),
    [
        (Reason.LOCAL_RATE_LIMITED, 0.0001, {}, 1),
        (Reason.LOCAL_RATE_LIMITED, 60.0, {}, 60_000),
        (Reason.LOCAL_RATE_LIMITED, None, {}, -1),
        (Reason.VENUE_RATE_LIMITED, 5.0, {"id_used": "true"}, -1),
        (Reason.VENUE_RATE_LIMITED, 5.0, {"id_used": "false"}, 5000),
        (Reason.SLOW_CONSUMER, None, {}, -1),
        (Reason.SHUTTING_DOWN, 0.5, {}, 500),
        (Reason.VENUE_LOCKED_OUT, 900.0, {}, -1),
        (Reason.NOT_OWNER, 10.0, {}, 10_000),
        (Reason.VENUE_UNREACHABLE, None, {}, None),
        (Reason.INSUFFICIENT_FUNDS, 3.0, {}, None),
    ],
)
def test_the_pushback_says_what_a_library_may_do(reason, wait_s, metadata, expected):
    """Milliseconds rounded up, -1 where a library must not repeat, nothing where it has no say."""
    assert expected == told(Fault(reason, "words", metadata, retry_after_s=wait_s)).pushback_ms


@pytest.mark.parametrize("letter", ["x", "ü", "%", "漢", "\n"])
def test_what_goes_out_fits_into_the_trailers(letter):
    """However long and odd the texts are, status and message stay below 8 KiB as gRPC writes them."""
    long = letter * 20_000
    fields = tuple(FieldViolation(long, long) for _ in range(500))
    given = told(Fault(Reason.INVALID_REQUEST, long, {"venue_error": long, "symbol": long}, fields))
    encoded = sum(1 if " " <= each <= "~" and each != "%" else 3 * len(each.encode()) for each in given.message)
    assert len(given.status) <= STATUS_BYTES
    assert len(given.status) * 4 / 3 + encoded < 8192 - 1024
    _, held = unpacked(given)
    (bad,) = held["BadRequest"]
    shown = len(bad.field_violations) - 1
    assert f"{500 - shown} more" in bad.field_violations[-1].description


def test_short_texts_are_not_touched():
    """Nothing is cut that fits."""
    fault = Fault(Reason.INVALID_REQUEST, "grüße 100 %", fields=(FieldViolation("a", "b"), FieldViolation("c", "d")))
    given = told(fault)
    _, held = unpacked(given)
    assert ("grüße 100 %", ["a", "c"]) == (
        given.message,
        [each.field for each in held["BadRequest"][0].field_violations],
    )


def test_an_error_inside_an_answer_has_the_same_words():
    """CallError: code, reason, message, metadata, wait."""
    error = call_error(Fault(Reason.INSUFFICIENT_FUNDS, "words", {"asset": "USD"}, retry_after_s=0.25))
    assert (9, "INSUFFICIENT_FUNDS", "words", {"asset": "USD"}, 250_000_000) == (
        error.code,
        error.reason,
        error.message,
        dict(error.metadata),
        error.retry_after.nanos,
    )
    assert not call_error(Fault(Reason.MARGIN_REFUSED, "words")).HasField("retry_after")


@pytest.mark.parametrize(
    ("code", "ours"),
    [("INTERNAL", True), ("VENUE_UNREACHABLE", True), ("INVALID_REQUEST", False), ("RISK_REFUSED", False)],
)
def test_a_trace_shows_our_errors_only(code, ours):
    """What a caller did wrong is no error of the server's span."""
    assert ours is told(Fault(Reason[code], "x")).server_fault


def test_numbers_are_googles():
    """google.rpc.Code and gRPC's status agree."""
    assert (0, 1, 14) == tuple(
        map(number_of, (grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE))
    )
