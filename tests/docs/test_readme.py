"""The README line by line: what it lists is so, what it says to type does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.rpc.permits import PERMITS
from tests.support.processes import clean_environ, free_port, running, wait_serving

README = Path("README.md").read_text()


def block(language, containing):
    """The fenced block of a language that has this text in it."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)
    (found,) = [each for each in blocks if containing in each]
    return found


def test_the_page_says_that_the_whole_contract_is_built_only_while_it_is():
    """The sentence stands exactly as long as no method answers NOT_IMPLEMENTED."""
    said = "That is the whole contract" in README
    assert said is all(permit.built for permit in PERMITS.values())


def test_the_list_of_what_is_built_is_the_servers_own():
    """Every built method is named, and no other."""
    listed = README.partition("Built: ")[2].partition("That is the whole contract")[0]
    named = set(re.findall(r"\b[A-Z][A-Za-z]+[a-z]\b", re.sub(r"\(.*?\)", "", listed)))
    assert {permit.short.partition("/")[2] for permit in PERMITS.values() if permit.built} == named


@pytest.fixture(scope="module")
def dev(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    target = f"127.0.0.1:{free_port()}"
    with running(["dev", "--listen", target, "--http", "off", "--no-demo"], clean_environ(home)) as process:
        wait_serving(target)
        yield clean_environ(home, EXECSVC_TARGET=target), process


def typed(command, environ, seconds=20):
    """Runs one line of the README as a person's shell would; execsvc is the one under test."""
    shell = {**environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], env=shell, capture_output=True, text=True, timeout=seconds, check=False
    )


LINES = [
    line.partition("#")[0].strip()
    for line in block("sh", "execsvc status").splitlines()
    if line.startswith("execsvc") and not re.search(r" (watch|tail) |CLIENT_ORDER_ID", line)
]


@pytest.mark.process
@pytest.mark.parametrize("line", LINES)
def test_each_command_of_the_five_minutes_works(line, dev):
    """Typed as it stands, it exits 0 and says something."""
    done = typed(line, dev[0])
    assert (0, True) == (done.returncode, bool(done.stdout.strip())), done.stderr


@pytest.mark.process
def test_watch_shows_a_moving_ticker(dev):
    """Piped, it writes JSON lines, and the market moves."""
    done = typed("timeout 15 execsvc watch BTC/USD ETH/USD | head -6", dev[0])
    assert len(set(done.stdout.splitlines())) == 6, done.stderr


@pytest.mark.process
def test_tail_begins_with_the_open_orders_and_ends_with_how_to_go_on(dev):
    """Piped, it writes JSON lines, the feed's state first; Ctrl-C says the command that goes on from there."""
    done = typed("timeout -s INT 9 execsvc tail", dev[0])
    first = [line.split('"')[1] for line in done.stdout.splitlines()[:3]]
    assert ["connected", "stateChanged", "snapshot"] == first, done.stderr
    assert re.fullmatch(r"resume with: execsvc tail --since \S+\n", done.stderr)


@pytest.mark.process
def test_an_order_is_cancelled_by_the_id_that_was_printed_first(dev):
    """The verb buy prints the client order id before sending; order cancel and trace take it."""
    bought = typed("execsvc buy BTC/USD --qty 0.001 --limit 90000.0", dev[0])
    client_order_id = re.search(r"client order id\s+(\S+)", bought.stderr + bought.stdout)[1]
    cancelled = typed(f"execsvc order cancel {client_order_id}", dev[0])
    assert 0 == cancelled.returncode, cancelled.stderr
    assert "CANCELLED" in cancelled.stdout
    told = typed(f"execsvc trace {client_order_id} -o table", dev[0])
    assert ["JOURNALED", "SENT", "ANSWERED"] == [
        word for word in re.findall(r"\b[A-Z]{4,}\b", told.stdout) if word in {"JOURNALED", "SENT", "ANSWERED"}
    ]


@pytest.mark.process
def test_the_python_example_of_the_order_life_runs_as_it_stands(dev):
    """The guide's example, copied from the page into a file."""
    guide = Path("docs/guides/order-life.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", guide, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", example], env=dev[0], capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert re.search(r"OPAPER-\S+ OPEN", done.stdout)


@pytest.mark.process
def test_the_python_example_runs_as_it_stands(dev):
    """Copied from the page into a file."""
    done = subprocess.run(
        [sys.executable, "-c", block("python", "SyncClient")], env=dev[0], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    assert re.search(r"OPAPER-\S+ OPEN", done.stdout)


@pytest.mark.process
def test_the_paper_exchange_prints_what_a_client_needs(tmp_path):
    """KEY=value lines in one block, ended by an empty line, before it serves."""
    line = block("sh", "--print-env").partition("#")[0].strip()
    done = typed(f"timeout -s TERM 4 {line}", clean_environ(tmp_path))
    printed = done.stdout.partition("\n\n")[0].splitlines()
    assert [
        "EXECSVC_KRAKEN_REST_URL",
        "EXECSVC_KRAKEN_WS_URL",
        "EXECSVC_KRAKEN_WS_AUTH_URL",
        "KRAKEN_API_KEY",
        "KRAKEN_API_SECRET",
        "EXECSVC_TIER",
    ] == [each.partition("=")[0] for each in printed], done.stderr
