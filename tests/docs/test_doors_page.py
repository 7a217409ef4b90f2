"""docs/reference/doors.md: its limits are those in force; its commands are run by tests/security/test_doors_process.py."""

import re
from pathlib import Path

import pytest

from execsvc.rpc import bounds, quotas
from execsvc.runtime import tls
from execsvc.web import listen

PAGE = Path("docs/reference/doors.md").read_text()
OWN = {
    "requests that were announced and have not come": (bounds.ARRIVING_MOST, f"{bounds.ARRIVING_S:g} s each"),
    "streams of all callers": (bounds.STREAMS_MOST, ""),
    "calls of all callers in flight": (bounds.CALLS_MOST, ""),
    "cancels of all callers in flight": (bounds.CANCELS_MOST, ""),
    "answers that one caller has not taken, each 64 KiB of one counting": (bounds.UNTAKEN_MOST, ""),
    "calls of health at once, answers not taken counted": (bounds.HEALTH_MOST, ""),
    "calls of reflection at once": (bounds.REFLECTIONS_MOST, f"{bounds.REFLECTION_S:g} s each"),
    "calls in gRPC, whatever their state": (bounds.RPCS_MOST, ""),
    "HTTP connections, handshakes counted": (listen.CONNECTIONS_MOST, ""),
}


def test_every_option_of_grpc_has_its_row():
    """Name, value and reason, as the table in the code has them, no more and no less."""
    rows = re.findall(r"^\| `(grpc\.[\w.]+)` \| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert [(limit.option, str(limit.value), limit.why) for limit in bounds.LIMITS] == rows


@pytest.mark.parametrize("what", OWN)
def test_a_limit_of_the_house_is_the_one_in_force(what):
    """The figure of the page is the figure of the code, and so is the time beside it."""
    most, time = OWN[what]
    (told,) = re.findall(rf"^\| {re.escape(what)} \| (.*?) \|", PAGE, re.MULTILINE)
    assert ", ".join(filter(None, (str(most), time))) == told


def test_times_and_shares_in_the_text_are_those_in_force():
    """Fifteen seconds of patience over HTTP, ten for a handshake; a caller's share; a fortnight's warning."""
    assert (15.0, 10.0, 64 * 1024) == (listen.PATIENCE_S, listen.HANDSHAKE_S, bounds.UNTAKEN_BYTES)
    assert (1024, 512, 512) == (quotas.MAX_STREAMS, quotas.MAX_CALLS, quotas.MAX_CANCELS)
    assert (14, 1.0, 24 * 3600.0) == (tls.WARN_DAYS, tls.LOOK_EVERY_S, tls.TELL_AGAIN_S)


def test_nine_callers_is_the_number_that_would_be_needed():
    """Eight that take nothing and hold all they may stay below gRPC's own bound, nine do not."""
    each = bounds.UNTAKEN_MOST + quotas.MAX_STREAMS + quotas.MAX_CALLS + quotas.MAX_CANCELS
    assert 8 * each <= bounds.RPCS_MOST < 9 * each
