"""docs/guides/live-check.md: its two transcripts are what the verb prints, and its table names the eleven lines."""

import re
from pathlib import Path

import pytest

from execsvc.app.livecheck import judge
from execsvc.app.livefacts import Facts
from execsvc.paper.auth import PERMISSIONS
from tests.security.live_rig import LiveRig, exchange_of

PAGE = Path("docs/guides/live-check.md").read_text()
TRANSCRIPTS = re.findall(r"```text\n\$ execsvc live check\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def rig(tmp_path, monkeypatch):
    with exchange_of() as exchange:
        yield LiveRig(tmp_path, exchange, monkeypatch)


def as_on_any_machine(out, home):
    """Without what differs from run to run: the folder, the clock, the price of the moment."""
    out = out.replace(str(home), "/var/lib/execsvc")
    out = re.sub(
        r"clock is [+-]\d+\.\d s from ours, give or take \d+\.\d s",
        "clock is +0.0 s from ours, give or take 0.5 s",
        out,
    )
    return re.sub(r"buy [0-9.]+ at [0-9.]+", "buy 0.00005 at 48503.3", out)


def test_the_transcript_of_a_sound_set_up_is_what_is_printed(rig):
    """Word for word."""
    said = rig.check(output="table", EXECSVC_DEAD_MANS_SWITCH="60")
    assert (0, TRANSCRIPTS[0]) == (said.code, as_on_any_machine(said.out, rig.home))


def test_the_transcript_of_a_set_up_that_is_refused_is_what_is_printed(rig):
    """A key that may withdraw, and an address that is open to everybody."""
    rig.exchange.key.permissions = (*PERMISSIONS, "withdraw-funds")
    said = rig.check(output="table", EXECSVC_DEAD_MANS_SWITCH="60", EXECSVC_LISTEN="0.0.0.0:50051")
    assert (3, TRANSCRIPTS[1]) == (said.code, as_on_any_machine(said.out, rig.home))


def test_the_table_has_the_eleven_lines_by_their_titles():
    """In their order."""
    titles = [line.title for line in judge(Facts(now_ns=0, mode="live")).lines]
    rows = re.findall(r"^\| (\d+) \| ([^|]+?) \|", PAGE, re.MULTILINE)
    assert [(str(number), title) for number, title in enumerate(titles, 1)] == rows
