"""A topic that falls silent while its line beats: compared with the venue, and not believed when it stands still alone."""

from decimal import Decimal
from itertools import pairwise

import pytest
from feeds_parts import scene

from execsvc.app.hub import Batch, Gap
from execsvc.domain.market import (
    BookSeen,
    BookTopic,
    BookView,
    EventTimes,
    FeedState,
    GapReason,
    Level,
    LinkUp,
    TickerSeen,
    TickerTopic,
)

HUNDRED, MORE = Decimal(100), Decimal(101)


async def a_ticker(here):
    box = here.read_tickers("BTC/USD")
    await here.tell(LinkUp(here.now_ns()))
    await here.tell(seen(here, snapshot=True))
    await here.drain(box)
    return box


def seen(here, price="100", *, snapshot=False):
    return TickerSeen(here.tick("BTC/USD", price), snapshot)


def test_a_ticker_that_stands_still_while_the_venue_goes_on_is_stale_within_six_seconds():
    """Told as a gap; it is subscribed anew, and the same old picture that comes is not believed."""

    async def script(here):
        box = await a_ticker(here)
        here.venue.rest = (MORE, MORE)
        await here.quiet_for(6)
        mails = await here.drain(box)
        gaps = [(mail.reason, mail.symbols) for mail in mails if isinstance(mail, Gap)]
        assert (FeedState.STALE, [(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",))]) == (box.state, gaps)
        assert [TickerTopic("BTC/USD")] == here.venue.feeds[0].renewed
        await here.tell(seen(here, snapshot=True))
        assert (FeedState.STALE, None) == (box.state, here.feeds.live_ticker("BTC/USD"))

    scene(script)


def test_the_public_side_as_a_whole_is_stale_while_a_topic_is_dead():
    """As far as somebody reads it."""

    async def script(here):
        await a_ticker(here)
        here.venue.rest = (MORE, MORE)
        states = [here.feeds.public_state]
        await here.quiet_for(7)
        states.append(here.feeds.public_state)
        here.open.close()
        states.append(here.feeds.public_state)
        assert [FeedState.LIVE, FeedState.STALE, FeedState.LIVE] == states

    scene(script)


def test_a_quiet_market_stays_live_and_is_asked_about_less_and_less():
    """The venue shows the same: the next look comes when the silence has lasted twice as long."""

    async def script(here):
        box = await a_ticker(here)
        here.venue.rest = (HUNDRED, HUNDRED)
        await here.quiet_for(60)
        assert FeedState.LIVE is box.state
        at = [when for _, when in here.venue.looks]
        assert [pytest.approx(each, abs=0.3) for each in (4.75, 9.5, 19.0, 38.0)] == at

    scene(script)


def test_a_topic_that_speaks_while_it_is_looked_at_is_alive():
    """A picture that was only a moment older is no death."""

    async def script(here):
        box = await a_ticker(here)
        here.venue.rest = (MORE, MORE)
        await here.quiet_for(5)
        await here.tell(seen(here, "101"))
        await here.quiet_for(3)
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)

    scene(script)


@pytest.mark.parametrize("revived_by", ["news", "the venue's picture"])
def test_a_dead_topic_is_believed_again_when_it_speaks_or_agrees(revived_by):
    """An update, or a picture that is the venue's; then LIVE comes with its picture."""

    async def script(here):
        box = await a_ticker(here)
        here.venue.rest = (MORE, MORE)
        await here.quiet_for(7)
        assert FeedState.STALE is box.state
        if revived_by == "news":
            await here.tell(seen(here, "102"))
        else:
            await here.tell(seen(here, "101", snapshot=True))
            await here.quiet_for(7)
        mails = await here.drain(box)
        assert FeedState.LIVE is box.state
        assert any(isinstance(mail, Batch) for mail in mails)

    scene(script)


def test_a_book_is_compared_too():
    """By its best levels."""

    async def script(here):
        box = here.read_book()
        await here.tell(LinkUp(here.now_ns()))
        await here.tell(here.book("100", snapshot=True))
        here.venue.rest = (HUNDRED, None)
        await here.quiet_for(6)
        assert FeedState.LIVE is box.state
        here.venue.rest = (MORE, None)
        await here.quiet_for(8)
        assert (FeedState.STALE, [BookTopic("BTC/USD", 10)]) == (box.state, here.venue.feeds[0].renewed[:1])

    scene(script)


def test_a_venue_that_does_not_answer_proves_nothing():
    """The topic stays what it is, and is looked at again."""

    async def script(here):
        box = await a_ticker(here)
        await here.quiet_for(20)
        assert FeedState.LIVE is box.state
        assert len(here.venue.looks) > 1

    scene(script)


def test_looks_are_few():
    """One at a time, two seconds apart, however many topics are silent."""

    async def script(here):
        symbols = tuple(f"A{number}/USD" for number in range(30))
        here.read_tickers(*symbols)
        await here.tell(LinkUp(here.now_ns()))
        await here.tell(*(TickerSeen(here.tick(symbol), snapshot=True) for symbol in symbols))
        here.venue.rest = (HUNDRED, HUNDRED)
        await here.quiet_for(24)
        at = [when for _, when in here.venue.looks]
        assert 10 == len(at)
        assert min(later - earlier for earlier, later in pairwise(at)) >= 2.0

    scene(script)


def test_a_topic_that_nobody_reads_is_not_looked_at():
    """Nobody quotes on it."""

    async def script(here):
        await a_ticker(here)
        here.open.close()
        here.venue.rest = (MORE, MORE)
        await here.quiet_for(10)
        assert [] == here.venue.looks

    scene(script)


@pytest.mark.parametrize("between", ["its subscription anew", "another line"])
def test_the_silence_of_a_death_is_no_habit(between):
    """A topic that died for long and spoke again is looked at as soon as before, whatever its first word was."""

    async def script(here):
        box = await a_ticker(here)
        for _ in range(20):
            await here.quiet_for(0.25)
            await here.tell(seen(here, "101"))
        here.venue.rest = (HUNDRED, HUNDRED)
        await here.quiet_for(60)
        assert FeedState.STALE is box.state
        if between == "another line":
            await here.tell(LinkUp(here.now_ns()))
        await here.tell(seen(here, snapshot=True))
        await here.tell(seen(here, "101"))
        assert FeedState.LIVE is box.state
        await here.quiet_for(7)
        assert FeedState.STALE is box.state

    scene(script)


@pytest.mark.parametrize(("shown", "state"), [("1.235", FeedState.LIVE), ("1.236", FeedState.STALE)])
def test_a_silent_book_is_compared_as_far_as_rest_prints_it(shown, state):
    """REST shows thousandths of a lot where the stream shows all eight places."""

    async def script(here):
        box = here.read_book()
        await here.tell(LinkUp(here.now_ns()))
        times = EventTimes(None, here.now_ns())
        ours, theirs = (
            BookView("BTC/USD", 10, (Level(HUNDRED, Decimal(quantity)),), (), times)
            for quantity in ("1.23456789", shown)
        )
        topic = BookTopic("BTC/USD", 10)
        await here.tell(BookSeen(topic, True, ours.bids, (), 7, times, lambda: ours))

        async def book(instrument, depth, by):
            here.venue.looks.append(("book", here.clock.monotonic()))
            return theirs

        here.venue.book = book
        await here.quiet_for(8)
        assert (state, True) == (box.state, bool(here.venue.looks))

    scene(script)
