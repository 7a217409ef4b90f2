"""Every mishap of the paper exchange that concerns streams, struck on all six kinds of streams of one gateway at once.

What a mishap touches says so and starts anew before it is LIVE again; what it does not touch stays LIVE. The rows are
stream_rows.py; real processes, one exchange and one gateway for them all.
"""

import time
from itertools import pairwise

import pytest

from tests.fault.lives import wait
from tests.fault.stream_rows import (
    CUT,
    DROP_PRIVATE,
    LIVE,
    PRIVATE,
    PROMPT_S,
    PUBLIC,
    ROWS,
    SILENCE_S,
    STALE,
    UNDER_WAY_S,
    UNTOUCHED,
    has_news,
    loosely,
    sign,
    words,
)
from tests.fault.stream_watches import BTC, ETH, FILLING_AT, kind, stand_in

pytestmark = [pytest.mark.process, pytest.mark.timeout(60)]

POLLS_S = 2.0  # app/polls.py SPACING_S
ASKED_S = 0.5  # from the token of a new line to its subscriptions
HABIT, HABIT_S = 20, 0.1  # so many turns of trade and pause make short gaps a topic's habit
MOVING = {BTC: "0.5", ETH: "10"}  # takes more than lies at the best price


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

    def words(self, name, within):
        return words(name, self.seen(name), (self.began, self._until), within)

    def pictures(self, name):
        """The state of each snapshot since."""
        return [row[1].meta.feed_state for row in self.seen(name) if kind(row) == "snapshot"]

    def polled(self):
        """State and instant of each message with tickers over REST."""
        rows = ((row, [*row[1].snapshot.tickers, *row[1].update.tickers]) for row in self.seen("tickers"))
        return [(row[1].meta.feed_state, row[0]) for row, tickers in rows if any(each.polled for each in tickers)]

    def holes(self):
        """Streams whose numbers are not 1, 2, 3 … from their first message on."""
        numbers = {name: watch.numbers for name, watch in self._stand.watches.items()}
        return [name for name, each in numbers.items() if each != list(range(1, len(each) + 1))]


def enliven(stand, symbols):
    """Makes short gaps usual."""
    for _ in range(HABIT if symbols else 0):
        for symbol in symbols:
            stand.trade("sell", symbol, MOVING[symbol])
            stand.trade("buy", symbol, MOVING[symbol])
        time.sleep(HABIT_S)


def bring_about(stand, occasion):
    """Gives the mishap something to strike."""
    if occasion == "trades":  # on either side of the book: the second change does not make good for the first
        stand.trade("sell")
        stand.trade("buy")
    elif occasion == "fill":
        stand.place(FILLING_AT)


def judged(strike, row):
    said = {name: strike.words(name, row.within) for name in UNTOUCHED}
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


def test_refused_balances_are_stale_until_another_token_is_good_for_them(stand):
    """Their picture is told and never LIVE; after ten seconds the line is dialled anew, and then it is."""
    strike = Strike(stand)
    stand.exchange.fault(kind="token_expired", channel="balances")
    stand.exchange.fault(**DROP_PRIVATE)
    wait(lambda: strike.pictures("balances"), 5.0, "balances are read over REST")
    strike.mend()
    stand.settled()
    public = {name: UNTOUCHED[name] for name in PUBLIC}
    said = {name: loosely(strike.words(name, PROMPT_S), CUT) for name in (*PUBLIC, "balances")}
    assert public | {"balances": CUT} == said
    assert [STALE, LIVE] == strike.pictures("balances")
    assert [] == strike.holes()


def test_while_the_public_line_is_away_tickers_are_polled_and_stale(stand):
    """Within the spacing of calls, and until the line is back; then the stream's own picture comes before LIVE."""
    strike = Strike(stand)
    stand.exchange.fault(kind="refuse_ws", line="public", times="always")
    stand.exchange.fault(kind="drop_ws", line="public")
    wait(lambda: len(strike.polled()) > 1, 2 * POLLS_S + 1.0, "tickers are read over REST")
    strike.mend()
    stand.settled()
    assert {STALE} == {state for state, _ in strike.polled()}
    at = [place for _, place in strike.polled()]
    assert min(later - earlier for earlier, later in pairwise(at)) > POLLS_S - UNDER_WAY_S
    assert CUT == loosely(strike.words("tickers", PROMPT_S), CUT)
    assert [] == strike.holes()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_mishap_shows_where_it_strikes_and_nowhere_else(row, stand):
    """Touched: told in time, gap, snapshot, then LIVE. Untouched: LIVE, with news. No number is missing, no order untold."""
    enliven(stand, row.lively)
    strike = Strike(stand)
    for each in row.faults:
        stand.exchange.fault(**each)
    bring_about(stand, row.occasion)
    falling = list(row.falls)
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
