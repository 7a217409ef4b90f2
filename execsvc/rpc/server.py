"""The gRPC door: every method of the contract behind the gate, health and reflection beside it, limits around both.

Handlers are made from the descriptors, so a method of the contract cannot be forgotten: what is not built answers
NOT_IMPLEMENTED through the gate. Requests are read inside the gate, not by gRPC, so that bytes nobody can read are answered
in the contract's words too. Which address is safe to listen on is the settings' affair.
"""

import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from execsvc.rpc.admit import Knock
from execsvc.rpc.drain import SHUTTING_DOWN
from execsvc.rpc.gate import Answer, Gate
from execsvc.rpc.health import Health
from execsvc.rpc.permits import SERVICES
from execsvc.rpc.services import Services, gate_of

Context = grpc.aio.ServicerContext[bytes, Message]

REQUEST_BYTES = 64 * 1024
METADATA_BYTES = 8 * 1024
OPTIONS = (
    ("grpc.so_reuseport", 0),  # two servers on one port would share the callers between them
    ("grpc.max_receive_message_length", REQUEST_BYTES),
    ("grpc.max_metadata_size", METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", 2 * METADATA_BYTES),
    ("grpc.max_concurrent_streams", 1024),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
)
CALLS_AT_ONCE = 8192
_FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)


@dataclass(frozen=True)
class Door:
    """An open gRPC door. `address` is what a client dials; port is 0 on a unix socket."""

    address: str
    port: int
    gate: Gate
    services: Services
    server: grpc.aio.Server

    def __repr__(self) -> str:
        return f"<Door {self.address} {self.services.drain!r}>"

    def drain(self) -> None:
        """Health says NOT_SERVING; new orders and new streams are refused; cancels, reads and open streams go on.

        An id the journal knows is still answered from it: the desk refuses, after its look-up.
        """
        self.services.drain.refuse()
        self.services.overview.switch.close("drain", SHUTTING_DOWN)

    async def stop(self, grace_s: float) -> None:
        """Ends every stream with UNAVAILABLE / SHUTTING_DOWN, then closes; calls still running have grace_s seconds."""
        self.drain()
        self.services.drain.end()
        await self.server.stop(grace_s)


async def start(listen: str, services: Services, *, reflect: bool = False) -> Door:
    """Opens the door at host:port or unix:path (port 0 picks one). Raises OSError naming an address that is taken."""
    gate = gate_of(services)
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=CALLS_AT_ONCE)
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            made = {method.name: _handler(gate, service.full_name, method) for method in service.methods}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, made),))
    health_pb2_grpc.add_HealthServicer_to_server(Health(services), server)
    if reflect:
        health_name = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name
        reflection.enable_server_reflection((*SERVICES, health_name, reflection.SERVICE_NAME), server)
    port = _bind(server, listen)
    await server.start()
    local = listen.startswith("unix:")
    host = listen.rpartition(":")[0]
    return Door(listen if local else f"{host}:{port}", 0 if local else port, gate, services, server)


def _bind(server: grpc.aio.Server, listen: str) -> int:
    path = Path(listen.removeprefix("unix:").removeprefix("//")) if listen.startswith("unix:") else None
    if path is not None and _answers(path):
        raise OSError(errno.EADDRINUSE, f"cannot listen on {listen}: another server answers there")
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        raise OSError(
            errno.EADDRINUSE, f"cannot listen on {listen}: it is taken, or not an address of this machine"
        ) from error
    if path is not None:
        path.chmod(0o600)
    return port


def _answers(path: Path) -> bool:
    """Whether somebody listens on a unix socket: gRPC would take its path away without a word."""
    if not path.is_socket():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def _handler(gate: Gate, service: str, method: Any) -> "grpc.RpcMethodHandler[bytes, Message]":
    """One method of the contract."""
    name = f"{service}/{method.name}"
    kind: type[Message] = GetMessageClass(method.input_type)

    async def unary(request: bytes, context: Context) -> Message:
        answer = await gate.unary(_knock(name, lambda: kind.FromString(request), context))
        if answer.response is None:
            await _abort(context, answer)
            raise AssertionError("abort raises")
        context.set_trailing_metadata(tuple(answer.trailers.items()))
        return answer.response

    async def stream(request: bytes, context: Context) -> None:
        await _streamed(gate, _knock(name, lambda: kind.FromString(request), context), context)

    async def session(requests: AsyncIterator[bytes], context: Context) -> None:
        first = await anext(requests, b"")
        knock = _knock(name, lambda: kind.FromString(first), context)
        await _streamed(gate, replace(knock, requests=requests), context)

    if method.client_streaming:
        return grpc.stream_stream_rpc_method_handler(session, None, _serialize)
    if method.server_streaming:
        return grpc.unary_stream_rpc_method_handler(stream, None, _serialize)
    return grpc.unary_unary_rpc_method_handler(unary, None, _serialize)


async def _streamed(gate: Gate, knock: Knock, context: Context) -> None:
    """Written, not yielded: gRPC never closes a handler's generator, and a reader that left must free its mailbox now."""
    async with aclosing(gate.stream(knock)) as steps:
        async for step in steps:
            if not isinstance(step, Answer):
                await context.write(step)
            elif step.verdict is None:
                context.set_trailing_metadata(tuple(step.trailers.items()))
            else:
                await _abort(context, step)


def _serialize(message: Message) -> bytes:
    return message.SerializeToString()


def _knock(method: str, read: Callable[[], Message], context: Context) -> Knock:
    return Knock(method, read, _meta(context), context.peer(), context.time_remaining())


def _meta(context: Context) -> Mapping[str, str]:
    """Text headers by name, the first of each; gRPC has bounded them already."""
    meta: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            meta.setdefault(name, value)
    return meta


async def _abort(context: Context, answer: Answer) -> None:
    """Raises: everything about the failure goes out in trailers, with nothing sent before them."""
    failed = answer.verdict
    if failed is None:
        raise AssertionError("an answer has a response or a verdict")
    trailers: list[tuple[str, str | bytes]] = [*answer.trailers.items(), ("grpc-status-details-bin", failed.status)]
    if failed.pushback_ms is not None:
        trailers.append(("grpc-retry-pushback-ms", str(failed.pushback_ms)))
    await context.abort(failed.code, failed.message, tuple(trailers))
