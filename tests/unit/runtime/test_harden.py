"""A hardened process: nobody of the same user looks into it, no core file, and what it writes is its own."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from execsvc.runtime.harden import harden

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what is asked for is Linux's")

# Root looks into everything, so both become nobody: the kernel then takes `dumpable` away, which is given back to begin with.
DROPPED = textwrap.dedent("""
    import ctypes, os, resource, sys
    from execsvc.runtime.harden import harden
    if os.geteuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
""")
CHILD = DROPPED + textwrap.dedent("""
    left = harden() if sys.argv[1] == "hardened" else ()
    with open("written", "w") as file:
        file.write("x")
    print(os.getpid(), left, flush=True)
    sys.stdin.readline()
    os.abort()
""")
LOOK = DROPPED + "print(open(f'/proc/{sys.argv[1]}/environ').read().count('CANARY'))"


class Child:
    """A process with something in its environment, hardened or not."""

    def __init__(self, folder, how):
        folder.chmod(0o777)
        self.folder, self.written = folder, folder / "written"
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILD, how],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()), "CANARY": "yellow"},
        )
        self.pid, _, self.left = self.process.stdout.readline().strip().partition(" ")

    def looked_into(self):
        """What another process of the same user reads there."""
        done = subprocess.run([sys.executable, "-c", LOOK, self.pid], capture_output=True, text=True, check=False)
        return done.stdout.strip() or done.stderr.strip().splitlines()[-1].partition(":")[0]

    def limit(self):
        rows = Path(f"/proc/{self.pid}/limits").read_text().splitlines()
        return next(row.split()[4:6] for row in rows if row.startswith("Max core file size"))


@pytest.fixture
def child(tmp_path):
    started = []

    def start(how):
        started.append(Child(tmp_path, how))
        return started[-1]

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def test_nobody_of_the_same_user_can_look_into_it(child):
    """/proc/<pid>/environ is root's; without hardening the same look succeeds, so it is the hardening that this sees."""
    assert ("1", "PermissionError") == (child("plain").looked_into(), child("hardened").looked_into())


def test_nothing_was_left_undone_on_linux(child):
    """Both kernel requests were granted."""
    assert "()" == child("hardened").left


def test_a_crash_leaves_no_core(child):
    """The limit is 0, soft and hard, so no core comes about wherever the system puts them."""
    crashing = child("hardened")
    assert ["0", "0"] == crashing.limit()
    crashing.process.communicate("\n")
    assert -signal.SIGABRT == crashing.process.returncode
    assert [crashing.written] == list(crashing.folder.iterdir())


def test_what_it_writes_only_it_can_read(child):
    """The mask is 077: group and others get nothing."""
    assert 0o600 == child("hardened").written.stat().st_mode & 0o777


def test_what_a_system_cannot_do_is_told(monkeypatch):
    """Elsewhere than on Linux the rest is done, and the operator reads what is missing."""
    from execsvc.runtime import harden as room

    masked = os.umask(0o022)
    try:
        monkeypatch.setattr(room.sys, "platform", "plan9")
        monkeypatch.setattr("resource.setrlimit", lambda *_: None)
        assert ("this system cannot keep programs of the same user from looking into this one",) == harden()
        assert 0o077 == os.umask(0o022)
    finally:
        os.umask(masked)
