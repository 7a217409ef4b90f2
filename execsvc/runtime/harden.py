"""Keeps other programs out of this one: no core file, no look into its memory or environment, and files for us alone.

What the kernel offers for that on the machine at hand is asked for once, first thing. Which secrets there are, and that
they do not get out by our own doing, is secrets.py's business and logs.py's.
"""

import os
import sys

_PR_SET_DUMPABLE = 4  # linux/prctl.h
OURS_ALONE = 0o077


def harden() -> tuple[str, ...]:
    """Does it; says in words what could not be done here.

    From then on root alone can read /proc/<pid>/environ and /proc/<pid>/mem or attach a debugger, a crash leaves no core,
    and what this process writes (store, tokens, unix sockets) nobody else can read.
    """
    os.umask(OURS_ALONE)
    return tuple(filter(None, (_no_core(), _no_looks())))


def _no_core() -> str:
    try:
        import resource
    except ImportError:
        return "core files cannot be switched off on this system: see that none is written"
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # lowering it is always allowed
    return ""


def _no_looks() -> str:
    """PR_SET_DUMPABLE 0 (prctl(2)): no core even where core_pattern is a pipe, and no ptrace by the same user."""
    if not sys.platform.startswith("linux"):
        return "this system cannot keep programs of the same user from looking into this one"
    import ctypes

    try:
        done = ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) == 0
    except (OSError, AttributeError):  # a C library without it
        done = False
    return "" if done else "programs of the same user can look into this one: prctl(PR_SET_DUMPABLE) failed"
