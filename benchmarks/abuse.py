"""What hostile clients cost: the gateway in memory and processor time, and another caller in waiting.

Each attack of tests/support/attacks.py at full force, twice, against one gateway as a first start makes it; the attacker and
the other caller are on another core. Then messages that nobody means, through a gate in this process. Prints tables and
writes them to benchmarks/results/; exit code 1 when a goal is missed.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from processes import cores, on, started

sys.path.append(str(Path(__file__).resolve().parent.parent))  # what attacks and measures lives with the tests

RESULTS = Path(__file__).resolve().parent / "results"
TIMES, REST = 2.0, 1000
AGAIN_MB = 48.0  # the allocator gives back late: it takes seven times until nothing is added any more
FUZZ_MB = 64.0
PART = 10_000  # messages for one gate: what they left in its journal then goes with it
# Attack, its force, whether it has a token, and in words.
ATTACKS: tuple[tuple[str, dict[str, float], str, str], ...] = (
    ("nobody", {}, "", "nobody: the attacker's processor time alone"),
    ("half_open", {}, "", "1,000 connections that stop in the middle of HTTP/2's preface"),
    ("dribbled", {"count": 400}, "", "400 connections, headers a byte at a time"),
    ("unsent", {"streams": 1000, "connections": 8}, "", "8,000 calls of health announced, no request"),
    ("pings", {}, "", "20,000 pings"),
    ("resets", {}, "viewer", "10,000 calls opened and reset at once"),
    ("settings_flood", {}, "", "50,000 settings frames"),
    ("continuations", {}, "", "10 MB of headers that do not end"),
    ("streams", {}, "viewer", "10,000 streams of one caller"),
    ("untaken", {}, "viewer", "900 long answers, window shut"),
    ("watchers", {}, "", "1,000 watchers of health"),
    ("nonsense", {}, "viewer", "10,000 fuzzed messages over the wire"),
    ("http_dribbled", {}, "", "300 HTTP requests a byte at a time"),
    ("http_pipelined", {}, "", "20,000 HTTP requests in one go"),
)


async def attacked(names: list[str]) -> list[dict[str, Any]]:
    """Every attack, one after the other, on one gateway."""
    from tests.support.processes import paper_exchange
    from tests.support.siege import besieged

    server, others = cores()
    rows = []
    with tempfile.TemporaryDirectory() as home, paper_exchange(Path(home)) as exchange:
        os.sched_setaffinity(exchange.process.process.pid, {others})
        with on(server):
            siege_of = besieged(Path(home), exchange)
            siege = await siege_of.__aenter__()
        os.sched_setaffinity(0, {others})
        try:
            for name, force, caller, words in ATTACKS:
                if names and name not in names:
                    continue
                first = await siege.attacked(name, rest=REST, as_caller=caller, **force)
                again = await siege.attacked(name, rest=200, as_caller=caller, **force)
                rows.append(row(words, first, again))
                print(line(rows[-1]), flush=True)
        finally:
            await siege_of.__aexit__(None, None, None)
    return rows


def row(words: str, first: Any, again: Any) -> dict[str, Any]:
    """One attack's figures; the waits are those of the first time."""
    return {
        "attack": words,
        "came_to": first.figures,
        "calls": len(first.attacked.took),
        "rest_p99_ms": first.rest.p99,
        "p50_ms": first.attacked.p50,
        "p99_ms": first.attacked.p99,
        "longest_ms": first.attacked.longest,
        "memory_mb": [*first.memory_mb, again.memory_mb[1]],
        "again_mb": again.growth_mb,
    }


def line(found: dict[str, Any]) -> str:
    """A row of the table."""
    came = ", ".join(f"{name.replace('_', ' ')} {value:,}" for name, value in found["came_to"].items())
    before, after, again = found["memory_mb"]
    return (
        f"| {found['attack']} | {came} | {found['rest_p99_ms']:.1f} | {found['p99_ms']:.1f} | {found['longest_ms']:.0f}"
        f" | {before:.0f}, {after:.0f}, {again:.0f} | {found.get('bare', '')} |"
    )


async def on_bare(names: list[str]) -> dict[str, str]:
    """Another caller's p99 in milliseconds beside each attack on gRPC, at a server that does nothing: in words, by attack."""
    server, others = cores()
    found = {}
    for name, force, _, words in ATTACKS:
        if name.startswith("http_") or (names and name not in names):
            continue
        with tempfile.TemporaryDirectory() as home:
            command = [sys.executable, str(Path(__file__).with_name("bare.py"))]
            with started(command, server, Path(home) / "bare.log", r"port (\d+)") as (pid, port):
                os.sched_setaffinity(0, {others})
                found[words] = await beside_bare(pid, int(port), name, force)
    return found


async def beside_bare(pid: int, port: int, name: str, force: dict[str, float]) -> str:
    """The other caller's p99 there, or how its calls failed."""
    import grpc
    from execsvc_api.v1 import admin_service_pb2_grpc as admin_stub

    from tests.support.siege import Siege

    process = SimpleNamespace(process=SimpleNamespace(pid=pid))
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", (("grpc.enable_retries", 0),)) as channel:
        siege = Siege(process, port, 0, {"admin": "", "viewer": ""}, admin_stub.AdminServiceStub(channel))
        try:
            return f"{(await siege.attacked(name, rest=REST, as_caller='', **force)).attacked.p99:.1f}"
        except grpc.aio.AioRpcError as failure:
            return f"calls failed: {failure.code().name.replace('_', ' ')}"


async def fuzzed(count: int) -> dict[str, Any]:
    """Messages through gates of this process: where they ended, and what stayed in memory."""
    from tests.rpc.stage import stage
    from tests.support import fuzz

    ends: Counter[str] = Counter()
    began, memory, after_first = time.monotonic(), resident_mb(), 0.0
    for seed in range(-(-count // PART)):
        async with stage(rates=fuzz.Roomy()) as built:
            gate, reports = fuzz.ready(built).door.gate, built.reports
            ends += await fuzz.assault(gate, seed=100 + seed, count=min(PART, count - seed * PART), reports=reports)
        after_first = after_first or resident_mb()
    took = time.monotonic() - began
    return {"messages": count, "seconds": took, "ends": dict(ends), "memory_mb": [memory, after_first, resident_mb()]}


def resident_mb() -> float:
    """Of this process, now."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def goals(rows: list[dict[str, Any]], fuzz: dict[str, Any] | None) -> list[tuple[str, float, float]]:
    """What is asked for, what came, and the bound."""
    found: list[tuple[str, float, float]] = []
    for each in rows:
        times = each["p99_ms"] / each["rest_p99_ms"]
        found.append((f"another caller's p99, times its p99 at rest: {each['attack']}", times, TIMES))
        found.append((f"memory that the second time adds, MB: {each['attack']}", each["again_mb"], AGAIN_MB))
    if fuzz is not None:
        _, first, last = fuzz["memory_mb"]
        found.append(("memory that a gate's fuzzing adds after its first part, MB", last - first, FUZZ_MB))
    return found


def told(rows: list[dict[str, Any]], fuzz: dict[str, Any] | None, load: float) -> str:
    """The page."""
    parts = [
        "# What hostile clients cost",
        "",
        f"Load average at the start: {load:.1f}. Waits are another caller's GetServerInfo, one call after another, before",
        "and during the attack, in milliseconds; none of its calls failed. Memory is the gateway's, MB: before, after, and",
        "after the same attack once more. Bare: the p99 beside the same attack at a grpc.aio server that answers constants.",
        "",
        "| attack | came to | p99 at rest | p99 beside | longest | memory | bare |",
        "|---|---|---|---|---|---|---|",
        *(line(each) for each in rows),
        "",
    ]
    if fuzz is not None:
        before, first, last = fuzz["memory_mb"]
        ends = ", ".join(f"{name} {count:,}" for name, count in Counter(fuzz["ends"]).most_common())
        parts += [
            f"{fuzz['messages']:,} messages that nobody means went through gates in one process in {fuzz['seconds']:,.0f} s,",
            f"the methods in turn, {PART:,} for each seed from 100 on. Not one met an error of ours. They ended: {ends}.",
            f"Memory: {before:.0f} MB before, {first:.0f} after the first part, {last:.0f} at the end.",
            "",
        ]
    parts += ["| goal | figure | bound | |", "|---|---|---|---|"]
    for what, figure, bound in goals(rows, fuzz):
        parts.append(f"| {what} | {figure:.2f} | ≤ {bound:g} | {'met' if figure <= bound else 'missed'} |")
    return "\n".join(parts) + "\n"


def main() -> int:
    """Runs all of it."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "--fuzz", type=int, default=1_000_000, help="messages through a gate of this process; 0: as it was"
    )
    asked.add_argument(
        "--only", nargs="*", default=None, help="these attacks alone, or none; what is left out stays as it was"
    )
    options = asked.parse_args()
    kept = json.loads((RESULTS / "abuse.json").read_text())
    load = os.getloadavg()[0] if options.only != [] else kept["load"]
    rows = kept["attacks"]
    if options.only != []:
        mine = os.sched_getaffinity(0)
        rows = asyncio.run(attacked(options.only or []))
        os.sched_setaffinity(0, mine)
        bare = asyncio.run(on_bare(options.only or []))
        rows = [{**each, "bare": bare.get(each["attack"], "")} for each in rows]
    fuzz = asyncio.run(fuzzed(options.fuzz)) if options.fuzz else kept["fuzz"]
    page = told(rows, fuzz, load)
    print(page)
    (RESULTS / "abuse.md").write_text(page)
    (RESULTS / "abuse.json").write_text(json.dumps({"attacks": rows, "fuzz": fuzz, "load": load}, indent=1) + "\n")
    return 0 if all(figure <= bound for _, figure, bound in goals(rows, fuzz)) else 1


if __name__ == "__main__":
    raise SystemExit(main())
