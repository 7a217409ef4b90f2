"""Strict nonces: G3. 100,000 private calls of 64 callers per key at exchanges that take a nonce only above all before it.

Once in virtual time, once over loopback sockets with a round trip of 20 ms and 0 to 3 ms of jitter, several keys side by
side; then one key against an exchange that answers at once, which shows what we add between an answer and the next send.
The callers are those of tests/sim/test_strict_nonces.py. Prints tables and writes them to benchmarks/results/.
"""

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import peers
import strict
from processes import cores, on, started

from execsvc.ports import Reply
from execsvc.runtime import loop
from execsvc.runtime.clock import RealClock
from execsvc.runtime.entropy import RealEntropy
from execsvc.runtime.http import AiohttpHttp
from execsvc.runtime.tasks import Supervisor
from execsvc.store.disk import Disk
from execsvc.store.memory import MemoryStore

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
CALLS = 100_000
KEYS = 12
DELAY_S, JITTER_S = 0.02, 0.003
AT_ONCE_CALLS = 10_000
BARE_CALLS = 2_000
READ_S = 300.0  # reads come last in the lane: where 64 callers never pause, one may wait for long
SHARE_LEAST = 0.95  # G3: of one call per round trip, each key
sys.path.append(str(HERE.parent))  # the crowd lives with the tests


@dataclass
class KeyHttp:
    """The ports' Http of one key: our own, sent to the stub, with a stopwatch between an answer and the next send."""

    http: AiohttpHttp
    base: str
    key: str
    sent: list[float] = field(default_factory=list)
    trips_s: float = 0.0
    gaps_us: list[float] = field(default_factory=list)
    answered_at: float = 0.0

    async def send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> Reply:
        """Passes it on."""
        began = time.perf_counter()
        if self.answered_at:
            self.gaps_us.append(1e6 * (began - self.answered_at))
        self.sent.append(began)
        path = url[url.index("/0/") :]
        reply = await self.http.send(method, self.base + path, {**headers, "API-Key": self.key}, body, timeout_s)
        self.answered_at = time.perf_counter()
        self.trips_s += self.answered_at - began
        return reply


# ---- measuring --------------------------------------------------------------------------------------------------------


def counted_until(base: str, *, delay_s: float = 0.0, jitter_s: float = 0.0) -> dict[str, Any]:
    """What the stub counted so far, by key; it counts anew from here on, with these delays."""
    return peers.stub_says(f"{base}/settings?delay_s={delay_s}&jitter_s={jitter_s}")


def virtual() -> dict[str, Any]:
    """All calls in virtual time."""
    from tests.sim.test_strict_nonces import CALM, check_log, walked

    began, cpu = time.perf_counter(), time.process_time()
    crowd, used = walked("bench", CALM, CALLS)
    check_log(crowd)
    return {
        "calls": len(crowd.exchange.sent),
        "stale": len(crowd.exchange.stale) + crowd.exchange.dead,
        "of_1_per_round_trip": used,
        "seconds": time.perf_counter() - began,
        "cpu_us_per_call": 1e6 * (time.process_time() - cpu) / len(crowd.exchange.sent),
    }


async def crowds(base: str, keys: int, calls: int) -> tuple[list[KeyHttp], float]:
    """So many keys with 64 callers each, side by side in this process; what each key's calls took, and the seconds."""
    from tests.sim.test_strict_nonces import Crowd

    clock, shared = RealClock(), AiohttpHttp(user_agent="execsvc-bench")
    tasks = Supervisor(clock, RealEntropy(), on_failure=_fail, on_fatal=_fail)
    store = MemoryStore(Disk("bench", bytes(32)))
    https = [KeyHttp(shared, base, f"key-{number}") for number in range(keys)]
    parts = {"clock": clock, "tasks": tasks, "read_s": READ_S}
    walks = [Crowd(http.key, calls // keys, exchange=http, blocks=_Apart(store, http.key), **parts) for http in https]
    began = time.perf_counter()
    await asyncio.gather(*(crowd.walk() for crowd in walks))
    seconds = time.perf_counter() - began
    await tasks.close()
    await shared.close()
    failed = sum((crowd.failed for crowd in walks), Counter())
    if failed:
        raise SystemExit(f"calls failed: {failed}")
    return https, seconds


class _Apart:
    """Nonce blocks of a key of its own: the crowds all use one secret, so one fingerprint."""

    def __init__(self, store: MemoryStore, name: str) -> None:
        self._store = store
        self._name = name

    async def reserve(self, _fingerprint: str, floor: int, size: int) -> range:
        """See ports.NonceBlocks."""
        return await self._store.reserve(self._name, floor, size)

    async def high_water(self, _fingerprint: str) -> int | None:
        """See ports.NonceBlocks."""
        return await self._store.high_water(self._name)


def _fail(name: str, failure: BaseException) -> None:
    raise SystemExit(f"{name}: {failure!r}")


async def bare(base: str, calls: int) -> float:
    """Seconds of a round trip as a client sees it that does nothing but send the same bytes once more."""
    shared = AiohttpHttp(user_agent="execsvc-bench")
    http = KeyHttp(shared, base, "bare")
    headers = {"API-Sign": "x" * 88, "Content-Type": "application/x-www-form-urlencoded"}
    for number in range(calls):
        await http.send("POST", "/0/private/BalanceEx", headers, b"nonce=%d" % (number + 1), 5.0)
    await shared.close()
    return http.trips_s / calls


def side_by_side(base: str) -> dict[str, Any]:
    """Many keys with delay and jitter: each key's share of one call per round trip."""
    late = {"delay_s": DELAY_S, "jitter_s": JITTER_S}
    counted_until(base, **late)
    trip_s = loop.run(bare(base, 100))
    held = counted_until(base, **late)["bare"]
    wire_s = trip_s - held["held_s"] / held["calls"]
    https, seconds = loop.run(crowds(base, KEYS, CALLS))
    counted = counted_until(base)
    shares = [
        len(http.sent) / seconds * (counted[http.key]["held_s"] / counted[http.key]["calls"] + wire_s) for http in https
    ]
    return {
        "calls": sum(key["calls"] for key in counted.values()),
        "stale": sum(key["stale"] for key in counted.values()),
        "most_under_way_per_key": max(key["most_under_way"] for key in counted.values()),
        "seconds": seconds,
        "held_ms": 1e3 * statistics.mean(key["held_s"] / key["calls"] for key in counted.values()),
        "wire_ms": 1e3 * wire_s,
        "of_1_per_round_trip": shares,
        "of_1_per_time_held": [counted[http.key]["held_s"] / seconds for http in https],
    }


def at_once(base: str, profile: cProfile.Profile | None) -> dict[str, Any]:
    """One key at an exchange without delay: what is left is ours, the client library's and the kernel's."""
    counted_until(base)
    trip_s = loop.run(bare(base, BARE_CALLS))
    between_us = counted_until(base)["bare"]["gaps_us"]
    if profile is not None:
        profile.enable()
    (http,), seconds = loop.run(crowds(base, 1, AT_ONCE_CALLS))
    if profile is not None:
        profile.disable()
    key = counted_until(base)[http.key]
    return {
        "calls": key["calls"],
        "stale": key["stale"],
        "calls_s": key["calls"] / seconds,
        "bare_calls_s": 1 / trip_s,
        "gap_us": _spread(http.gaps_us),
        "gap_at_exchange_us": _spread(key["gaps_us"]),
        "bare_gap_at_exchange_us": _spread(between_us),
    }


def _spread(figures: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(figures, n=100)
    return {"median": statistics.median(figures), "mean": statistics.fmean(figures), "p99": cuts[98]}


# ---- telling ----------------------------------------------------------------------------------------------------------


def told(found: dict[str, Any]) -> str:
    """The whole page."""
    still, sockets, ours = found["virtual"], found["side_by_side"], found["at_once"]
    shares, held = sockets["of_1_per_round_trip"], sockets["of_1_per_time_held"]
    trip_ms = sockets["held_ms"] + sockets["wire_ms"]
    share = f"{statistics.fmean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})"
    return f"""Load average at the start: {found["load"]:.1f}.

| where | calls | stale nonces | calls of a key / 1 per round trip | goal: 0 and ≥ {SHARE_LEAST} |
|---|---|---|---|---|
{_row("virtual time, 1 key, 20 to 26 ms", still, f"{still['of_1_per_round_trip']:.4f}")}
{_row(f"loopback, {KEYS} keys side by side, {trip_ms:.1f} ms", sockets, share)}

A round trip is what the exchange held a call ({sockets["held_ms"]:.2f} ms) and what a bare client's call takes besides
({sockets["wire_ms"]:.2f} ms). Of the time held alone: {statistics.fmean(held):.3f}. Most calls of a key under way at once:
{sockets["most_under_way_per_key"]}. It took {sockets["seconds"]:.0f} s; in virtual time {still["seconds"]:.0f} s, where a
call cost {still["cpu_us_per_call"]:.0f} µs of CPU, the made-up exchange and the callers included.

One key, the exchange answers at once, {ours["calls"]:,} calls, {ours["stale"]} stale: {ours["calls_s"]:,.0f} calls/s; a bare
client alone: {ours["bare_calls_s"]:,.0f}.

| from an answer to the next send, µs | median | mean | p99 |
|---|---|---|---|
{_spread_row("ours alone: our HTTP room's answer to the next call of it", ours["gap_us"])}
{_spread_row("as the exchange sees it: answer written to next request read", ours["gap_at_exchange_us"])}
{_spread_row("the same of a bare client", ours["bare_gap_at_exchange_us"])}
"""


def _row(name: str, found: dict[str, Any], share: str) -> str:
    shares = found["of_1_per_round_trip"]
    least = min(shares) if isinstance(shares, list) else shares
    met = "met" if found["stale"] == 0 and least >= SHARE_LEAST else "**NOT met**"
    return f"| {name} | {found['calls']:,} | {found['stale']} | {share} | {met} |"


def _spread_row(name: str, spread: dict[str, float]) -> str:
    return f"| {name} | {spread['median']:.0f} | {spread['mean']:.0f} | {spread['p99']:.0f} |"


def main() -> None:
    """Measures and writes; with --profile measures the last stage alone and prints where its time goes."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--profile", action="store_true", help="profile one key without delay, and write nothing")
    profile = cProfile.Profile() if asked.parse_args().profile else None
    own_core, stub_core = cores()
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as folder:
        command = [sys.executable, strict.__file__]
        ready = r"strict exchange on (\S+) ready"
        with started(command, stub_core, Path(folder) / "log", ready) as (_, address), on(own_core):
            base = f"http://{address}"
            if profile is not None:
                at_once(base, profile)
                pstats.Stats(profile).sort_stats("tottime").print_stats(45)
                return
            found = {
                "load": os.getloadavg()[0],
                "virtual": virtual(),
                "at_once": at_once(base, None),
                "side_by_side": side_by_side(base),
            }
    text = told(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "nonces.md").write_text("# Strict nonces: G3\n\n" + text)
    (RESULTS / "nonces.json").write_text(json.dumps(found, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
