"""REST calls: a turn in the lane, a nonce, a signature, one request, the envelope; reads and cancels again where allowed.

The nonce is taken while the lane is held, so the order of nonces is the order of sending. `once` is for placements: one
attempt, whose outcome is a value. Nothing of our trace is sent to Kraken.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from msgspec import Raw

from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.domain.story import Step, StepKind
from execsvc.kraken import faults
from execsvc.kraken.breaker import LANE_OF, READ, TRADE
from execsvc.kraken.encode import form, json_body
from execsvc.kraken.endpoints import Effect, Endpoint, Rank
from execsvc.kraken.envelope import Envelopes
from execsvc.kraken.faults import Alarm, Verdict
from execsvc.kraken.lane import Lane
from execsvc.kraken.lanequeue import Fate, Ticket
from execsvc.kraken.nonce import Nonces
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.retry import persist
from execsvc.kraken.signing import Signer
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, Entropy, Http, NotSentError, Tasks
from execsvc.telemetry import Spans, Telemetry, tell

TRADE_PATIENCE_S = 2.0
READ_PATIENCE_S = 10.0
JSON = "application/json"
LATE_REPLY_S = 30.0  # after sending, an order's answer still counts (promises.md section 4)
WAIT_WORTH_TELLING_S = 0.001
OVERDUE_MAX = 64  # answers awaited beyond the patience at once: each holds a connection


@dataclass(frozen=True)
class NothingSent:
    """A placement of which no byte left us."""

    fault: Fault


@dataclass(frozen=True)
class Overdue:
    """A placement whose answer did not come within the patience; `answer()` is what it says if it still comes."""

    answer: Callable[[], Awaitable[Raw | Verdict | NothingSent]]


@dataclass(frozen=True)
class _Signed:
    nonce: int
    body: bytes
    headers: Mapping[str, str] = field(repr=False)  # the signature


@dataclass(frozen=True)
class Patience:
    """How long one call holds the lane, in seconds."""

    trade_s: float = TRADE_PATIENCE_S
    read_s: float = READ_PATIENCE_S


def _unheard() -> None:
    """Nobody wants to hear of it."""


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
        tasks: Tasks,
        rates: KrakenRates,
        patience: Patience,
    ) -> None:
        self._wire = Envelopes(base_url, http, clock, telemetry, venue_time)
        self._rates = rates
        self._signer = signer
        self._lane = lane
        self._nonces = nonces
        self._clock = clock
        self._chance = entropy.branch("signed rest")
        self._telemetry = telemetry
        self._patience_s = dict.fromkeys(Rank, patience.trade_s) | {Rank.READ: patience.read_s}
        self._tasks = tasks
        self._overdue = 0
        self._accepted: tuple[float, float] | None = (
            None  # seconds: of the last answered call, nonce taken and answered
        )

    def accepted_after(self, since: float) -> float | None:
        """When an answer proved that a nonce taken after `since` was accepted; None: not yet."""
        return self._accepted[1] if self._accepted is not None and self._accepted[0] >= since else None

    async def call(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        by: float,
        *,
        caller: str = "",
        since: float | None = None,
        leaving: Callable[[], None] = _unheard,
    ) -> Raw:
        """The `result` of a read or cancel, asked for until `by`. Raises Busy, Declined or ProtocolBroken.

        `caller`: whose turn it takes, empty for the house; `since`: when what this call is a step of began to wait, else now;
        `leaving` hears of each request that may reach Kraken.
        """

        async def attempt() -> Raw | Verdict:
            try:
                return await self._attempt(endpoint, params, by, caller, since, leaving)
            except NotSentError as failure:
                return faults.of_transport(failure, endpoint.effect)

        return await persist(attempt, endpoint.effect, by, self._clock, self._chance)

    async def once(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        by: float,
        *,
        caller: str,
        unready: Callable[[], Fault | None],
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> Raw | Verdict | NothingSent | Overdue:
        """One attempt, never repeated.

        `unready` is asked before anything is signed: a fault means that the turn came too early. `forbidden` is asked last
        before the bytes leave: a fault means they must not.
        The lane is held for the patience only; an answer that takes longer is still read, up to LATE_REPLY_S after sending.
        Raises Busy or Declined when nothing was sent: the turn did not come, no nonce could be had, or it was forbidden.
        """
        ticket = await self._turn(endpoint, by, caller, note)
        with self._lane.holding(ticket):
            ticket.fate = Fate.UNSENT
            fault = unready()
            if fault is not None:
                raise error_of(fault)
            request = await self._signed(endpoint, params)
            fault = forbidden()
            if fault is not None:
                raise error_of(fault)
            patience_s = self._patience_s[endpoint.rank]
            timeout_s = LATE_REPLY_S if self._overdue < OVERDUE_MAX else patience_s
            sent = self._clock.monotonic()
            ticket.fate = Fate.LOST
            note(
                Step(
                    self._clock.wall_ns(),
                    StepKind.SENT,
                    f"{endpoint.name} left for Kraken.",
                )
            )
            exchange = self._tasks.start(f"kraken {endpoint.name}", self._exchanged(endpoint, request, timeout_s))
            try:
                async with self._clock.timeout_at(sent + patience_s):
                    answer = await exchange
            except TimeoutError:
                ticket.overtaken = True  # whoever comes next has a higher nonce
                return Overdue(partial(self._late, exchange, ticket))
            ticket.fate = _fate(answer)
            self._heed(answer, ticket)
            self._accept(answer, sent)
        self._telemetry.order_seconds.record(self._clock.monotonic() - sent, {"stage": "wire"})
        note(self._answered(answer, sent))
        return answer

    async def _late(
        self, exchange: Awaitable[Raw | Verdict | NothingSent], ticket: Ticket
    ) -> Raw | Verdict | NothingSent:
        self._overdue += 1
        try:
            answer = await exchange
        finally:
            self._overdue -= 1
        ticket.fate = _fate(answer)
        self._lane.settle(ticket)
        self._heed(answer, ticket)
        return answer

    async def _exchanged(self, endpoint: Endpoint, request: "_Signed", timeout_s: float) -> Raw | Verdict | NothingSent:
        try:
            return await self._wire.exchange(
                endpoint, "POST", endpoint.path, request.headers, request.body, timeout_s, nonce=request.nonce
            )
        except NotSentError as failure:
            return NothingSent(faults.of_transport(failure, endpoint.effect).fault)

    def _answered(self, answer: Raw | Verdict | NothingSent, sent: float) -> Step:
        now_ns, took_ns = self._clock.wall_ns(), int((self._clock.monotonic() - sent) * 1e9)
        match answer:
            case NothingSent(fault):
                return Step(now_ns, StepKind.ANSWERED, "No connection came about.", took_ns=took_ns, fault=fault)
            case Verdict(fault=fault):
                return Step(now_ns, StepKind.ANSWERED, f"{fault.message}.", took_ns=took_ns, fault=fault)
            case _:
                return Step(now_ns, StepKind.ANSWERED, "Kraken answered.", took_ns=took_ns)

    async def _attempt(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        by: float,
        caller: str,
        since: float | None,
        leaving: Callable[[], None],
    ) -> Raw | Verdict:
        ticket = await self._turn(endpoint, by, caller, None, since)
        with self._lane.holding(ticket):
            ticket.fate = Fate.UNSENT
            request = await self._signed(endpoint, params)
            timeout_s = self._patience_s[endpoint.rank]
            if endpoint.effect is Effect.READ:
                timeout_s = max(0.05, min(timeout_s, by - self._clock.monotonic()))
            ticket.fate = Fate.LOST
            sent = self._clock.monotonic()
            try:
                answer = await self._wire.exchange(
                    endpoint, "POST", endpoint.path, request.headers, request.body, timeout_s, nonce=request.nonce
                )
            except NotSentError:
                ticket.fate = Fate.UNSENT
                raise
            except BaseException:
                leaving()
                raise
            leaving()
            ticket.fate = _fate(answer)
            self._heed(answer, ticket)
            self._accept(answer, sent)
        return answer

    async def _turn(
        self,
        endpoint: Endpoint,
        by: float,
        caller: str,
        note: Callable[[Step], None] | None,
        since: float | None = None,
    ) -> Ticket:
        lane = endpoint.rank.name.lower()
        with self._telemetry.span(
            Spans.LANE, {"execsvc.lane": lane, "execsvc.lane.queue_depth": self._lane.depth()}
        ) as span:
            began = self._clock.monotonic()
            cost = self._rates.rest_cost(endpoint.name)
            ticket = await self._lane.enter(endpoint.rank, endpoint.effect, by, caller=caller, cost=cost, since=since)
            waited_s = self._clock.monotonic() - began
            tell(span, {"execsvc.lane.wait_s": waited_s})
        self._telemetry.rate_wait_seconds.record(waited_s, {"class": lane})
        if note is not None:
            self._telemetry.order_seconds.record(waited_s, {"stage": "wait"})
            if waited_s >= WAIT_WORTH_TELLING_S:
                text = f"It waited for its turn in the lane of key {self._lane.key_label}."
                note(Step(self._clock.wall_ns(), StepKind.WAITED, text, took_ns=int(waited_s * 1e9), waited_for=lane))
        return ticket

    async def _signed(self, endpoint: Endpoint, params: Mapping[str, str]) -> "_Signed":
        """Under the lane: the order of nonces is the order of sending."""
        nonce = await self._nonces.next()
        body = json_body(params, nonce) if endpoint.json else form(params, nonce)
        headers = self._signer.sign(endpoint.path, nonce, body)
        return _Signed(nonce, body, headers | {"Content-Type": JSON} if endpoint.json else headers)

    def _heed(self, answer: Raw | Verdict | NothingSent, ticket: Ticket) -> None:
        """What one answer says about the key as a whole. A call that was overtaken has a dead nonce: that is no alarm."""
        if not isinstance(answer, Verdict):
            return
        if answer.alarm is Alarm.KEY_REFUSED:
            self._lane.stop(Fault(Reason.VENUE_CREDENTIALS_REJECTED, answer.fault.message, answer.fault.metadata))
        elif answer.alarm is Alarm.LOCKED_OUT:
            self._lane.block(faults.LOCKOUT_S, Fault(Reason.VENUE_LOCKED_OUT, answer.fault.message))
        elif answer.alarm in {Alarm.RATE, Alarm.THROTTLED}:
            self._rest_from(answer, ticket)
        elif answer.alarm is Alarm.NONCE and not ticket.overtaken:
            self._telemetry.nonce_rejections.add(1)
            self._nonces.refused()

    def _accept(self, answer: Raw | Verdict | NothingSent, sent: float) -> None:
        """Only a result proves that the nonce was taken; calls leave in the order of their nonces."""
        if isinstance(answer, Raw) and (self._accepted is None or sent > self._accepted[0]):
            self._accepted = (sent, self._clock.monotonic())

    def _rest_from(self, answer: Verdict, ticket: Ticket) -> None:
        """Kraken wants fewer calls and is obeyed to the second, by all but cancels: those are repeated by themselves."""
        if answer.alarm is Alarm.RATE:
            self._rates.rest_full()
        lanes = {READ, TRADE} if answer.alarm is Alarm.THROTTLED else {READ, LANE_OF[ticket.rank]} & {READ, TRADE}
        self._lane.block(
            answer.wait_s or faults.RATE_WAIT_S, Fault(Reason.VENUE_RATE_LIMITED, answer.fault.message), lanes
        )


def _fate(answer: Raw | Verdict | NothingSent) -> Fate:
    if isinstance(answer, NothingSent):
        return Fate.UNSENT
    return Fate.LOST if isinstance(answer, Verdict) and not answer.answered else Fate.ANSWERED


def key_used_elsewhere(fault: Fault) -> Fault:
    """Why a key is rested whose fresh nonces are refused: probing upwards would earn a lockout."""
    return Fault(
        Reason.VENUE_CREDENTIALS_REJECTED,
        "Kraken keeps refusing this key's nonces: another program uses it, or used a finer scale; make a new key",
        fault.metadata,
    )
