"""Stock gRPC clients: a library, the generated stubs and at most a service config; nothing of ours tells them to wait.

Each makes one call and says how it ended and what the refusal carried. How long they waited is measured by the server
(pushback_server.py).
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
from execsvc_api.v1 import account_service_pb2, account_service_pb2_grpc, common_pb2, order_pb2, order_service_pb2
from execsvc_api.v1 import order_service_pb2_grpc as order_stub
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2
from toolchains import call, demand, gen_clients, run

POLICY = gen_clients.ROOT / "clients" / "retry.json"
SOURCE = Path(__file__).with_name("pushback_stock.go")
READ, PLACE = "ListBalances", "PlaceOrder"


@dataclass(frozen=True)
class End:
    """How a call ended: its code (0 is OK), and of a refusal the trailer, RetryInfo in ns and QuotaFailure's subject."""

    code: int
    pushback: str = ""
    retry_ns: int = 0
    subject: str = ""


def _order():
    spec = order_pb2.OrderSpec(
        symbol="BTC/USD",
        side=common_pb2.SIDE_BUY,
        base_quantity="0.001",
        limit=order_pb2.LimitOrder(limit_price="60000.0"),
    )
    return order_service_pb2.PlaceOrderRequest(client_order_id="one", spec=spec)


def _called(channel, method, timeout_s):
    if method == READ:
        stub = account_service_pb2_grpc.AccountServiceStub(channel)
        return stub.ListBalances(account_service_pb2.ListBalancesRequest(), timeout=timeout_s)
    return order_stub.OrderServiceStub(channel).PlaceOrder(_order(), timeout=timeout_s)


def _options(policy):
    return (("grpc.service_config", policy.read_text("utf-8")),) if policy else ()


def _refused(error):
    trailers = dict(error.trailing_metadata() or ())
    status = status_pb2.Status.FromString(trailers.get("grpc-status-details-bin", b""))
    retry, quota = details.RetryInfo(), details.QuotaFailure()
    for packed in status.details:
        packed.Unpack(retry)
        packed.Unpack(quota)
    return End(
        error.code().value[0],
        trailers.get("grpc-retry-pushback-ms", ""),
        retry.retry_delay.ToNanoseconds(),
        quota.violations[0].subject if quota.violations else "",
    )


async def grpc_aio(target, method, timeout_s, policy=POLICY):
    """Python's grpc.aio."""
    async with grpc.aio.insecure_channel(target, options=_options(policy)) as channel:
        try:
            await _called(channel, method, timeout_s)
        except grpc.aio.AioRpcError as error:
            return _refused(error)
    return End(0)


async def grpc_sync(target, method, timeout_s, policy=POLICY):
    """Python's blocking grpc, in a thread of its own."""

    def blocking():
        with grpc.insecure_channel(target, options=_options(policy)) as channel:
            try:
                _called(channel, method, timeout_s)
            except grpc.RpcError as error:
                return _refused(error)
        return End(0)

    return await asyncio.to_thread(blocking)


def build_go(scratch):
    """Compile the Go program against the module's own pins, without a file being written there; gives the program."""
    demand("go")
    program, overlay = scratch / "pushback", scratch / "overlay.json"
    place = gen_clients.GO / "examples" / "pushback" / "main.go"
    overlay.write_text(json.dumps({"Replace": {str(place): str(SOURCE)}}), "utf-8")
    call("go", "build", "-overlay", overlay, "-o", program, "./examples/pushback", cwd=gen_clients.GO)
    return program


def grpc_go(program):
    """The client in Go."""

    async def client(target, method, timeout_s, policy=POLICY):
        arguments = [method, str(int(timeout_s * 1000)), *([str(policy)] if policy else [])]
        done = await run([str(program)], target, *arguments)
        assert (0, "") == (done.exit_code, done.stderr), done
        return End(**done.steps[0])

    return client
