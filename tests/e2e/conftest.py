"""The order desk of a module: one gateway, one paper exchange, and what must hold after every test on it."""

import pytest

from tests.support.orderdesk import order_desk


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with order_desk(tmp_path_factory.mktemp("home")) as desk:
        yield desk


@pytest.fixture
def desk(served):
    """The market stands still to begin with; in the end nothing is open and the exchange's ledger proves itself."""
    served.still()
    yield served
    at_the_end = served.proved()
    served.tidy()
    assert ("", "") == (at_the_end, served.proved())
