"""What the crash suites share: one nursery, from which their processes are born."""

import pytest

from tests.fault.nursery import Nursery
from tests.support.processes import clean_environ


@pytest.fixture(scope="session")
def nursery(tmp_path_factory):
    here = Nursery(clean_environ(tmp_path_factory.mktemp("nursery")))
    yield here
    here.close()
