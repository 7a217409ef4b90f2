"""Many seeds, in one process or several: what came of each, in the order of the seeds."""

import gc
import multiprocessing
import sys
import traceback
from collections import Counter
from contextlib import contextmanager

import structlog

from tests.sim.world import Outcome, World
from tests.support.history import Finding

ORDERS = 4
_TIDY_EVERY = 25


@contextmanager
def quiet():
    """The house's logs are for people who run it; here the trace tells the story."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger("critical"))
    try:
        yield
    finally:
        structlog.configure(**before)


def run_one(seed, orders=ORDERS, *, tell=False):
    """One seed's outcome. What breaks the world itself is a finding too: the seed repeats it."""
    with quiet():
        try:
            return World(seed, orders=orders, tell=tell).run()
        except Exception:  # noqa: BLE001  a broken world must not hide the other seeds
            return Outcome(seed, (Finding("broken world", traceback.format_exc()),), "", Counter())


def run_many(seeds, orders=ORDERS, jobs=1):
    """Outcomes of all seeds, as they come."""
    if jobs == 1:
        yield from _each(seeds, orders)
        return
    parts = [list(seeds)[first : first + _TIDY_EVERY] for first in range(0, len(seeds), _TIDY_EVERY)]
    with multiprocessing.Pool(jobs) as pool:
        for outcomes in pool.imap(_part, [(part, orders) for part in parts]):
            yield from outcomes


def _part(asked):
    return list(_each(*asked))


def _each(seeds, orders):
    """Each world leaves cycles behind; they are collected now and then, and not while one runs."""
    gc.disable()
    try:
        for done, seed in enumerate(seeds, 1):
            yield run_one(seed, orders)
            if done % _TIDY_EVERY == 0:
                gc.collect()
    finally:
        gc.enable()


def say(line):
    """One line to whoever ran it, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def repeat_line(outcome, orders=ORDERS):
    """What a person types to see the seed again."""
    more = "" if orders == ORDERS else f' SIM="--orders {orders}"'
    return f"make sim SEED={outcome.seed}{more}"
