"""The wire between simulated processes and one paper exchange, in virtual time: ports.Http and ports.WsDialer, no sockets.

The exchange hears bytes and says bytes; nothing else crosses. What becomes of a message on its way (late, lost, doubled,
answered by a gateway's page) is said by `Fates`; here it is carried out. A request that left a process arrives whatever
becomes of the process, and an answer to a dead one goes nowhere.
"""

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

from execsvc.paper.restface import Request, page
from execsvc.paper.traffic import Cut
from execsvc.ports import LineClosedError, NotSentError, Reply, ReplyLostError
from tests.support.simloop import SimClock

REST_URL = "http://exchange"
WS_URL, WS_AUTH_URL = "ws://exchange/v2", "ws://exchange/v2/auth"
_KINDS = {WS_URL: "public", WS_AUTH_URL: "private"}
_APART_S = 1e-6  # frames of one line never overtake each other
BAD_GATEWAY = page(502)


@dataclass(frozen=True)
class Passage:
    """What becomes of one request. Seconds; None: it never arrives.

    again: a proxy repeats the request so much later, and what is answered to the copy is what is heard. page: a gateway's
    error page is heard instead of the answer. reset: how soon a loss shows as a broken connection (None: silence).
    """

    out: float | None = 0.02
    back: float | None = 0.02
    again: float | None = None
    page: bool = False
    reset: float | None = None
    refused: bool = False


class Fates(Protocol):
    """What the network does to one process's messages."""

    def request(self, call: str) -> Passage: ...

    def dial(self) -> float | None:
        """How long a connection takes to stand; None: it does not come about."""

    def frame(self) -> float:
        """How long a frame of a line takes."""


class Smooth:
    """Everything arrives, in 20 ms."""

    def request(self, call):
        return Passage()

    def dial(self):
        return 0.04

    def frame(self):
        return 0.02


class Heard(NamedTuple):
    """One private call as the exchange noted it, who sent it and when; `record` grows until it is carried out."""

    record: object
    sender: str
    sent: float


def _nobody(who, mark, what=""):
    """Until somebody wants to hear."""


class Wire:
    """One exchange and everybody's way to it. `note` hears of every message: who, a mark, what."""

    def __init__(self, loop, exchange, note=_nobody):
        self.loop = loop
        self.exchange = exchange
        self.note = note
        self.heard = []
        self.lines = []
        self._alarm = None
        self._alarm_at = 0

    def __repr__(self):
        return f"<Wire {len(self.lines)} lines, {len(self.heard)} calls heard>"

    @property
    def now_ns(self):
        """The exchange's own clock: it is never stepped."""
        return SimClock.EPOCH_NS + round(self.loop.now * 1e9)

    def do(self, act):
        """Lets something happen at the exchange, then what follows from it; returns what `act` (given now) returns."""
        done = act(self.now_ns)
        self.say()
        return done

    def say(self):
        """Sends what lines have to say and sets the next alarm."""
        for line in tuple(self.lines):
            if line.far.waiting:
                line.speak()
        due = self.exchange.due
        if due is not None and (self._alarm is None or due < self._alarm_at):
            if self._alarm is not None:
                self._alarm.cancel()
            self._alarm_at = due
            self._alarm = self.loop.call_at(self._when(due), self._advance)

    def _advance(self):
        self._alarm = None
        self.exchange.advance(self.now_ns)
        self.say()

    def _when(self, at_ns):
        return (at_ns - SimClock.EPOCH_NS) / 1e9

    # ---- requests -----------------------------------------------------------------------------------------------

    def carry(self, process, request, passage, answer):
        """Takes a request that left the process on its way."""
        if passage.out is None:
            self.note(process.name, "lost", request.call)
            self._break(process, passage, answer)
            return
        arrive = partial(self._arrive, process, request, passage, self.loop.now)
        self.loop.call_later(passage.out, arrive, None if passage.again is not None else answer)
        if passage.again is not None:
            self.loop.call_later(passage.out + passage.again, arrive, answer)

    def _arrive(self, process, request, passage, sent, answer):
        calls = self.exchange.traffic.calls
        last = calls[-1] if calls else None
        ticket = self.exchange.http(request, self.now_ns)
        if calls and calls[-1] is not last:
            self.heard.append(Heard(calls[-1], process.name, sent))
        self.say()
        if passage.back is None:
            self._break(process, passage, answer)
        self._follow(ticket, partial(self._answered, process, request, passage, answer))

    def _follow(self, ticket, then):
        self.exchange.advance(self.now_ns)
        if ticket.ready(self.exchange.now):
            then(ticket.outcome)
        else:
            self.loop.call_at(self._when(ticket.due), self._follow, ticket, then)

    def _answered(self, process, request, passage, answer, outcome):
        self.say()
        if passage.page and not isinstance(outcome, Cut):
            outcome = BAD_GATEWAY
        body = b"cut" if isinstance(outcome, Cut) else outcome.body
        self.note("exchange", "answers" if answer is not None else "answers nobody", (request.call, body))
        if answer is None or passage.back is None:
            return
        if isinstance(outcome, Cut):
            self._break(process, passage, answer)
            return
        reply = Reply(outcome.status, outcome.headers, outcome.body)
        self.loop.call_later(passage.back, process.deliver, settle, answer, reply)

    def _break(self, process, passage, answer):
        if passage.reset is not None and answer is not None:
            broken = ReplyLostError("ConnectionResetError: Connection reset by peer")
            self.loop.call_later(passage.reset, process.deliver, settle, answer, broken)

    # ---- lines --------------------------------------------------------------------------------------------------

    def cut(self):
        """Every line breaks, and both ends learn of it."""
        for line in tuple(self.lines):
            line.cut("ClientConnectionResetError: connection lost")

    def mute(self):
        """Every line goes dead: nothing passes any more, and nobody is told."""
        for line in self.lines:
            line.muted = True


def settle(answer, told):
    """The first to answer is heard."""
    if not answer.done():
        answer.set_result(told)


class WireHttp:
    """ports.Http of one process."""

    def __init__(self, wire, process, fates):
        self._wire = wire
        self._process = process
        self._fates = fates

    async def send(self, method, url, headers, body, timeout_s):
        process, wire = self._process, self._wire
        process.demand_alive()
        loop = wire.loop
        path, _, query = url.removeprefix(REST_URL).partition("?")
        lowered = {name.lower(): value for name, value in headers.items()}
        request = Request(method, path, query, {"user-agent": "execsvc/sim", **lowered}, body or b"")
        passage = self._fates.request(request.call)
        answer = loop.create_future()
        if passage.refused:
            wire.note(process.name, "cannot connect", request.call)
            unsent = NotSentError("ClientConnectorError: Connection refused")
            loop.call_later(passage.out, process.deliver, settle, answer, unsent)
        else:
            wire.note(process.name, "sends", (request.call, request.body))
            wire.carry(process, request, passage, answer)
        late = ReplyLostError(f"TimeoutError: no answer within {timeout_s:g} s")
        timer = loop.call_later(timeout_s, process.ring, settle, answer, late)
        try:
            told = await answer
        finally:
            timer.cancel()
        if isinstance(told, Exception):
            raise told
        return told


class WireDialer:
    """ports.WsDialer of one process."""

    def __init__(self, wire, process, fates):
        self._wire = wire
        self._process = process
        self._fates = fates

    async def dial(self, url, timeout_s):
        process, wire = self._process, self._wire
        process.demand_alive()
        opened = wire.loop.create_future()
        takes_s = self._fates.dial()
        if takes_s is None or takes_s > timeout_s:
            failed = NotSentError("ClientConnectorError: Connection refused")
            wire.loop.call_later(min(timeout_s, takes_s or 0.02), process.deliver, settle, opened, failed)
        else:
            wire.loop.call_later(takes_s, self._stand, _KINDS[url], opened)
        told = await opened
        if isinstance(told, Exception):
            raise told
        return told

    def _stand(self, kind, opened):
        wire, process = self._wire, self._process
        line = WireLine(wire, process, self._fates, wire.exchange.open(kind, wire.now_ns))
        wire.lines.append(line)
        wire.note(process.name, "connects", kind)
        if not process.alive or opened.done():
            line.drop()
            return
        line.forget = process.at_death(line.drop)
        wire.say()
        process.deliver(settle, opened, line)


class WireLine:
    """ports.Line of one process; `far` is the exchange's end."""

    def __init__(self, wire, process, fates, far):
        self._wire = wire
        self._process = process
        self._fates = fates
        self.far = far
        self.muted = False
        self.forget = None
        self._texts = deque()
        self._reader = None
        self._closed = ""
        self._out_at = self._back_at = 0.0

    async def send(self, text):
        self._process.demand_alive()
        if self._closed:
            raise LineClosedError(self._closed)
        self._out_at = max(self._wire.loop.now + self._fates.frame(), self._out_at + _APART_S)
        self._wire.loop.call_at(self._out_at, self._hear, text)

    async def receive(self):
        while not self._texts:
            if self._closed:
                raise LineClosedError(self._closed)
            self._reader = self._wire.loop.create_future()
            await self._reader
        return self._texts.popleft()

    async def close(self):
        if not self._closed:
            self._end("closed")
            self.drop()

    def speak(self):
        """What the exchange has to say goes on its way, or its goodbye."""
        loop = self._wire.loop
        frames = self.far.drain()
        if self.far.closed is not None:
            self.cut(f"closed with code {self.far.closed}")
        for frame in () if self.muted else frames:
            self._back_at = max(loop.now + self._fates.frame(), self._back_at + _APART_S)
            loop.call_at(self._back_at, self._process.deliver, self._take, frame.encode())

    def drop(self):
        """The process's end is gone; the exchange hears of it a moment later."""
        self._wire.loop.call_later(self._fates.frame(), self._hang_up)

    def cut(self, why):
        """The connection is gone; both ends hear of it."""
        self._hang_up()
        self._back_at = max(self._wire.loop.now + self._fates.frame(), self._back_at + _APART_S)
        self._wire.loop.call_at(self._back_at, self._process.deliver, self._end, why)

    def _hang_up(self):
        if self in self._wire.lines:
            self._wire.lines.remove(self)
            self._wire.exchange.close(self.far)

    def _hear(self, text):
        if not self.muted and self in self._wire.lines:
            self._wire.exchange.hear(self.far, text, self._wire.now_ns)
            self._wire.say()

    def _take(self, text):
        if not self._closed:
            self._texts.append(text)
            self._wake()

    def _end(self, why):
        self._closed = self._closed or why
        if self.forget is not None:
            self.forget()
        self._wake()

    def _wake(self):
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)
