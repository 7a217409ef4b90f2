"""G11: how long `execsvc --help` and `execsvc dev` take, and what the gateway keeps in memory.

Whole processes, as a person starts them; medians of several runs, with bare Python and the import of grpc measured in the
same run as the ceiling. Prints a table and writes it to benchmarks/results/.
"""

import json
import re
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

RUNS = 7
RESULTS = Path(__file__).parent / "results"
GOALS = {"help": 0.3, "dev": 2.0, "rss_mb": 150.0}


def timed(arguments: list[str]) -> float:
    """Seconds one Python process takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def first(pattern: str, text: str) -> str:
    """The first group of the first match; SystemExit with the text when there is none."""
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"{pattern} is not in:\n{text}")
    return found[1]


def dev_once() -> tuple[float, float]:
    """Seconds until dev says ready, and its resident memory in MB after ten seconds with every pair subscribed."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "execsvc", "dev", "--listen", "127.0.0.1:0", "--http", "off", "--no-demo"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        output = process.stdout or sys.stdin
        said = ""
        for line in output:
            said += line
            if "ready in" in line:
                break
        seconds = time.perf_counter() - began
        target = first(r"gRPC\s+(\S+)", said)
        memory = resident_with_all_pairs(process.pid, target)
        process.send_signal(signal.SIGTERM)
        output.read()
    return seconds, memory


def resident_with_all_pairs(pid: int, target: str) -> float:
    """Resident memory of the process in MB while one reader follows the tickers of every pair."""
    watch = "import sys; from execsvc_client import SyncClient\nwith SyncClient(sys.argv[1]) as c:\n"
    watch += "    symbols = [each.symbol for each in c.instruments()]\n    print(len(symbols), flush=True)\n"
    watch += "    for _ in c.watch(symbols): pass\n"
    with subprocess.Popen([sys.executable, "-c", watch, target], stdout=subprocess.PIPE, text=True) as watcher:
        (watcher.stdout or sys.stdin).readline()
        time.sleep(10)
        watcher.kill()
    status = Path(f"/proc/{pid}/status").read_text()
    return int(first(r"VmRSS:\s+(\d+)", status)) / 1024


def main() -> None:
    """Measures and writes."""
    rows = {
        "python -c pass": [timed(["-c", "pass"]) for _ in range(RUNS)],
        "import grpc": [timed(["-c", "import grpc.aio"]) for _ in range(RUNS)],
        "execsvc --help": [timed(["-m", "execsvc", "--help"]) for _ in range(RUNS)],
    }
    dev = [dev_once() for _ in range(3)]
    rows["execsvc dev, ready"] = [seconds for seconds, _ in dev]
    lines = ["| what | median s | least s | most s |", "|---|---|---|---|"]
    for name, took in rows.items():
        lines.append(f"| {name} | {statistics.median(took):.3f} | {min(took):.3f} | {max(took):.3f} |")
    rss = statistics.median(memory for _, memory in dev)
    lines.append(f"\nResident memory of dev (gateway and paper exchange), every pair subscribed: {rss:.0f} MB")
    met = {
        "help": statistics.median(rows["execsvc --help"]) <= GOALS["help"],
        "dev": statistics.median(rows["execsvc dev, ready"]) <= GOALS["dev"],
        "rss_mb": rss <= GOALS["rss_mb"],
    }
    lines.append(
        "\nGoals " + ", ".join(f"{name} ≤ {GOALS[name]}: {'met' if ok else 'NOT met'}" for name, ok in met.items())
    )
    text = "\n".join(lines) + "\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "startup.md").write_text("# G11: start-up\n\n" + text)
    (RESULTS / "startup.json").write_text(json.dumps({"rows": rows, "rss_mb": rss, "met": met}, indent=1) + "\n")
    print(text)


if __name__ == "__main__":
    main()
