"""ports.PrivateVenue over Kraken for one account and its key: place, cancel, look, read, follow.

A placement is one POST and never repeated; what becomes of it is a value (promises.md section 3, "Outcome of a send"). The
deadline it carries is in Kraken's own clock, on the early side of what is known of that clock.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from msgspec import Raw

from execsvc.domain.account import Balance, Fill, FillQuery
from execsvc.domain.errors import Busy, Declined, Fault, ProtocolBroken, Reason, error_of
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import Order, VenueOrder
from execsvc.domain.story import Step
from execsvc.kraken import decode, encode, faults
from execsvc.kraken.accountreads import AccountReads
from execsvc.kraken.amending import Amending
from execsvc.kraken.asking import Asking
from execsvc.kraken.batching import BatchPlacing
from execsvc.kraken.costs import TIERS
from execsvc.kraken.counters import LATE_COUNT_S, Counter
from execsvc.kraken.endpoints import (
    API_KEY_INFO,
    BALANCE_EX,
    CANCEL_ORDER,
    QUERY_ORDERS,
    RECONCILE,
)
from execsvc.kraken.lane import Lane
from execsvc.kraken.massacts import MassActs
from execsvc.kraken.merged import Merged
from execsvc.kraken.nonce import Nonces
from execsvc.kraken.placing import DEADLINE_FLOOR_S
from execsvc.kraken.private_session import PrivateSession
from execsvc.kraken.public import KrakenPublic, read_clock
from execsvc.kraken.pulse import SILENT_AFTER_S, Pulse
from execsvc.kraken.rates import Counting, KrakenRates
from execsvc.kraken.rest import READ_PATIENCE_S, TRADE_PATIENCE_S, Patience, SignedRest, key_used_elsewhere
from execsvc.kraken.signing import Hidden, Signer
from execsvc.kraken.sockettoken import SocketToken
from execsvc.kraken.stream import Session, Stream
from execsvc.kraken.sweep import Sweeper
from execsvc.ports import (
    CancelFoundNothing,
    CancelOutcome,
    CancelTaken,
    CancelTarget,
    Clock,
    ClockReading,
    Entropy,
    Http,
    KeyCheck,
    LaneState,
    NonceBlocks,
    Placement,
    PrivateEvent,
    Room,
    Sighting,
    Tasks,
    WsDialer,
)
from execsvc.telemetry import Telemetry

CLOCK_TIMEOUT_S = 1.0
STARTING_OUT = Counting()  # the lowest tier: of an account of which nothing is said
NONCE_REST_S = 30.0  # the key is not used at all after fresh nonces were refused, or Kraken would lock it out
CLOCK_STEP_NS = 250_000_000  # our wall clock moved this much against the monotonic one: it was set
QUERY_IDS_MAX = 50


class KrakenPrivate:
    """One account at Kraken."""

    def __init__(  # noqa: PLR0913  plain values and ports, all by name: the composition root reads as a list
        self,
        *,
        account: str,
        key: str,
        secret: Hidden,
        key_label: str,
        rest_url: str,
        ws_auth_url: str,
        http: Http,
        dialer: WsDialer,
        clock: Clock,
        entropy: Entropy,
        nonces: NonceBlocks,
        tasks: Tasks,
        telemetry: Telemetry,
        public: KrakenPublic,
        counting: Counting = STARTING_OUT,
        trade_patience_s: float = TRADE_PATIENCE_S,
        read_patience_s: float = READ_PATIENCE_S,
        deadline_floor_s: float = DEADLINE_FLOOR_S,
        silent_after_s: float = SILENT_AFTER_S,
    ) -> None:
        signer = Signer(key, secret)
        names, venue_time = public.names, public.venue_time
        self._account = account
        self._key_label = key_label
        self._clock = clock
        self._names = names
        self._venue_time = venue_time
        self._silent_after_s = silent_after_s
        self._started_ns = clock.wall_ns() - int(clock.monotonic() * 1e9)
        tier = TIERS[counting.tier]
        calls = Counter(tier.rest_max, tier.rest_decay)
        self._lane = Lane(key_label, clock, calls, weights=counting.weights, patience_s=trade_patience_s)
        self._rates = KrakenRates(
            key_label=key_label,
            counting=counting,
            breaker=self._lane.breaker,
            rest=calls,
            clock=clock,
            telemetry=telemetry,
        )
        self._merged = Merged(clock, tasks)
        self._nonces = Nonces(
            fingerprint=signer.fingerprint, blocks=nonces, clock=clock, tasks=tasks, venue_time=venue_time
        )
        self._public = public.rest
        self._rest = SignedRest(
            base_url=rest_url,
            signer=signer,
            lane=self._lane,
            nonces=self._nonces,
            http=http,
            clock=clock,
            entropy=entropy,
            telemetry=telemetry,
            venue_time=venue_time,
            tasks=tasks,
            rates=self._rates,
            patience=Patience(trade_patience_s, read_patience_s),
        )
        self._token = SocketToken(self._rest, clock, self._know_clock)
        self.asking = Asking(self._rest)
        self.statements = AccountReads(
            rest=self._rest,
            rates=self._rates,
            names=names,
            clock=clock,
            merged=self._merged,
            know_clock=self._know_clock,
        )
        self._sweeper = Sweeper(self._rest, self._rates, names, clock, venue_time)
        self._mass = MassActs(self._rest, self._rates)
        self._placing = BatchPlacing(
            rest=self._rest,
            sweeper=self._sweeper,
            names=names,
            clock=clock,
            tasks=tasks,
            venue_time=venue_time,
            deadline_floor_s=deadline_floor_s,
        )
        self.amends = Amending(
            rest=self._rest,
            rates=self._rates,
            sweeper=self._sweeper,
            names=names,
            clock=clock,
            tasks=tasks,
            venue_time=venue_time,
            deadline_floor_s=deadline_floor_s,
            know_clock=self._know_clock,
        )
        self._stream: Stream[PrivateEvent] = Stream(
            name=f"kraken executions {account}",
            url=ws_auth_url,
            dialer=dialer,
            clock=clock,
            entropy=entropy,
            tasks=tasks,
            open_session=self._open_session,
        )

    def __repr__(self) -> str:
        return f"<KrakenPrivate {self._account} {self._lane!r}>"

    @property
    def key_label(self) -> str:
        """A name for the key that is not the key."""
        return self._key_label

    @property
    def rates(self) -> KrakenRates:
        """See ports.Rates."""
        return self._rates

    def resume(self, past: Sequence[Order] | None, *, looks_ran: bool) -> None:
        """See ports.PrivateVenue."""
        self._rates.resume(past, looks_ran=looks_ran, wall_ns=self._clock.wall_ns())

    def accepted_after(self, since: float) -> float | None:
        """See ports.PrivateVenue."""
        return self._rest.accepted_after(since)

    def lanes(self) -> tuple[LaneState, ...]:
        """The classes of the key's lane as they stand."""
        return self._lane.states()

    # ---- orders -------------------------------------------------------------------------------------------------

    async def place(
        self,
        order: Order,
        instrument: Instrument,
        by: float,
        *,
        room: Room,
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> Placement:
        """One POST, never repeated. `by` becomes Kraken's `deadline`; it bounds the wait for a turn, not for the answer."""
        try:
            await self._know_clock(by)
            return await self._placing.place(order, instrument, by, room=room, forbidden=forbidden, note=note)
        finally:
            room.release()  # does nothing once the order was sent

    async def place_many(
        self,
        orders: Sequence[Order],
        instrument: Instrument,
        by: float,
        *,
        rooms: Sequence[Room],
        forbidden: Callable[[], Fault | None],
        note: Callable[[Step], None],
    ) -> tuple[Placement, ...]:
        """One POST for all of them, never repeated."""
        try:
            await self._know_clock(by)
            return await self._placing.place_many(orders, instrument, by, rooms=rooms, forbidden=forbidden, note=note)
        finally:
            for room in rooms:
                room.release()

    async def cancel(
        self, venue_order_id: str, venue_client_id: str, by: float, *, symbol: str = "", caller: str = ""
    ) -> CancelOutcome:
        """Repeated inside until `by`. Raises Busy when Kraken gave no answer by then, Declined when the key may not."""
        await self._know_clock(by)
        params = encode.cancel_order(venue_order_id, venue_client_id)
        counted_as = venue_order_id or venue_client_id
        self._rates.cancelling(symbol, counted_as)
        late_s = LATE_COUNT_S
        left: list[int] = []
        try:
            result = await self._rest.call(CANCEL_ORDER, params, by, caller=caller, leaving=lambda: left.append(1))
            late_s, done = 0.0, decode.cancelled(result)
        except Declined as failure:
            late_s = 0.0
            if failure.reason is Reason.ORDER_NOT_FOUND:
                return CancelFoundNothing()
            raise
        finally:
            if left:
                self._rates.cancelled(symbol, counted_as, late_s=late_s)
            else:
                self._rates.cancel_unsent(symbol, counted_as)
        return CancelTaken(done.pending) if done.count or done.pending else CancelFoundNothing()

    async def cancel_many(self, targets: Sequence[CancelTarget], by: float, *, caller: str = "") -> int:
        """Repeated inside until `by`, as cancels are."""
        await self._know_clock(by)
        return await self._mass.cancel_many(targets, by, caller)

    async def cancel_all(self, by: float, *, caller: str = "") -> int:
        """CancelAll: everybody's, also those placed by hand."""
        await self._know_clock(by)
        return await self._mass.cancel_all(by, caller)

    async def cancel_all_after(self, timeout_s: int, by: float, *, caller: str = "") -> int | None:
        """CancelAllOrdersAfter."""
        await self._know_clock(by)
        return await self._mass.cancel_all_after(timeout_s, by, caller)

    async def sweep(
        self, wire_ids: frozenset[str], by: float, *, counts: bool = True, since_ns: int | None = None
    ) -> Sighting:
        """Open orders, then closed ones. Raises when any part of the look failed, or no points are left for it."""
        await self._know_clock(by)
        return await self._sweeper.sweep(wire_ids, by, counts=counts, since_ns=since_ns)

    async def query(
        self, venue_order_ids: tuple[str, ...], by: float, *, caller: str = "", resolving: bool = False
    ) -> tuple[VenueOrder, ...]:
        """Orders by txid, those that Kraken knows."""
        await self._know_clock(by)
        asked_ns = self._clock.wall_ns()
        found: list[VenueOrder] = []

        async def ask(ids: str) -> Raw:
            return await self._rest.call(RECONCILE if resolving else QUERY_ORDERS, {"txid": ids}, by, caller=caller)

        for first in range(0, len(venue_order_ids), QUERY_IDS_MAX):
            found += await self._queried(venue_order_ids[first : first + QUERY_IDS_MAX], ask)
        return tuple(replace(each, asked_ns=asked_ns) for each in found)

    # ---- the account --------------------------------------------------------------------------------------------

    async def balances(self, by: float, *, caller: str = "") -> tuple[Balance, ...]:
        """What is not zero, by asset; whoever asks while an answer is on its way shares it."""
        return await self._merged.read("balances", by, lambda until: self._balances(until, caller))

    async def _balances(self, by: float, caller: str) -> tuple[Balance, ...]:
        await self._know_clock(by)
        result = await self._rest.call(BALANCE_EX, {}, by, caller=caller)
        return decode.balances(result, self._names, self._clock.wall_ns())

    async def fills(
        self, account: str, query: FillQuery, by: float, *, caller: str = "", resolving: bool = False
    ) -> tuple[tuple[Fill, ...], int]:
        """See KrakenPrivate.statements: accountreads.py."""
        return await self.statements.fills(account, query, by, caller=caller, resolving=resolving)

    async def check_key(self, by: float) -> KeyCheck:
        """GetApiKeyInfo; a reported nonce above ours makes the next ones start above it.

        Raises Declined when the nonces are refused although they are fresh: the key saw a finer scale, or another user.
        """
        await self._know_clock(by)
        try:
            facts = decode.key_facts(await self._rest.call(API_KEY_INFO, {}, by))
        except Busy as failure:
            if faults.says_nonce(failure.fault):
                self._lane.block(NONCE_REST_S, key_used_elsewhere(failure.fault))
                raise error_of(key_used_elsewhere(failure.fault)) from None
            raise
        accepted = self._clock.monotonic()
        foreign = facts.nonce if facts.nonce is not None and self._nonces.foreign(facts.nonce) else None
        if facts.nonce is not None:
            self._nonces.rebase(facts.nonce)
        return KeyCheck(facts, accepted, foreign)

    def clock(self) -> ClockReading | None:
        """Kraken's clock against ours, as known now."""
        return self._venue_time.reading(self._clock.wall_ns()) if self._venue_time.known else None

    def on_nonce_trouble(self, heard: Callable[[], None]) -> None:
        """Calls `heard` when nonces are refused twice within a minute: the key wants looking at."""
        self._nonces.on_trouble = heard

    def events(self) -> AsyncIterator[PrivateEvent]:
        """The private stream, dialling again by itself, for ever. One reader."""
        return self._stream.events()

    # ---- parts --------------------------------------------------------------------------------------------------

    async def _queried(self, txids: tuple[str, ...], ask: Callable[[str], Awaitable[Raw]]) -> list[VenueOrder]:
        """One call; where an unknown id spoils it for all (kraken.md 2.3, uncertain), the ids are halved."""
        try:
            result = await ask(",".join(txids))
        except Declined as failure:
            if failure.reason is not Reason.ORDER_NOT_FOUND:
                raise
            if len(txids) == 1:
                return []
            half = len(txids) // 2
            return [*await self._queried(txids[:half], ask), *await self._queried(txids[half:], ask)]
        rows = decode.queried_orders(result, self._names)
        return [rows[txid] for txid in txids if txid in rows]

    async def _know_clock(self, by: float) -> None:
        """Kraken's clock is read before the first signed call, and anew when ours was stepped: deadlines lean on it."""
        now, wall_ns = self._clock.monotonic(), self._clock.wall_ns()
        started_ns = wall_ns - int(now * 1e9)
        if abs(started_ns - self._started_ns) > CLOCK_STEP_NS:
            self._venue_time.forget()
        self._started_ns = started_ns  # NTP's slow corrections add up and are no step
        if not self._venue_time.known:
            with suppress(Busy, Declined, ProtocolBroken):
                await read_clock(self._public, self._venue_time, self._clock, min(by, now + CLOCK_TIMEOUT_S))

    async def _open_session(self) -> Session[PrivateEvent]:
        self._rates.link(None)
        token = await self._token.take()
        pulse = Pulse(self._venue_time, silent_after_s=self._silent_after_s)
        return PrivateSession(
            token=token,
            account=self._account,
            names=self._names,
            pulse=pulse,
            counts=self._rates,
            used=self._token.used,
        )
