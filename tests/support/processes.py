"""The real processes: a paper exchange and a gateway, started as a person would, ended by pid.

Each process gets an empty HOME and only the variables it needs, so nothing of the machine leaks into a test.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

START_S = 20.0
STOP_S = 30.0


# Of a gateway whose orders rest where no market ever comes: no limit holds them back.
LIFTED = {"EXECSVC_CONFIG": str(Path(__file__).with_name("limits_lifted.toml"))}


def clean_environ(home, **extra):
    """What a fresh login has, and nothing of execsvc's or Kraken's; a gateway then takes everybody here as `local`."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
    return {**kept, "HOME": str(home), "PYTHONUNBUFFERED": "1", "EXECSVC_TOKENS": "off", **extra}


class Process:
    """One `python -m execsvc …`; its output is collected as it comes."""

    def __init__(self, arguments, environ):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "execsvc", *arguments],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.stdout, self.stderr = [], []
        self._readers = [
            threading.Thread(target=_collect, args=(self.process.stdout, self.stdout), daemon=True),
            threading.Thread(target=_collect, args=(self.process.stderr, self.stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def said(self):
        return "".join(self.stdout) + "".join(self.stderr)

    def wait_for(self, pattern, seconds=START_S):
        """The match of `pattern` in what was said; fails with the whole output."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = re.search(pattern, self.said)
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"never said {pattern!r}; exit code {self.process.poll()}; it said:\n{self.said}")

    def stop(self, number=signal.SIGTERM):
        """Ends it and gives the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.ended()

    def kill(self):
        """Kill -9."""
        self.process.kill()
        self.ended()

    def ended(self, seconds=STOP_S):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"did not end in {seconds} s; it said:\n{self.said}") from None
        for reader in self._readers:
            reader.join(5)
        return code


def _collect(stream, into):
    for line in stream:
        into.append(line)


@contextmanager
def running(arguments, environ):
    process = Process(arguments, environ)
    try:
        yield process
    finally:
        if process.process.poll() is None:
            process.process.kill()
            process.ended()


class Exchange:
    """A paper exchange of its own process, its keys, and its control port."""

    def __init__(self, process):
        process.wait_for(r"EXECSVC_PAPER_CONTROL_URL=\S+\n")
        self.environ = dict(re.findall(r"^([A-Z_0-9]+)=(\S+)$", "".join(process.stdout), re.MULTILINE))
        self.process = process
        self._control = self.environ["EXECSVC_PAPER_CONTROL_URL"]

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            self._control + path, method=method, data=None if body is None else json.dumps(body).encode()
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def fault(self, **fault):
        self.ask("POST", "/faults", fault)

    def mend(self):
        self.ask("DELETE", "/faults")

    def orders(self):
        """Everything it ever accepted, in order of acceptance."""
        return self.ask("GET", "/orders")["orders"]


@contextmanager
def paper_exchange(home, *arguments):
    with running(
        ["paper", "--port", "0", "--seed", "42", "--print-env", "--control-port", "0", *arguments], clean_environ(home)
    ) as process:
        yield Exchange(process)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_serving(target, service="execsvc.v1.OrderService", seconds=START_S):
    """Until gRPC health says SERVING."""
    until = time.monotonic() + seconds
    eager = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 100)]
    with grpc.insecure_channel(target, eager) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        last = ""
        while time.monotonic() < until:
            try:
                answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=1)
            except grpc.RpcError as failure:
                last = str(failure.code())
            else:
                if answer.status == health_pb2.HealthCheckResponse.SERVING:
                    return
                last = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
            time.sleep(0.02)
    raise AssertionError(f"{target} {service} is not SERVING after {seconds} s: {last}")
