"""Following candles: SubscribeCandles through all its reconnects; no I/O.

A symbol begins with a CandleSnapshot, and begins anew with one after every gap and reconnect; in between come the candles
that changed, those that close always.
"""

from collections.abc import Iterator
from datetime import timedelta

from execsvc_api.v1 import common_pb2
from execsvc_api.v1 import market_data_service_pb2 as market_pb

from execsvc_client._amounts import seconds, when
from execsvc_client._enums import FeedState
from execsvc_client._events import CandleSnapshot, CandleUpdate
from execsvc_client._follow import FeedFollower
from execsvc_client._market import read_candle


class CandleFollower(FeedFollower[CandleSnapshot | CandleUpdate]):
    """SubscribeCandles."""

    def __init__(
        self,
        symbols: list[str],
        interval: timedelta,
        *,
        history: int,
        min_interval: float,
        heartbeat: float,
        heartbeats: bool,
    ) -> None:
        super().__init__(symbols, heartbeat=heartbeat, heartbeats=heartbeats)
        self._interval = interval
        self._history = history
        self._min_interval = min_interval

    def request(self) -> market_pb.SubscribeCandlesRequest:
        """The same each time."""
        request = market_pb.SubscribeCandlesRequest(symbols=self._symbols, history_count=self._history)
        request.interval.FromTimedelta(self._interval)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        if self._min_interval:
            request.delivery.mode = common_pb2.DeliveryPolicy.MODE_CONFLATE
            request.delivery.min_interval.CopyFrom(seconds(self._min_interval, "min_interval"))
        return request

    def news(
        self, event: str | None, message: market_pb.SubscribeCandlesResponse
    ) -> Iterator[CandleSnapshot | CandleUpdate]:
        """Snapshots whole, changes one by one."""
        meta = message.meta
        sent = when(meta.send_time, present=meta.HasField("send_time"))
        state = FeedState(meta.feed_state)
        if event == "snapshot":
            rows = tuple(map(read_candle, message.snapshot.candles))
            yield CandleSnapshot(message.snapshot.symbol, rows, state, meta.conflated_count, sent)
        elif event == "update":
            for candle in message.update.candles:
                yield CandleUpdate(read_candle(candle), state, meta.conflated_count, sent)
