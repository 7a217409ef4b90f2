"""The order path against a stub exchange: G2, and figures towards G1, G3 and G12.

In one run, each in turn on one core: a bare grpc.aio echo of the same messages, the whole gateway with its journal on disk,
and other people's Kraken clients. Stub and load have the other core. What counts is the CPU time per call of the whole
server process, and the stub's own counters. Prints tables and writes them to benchmarks/results/.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import echo
import peers
from processes import collector, cores, fsync_us, on, resident_mb, started

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
ROUNDS = 3
LEVELS = (1, 32, 256)  # calls in flight
ECHO, GATEWAY, REPORTED = "bare grpc.aio echo", "execsvc", "execsvc, each order told on the private stream too"
KEY = "BENCH-EXECSVC"
Figure = Callable[[peers.Outcome], float]


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
    busy: float = field(default_factory=lambda: os.getloadavg()[0])
    runs: int = 0
    placed: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    rows: dict[str, dict[int, list[peers.Outcome]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    slow: dict[str, peers.Outcome] = field(default_factory=dict)
    memory_mb: list[list[float]] = field(default_factory=list)

    def load(self, address: str, pid: int, level: int, seconds: float = peers.SECONDS) -> peers.Outcome:
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
            peers.set_stub(self.stub, "reports=true")
            self.rows[REPORTED][32].append(self.placing(address, pid, 32))
            if last:
                peers.set_stub(self.stub, peers.SLOW)
                self.slow[GATEWAY] = self.placing(address, pid, peers.SLOW_LEVEL, 2 * peers.SECONDS)
            peers.set_stub(self.stub)
            for _ in range(2 if last else 0):
                self.placing(address, pid, LEVELS[-1])
                self.memory_mb[-1].append(resident_mb(pid))

    def placing(self, address: str, pid: int, level: int, seconds: float = peers.SECONDS) -> peers.Outcome:
        """One stretch on the gateway, added to what is compared with the stub's counters in the end."""
        told = self.load(address, pid, level, seconds)
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
    def gateway(self) -> Iterator[tuple[int, str]]:
        """`execsvc serve` on the stub with everything on: risk limit, FULL journal on disk, 1 % of the calls traced."""
        socket = self.stub.replace("http", "ws") + "/v2"
        with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as state:
            environ = {
                "EXECSVC_STORE": f"sqlite:///{state}/execsvc.db",
                "EXECSVC_KRAKEN_REST_URL": self.stub,
                "EXECSVC_KRAKEN_WS_URL": socket,
                "EXECSVC_KRAKEN_WS_AUTH_URL": socket,
                "EXECSVC_MAX_ORDER_NOTIONAL": "1000000",
                "EXECSVC_TIER": "unlimited",
                "KRAKEN_API_KEY": KEY,
                "KRAKEN_API_SECRET": peers.SECRET,
                "OTEL_EXPORTER_OTLP_ENDPOINT": self.traces,
                "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
                "OTEL_TRACES_SAMPLER_ARG": "0.01",
            }
            command = [sys.executable, "-m", "execsvc", "serve", "--listen", "127.0.0.1:0", "--http", "off"]
            log = self.folder / "log"
            with started(command, self.server_core, log, r"gRPC\s+(\S+).*ready in", **environ) as found:
                if "not open yet" in log.read_text():
                    raise SystemExit(f"the gateway does not trade:\n{log.read_text()}")
                yield found


# ---- telling ----------------------------------------------------------------------------------------------------------


def cpu_us(outcome: peers.Outcome) -> float:
    """CPU microseconds per call."""
    return 1e6 * float(outcome["server_cpu_s"]) / float(outcome["calls"] + outcome["failed"])


def rate(outcome: peers.Outcome) -> float:
    """Calls per second."""
    return float(outcome["calls"]) / float(outcome["seconds"])


def p50_ms(outcome: peers.Outcome) -> float:
    """Half of the calls took less."""
    return float(outcome["p50_ms"])


def p99_ms(outcome: peers.Outcome) -> float:
    """One call in a hundred took more."""
    return float(outcome["p99_ms"])


def table(bench: Bench) -> list[str]:
    """Every system at every level."""
    lines = [
        "| what | in flight | calls/s | p50 ms | p99 ms | CPU µs per call | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for system, levels in bench.rows.items():
        for level, outcomes in levels.items():
            calls_s, p50, p99, cpu = (
                statistics.median(figure(each) for each in outcomes) for figure in (rate, p50_ms, p99_ms, cpu_us)
            )
            failed = sum(each["failed"] for each in outcomes)
            lines.append(f"| {system} | {level} | {calls_s:,.0f} | {p50:.2f} | {p99:.2f} | {cpu:.0f} | {failed} |")
    return lines


def slow_table(bench: Bench) -> list[str]:
    """What becomes of nonces where requests overtake each other, and how well a key is used."""
    lines = [
        f"{peers.SLOW_LEVEL} callers, 20 ms reply, 0 to 3 ms jitter on the way there:",
        "",
        "| what | orders/s | stale nonces | round trips at once, mean |",
        "|---|---|---|---|",
    ]
    for system, outcome in bench.slow.items():
        lines.append(f"| {system} | {rate(outcome):,.0f} | {stale_share(outcome):.1%} | {at_once(outcome):.2f} |")
    return lines


def stale_share(outcome: peers.Outcome) -> float:
    """Of private calls."""
    counted = outcome["counted"]
    return float(counted["stale_nonces"]) / float(counted["private_calls"])


def at_once(outcome: peers.Outcome) -> float:
    """How many orders the exchange held on average: at most 1 where a key's calls go one by one; 1 is a key well used."""
    counted = outcome["counted"]
    held_s = float(counted["held_seconds"]) / float(counted["orders"])
    return rate(outcome) * held_s


@dataclass(frozen=True)
class Goal:
    """What should hold of this run; of figures taken in several rounds the median counts."""

    name: str
    figures: list[float]
    bound: float
    least: bool = False  # the bound is the least, else the most

    @property
    def figure(self) -> float:
        """What is judged."""
        return statistics.median(self.figures)

    @property
    def met(self) -> bool:
        """As it stands, unrounded."""
        return self.figure >= self.bound if self.least else self.figure <= self.bound

    def __str__(self) -> str:
        low, high = min(self.figures), max(self.figures)
        span = f" ({low:.3g} to {high:.3g})" if low < high else ""
        word = "met" if self.met else "**NOT met**"
        return f"| {self.name} | {self.figure:.3g}{span} | {'≥' if self.least else '≤'} {self.bound:g} | {word} |"


def goals(bench: Bench) -> list[Goal]:
    """Every goal this run has a figure for. Ratios are of one round each, so that a slow minute slows both sides."""
    counted, memory = bench.counted, bench.memory_mb[-1]

    def of(figure: Figure, above: tuple[str, int], below: tuple[str, int]) -> list[float]:
        pairs = zip(*(bench.rows[system][level] for system, level in (above, below)), strict=True)
        return [figure(over) / figure(under) for over, under in pairs]

    ours = {level: (GATEWAY, level) for level in LEVELS}
    found = [
        Goal(f"G2 CPU / bare echo, {level} in flight", of(cpu_us, ours[level], (ECHO, level)), 2) for level in LEVELS
    ]
    found += [
        Goal("G12 calls/s, 256 / 32 in flight", of(rate, ours[256], ours[32]), 0.95, least=True),
        Goal("G12 failed calls", [counted["failed"]], 0),
        Goal("G12 memory, 256 in flight again / before", [memory[-1] / memory[-2]], 1.05),
        Goal("G3 stale nonces", [counted["stale_nonces"]], 0),
        Goal("G3 orders/s of one key / 1 per round trip", [at_once(bench.slow[GATEWAY])], 0.95, least=True),
        Goal("P2 client ids seen twice at the exchange", [counted["duplicate_ids"]], 0),
        Goal("P2 orders at the exchange that differ from answers", [abs(counted["orders"] - bench.placed)], 0),
    ]
    if set(peers.PEERS) <= bench.rows.keys():
        (krakenex, ccxt), alone = ((name, 32) for name in peers.PEERS), (peers.PEERS[1], 1)
        found += [
            Goal("G2 CPU / ccxt async, 32 in flight", of(cpu_us, ours[32], ccxt), 1),
            Goal("G1, unary: orders per core / ccxt async, 32", of(cpu_us, ccxt, ours[32]), 2.5, least=True),
            Goal("G1, unary: orders per core / krakenex, 32", of(cpu_us, krakenex, ours[32]), 6, least=True),
            Goal("G1, unary: p50 / ccxt async, 1 in flight", of(p50_ms, ours[1], alone), 0.9),
        ]
    return found


def told(bench: Bench, fsync: float) -> str:
    """The whole page."""
    memory = ", ".join(" → ".join(f"{mb:.0f}" for mb in row) for row in bench.memory_mb)
    where = "on one core" if bench.server_core == bench.load_core else "server on one core, stub and load on the other"
    lines = [
        f"Medians of {ROUNDS} rounds of {peers.SECONDS} s, {where}. Load average at the start: {bench.busy:.1f}.",
        "",
        *table(bench),
        "",
        *slow_table(bench),
        "",
        f"Orders placed through execsvc: {bench.counted['orders']:,}. An fsync took {fsync:.0f} µs where the journal was.",
        f"Memory of execsvc in MB, at start and after 1, 32 and 256 in flight, at last 256 twice again; by round: {memory}.",
        "",
        "| goal | figure | bound | |",
        "|---|---|---|---|",
        *map(str, goals(bench)),
    ]
    return "\n".join(lines) + "\n"


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
        text = told(bench, fsync_us(folder))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "place.md").write_text("# The order path: G2, towards G1, G3, G12\n\n" + text)
    kept = {"rows": bench.rows, "slow": bench.slow, "memory_mb": bench.memory_mb, "counted": bench.counted}
    judged = [asdict(goal) | {"figure": goal.figure, "met": goal.met} for goal in goals(bench)]
    (RESULTS / "place.json").write_text(json.dumps({**kept, "goals": judged}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
