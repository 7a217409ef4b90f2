"""docs/guides/kill-switch.md: its run is typed line by line, and its tables say what the service does."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.app.modes import SETTLE_S
from execsvc.cli.halt import Strictness
from execsvc.domain.modes import TradingMode
from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

PAGE = Path("docs/guides/kill-switch.md").read_text()
RUN = re.search(r"<!-- transcript -->\n```console\n(.*?)```", PAGE, re.DOTALL)[1]
STEPS = [
    (lines[0], lines[1:]) for lines in (step.splitlines() for step in re.split(r"^\$ ", RUN, flags=re.MULTILINE)[1:])
]
MODES = re.findall(r"^\| `(\w+)` \|.*\| `(.*)` \|$", PAGE, re.MULTILINE)


def test_every_mode_has_its_row():
    """From free to strict, each with the words that set it."""
    typed = {"NORMAL": "execsvc resume", "HALTED": "halt"}
    expected = [
        (mode.name, typed.get(mode.name, f"halt --mode {mode.value.replace('_', '-')}")) for mode in TradingMode
    ]
    assert expected == MODES
    assert {mode.value.replace("_", "-") for mode in TradingMode} - {"normal"} == {each.value for each in Strictness}


def test_the_wait_of_an_answer_is_the_one_in_force():
    """Half a second."""
    assert (0.5, True) == (SETTLE_S, "up to half a second" in PAGE)


@pytest.mark.process
@pytest.mark.timeout(120)
def test_the_run_goes_as_it_is_told(tmp_path):
    """Each command says each line that stands under it; `…` is what differs from run to run."""
    with paper_exchange(tmp_path, "--tier", "unlimited") as exchange:
        target = f"127.0.0.1:{free_port()}"
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = clean_environ(tmp_path, EXECSVC_LISTEN=target, EXECSVC_HTTP_LISTEN="off", **venue)
        with running(["serve"], environ):
            wait_serving(target)
            for command, lines in STEPS:
                said = _typed(command, clean_environ(tmp_path, EXECSVC_TARGET=target))
                for line in lines:
                    wanted = re.escape(line).replace("…", r"\S+")
                    assert any(re.fullmatch(wanted, each) for each in said), f"{command}: {line}\nit said: {said}"


def _typed(command, environ):
    words = shlex.split(command)
    done = subprocess.run(
        [sys.executable, "-m", *words], env=environ, capture_output=True, text=True, check=False, timeout=30
    )
    return [*done.stdout.splitlines(), *done.stderr.splitlines()]
