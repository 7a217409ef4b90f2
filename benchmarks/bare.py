"""A grpc.aio server with nothing in it: every method of the contract, each answered with a constant, on uvloop.

What hostile clients cost here is gRPC's own share of what they cost the gateway; abuse.py measures both. It has gRPC's own
settings, knows no callers and refuses nothing. Prints its port and serves until it is ended.
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import uvloop
from execsvc_api.v1 import account_service_pb2, admin_service_pb2, market_data_service_pb2, order_service_pb2
from grpc_health.v1 import health_pb2

FILES = (market_data_service_pb2, order_service_pb2, account_service_pb2, admin_service_pb2, health_pb2)
LONG = {"ListInstruments": 256 * 1024}


def handlers(service: Any) -> dict[str, Any]:
    """Its methods: an answer at once, or one message and then silence for as long as the caller stays."""
    made: dict[str, Any] = {}
    for method in service.methods:
        constant = bytes(LONG.get(method.name, 0))

        async def one(_request: bytes, _context: Any, constant: bytes = constant) -> bytes:
            return constant

        async def many(_request: Any, _context: Any, constant: bytes = constant) -> AsyncIterator[bytes]:
            yield constant
            await asyncio.get_running_loop().create_future()

        if not method.server_streaming:
            made[method.name] = grpc.unary_unary_rpc_method_handler(one)
        elif method.client_streaming:
            made[method.name] = grpc.stream_stream_rpc_method_handler(many)
        else:
            made[method.name] = grpc.unary_stream_rpc_method_handler(many)
    return made


async def main() -> None:
    """Serves."""
    server = grpc.aio.server()
    for file in FILES:
        for service in file.DESCRIPTOR.services_by_name.values():
            server.add_registered_method_handlers(service.full_name, handlers(service))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"port {port}", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(main())
