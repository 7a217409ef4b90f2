"""A gateway in a process of its own: where it may listen, and when it takes orders."""

import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE = "execsvc.v1.OrderService"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_serving(
    process: subprocess.Popen[bytes], target: str, log: Path, trusted: grpc.ChannelCredentials | None = None
) -> None:
    """Wait until orders are taken: private feed up, reconciliation done."""
    until = time.monotonic() + START_TIMEOUT_S
    answer: object = "no answer"
    # Nobody listens yet: ask again at once, where gRPC itself would wait a second and then longer.
    eager = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 100)]
    dial = grpc.insecure_channel if trusted is None else partial(grpc.secure_channel, credentials=trusted)
    with dial(target, options=eager) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        while time.monotonic() < until and process.poll() is None:
            try:
                answer = health.Check(health_pb2.HealthCheckRequest(service=SERVICE), timeout=1.0).status
            except grpc.RpcError as error:
                answer = error
            if answer == health_pb2.HealthCheckResponse.SERVING:
                return
            time.sleep(0.05)
    pytest.fail(f"{SERVICE} is not SERVING (exit code {process.poll()}): {answer}\n{log.read_text()}", pytrace=False)
