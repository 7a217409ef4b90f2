"""What to ask a stream for and what to make of its messages; no I/O, so both clients share it.

A follower lives through reconnects: it builds each request (an order stream's with the last resume token) and turns
messages into events. Who reads, waits and reconnects is `_watch.py` and `_sync_watch.py`. Here are the shape of a
follower and what all of them (`_tickers.py`, `_trades.py`, `_candles.py`, `_order_events.py`, `_books.py`) read alike.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from execsvc_api.v1 import common_pb2
from google.protobuf.message import Message

from execsvc_client._amounts import when
from execsvc_client._enums import FeedState, GapReason
from execsvc_client._errors import ExecsvcError
from execsvc_client._events import Connected, Disconnected, FeedEvent, Gap, Heartbeat, StateChanged

Q_co = TypeVar("Q_co", bound=Message, covariant=True)
A_contra = TypeVar("A_contra", bound=Message, contravariant=True)
E_co = TypeVar("E_co", covariant=True)

HEARTBEAT = 1.0
SLACK = 2.0  # seconds beyond three heartbeats before silence counts as loss


class Follower(Protocol[Q_co, A_contra, E_co]):
    """One stream through all its reconnects. `silence`: seconds without any message after which it is lost."""

    silence: float

    def request(self) -> Q_co:
        """What to open the stream with, this time."""
        ...

    def receive(self, message: A_contra) -> Iterable[E_co]:
        """The events of one message."""
        ...

    def lost(self, error: ExecsvcError, retry_in: float) -> Iterable[E_co]:
        """The events of a loss."""
        ...

    def recovers(self, error: ExecsvcError) -> bool:
        """Whether another request() opens the stream although this error does not pass by itself."""
        ...


class Pulse:
    """The feed's state as heartbeats and other messages tell it: reports each change once."""

    def __init__(self) -> None:
        self.seen: StateChanged | None = None

    def changed(self, meta: common_pb2.StreamMeta, heartbeat: common_pb2.Heartbeat) -> StateChanged | None:
        """The new state, or None if this heartbeat says what the last one said."""
        now = StateChanged(FeedState(meta.feed_state), tuple(heartbeat.not_live_symbols))
        if now == self.seen:
            return None
        self.seen = now
        return now

    def told(self, meta: common_pb2.StreamMeta, symbols: tuple[str, ...]) -> StateChanged | None:
        """The new state, where another message is the first to say it; `symbols` are those of the stream."""
        state = FeedState(meta.feed_state)
        if state is FeedState.UNSPECIFIED or (self.seen is not None and self.seen.state is state):
            return None
        self.seen = StateChanged(state, () if state is FeedState.LIVE else symbols)
        return self.seen


class FeedFollower(ABC, Generic[E_co]):
    """What the market-data streams of several symbols have in common: all but their news."""

    def __init__(self, symbols: list[str], *, heartbeat: float, heartbeats: bool) -> None:
        self._symbols = symbols
        self._heartbeat = heartbeat
        self._tell_heartbeats = heartbeats
        self._pulse = Pulse()
        self.silence = 3 * heartbeat + SLACK

    @abstractmethod
    def news(self, event: str | None, message: Any) -> Iterator[E_co]:
        """The events of a message that this kind of stream alone has; none for what is newer than this client."""

    def receive(self, message: Any) -> Iterator[E_co | FeedEvent]:
        """News one by one; heartbeats only where asked for, their changes of state always."""
        match message.WhichOneof("event"):
            case "accepted":
                self._pulse = Pulse()
                self.silence = silence_of(message.accepted, self._heartbeat)
                yield Connected(message.accepted.stream_id, message.accepted.server_epoch)
            case "heartbeat":
                if (changed := self._pulse.changed(message.meta, message.heartbeat)) is not None:
                    yield changed
                if self._tell_heartbeats:
                    yield read_heartbeat(message.heartbeat)
            case "gap":
                yield read_gap(message.gap)
            case event:
                yield from self.news(event, message)

    def lost(self, error: ExecsvcError, retry_in: float) -> Iterator[Disconnected]:
        """Says so."""
        yield Disconnected(error, retry_in)

    def recovers(self, error: ExecsvcError) -> bool:  # noqa: ARG002 - the protocol's shape
        """Such a stream is always asked for in the same way."""
        return False


def silence_of(accepted: common_pb2.StreamAccepted, asked: float) -> float:
    """Seconds of silence that mean loss, by the heartbeat that the server agreed to."""
    agreed = accepted.heartbeat_interval.ToTimedelta().total_seconds() if accepted.HasField("heartbeat_interval") else 0
    return 3 * (agreed or asked) + SLACK


def read_gap(gap: common_pb2.Gap) -> Gap:
    """A hole from the wire."""
    return Gap(
        GapReason(gap.reason),
        tuple(gap.symbols),
        gap.lost_count if gap.HasField("lost_count") else None,
        when(gap.from_time, present=gap.HasField("from_time")),
    )


def read_heartbeat(beat: common_pb2.Heartbeat) -> Heartbeat:
    """A sign of life from the wire."""
    last = when(beat.last_upstream_time, present=beat.HasField("last_upstream_time"))
    return Heartbeat(last, beat.queue_depth, tuple(beat.not_live_symbols))
