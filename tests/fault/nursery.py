"""Processes by fork from one that has imported everything: a life begins in a tenth of the time that a start takes.

The child runs what `python -m tests.fault.points` would, in a process, with an environment and with output files of its own.
`main` is the nursery's side; `Nursery` and `Life` are a test's. What is born here is real: killed, stopped, replaced alike.
"""

import json
import os
import random
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_S, STOP_S = 30.0, 40.0
TURN_S = 0.01


# ---- the test's side -----------------------------------------------------------------------------------------------


class Nursery:
    """Bears processes; when it is closed, all of them are gone."""

    def __init__(self, environ):
        self.codes = {}
        self._born = []
        self._turn = threading.Lock()  # one birth at a time, or two tests would get each other's process
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault.nursery"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def bear(self, words, environ, out):
        """A process that runs points.main(words); what it says goes to the file `out`."""
        with self._turn, self._news:
            self._process.stdin.write(json.dumps([list(words), environ, str(out)]) + "\n")
            self._process.stdin.flush()
            assert self._news.wait_for(lambda: self._born, START_S), "the nursery did not answer"
            return Life(self, self._born.pop(), out)

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            what, number, code = json.loads(line)
            with self._news:
                if what == "born":
                    self._born.append(number)
                else:
                    self.codes[number] = code
                self._news.notify_all()


class Life:
    """One process of the nursery."""

    def __init__(self, nursery, number, out):
        self.number = number
        self._nursery = nursery
        self._out = out

    @property
    def code(self):
        """Its exit code, as subprocess tells it; None while it lives."""
        return self._nursery.codes.get(self.number)

    @property
    def said(self):
        return self._out.read_text() if self._out.exists() else ""

    @property
    def stdout(self):
        """Its lines, as Exchange of tests/support/processes.py reads them; both streams go one way here."""
        return self.said.splitlines(keepends=True)

    def wait_for(self, pattern, seconds=START_S):
        """The match of `pattern` in what it said; fails with the whole output."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self.code is None:
            if found := re.search(pattern, self.said):
                return found
            time.sleep(TURN_S)
        raise AssertionError(f"never said {pattern!r}; exit code {self.code}; it said:\n{self.said}")

    def send_signal(self, number):
        if self.code is None:
            os.kill(self.number, number)

    def kill(self):
        """Kill -9, also of one that is stopped."""
        self.send_signal(signal.SIGKILL)
        return self.ended()

    def stop(self):
        """SIGTERM; the exit code."""
        self.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self, seconds=STOP_S):
        until = time.monotonic() + seconds
        while self.code is None:
            assert time.monotonic() < until, f"did not end in {seconds} s; it said:\n{self.said}"
            time.sleep(TURN_S)
        return self.code


# ---- the nursery's side --------------------------------------------------------------------------------------------


def serve():
    """A fork for every line, and a word for each that ended. Returns in each child what the line said, here None."""
    living = set()
    while True:
        # One birth at a time is asked for, so there is never a second line in the buffer that select could not see.
        if select.select([sys.stdin], [], [], TURN_S)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            number = os.fork()
            if number == 0:
                return json.loads(line)
            living.add(number)
            _say("born", number)
        for number in tuple(living):
            found, status = os.waitpid(number, os.WNOHANG)
            if found:
                living.remove(number)
                _say("dead", number, os.waitstatus_to_exitcode(status))
    for number in living:
        os.kill(number, signal.SIGKILL)
        os.waitpid(number, 0)
    return None


def grow_up(environ, out):
    """A process of its own from here on: nothing of the nursery's is left but what was imported."""
    os.environ.clear()
    os.environ.update(environ)
    random.seed()
    with Path(os.devnull).open() as nothing, Path(out).open("a") as said:
        os.dup2(nothing.fileno(), 0)
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    sys.stdout.reconfigure(line_buffering=True)


def _say(what, number, code=None):
    sys.stdout.write(json.dumps([what, number, code]) + "\n")
    sys.stdout.flush()


def main():
    """Everything that a life may import is imported once, before the first is born."""
    import execsvc.compose
    import execsvc.paper.server  # noqa: F401  for the lives
    from tests.fault import points

    life = serve()
    if life is not None:
        words, environ, out = life
        grow_up(environ, out)
        points.main(words)


if __name__ == "__main__":
    main()
