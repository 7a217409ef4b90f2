"""What strikes a process at a point: its own kill -9, its own SIGSTOP, or the loss of its store; and the log of it.

Everything here runs inside the gateway that is struck. Where it strikes is points.py.
"""

import inspect
import os
import signal
import sqlite3
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import wraps

from execsvc.store.database import Database
from execsvc.store.queries import Queries
from execsvc.store.tables import Tables
from tests.fault.seams import Seam


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def stop():
    """The thread that passes is the one that stops first; then all others, before it goes on."""
    signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class Store:
    """The store, cut off for some seconds or for good: every commit and every read of it fails. `say` hears of each."""

    def __init__(self, say):
        self.cut_until = 0.0
        self._say = say

    def cut(self, seconds):
        self.cut_until = time.monotonic() + seconds

    def demand(self):
        if time.monotonic() < self.cut_until:
            self._say("refused", "store")
            raise sqlite3.OperationalError("the store was cut off by a test")

    def seams(self):
        """A commit that was made when the store went away stays made, and is told as failed all the same."""
        reads = [
            name for name, value in vars(Queries).items() if inspect.isfunction(value) and not name.startswith("_")
        ]
        return (
            Seam(Tables, "transaction", self._transaction),
            Seam(Database, "check_owner", self._read),
            *(Seam(Queries, name, self._read) for name in reads),
        )

    def _transaction(self, original, _):
        @contextmanager
        def wrapped(tables):
            self.demand()
            with original(tables) as batch:
                yield batch
            self.demand()

        return wrapped

    def _read(self, original, _):
        @wraps(original)
        def wrapped(*args, **named):
            self.demand()
            return original(*args, **named)

        return wrapped


class Log:
    """What happened in this life, a line each, on the file before anything else does: a killed process says no more."""

    def __init__(self, path):
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def say(self, what, name):
        os.write(self._file, f"{time.monotonic():.6f} {what} {name}\n".encode())


class Passings:
    """Says each passing, and strikes at the n-th one. Before the file `armed` exists nothing counts."""

    def __init__(self, say, armed, nth, strike):
        self._say, self._armed, self._nth, self._strike = say, armed, nth, strike
        self._counts = Counter()

    def passed(self, name):
        if self._armed is not None and not self._armed.exists():
            return
        self._counts[name] += 1
        strikes = self._strike is not None and self._counts[name] == self._nth
        self._say("struck" if strikes else "passed", name)
        if strikes:
            self._strike()
