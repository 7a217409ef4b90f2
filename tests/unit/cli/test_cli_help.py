"""Help: what a newcomer reads first names every verb, keeps its lines, and shows arguments as they are typed."""

import re

import pytest

from execsvc.cli.main import HELP, VERBS

FIRST = {name.split()[0] for name in VERBS}


def test_the_overview_names_every_verb(execsvc):
    """One that is left out is found by nobody."""
    named = set(re.findall(r"[a-z][a-z-]*", HELP.partition("\b")[2]))
    assert set() == FIRST - named


def test_the_overview_keeps_its_lines(execsvc):
    """A group a line, not one paragraph."""
    assert "  Stop     halt, resume" in execsvc("--help").out.splitlines()


@pytest.mark.parametrize("name", sorted(VERBS))
def test_arguments_are_in_one_pair_of_brackets(execsvc, name):
    """`[FILE]` may be left out; `[[FILE]]` is a riddle."""
    usage = execsvc(*name.split(), "--help").out.partition("\n\n")[0]
    assert ("[[" in usage, "…" in usage) == (False, False), usage


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        (("token", "bake"), "execsvc token bake --help"),
        (("order", "cancle", "a"), "execsvc order --help"),
        (("audit", "verify", "--nope"), "execsvc audit verify --help"),
        (("config", "shw"), "execsvc config --help"),
    ],
)
def test_a_mistyped_command_points_at_the_nearest_help_there_is(execsvc, typed, hint):
    """Of the verb where it is known, else of its group."""
    said = execsvc(*typed)
    assert (2, True) == (said.code, re.search(rf"try: +{hint}$", said.err, re.MULTILINE) is not None)
