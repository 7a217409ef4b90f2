"""What the crash suites share: one nursery, from which their processes are born, and figures told when all is over."""

import pytest

from tests.fault.nursery import Nursery
from tests.support.processes import clean_environ

FIGURES = pytest.StashKey()


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    here = Nursery(clean_environ(tmp_path_factory.mktemp("nursery")))
    yield here
    here.close()


@pytest.fixture
def tell(request):
    """Takes a line for the end of the run."""
    return request.config.stash.setdefault(FIGURES, []).append


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(FIGURES, []):
        terminalreporter.write_line(line)
