"""Fixtures and settings for all suites: Hypothesis without deadlines, and in CI without chance."""

import os

from hypothesis import settings

# Two slow cores shared with others make example deadlines lie; chance in CI would make a red run unrepeatable.
settings.register_profile("house", deadline=None, derandomize=os.environ.get("CI") == "true")
settings.load_profile("house")
