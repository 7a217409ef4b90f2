"""Watches a run of tests for secrets that get out (promises.md P9), and fails it naming where.

Read are: what tests and verbs print, log lines, spans, metrics, errors as callers get them, reprs of the service's objects
while a test still holds them, all that gateways said as processes, and in the end every file that is left behind, its name
too. Each worker of xdist watches its own; the run as a whole fails. How a secret is recognised is canary.py's.
"""

import gc
import stat
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps

import pytest

from tests.support.canary import KNOWN, finds, finds_in_file, is_one_secret

REPR_SHARE, REPRS_OF_A_TYPE = 0.01, 3
FILE_MAX = 64 << 20
SHOWN_MAX = 40
# Made to hand a secret over: the exchange prints the keys it made, `token bake` the token, once.
HANDS_OVER = (("paper",), ("token", "bake"))


@dataclass(frozen=True)
class Leak:
    """A secret that got out: which and how written, where, and during which test."""

    what: str
    where: str
    test: str


class Canary:
    """One run's watch."""

    def __init__(self, config):
        self.leaks = {}
        self.spent_s = 0.0
        self._config = config
        self._reprs_s = 0.0
        self._test = ""
        self._processes = []
        self._hooked = set()
        self._types = {}

    def see(self, where, text, look=finds):
        """Looks for secrets in a text or bytes from that place."""
        began = time.process_time()
        for found in look(text):
            leak = Leak(f"{found.kind} ({found.form})", where, self._test)
            self.leaks.setdefault(leak, found.before)
        self.spent_s += time.process_time() - began

    # ---- pytest's hooks ---------------------------------------------------------------------------------------------

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item):
        self._test = item.nodeid
        for module, hook in HOOKS.items():
            if module in sys.modules and module not in self._hooked:
                self._hooked.add(module)
                hook(self, sys.modules[module])
        try:
            return (yield)
        finally:
            self._look_at_processes(all_of_them=False)
            self._test = ""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item):
        """Before the fixtures go: what they hold is what a running service holds."""
        if not self._reprs_s or self._reprs_s < REPR_SHARE * time.process_time():
            began = time.process_time()
            self._look_at_reprs()
            self._reprs_s += time.process_time() - began

    def pytest_runtest_logreport(self, report):
        if not hasattr(report, "node"):  # a worker has seen its own
            for name, text in report.sections:
                self.see(f"{name} of a test", text)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        if not getattr(self._config, "_canary_workers", False):
            self._look_at_processes(all_of_them=True)
            self._look_at_files()
        output = getattr(self._config, "workeroutput", None)
        if output is not None:
            output["canary"] = [(leak.what, leak.where, leak.test, before) for leak, before in self.leaks.items()]
        elif self.leaks and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node, error):
        """A worker of xdist has ended: its finds are the run's."""
        self._config._canary_workers = True
        for what, where, test, before in (getattr(node, "workeroutput", None) or {}).get("canary", ()):
            self.leaks.setdefault(Leak(what, where, test), before)

    def pytest_terminal_summary(self, terminalreporter):
        if self._config.option.verbose > 0:
            spent, whole = self.spent_s + self._reprs_s, time.process_time()
            terminalreporter.write_line(f"canary: {spent:.1f} s of {whole:.1f} s of this process's time")
        if not self.leaks:
            return
        terminalreporter.section("secrets got out", sep="=", red=True)
        for leak, before in list(self.leaks.items())[:SHOWN_MAX]:
            during = f", during {leak.test}" if leak.test else ""
            terminalreporter.write_line(f"CANARY {leak.what} in {leak.where}{during}, after {before!r}")
        if len(self.leaks) > SHOWN_MAX:
            terminalreporter.write_line(f"CANARY and {len(self.leaks) - SHOWN_MAX} more")

    # ---- what is looked at, and not handed in ------------------------------------------------------------------------

    def _look_at_reprs(self):
        if not _alone():
            return
        seen = {}
        for each in gc.get_objects():
            kind = type(each)
            if kind not in self._types:
                module = getattr(kind, "__module__", None) or ""
                self._types[kind] = str(module).startswith("execsvc") and not module.startswith("execsvc.paper")
            if not self._types[kind] or seen.get(kind, 0) >= REPRS_OF_A_TYPE:
                continue
            seen[kind] = seen.get(kind, 0) + 1
            try:
                told = repr(each)
            except Exception:  # noqa: BLE001, S112 - of a half-built object anything may be missing
                continue
            self.see(f"the repr of an {kind.__module__}.{kind.__qualname__}", told)

    def look_at_later(self, process, arguments):
        """A process of execsvc: what it said is looked at once it has ended."""
        self._processes.append((process, arguments, self._test))

    def _look_at_processes(self, *, all_of_them):
        ended = [each for each in self._processes if all_of_them or each[0].process.poll() is not None]
        self._processes = [each for each in self._processes if each not in ended]
        for process, arguments, self._test in ended:
            name = f"of `execsvc {arguments[0]}`"
            if not _hands_over(arguments):
                self.see(f"stdout {name}", "".join(process.stdout))
            self.see(f"stderr {name}", "".join(process.stderr))

    def _look_at_files(self):
        base = getattr(getattr(self._config, "_tmp_path_factory", None), "_basetemp", None)
        for path in sorted(base.rglob("*")) if base is not None else ():
            name = path.relative_to(base)
            self.see(f"a file's name, {name.parent}/…", name.name)
            if path.is_symlink() or not path.is_file() or path.stat().st_size > FILE_MAX:
                continue
            with suppress(OSError):  # it may be going, or not be ours to read
                content, mode = path.read_bytes(), stat.S_IMODE(path.stat().st_mode)
                if mode & 0o077 or not is_one_secret(content):
                    self.see(f"the file {name}", content, finds_in_file)


def register(config):
    """Watches the run of this configuration."""
    config.pluginmanager.register(Canary(config), "canary")


def _hands_over(arguments):
    return any(tuple(arguments[: len(words)]) == words for words in HANDS_OVER)


# ---- where texts come from: each hook is set once the module is there ---------------------------------------------------


def _after(owner, name, look):
    """Has `look(result, *args, **kwargs)` called after each call of owner.name."""
    act = getattr(owner, name)

    @wraps(act)
    def looked_at(*args, **kwargs):
        __tracebackhide__ = True
        result = act(*args, **kwargs)
        look(result, *args, **kwargs)
        return result

    setattr(owner, name, looked_at)


def _captured(canary, module):
    _after(module.CaptureFixture, "readouterr", lambda said, *_: canary.see("what a verb printed", f"{said}"))


def _logs(canary, module):
    _after(module, "_json_line", lambda line, *_: canary.see("a log line", line))

    make = module._text_line

    def text_line(stream):
        render = make(stream)

        def rendered(*args):
            line = render(*args)
            canary.see("a log line", line)
            return line

        return rendered

    module._text_line = text_line


def _spans(canary, module):
    def ended(_, span, *args, **kwargs):
        events = [(event.name, dict(event.attributes or {})) for event in span.events]
        canary.see(f"the span {span.name}", f"{dict(span.attributes or {})} {events} {span.status.description}")

    _after(module.Span, "end", ended)


def _metrics(canary, module):
    _after(module, "generate_latest", lambda text, *_: canary.see("the metrics", text))


def _wire_errors(canary, module):
    def made(_, error, *args, **kwargs):
        trailers = [value for _, value in error.trailing_metadata() or ()]
        canary.see("an error at the caller", f"{error.details()} {trailers}")

    _after(module.AioRpcError, "__init__", made)


def _own_errors(canary, module):
    def made(_, error, fault, *args, **kwargs):
        canary.see("an error of the service", f"{fault.message} {dict(fault.metadata)}")

    _after(module.ExecsvcError, "__init__", made)


def _processes(canary, module):
    def started(_, process, arguments, *args, **kwargs):
        canary.look_at_later(process, tuple(arguments))

    def made(_, exchange, *args, **kwargs):
        KNOWN.add(exchange.environ["KRAKEN_API_SECRET"])

    _after(module.Process, "__init__", started)
    _after(module.Exchange, "__init__", made)


def _keys(_, module):
    _after(module.Keyring, "make", lambda key, *_, **__: KNOWN.add(key.api_secret))


def _pages(canary, module):
    def read(body, answer, *args, **kwargs):
        if getattr(answer, "url", "").endswith(("/metrics", "/healthz")):
            canary.see("a page of the HTTP door", body)

    _after(module.HTTPResponse, "read", read)


HOOKS = {
    "_pytest.capture": _captured,
    "execsvc.runtime.logs": _logs,
    "opentelemetry.sdk.trace": _spans,
    "execsvc.runtime.otel": _metrics,
    "grpc.aio": _wire_errors,
    "execsvc.domain.errors": _own_errors,
    "tests.support.processes": _processes,
    "execsvc.paper.auth": _keys,
    "http.client": _pages,
}


def _alone():
    """Whether no other thread makes Python objects just now: one that is half made (a tuple) must not be held by two."""
    others = (each for each in threading.enumerate() if each is not threading.current_thread())
    return all("_poll_wrapper" in each.name for each in others)  # gRPC's own, which only waits
