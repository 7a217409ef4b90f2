"""The page on the paper exchange names all that the exchange offers, and nothing else."""

import inspect
import re
from dataclasses import fields
from pathlib import Path

import pytest

from execsvc.cli import run
from execsvc.paper import control, restface, restpublic, server, words, wsface, wstrade
from execsvc.paper.options import PaperOptions

PAGE = Path("docs/paper.md").read_text()
NAME = r"`([a-z0-9_]+)`"


def part(begin, end):
    """The text of the page between two of its phrases."""
    return PAGE[PAGE.index(begin) : PAGE.index(end)]


def first_cells(text):
    return [line.split("|")[1] for line in text.splitlines() if line.startswith("| ") and not line.startswith("|---")]


def test_rest_calls():
    """The table of REST calls is the exchange's own."""
    listed = ", ".join(first_cells(part("| calls | about |", "**Keys.**"))[1:])
    assert sorted([*restpublic.PUBLIC, *restface.PRIVATE]) == sorted(name.strip() for name in listed.split(","))


@pytest.mark.parametrize("name", ["AddExport", "Level3", "PreTrade", "PostTrade", "MaintenanceSchedule", "Withdraw"])
def test_calls_that_are_missing(name):
    """What the page says is missing is."""
    assert name not in {*restpublic.PUBLIC, *restface.PRIVATE}


def test_channels():
    """The table of channels is the exchange's own."""
    listed = re.findall(NAME, "".join(first_cells(part("| channel | line |", "One token serves"))))
    assert sorted([*wsface._CHANNELS, *wsface._PRIVATE]) == sorted(listed)


def test_trading_methods():
    """The trading methods of the private line are named, all of them."""
    listed = re.findall(NAME, part("One token serves", "**The market.**"))
    assert sorted(wstrade.METHODS) == sorted(listed)


def test_paths():
    """Every path of a socket is in the table of addresses."""
    listed = re.findall(r"`(/[a-z0-9/]+)`", "".join(first_cells(part("| address | speaks |", "Another client"))))
    assert sorted(server._WS_KINDS) == sorted(listed)


def test_options():
    """Every option of a program's exchange is in the table."""
    listed = re.findall(NAME, "".join(first_cells(part("| option of `PaperOptions` |", "On the command line"))))
    assert sorted(field.name for field in fields(PaperOptions)) == sorted(listed)


def test_command_line():
    """The options of the command are named, all of them."""
    listed = re.findall(r"`(--[a-z-]+)`", part("On the command line", "An exchange made with"))
    taken = [f"--{name.replace('_', '-')}" for name in inspect.signature(run.paper).parameters]
    assert sorted(taken) == sorted(listed)


def test_control_port():
    """Every request of the control port is named."""
    section = part("## The control port", "## Mishaps")
    named = set(re.findall(r"(GET|POST|DELETE) (/[a-z]+)", section))
    assert set(control._ROUTES) == named


@pytest.mark.parametrize("text", sorted(re.findall(r"`(E[A-Za-z]+:[^`<]+)`", PAGE)))
def test_error_texts(text):
    """An error text that the page quotes is one the exchange knows, or one it says is only there on demand."""
    known = {value for name, value in vars(words).items() if name.isupper() and isinstance(value, str)}
    on_demand = {"EGeneral:Temporary lockout", "EOrder:Scheduled orders limit exceeded"}
    assert text in known | on_demand or text.startswith("EGeneral:Invalid arguments:")
