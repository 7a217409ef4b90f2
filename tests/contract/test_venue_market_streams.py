"""Trades and candles from the paper exchange through the adapter to a mailbox, over real sockets and through a cut."""

from itertools import pairwise

import pytest
from venue_rig import BTC, opened

from execsvc.app.feeds import Feeds
from execsvc.app.hub import Batch, Delivery, Gap
from execsvc.domain.market import FeedState, GapReason
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.store.disk import Disk
from execsvc.telemetry import silent
from tests.support.entropy import SeededEntropy

EVERY = Delivery(conflate=False)
RECONNECT = Gap(GapReason.UPSTREAM_RECONNECT, (BTC,))


@pytest.fixture
async def venue():
    server = PaperServer(PaperOptions(control_port=0, pairs=(BTC,), warm_up_s=10))
    await server.start()
    async with opened(server, Disk.blank(SeededEntropy(3))) as built:
        yield built
    await server.close()


class Read:
    """What a reader has had."""

    def __init__(self, venue, box):
        self.clock = venue.clock
        self.box = box
        self.held = []

    async def until(self, holds, within_s=6.0):
        by = self.clock.monotonic() + within_s
        while not holds(self):
            mail = await self.box.take(by)
            assert mail is not None, f"it did not come: {self.held[-3:]}"
            self.held.append(mail)
        return self

    @property
    def live(self):
        return self.box.state is FeedState.LIVE and not len(self.box)

    @property
    def items(self):
        return [item for mail in self.held if isinstance(mail, Batch) for item in mail.items]


async def print_one(venue, count=1):
    """Strangers trade at the touch, so many times."""
    for _ in range(count):
        await venue.control("POST", "/market", symbol=BTC, take={"side": "buy", "qty": "0.001"})


async def test_every_trade_is_told_once_through_a_cut(venue):
    """Rising ids without one twice; what happened while the line was down comes after the gap."""
    feeds = Feeds(venue.public, venue.clock, venue.tasks, silent(), venue.public.names.instrument)
    with feeds.trades((BTC,), EVERY) as box:
        reader = Read(venue, box)
        await reader.until(lambda read: read.live)
        await print_one(venue, 3)
        await reader.until(lambda read: len(read.items) >= 3)
        await venue.fault("drop_ws", line="public", code=1006)
        await print_one(venue, 3)
        await reader.until(lambda read: RECONNECT in read.held)
        await reader.until(lambda read: read.live)
        before = len(reader.items)
        await print_one(venue)
        await reader.until(lambda read: len(read.items) > before)
    told = [int(trade.trade_id) for trade in reader.items]
    assert sorted(set(told)) == told
    assert [1] == sorted({later - earlier for earlier, later in pairwise(told)})  # of paper: its ids have no holes


async def test_candles_are_whole_before_they_are_live_and_after_a_cut(venue):
    """720 closed candles and the open one, twice; the stream's own snapshot and REST's past fit together."""
    feeds = Feeds(venue.public, venue.clock, venue.tasks, silent(), venue.public.names.instrument)
    with feeds.candles((venue.instrument,), 60, 720, EVERY) as box:
        reader = Read(venue, box)
        await reader.until(lambda read: read.live)
        await venue.fault("drop_ws", line="public", code=1006)
        await reader.until(lambda read: RECONNECT in read.held)
        await reader.until(lambda read: read.live)
        await print_one(venue)
        await reader.until(lambda read: len(read.items[-1].candles) == 1)
    first, second = (mail.items[0].candles for mail in reader.held if isinstance(mail, Batch) and mail.snapshot)
    for rows in (first, second):
        assert (721, 720, False) == (len(rows), sum(row.closed for row in rows), rows[-1].closed)
        assert {60 * 10**9} == {later.open_time_ns - earlier.open_time_ns for earlier, later in pairwise(rows)}
    assert (BTC, 60) == (reader.items[-1].symbol, reader.items[-1].candles[0].interval_s)


@pytest.mark.parametrize("channel", ["book", "ticker"])
async def test_a_frozen_topic_is_stale_though_its_line_beats(venue, channel):
    """The market moves, the subscription says nothing: found by comparing, within seven seconds; then it lives again."""
    feeds = Feeds(venue.public, venue.clock, venue.tasks, silent(), venue.public.names.instrument)
    venue.tasks.supervise("watch", feeds.watch)
    following = feeds.book(BTC, 10, EVERY) if channel == "book" else feeds.tickers((BTC,), EVERY)
    with following as box:
        reader = Read(venue, box)
        await reader.until(lambda read: read.live)
        began = venue.clock.monotonic()
        await venue.fault("feed_frozen", symbol=BTC, channel=channel, times="always")
        await reader.until(lambda read: read.box.state is FeedState.STALE, 12.0)
        took_s = venue.clock.monotonic() - began
        await venue.control("DELETE", "/faults")
        await reader.until(lambda read: read.live, 12.0)
    assert Gap(GapReason.UPSTREAM_INTEGRITY, (BTC,)) in reader.held
    assert took_s < 7.5
