"""The gRPC door: every method of the contract behind the gate, health and reflection beside it, limits around all of it.

Handlers are made from the descriptors, so a method of the contract cannot be forgotten: what is not built answers
NOT_IMPLEMENTED through the gate. How a call is served is handlers.py's, how much of everything is bounds.py's and crowd.py's.
Which address is safe to listen on is the settings' affair.
"""

import errno
import socket
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2

from execsvc.rpc.bounds import OPTIONS, RPCS_MOST
from execsvc.rpc.crowd import Crowd
from execsvc.rpc.drain import SHUTTING_DOWN
from execsvc.rpc.gate import Gate
from execsvc.rpc.handlers import Handlers
from execsvc.rpc.health import Health
from execsvc.rpc.reflect import Reflection
from execsvc.rpc.services import Services, gate_of
from execsvc.rpc.tls import Pairs, credentials
from execsvc.rpc.untaken import Untaken

_FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2)


@dataclass(frozen=True)
class Door:
    """An open gRPC door. `address` is what a client dials; port is 0 on a unix socket."""

    address: str
    port: int
    gate: Gate
    crowd: Crowd
    untaken: Untaken
    services: Services
    server: grpc.aio.Server

    def __repr__(self) -> str:
        return f"<Door {self.address} {self.services.drain!r}>"

    def drain(self) -> None:
        """Health says NOT_SERVING; new orders and new streams are refused; cancels, reads and open streams go on.

        An id the journal knows is still answered from it: the desk refuses, after its look-up.
        """
        self.services.drain.refuse()
        self.services.overview.drain(SHUTTING_DOWN)

    async def stop(self, grace_s: float) -> None:
        """Ends every stream with UNAVAILABLE / SHUTTING_DOWN, then closes; calls still running have grace_s seconds."""
        self.drain()
        self.services.drain.end()
        await self.server.stop(grace_s)


async def start(listen: str, services: Services, *, reflect: bool = False, pairs: Pairs | None = None) -> Door:
    """Opens the door at host:port or unix:path (port 0 picks one), with TLS where there are `pairs`; never on a unix socket.

    reflect: tell everybody what the contract is, not only whoever has `admin`. Raises OSError naming an address in use.
    """
    crowd, untaken = Crowd(services.clock), Untaken(services.callers)
    gate = gate_of(replace(services, callers=untaken))
    certified = pairs is not None and pairs.pair.client_ca is not None
    handlers = Handlers(gate, crowd, untaken, services.overview.about.venue, certified=certified)
    server = grpc.aio.server(options=OPTIONS, maximum_concurrent_rpcs=RPCS_MOST)
    for file in _FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            made = {method.name: handlers.of(service.full_name, method) for method in service.methods}
            # Registered, so that calls of each method wait in a queue of its own and all queues are served in turn: with a
            # generic handler there is one queue, first come first served, and a cancel would stand behind a flood of reads.
            server.add_registered_method_handlers(service.full_name, made)
    reflection = Reflection(None if reflect else services.callers, services.clock, services.overview.about.venue)
    server.add_generic_rpc_handlers((Health(services, crowd).handlers(), *reflection.handlers()))
    port = _bind(server, listen, pairs)
    await server.start()
    services.tasks.supervise("door", crowd.watch)
    local = listen.startswith("unix:")
    host = listen.rpartition(":")[0]
    return Door(listen if local else f"{host}:{port}", 0 if local else port, gate, crowd, untaken, services, server)


def _bind(server: grpc.aio.Server, listen: str, pairs: Pairs | None) -> int:
    path = Path(listen.removeprefix("unix:").removeprefix("//")) if listen.startswith("unix:") else None
    if path is not None and _answers(path):
        raise OSError(errno.EADDRINUSE, f"cannot listen on {listen}: another server answers there")
    try:
        if pairs is None or path is not None:
            port = server.add_insecure_port(listen)
        else:
            port = server.add_secure_port(listen, credentials(pairs))
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
