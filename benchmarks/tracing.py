"""Tracing at 1 %: what it adds to a call, by our own spans and by OpenTelemetry's gRPC instrumentation: G6.

The same echo server (echo.py) in four ways, each in a process of its own on one core, in turn, many short stretches: bare and
with the instrumentation on the peers' Python, bare and with the spans of an order in the gateway on ours. What counts is the
CPU time that a call takes more than on the bare server of the same round. The whole gateway, traced and not, is measured
beside it; there the difference drowns in what a shared machine adds. Prints a table and writes it to benchmarks/results/.
"""

import json
import os
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import echo
import goals
import peers
from goals import Goal
from place import SAMPLED, Bench, build
from placetold import cpu_us
from processes import collector, cores, started

RESULTS = Path(__file__).resolve().parent / "results"
CLIENTS = Path(__file__).resolve().parent.parent / "clients" / "python"
NAME = "tracing"
ROUNDS, LEVEL, SECONDS = 9, 32, 1.0
SHARE_MOST = 1 / 8
OURS, THEIRS = "bare echo, our Python", "bare echo, the peers' Python"
SPANS, INSTRUMENTED = (
    "echo with the spans of an order, 1 % recorded",
    "echo with opentelemetry-instrumentation-grpc, 1 %",
)
GATEWAY, TRACED = "execsvc, no traces", "execsvc, 1 % of the calls traced"

Took = dict[str, list[float]]


def measured(bench: Bench, clients: str) -> Took:
    """CPU µs per call of every server, round by round: all of them stand all the time, one works."""
    traced = SAMPLED | {"OTEL_EXPORTER_OTLP_ENDPOINT": bench.traces}
    path = {"PYTHONPATH": str(CLIENTS)}
    servers = (
        (THEIRS, clients, echo.BARE, path),
        (INSTRUMENTED, clients, echo.INSTRUMENTED, path | traced),
        (OURS, sys.executable, echo.BARE, {}),
        (SPANS, sys.executable, echo.HOUSE, traced),
    )
    took: Took = defaultdict(list)
    with ExitStack() as standing:
        found = {}
        for number, (name, python, what, environ) in enumerate(servers):
            log = bench.folder / f"{number}.log"
            server = started([python, echo.__file__, what], bench.server_core, log, r"echo on (\S+) ready", **environ)
            found[name] = standing.enter_context(server)
        found[GATEWAY] = standing.enter_context(bench.gateway(traced=False))
        found[TRACED] = standing.enter_context(bench.gateway())
        for _ in range(ROUNDS):
            for name, (pid, address) in found.items():
                took[name].append(cpu_us(bench.load(address, pid, LEVEL, SECONDS)))
    return took


def added(took: Took, traced: str, bare: str) -> list[float]:
    """CPU µs that a call takes more there, of one round each."""
    return [more - less for more, less in zip(took[traced], took[bare], strict=True)]


def wanted(took: Took) -> list[Goal]:
    """What should hold. Shares of the median, for the difference of one round may be nothing."""
    theirs = statistics.median(added(took, INSTRUMENTED, THEIRS))
    ours = [each / theirs for each in added(took, SPANS, OURS)]
    return [Goal("G6 CPU added by our spans / by the instrumentation, 1 %", ours, SHARE_MOST)]


def told(took: Took, load: Sequence[float]) -> str:
    """The whole page."""
    lines = [
        f"Medians of {ROUNDS} rounds of {SECONDS:g} s, {LEVEL} calls in flight; servers on one core, load on the other.",
        f"Load average {min(load):.1f} to {max(load):.1f}.",
        "",
        "| what | CPU µs per call | span | added to its bare twin |",
        "|---|---|---|---|",
    ]
    for name, bare in (
        (THEIRS, ""),
        (INSTRUMENTED, THEIRS),
        (OURS, ""),
        (SPANS, OURS),
        (GATEWAY, ""),
        (TRACED, GATEWAY),
    ):
        figures = took[name]
        more = f"{statistics.median(added(took, name, bare)):.1f}" if bare else ""
        span = f"{min(figures):.0f} to {max(figures):.0f}"
        lines.append(f"| {name} | {statistics.median(figures):.0f} | {span} | {more} |")
    return "\n".join([*lines, "", *goals.table(wanted(took))]) + "\n"


def main() -> None:
    """Measures and writes."""
    clients = peers.python()
    if not clients:
        raise SystemExit("without the peers there is nothing to compare with")
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made, collector() as traces:
        folder = Path(made)
        build(folder)
        (folder / "request").write_bytes(echo.request().SerializeToString())
        core, rest = cores()
        with started([str(folder / "stub")], rest, folder / "stub.log", r"(\S+)\n") as (_, address):
            took = measured(Bench(folder, f"http://{address}", traces, core, rest), clients)
    load.append(os.getloadavg()[0])
    text = told(took, load)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / NAME).with_suffix(".md").write_text("# What tracing adds: G6\n\n" + text)
    kept = {"load": load, "us": took, "goals": goals.kept(wanted(took))}
    (RESULTS / NAME).with_suffix(".json").write_text(json.dumps(kept, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
