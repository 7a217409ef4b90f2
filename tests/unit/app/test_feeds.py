"""Public streams: one upstream per topic, states that never lie."""

import pytest
from feeds_parts import EVERY, TICKS, scene

from execsvc.app.feeds import LINGER_S, STALENESS_BOUND_S
from execsvc.app.hub import Batch, Gap, StateChanged
from execsvc.domain.errors import Busy, Reason
from execsvc.domain.market import (
    Beat,
    BookTopic,
    Desynced,
    FeedState,
    GapReason,
    LinkDown,
    LinkUp,
    TickerSeen,
    TickerTopic,
    TopicRefused,
    TradeTopic,
)


def test_many_readers_share_one_upstream_subscription():
    """The wish names each topic once, over one connection."""

    async def script(here):
        for _ in range(50):
            here.read_tickers("BTC/USD", "ETH/USD")
        assert len(here.venue.feeds) == 1
        assert here.venue.feeds[0].topics == {TickerTopic("BTC/USD"), TickerTopic("ETH/USD")}

    scene(script)


def test_a_new_reader_starts_with_the_last_picture():
    """It need not wait for the market to move."""

    async def script(here):
        here.read_tickers("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD", "5"), snapshot=True))
        late = here.read_tickers("BTC/USD")
        (mail,) = await here.drain(late)
        assert (mail.snapshot, mail.items[0].bid_price, late.state) == (True, 5, FeedState.LIVE)

    scene(script)


def test_silence_is_stale_within_the_bound_and_a_quarter_second():
    """Nothing but the fixed clock notices; the socket says nothing."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD"), snapshot=True))
        await here.drain(box)
        assert await box.take(here.clock.monotonic() + 60) == StateChanged()
        assert box.state is FeedState.STALE
        assert STALENESS_BOUND_S < here.clock.monotonic() <= STALENESS_BOUND_S + 0.5
        assert here.feeds.live_ticker("BTC/USD") is None

    scene(script)


def test_a_first_connection_is_awaited_before_it_is_called_stale():
    """RESYNCING while it is being dialled, STALE when it took longer than the bound."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        await here.clock.sleep(STALENESS_BOUND_S - 0.1)
        assert box.state is FeedState.RESYNCING
        await here.clock.sleep(0.5)
        assert box.state is FeedState.STALE

    scene(script)


def test_heartbeats_keep_a_quiet_symbol_live():
    """A market that does not trade is not stale."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD"), snapshot=True))
        for _ in range(20):
            await here.clock.sleep(1)
            await here.tell(Beat(here.now_ns()))
        assert box.state is FeedState.LIVE
        assert here.feeds.public_state is FeedState.LIVE

    scene(script)


def test_a_link_that_speaks_again_revives_its_pictures():
    """Silent, not cut: what was never voided is good again."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD"), snapshot=True))
        await here.clock.sleep(7)
        assert box.state is FeedState.STALE
        await here.tell(Beat(here.now_ns()))
        assert box.state is FeedState.LIVE

    scene(script)


def test_a_link_that_speaks_again_revives_nothing_that_never_came():
    """A topic whose picture is still on its way is not LIVE because the link is."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        await here.tell(LinkUp(here.now_ns()))
        await here.clock.sleep(7)
        await here.tell(Beat(here.now_ns()))
        assert (box.state, here.feeds.public_state) == (FeedState.STALE, FeedState.LIVE)

    scene(script)


def test_a_reconnect_is_stale_then_resyncing_with_a_gap_then_a_snapshot():
    """The order of life of a picture whose link was cut."""

    async def script(here):
        box = here.read_tickers("BTC/USD", delivery=EVERY)
        await here.tell(LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD"), snapshot=True))
        await here.drain(box)
        await here.tell(LinkDown("cut"))
        assert (await here.drain(box), box.state) == ([StateChanged()], FeedState.STALE)
        await here.tell(LinkUp(here.now_ns()))
        mails = await here.drain(box)
        assert Gap(GapReason.UPSTREAM_RECONNECT, ("BTC/USD",)) in mails
        assert box.state is FeedState.RESYNCING
        await here.tell(TickerSeen(here.tick("BTC/USD", "9"), snapshot=True))
        mails = await here.drain(box)
        assert [mail.snapshot for mail in mails if isinstance(mail, Batch)] == [True]
        assert box.state is FeedState.LIVE

    scene(script)


def test_a_desync_touches_its_own_symbol_only():
    """A bad checksum voids one book; tickers on the same link stay LIVE."""

    async def script(here):
        ticks = here.read_tickers("BTC/USD")
        book = here.read_book()
        await here.tell(
            LinkUp(here.now_ns()), TickerSeen(here.tick("BTC/USD"), snapshot=True), here.book("1", snapshot=True)
        )
        await here.drain(book)
        await here.tell(Desynced(BookTopic("BTC/USD", 10), "checksum"))
        assert Gap(GapReason.UPSTREAM_INTEGRITY, ("BTC/USD",)) in await here.drain(book)
        assert (book.state, ticks.state) == (FeedState.RESYNCING, FeedState.LIVE)
        assert here.feeds.live_book("BTC/USD", 10) is None

    scene(script)


def test_book_versions_are_a_chain_without_holes():
    """Each change applies to version - 1; a late reader's snapshot carries the version it stands at."""

    async def script(here):
        book = here.read_book()
        await here.tell(LinkUp(here.now_ns()), here.book("1", snapshot=True), here.book("2"), here.book("3"))
        items = [item for mail in await here.drain(book) if isinstance(mail, Batch) for item in mail.items]
        assert [(item.version, item.snapshot) for item in items] == [(1, True), (2, False), (3, False)]
        (mail,) = await here.drain(here.read_book())
        assert [(item.version, item.snapshot) for item in mail.items] == [(3, True)]

    scene(script)


def test_a_conflating_book_reader_gets_whole_books_only():
    """Deltas cannot be folded; the newest picture can."""

    async def script(here):
        book = here.read_book(delivery=TICKS)
        await here.tell(LinkUp(here.now_ns()), here.book("1", snapshot=True), here.book("2"), here.book("3"))
        batches = [mail for mail in await here.drain(book) if isinstance(mail, Batch)]
        assert [(each.items[0].snapshot, each.items[0].version, each.folded) for each in batches] == [(True, 3, 2)]

    scene(script)


def test_other_depths_have_a_connection_of_their_own():
    """One depth per symbol and link: Kraken need not decide between two."""

    async def script(here):
        here.read_book(depth=10)
        here.read_book(depth=100)
        assert [feed.topics for feed in here.venue.feeds] == [
            {BookTopic("BTC/USD", 10)},
            {BookTopic("BTC/USD", 100)},
        ]

    scene(script)


def test_a_topic_nobody_reads_is_unsubscribed_after_a_while():
    """It lingers for those who come back soon."""

    async def script(here):
        here.read_tickers("BTC/USD")
        here.open.close()
        await here.clock.sleep(LINGER_S - 1)
        assert here.venue.feeds[0].topics == {TickerTopic("BTC/USD")}
        await here.clock.sleep(2)
        assert here.venue.feeds[0].topics == frozenset()

    scene(script)


def test_topics_are_bounded_and_a_refused_reader_leaves_none(monkeypatch):
    """One topic too many is refused with all of its call; none of them is followed after it."""
    monkeypatch.setattr("execsvc.app.feeds.MAX_TOPICS", 2)

    async def script(here):
        here.read_tickers("BTC/USD")
        with pytest.raises(Busy) as refusal:
            here.read_tickers("ETH/USD", "SOL/USD")
        assert refusal.value.reason is Reason.TOO_MANY_STREAMS
        here.read_trades("BTC/USD")
        assert here.venue.feeds[0].topics == {TickerTopic("BTC/USD"), TradeTopic("BTC/USD")}

    scene(script)


def test_a_refused_topic_says_why():
    """The venue does not serve it: the reader is told instead of waiting for ever."""

    async def script(here):
        box = here.read_tickers("BTC/USD")
        topic = TickerTopic("BTC/USD")
        await here.tell(LinkUp(here.now_ns()), TopicRefused(topic, "Currency pair not supported"))
        assert here.feeds.refusal(topic) == "Currency pair not supported"
        assert box.state is FeedState.STALE

    scene(script)


@pytest.mark.parametrize("states", [(FeedState.LIVE, FeedState.STALE), (FeedState.STALE, FeedState.LIVE)])
def test_a_stream_of_two_symbols_is_as_bad_as_its_worst(states):
    """meta.feed_state of a heartbeat is the worst of the stream."""

    async def script(here):
        box = here.read_tickers("BTC/USD", "ETH/USD")
        await here.tell(LinkUp(here.now_ns()))
        for symbol, state in zip(("BTC/USD", "ETH/USD"), states, strict=True):
            if state is FeedState.LIVE:
                await here.tell(TickerSeen(here.tick(symbol), snapshot=True))
        assert box.state is FeedState.RESYNCING
        assert len(here.feeds.states_of(("BTC/USD", "ETH/USD"))) == 1

    scene(script)
