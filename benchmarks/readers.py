"""Readers: what two that stop reading cost the gateway and the others, and whether a thousand leave its memory flat.

First a busy market, where a reader of a book and one of trades read nothing for a while and then go on: the gateway's memory,
and how late the others are told, with and without them. Then a thousand streams of tickers from one client process. Whole
processes, gateway on one core, the rest on the other. Prints tables and writes them to benchmarks/results/.
"""

import argparse
import asyncio
import http.client
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from execsvc_api.v1 import market_data_service_pb2 as market_pb
from execsvc_api.v1 import market_data_service_pb2_grpc as market_grpc
from processes import cores, resident_mb, started

RESULTS = Path(__file__).resolve().parent / "results"
SYMBOL = "BTC/USD"
TAKES_PER_S = 300.0  # besides what the paper market does by itself
SECONDS, STALL_S = 60.0, 60.0
WARM_UP_S = 5.0
SUBSCRIBERS = 1000
OPEN_AT_ONCE = 50
# A connection of its own, which takes in no more than HTTP/2's 64 KiB a stream; grpc by itself would take 16 MB unread.
APART = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.http2.bdp_probe", 0),
    ("grpc.http2.lookahead_bytes", 65_535),
)
LINE = "\n"
AFTER_S = 5.0  # so long those that had stopped read on
GROWTH_MB = 8.0  # two full mailboxes and two full windows are well below
FLAT_MB_PER_MIN = 1.0
LATE_FACTOR, LATE_MS = 1.5, 5.0  # the others may be so much later, for the machine is shared


@dataclass
class Reader:
    """One stream and what came of it: delays are milliseconds from send_time to here."""

    delays_ms: list[float] = field(default_factory=list)
    fan_out_ms: list[float] = field(default_factory=list)  # from reading the exchange's frame to here
    news: int = 0
    gaps: list[int | None] = field(default_factory=list)
    snapshots_after_gap: int = 0
    trade_ids: list[int] = field(default_factory=list)

    def note(self, message: Any) -> None:
        """Takes one message in."""
        now = time.time_ns()
        event = message.WhichOneof("event")
        self.delays_ms.append((now - message.meta.send_time.ToNanoseconds()) / 1e6)
        if event == "gap":
            self.gaps.append(message.gap.lost_count if message.gap.HasField("lost_count") else None)
        elif event == "snapshot":
            self.snapshots_after_gap += bool(self.gaps)
        elif event in {"trades", "update", "delta"}:
            self.news += 1
        if event == "trades":
            self.trade_ids += [int(trade.trade_id) for trade in message.trades.trades]
        if event == "update":
            newest = max(each.times.receive_time.ToNanoseconds() for each in message.update.tickers)
            self.fan_out_ms.append((now - newest) / 1e6)

    def forget(self) -> None:
        """From here on it counts anew."""
        self.delays_ms.clear()
        self.fan_out_ms.clear()

    def unaccounted(self) -> int:
        """Trades between the first and the last that were neither read nor said to be lost; Kraken numbers them."""
        span = self.trade_ids[-1] - self.trade_ids[0] + 1
        return span - len(self.trade_ids) - sum(lost or 0 for lost in self.gaps)


# ---- measuring --------------------------------------------------------------------------------------------------------


@contextmanager
def scene(folder: Path, core: int, rest: int) -> Iterator[tuple[int, str, str]]:
    """A paper exchange and a gateway on it: the gateway's process, its address, and the exchange's control port."""
    paper = [sys.executable, "-m", "execsvc", "paper", "--port", "0", "--control-port", "0", "--print-env"]
    log = folder / "paper.log"
    with started(paper, rest, log, r"EXECSVC_PAPER_CONTROL_URL=(\S+)\n") as (_, control):
        environ = dict(re.findall(r"^((?:EXECSVC_KRAKEN|KRAKEN)\w+)=(\S+)$", log.read_text(), re.MULTILINE))
        environ["EXECSVC_STORE"] = f"sqlite:///{folder}/execsvc.db"
        serve = [sys.executable, "-m", "execsvc", "serve", "--listen", "127.0.0.1:0", "--http", "off"]
        with started(serve, core, folder / "log", r"gRPC\s+(\S+).*ready in", **environ) as (pid, address):
            yield pid, address, control


def drive(control: str) -> None:
    """Strangers take a little from either side in turn, until this process is ended."""
    line = http.client.HTTPConnection(urlsplit(control).netloc)
    print("driving now", flush=True)
    began, turn = time.monotonic(), 0
    while True:
        take = {"side": ("buy", "sell")[turn % 2], "qty": "0.0001"}
        line.request("POST", "/market", json.dumps({"symbol": SYMBOL, "take": take}))
        line.getresponse().read()
        turn += 1
        # Behind by a second, it does not hurry after.
        began = max(began, time.monotonic() - turn / TAKES_PER_S - 1.0)
        time.sleep(max(0.0, began + turn / TAKES_PER_S - time.monotonic()))


async def follow(call: Any, reader: Reader) -> None:
    """Reads a stream until it is cancelled; a stream that ends by itself ends the run."""
    while (message := await call.read()) is not grpc.aio.EOF:
        reader.note(message)
    raise SystemExit("a stream ended by itself")


def streams(stub: Any) -> tuple[Any, ...]:
    """A book, trades and tickers of the busy pair."""
    return (
        stub.SubscribeBook(market_pb.SubscribeBookRequest(symbol=SYMBOL)),
        stub.SubscribeTrades(market_pb.SubscribeTradesRequest(symbols=[SYMBOL])),
        stub.SubscribeTickers(market_pb.SubscribeTickersRequest(symbols=[SYMBOL])),
    )


async def watched(pid: int, seconds: float) -> list[float]:
    """Resident memory, once a second."""
    memory = []
    by = time.monotonic()
    for _ in range(round(seconds)):
        by += 1.0
        await asyncio.sleep(max(0.0, by - time.monotonic()))
        memory.append(resident_mb(pid))
    return memory


async def stopped(call: Any, on_again: asyncio.Event) -> Reader:
    """A reader that reads its first news, then nothing until told so, then everything."""
    reader = Reader()
    while not reader.news:
        reader.note(await call.read())
    reader.forget()
    await on_again.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(AFTER_S):
            await follow(call, reader)
    return reader


async def stalls(pid: int, address: str, seconds: float) -> dict[str, Any]:
    """Others alone, others beside two that stopped, and those two when they read on."""
    async with grpc.aio.insecure_channel(address) as channel, grpc.aio.insecure_channel(address, APART) as apart:
        others = [Reader() for _ in range(3)]
        async with asyncio.TaskGroup() as tasks:
            calls = streams(market_grpc.MarketDataServiceStub(channel))
            reading = [tasks.create_task(follow(*each)) for each in zip(calls, others, strict=True)]
            await asyncio.sleep(WARM_UP_S)
            alone, memory_alone = await stretch(others, pid, seconds)
            on_again = asyncio.Event()
            held = streams(market_grpc.MarketDataServiceStub(apart))[:2]
            sleepers = [tasks.create_task(stopped(call, on_again)) for call in held]
            traded = len(others[1].trade_ids)
            beside, memory_beside = await stretch(others, pid, seconds)
            traded = len(others[1].trade_ids) - traded
            on_again.set()
            book, trades = await asyncio.gather(*sleepers)
            for task in reading:
                task.cancel()
    return {
        "seconds": seconds,
        "trades_s": traded / seconds,
        "alone": alone,
        "beside": beside,
        "memory_mb": {"alone": memory_alone, "beside": memory_beside, "after": resident_mb(pid)},
        "book": {"late_ms": max(book.delays_ms), "gaps": len(book.gaps), "fresh_snapshots": book.snapshots_after_gap},
        "trades": {
            "late_ms": max(trades.delays_ms),
            "gaps": len(trades.gaps),
            "read": len(trades.trade_ids),
            "lost": sum(lost or 0 for lost in trades.gaps),
            "unaccounted": trades.unaccounted(),
        },
    }


async def stretch(readers: Sequence[Reader], pid: int, seconds: float) -> tuple[dict[str, float], list[float]]:
    """What these readers see from here on for so long, and the gateway's memory meanwhile."""
    for reader in readers:
        reader.forget()
    memory = await watched(pid, seconds)
    delays = [delay for reader in readers for delay in reader.delays_ms]
    return spread(delays) | {"messages_s": len(delays) / seconds}, memory


async def crowd(pid: int, address: str, seconds: float) -> dict[str, Any]:
    """A thousand streams of tickers on one connection."""
    before = resident_mb(pid)
    readers = [Reader() for _ in range(SUBSCRIBERS)]
    async with grpc.aio.insecure_channel(address) as channel, asyncio.TaskGroup() as tasks:
        stub = market_grpc.MarketDataServiceStub(channel)
        reading = []
        for number, reader in enumerate(readers):
            call = stub.SubscribeTickers(market_pb.SubscribeTickersRequest(symbols=[SYMBOL]))
            reading.append(tasks.create_task(follow(call, reader)))
            if number % OPEN_AT_ONCE == 0:
                await asyncio.sleep(0.05)
        await asyncio.sleep(WARM_UP_S)
        told, memory = await stretch(readers, pid, seconds)
        fan_out = spread([delay for reader in readers for delay in reader.fan_out_ms])
        silent = sum(not reader.delays_ms for reader in readers)
        for task in reading:
            task.cancel()
    return {
        "seconds": seconds,
        "before_mb": before,
        "memory_mb": memory,
        "slope_mb_per_min": 60 * slope(memory),
        "delivery": told,
        "fan_out": fan_out,
        "silent": silent,
    }


def slope(figures: Sequence[float]) -> float:
    """Least squares: how much a figure rises from one to the next."""
    return statistics.linear_regression(range(len(figures)), figures).slope


def spread(figures: list[float]) -> dict[str, float]:
    """Milliseconds."""
    cuts = statistics.quantiles(figures, n=100)
    return {"p50_ms": cuts[49], "p99_ms": cuts[98], "most_ms": max(figures)}


# ---- telling ----------------------------------------------------------------------------------------------------------


def goals(found: dict[str, Any]) -> list[tuple[str, float, float]]:
    """What should hold: name, figure, and the most that it may be."""
    stall, many = found["stalls"], found["crowd"]
    memory, alone = stall["memory_mb"], stall["alone"]["p99_ms"]
    late = max(LATE_FACTOR * alone, alone + LATE_MS)
    return [
        (
            "memory beside the two that stopped, above before, MB",
            max(memory["beside"]) - memory["alone"][-1],
            GROWTH_MB,
        ),
        ("p99 of the others beside them, ms", stall["beside"]["p99_ms"], late),
        ("of the two that stopped, not told of a hole", (not stall["book"]["gaps"]) + (not stall["trades"]["gaps"]), 0),
        ("gaps of the book without a fresh snapshot", stall["book"]["gaps"] - stall["book"]["fresh_snapshots"], 0),
        ("trades neither read nor told as lost", abs(stall["trades"]["unaccounted"]), 0),
        (f"memory with {SUBSCRIBERS:,} streams, MB a minute", abs(many["slope_mb_per_min"]), FLAT_MB_PER_MIN),
        ("streams that heard nothing", many["silent"], 0),
    ]


def told(found: dict[str, Any]) -> str:
    """The whole page."""
    stall, many = found["stalls"], found["crowd"]
    memory, book, trades = stall["memory_mb"], stall["book"], stall["trades"]
    rows = (
        _row("three readers alone", stall["alone"], memory["alone"]),
        _row("the same beside two that stopped", stall["beside"], memory["beside"]),
        _row(f"{SUBSCRIBERS:,} streams of tickers", many["delivery"], many["memory_mb"]),
    )
    fan_out, slept, watched_s = many["fan_out"], f"{stall['seconds']:.0f} s", f"{many['seconds']:.0f} s"
    judged = (f"| {name} | {figure:.3g} | ≤ {most:.3g} | {_met(figure, most)} |" for name, figure, most in goals(found))
    return f"""Load average at the start: {found["load"]:.1f}. Stretches of {slept}; the crowd was watched for {watched_s}.
In the first two rows {stall["trades_s"]:.0f} trades a second in {SYMBOL}; in the third what the paper market does by itself.

| readers | messages/s | p50 ms | p99 ms | most ms | memory of the gateway, MB |
|---|---|---|---|---|---|
{LINE.join(rows)}

Delays are from send_time to the reader. The two that stopped read nothing for {slept}, then on: of what they were told then
the oldest of the book was {book["late_ms"] / 1e3:.1f} s late, with {book["gaps"]} gaps and {book["fresh_snapshots"]} fresh
snapshots after them; of the trades {trades["read"]:,} were read and {trades["lost"]:,} told as lost (gaps: {trades["gaps"]}).
Afterwards the gateway held {memory["after"]:.1f} MB. Before the crowd it held {many["before_mb"]:.1f} MB; with it memory
moved by {many["slope_mb_per_min"]:+.2f} MB a minute. From the exchange's frame to the readers of the crowd it took
{fan_out["p50_ms"]:.0f} ms (p99 {fan_out["p99_ms"]:.0f} ms).

| goal | figure | bound | |
|---|---|---|---|
{LINE.join(judged)}
"""


def _met(figure: float, most: float) -> str:
    return "met" if figure <= most else "**NOT met**"


def _row(name: str, delivery: dict[str, float], memory: Sequence[float]) -> str:
    figures = " | ".join(f"{delivery[each]:.1f}" for each in ("p50_ms", "p99_ms", "most_ms"))
    held = f"{memory[0]:.1f} to {memory[-1]:.1f}, most {max(memory):.1f}"
    return f"| {name} | {delivery['messages_s']:,.0f} | {figures} | {held} |"


def measure(seconds: float, stall_s: float) -> dict[str, Any]:
    """Both, each at a gateway of its own."""
    core, rest = cores()
    os.sched_setaffinity(0, {rest})
    found: dict[str, Any] = {"load": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made, scene(Path(made), core, rest) as here:
        pid, address, control = here
        driver = [sys.executable, __file__, "--drive", control]
        with started(driver, rest, Path(made) / "driver.log", r"(driving)"):
            found["stalls"] = asyncio.run(stalls(pid, address, stall_s))
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-") as made, scene(Path(made), core, rest) as (pid, at, _):
        found["crowd"] = asyncio.run(crowd(pid, at, seconds))
    return found


def main() -> None:
    """Measures and writes."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=SECONDS, help="how long the crowd is watched")
    asked.add_argument("--stall", type=float, default=STALL_S, help="how long two readers read nothing")
    asked.add_argument("--drive", default="", help="be the strangers at this control port, and nothing else")
    options = asked.parse_args()
    if options.drive:
        drive(options.drive)
    found = measure(options.seconds, options.stall)
    text = told(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "readers.md").write_text("# Readers that stop, and a thousand that do not\n\n" + text)
    (RESULTS / "readers.json").write_text(json.dumps(found, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
