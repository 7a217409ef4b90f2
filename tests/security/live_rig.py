"""What `execsvc live check` looks at, all on loopback.

An exchange in a thread whose key is none of a paper exchange's, key files of mode 0600, a store of its own.
`LiveRig.check()` runs the verb in the test's own process and hands back what it printed.
"""

import asyncio
import dataclasses
import gc
import json
import logging
import threading
import urllib.request
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

import structlog

from execsvc.cli.main import run
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer

KEY = "K" * 56
CALM = {"EXECSVC_TIER": "intermediate", "EXECSVC_HTTP_LISTEN": "off", "EXECSVC_LISTEN": "127.0.0.1:50051"}


class ThreadedExchange:
    """A paper exchange in a thread; its one key was renamed, for live mode refuses paper keys."""

    def __init__(self, options):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.server = PaperServer(dataclasses.replace(options, control_port=0))
        self._run(self.server.start())
        keyring = self.server.exchange.venue.keys
        (key,) = keyring.all()
        del keyring._keys[key.api_key]
        key.api_key = KEY
        keyring._keys[KEY] = key
        self.key = key

    def _run(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def ask(self, method, path, body=None):
        request = urllib.request.Request(
            f"{self.server.control_url}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def fault(self, **fault):
        self.ask("POST", "/faults", fault)

    def calls(self):
        """The private calls that came, by name."""
        return [call["call"] for call in self.ask("GET", "/calls")["calls"]]

    def close(self):
        self._run(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@dataclasses.dataclass
class Said:
    """What the verb printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def report(self):
        return json.loads(self.out)

    def line(self, number):
        """That line of the report."""
        return self.report["lines"][number - 1]

    @property
    def verdicts(self):
        """By number of the line."""
        return {line["number"]: line["verdict"] for line in self.report["lines"]}

    def words(self, number):
        """All that the line says."""
        return " ".join(f"{each['about']} {each['what']} {each['remedy']}" for each in self.line(number)["findings"])


class LiveRig:
    """One exchange and the environment of a start against it."""

    def __init__(self, home, exchange, monkeypatch):
        self.home = home
        self.exchange = exchange
        self.store = home / "execsvc.db"
        self._patch = monkeypatch
        secrets = {"key": exchange.key.api_key, "secret": exchange.key.api_secret}
        for name, secret in secrets.items():
            (home / name).write_text(secret)
            (home / name).chmod(0o600)
        server = exchange.server
        self.environ = {
            "EXECSVC_MODE": "live",
            "EXECSVC_MAX_ORDER_NOTIONAL": "500",
            "EXECSVC_STORE": f"sqlite:///{self.store}",
            "EXECSVC_KRAKEN_REST_URL": server.rest_url,
            "EXECSVC_KRAKEN_WS_URL": server.ws_url,
            "EXECSVC_KRAKEN_WS_AUTH_URL": server.ws_auth_url,
            "KRAKEN_API_KEY_FILE": str(home / "key"),
            "KRAKEN_API_SECRET_FILE": str(home / "secret"),
            **CALM,
        }

    def check(self, *words, output="json", verb=("live", "check"), **environ):
        """The verb, with more in the environment; None takes a name out of it."""
        said = {**self.environ, **environ}
        with self._patch.context() as patch:
            patch.setattr("execsvc.runtime.harden.harden", tuple)  # it is of the whole process, and lasts
            for name, value in said.items():
                if value is None:
                    patch.delenv(name, raising=False)
                else:
                    patch.setenv(name, value)
            out, err = StringIO(), StringIO()
            with as_it_was(), redirect_stdout(out), redirect_stderr(err):
                code = run([*verb, *words, "-o", output])
        return Said(code, out.getvalue(), err.getvalue())


@contextmanager
def as_it_was():
    """What a process of its own sets up for itself, logs and garbage collection, is put back in that of the tests."""
    root, thresholds = logging.getLogger(), gc.get_threshold()
    handlers, level, configured = root.handlers[:], root.level, structlog.get_config()
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configured)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


@contextmanager
def exchange_of(**options):
    made = ThreadedExchange(PaperOptions(**{"tier": "intermediate", **options}))
    try:
        yield made
    finally:
        made.close()
