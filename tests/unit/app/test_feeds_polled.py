"""Tickers over REST while the stream is away: seldom, marked, STALE, and over as soon as it is back."""

from decimal import Decimal
from itertools import pairwise

import pytest
from feeds_parts import TICKS, scene

from execsvc.app.hub import Batch, Gap, StateChanged
from execsvc.app.links import STALENESS_BOUND_S
from execsvc.app.polls import NAMED_MAX, SPACING_S
from execsvc.app.tickers import Tickers
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import (
    Beat,
    FeedState,
    GapReason,
    LinkDown,
    LinkUp,
    TickerSeen,
    TickerTopic,
    TopicRefused,
    TradesSeen,
    TradeTopic,
)
from execsvc.telemetry import silent

RECONNECT = GapReason.UPSTREAM_RECONNECT
BEST = (Decimal(101), Decimal(102))


async def live(here, *symbols):
    """A reader of tickers that are LIVE at a hundred."""
    box = here.read_tickers(*symbols)
    await here.tell(LinkUp(here.now_ns()), *(TickerSeen(here.tick(each), snapshot=True) for each in symbols))
    await here.drain(box)
    return box


def told(mails):
    """(bid, polled, snapshot) of every ticker."""
    return [
        (int(item.bid_price), item.polled, mail.snapshot)
        for mail in mails
        if isinstance(mail, Batch)
        for item in mail.items
    ]


async def lost(here, *symbols, best=BEST):
    """A reader whose link went down, with a venue that answers over REST."""
    box = await live(here, *(symbols or ("BTC/USD",)))
    here.venue.rest = best
    await here.tell(LinkDown("cut"))
    return box


def test_while_the_link_is_down_tickers_are_read_over_rest():
    """Told as updates that are marked; the state stays STALE, and nothing counts as LIVE."""

    async def script(here):
        box = await lost(here)
        await here.clock.sleep(1.0)
        assert [(101, True, False)] == told(await here.drain(box))
        assert (FeedState.STALE, None, ("BTC/USD",)) == (
            box.state,
            here.feeds.live_ticker("BTC/USD"),
            here.feeds.states_of(("BTC/USD",)),
        )

    scene(script)


def test_a_link_that_is_silent_is_away_too():
    """Once it counts as STALE."""

    async def script(here):
        box = await live(here, "BTC/USD")
        here.venue.rest = BEST
        await here.quiet_for(1)
        begun = here.clock.monotonic()
        await here.clock.sleep(STALENESS_BOUND_S + 1.0)
        assert begun + STALENESS_BOUND_S <= here.venue.looks[0][1]
        assert [(101, True, False)] == told(await here.drain(box))

    scene(script)


def test_all_symbols_are_in_one_call_and_calls_are_spaced():
    """However many are followed, and however many read them."""

    async def script(here):
        await lost(here, "BTC/USD", "ETH/USD")
        here.read_tickers("ETH/USD")
        await here.clock.sleep(10.0)
        at = [when for _, when in here.venue.looks]
        assert {("BTC/USD", "ETH/USD")} == set(here.venue.named)
        assert 5 == len(at)
        assert min(later - earlier for earlier, later in pairwise(at)) >= SPACING_S

    scene(script)


def test_more_symbols_than_an_address_holds_are_asked_for_without_naming_them():
    """The venue's whole list has them."""

    async def script(here):
        await lost(here, *(f"A{number}/USD" for number in range(NAMED_MAX)), "BTC/USD")
        await here.clock.sleep(1.0)
        assert [()] == here.venue.named

    scene(script)


def test_a_pair_that_the_venue_does_not_know_costs_the_others_nothing():
    """Refused by name, all are asked for; names are tried again at the next outage."""

    async def script(here):
        box = await lost(here, "BTC/USD", "ETH/USD", best=None)
        here.venue.refusal = refuse(Reason.UNKNOWN_SYMBOL, "no such pair", symbol="ETH/USD", suggestions="")
        await here.clock.sleep(1.0)
        here.venue.rest, here.venue.refusal = BEST, None
        await here.clock.sleep(SPACING_S)
        assert [("BTC/USD", "ETH/USD"), ()] == here.venue.named
        assert {101} == {bid for bid, _, _ in told(await here.drain(box))}

    scene(script)


def test_a_ticker_that_is_dead_alone_is_not_polled():
    """Its link stands: the picture of a new subscription is on its way."""

    async def script(here):
        box = await live(here, "BTC/USD")
        here.venue.rest = BEST
        await here.quiet_for(12)
        mails = await here.drain(box)
        assert (FeedState.STALE, [GapReason.UPSTREAM_INTEGRITY], []) == (
            box.state,
            [mail.reason for mail in mails if isinstance(mail, Gap)],
            told(mails),
        )

    scene(script)


def test_without_an_answer_nothing_is_invented():
    """The venue does not answer: no picture is told, and it is asked again."""

    async def script(here):
        box = await lost(here, best=None)
        await here.drain(box)
        await here.clock.sleep(5.0)
        assert ([], FeedState.STALE, 3) == (told(await here.drain(box)), box.state, len(here.venue.looks))

    scene(script)


def test_back_again_it_is_the_stream_that_tells():
    """A gap, the stream's own picture, LIVE; and no call any more."""

    async def script(here):
        box = await lost(here)
        await here.clock.sleep(1.0)
        await here.drain(box)
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD", "105"), snapshot=True))
        mails = await here.drain(box)
        assert ([RECONNECT], [(105, False, True)]) == (
            [mail.reason for mail in mails if isinstance(mail, Gap)],
            told(mails),
        )
        asked = len(here.venue.looks)
        for _ in range(6):
            await here.tell(TickerSeen(here.tick("BTC/USD", "105"), snapshot=False))
            await here.clock.sleep(1.0)
        assert (FeedState.LIVE, asked) == (box.state, len(here.venue.looks))

    scene(script)


def test_an_answer_that_comes_after_the_link_is_dropped():
    """What is RESYNCING waits for the stream's picture."""

    async def script(here):
        box = await lost(here)
        here.venue.takes_s = 1.0
        await here.clock.sleep(0.5)
        await here.tell(LinkUp(here.now_ns()))
        await here.clock.sleep(1.0)
        assert ([], FeedState.RESYNCING) == (told(await here.drain(box)), box.state)

    scene(script)


def test_a_link_that_was_merely_silent_has_its_own_picture_told_again():
    """LIVE is what the stream told last, not what REST had meanwhile."""

    async def script(here):
        box = await live(here, "BTC/USD")
        here.venue.rest = BEST
        await here.clock.sleep(STALENESS_BOUND_S + 1.0)
        assert [(101, True, False)] == told(await here.drain(box))
        await here.tell(Beat(here.now_ns()))
        mails = await here.drain(box)
        assert ([StateChanged()], [(100, False, True)], FeedState.LIVE) == (mails[:1], told(mails), box.state)

    scene(script)


def test_a_reader_that_comes_during_the_outage_begins_with_what_is_there():
    """The latest picture, of REST where there is one; as its snapshot."""

    async def script(here):
        await lost(here)
        await here.clock.sleep(1.0)
        assert [(101, True, True)] == told(await here.drain(here.read_tickers("BTC/USD")))

    scene(script)


def test_a_symbol_without_any_picture_begins_with_a_snapshot():
    """Each reader has one before any update."""

    async def script(here):
        box = await lost(here)
        other = here.read_tickers("ETH/USD")
        firsts = []
        for _ in range(2):
            await here.clock.sleep(SPACING_S)
            firsts += [snapshot for _, _, snapshot in told(await here.drain(other))]
        assert ([True, False], FeedState.STALE) == (firsts, box.state)

    scene(script)


def test_any_picture_of_the_stream_takes_the_place_of_a_polled_one():
    """Also where its link never went down for the topic: who comes later begins with it."""

    async def script(here):
        room = Tickers(here.clock, silent(), lambda _: FeedState.STALE)
        with room.reading(("BTC/USD",), TICKS):
            room.polled(here.tick("BTC/USD", "101"))
            room.saw(here.tick("BTC/USD", "102"), snapshot=False)
            with room.reading(("BTC/USD",), TICKS) as late:
                assert [102] == [bid for bid, _, _ in told(await here.drain(late))]

    scene(script)


@pytest.mark.parametrize("why", ["nobody reads them", "they are refused", "only trades are read"])
def test_what_nobody_waits_for_is_not_asked_for(why):
    """No reader, no market, no ticker: no call."""

    async def script(here):
        if why == "only trades are read":
            here.read_trades("BTC/USD")
            await here.tell(LinkUp(here.now_ns()), TradesSeen(TradeTopic("BTC/USD"), (), True, here.now_ns()))
        else:
            await live(here, "BTC/USD")
        if why == "nobody reads them":
            here.open.close()
        if why == "they are refused":
            await here.tell(TopicRefused(TickerTopic("BTC/USD"), "not supported"))
        here.venue.rest = BEST
        await here.tell(LinkDown("cut"))
        await here.clock.sleep(5.0)
        assert [] == here.venue.looks

    scene(script)
