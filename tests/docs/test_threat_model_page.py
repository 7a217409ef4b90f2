"""docs/guides/threat-model.md: every test it leans on exists, and every command it gives in an emergency can be typed."""

import re
from pathlib import Path

import pytest
import typer

from execsvc.cli.main import app

PAGE = Path("docs/guides/threat-model.md").read_text("utf-8")
CITED = sorted(set(re.findall(r"`((?:tests|clients)/[\w/]+\.py)::(\w+)`", PAGE)))
VERBS = sorted(set(re.findall(r"`execsvc ([a-z-]+(?: [a-z-]+)?)", PAGE)))
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and "cannot" not in line]


@pytest.mark.parametrize(("file", "test"), CITED)
def test_what_is_called_proved_has_its_test(file, test):
    """The file is there, with a test of that name in it."""
    assert [test] == re.findall(rf"^(?:async )?def ({test})\(", Path(file).read_text("utf-8"), re.MULTILINE)


def test_no_row_goes_without_a_test():
    """Each thing that an attacker cannot do names one."""
    assert len(ROWS) > 30
    assert [] == [row for row in ROWS if not re.search(r"`(tests|clients)/[\w/]+\.py::\w+` \|$", row)]


@pytest.mark.parametrize("words", VERBS)
def test_commands_exist(words):
    """Every verb that is named is one, with its second word where it has one."""
    command = typer.main.get_command(app)
    for word in words.split():
        if not hasattr(command, "commands"):
            break
        command = command.commands[word]
    assert command is not app


def test_links_lead_somewhere():
    """Every page it points to is there."""
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert [] == [link for link in links if not (Path("docs/guides") / link).exists()]
