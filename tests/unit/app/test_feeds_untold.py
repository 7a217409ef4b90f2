"""Trades and candles that fall silent while their line beats: compared with what the venue shows, and with other topics."""

import pytest
from feeds_parts import EVERY, candle, scene, shown

from execsvc.app.hub import Batch, Gap
from execsvc.app.quiet import AGAIN_S, LEAST_S, SETTLE_S, QuietTopics
from execsvc.domain.market import CandleTopic, FeedState, GapReason, LinkUp, TickerSeen, TickerTopic, TradeTopic

TRADES, CANDLES = TradeTopic("BTC/USD"), CandleTopic("BTC/USD", 60)
DEAD = (FeedState.STALE, [(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",))])


async def live_trades(here, *ids):
    """A reader of trades that is LIVE; the newest trade is the last of these."""
    box = here.read_trades("BTC/USD")
    await here.tell(LinkUp(here.now_ns()), here.trades(*ids, snapshot=True))
    await here.drain(box)
    return box


async def live_candles(here, *minutes):
    """A reader of candles that is LIVE, after each of these."""
    box = here.read_candles(delivery=EVERY)
    await here.tell(LinkUp(here.now_ns()), here.candles(*minutes, snapshot=True))
    await here.drain(box)
    return box


async def said(here, box):
    """The state, and the gaps that were told."""
    mails = await here.drain(box)
    return box.state, [(mail.reason, mail.symbols) for mail in mails if isinstance(mail, Gap)]


def test_trades_that_the_venue_shows_and_the_stream_did_not_tell_are_a_hole():
    """STALE with a gap within six seconds, and subscribed anew."""

    async def script(here):
        box = await live_trades(here, 8, 9)
        here.venue.newest = (8, 9, 10)
        await here.quiet_for(6)
        assert DEAD == await said(here, box)
        assert [TRADES] == here.venue.feeds[0].renewed

    scene(script)


def test_a_market_without_trades_stays_live_and_is_asked_about_less_and_less():
    """The venue shows none that was not told: the next look comes when the silence has lasted twice as long."""

    async def script(here):
        box = await live_trades(here, 8, 9)
        here.venue.newest = (7, 8, 9)
        await here.quiet_for(60)
        assert FeedState.LIVE is box.state
        assert [pytest.approx(each, abs=0.6) for each in (4.5, 9.0, 18.0, 36.0)] == [at for _, at in here.venue.looks]

    scene(script)


def test_where_no_trade_was_ever_told_telling_begins_behind_the_venues_newest():
    """What is old already at the first look proves nothing; what is newer at a later one does."""

    async def script(here):
        box = await live_trades(here)
        here.venue.newest = (8, 9)
        await here.quiet_for(8)
        assert FeedState.LIVE is box.state
        here.venue.newest = (8, 9, 10)
        await here.quiet_for(6)
        assert DEAD == await said(here, box)

    scene(script)


def test_a_trade_that_comes_while_it_is_looked_for_is_no_death():
    """REST was a moment ahead of the stream."""

    async def script(here):
        box = await live_trades(here, 9)
        here.venue.newest = (9, 10)
        await here.quiet_for(5)
        await here.tell(here.trades(10))
        await here.quiet_for(3)
        assert (FeedState.LIVE, []) == (box.state, here.venue.feeds[0].renewed)

    scene(script)


def test_what_the_new_snapshot_tells_comes_after_the_gap_and_is_not_believed_yet():
    """The missed trades are told; LIVE comes when the venue shows no more than was told."""

    async def script(here):
        box = await live_trades(here, 9)
        here.venue.newest = (9, 10)
        await here.quiet_for(7)
        await here.tell(here.trades(9, 10, snapshot=True))
        mails = await here.drain(box)
        told = [int(item.trade_id) for mail in mails if isinstance(mail, Batch) for item in mail.items]
        assert ([10], FeedState.STALE) == (told, box.state)
        await here.quiet_for(AGAIN_S + 1)
        assert FeedState.LIVE is box.state

    scene(script)


def test_dead_trades_that_speak_are_believed_at_once():
    """An update is proof enough."""

    async def script(here):
        box = await live_trades(here, 9)
        here.venue.newest = (9, 10)
        await here.quiet_for(7)
        await here.tell(here.trades(10, snapshot=True), here.trades(11))
        assert FeedState.LIVE is box.state

    scene(script)


def test_trades_that_stay_dead_are_subscribed_anew_again_and_again():
    """Each time the venue shows what still was not told."""

    async def script(here):
        await live_trades(here, 9)
        here.venue.newest = (9, 10)
        await here.quiet_for(20)
        assert [TRADES] * 3 == here.venue.feeds[0].renewed

    scene(script)


@pytest.mark.parametrize(
    ("minutes", "what"),
    [
        ([candle(4), candle(5), candle(6, count=2)], "more trades in the newest"),
        ([candle(6), candle(7, count=1)], "a later one"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_candles_that_the_venue_shows_and_the_stream_did_not_tell_are_a_hole(minutes, what):
    """More trades in the newest, or a later one with trades: STALE with a gap, and subscribed anew."""

    async def script(here):
        box = await live_candles(here, 5, 6)
        here.venue.minutes = minutes
        await here.quiet_for(6)
        assert (DEAD, [CANDLES]) == (await said(here, box), here.venue.feeds[0].renewed)

    scene(script)


def test_candles_without_a_trade_are_no_news():
    """The venue shows empty ones as time goes on, the stream does not: nothing is missing."""

    async def script(here):
        box = await live_candles(here, 5, 6)
        here.venue.minutes = [candle(5), candle(6), candle(7, count=0), candle(8, count=0)]
        await here.quiet_for(12)
        assert (FeedState.LIVE, 2) == (box.state, len(here.venue.looks))

    scene(script)


def test_where_there_was_no_candle_telling_begins_behind_the_venues_newest():
    """An empty snapshot and an old candle at the venue prove nothing; more trades in it do."""

    async def script(here):
        box = await live_candles(here)
        here.venue.minutes = [candle(5)]
        await here.quiet_for(8)
        assert FeedState.LIVE is box.state
        here.venue.minutes = [candle(5, count=2)]
        await here.quiet_for(6)
        assert DEAD == await said(here, box)

    scene(script)


def test_dead_candles_begin_anew_with_a_snapshot():
    """It comes while they are still STALE; LIVE comes with news."""

    async def script(here):
        box = await live_candles(here, 5, 6)
        here.venue.minutes = [candle(6), candle(7)]
        await here.quiet_for(7)
        await here.drain(box)
        await here.tell(here.candles(6, 7, snapshot=True))
        (snapshot,) = await here.drain(box)
        assert (True, [(7, False)], FeedState.STALE) == (snapshot.snapshot, shown(snapshot.items[0].candles), box.state)
        await here.tell(here.candles(7, count=2))
        assert FeedState.LIVE is box.state

    scene(script)


def test_what_is_quoted_on_is_looked_at_first():
    """A ticker before trades, though they have been silent for longer."""

    async def script(here):
        quiet, ticker = QuietTopics(here.clock), TickerTopic("BTC/USD")
        for topic in (TRADES, ticker):
            quiet.heard(topic)
            await here.clock.sleep(1.0)
        await here.clock.sleep(LEAST_S)
        assert (ticker, TRADES) == (quiet.next((TRADES, ticker), ()), quiet.next((TRADES,), ()))

    scene(script)


async def with_a_ticker(here):
    """Tickers, trades and candles of one pair, all LIVE for a while; REST does not answer."""
    ticks = here.read_tickers("BTC/USD")
    boxes = here.read_trades("BTC/USD"), here.read_candles(delivery=EVERY)
    await here.tell(
        LinkUp(here.now_ns()),
        TickerSeen(here.tick("BTC/USD"), snapshot=True),
        here.trades(9, snapshot=True),
        here.candles(6, snapshot=True),
    )
    for box in (ticks, *boxes):
        await here.drain(box)
    await here.quiet_for(3)
    await here.tell(TickerSeen(here.tick("BTC/USD"), snapshot=False))
    return boxes


def test_a_last_price_that_moved_proves_a_trade_without_a_call():
    """Neither trades nor candles told it, from before the last ticker until long after: both are dead."""

    async def script(here):
        trades, candles = await with_a_ticker(here)
        await here.tell(TickerSeen(here.tick("BTC/USD", "101"), snapshot=False))
        await here.quiet_for(LEAST_S + 1)
        assert (DEAD, DEAD) == (await said(here, trades), await said(here, candles))
        assert {TRADES, CANDLES} == set(here.venue.feeds[0].renewed)

    scene(script)


def test_a_death_that_was_proved_is_subscribed_anew_once():
    """A look comes when the new subscription has had its time, not at once."""

    async def script(here):
        await with_a_ticker(here)
        await here.tell(TickerSeen(here.tick("BTC/USD", "101"), snapshot=False))
        await here.quiet_for(LEAST_S + 0.5)
        here.venue.newest, here.venue.minutes = (9, 10), [candle(6, count=2)]
        await here.quiet_for(AGAIN_S - 1)
        assert [CANDLES, TRADES] == sorted(here.venue.feeds[0].renewed, key=lambda each: type(each).__name__)

    scene(script)


def test_a_trade_that_was_told_proves_that_the_candles_are_dead():
    """Each trade changes the candle it is in."""

    async def script(here):
        trades, candles = await with_a_ticker(here)
        await here.tell(here.trades(10))
        await here.quiet_for(LEAST_S + 1)
        assert (FeedState.LIVE, DEAD) == (trades.state, await said(here, candles))

    scene(script)


def test_what_is_told_a_little_later_is_no_death():
    """One channel may run ahead of another."""

    async def script(here):
        trades, candles = await with_a_ticker(here)
        await here.tell(TickerSeen(here.tick("BTC/USD", "101"), snapshot=False))
        await here.quiet_for(2)
        await here.tell(here.trades(10), here.candles(6, count=2))
        await here.quiet_for(LEAST_S + SETTLE_S)
        assert (FeedState.LIVE, FeedState.LIVE) == (trades.state, candles.state)

    scene(script)


def test_a_ticker_that_moves_without_a_trade_proves_nothing():
    """Bid and ask move as orders come and go."""

    async def script(here):
        trades, candles = await with_a_ticker(here)
        await here.tell(TickerSeen(here.tick("BTC/USD", bid="99"), snapshot=False))
        await here.quiet_for(LEAST_S + 1)
        assert (FeedState.LIVE, FeedState.LIVE) == (trades.state, candles.state)

    scene(script)
