"""Following orders: SubscribeOrders, resumed from the last token that was seen; no I/O.

Nothing is dropped or folded. The token is kept only while what was handed on is whole: never in the middle of a
snapshot, and not between a gap and the snapshot that mends it. Every message has the state of the private feed; a change
of it is told before what came in it.
"""

from collections.abc import Iterator

from execsvc_api.v1 import order_service_pb2 as orders_pb

from execsvc_client._account import read_mode
from execsvc_client._amounts import seconds
from execsvc_client._enums import FeedState, ScopeLike
from execsvc_client._errors import ExecsvcError
from execsvc_client._events import (
    Connected,
    Disconnected,
    FillUpdate,
    ModeUpdate,
    OpenOrders,
    OrderEvent,
    OrderUpdate,
)
from execsvc_client._follow import SLACK, Pulse, read_gap, read_heartbeat, silence_of
from execsvc_client._orders import Order, read_fill, read_order
from execsvc_client._requests import scope_to_wire


class OrderFollower:
    """SubscribeOrders, resumed from the last token that was seen."""

    def __init__(
        self,
        account: str,
        *,
        resume_token: str | None,
        symbols: list[str],
        scope: ScopeLike,
        heartbeat: float,
        heartbeats: bool,
    ) -> None:
        self._account = account
        self._token = resume_token
        self._symbols = symbols
        self._scope = scope_to_wire(scope)
        self._heartbeat = heartbeat
        self._tell_heartbeats = heartbeats
        self._pulse = Pulse()
        self._parts: list[Order] = []
        self._whole = False
        self.silence = 3 * heartbeat + SLACK

    def request(self) -> orders_pb.SubscribeOrdersRequest:
        """From where the last message left off, else from a snapshot."""
        self._parts = []
        self._whole = self._token is not None
        request = orders_pb.SubscribeOrdersRequest(
            account=self._account,
            resume_token=self._token,
            symbols=self._symbols,
            scope=self._scope,
        )
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        return request

    def receive(self, message: orders_pb.SubscribeOrdersResponse) -> Iterator[OrderEvent]:
        """Orders and fills one by one, a snapshot when it is whole."""
        token = self._position(message)
        match message.WhichOneof("event"):
            case "accepted":
                self._pulse = Pulse()
                self.silence = silence_of(message.accepted, self._heartbeat)
                yield Connected(message.accepted.stream_id, message.accepted.server_epoch, resumed=self._whole)
                yield from self._moved(message)
            case "heartbeat":
                yield from self._beat(message)
            case event:
                yield from self._moved(message)
                yield from self._news(event, message, token)

    def _news(self, event: str | None, message: orders_pb.SubscribeOrdersResponse, token: str) -> Iterator[OrderEvent]:
        state = FeedState(message.meta.feed_state)
        match event:
            case "snapshot":
                self._parts += map(read_order, message.snapshot.orders)
                if message.snapshot.complete:
                    parts, self._parts = tuple(self._parts), []
                    yield OpenOrders(parts, token, state)
            case "order":
                yield OrderUpdate(read_order(message.order), token, state)
            case "fill":
                yield FillUpdate(read_fill(message.fill), token, state)
            case "trading_mode":
                yield ModeUpdate(read_mode(message.trading_mode), token, state)
            case "gap":
                yield read_gap(message.gap)
            case _:
                return  # an event newer than this client

    def _moved(self, message: orders_pb.SubscribeOrdersResponse) -> Iterator[OrderEvent]:
        """The feed's state, before anything that is told in it: a heartbeat may be a second away."""
        if (changed := self._pulse.told(message.meta, tuple(self._symbols))) is not None:
            yield changed

    def _beat(self, message: orders_pb.SubscribeOrdersResponse) -> Iterator[OrderEvent]:
        # One feed for all pairs: that the gateway spells them in its own way is no change.
        if (changed := self._pulse.told(message.meta, tuple(message.heartbeat.not_live_symbols))) is not None:
            yield changed
        if self._tell_heartbeats:
            yield read_heartbeat(message.heartbeat)

    def _position(self, message: orders_pb.SubscribeOrdersResponse) -> str:
        """The token to resume from after this message."""
        event = message.WhichOneof("event")
        if event == "gap":
            self._whole = False
        elif event == "snapshot" and message.snapshot.complete:
            self._whole = True
        if self._whole and message.resume_token:
            self._token = message.resume_token
        return self._token or ""

    def lost(self, error: ExecsvcError, retry_in: float) -> Iterator[OrderEvent]:
        """Says so."""
        yield Disconnected(error, retry_in)

    def recovers(self, error: ExecsvcError) -> bool:
        """An expired token is dropped: the next request starts with a snapshot, and Connected says resumed=False."""
        if error.reason == "RESUME_TOKEN_EXPIRED" and self._token is not None:
            self._token = None
            return True
        return False
