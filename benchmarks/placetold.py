"""What place.py measured, as tables, and what it should have been: G1, G2, G12, figures towards G3.

Nothing is measured here. A bench is anything with place.py's rows.
"""

import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import peers
from goals import Goal, ratios
from goals import table as judged

ROUNDS = 3
LEVELS = (1, 32, 256)  # orders in flight
ECHO, GATEWAY, SESSION = "bare grpc.aio echo", "execsvc, PlaceOrder", "execsvc, OrderSession"
REPORTED = "execsvc, PlaceOrder, each order told on the private stream too"

Figure = Callable[[peers.Outcome], float]


class Bench(Protocol):
    """One run."""

    rows: Mapping[str, Mapping[int, Sequence[peers.Outcome]]]
    slow: Mapping[str, peers.Outcome]
    memory_mb: Sequence[Sequence[float]]
    counted: Counter[str]
    placed: int
    busy: Sequence[float]
    server_core: int
    load_core: int


def cpu_us(outcome: peers.Outcome) -> float:
    """CPU microseconds per order."""
    return 1e6 * float(outcome["server_cpu_s"]) / float(outcome["calls"] + outcome["failed"])


def rate(outcome: peers.Outcome) -> float:
    """Orders per second."""
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
        "| what | in flight | orders/s | p50 ms | p99 ms | CPU µs per order | failed |",
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


def goals(bench: Bench) -> list[Goal]:
    """Every goal this run has a figure for. Ratios are of one round each, so that a slow minute slows both sides."""
    counted, memory = bench.counted, bench.memory_mb[-1]

    def of(figure: Figure, above: tuple[str, int], below: tuple[str, int]) -> list[float]:
        return ratios(*(map(figure, bench.rows[system][level]) for system, level in (above, below)))

    found = [
        Goal(f"G2 CPU / bare echo, {level} in flight", of(cpu_us, (GATEWAY, level), (ECHO, level)), 2)
        for level in LEVELS
    ]
    if bench.rows.keys() >= set(peers.PEERS):
        rival, alone, krakenex = (peers.CCXT, 32), (peers.CCXT, 1), (peers.KRAKENEX, 32)
        ours, ours_alone = (SESSION, 32), (SESSION, 1)
        found += [
            Goal("G2 CPU / ccxt async, 32 in flight", of(cpu_us, (GATEWAY, 32), rival), 1),
            Goal("G1 OrderSession: orders per core / ccxt async, 32", of(cpu_us, rival, ours), 2.5, least=True),
            Goal("G1 OrderSession: orders per core / krakenex, 32", of(cpu_us, krakenex, ours), 6, least=True),
            Goal("G1 OrderSession: p50 / ccxt async, 1 in flight", of(p50_ms, ours_alone, alone), 0.9),
        ]
    for system in (GATEWAY, SESSION):
        name = f"G12 {system}: orders/s, 256 / 32 in flight"
        found.append(Goal(name, of(rate, (system, 256), (system, 32)), 0.95, least=True))
    return [
        *found,
        Goal("G12 failed orders", [counted["failed"]], 0),
        Goal("G12 memory, 256 in flight again / before", [memory[-1] / memory[-2]], 1.05),
        Goal("G3 stale nonces", [counted["stale_nonces"]], 0),
        Goal("G3 orders/s of one key / 1 per round trip", [at_once(bench.slow[GATEWAY])], 0.95, least=True),
        Goal("P2 client ids seen twice at the exchange", [counted["duplicate_ids"]], 0),
        Goal("P2 orders at the exchange that differ from answers", [abs(counted["orders"] - bench.placed)], 0),
    ]


def told(bench: Bench, fsync: float) -> str:
    """The whole page."""
    memory = ", ".join(" → ".join(f"{mb:.0f}" for mb in row) for row in bench.memory_mb)
    where = "on one core" if bench.server_core == bench.load_core else "server on one core, stub and load on the other"
    lines = [
        f"Medians of {ROUNDS} rounds of {peers.SECONDS} s, {where}.",
        f"Load average {min(bench.busy):.1f} to {max(bench.busy):.1f}.",
        "",
        *table(bench),
        "",
        *slow_table(bench),
        "",
        f"Orders placed through execsvc: {bench.counted['orders']:,}. An fsync took {fsync:.0f} µs where the journal was.",
        "Memory of execsvc in MB, at start, after 1, 32 and 256 calls in flight, after as many in a session, at last 256",
        f"calls twice again; by round: {memory}.",
        "",
        *judged(goals(bench)),
    ]
    return "\n".join(lines) + "\n"
