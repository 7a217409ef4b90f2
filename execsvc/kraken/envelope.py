"""One request and its envelope: send, read the status, open `{"error": […], "result": …}`, under a span of its own.

What the answer means for key, lane and caller is rest.py's. Nothing of our trace is sent to Kraken.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Raw
from opentelemetry.trace import Span

from execsvc.domain.errors import ProtocolBroken, Reason
from execsvc.kraken import faults, wire
from execsvc.kraken.endpoints import Effect, Endpoint
from execsvc.kraken.faults import Verdict
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, Http, ReplyLostError
from execsvc.telemetry import Telemetry, tell

_OWN_BUGS = frozenset({Reason.VENUE_RATE_LIMITED, Reason.VENUE_REFUSED_ARGUMENTS})

_envelope = wire.decoder(wire.Envelope)


class Envelopes:
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
