"""Fixtures of the client tests: the examples, built once, and a real gateway in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
import toolchains
from grpc_health.v1 import health_pb2, health_pb2_grpc

SERVICE = "execsvc.v1.OrderService"
START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 15.0


@pytest.fixture(scope="session")
def typescript(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of the compiled TypeScript client."""
    return toolchains.build_typescript(tmp_path_factory.mktemp("clients"))


@pytest.fixture(scope="session")
def typescript_quickstart(typescript: Path) -> list[str]:
    return ["node", str(typescript / "dist" / "examples" / "quickstart.js")]


@pytest.fixture(scope="session")
def go_quickstart(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(toolchains.build_go(tmp_path_factory.mktemp("clients"), "quickstart"))]


@pytest.fixture(scope="session")
def typescript_follow(typescript: Path) -> list[str]:
    return ["node", str(typescript / "dist" / "examples" / "follow.js")]


@pytest.fixture(scope="session")
def go_follow(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return [str(toolchains.build_go(tmp_path_factory.mktemp("clients"), "follow"))]


@pytest.fixture(params=["typescript", "go"])
def quickstart(request: pytest.FixtureRequest) -> list[str]:
    """Command of the quickstart, in each language."""
    return request.getfixturevalue(f"{request.param}_quickstart")


@pytest.fixture(params=["typescript", "go"])
def follow(request: pytest.FixtureRequest) -> list[str]:
    """Command of the example that follows streams, in each language."""
    return request.getfixturevalue(f"{request.param}_follow")


@pytest.fixture
def dev_gateway(tmp_path: Path) -> Iterator[str]:
    """Address of `execsvc dev`, serving; ends it by SIGTERM and demands that it drains and exits 0."""
    target = f"127.0.0.1:{_free_port()}"
    command = [sys.executable, "-m", "execsvc", "dev", "--listen", target, "--no-demo", "--seed", "42"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("EXECSVC_", "KRAKEN_"))}
    log = tmp_path / "gateway.log"
    with log.open("w") as sink:
        process = subprocess.Popen(command, cwd=toolchains.ROOT, env=env, stdout=sink, stderr=subprocess.STDOUT)
    try:
        _await_serving(process, target, log)
        yield target
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _await_serving(process: subprocess.Popen[bytes], target: str, log: Path) -> None:
    """Wait until orders are taken: private feed up, reconciliation done."""
    until = time.monotonic() + START_TIMEOUT_S
    answer: object = "no answer"
    # Nobody listens yet: ask again at once, where gRPC itself would wait a second and then longer.
    eager = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 100)]
    with grpc.insecure_channel(target, options=eager) as channel:
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
