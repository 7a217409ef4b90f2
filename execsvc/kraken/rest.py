"""REST calls: a turn in the lane, a nonce, a signature, one request, the envelope; reads and cancels again where allowed.

The nonce is taken while the lane is held, so the order of nonces is the order of sending. `once` is for placements: one
attempt, whose outcome is a value. Nothing of our trace is sent to Kraken.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from msgspec import Raw
from opentelemetry.trace import Span

from execsvc.domain.errors import Fault, ProtocolBroken, Reason, error_of
from execsvc.kraken import faults, wire
from execsvc.kraken.encode import form
from execsvc.kraken.endpoints import Effect, Endpoint, Rank
from execsvc.kraken.faults import Alarm, Verdict
from execsvc.kraken.lane import Lane
from execsvc.kraken.nonce import Nonces
from execsvc.kraken.retry import persist, timed_out
from execsvc.kraken.signing import Signer
from execsvc.kraken.slots import Slots
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, Entropy, Http, NotSentError, ReplyLostError
from execsvc.telemetry import Spans, Telemetry, tell

TRADE_PATIENCE_S = 2.0
READ_PATIENCE_S = 10.0
NONCES_REFUSED_MAX = 4  # in a row: the key was used elsewhere with a finer scale, and asking on would earn a lockout
_OWN_BUGS = frozenset({Reason.VENUE_RATE_LIMITED, Reason.VENUE_REFUSED_ARGUMENTS})

_envelope = wire.decoder(wire.Envelope)


@dataclass(frozen=True)
class NothingSent:
    """A placement of which no byte left us."""

    fault: Fault


class PublicRest:
    """Unsigned reads; a few at a time, for Kraken counts them per address."""

    def __init__(
        self,
        *,
        base_url: str,
        http: Http,
        clock: Clock,
        entropy: Entropy,
        telemetry: Telemetry,
        venue_time: VenueTime,
        patience_s: float = READ_PATIENCE_S,
    ) -> None:
        self._wire = _Wire(base_url, http, clock, telemetry, venue_time)
        self._clock = clock
        self._chance = entropy.branch("public rest")
        self._patience_s = patience_s
        self._slots = Slots(clock)

    async def read(self, endpoint: Endpoint, params: Mapping[str, str], by: float) -> Raw:
        """The `result`, asked for until `by`. Raises Busy, Declined or ProtocolBroken."""
        query = form(params).decode()
        path = f"{endpoint.path}?{query}" if query else endpoint.path

        async def attempt() -> Raw | Verdict:
            async with self._slots.one(by):
                timeout_s = min(self._patience_s, by - self._clock.monotonic())
                if timeout_s <= 0:
                    raise error_of(timed_out(Effect.READ))
                try:
                    return await self._wire.exchange(endpoint, "GET", path, {}, None, timeout_s)
                except NotSentError as failure:
                    return faults.of_transport(failure, endpoint.effect)

        return await persist(attempt, Effect.READ, by, self._clock, self._chance)


class SignedRest:
    """The private calls of one key."""

    def __init__(
        self,
        *,
        base_url: str,
        signer: Signer,
        lane: Lane,
        nonces: Nonces,
        http: Http,
        clock: Clock,
        entropy: Entropy,
        telemetry: Telemetry,
        venue_time: VenueTime,
        trade_patience_s: float = TRADE_PATIENCE_S,
        read_patience_s: float = READ_PATIENCE_S,
    ) -> None:
        self._wire = _Wire(base_url, http, clock, telemetry, venue_time)
        self._signer = signer
        self._lane = lane
        self._nonces = nonces
        self._clock = clock
        self._chance = entropy.branch("signed rest")
        self._telemetry = telemetry
        self._patience_s = dict.fromkeys(Rank, trade_patience_s) | {Rank.READ: read_patience_s}
        self._nonces_refused = 0

    async def call(self, endpoint: Endpoint, params: Mapping[str, str], by: float) -> Raw:
        """The `result` of a read or cancel, asked for until `by`. Raises Busy, Declined or ProtocolBroken."""

        async def attempt() -> Raw | Verdict:
            try:
                return await self._attempt(endpoint, params, by, _never_late)
            except NotSentError as failure:
                return faults.of_transport(failure, endpoint.effect)

        return await persist(attempt, endpoint.effect, by, self._clock, self._chance)

    async def once(
        self, endpoint: Endpoint, params: Mapping[str, str], by: float, late: Callable[[], Fault | None]
    ) -> Raw | Verdict | NothingSent:
        """One attempt, never repeated. `late` is asked when the turn has come: a fault means it must not go out."""
        try:
            return await self._attempt(endpoint, params, by, late)
        except NotSentError as failure:
            return NothingSent(faults.of_transport(failure, endpoint.effect).fault)

    async def _attempt(
        self, endpoint: Endpoint, params: Mapping[str, str], by: float, late: Callable[[], Fault | None]
    ) -> Raw | Verdict:
        with self._telemetry.span(
            Spans.LANE, {"execsvc.lane": endpoint.rank.name.lower(), "execsvc.lane.queue_depth": self._lane.depth()}
        ) as span:
            began = self._clock.monotonic()
            ticket = await self._lane.enter(endpoint.rank, endpoint.effect, by)
            waited_s = self._clock.monotonic() - began
            tell(span, {"execsvc.lane.wait_s": waited_s})
        with self._lane.holding(ticket):
            fault = late()
            if fault is not None:
                raise error_of(fault)
            nonce = await self._nonces.next()
            body = form(params, nonce)
            headers = self._signer.sign(endpoint.path, nonce, body)
            timeout_s = self._patience_s[endpoint.rank]
            if endpoint.effect is Effect.READ:
                timeout_s = max(0.05, min(timeout_s, by - self._clock.monotonic()))
            sent = self._clock.monotonic()
            answer = await self._wire.exchange(endpoint, "POST", endpoint.path, headers, body, timeout_s, nonce=nonce)
        if endpoint.effect is Effect.ORDER:
            self._telemetry.order_seconds.record(waited_s, {"stage": "wait"})
            self._telemetry.order_seconds.record(self._clock.monotonic() - sent, {"stage": "wire"})
        self._heed(answer)
        return answer

    def _heed(self, answer: Raw | Verdict) -> None:
        """What one answer says about the key as a whole."""
        if not isinstance(answer, Verdict):
            self._nonces_refused = 0
            return
        if answer.alarm is Alarm.KEY_REFUSED:
            self._lane.stop(Fault(Reason.VENUE_CREDENTIALS_REJECTED, answer.fault.message, answer.fault.metadata))
        elif answer.alarm is Alarm.LOCKED_OUT:
            self._lane.block(faults.LOCKOUT_S, Fault(Reason.VENUE_LOCKED_OUT, answer.fault.message))
        elif answer.alarm is Alarm.NONCE:
            self._telemetry.nonce_rejections.add(1)
            self._nonces_refused += 1
            self._nonces.renew()
            if self._nonces_refused >= NONCES_REFUSED_MAX:
                self._lane.stop(_key_used_elsewhere(answer.fault))


class _Wire:
    """One request and its envelope, under its span."""

    def __init__(self, base_url: str, http: Http, clock: Clock, telemetry: Telemetry, venue_time: VenueTime) -> None:
        self._base_url = base_url.rstrip("/")
        self._server = urlsplit(base_url).hostname or ""
        self._http = http
        self._clock = clock
        self._telemetry = telemetry
        self._venue_time = venue_time

    async def exchange(
        self,
        endpoint: Endpoint,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes | None,
        timeout_s: float,
        *,
        nonce: int | None = None,
    ) -> Raw | Verdict:
        """The result or the verdict. NotSentError passes: only the caller knows what it means there."""
        attributes = {
            "http.request.method": method,
            "server.address": self._server,
            "url.path": endpoint.path,
            "execsvc.lane": endpoint.rank.name.lower(),
        }
        with self._telemetry.client_span(f"kraken {method} {endpoint.path}", attributes) as span:
            if nonce is not None:
                tell(span, {"execsvc.nonce.age_s": (self._clock.wall_ns() - nonce) / 1e9})
            try:
                reply = await self._http.send(method, self._base_url + path, headers, body, timeout_s)
            except ReplyLostError as failure:
                answer: Raw | Verdict = faults.of_transport(failure, endpoint.effect)
            else:
                tell(span, {"http.response.status_code": reply.status})
                retry_after = reply.headers.get("Retry-After", "")
                answer = faults.of_status(reply.status, endpoint.effect, retry_after) or self._opened(
                    reply.body, endpoint.effect
                )
            self._note(span, answer)
        return answer

    def _opened(self, body: bytes, effect: Effect) -> Raw | Verdict:
        try:
            envelope = _envelope(body)
        except ProtocolBroken as failure:
            return faults.of_unreadable(effect, failure.fault.message)
        verdict = faults.of_texts(envelope.error, effect, self._venue_time.venue_ns(self._clock.wall_ns()))
        if verdict is not None:
            return verdict
        if not bytes(envelope.result):
            return faults.of_unreadable(effect, "the answer has neither error nor result")
        return envelope.result

    def _note(self, span: Span, answer: Raw | Verdict) -> None:
        if not isinstance(answer, Verdict):
            return
        tell(span, {"execsvc.venue_error": answer.fault.message, "execsvc.reason": answer.fault.reason.name})
        if answer.fault.reason in _OWN_BUGS:
            self._telemetry.own_bugs.add(1, {"reason": answer.fault.reason.name})


def _never_late() -> Fault | None:
    return None


def _key_used_elsewhere(fault: Fault) -> Fault:
    return Fault(
        Reason.VENUE_CREDENTIALS_REJECTED,
        "Kraken keeps refusing this key's nonces: another program uses it, or used a finer scale; make a new key",
        fault.metadata,
    )
