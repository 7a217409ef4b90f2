"""Books of three depths under mishaps by chance, compared with the exchange's own ten times a second: no wrong one says LIVE.

Twenty seconds of what benchmarks/soak.py does for minutes; real gateway, real sockets.
"""

import asyncio
import time

import pytest

from execsvc.paper.control import answer_control
from execsvc.paper.exchange import PaperExchange
from execsvc.paper.options import PaperOptions
from tests.fault.book_soak import SYMBOLS, Truth, soaked

pytestmark = [pytest.mark.process, pytest.mark.timeout(90)]

SECONDS, PAUSE_S, SEED = 20.0, 1.0, 7


def test_the_judge_knows_what_the_exchange_has_had_and_never_had():
    """A book is of now, of a moment ago, or nobody's."""
    exchange = PaperExchange(PaperOptions(pairs=SYMBOLS, frozen=True), time.time_ns())
    truth = Truth(exchange)
    _, *before = truth.states[SYMBOLS[0]][-1]
    body = b'{"symbol":"BTC/USD","take":{"side":"buy","qty":"0.001"}}'
    assert 200 == answer_control(exchange, "POST", "/market", body, time.time_ns())[0]
    at, *after = truth.states[SYMBOLS[0]][-1]
    mixed = before[0], ((after[1][0][0], after[1][0][1] + 1), *after[1][1:])
    ages = [truth.age(SYMBOLS[0], *book, 10, at + 1.5) for book in (after, before, mixed)]
    assert [0.0, 1.5, None] == ages


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """One run, told by several tests."""
    home = tmp_path_factory.mktemp("soak")
    return asyncio.run(soaked(home, seconds=SECONDS, pause_s=PAUSE_S, seed=SEED))


def test_no_book_that_says_live_is_unlike_the_exchanges(found):
    """Every LIVE book is one that the exchange has, or had no longer ago than what was struck explains."""
    assert [] == found.bad


def test_books_were_live_most_of_the_time(found):
    """Else nothing was compared."""
    assert found.live > found.looks / 3


def test_mishaps_showed_and_were_mended(found):
    """Of either sort: books that were not the exchange's any more, and lines that were lost."""
    assert {"UPSTREAM_INTEGRITY", "UPSTREAM_RECONNECT"} == set(found.gaps)
