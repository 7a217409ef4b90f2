"""`python -m tests.sim`: the deterministic simulation of promises.md section 12.1 (`make sim`).

Many seeds give a summary and, for each that is red, the line that repeats it; one seed gives its findings and, with
--verbose, its whole story.
"""

import argparse
import sys
import time
from collections import Counter

from tests.sim.runs import ORDERS, repeat_line, run_many, run_one, say


def main():
    given = _arguments()
    if given.seed is not None:
        return _tell(run_one(given.seed, given.orders, tell=given.verbose), given)
    began = time.monotonic()
    counts, red = Counter(), []
    for outcome in run_many(range(given.first, given.first + given.seeds), given.orders, given.jobs):
        counts.update(outcome.counts)
        if outcome.findings:
            red.append(outcome)
            say(f"{repeat_line(outcome, given.orders)}   {outcome.findings[0]}")
    _sum_up(counts, red, given, time.monotonic() - began)
    return 1 if red else 0


def _arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed of many")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--orders", type=int, default=ORDERS, help="orders in each seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--verbose", action="store_true", help="tell the seed's story, line by line")
    return parser.parse_args()


def _tell(outcome, given):
    for line in outcome.lines:
        say(line[:400])
    say(f"seed {outcome.seed}: hash {outcome.hash}, {', '.join(f'{n} {what}' for what, n in outcome.counts.items())}")
    for finding in outcome.findings:
        say(f"  {finding}")
    if outcome.findings and not given.verbose:
        say(f"the whole story: {repeat_line(outcome, given.orders)}")
    return 1 if outcome.findings else 0


def _sum_up(counts, red, given, took_s):
    rules = Counter(finding.rule for outcome in red for finding in outcome.findings)
    rows = {
        "seeds": given.seeds,
        "orders": f"{counts['orders']}, of which the exchange took {counts['entered']}",
        "calls": f"{counts['calls']} of callers, {counts['requests']} signed ones heard at the exchange",
        "lives": f"{counts['lives']} processes, {counts['virtual s'] / 3600:.1f} hours of virtual time",
        "many": f"{counts['amends']} amends, {counts['applied']} of them applied, "
        + _listed(counts, ("batches", "lists", "clears", "switches", "streams", "halts", "resumes", "by hand")),
        "types": _listed(counts, sorted(name for name in counts if name.startswith("type "))),
        "mishaps": _listed(counts, ("kill", "point", "stop", "takeover", "step", "dark", "unreachable", "maintenance")),
        "ends": _listed(counts, sorted(name for name in counts if name.startswith("ends "))),
        "took": f"{took_s:.1f} s, {1000 * took_s / max(1, counts['orders']):.2f} ms an order",
        "red": f"{len(red)} seeds" + (f": {_listed(rules, sorted(rules))}" if red else ""),
    }
    for name, text in rows.items():
        say(f"{name:>8}  {text}")


def _listed(counts, names):
    return ", ".join(f"{name.removeprefix('ends ').removeprefix('type ')} {counts[name]}" for name in names)


if __name__ == "__main__":
    sys.exit(main())
