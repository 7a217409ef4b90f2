"""A change below the ten levels of the checksum that got lost: found by laying the book beside REST's, over real sockets."""

from decimal import Decimal

import pytest
from venue_rig import BTC, opened

from execsvc.app import audit, books
from execsvc.app.feeds import Feeds
from execsvc.app.hub import Batch, Delivery, Gap
from execsvc.domain.market import FeedState, GapReason
from execsvc.paper.options import PaperOptions
from execsvc.paper.server import PaperServer
from execsvc.store.disk import Disk
from execsvc.telemetry import silent
from tests.support.entropy import SeededEntropy

DEPTH, LEVELS, LOST = 25, 20, 15
BEST_ASK = 90_001


@pytest.fixture
async def venue(monkeypatch):
    """Looks a second apart: the wire takes milliseconds."""
    for room, name, seconds in (
        (audit, "EVERY_S", 1.0),
        (audit, "SPACING_S", 1.0),
        (books, "BEFORE_S", 0.2),
        (books, "AFTER_S", 0.2),
    ):
        monkeypatch.setattr(room, name, seconds)
    server = PaperServer(PaperOptions(control_port=0, pairs=(BTC,), warm_up_s=10))
    await server.start()
    async with opened(server, Disk.blank(SeededEntropy(3))) as built:
        yield built
    await server.close()


def makers(best="1", lost="1"):
    """Twenty levels a side, eight places each."""
    asks = [[f"{BEST_ASK + number}.0", "1.23456789"] for number in range(LEVELS)]
    asks[0][1], asks[LOST][1] = best, lost
    return {"bids": [[f"{BEST_ASK - 1 - number}.0", "0.12345678"] for number in range(LEVELS)], "asks": asks}


class Reader:
    """What a reader of every change holds."""

    def __init__(self, venue, box):
        self._clock = venue.clock
        self._box = box
        self.asks = {}
        self.gaps = []

    async def read(self, seconds, until=lambda _: False):
        by = self._clock.monotonic() + seconds
        while not until(self) and (mail := await self._box.take(by)) is not None:
            match mail:
                case Gap():
                    self.gaps.append(mail.reason)
                    self.asks = {}
                case Batch():
                    for change in mail.items:
                        self.asks |= {level.price: level.quantity for level in change.asks}
        return until(self)

    @property
    def live(self):
        return self._box.state is FeedState.LIVE and bool(self.asks)

    @property
    def deep(self):
        return self.asks.get(Decimal(BEST_ASK + LOST))


@pytest.mark.parametrize("lost", [True, False])
async def test_a_lost_change_below_the_checksum_is_told_and_mended(venue, lost):
    """Integrity gap and a right book anew; where nothing was lost, neither."""
    feeds = Feeds(venue.public, venue.clock, venue.tasks, silent(), venue.public.names.instrument)
    venue.tasks.supervise("watch", feeds.watch)
    await venue.control("POST", "/market", symbol=BTC, frozen=True, **makers())
    with feeds.book(BTC, DEPTH, Delivery(conflate=False)) as box:
        reader = Reader(venue, box)
        assert await reader.read(6.0, lambda reader: reader.live)
        if lost:
            await venue.fault("update_lost", symbol=BTC)
        await venue.control("POST", "/market", symbol=BTC, **makers(lost="3"))
        for turn in range(12):
            await venue.control("POST", "/market", symbol=BTC, **makers(best=str(2 + turn), lost="3"))
            await reader.read(0.5)
        assert (True, Decimal(3)) == (reader.live, reader.deep)
    assert ([GapReason.UPSTREAM_INTEGRITY] if lost else []) == reader.gaps
