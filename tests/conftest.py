"""For all suites: Hypothesis without deadlines, in CI without chance, a watch for secrets, workers, figures for the end.

`HYPOTHESIS_PROFILE=thorough make prop` looks longer than the every-day profile does.
"""

import os
import signal

import pytest
from hypothesis import settings

from tests.support import canary_watch

FIGURES = "figures"

# A suite that a shell runs in the background ignores Ctrl-C, and would have its children ignore it, which tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two slow cores shared with others make example deadlines lie; chance in CI would make a red run unrepeatable.
settings.register_profile("house", deadline=None, max_examples=40, derandomize=os.environ.get("CI") == "true")
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_configure(config):
    canary_watch.register(config)


def pytest_xdist_auto_num_workers(config):
    """Two for the whole suite, `-n auto`; none where a person chose something: its output is live then, and `-x` exact."""
    everything = config.args_source is config.ArgsSource.TESTPATHS
    chosen = any(config.getoption(each, False) for each in ("keyword", "markexpr", "lf", "stepwise", "trace"))
    return 2 if everything and not chosen and config.option.capture != "no" else 0


@pytest.fixture
def tell(request):
    """Takes a line for the end of the run; it goes there with the report of the test, from a worker of xdist too."""
    return lambda line: request.node.user_properties.append((FIGURES, line))


def pytest_terminal_summary(terminalreporter):
    """Here, not beside the suites that tell: who sums up for workers has collected nothing, and knows no deeper conftest."""
    reports = (each for reports in terminalreporter.stats.values() for each in reports)
    for report in reports:
        if getattr(report, "when", "") == "teardown":  # a test's last report
            for name, line in report.user_properties:
                if name == FIGURES:
                    terminalreporter.write_line(line)
