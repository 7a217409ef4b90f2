"""Every mishap of the paper exchange that concerns streams, struck on all six kinds of streams of one gateway at once.

What a mishap touches says so and starts anew before it is LIVE again; what it does not touch stays LIVE. The rows, those
among them that are not noticed yet too, are stream_rows.py; real processes, one exchange and one gateway for them all.
"""

import time

import pytest

from tests.fault.lives import wait
from tests.fault.stream_rows import CUT, PRIVATE, PUBLIC, ROWS, SILENCE_S, UNTOUCHED, has_news, loosely, sign, words
from tests.fault.stream_watches import FILLING_AT, stand_in

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

ASKED_S = 0.5  # from the token of a new line to its subscriptions


@pytest.fixture(scope="module")
def whole_stand(tmp_path_factory):
    with stand_in(tmp_path_factory.mktemp("streams")) as here:
        yield here


@pytest.fixture
def stand(whole_stand):
    """Mended after each row, so that one that fails spoils no other."""
    yield whole_stand
    whole_stand.exchange.mend()


class Strike:
    """What all readers see from now on."""

    def __init__(self, stand):
        wait(lambda: all(watch.live for watch in stand.watches.values()), 10.0, "all are LIVE")
        self._stand = stand
        self._marks = {name: len(watch.rows) for name, watch in stand.watches.items()}
        self.began = time.monotonic()
        self._until = self.began

    def seen(self, name):
        return self._stand.watches[name].rows[self._marks[name] :]

    def signs(self, names):
        """Whether all of them have said something."""
        return all(sign(self.seen(name)) is not None for name in names)

    def mend(self):
        self._until = time.monotonic()
        self._stand.exchange.mend()

    def fresh(self, names):
        """Whether all of them had news since."""
        return all(has_news(self.seen(name), self.began, time.monotonic()) for name in names)

    def words(self, name, within, *, kept=False):
        return words(name, self.seen(name), (self.began, self._until), within, kept=kept)

    def holes(self):
        """Streams whose numbers are not 1, 2, 3 … from their first message on."""
        numbers = {name: watch.numbers for name, watch in self._stand.watches.items()}
        return [name for name, each in numbers.items() if each != list(range(1, len(each) + 1))]


def bring_about(stand, occasion):
    """Gives the mishap something to strike."""
    if occasion == "trades":  # on either side of the book: the second change does not make good for the first
        stand.trade("sell")
        stand.trade("buy")
    elif occasion == "fill":
        stand.place(FILLING_AT)


def judged(strike, row):
    kept = {name for name, expected in row.falls.items() if expected == "kept"}
    said = {name: strike.words(name, row.within, kept=name in kept) for name in UNTOUCHED}
    return {name: loosely(chain, row.expected[name]) for name, chain in said.items()}


def test_a_private_line_that_falls_silent_is_stale_and_a_lost_answer_is_asked_for_again(stand):
    """STALE in time. Dialled anew while answers are lost, it beats without a picture, and is dropped after five seconds."""
    strike = Strike(stand)
    stand.exchange.fault(kind="feed_silent", line="private")
    before = stand.tokens()
    wait(lambda: strike.signs(PRIVATE), SILENCE_S + 2.0, "the private streams say something")
    wait(lambda: stand.tokens() > before, 15.0, "the line is dialled anew")
    time.sleep(ASKED_S)
    strike.mend()
    stand.settled()
    said = {name: strike.words(name, SILENCE_S) for name in UNTOUCHED}
    assert UNTOUCHED | {"orders": "stale, live", "balances": CUT.replace("told", "stale")} == said
    assert [] == strike.holes()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_mishap_shows_where_it_strikes_and_nowhere_else(row, stand):
    """Touched: told in time, gap, snapshot, then LIVE. Untouched: LIVE, with news. No number is missing, no order untold."""
    strike = Strike(stand)
    for each in row.faults:
        stand.exchange.fault(**each)
    bring_about(stand, row.occasion)
    falling = [name for name, expected in row.falls.items() if expected != "kept"]
    if falling:
        wait(lambda: strike.signs(falling), row.within + 2.0, f"{row.name}: {falling} say something")
    else:
        time.sleep(row.lasts)
    going_on = [name for name in PUBLIC if row.expected[name] == "live"]
    wait(lambda: strike.fresh(going_on), 4.0, f"{row.name}: {going_on} have news")
    order = stand.place() if "orders" in row.falls else ""
    strike.mend()
    stand.settled()
    assert row.expected == judged(strike, row)
    assert [] == strike.holes()
    wait(lambda: not order or stand.told_of(order), 2.0, f"{order}, placed meanwhile, is told of")
