"""Following public trades: SubscribeTrades through all its reconnects; no I/O.

Every trade comes out once while the stream stands. What happened between a Disconnected and the next Connected, or in a Gap,
is not told again: trades(since=…) has it.
"""

from collections.abc import Iterator

from execsvc_api.v1 import market_data_service_pb2 as market_pb

from execsvc_client._amounts import seconds, when
from execsvc_client._enums import FeedState
from execsvc_client._events import TradeUpdate
from execsvc_client._follow import FeedFollower
from execsvc_client._market import read_trade


class TradeFollower(FeedFollower[TradeUpdate]):
    """SubscribeTrades."""

    def __init__(self, symbols: list[str], *, max_buffered: int, heartbeat: float, heartbeats: bool) -> None:
        super().__init__(symbols, heartbeat=heartbeat, heartbeats=heartbeats)
        self._max_buffered = max_buffered

    def request(self) -> market_pb.SubscribeTradesRequest:
        """The same each time."""
        request = market_pb.SubscribeTradesRequest(symbols=self._symbols)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        if self._max_buffered:
            request.delivery.max_buffered = self._max_buffered
        return request

    def news(self, event: str | None, message: market_pb.SubscribeTradesResponse) -> Iterator[TradeUpdate]:
        """Trades one by one."""
        if event != "trades":
            return
        sent = when(message.meta.send_time, present=message.meta.HasField("send_time"))
        state = FeedState(message.meta.feed_state)
        for trade in message.trades.trades:
            yield TradeUpdate(read_trade(trade), state, sent)
