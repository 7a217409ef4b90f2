"""Fan-out: what tickers to a thousand readers cost, and how long the last of them waits: G7 and G10.

In one run, each in turn on one core: grpcio in a tight loop, a plain grpc.aio server that sends a message per tick, and the
whole gateway, with one symbol (a tick a message) and with ten that move at once (ten ticks a message). The exchange stub and
the readers (stub/fan) have the other core. What counts is the CPU time per tick delivered of the whole server process. Prints
tables and writes them to benchmarks/results/.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import fanpeers
import goals
import peers
from execsvc_api.v1 import market_data_service_pb2 as wire
from goals import Goal, ratios
from google.protobuf.duration_pb2 import Duration
from place import build
from processes import cores, on, resident_mb, started

RESULTS = Path(__file__).resolve().parent / "results"
NAME = "fanout"
ROUNDS = 3
READERS = 1000
MEASURED_S, WARM_S = 5, 2
HEARTBEAT_S = 60  # so that heartbeats, which the others do not have, stay out of it
SINGLE_S, TURNS_S, BUSY_S = 4, 2, 10  # ticks a second: one symbol, ten symbols at once, and G10's rate
BUSY_LAST = 2.0  # G10: times what a thousand deliveries cost

TIGHT, TIGHT_TEN = "grpcio, tight loop, a tick a message", "grpcio, tight loop, ten ticks a message"
PLAIN = "plain grpc.aio, a tick a message"
SINGLE, TEN = "execsvc, a tick a message", "execsvc, ten ticks a message"
BUSY = f"execsvc, a tick a message, {BUSY_S} ticks/s"


@dataclass
class Bench:
    """One run: where things are, and what came of every stretch by system."""

    folder: Path
    stub: str
    server_core: int
    rest: int
    rows: dict[str, list[peers.Outcome]] = field(default_factory=lambda: defaultdict(list))

    def round(self) -> None:
        """Every system once."""
        for name, ticks in ((TIGHT, 1), (TIGHT_TEN, 10)):
            with self.peer(fanpeers.TIGHT, str(ticks)) as found:
                self.measure(name, found, symbols=ticks, turns_s=0)
        with self.peer(fanpeers.PLAIN, self.stub.replace("http", "ws") + "/v2") as found:
            self.measure(PLAIN, found, symbols=1, turns_s=SINGLE_S)
        for name, symbols, turns_s in ((SINGLE, 1, SINGLE_S), (TEN, 10, TURNS_S), (BUSY, 1, BUSY_S)):
            with self.gateway() as found:
                self.measure(name, found, symbols=symbols, turns_s=turns_s)

    def measure(self, name: str, server: tuple[int, str], *, symbols: int, turns_s: int) -> None:
        """One stretch of READERS readers of so many symbols, which all move so often a second."""
        pid, address = server
        request = wire.SubscribeTickersRequest(
            symbols=fanpeers.SYMBOLS[:symbols], heartbeat_interval=Duration(seconds=HEARTBEAT_S)
        )
        asked = self.folder / "request"
        asked.write_bytes(request.SerializeToString())
        flags = {"target": address, "pid": pid, "request": asked, "subscribers": READERS}
        flags |= {"warm": f"{WARM_S}s", "for": f"{MEASURED_S}s", "begin": f"{self.stub}/settings?ticks={turns_s}"}
        with on(self.rest):
            done = subprocess.run(
                [str(self.folder / "fan"), *(f"-{name}={value}" for name, value in flags.items())],
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        peers.set_stub(self.stub)
        if done.returncode:
            raise SystemExit(f"{name} failed: {done.stderr}")
        self.rows[name].append(json.loads(done.stdout) | {"resident_mb": resident_mb(pid)})

    @contextmanager
    def peer(self, kind: str, what: str) -> Iterator[tuple[int, str]]:
        """A server of fanpeers.py."""
        command = [sys.executable, fanpeers.__file__, kind, what]
        with started(command, self.server_core, self.folder / "log", rf"{kind} on (\S+) ready") as found:
            yield found

    @contextmanager
    def gateway(self) -> Iterator[tuple[int, str]]:
        """`execsvc serve` on the stub, as a user starts it."""
        socket = self.stub.replace("http", "ws") + "/v2"
        with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as state:
            environ = {
                "EXECSVC_STORE": f"sqlite:///{state}/execsvc.db",
                "EXECSVC_KRAKEN_REST_URL": self.stub,
                "EXECSVC_KRAKEN_WS_URL": socket,
                "EXECSVC_KRAKEN_WS_AUTH_URL": socket,
                "KRAKEN_API_KEY": "BENCH-EXECSVC",
                "KRAKEN_API_SECRET": peers.SECRET,
            }
            command = [sys.executable, "-m", "execsvc", "serve", "--listen", "127.0.0.1:0", "--http", "off"]
            with started(command, self.server_core, self.folder / "log", r"gRPC\s+(\S+).*ready in", **environ) as found:
                yield found


# ---- telling ----------------------------------------------------------------------------------------------------------


def cpu_us(outcome: peers.Outcome) -> float:
    """CPU microseconds per tick delivered."""
    return 1e6 * float(outcome["server_cpu_s"]) / max(1, outcome["ticks"])


def delivery_us(outcome: peers.Outcome) -> float:
    """CPU microseconds per message delivered."""
    return 1e6 * float(outcome["server_cpu_s"]) / max(1, outcome["messages"])


def last_ms(outcome: peers.Outcome, share: float) -> float:
    """Until the last reader had a tick; that share of the ticks took less."""
    last = outcome["last_ms"] or [float("inf")]
    return float(last[int(share * (len(last) - 1))])


def wanted(bench: Bench) -> list[Goal]:
    """Ratios are of one round each, so that a slow minute slows both sides."""
    rows = bench.rows

    def of(above: str, below: str) -> list[float]:
        return ratios(map(cpu_us, rows[above]), map(cpu_us, rows[below]))

    waited = [
        last_ms(busy, 0.99) / (READERS * delivery_us(single) / 1e3)
        for busy, single in zip(rows[BUSY], rows[SINGLE], strict=True)
    ]
    silent = sum(outcome["silent"] for outcomes in rows.values() for outcome in outcomes)
    return [
        Goal("G7 ticks per core, ten a message / plain grpc.aio", of(PLAIN, TEN), 9, least=True),
        Goal("G7 ticks per core, one a message / tight loop", of(TIGHT, SINGLE), 0.9, least=True),
        Goal(f"G10 p99 of the last reader / {READERS:,} deliveries, {BUSY_S} ticks/s", waited, BUSY_LAST),
        Goal("readers that heard nothing", [silent], 0),
    ]


def told(bench: Bench, load: Sequence[float]) -> str:
    """The whole page."""
    lines = [
        f"{READERS:,} readers. Medians of {ROUNDS} rounds of {MEASURED_S} s; server on one core, exchange and readers on the",
        f"other. Load average {load[0]:.1f} to {load[1]:.1f}.",
        "",
        "| what | ticks/s | CPU µs per tick | ticks a message | folded | CPU used | last reader p50, p99 ms | MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, outcomes in bench.rows.items():

        def median(figures: Iterator[float]) -> float:
            return statistics.median(figures)

        rate, used = (median(each[what] / each["seconds"] for each in outcomes) for what in ("ticks", "server_cpu_s"))
        each_us, held = median(map(cpu_us, outcomes)), median(each["resident_mb"] for each in outcomes)
        share = median(each["ticks"] / max(1, each["messages"]) for each in outcomes)
        folded = median(each["folded"] / max(1, each["folded"] + each["ticks"]) for each in outcomes)
        waits = [median(last_ms(each, part) for each in outcomes) for part in (0.5, 0.99)]
        late = "" if name in {TIGHT, TIGHT_TEN} else f"{waits[0]:.0f}, {waits[1]:.0f}"
        lines.append(
            f"| {name} | {rate:,.0f} | {each_us:.1f} | {share:.1f} | {folded:.0%} | {used:.0%} | {late} | {held:.0f} |"
        )
    lines += ["", *goals.table(wanted(bench))]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measures and writes."""
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made:
        folder = Path(made)
        build(folder)
        core, rest = cores()
        with started([str(folder / "stub")], rest, folder / "stub.log", r"(\S+)\n") as (_, address):
            bench = Bench(folder, f"http://{address}", core, rest)
            for _ in range(ROUNDS):
                bench.round()
    load.append(os.getloadavg()[0])
    text = told(bench, load)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / NAME).with_suffix(".md").write_text("# A thousand readers: G7, G10\n\n" + text)
    measured = {"load": load, "rows": bench.rows, "goals": goals.kept(wanted(bench))}
    (RESULTS / NAME).with_suffix(".json").write_text(json.dumps(measured, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
