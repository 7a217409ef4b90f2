"""Deep books that speak and beat: laid beside the venue's now and then, and not believed where they stay unlike it."""

from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from feeds_parts import EVERY, scene

from execsvc.app.audit import EVERY_S, SPACING_S
from execsvc.app.books import AFTER_S, BEFORE_S
from execsvc.app.feeds import LINGER_S
from execsvc.app.hub import Gap
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import (
    BookSeen,
    BookTopic,
    BookView,
    EventTimes,
    FeedState,
    GapReason,
    Level,
    LinkDown,
    LinkUp,
)
from tests.support.venue import BTC_USD

DEPTH = 25
DEEP = BookTopic("BTC/USD", DEPTH)
TOLD_S = EVERY_S + SPACING_S + BEFORE_S + AFTER_S + 1.0


def rows(**changed):
    """Bids 99, 98, …; `changed` by place: a12=2."""
    levels = dict.fromkeys(range(1, 31), "1") | {
        int(name.removeprefix("a")): quantity for name, quantity in changed.items()
    }
    return tuple(Level(Decimal(100 - number), Decimal(quantity)) for number, quantity in sorted(levels.items()))


class Rest:
    """What REST shows of books; None: it does not answer. `asked`: of which, and when; those of silent books left out."""

    def __init__(self, here, *, silent_ones=10):
        self._clock = here.clock
        self._silent_ones = silent_ones
        self.bids = rows()
        self.asked = []
        self.takes_s = 0.05
        self.under_way = self.most_at_once = 0
        here.venue.book = self.book

    async def book(self, instrument, depth, by):
        if depth > self._silent_ones:
            self.asked.append((instrument.symbol, self._clock.monotonic()))
        deep = depth > self._silent_ones
        self.under_way += deep
        self.most_at_once = max(self.most_at_once, self.under_way)
        await self._clock.sleep(self.takes_s)
        self.under_way -= deep
        if self.bids is None:
            raise refuse(Reason.VENUE_UNREACHABLE, "no answer")
        return BookView(instrument.symbol, depth, self.bids[:depth], (), EventTimes(None, 0))


def seen(here, bids, *changes, snapshot=False, topic=DEEP):
    times = EventTimes(None, here.now_ns())
    view = BookView(topic.symbol, topic.depth, bids[: topic.depth], (), times)
    return BookSeen(topic, snapshot, view.bids if snapshot else changes, (), 7, times, lambda: view)


async def a_book(here, depth=DEPTH):
    box = here.read_book(depth=depth)
    await here.tell(LinkUp(here.now_ns()))
    await here.tell(seen(here, rows(), snapshot=True, topic=replace(DEEP, depth=depth)))
    return box


async def a_look(here, rest):
    """Until REST is asked once more."""
    asked = len(rest.asked)
    for _ in range(int(2 * TOLD_S)):
        if len(rest.asked) > asked:
            return
        await here.quiet_for(0.5)
    raise AssertionError("nobody looked")


async def lively(here, seconds, bids, **last):
    """The best level changes twice a second, the others are `bids`."""
    for turn in range(int(seconds * 2)):
        await here.clock.sleep(0.5)
        best = Level(Decimal(99), Decimal(2 + turn % 2))
        await here.tell(seen(here, (best, *bids[1:]), best, **last))


def integrity_gaps(mails):
    return [mail.symbols for mail in mails if isinstance(mail, Gap) and mail.reason is GapReason.UPSTREAM_INTEGRITY]


def test_a_lively_book_that_is_wrong_below_the_checksum_is_stale_within_forty_seconds():
    """Told as a gap and subscribed anew; what still comes of the old picture revives nothing, news on the new one do."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = rows(a15="3")
        await lively(here, TOLD_S, rows())
        assert (FeedState.STALE, [DEEP]) == (box.state, here.venue.feeds[0].renewed)
        assert [("BTC/USD",)] == integrity_gaps(await here.drain(box))
        await here.tell(seen(here, rows(a15="3"), snapshot=True))
        await lively(here, 0.5, rows(a15="3"))
        assert FeedState.LIVE is box.state
        await lively(here, 2 * TOLD_S, rows(a15="3"))
        assert (FeedState.LIVE, []) == (box.state, integrity_gaps(await here.drain(box)))

    scene(script)


def test_a_silent_book_that_is_wrong_below_the_checksum_is_found_too():
    """Its best levels are the venue's: the look at silent topics finds nothing."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = rows(a15="3")
        await here.quiet_for(TOLD_S)
        assert (FeedState.STALE, [DEEP]) == (box.state, here.venue.feeds[0].renewed)

    scene(script)


def test_a_level_that_keeps_moving_convicts_nobody():
    """REST lags by half a second and the level moves twice a second: what it shows is what our book was."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        for _ in range(int(4 * TOLD_S)):
            for quantity, before in (("2", "1"), ("1", "2")):
                rest.bids = rows(a15=before)
                level = Level(Decimal(85), Decimal(quantity))
                await here.tell(seen(here, rows(a15=quantity), level))
                await here.clock.sleep(0.499)
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)
        assert len(rest.asked) >= 4

    scene(script)


def test_a_level_that_was_wrong_and_is_told_anew_convicts_nobody():
    """Between the looks it is mended by itself."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = rows(a15="3")
        await a_look(here, rest)
        await here.quiet_for(AFTER_S + 1)
        await here.tell(seen(here, rows(a15="3"), Level(Decimal(85), Decimal(3))))
        await here.quiet_for(2 * TOLD_S)
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)
        assert SPACING_S == pytest.approx(rest.asked[1][1] - rest.asked[0][1], abs=0.5)

    scene(script)


@pytest.mark.parametrize("why", ["a snapshot", "another line"])
def test_a_new_picture_in_the_middle_of_a_look_ends_it(why):
    """What the answer is compared with has gone; what was suspected before as well."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = rows(a15="3")
        for _ in range(6):
            await a_look(here, rest)
            if why == "another line":
                await here.tell(LinkDown(here.now_ns()), LinkUp(here.now_ns()))
            await here.tell(seen(here, rows(), snapshot=True))
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)

    scene(script)


def test_a_new_picture_between_two_looks_takes_the_suspicion_away():
    """It is looked at twice itself before it is called wrong."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = rows(a15="3")
        await a_look(here, rest)
        await here.quiet_for(AFTER_S + 0.5)
        await here.tell(seen(here, rows(), snapshot=True))
        await here.quiet_for(EVERY_S - 1)
        assert (FeedState.LIVE, 1) == (box.state, len(rest.asked))
        await here.quiet_for(TOLD_S - EVERY_S + 1)
        assert (FeedState.STALE, 3) == (box.state, len(rest.asked))

    scene(script)


def test_a_venue_that_does_not_answer_convicts_no_deep_book():
    """It is asked again in its turn."""

    async def script(here):
        rest = Rest(here)
        box = await a_book(here)
        rest.bids = None
        await here.quiet_for(4 * EVERY_S)
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)
        assert len(rest.asked) >= 3

    scene(script)


@pytest.mark.parametrize("why", ["ten levels", "nobody reads it"])
def test_no_call_is_made_for_a_book_that_needs_none(why):
    """The checksum covers ten levels; what nobody reads nobody quotes on."""

    async def script(here):
        rest = Rest(here, silent_ones=0)
        depth = 10 if why == "ten levels" else DEPTH
        await a_book(here, depth)
        if why == "nobody reads it":
            here.open.close()
        await lively(here, 2 * EVERY_S, rows(), topic=replace(DEEP, depth=depth))
        assert [] == rest.asked

    scene(script)


@pytest.mark.parametrize("why", ["", "not followed", "a line that is lost", "a new picture"])
def test_a_look_proves_something_only_of_one_picture_that_is_live_to_its_end(why):
    """A level that differs all the while is told of that alone."""

    async def script(here):
        rest = Rest(here)
        await a_book(here)
        rest.bids = rows(a15="3")
        key = ("ETH/USD" if why == "not followed" else "BTC/USD", DEPTH)
        found = []

        async def look():
            found.append(await here.feeds._books.unlike(key, here.venue, BTC_USD))

        here.tasks.start("look", look())
        await here.quiet_for(1)
        if why == "a line that is lost":
            await here.tell(LinkDown(here.now_ns()))
        elif why == "a new picture":
            await here.tell(seen(here, rows(), snapshot=True))
        await here.clock.sleep(BEFORE_S + AFTER_S)
        assert [None if why else frozenset({(Decimal(85), Decimal(1))})] == found

    scene(script)


@pytest.mark.parametrize("takes_s", [0.05, 12.0])
def test_looks_at_deep_books_are_few(takes_s):
    """One at a time, five seconds apart, however many books are followed and however late the answers are."""

    async def script(here):
        rest = Rest(here)
        rest.takes_s = takes_s
        topics = [BookTopic(f"A{number}/USD", DEPTH) for number in range(12)]
        for topic in topics:
            here.open.enter_context(here.feeds.book(topic.symbol, DEPTH, EVERY))
        await here.tell(LinkUp(here.now_ns()))
        await here.tell(*(seen(here, rows(), snapshot=True, topic=topic) for topic in topics))
        await here.quiet_for(EVERY_S + 12 * max(SPACING_S, BEFORE_S + takes_s + AFTER_S + 0.5))
        at = [when for _, when in rest.asked]
        assert {topic.symbol for topic in topics} == {symbol for symbol, _ in rest.asked}
        assert min(later - earlier for earlier, later in pairwise(at)) >= SPACING_S
        assert 1 == rest.most_at_once

    scene(script)


def test_a_deep_book_that_nobody_reads_any_more_is_forgotten():
    """With its topic, after half a minute."""

    async def script(here):
        Rest(here)
        await a_book(here)
        await here.quiet_for(EVERY_S)
        known = ["<Audits 1 known" in repr(here.feeds._lookout)]
        here.open.close()
        await here.quiet_for(LINGER_S + 1)
        known.append("<Audits 0 known" in repr(here.feeds._lookout))
        assert [True, True] == known

    scene(script)
