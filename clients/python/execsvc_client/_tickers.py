"""Following tickers: SubscribeTickers through all its reconnects; no I/O.

Every ticker comes out with the state of its feed, and every change of state comes out once. What is not told here, such
as reading and waiting, is `_watch.py`.
"""

from collections.abc import Iterator

from execsvc_api.v1 import common_pb2
from execsvc_api.v1 import market_data_service_pb2 as market_pb

from execsvc_client._amounts import seconds, when
from execsvc_client._enums import FeedState
from execsvc_client._errors import ExecsvcError
from execsvc_client._events import Connected, Disconnected, TickerEvent, TickerUpdate
from execsvc_client._follow import SLACK, Pulse, read_gap, read_heartbeat, silence_of
from execsvc_client._market import read_ticker


class TickerFollower:
    """SubscribeTickers."""

    def __init__(self, symbols: list[str], *, min_interval: float, heartbeat: float, heartbeats: bool) -> None:
        self._symbols = symbols
        self._min_interval = min_interval
        self._heartbeat = heartbeat
        self._tell_heartbeats = heartbeats
        self._pulse = Pulse()
        self.silence = 3 * heartbeat + SLACK

    def request(self) -> market_pb.SubscribeTickersRequest:
        """The same each time."""
        request = market_pb.SubscribeTickersRequest(symbols=self._symbols)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        if self._min_interval:
            request.delivery.mode = common_pb2.DeliveryPolicy.MODE_CONFLATE
            request.delivery.min_interval.CopyFrom(seconds(self._min_interval, "min_interval"))
        return request

    def receive(self, message: market_pb.SubscribeTickersResponse) -> Iterator[TickerEvent]:
        """Tickers one by one; heartbeats only where asked for, their changes of state always."""
        meta = message.meta
        match message.WhichOneof("event"):
            case "accepted":
                self._pulse = Pulse()
                self.silence = silence_of(message.accepted, self._heartbeat)
                yield Connected(message.accepted.stream_id, message.accepted.server_epoch)
            case "snapshot":
                yield from self._updates(meta, message.snapshot, snapshot=True)
            case "update":
                yield from self._updates(meta, message.update, snapshot=False)
            case "heartbeat":
                if (changed := self._pulse.changed(meta, message.heartbeat)) is not None:
                    yield changed
                if self._tell_heartbeats:
                    yield read_heartbeat(message.heartbeat)
            case "gap":
                yield read_gap(message.gap)
            case _:
                return  # an event newer than this client

    def _updates(
        self, meta: common_pb2.StreamMeta, batch: market_pb.TickerBatch, *, snapshot: bool
    ) -> Iterator[TickerUpdate]:
        sent = when(meta.send_time, present=meta.HasField("send_time"))
        state = FeedState(meta.feed_state)
        for ticker in batch.tickers:
            yield TickerUpdate(read_ticker(ticker), state, snapshot, meta.conflated_count, sent)

    def lost(self, error: ExecsvcError, retry_in: float) -> Iterator[TickerEvent]:
        """Says so."""
        yield Disconnected(error, retry_in)

    def recovers(self, error: ExecsvcError) -> bool:  # noqa: ARG002 - the protocol's shape
        """A ticker stream is always asked for in the same way."""
        return False
