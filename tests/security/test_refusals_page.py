"""The page of refused starts says what `execsvc serve` says today."""

import pytest

from tests.security.refusals import CASES, INTRO, PAGE, block, tried
from tests.support.processes import paper_exchange

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    with paper_exchange(tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_a_refused_start_says_what_the_page_shows(exchange, case):
    """One line for each thing that is wrong, no traceback, exit code 3, and the page has the very words."""
    said, code = tried(case, exchange)
    assert (3, 1) == (code, len(said.splitlines()))
    assert block(case, said, code) in PAGE.read_text()


def test_the_page_shows_no_other_starts():
    """What is no longer refused is no longer on the page."""
    page = PAGE.read_text()
    assert page.startswith(INTRO)
    assert [f"## {case.title}" for case in CASES] == [line for line in page.splitlines() if line.startswith("## ")]


def test_a_start_that_is_refused_asked_the_exchange_for_nothing_else(exchange):
    """The look at the key is the only signed call of all these starts."""
    assert {"GetApiKeyInfo"} == {call["call"] for call in exchange.ask("GET", "/calls")["calls"]}
