"""Balances cost a call that Kraken counts: asked for again only when something may have changed."""

from decimal import Decimal

import pytest

from execsvc.app.account import BALANCES_MOST_S, AccountReads
from execsvc.domain.account import Balance
from execsvc.domain.market import FeedState
from tests.support.simloop import SimClock, run_sim

ZERO = Decimal(0)


class Stream:
    """The private stream, as far as balances ask."""

    def __init__(self):
        self.moves, self.state = 0, FeedState.LIVE


class Venue:
    """Counts who asked; `meanwhile` is what happens while the answer is on its way."""

    def __init__(self, clock):
        self.clock, self.asked, self.meanwhile = clock, [], lambda: None

    async def balances(self, by, *, caller=""):
        self.asked.append(caller)
        await self.clock.sleep(0.1)
        self.meanwhile()
        return (Balance("USD", Decimal(len(self.asked)), ZERO, ZERO, ZERO, self.clock.wall_ns()),)


def read(*between, live=True):
    """Reads, then again after each of `between` (what happened to stream, clock and venue); how often the venue was asked."""

    async def act():
        clock, stream = SimClock(), Stream()
        venue = Venue(clock)
        stream.state = FeedState.LIVE if live else FeedState.RESYNCING
        reads = AccountReads(account="main", venue=venue, journal=None, catalog=None, executions=stream, clock=clock)
        told = [await reads.balances(clock.monotonic() + 5, caller="risk")]
        for happens in between:
            await happens(clock, stream, venue)
            told.append(await reads.balances(clock.monotonic() + 5, caller="risk"))
        return [int(balances[0].total) for balances in told], venue.asked

    return run_sim(act())


async def nothing(clock, stream, venue):
    await clock.sleep(1)


async def an_execution(clock, stream, venue):
    stream.moves += 1


async def a_link_lost(clock, stream, venue):
    stream.state = FeedState.STALE


async def a_long_quiet(clock, stream, venue):
    await clock.sleep(BALANCES_MOST_S + 0.1)


async def news_on_the_way(clock, stream, venue):
    stream.moves += 1
    venue.meanwhile = lambda: setattr(stream, "moves", stream.moves + 1)


def test_without_news_the_last_answer_is_given_again():
    """One call for any number of readers; the answer keeps the time at which it was read."""
    assert ([1, 1, 1], ["risk"]) == read(nothing, nothing)


@pytest.mark.parametrize("happens", [an_execution, a_link_lost, a_long_quiet], ids=lambda each: each.__name__)
def test_what_may_have_changed_is_asked_for_again(happens):
    """A report of the stream, a stream that cannot tell, or half a minute, for deposits show in no report."""
    assert ([1, 2], ["risk", "risk"]) == read(happens)


def test_an_answer_that_news_overtook_is_not_kept():
    """What came in while the answer was on its way may or may not be in it."""
    assert [1, 2, 3] == read(news_on_the_way, nothing)[0]


def test_nothing_is_kept_while_the_stream_does_not_stand():
    """Each reader asks."""
    assert [1, 2] == read(nothing, live=False)[0]
