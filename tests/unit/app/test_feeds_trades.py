"""Trade topics: each trade once, in order, from now on, and a gap wherever one may be missing."""

from feeds_parts import scene

from execsvc.app.hub import Batch, Delivery, Gap, StateChanged
from execsvc.domain.market import (
    Beat,
    CandleTopic,
    FeedState,
    GapReason,
    LinkDown,
    LinkUp,
    TickerSeen,
    TickerTopic,
    TopicRefused,
    TradeTopic,
)

RECONNECT = Gap(GapReason.UPSTREAM_RECONNECT, ("BTC/USD",))


def ids(mails):
    return [int(item.trade_id) for mail in mails if isinstance(mail, Batch) for item in mail.items]


async def live(here, *symbols):
    """A reader whose topics are LIVE, the newest trade being number 9."""
    symbols = symbols or ("BTC/USD",)
    box = here.read_trades(*symbols)
    await here.tell(LinkUp(here.now_ns()), *(here.trades(8, 9, symbol=each, snapshot=True) for each in symbols))
    await here.drain(box)
    return box


def test_the_snapshot_makes_it_live_and_is_not_told():
    """The last fifty trades happened before anybody listened."""

    async def script(here):
        box = here.read_trades("BTC/USD")
        await here.tell(LinkUp(here.now_ns()))
        assert box.state is FeedState.RESYNCING
        await here.tell(here.trades(8, 9, snapshot=True))
        assert (await here.drain(box), box.state) == ([StateChanged()], FeedState.LIVE)

    scene(script)


def test_a_market_without_trades_is_live():
    """An empty snapshot says that the subscription stands."""

    async def script(here):
        box = here.read_trades("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), here.trades(snapshot=True))
        assert (box.state, here.feeds.trades_not_live(box)) == (FeedState.LIVE, ())

    scene(script)


def test_trades_come_in_order_and_together():
    """All that waits for a reader is one batch, oldest first, none folded."""

    async def script(here):
        box = await live(here, "BTC/USD", "ETH/USD")
        await here.tell(here.trades(10, 11), here.trades(10, symbol="ETH/USD"), here.trades(12))
        (mail,) = await here.drain(box)
        told = [(item.symbol[:3], item.trade_id) for item in mail.items]
        assert told == [("BTC", "10"), ("BTC", "11"), ("ETH", "10"), ("BTC", "12")]
        assert mail.folded == 0

    scene(script)


def test_a_trade_is_told_once():
    """Whatever Kraken repeats, also within one message or in a late snapshot."""

    async def script(here):
        box = await live(here)
        await here.tell(here.trades(10, 11), here.trades(10, 11, 12), here.trades(8, 9, 10, 11, 12, snapshot=True))
        assert ids(await here.drain(box)) == [10, 11, 12]

    scene(script)


def test_a_second_reader_hears_from_now_on():
    """A topic that is LIVE already is LIVE for it at once, without any trade of before."""

    async def script(here):
        await live(here)
        late = here.read_trades("BTC/USD")
        assert (late.state, await here.drain(late)) == (FeedState.LIVE, [])
        await here.tell(here.trades(10))
        assert ids(await here.drain(late)) == [10]

    scene(script)


def test_a_reconnect_leaves_a_gap_after_what_was_told_and_then_the_trades_since():
    """STALE at once; back again: the gap in its place, then what the snapshot has that is newer, then LIVE."""

    async def script(here):
        box = await live(here)
        await here.tell(here.trades(10), LinkDown("cut"))
        assert box.state is FeedState.STALE
        await here.tell(LinkUp(here.now_ns()))
        assert box.state is FeedState.RESYNCING
        await here.tell(here.trades(3, 9, 10, 11, 12, snapshot=True))
        mails = [mail for mail in await here.drain(box) if not isinstance(mail, StateChanged)]
        assert [ids([mails[0]]), mails[1], ids([mails[2]])] == [[10], RECONNECT, [11, 12]]
        assert box.state is FeedState.LIVE

    scene(script)


def test_a_gap_is_left_even_where_the_snapshot_seems_to_cover_it():
    """That ids have no holes is said nowhere; nobody is told that nothing is missing."""

    async def script(here):
        box = await live(here)
        await here.tell(LinkDown("cut"), LinkUp(here.now_ns()), here.trades(8, 9, snapshot=True))
        mails = await here.drain(box)
        assert (RECONNECT in mails, ids(mails)) == (True, [])

    scene(script)


def test_a_link_that_never_stood_leaves_no_gap():
    """Nothing was promised yet: the reader has been RESYNCING all the time."""

    async def script(here):
        box = here.read_trades("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), LinkDown("cut"), LinkUp(here.now_ns()), here.trades(1, snapshot=True))
        assert [mail for mail in await here.drain(box) if isinstance(mail, Gap)] == []

    scene(script)


def test_a_link_that_speaks_again_has_lost_nothing():
    """Silent, not cut: STALE and LIVE again, without a gap."""

    async def script(here):
        box = await live(here)
        await here.clock.sleep(6)
        assert box.state is FeedState.STALE
        await here.tell(Beat(here.now_ns()), here.trades(10))
        mails = await here.drain(box)
        assert (box.state, ids(mails), [mail for mail in mails if isinstance(mail, Gap)]) == (FeedState.LIVE, [10], [])

    scene(script)


def test_a_reader_that_falls_behind_is_told_how_much_it_lost():
    """A gap with the count and no refill; the trades after it follow."""

    async def script(here):
        box = here.read_trades("BTC/USD", delivery=Delivery(conflate=False, max_buffered=3))
        await here.tell(LinkUp(here.now_ns()), here.trades(9, snapshot=True))
        await here.drain(box)
        await here.tell(here.trades(*range(10, 16)))
        mails = await here.drain(box)
        assert (mails[0], ids(mails)) == (Gap(GapReason.SLOW_CONSUMER, ("BTC/USD",), 4), [14, 15])

    scene(script)


def test_a_slow_reader_costs_nobody_else():
    """Another reader of the same trades has them all."""

    async def script(here):
        here.read_trades("BTC/USD", delivery=Delivery(conflate=False, max_buffered=2))
        box = await live(here)
        await here.tell(here.trades(*range(10, 30)))
        assert ids(await here.drain(box)) == list(range(10, 30))

    scene(script)


def test_a_refused_symbol_leaves_the_others_alone():
    """TopicRefused is about one topic; trades of the others flow on."""

    async def script(here):
        box = await live(here)
        other = here.read_trades("ETH/USD")
        await here.tell(TopicRefused(TradeTopic("ETH/USD"), "not supported"), here.trades(10))
        assert [here.feeds.refusal(TradeTopic(each)) for each in ("BTC/USD", "ETH/USD")] == ["", "not supported"]
        assert (box.state, ids(await here.drain(box)), other.state) == (FeedState.LIVE, [10], FeedState.STALE)

    scene(script)


def test_all_but_books_share_one_connection():
    """Tickers, trades and candles: one link, one topic each."""

    async def script(here):
        here.read_tickers("BTC/USD")
        here.read_trades("BTC/USD")
        here.read_candles()
        assert [feed.topics for feed in here.venue.feeds] == [
            {TickerTopic("BTC/USD"), TradeTopic("BTC/USD"), CandleTopic("BTC/USD", 60)}
        ]

    scene(script)


def test_a_ticker_is_not_live_because_trades_are():
    """Each topic has a state of its own."""

    async def script(here):
        ticks = here.read_tickers("BTC/USD")
        box = await live(here)
        assert (box.state, ticks.state) == (FeedState.LIVE, FeedState.RESYNCING)
        await here.tell(TickerSeen(here.tick("BTC/USD"), snapshot=True))
        assert ticks.state is FeedState.LIVE

    scene(script)
