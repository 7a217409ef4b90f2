"""Any method of the contract by name, JSON in and JSON out: for tools that do not know the contract at build time.

JSON is protobuf's own mapping (lowerCamelCase, decimals as strings), with every field printed and times always to the
nanosecond. Nothing here repeats, reconnects or resolves: that is what Client is for.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Literal

from execsvc_api.v1 import (
    account_service_pb2,
    admin_service_pb2,
    market_data_service_pb2,
    order_service_pb2,
)
from google.protobuf import json_format
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.timestamp_pb2 import Timestamp
from grpc import aio

from execsvc_client._chance import current_trace, new_request_id
from execsvc_client._client import Client
from execsvc_client._methods import Stream, Unary

Kind = Literal["unary", "stream", "session"]

_FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)
DEFAULT_TIMEOUT = 10.0


@dataclass(frozen=True)
class Method:
    """A method of the contract. `name` is Service/Method; `changes`: it may change something at the exchange."""

    name: str
    kind: Kind
    changes: bool
    request: type[Message]
    answer: type[Message]


@cache
def methods() -> tuple[Method, ...]:
    """Every method of this client's contract, in the contract's order."""
    return tuple(
        _method(method)
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    )


def _method(found: MethodDescriptor) -> Method:
    kind: Kind = "session" if found.client_streaming else "stream" if found.server_streaming else "unary"
    reads = kind == "stream" or found.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    return Method(
        name=f"{found.containing_service.name}/{found.name}",
        kind=kind,
        changes=not reads,
        request=GetMessageClass(found.input_type),
        answer=GetMessageClass(found.output_type),
    )


def find(name: str) -> Method:
    """A method by `Service/Method`, with or without the package, or by `Method` alone, in any case.

    Raises LookupError naming the nearest ones.
    """
    wanted = name.removeprefix("/").removeprefix("execsvc.v1.").replace(".", "/").lower()
    for method in methods():
        if wanted in {method.name.lower(), method.name.lower().partition("/")[2]}:
            return method
    short = {method.name.partition("/")[2].lower(): method.name for method in methods()}
    near = [short[each] for each in get_close_matches(wanted.rpartition("/")[2], short, n=3, cutoff=0.5)]
    raise LookupError(f"no method {name!r}" + (f": did you mean {', '.join(near)}?" if near else ""))


def parse(method: Method, request: Mapping[str, Any]) -> Message:
    """A request from JSON; both spellings of field names are taken. Raises ValueError for what does not fit."""
    try:
        return json_format.ParseDict(dict(request), method.request())
    except json_format.ParseError as error:
        raise ValueError(f"{method.name}: {error}") from None


async def call(client: Client, name: str, request: Mapping[str, Any], *, timeout: float | None = None) -> Any:
    """One answer of a unary method, as JSON. Raises LookupError, ValueError, ExecsvcError."""
    method = find(name)
    if method.kind != "unary":
        raise ValueError(f"{method.name} is a {method.kind}: use stream()")
    row = Unary(method.name, method.request, method.answer, DEFAULT_TIMEOUT, method.changes)
    message = parse(method, request)
    answer = await client.link.call(
        row, message, timeout=timeout, client_order_id=str(getattr(message, "client_order_id", ""))
    )
    return to_json(answer)


async def stream(
    client: Client, name: str, request: Mapping[str, Any] | Iterable[Mapping[str, Any]]
) -> AsyncGenerator[Any, None]:
    """The messages of a stream, as JSON, until it ends; a session takes a list of requests. Raises as call() does."""
    method = find(name)
    if method.kind == "unary":
        raise ValueError(f"{method.name} is unary: use call()")
    request_id, trace = new_request_id(), current_trace(wanted=method.changes)
    row = Stream(method.name, method.request, method.answer)
    if method.changes:
        await client.link.permit()
    if method.kind == "session":
        if isinstance(request, Mapping):
            raise ValueError(f"{method.name} takes a list of requests")
        messages = [parse(method, each) for each in request]
        call: aio.StreamStreamCall[Message, Message] | aio.UnaryStreamCall[Message, Message] = client.link.open_session(
            row, messages, request_id, trace
        )
    elif isinstance(request, Mapping):
        call = client.link.open(row, parse(method, request), request_id, trace)
    else:
        raise ValueError(f"{method.name} takes one request")
    try:
        async for message in call:
            yield to_json(message)
    except aio.AioRpcError as failed:
        raise client.link.error(failed, request_id, trace, changes=method.changes) from None
    finally:
        call.cancel()


def to_json(value: Any) -> Any:
    """A message, a value that was read from one, or a list or mapping of them, as plain JSON data."""
    if isinstance(value, Message):
        plain = json_format.MessageToDict(value, always_print_fields_with_no_presence=True)
        _spell_out_times(value, plain)
        return plain
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(getattr(value, "wire", None), Message):
        return to_json(value.wire)
    if value is None or isinstance(value, str | int | bool):
        return value
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _spell_out_times(message: Message, plain: dict[str, Any]) -> None:
    """Give every time nine digits: protobuf prints 0, 3, 6 or 9, and a column of them does not sort."""
    for field, value in message.ListFields():
        kind = field.message_type
        if kind is None or (kind.has_options and kind.GetOptions().map_entry):
            continue
        if field.is_repeated:
            for each, printed in zip(value, plain[field.json_name], strict=True):
                _spell_out_times(each, printed)
        elif kind.full_name == Timestamp.DESCRIPTOR.full_name:
            plain[field.json_name] = f"{value.ToJsonString()[:19]}.{value.nanos:09d}Z"
        elif not kind.full_name.startswith("google.protobuf."):
            _spell_out_times(value, plain[field.json_name])
