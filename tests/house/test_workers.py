"""How many processes run the tests that `make test` was asked for, and that nothing is lost between two of them.

Each case is a run of pytest by itself, in a folder of its own: nothing of the run that it is a part of reaches it.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERB = re.search(
    r"^test:.*\n\t@\$\(BIN\)/python -m pytest (.*) \$\(PYTEST\)$", (ROOT / "Makefile").read_text(), re.MULTILINE
)
# Of the workers that were decided on, and nothing else: no test runs.
DECIDED = """
import pytest
from tests.conftest import pytest_xdist_auto_num_workers

def pytest_configure(config):
    pytest.exit(f"workers: {config.option.numprocesses}, handed out by {config.option.dist}", 0)
"""
TWO, NONE = "2, handed out by loadfile", "0, handed out by no"
ASKED = {
    "": TWO,
    "-x --maxfail=3 -q -p no:cacheprovider": TWO,
    "-k one": NONE,
    "-m process": NONE,
    "suite/test_it.py::test_one": NONE,
    "-s": NONE,
    "--lf": NONE,
    "--sw": NONE,
    "--pdb": NONE,
    "--trace": NONE,
    "-n 2 suite": TWO,
}
PASSES = "def test_one():\n    assert True\n"
TELLS = """
import pytest

@pytest.fixture
def late(tell):
    yield
    tell("at its very end")
    raise LookupError("torn down badly")

def test_one(tell):
    tell("one of two")
    tell("two of two")

def test_two(tell, late):
    tell("in spite of its end")
"""
pytestmark = pytest.mark.process


def ran(home, conftest, tests, asked):
    """What a run of the verb says, of this suite and asked like that."""
    suite = home / "suite"
    suite.mkdir()
    (home / "pytest.ini").write_text(f"[pytest]\ntestpaths = suite\npythonpath = {shlex.quote(str(ROOT))}\n")
    (suite / "conftest.py").write_text(conftest)
    (suite / "test_it.py").write_text(tests)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *VERB[1].split(), *shlex.split(asked)],
        cwd=home,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}, "PY_COLORS": "0"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize("asked", ASKED)
def test_all_tests_are_run_by_two_and_chosen_ones_by_one(tmp_path, asked):
    """A process alone shows what is printed, ends at the first failure, and lets a debugger in; more can be asked for."""
    said = ran(tmp_path, DECIDED, PASSES, asked)
    assert [ASKED[asked]] == re.findall(r"Exit: workers: (.*\w)", said), said


@pytest.mark.parametrize("asked", ["", "-k test"], ids=["by two", "by one"])
def test_what_a_test_tells_for_the_end_is_told_there_whoever_ran_it(tmp_path, asked):
    """Once, in its order, and though the test ended badly."""
    said = ran(tmp_path, "from tests.conftest import *\n", TELLS, asked)
    lines = ["one of two", "two of two", "in spite of its end", "at its very end"]
    assert lines == [each for each in said.splitlines() if each in lines], said
