"""Books for minutes under mishaps by chance: none that says LIVE may be unlike the exchange's.

What is struck, compared and allowed is tests/fault/book_soak.py's; tests/fault/test_book_soak.py runs it for seconds. Prints
a table, writes it to benchmarks/results/, and ends with exit code 1 when a book was wrong.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
NAME = "soak"
MINUTES, PAUSE_S, SEED = 10.0, 4.0, 1
SHOWN = 20  # of the wrong ones
sys.path.append(str(HERE.parent))  # what strikes and judges lives with the tests

from tests.fault.book_soak import DEEP_S, DEPTHS, LOOK_S, ON_ITS_WAY_S, SYMBOLS, soaked  # noqa: E402  the path comes first


def told(found: Any, load: Sequence[float], options: argparse.Namespace) -> str:
    """The whole page."""
    books = f"{', '.join(SYMBOLS)} to depths {', '.join(map(str, DEPTHS))}"
    gaps = ", ".join(f"{count} {reason}" for reason, count in sorted(found.gaps.items())) or "none"
    lines = [
        f"{options.minutes:g} minutes, seed {options.seed}; books of {books}, compared every {LOOK_S * 1000:.0f} ms.",
        f"Load average {load[0]:.1f} to {load[1]:.1f}.",
        "",
        "| | |",
        "|---|---|",
        f"| states the exchange's books had; changes read | {found.states:,}; {found.deltas:,} |",
        f"| mishaps struck | {sum(found.struck.values())}: {_counts(found.struck)} |",
        f"| gaps told | {gaps} |",
        f"| books looked at; of them LIVE | {found.looks:,}; {found.live:,} ({found.live / max(1, found.looks):.0%}) |",
        f"| LIVE and not the exchange's of that very moment | {found.late:,} |",
        f"| oldest of them, nothing struck | {found.worst_calm_s:.2f} s ({ON_ITS_WAY_S:.0f} s are allowed) |",
        f"| oldest of them, whatever was struck | {found.worst_s:.2f} s |",
        f"| LIVE, right in the ten levels of the checksum, not below, after a lost update | {found.deep:,} |",
        f"| the longest that one book was so | {found.worst_deep_s:.1f} s ({DEEP_S:.0f} s are allowed) |",
        f"| **LIVE and wrong, or older than what was struck explains** | **{len(found.bad)}** |",
    ]
    return "\n".join([*lines, *(f"- {each}" for each in found.bad[:SHOWN])]) + "\n"


def _counts(struck: dict[str, int]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(struck.items()))


def main() -> None:
    """Runs and writes."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=MINUTES)
    asked.add_argument("--pause", type=float, default=PAUSE_S, help="seconds between mishaps, on average")
    asked.add_argument("--seed", type=int, default=SEED)
    options = asked.parse_args()
    load = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory(prefix="execsvc-soak-") as home:
        found = asyncio.run(soaked(home, seconds=60 * options.minutes, pause_s=options.pause, seed=options.seed))
    load.append(os.getloadavg()[0])
    text = told(found, load, options)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / NAME).with_suffix(".md").write_text("# Books under mishaps\n\n" + text)
    (RESULTS / NAME).with_suffix(".json").write_text(
        json.dumps({"load": load, "seed": options.seed} | vars(found), indent=1) + "\n"
    )
    print(text)
    sys.exit(bool(found.bad))


if __name__ == "__main__":
    main()
