"""Fixtures of the client tests: the examples, built once, and a real gateway in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import toolchains
from serving import STOP_TIMEOUT_S, await_serving, free_port


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
    target = f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "execsvc", "dev", "--listen", target, "--no-demo", "--seed", "42"]
    env = {key: value for key, value in os.environ.items() if not key.startswith(("EXECSVC_", "KRAKEN_"))}
    log = tmp_path / "gateway.log"
    with log.open("w") as sink:
        process = subprocess.Popen(command, cwd=toolchains.ROOT, env=env, stdout=sink, stderr=subprocess.STDOUT)
    try:
        await_serving(process, target, log)
        yield target
        process.send_signal(signal.SIGTERM)
        assert process.wait(STOP_TIMEOUT_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
