"""What all accounts share, built from ports alone: the public side of the venue, its pairs, its market feeds.

What belongs to one account is rooms.py's. Nothing here listens or starts.
"""

from dataclasses import dataclass

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.market import MarketData
from execsvc.compose.parts import Parts
from execsvc.kraken.public import KrakenPublic
from execsvc.settings import VenueUrls


@dataclass(frozen=True)
class MarketSide:
    """All of it, by name."""

    public: KrakenPublic
    catalog: Catalog
    feeds: Feeds
    market: MarketData


def market_side(parts: Parts, urls: VenueUrls) -> MarketSide:
    """Builds them."""
    public = KrakenPublic(
        rest_url=urls.rest,
        ws_url=urls.ws,
        http=parts.http,
        dialer=parts.dialer,
        clock=parts.clock,
        entropy=parts.entropy,
        tasks=parts.tasks,
        telemetry=parts.telemetry,
    )
    catalog = Catalog(public, parts.clock)
    feeds = Feeds(public, parts.clock, parts.tasks, parts.telemetry, catalog.instrument)
    return MarketSide(public, catalog, feeds, MarketData(public, catalog, feeds))
