"""Following tickers: SubscribeTickers through all its reconnects; no I/O.

Every ticker comes out with the state of its feed, and every change of state comes out once. What is not told here, such
as reading and waiting, is `_watch.py`.
"""

from collections.abc import Iterator

from execsvc_api.v1 import common_pb2
from execsvc_api.v1 import market_data_service_pb2 as market_pb

from execsvc_client._amounts import seconds, when
from execsvc_client._enums import FeedState
from execsvc_client._events import TickerUpdate
from execsvc_client._follow import FeedFollower
from execsvc_client._market import read_ticker


class TickerFollower(FeedFollower[TickerUpdate]):
    """SubscribeTickers."""

    def __init__(self, symbols: list[str], *, min_interval: float, heartbeat: float, heartbeats: bool) -> None:
        super().__init__(symbols, heartbeat=heartbeat, heartbeats=heartbeats)
        self._min_interval = min_interval

    def request(self) -> market_pb.SubscribeTickersRequest:
        """The same each time."""
        request = market_pb.SubscribeTickersRequest(symbols=self._symbols)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        if self._min_interval:
            request.delivery.mode = common_pb2.DeliveryPolicy.MODE_CONFLATE
            request.delivery.min_interval.CopyFrom(seconds(self._min_interval, "min_interval"))
        return request

    def news(self, event: str | None, message: market_pb.SubscribeTickersResponse) -> Iterator[TickerUpdate]:
        """Tickers one by one."""
        if event not in {"snapshot", "update"}:
            return
        snapshot = event == "snapshot"
        sent = when(message.meta.send_time, present=message.meta.HasField("send_time"))
        state = FeedState(message.meta.feed_state)
        for ticker in (message.snapshot if snapshot else message.update).tickers:
            yield TickerUpdate(read_ticker(ticker), state, snapshot, message.meta.conflated_count, sent)
