"""Processes under measurement: each on its core, ready when it says so, ended when done; and what the machine tells of them.

For Linux: processes are kept on cores, and memory is read from /proc.
"""

import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

START_S = 15.0
SETTINGS = ("EXECSVC_", "KRAKEN_", "OTEL_")  # of whoever runs the benchmark: none of them counts


def cores() -> tuple[int, int]:
    """The servers' core and everybody else's; the same one where there is only one."""
    if not hasattr(os, "sched_setaffinity"):
        raise SystemExit("this needs Linux: processes are kept on their cores, and CPU time is read from /proc")
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextmanager
def on(core: int) -> Iterator[None]:
    """Processes made in the block, and all their threads, stay on that core."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextmanager
def started(command: list[str], core: int, log: Path, ready: str, **environ: str) -> Iterator[tuple[int, str]]:
    """A process on that core once its output shows `ready`: its id, and the first group. Ended with the block.

    A gateway takes everybody on this machine as `local`: tokens are off.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    with log.open("w") as output, on(core):
        process = subprocess.Popen(command, stdout=output, stderr=output, env=own | {"EXECSVC_TOKENS": "off"} | environ)
    try:
        by = time.monotonic() + START_S
        while (found := re.search(ready, log.read_text(), re.DOTALL)) is None:
            if process.poll() is not None or time.monotonic() > by:
                raise SystemExit(f"{command} did not start:\n{log.read_text()}")
            time.sleep(0.02)
        yield process.pid, found[1]
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(START_S)
        except subprocess.TimeoutExpired:
            process.kill()


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def fsync_us(folder: Path) -> float:
    """Microseconds of a small append that reaches the disk, median of fifty."""
    took = []
    with (folder / "fsync").open("wb", buffering=0) as file:
        for _ in range(50):
            file.write(bytes(4096))
            began = time.perf_counter()
            os.fsync(file.fileno())
            took.append(1e6 * (time.perf_counter() - began))
    return statistics.median(took)


@contextmanager
def collector() -> Iterator[str]:
    """Takes traces and forgets them, so that the gateway's exporter has somebody to tell."""
    server = grpc.server(ThreadPoolExecutor(1))
    handler: Any = grpc.unary_unary_rpc_method_handler(lambda _request, _context: b"")
    name = "opentelemetry.proto.collector.trace.v1.TraceService"
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"http://127.0.0.1:{port}"
    server.stop(0)
