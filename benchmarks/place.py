"""The order path against a stub exchange: G1, G2, G12, and figures towards G3.

In one run, each in turn on one core: a bare grpc.aio echo of the same messages, the whole gateway with its journal on disk,
by unary calls and by one OrderSession, and other people's Kraken clients. Stub and load have the other core. What counts is
the CPU time per order of the whole server process, and the stub's own counters. placetold.py judges and tells; the tables
are printed and written to benchmarks/results/.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import echo
import goals
import peers
import placetold
from placetold import ECHO, GATEWAY, LEVELS, REPORTED, ROUNDS, SESSION
from processes import collector, cores, fsync_us, on, resident_mb, started

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
KEY = "BENCH-EXECSVC"
LIMITS = Path(__file__).with_name("limits.toml")
SAMPLED = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
SESSION_METHOD = "/execsvc.v1.OrderService/OrderSession"


def build(folder: Path) -> None:
    """Stub and load, from stub/."""
    if shutil.which("go") is None:
        raise SystemExit("this needs Go: the exchange stub and the load are written in it")
    subprocess.run(["go", "build", "-o", f"{folder}/", "./..."], cwd=HERE / "stub", check=True)


# ---- measuring --------------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """One run: where things are, and every outcome by system and calls in flight."""

    folder: Path
    stub: str
    traces: str
    server_core: int
    load_core: int
    busy: list[float] = field(default_factory=lambda: [os.getloadavg()[0]])
    runs: int = 0
    placed: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    rows: dict[str, dict[int, list[peers.Outcome]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    slow: dict[str, peers.Outcome] = field(default_factory=dict)
    memory_mb: list[list[float]] = field(default_factory=list)

    def load(
        self, address: str, pid: int, level: int, seconds: float = peers.SECONDS, *, session: bool = False
    ) -> peers.Outcome:
        """One stretch of load from the other core, and what the stub counted meanwhile."""
        self.runs += 1
        flags = {
            "target": address,
            "pid": pid,
            "in-flight": level,
            "for": f"{seconds}s",
            "run": self.runs,
            "mark": echo.MARK,
        }
        command = [str(self.folder / "load"), "-request", str(self.folder / "request")]
        command += [f"-{name}={value}" for name, value in flags.items()]
        command += ["-session", "-method", SESSION_METHOD] if session else []
        counts = peers.stub_says(f"{self.stub}/counts")
        with on(self.load_core):
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode:
            raise SystemExit(f"the load failed: {done.stderr}")
        told: peers.Outcome = json.loads(done.stdout)
        return told | {"counted": peers.difference(peers.stub_says(f"{self.stub}/counts"), counts)}

    def echo_round(self) -> None:
        """Every level once."""
        command = [sys.executable, echo.__file__]
        with started(command, self.server_core, self.folder / "log", r"echo on (\S+) ready") as (pid, address):
            for level in LEVELS:
                self.rows[ECHO][level].append(self.load(address, pid, level))

    def gateway_round(self, *, last: bool) -> None:
        """A fresh gateway and journal: every level once, then what needs the exchange to be otherwise."""
        with self.gateway() as (pid, address):
            self.memory_mb.append([resident_mb(pid)])
            for level in LEVELS:
                self.rows[GATEWAY][level].append(self.placing(address, pid, level))
                self.memory_mb[-1].append(resident_mb(pid))
            for level in LEVELS:
                self.rows[SESSION][level].append(self.placing(address, pid, level, session=True))
                self.memory_mb[-1].append(resident_mb(pid))
            peers.set_stub(self.stub, "reports=true")
            self.rows[REPORTED][32].append(self.placing(address, pid, 32))
            if last:
                peers.set_stub(self.stub, peers.SLOW)
                self.slow[GATEWAY] = self.placing(address, pid, peers.SLOW_LEVEL, 2 * peers.SECONDS)
            peers.set_stub(self.stub)
            for _ in range(2 if last else 0):
                self.placing(address, pid, LEVELS[-1])
                self.memory_mb[-1].append(resident_mb(pid))

    def placing(
        self, address: str, pid: int, level: int, seconds: float = peers.SECONDS, *, session: bool = False
    ) -> peers.Outcome:
        """One stretch on the gateway, added to what is compared with the stub's counters in the end."""
        told = self.load(address, pid, level, seconds, session=session)
        self.placed += told["calls"] + told["warmed"]
        self.counted.update(told["counted"] | {"failed": told["failed"]})
        return told

    def peer_round(self, name: str, python: str) -> None:
        """Another client in a process of its own, on the servers' core."""
        with on(self.server_core):
            done = subprocess.run(
                [python, peers.__file__, name, self.stub], capture_output=True, text=True, check=False
            )
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr}")
        told = json.loads(done.stdout.splitlines()[-1])
        self.slow[name] = told.pop("slow")
        for level, outcome in told.items():
            self.rows[name][int(level)].append(outcome)

    @contextmanager
    def gateway(self, *, traced: bool = True) -> Iterator[tuple[int, str]]:
        """`execsvc serve` on the stub with everything on: limits, FULL journal on disk, 1 % of the calls traced."""
        socket = self.stub.replace("http", "ws") + "/v2"
        with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as state:
            environ = {
                "EXECSVC_STORE": f"sqlite:///{state}/execsvc.db",
                "EXECSVC_KRAKEN_REST_URL": self.stub,
                "EXECSVC_KRAKEN_WS_URL": socket,
                "EXECSVC_KRAKEN_WS_AUTH_URL": socket,
                "EXECSVC_CONFIG": str(LIMITS),
                "EXECSVC_MAX_ORDER_NOTIONAL": "1000000",
                "EXECSVC_TIER": "unlimited",
                "KRAKEN_API_KEY": KEY,
                "KRAKEN_API_SECRET": peers.SECRET,
            }
            environ |= {"OTEL_EXPORTER_OTLP_ENDPOINT": self.traces} | SAMPLED if traced else {}
            command = [sys.executable, "-m", "execsvc", "serve", "--listen", "127.0.0.1:0", "--http", "off"]
            log = self.folder / f"execsvc{self.runs}{traced}.log"
            with started(command, self.server_core, log, r"gRPC\s+(\S+).*ready in", **environ) as found:
                if "not open yet" in log.read_text():
                    raise SystemExit(f"the gateway does not trade:\n{log.read_text()}")
                yield found


def main() -> None:
    """Measures and writes."""
    peers_python = peers.python()
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made, collector() as traces:
        folder = Path(made)
        build(folder)
        (folder / "request").write_bytes(echo.request().SerializeToString())
        server_core, load_core = cores()
        with started([str(folder / "stub")], load_core, folder / "stub.log", r"(\S+)\n") as (_, address):
            bench = Bench(folder, f"http://{address}", traces, server_core, load_core)
            for turn in range(ROUNDS):
                bench.echo_round()
                bench.gateway_round(last=turn == ROUNDS - 1)
                for name in peers.PEERS if peers_python else ():
                    bench.peer_round(name, peers_python)
                bench.busy.append(os.getloadavg()[0])
        text = placetold.told(bench, fsync_us(folder))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "place.md").write_text("# The order path: G1, G2, G12, towards G3\n\n" + text)
    measured = {"load": bench.busy, "rows": bench.rows, "slow": bench.slow, "memory_mb": bench.memory_mb}
    judged = {"counted": bench.counted, "goals": goals.kept(placetold.goals(bench))}
    (RESULTS / "place.json").write_text(json.dumps(measured | judged, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
