"""`python -m tests.sim.planted`: plants each bug of promises.md section 12.1 and prints who saw it (`make sim-planted`)."""

import argparse
import multiprocessing
import sys
import time

from tests.sim.planted.bugs import BUGS
from tests.sim.planted.hunt import SEEDS, hunt
from tests.sim.runs import say


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--bug", type=int, action="append", help="only this one (repeatable)")
    given = parser.parse_args()
    numbers = given.bug or [bug.number for bug in BUGS]
    began = time.monotonic()
    with multiprocessing.Pool(given.jobs) as pool:
        caught = {found.number: found for found in pool.imap_unordered(hunt, numbers, chunksize=1)}
    for bug in BUGS:
        if bug.number in caught:
            found = caught[bug.number]
            name = bug.name + (f" (and without {bug.without})" if bug.without else "")
            say(f"{bug.number:>3}  {name:<62} {found.seeds or 'NOT FOUND':>9}  {found.said[:110]}")
    say(f"seeds needed, of {SEEDS}; {time.monotonic() - began:.1f} s")
    return 0 if all(found.seeds for found in caught.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
