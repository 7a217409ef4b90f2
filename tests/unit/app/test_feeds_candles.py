"""Candle topics: a snapshot as long as asked for, then changes; a closing candle is told to everybody."""

from dataclasses import replace

from feeds_parts import EVERY, TICKS, candle, scene, shown

from execsvc.app.candles import PAST_PAUSE_S
from execsvc.app.hub import Batch, Delivery, Gap, StateChanged
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.market import (
    Beat,
    CandleTopic,
    FeedState,
    GapReason,
    LinkDown,
    LinkUp,
    TopicRefused,
)
from tests.support.venue import BTC_USD

ETH_USD = replace(BTC_USD, symbol="ETH/USD")


def told(mails):
    """What a reader got, in order: S for a snapshot, U for changes, with the candles."""
    return [
        ("S" if mail.snapshot else "U", [pair for item in mail.items for pair in shown(item.candles)])
        for mail in mails
        if isinstance(mail, Batch)
    ]


async def begin(here, *minutes, **more):
    """A reader after the stream's snapshot of these candles."""
    box = here.read_candles(**more)
    await here.tell(LinkUp(here.now_ns()), here.candles(*minutes, snapshot=True))
    return box


def test_a_snapshot_as_long_as_asked_for_comes_first():
    """So many closed candles and the open one, from the stream where it suffices; REST is not asked."""

    async def script(here):
        box = await begin(here, 1, 2, 3, 4, count=2)
        assert told(await here.drain(box)) == [("S", [(2, True), (3, True), (4, False)])]
        assert (box.state, here.venue.asked) == (FeedState.LIVE, [])

    scene(script)


def test_a_longer_past_is_asked_for_and_nobody_is_live_before_it():
    """The reader that wants more than the stream has is RESYNCING until REST has answered; then it has one snapshot."""

    async def script(here):
        here.venue.past = [candle(each, closed=each < 4) for each in range(5)]
        box = await begin(here, 3, 4, count=4)
        assert (box.state, here.feeds.candles_not_live(box), told(await here.drain(box))) == (
            FeedState.RESYNCING,
            ("BTC/USD",),
            [],
        )
        await here.tell(here.candles(4, price="7"))
        await here.clock.sleep(0.2)
        assert told(await here.drain(box)) == [("S", [(0, True), (1, True), (2, True), (3, True), (4, False)])]
        assert (box.state, here.venue.asked) == (FeedState.LIVE, [("BTC/USD", 60)])

    scene(script)


def test_readers_do_not_wait_for_each_other():
    """One wants a long past and waits; the other has what it asked for and is LIVE."""

    async def script(here):
        here.venue.past = [candle(each, closed=each < 4) for each in range(5)]
        short = await begin(here, 3, 4, count=0)
        long = here.read_candles(count=4)
        await here.tell(here.candles(5))
        assert (short.state, long.state) == (FeedState.LIVE, FeedState.RESYNCING)
        assert told(await here.drain(short)) == [("S", [(4, False)]), ("U", [(4, True), (5, False)])]
        assert told(await here.drain(long)) == []
        await here.clock.sleep(0.2)
        assert [kind for kind, _ in told(await here.drain(long))] == ["S"]
        assert told(await here.drain(short)) == []

    scene(script)


def test_the_past_is_asked_for_once_for_all_who_wait():
    """Ten readers cost Kraken one call."""

    async def script(here):
        here.venue.past = [candle(each, closed=each < 4) for each in range(5)]
        boxes = [here.read_candles(count=3) for _ in range(5)]
        await here.tell(LinkUp(here.now_ns()), here.candles(4, snapshot=True))
        boxes += [here.read_candles(count=3) for _ in range(5)]
        await here.clock.sleep(0.2)
        assert {len(told(await here.drain(box))) for box in boxes} == {1}
        assert len(here.venue.asked) == 1

    scene(script)


def test_a_venue_with_less_gives_what_it_has():
    """A young market has no 720 candles: the snapshot is shorter, and it comes."""

    async def script(here):
        here.venue.past = [candle(3, closed=True), candle(4)]
        box = await begin(here, 4, count=720)
        await here.clock.sleep(0.2)
        assert told(await here.drain(box)) == [("S", [(3, True), (4, False)])]

    scene(script)


def test_a_past_that_cannot_be_had_is_asked_for_again():
    """Until it can: the reader is RESYNCING meanwhile, never LIVE with less than was asked for."""

    async def script(here):
        here.venue.past = refuse(Reason.VENUE_UNREACHABLE, "as the test wants it")
        box = await begin(here, 3, 4, count=3)
        await here.clock.sleep(PAST_PAUSE_S / 2)
        assert (box.state, told(await here.drain(box))) == (FeedState.RESYNCING, [])
        here.venue.past = [candle(each, closed=each < 4) for each in range(5)]
        await here.tell(Beat(here.now_ns()))
        await here.clock.sleep(PAST_PAUSE_S - 1)
        assert (box.state, len(told(await here.drain(box))), len(here.venue.asked)) == (FeedState.LIVE, 1, 2)

    scene(script)


def test_nobody_asks_for_a_reader_that_left():
    """The retries end with the last who waits."""

    async def script(here):
        here.venue.past = refuse(Reason.VENUE_UNREACHABLE, "as the test wants it")
        await begin(here, 4, count=3)
        here.open.close()
        await here.clock.sleep(4 * PAST_PAUSE_S)
        assert len(here.venue.asked) == 1

    scene(script)


def test_a_closing_candle_is_never_folded_away():
    """A reader that takes nothing for three candles has each of them closed, and the newest state of the open one."""

    async def script(here):
        box = await begin(here, 1)
        await here.drain(box)
        for minute in (1, 1, 2, 2, 3, 4, 4):
            await here.tell(here.candles(minute))
        (mail,) = await here.drain(box)
        assert told([mail]) == [("U", [(1, True), (2, True), (3, True), (4, False)])]
        assert mail.folded == 6

    scene(script)


def test_a_reader_that_takes_nothing_for_long_starts_anew():
    """Closed candles are kept up to the bound; past it a gap and a fresh snapshot."""

    async def script(here):
        box = await begin(here, 1, count=0, delivery=Delivery(conflate=True, max_buffered=16))
        await here.drain(box)
        for minute in range(2, 40):
            await here.tell(here.candles(minute))
        mails = await here.drain(box)
        gap = next(mail for mail in mails if isinstance(mail, Gap))
        assert (gap.reason, gap.symbols) == (GapReason.SLOW_CONSUMER, ("BTC/USD",))
        assert (told(mails)[0][0], told(mails)[-1][1][-1]) == ("S", (39, False))

    scene(script)


def test_every_change_is_told_where_nothing_is_folded():
    """BUFFER: each step of a candle, the closing one too."""

    async def script(here):
        box = await begin(here, 1, delivery=EVERY)
        await here.tell(here.candles(1), here.candles(1), here.candles(2))
        expected = [("S", [(1, False)]), ("U", [(1, False), (1, False), (1, True), (2, False)])]
        assert told(await here.drain(box)) == expected

    scene(script)


def test_a_reconnect_is_a_gap_and_a_snapshot_of_each_symbol():
    """What closed meanwhile is in it."""

    async def script(here):
        box = here.read_candles(BTC_USD, ETH_USD, count=2)
        both = ("BTC/USD", "ETH/USD")
        await here.tell(LinkUp(here.now_ns()), *(here.candles(1, 2, 3, symbol=each, snapshot=True) for each in both))
        await here.drain(box)
        await here.tell(LinkDown("cut"))
        assert box.state is FeedState.STALE
        await here.tell(LinkUp(here.now_ns()))
        mails = await here.drain(box)
        assert Gap(GapReason.UPSTREAM_RECONNECT, both) in mails
        assert (told(mails), box.state) == ([], FeedState.RESYNCING)
        await here.tell(*(here.candles(3, 4, 5, symbol=each, snapshot=True) for each in both))
        one = [(3, True), (4, True), (5, False)]
        assert told(await here.drain(box)) == [("S", one * 2)]
        assert box.state is FeedState.LIVE

    scene(script)


def test_a_change_before_the_snapshot_is_no_news():
    """After a reconnect nothing is told and nothing is LIVE until the candles are whole again."""

    async def script(here):
        box = await begin(here, 1)
        await here.tell(LinkDown("cut"), LinkUp(here.now_ns()))
        await here.drain(box)
        await here.tell(here.candles(2))
        assert (told(await here.drain(box)), box.state) == ([], FeedState.RESYNCING)

    scene(script)


def test_a_hole_longer_than_the_streams_snapshot_is_filled_from_rest():
    """The old candles do not reach to the new ones: the past is asked for anew."""

    async def script(here):
        box = await begin(here, 1, 2, 3, count=2)
        await here.drain(box)
        here.venue.past = [candle(each, closed=each < 9) for each in range(10)]
        await here.tell(LinkDown("cut"), LinkUp(here.now_ns()), here.candles(8, 9, snapshot=True))
        await here.clock.sleep(0.2)
        assert told(await here.drain(box)) == [("S", [(7, True), (8, True), (9, False)])]

    scene(script)


def test_a_market_without_trades_is_live_with_its_past():
    """The stream has no rows; REST has, and the open candle is closed by the first trade of the next."""

    async def script(here):
        here.venue.past = [candle(1, closed=True), candle(2)]
        box = await begin(here, count=1)
        await here.clock.sleep(0.2)
        assert told(await here.drain(box)) == [("S", [(1, True), (2, False)])]
        await here.tell(here.candles(3))
        assert (told(await here.drain(box)), box.state) == ([("U", [(2, True), (3, False)])], FeedState.LIVE)

    scene(script)


def test_intervals_of_one_symbol_are_topics_of_their_own():
    """Each has its candles and its state."""

    async def script(here):
        one, five = here.read_candles(), here.read_candles(interval_s=300)
        await here.tell(LinkUp(here.now_ns()), here.candles(7, interval_s=300, snapshot=True))
        assert (told(await here.drain(one)), one.state) == ([], FeedState.RESYNCING)
        assert (told(await here.drain(five)), five.state) == ([("S", [(7, False)])], FeedState.LIVE)

    scene(script)


def test_a_late_reader_has_its_snapshot_at_once():
    """From what the tape has gathered meanwhile."""

    async def script(here):
        await begin(here, 1)
        await here.tell(here.candles(2), here.candles(3))
        late = here.read_candles(count=2, delivery=TICKS)
        mails = await here.drain(late)
        assert (told(mails), late.state) == ([("S", [(1, True), (2, True), (3, False)])], FeedState.LIVE)
        assert StateChanged() not in mails

    scene(script)


def test_a_refused_symbol_leaves_the_others_alone():
    """TopicRefused is about one topic."""

    async def script(here):
        box = await begin(here, 1)
        other = here.read_candles(ETH_USD)
        await here.drain(box)
        await here.tell(TopicRefused(CandleTopic("ETH/USD", 60), "not supported"), here.candles(1))
        assert [here.feeds.refusal(CandleTopic(each, 60)) for each in ("BTC/USD", "ETH/USD")] == ["", "not supported"]
        assert (len(told(await here.drain(box))), box.state, other.state) == (1, FeedState.LIVE, FeedState.STALE)

    scene(script)
