"""Other people's Kraken clients, placing straight at a stub exchange: what a user of this project would use instead.

`peers.py NAME URL` is run by a Python that has them (requirements/peers.txt, never a dependency of the service) and writes
what it measured as one line of JSON. At its top it imports the standard library only, so that benchmarks may import it.
"""

import asyncio
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parent.parent
KRAKENEX, SDK, CCXT = PEERS = ("krakenex", "python-kraken-sdk async", "ccxt async")
PEER_LEVELS = (1, 32)  # calls in flight
SECONDS = 1.2  # of a measured stretch
SLOW_LEVEL, SLOW = 64, "delay=20ms&jitter=3ms"  # G3: a round trip as over a network, requests overtaking each other
INSTALL_S = 180  # installing them may take so long, else they are left out
SECRET = "YmVuY2htYXJrcyBvbmx5"  # noqa: S105  the stub checks no signature

Outcome = dict[str, Any]
Measure = Callable[[int, float], tuple[list[float], int]]


def stub_says(url: str, method: str = "GET") -> Outcome:
    """The stub's counters."""
    with urlopen(Request(url, method=method), timeout=5) as reply:  # noqa: S310  our own stub on loopback
        said: Outcome = json.loads(reply.read())
    return said


def set_stub(url: str, query: str = "") -> None:
    """Sets the stub's delay, jitter and reports; what is not named is off."""
    stub_says(f"{url}/settings?{query}", "POST")


def difference(after: Outcome, before: Outcome) -> Outcome:
    """What was counted in between."""
    return {name: value - before[name] for name, value in after.items()}


def main(name: str, url: str) -> None:
    """Another client placing straight at the exchange, in this process; outcomes as one line of JSON."""
    measure = {KRAKENEX: _krakenex, SDK: _sdk, CCXT: _ccxt}[name](url)
    stretch(measure, url, PEER_LEVELS[-1], 0.2)
    told = {str(level): stretch(measure, url, level, SECONDS) for level in PEER_LEVELS}
    set_stub(url, SLOW)
    told["slow"] = stretch(measure, url, SLOW_LEVEL, SECONDS)
    set_stub(url)
    print(json.dumps(told))


def stretch(measure: Measure, url: str, level: int, seconds: float) -> Outcome:
    """One measured stretch, in the form in which the load tells its own."""
    counts, cpu, began = stub_says(f"{url}/counts"), time.process_time(), time.perf_counter()
    took, failed = measure(level, seconds)
    spent, cpu = time.perf_counter() - began, time.process_time() - cpu
    p50, p99 = (1e3 * sorted(took)[int(share * (len(took) - 1))] for share in (0.5, 0.99))
    told = {"calls": len(took), "failed": failed, "seconds": spent, "server_cpu_s": cpu, "p50_ms": p50, "p99_ms": p99}
    return told | {"counted": difference(stub_says(f"{url}/counts"), counts)}


def _krakenex(url: str) -> Measure:
    import krakenex

    client = krakenex.API("BENCH-KRAKENEX", SECRET)
    client.uri = url
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "27500.0", "volume": "0.001"}

    def measure(level: int, seconds: float) -> tuple[list[float], int]:
        took: list[float] = []
        failed: list[object] = []
        until = time.perf_counter() + seconds

        def caller() -> None:
            while (began := time.perf_counter()) < until:
                failed.extend(client.query_private("AddOrder", dict(order))["error"])
                took.append(time.perf_counter() - began)

        with ThreadPoolExecutor(level) as pool:
            for each in [pool.submit(caller) for _ in range(level)]:
                each.result()
        return took, len(failed)

    return measure


def _ccxt(url: str) -> Measure:
    import ccxt.async_support as ccxt  # type: ignore[import-not-found]  # only the peers’ own Python has it

    loop = asyncio.new_event_loop()
    client = ccxt.kraken({"apiKey": "BENCH-CCXT", "secret": SECRET, "enableRateLimit": False})
    client.urls["api"] = dict.fromkeys(client.urls["api"], url)
    loop.run_until_complete(client.load_markets())

    async def place() -> None:
        await client.create_order("BTC/USD", "limit", "buy", 0.001, 27500.0)

    return _measure(loop, place)


def _sdk(url: str) -> Measure:
    from kraken.spot import SpotAsyncClient

    loop = asyncio.new_event_loop()
    order = {"pair": "XBTUSD", "type": "buy", "ordertype": "limit", "price": "27500.0", "volume": "0.001"}

    async def made() -> Any:
        return SpotAsyncClient(key="BENCH-SDK", secret=SECRET, url=url)

    client = loop.run_until_complete(made())

    async def place() -> None:
        await client.request("POST", "/0/private/AddOrder", params=dict(order))

    return _measure(loop, place)


def _measure(loop: asyncio.AbstractEventLoop, place: Callable[[], Awaitable[None]]) -> Measure:
    async def caller(until: float, took: list[float]) -> None:
        while (began := time.perf_counter()) < until:
            await place()
            took.append(time.perf_counter() - began)

    async def together(level: int, seconds: float) -> tuple[list[float], int]:
        took: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(caller(until, took) for _ in range(level)))
        return took, 0

    return lambda level, seconds: loop.run_until_complete(together(level, seconds))


def python() -> str:
    """A Python that has the peers, made at the first run and kept; empty when that does not work in time."""
    pinned = ROOT / "requirements" / "peers.txt"
    folder = ROOT / ".scratch" / f"peers-{hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]}"
    binary, made = str(folder / "bin" / "python"), folder / "made"
    if made.exists():
        return binary
    print("installing the peers, once", file=sys.stderr)
    install = [binary, "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(pinned)]
    try:
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=INSTALL_S)
        subprocess.run(install, check=True, timeout=INSTALL_S)
    except (subprocess.SubprocessError, OSError) as failure:
        print(f"the peers are left out: {failure}", file=sys.stderr)
        return ""
    made.touch()
    return binary


if __name__ == "__main__":
    main(*sys.argv[1:])
