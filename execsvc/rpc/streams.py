"""One pump for every stream: numbers without holes, heartbeats on a fixed clock, gaps, states, and an end that is said.

A Source knows what a stream is about; the pump knows how a stream behaves (contract.md section 6). Both are async generators'
work: nothing is sent from here, and whoever reads no further holds up only its own source. What a source takes from is
bounded by app/hub.py, or is the journal itself.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from execsvc_api.v1 import common_pb2 as common
from google.protobuf.message import Message

from execsvc.app.feeds import STALENESS_BOUND_S, Feeds
from execsvc.app.hub import Batch, Gap, Mail, Mailbox
from execsvc.domain.errors import Busy, FieldViolation, Reason, refuse
from execsvc.domain.market import FeedState, GapReason, Topic
from execsvc.ports import Clock
from execsvc.rpc.call import Call, Flow
from execsvc.rpc.convert.streams import Bodies, Written, gap
from execsvc.rpc.drain import Drain
from execsvc.rpc.scalars import FEED_STATES, NS, duration, seconds_of, timestamp_or_none
from execsvc.telemetry import Telemetry

T = TypeVar("T")

HEARTBEAT_S = 1.0
LOOK_S = 0.5  # how often a state nobody announces is looked at: contract.md wants a change told within 1 s


@dataclass(frozen=True)
class Part:
    """What one message holds besides its meta: a member of the oneof by name, and the state of what it is about."""

    fields: Mapping[str, Any]
    state: FeedState
    folded: int = 0


@dataclass(frozen=True)
class Terms:
    """What the server agrees to with this reader."""

    heartbeat_s: float
    delivery: common.DeliveryPolicy


class Source(Protocol):
    """What one stream is about."""

    @property
    def announced(self) -> bool:
        """Whether take() returns when the state moves."""
        ...

    @property
    def state(self) -> FeedState:
        """The worst of the stream."""
        ...

    def demand(self) -> None:
        """Raises what ends the stream, such as a topic the venue refuses."""
        ...

    def opening(self) -> Sequence[Part]:
        """What follows `accepted` before anything else."""
        ...

    async def take(self, by: float) -> Sequence[Part]:
        """The next messages; none when monotonic `by` has come or only the state moved."""
        ...

    def heartbeat(self) -> common.Heartbeat:
        """The sign of life now."""
        ...

    def stamp(self) -> Mapping[str, Any]:
        """Fields that every message of this stream has besides meta, as they are now."""
        ...


@dataclass(frozen=True)
class Pumps:
    """Makes streams; one for the whole door."""

    clock: Clock
    drain: Drain
    telemetry: Telemetry
    server_epoch: str
    bodies: Bodies = field(default_factory=Bodies)

    async def pump(
        self, call: Call, kind: type[Message], source: Source, terms: Terms
    ) -> AsyncGenerator[Message, None]:
        """The whole life of one stream after its request was found good; ends only by raising."""
        source.demand()
        make = _Envelope(call, kind, source, self)
        call.tally.look = make.flow
        try:
            yield make(Part({"accepted": self._accepted(call, terms)}, source.state))
            beats = _Beats(self.clock.monotonic(), terms.heartbeat_s)
            told = source.state
            for part in source.opening():
                yield make(part)
            while True:
                parts: Sequence[Part] = ()
                now = self.clock.monotonic()
                if not (beat := beats.due(now)):
                    by = beats.next_at if source.announced else min(beats.next_at, now + LOOK_S)
                    try:
                        with self.drain.interruptible():
                            parts = await source.take(by)
                    except Busy as end:
                        if end.reason is Reason.SHUTTING_DOWN:
                            yield make(_heartbeat(source))
                        raise
                for part in parts:
                    yield make(part)
                if beat or source.state is not told:
                    source.demand()
                    told = source.state
                    yield make(_heartbeat(source))
                    make.measure()
        finally:
            make.measure()

    def _accepted(self, call: Call, terms: Terms) -> common.StreamAccepted:
        return common.StreamAccepted(
            stream_id=call.stream_id,
            server_epoch=self.server_epoch,
            delivery=terms.delivery,
            heartbeat_interval=duration(terms.heartbeat_s),
            staleness_bound=duration(STALENESS_BOUND_S),
            account=call.account,
        )


def heartbeat_s(request: Any) -> float:
    """The spacing a request asks for, or the default."""
    return seconds_of(request.heartbeat_interval) if request.HasField("heartbeat_interval") else HEARTBEAT_S


def _heartbeat(source: Source) -> Part:
    return Part({"heartbeat": source.heartbeat()}, source.state)


@dataclass
class _Beats:
    """The fixed clock: beats missed behind a slow reader are not made up for. `next_at`: when one is due."""

    opened: float
    every_s: float
    count: int = 1

    def __post_init__(self) -> None:
        self.next_at = self.opened + self.count * self.every_s

    def due(self, now: float) -> bool:
        """Whether one is due now; the next one is then at the next turn of the same clock."""
        if now < self.next_at:
            return False
        self.count = max(self.count, int((now - self.opened) / self.every_s)) + 1
        self.next_at = self.opened + self.count * self.every_s
        return True


class _Envelope:
    """Puts meta on every message: two messages one after the other read as one, so each is the meta and what follows it."""

    def __init__(self, call: Call, kind: type[Any], source: Source, pumps: Pumps) -> None:
        self._call = call
        self._kind = kind
        self._source = source
        self._pumps = pumps
        self._head = kind()  # its `meta` is filled anew for each message
        self._meta: common.StreamMeta = self._head.meta
        self._sent = self._meta.send_time
        self._state: FeedState | None = None
        self._seq = self._folded = self._measured = 0

    def __call__(self, part: Part) -> Written:
        self._seq += 1
        self._folded += part.folded
        meta, sent = self._meta, self._sent
        sent.seconds, sent.nanos = divmod(self._pumps.clock.wall_ns(), NS)
        meta.seq = self._seq
        meta.conflated_count = part.folded
        if part.state is not self._state:
            self._state = part.state
            meta.feed_state = FEED_STATES[part.state]
        stamp = self._source.stamp()
        body = self._pumps.bodies.of(self._kind, {**stamp, **part.fields} if stamp else part.fields)
        return Written(self._head.SerializeToString() + body)

    def measure(self) -> None:
        """Adds what was folded to the figure of all streams: with each heartbeat, for it costs a good part of a message."""
        if self._folded:
            self._pumps.telemetry.conflated.add(self._folded, {"rpc.method": self._call.permit.short})
            self._measured += self._folded
            self._folded = 0

    def flow(self) -> Flow:
        """How the stream fares."""
        return Flow(self._source.heartbeat().queue_depth, self._seq, self._measured + self._folded)


Render = Callable[[Batch[T]], Sequence[Part]]


@dataclass
class FeedSource(Generic[T]):
    """A mailbox of app/feeds.py as a stream: snapshots come by themselves as soon as the feed has a picture."""

    box: Mailbox[T]
    feeds: Feeds
    topics: tuple[Topic, ...]
    render: Render[T]
    not_live: Callable[[], Sequence[str]]
    announced: bool = field(default=True, init=False)
    _behind: bool = field(default=False, init=False)  # a gap was told, and what makes good for it was not yet

    @property
    def state(self) -> FeedState:
        """The worst of the topics, as far as this reader was told of them: LIVE never precedes its picture."""
        return FeedState.RESYNCING if self._behind and self.box.state is FeedState.LIVE else self.box.state

    def demand(self) -> None:
        """Raises UNKNOWN_SYMBOL for topics the venue does not serve."""
        refused = [(topic.symbol, why) for topic in self.topics if (why := self.feeds.refusal(topic))]
        if refused:
            symbols = ", ".join(symbol for symbol, _ in refused)
            raise refuse(
                Reason.UNKNOWN_SYMBOL,
                f"the exchange does not stream {symbols}: {refused[0][1]}",
                fields=tuple(FieldViolation("symbols", f"{symbol}: {why}") for symbol, why in refused),
                symbol=refused[0][0],
                suggestions="",
                venue_error=refused[0][1],
            )

    def opening(self) -> Sequence[Part]:
        """Nothing: what is known already waits in the mailbox."""
        return ()

    async def take(self, by: float) -> Sequence[Part]:
        """The next mail as messages. News of life waits for what is pending."""
        mail = await self.box.take(by)
        if isinstance(mail, Batch):
            return self.render(mail)
        parts = [*self._parts(mail)]
        if mail is not None and self.box.state is FeedState.LIVE:
            parts += await self._pending()
        return parts

    async def _pending(self) -> Sequence[Part]:
        """What is in the mailbox by now; what comes meanwhile may be left."""
        parts: list[Part] = []
        left = len(self.box)
        while left > 0 and (mail := await self.box.take(by=0.0)) is not None:
            left -= len(mail.items) if isinstance(mail, Batch) else 0
            parts += self._parts(mail)
        self._behind = self.box.state is not FeedState.LIVE
        return parts

    def _parts(self, mail: Mail[T] | None) -> Sequence[Part]:
        match mail:
            case Batch():
                return self.render(mail)
            case Gap():
                self._behind = self._behind or mail.reason is not GapReason.SLOW_CONSUMER
                return (Part({"gap": gap(mail)}, self.state),)
            case _:
                return ()

    def heartbeat(self) -> common.Heartbeat:
        """With the symbols that are not to be quoted on."""
        return common.Heartbeat(
            last_upstream_time=timestamp_or_none(self.feeds.last_frame_ns),
            queue_depth=len(self.box),
            not_live_symbols=self.not_live(),
        )

    def stamp(self) -> Mapping[str, Any]:
        """Nothing besides meta."""
        return {}
