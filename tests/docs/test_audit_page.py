"""docs/reference/audit.md: verbs and options exist, fields are those of an export, its program computes the hashes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.app.audithead import ChainHead
from execsvc.cli.audit import COLUMNS, audit
from execsvc.cli.main import run
from execsvc.compose.heads import _tell
from execsvc.settings.names import SERVER
from execsvc.store.database import Birth, open_database
from execsvc.store.inspect import heads_of
from execsvc.store.sqlite import SqliteStore
from tests.unit.store.samples import SECRET, intent_of, key_of

PAGE = Path("docs/reference/audit.md").read_text()


@pytest.fixture
async def store(tmp_path):
    path = tmp_path / "execsvc.db"
    opened = SqliteStore(open_database(path, Birth("journal", SECRET, 1)))
    for number in range(5):
        await opened.begin(intent_of(key_of(f"a{number}")), 1_700_000_000_123_456_789 + number)
    await opened.close()
    return path


def test_the_verbs_of_the_page_are_those_there_are():
    """No more and no less."""
    assert {command.name for command in audit.registered_commands} == {
        *re.findall(r"^\| `execsvc audit (\w+)`", PAGE, re.MULTILINE)
    }


@pytest.mark.parametrize("verb", ["verify", "head", "export"])
def test_the_options_of_the_page_can_be_typed(verb, capsys):
    """Each of those the page names for the verb."""
    run(["audit", verb, "--help"])
    known = capsys.readouterr().out
    named = {*re.findall(rf"`{verb} (--[a-z-]+)", PAGE), "--store", "--account"}
    assert {option for option in named if option not in known} == set()


def test_the_fields_are_those_of_an_export():
    """In their order, and the body at the end."""
    assert (*COLUMNS, "body") == tuple(re.findall(r"^\| `(\w+)` \| (?!walks|where)", PAGE, re.MULTILINE))


def test_the_settings_of_the_page_exist():
    """By their names."""
    assert {*re.findall(r"`(EXECSVC_\w+)`", PAGE)} <= {*SERVER}


def test_the_program_of_the_page_computes_the_hash_of_the_head(store, capsys):
    """From an export with bodies, and finds a change in it."""
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert 0 == run(["audit", "export", "--store", str(store), "--account", "main", "--bodies"])
    export = capsys.readouterr().out
    (head,) = heads_of(store)

    def told(text):
        return subprocess.run(
            [sys.executable, "-c", program, head.journal, "main"],
            input=text,
            capture_output=True,
            text=True,
            check=False,
        )

    assert head.hash.hex() == told(export).stdout.strip()
    assert "entry 2 was changed" in told(export.replace("a1", "a9")).stderr


def test_the_event_of_the_page_has_the_fields_of_the_log(capsys):
    """As the gateway tells it."""
    import structlog

    (line,) = re.findall(r"```json\n(.*?)\n```", PAGE)
    with structlog.testing.capture_logs() as logs:
        _tell(ChainHead("main", 128, "9f86", "6f2c"))
    written = json.loads(line)
    assert {*logs[0], "ts", "level", "mode"} - {"log_level"} == {*written}
    assert (logs[0]["event"], logs[0]["account"], logs[0]["sequence"]) == (
        written["event"],
        written["account"],
        written["sequence"],
    )
