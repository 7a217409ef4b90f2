"""For all suites: Hypothesis without deadlines, in CI without chance, and a watch for secrets that get out.

`HYPOTHESIS_PROFILE=thorough make prop` looks longer than the every-day profile does.
"""

import os
import signal

from hypothesis import settings

from tests.support import canary_watch

# A suite that a shell runs in the background ignores Ctrl-C, and would have its children ignore it, which tests send them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Two slow cores shared with others make example deadlines lie; chance in CI would make a red run unrepeatable.
settings.register_profile("house", deadline=None, max_examples=40, derandomize=os.environ.get("CI") == "true")
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


def pytest_configure(config):
    canary_watch.register(config)
