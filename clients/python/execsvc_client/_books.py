"""Following one book: SubscribeBook folded into a book that says when it is stale; no I/O.

Every message becomes a BookView. A delta that does not follow its predecessor ends the stream, which is then opened
again: the snapshot that comes first mends the book.
"""

from collections.abc import Iterator

import grpc
from execsvc_api.v1 import common_pb2
from execsvc_api.v1 import market_data_service_pb2 as market_pb

from execsvc_client._amounts import seconds
from execsvc_client._enums import FeedState
from execsvc_client._errors import ExecsvcError, Facts, Unavailable
from execsvc_client._events import BookView, Disconnected, Gap, StateChanged
from execsvc_client._follow import SLACK, Pulse, read_gap, silence_of
from execsvc_client._ladder import Ladder


class BookFollower:
    """SubscribeBook."""

    def __init__(self, symbol: str, *, depth: int, heartbeat: float) -> None:
        self._symbol = symbol
        self._depth = depth
        self._heartbeat = heartbeat
        self._ladder = Ladder(symbol)
        self._pulse = Pulse()
        self._state = FeedState.UNSPECIFIED
        self.silence = 3 * heartbeat + SLACK

    def request(self) -> market_pb.SubscribeBookRequest:
        """The same each time."""
        request = market_pb.SubscribeBookRequest(symbol=self._symbol, depth=self._depth)
        request.heartbeat_interval.CopyFrom(seconds(self._heartbeat, "heartbeat"))
        return request

    def receive(self, message: market_pb.SubscribeBookResponse) -> Iterator[BookView]:
        """The book after this message. Raises Unavailable when a delta is missing before this one."""
        match message.WhichOneof("event"):
            case "accepted":
                self._pulse = Pulse()
                self.silence = silence_of(message.accepted, self._heartbeat)
            case "snapshot":
                self._ladder.reset(message.snapshot)
                yield self._view(message.meta)
            case "delta" if self._ladder.is_valid:
                if not self._ladder.apply(message.delta):
                    raise Unavailable(Facts(grpc.StatusCode.UNAVAILABLE, "a delta of the book is missing"))
                yield self._view(message.meta)
            case "heartbeat":
                yield from self._beat(message.meta, message.heartbeat)
            case "gap":
                self._ladder.void()
                yield self._stale(FeedState.RESYNCING, read_gap(message.gap))
            case _:
                return  # an event newer than this client, or a delta while a snapshot is on its way

    def lost(self, error: ExecsvcError, retry_in: float) -> Iterator[BookView]:
        """The last book, marked stale."""
        self._ladder.void()
        yield self._stale(FeedState.STALE, Disconnected(error, retry_in))

    def recovers(self, error: ExecsvcError) -> bool:  # noqa: ARG002 - the protocol's shape
        """A book is always asked for in the same way."""
        return False

    def _beat(self, meta: common_pb2.StreamMeta, beat: common_pb2.Heartbeat) -> Iterator[BookView]:
        changed = self._pulse.changed(meta, beat)
        if changed is None or changed.state == self._state:
            return
        self._state = changed.state
        if self._ladder.is_valid:
            yield BookView(self._ladder.view(self._state), stale=self._state != FeedState.LIVE, cause=changed)

    def _view(self, meta: common_pb2.StreamMeta) -> BookView:
        self._state = FeedState(meta.feed_state)
        return BookView(self._ladder.view(self._state), stale=self._state != FeedState.LIVE)

    def _stale(self, state: FeedState, cause: Gap | Disconnected | StateChanged) -> BookView:
        self._state = state
        return BookView(self._ladder.view(state), stale=True, cause=cause)
