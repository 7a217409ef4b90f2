"""Tickers that were read over REST say so, on a stream whose link is away and in GetTickers."""

from execsvc_api.v1 import common_pb2 as common
from execsvc_api.v1 import market_data_service_pb2 as market
from google.protobuf.duration_pb2 import Duration

from execsvc.domain.market import LinkDown
from tests.rpc.stage import link_up, seen
from tests.rpc.streams_reading import Reader, kind

LIVE, STALE, RESYNCING = common.FEED_STATE_LIVE, common.FEED_STATE_STALE, common.FEED_STATE_RESYNCING


def follow(stage):
    request = market.SubscribeTickersRequest(symbols=["BTC/USD"], heartbeat_interval=Duration(seconds=60))
    return Reader(stage.market.SubscribeTickers(request))


def told(message):
    """(bid, polled) of the one ticker in it."""
    (ticker,) = (message.snapshot if kind(message) == "snapshot" else message.update).tickers
    return ticker.bid_price, ticker.polled


async def test_while_the_link_is_away_updates_are_polled_and_stale(stage):
    """Marked, and the message's state is STALE; back again, the gap and the stream's own picture."""
    reader = follow(stage)
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", "777", snapshot=True))
    await reader.until("heartbeat")
    await stage.tell(LinkDown("cut"))
    polled = await reader.until("update")
    assert (("100", True), STALE) == (told(polled), polled.meta.feed_state)
    await stage.tell(link_up(), seen("BTC/USD", "778", snapshot=True))
    gap, snapshot = await reader.until("gap"), await reader.until("snapshot")
    assert (RESYNCING, ("778", False), LIVE) == (gap.meta.feed_state, told(snapshot), snapshot.meta.feed_state)


async def test_get_tickers_says_what_was_asked_for_just_now(stage):
    """What a LIVE feed has is not polled, everything else is."""
    reader = follow(stage)
    await reader.take(1)
    await stage.tell(link_up(), seen("BTC/USD", "777", snapshot=True))
    answer = await stage.market.GetTickers(market.GetTickersRequest(symbols=["BTC/USD", "ETH/USD"]), timeout=2)
    assert [("BTC/USD", False), ("ETH/USD", True)] == [(each.symbol, each.polled) for each in answer.tickers]
