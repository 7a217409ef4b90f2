"""From what gRPC hands back on failure to an error of ours; shared by the asynchronous and the synchronous client.

The details travel in the trailer `grpc-status-details-bin` as google.rpc.Status. Only an ErrorInfo of the domain
"execsvc" counts as the gateway's word: everything else was said by somebody on the way.
"""

from collections.abc import Iterable
from typing import Any

import grpc
from execsvc_api.v1 import common_pb2
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # the package has no py.typed

from execsvc_client._errors import Facts, Violation

DOMAIN = "execsvc"
DETAILS = "grpc-status-details-bin"

Trailers = Iterable[tuple[str, str | bytes]]

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def facts_of(
    code: grpc.StatusCode,
    message: str,
    trailers: Trailers,
    *,
    request_id: str = "",
    trace_id: str = "",
    client_order_id: str = "",
) -> Facts:
    """Read a failed call; the request id is the caller's own and gives way to what the server says."""
    trailing = dict(trailers)
    details = _details(trailing.get(DETAILS))
    told = trailing.get("x-request-id", "")
    own_id = told if isinstance(told, str) and told else request_id
    info = details.get(error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return Facts(code, message, request_id=own_id, trace_id=trace_id, client_order_id=client_order_id)
    metadata = dict(info.metadata)
    retry = details.get(error_details_pb2.RetryInfo)
    return Facts(
        code,
        message,
        reason=info.reason,
        metadata=metadata,
        retry_after=None if retry is None else retry.retry_delay.ToTimedelta().total_seconds(),
        violations=_violations(details),
        request_id=metadata.get("request_id", own_id),
        trace_id=trace_id,
        client_order_id=client_order_id,
    )


def facts_inside(error: common_pb2.CallError, client_order_id: str = "") -> Facts:
    """Read an error inside a successful answer, such as the reason why an order ended."""
    return Facts(
        _CODES.get(error.code, grpc.StatusCode.UNKNOWN),
        error.message,
        reason=error.reason,
        metadata=dict(error.metadata),
        retry_after=error.retry_after.ToTimedelta().total_seconds() if error.HasField("retry_after") else None,
        request_id=error.metadata.get("request_id", ""),
        client_order_id=client_order_id,
    )


def _details(packed: str | bytes | None) -> dict[type[Message], Any]:
    """Each known kind of detail, the first of its kind; empty when there are none or they cannot be read."""
    if not isinstance(packed, bytes):
        return {}
    try:
        status = status_pb2.Status.FromString(packed)
        found: dict[type[Message], Any] = {}
        for detail in status.details:
            for kind in _KINDS:
                if detail.Is(kind.DESCRIPTOR) and kind not in found:
                    found[kind] = kind.FromString(detail.value)
    except DecodeError:
        return {}
    return found


_KINDS = (
    error_details_pb2.ErrorInfo,
    error_details_pb2.RetryInfo,
    error_details_pb2.BadRequest,
    error_details_pb2.PreconditionFailure,
    error_details_pb2.QuotaFailure,
)


def _violations(details: dict[type[Message], Any]) -> tuple[Violation, ...]:
    bad = details.get(error_details_pb2.BadRequest, error_details_pb2.BadRequest())
    failed = details.get(error_details_pb2.PreconditionFailure, error_details_pb2.PreconditionFailure())
    full = details.get(error_details_pb2.QuotaFailure, error_details_pb2.QuotaFailure())
    return (
        *(Violation(each.field, each.description) for each in bad.field_violations),
        *(Violation(each.type or each.subject, each.description) for each in failed.violations),
        *(Violation(each.subject, each.description) for each in full.violations),
    )
