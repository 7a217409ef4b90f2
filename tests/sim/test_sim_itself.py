"""The simulation is deterministic: one seed is one story, byte for byte, in any process and under any hash seed."""

import os
import subprocess
import sys
from pathlib import Path

from tests.sim.runs import run_many, run_one
from tests.support.entropy import stream

ROOT = Path(__file__).parents[2]
SEEDS = (401, 405, 412)


def hash_elsewhere(seed, hash_seed):
    command = [sys.executable, "-m", "tests.sim", "--seed", str(seed)]
    told = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=False
    )
    return told.stdout.split("hash ")[1].split(",")[0]


def test_one_seed_twice_is_one_story():
    """The same seed gives the same trace hash: every message, commit and answer, with its virtual time."""
    assert [run_one(seed).hash for seed in SEEDS] == [run_one(seed).hash for seed in SEEDS]


def test_the_story_is_the_same_under_any_hash_seed():
    """No order of a set reaches the wire or the journal: two interpreters with other hash seeds tell the same story."""
    here = run_one(SEEDS[0]).hash
    assert [here, here] == [hash_elsewhere(SEEDS[0], "1"), hash_elsewhere(SEEDS[0], "271828")]


def test_telling_the_story_does_not_change_it():
    """A verbose run is the same run."""
    outcome = run_one(SEEDS[1], tell=True)
    assert run_one(SEEDS[1]).hash == outcome.hash
    assert outcome.lines[0].endswith(tuple("abcdefghijklmnopqrstuvwxyz"))


def test_seeds_differ():
    """Another seed is another story."""
    assert len({run_one(seed).hash for seed in SEEDS}) == len(SEEDS)


def test_many_seeds_are_told_in_order_whoever_ran_them():
    """Two processes give what one gives."""
    alone = [(each.seed, each.hash) for each in run_many(range(400, 406), jobs=1)]
    assert alone == [(each.seed, each.hash) for each in run_many(range(400, 406), jobs=2)]


def test_a_draw_in_one_stream_shifts_no_other():
    """The root seed is split by name."""
    first, second = stream(1, "network"), stream(1, "callers")
    undisturbed = [second.random() for _ in range(3)]
    disturbed = stream(1, "callers")
    for _ in range(100):
        first.random()
    assert undisturbed == [disturbed.random() for _ in range(3)]
