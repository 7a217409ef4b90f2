"""ports.Rates over Kraken's counters of one account and its key: what is left, what must wait, and what was learnt.

Room for a placement is set aside before anything is journaled, so that no order is begun that may not be sent (room.py). The
private stream feeds what Kraken counts and which orders are open; the lane counts the key's own calls.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from execsvc.domain.errors import error_of
from execsvc.domain.order import LIVE, UNRESOLVED, Order, Status
from execsvc.kraken.amendroom import AmendRoom, ask_amend
from execsvc.kraken.breaker import READ, TRADE, Breaker
from execsvc.kraken.costs import STARTER, TIERS, Act, Tier, engine_cost, rest_cost
from execsvc.kraken.counters import LATE_COUNT_S, Counter
from execsvc.kraken.endpoints import Rank
from execsvc.kraken.lanequeue import RESERVE
from execsvc.kraken.pairs import PairCounter
from execsvc.kraken.room import PLACE, EngineRoom, PairDoor, Wish
from execsvc.kraken.turns import Turns
from execsvc.ports import CallClass, CapacityAnswer, CapacityQuestion, Clock, CounterKind, CounterState, KnownAmend
from execsvc.telemetry import Telemetry

ENTRY_MOST_S = 60.0  # no entry deadline lies further ahead, whatever a clock that was set says

_HISTORY = "TradesHistory"


@dataclass(frozen=True)
class Counting:
    """What the operator says of the account: its tier, shares of callers, REST costs known better than the table."""

    tier: str = STARTER
    weights: Mapping[str, int] = field(default_factory=dict)
    rest_costs: Mapping[str, int] = field(default_factory=dict)


class KrakenRates:
    """The counters of one account and one key."""

    def __init__(
        self,
        *,
        key_label: str,
        counting: Counting,
        breaker: Breaker,
        rest: Counter,
        clock: Clock,
        telemetry: Telemetry,
    ) -> None:
        self._key_label = key_label
        self._tier = TIERS[counting.tier]
        self._breaker = breaker
        self.rest = rest
        self._clock = clock
        self._telemetry = telemetry
        self._weights = counting.weights
        self._rest_costs = counting.rest_costs
        self._doors: dict[str, PairDoor] = {}
        self._set_tier = self._tier
        self._link: object | None = None
        self.problems: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"<KrakenRates {self.tier} {self.rest!r} {len(self._doors)} pairs>"

    @property
    def tier(self) -> str:
        """The tier counted with: the one that was set, or a lower one if Kraken's figures say so."""
        return self._tier.name

    def place_cost(self) -> Decimal:
        """See ports.Rates."""
        return PLACE

    def pair(self, symbol: str) -> PairCounter:
        """The pair's counter; there are no more of them than pairs that were used."""
        return self._door(symbol).pair

    def _door(self, symbol: str) -> PairDoor:
        known = self._doors.get(symbol)
        if known is None:
            turns: Turns[Wish] = Turns(self._weights)
            pair = PairCounter(symbol, self._tier)
            known = self._doors[symbol] = PairDoor(pair, turns, self._clock, self._telemetry)
        return known

    def _look_at(self, symbol: str) -> PairCounter:
        """The pair's counter to read from; one that was never used stays unused."""
        known = self._doors.get(symbol)
        return PairCounter(symbol, self._tier) if known is None else known.pair

    def _known_pairs(self) -> list[PairCounter]:
        return [self._doors[symbol].pair for symbol in sorted(self._doors)]

    def rest_cost(self, name: str) -> Decimal:
        """Points of one REST call of this endpoint."""
        return Decimal(rest_cost(name, self._rest_costs))

    def call_wait_s(self, name: str) -> float | None:
        """Until the key's counter lets one call of this endpoint go, reserves left aside; None: never."""
        return self.rest.wait_s(self.rest_cost(name), self._clock.monotonic())

    # ---- room for placements ------------------------------------------------------------------------------------

    async def room(self, symbol: str, caller: str, by: float) -> EngineRoom:
        """See ports.Rates."""
        self._demand_trading(by)
        return await self._door(symbol).ask(caller, by)

    async def rooms(self, symbol: str, caller: str, by: float, count: int) -> tuple[EngineRoom, ...]:
        """See ports.Rates."""
        self._demand_trading(by)
        return await self._door(symbol).ask_batch(caller, by, count)

    async def amend_room(self, symbol: str, order_id: str, caller: str, by: float) -> AmendRoom:
        """See ports.AmendVenue.room."""
        self._demand_trading(by)
        return await ask_amend(self._door(symbol), self._clock, order_id, caller, by)

    def _demand_trading(self, by: float) -> None:
        now = self._clock.monotonic()
        fault = self._breaker.refusal(Rank.TRADE, now)
        if fault is not None and (fault.retry_after_s is None or now + fault.retry_after_s > by):
            raise error_of(replace(fault, message=f"{fault.message}: nothing was sent"))

    # ---- what is told -------------------------------------------------------------------------------------------

    def counters(self, symbols: tuple[str, ...]) -> tuple[CounterState, ...]:
        """See ports.Rates."""
        now = self._clock.monotonic()
        wanted = [self._look_at(symbol) for symbol in symbols] or self._known_pairs()
        return (self._rest_state(now), *(self._pair_state(pair, now) for pair in wanted))

    def _rest_state(self, now: float) -> CounterState:
        return CounterState(
            kind=CounterKind.REST_KEY,
            name=self._key_label,
            level=self.rest.level(now),
            maximum=self.rest.maximum,
            decay_per_s=self.rest.decay,
            headroom=self.rest.headroom(now, RESERVE),
            reserve=RESERVE,
            blocked_until_ns=self._breaker.state(READ, now)[1],
        )

    def _pair_state(self, pair: PairCounter, now: float) -> CounterState:
        return CounterState(
            kind=CounterKind.ENGINE_PAIR,
            name=pair.symbol,
            level=pair.counter.level(now),
            maximum=pair.counter.maximum,
            decay_per_s=pair.counter.decay,
            headroom=pair.counter.headroom(now),
            venue_level=pair.counter.told,
            open_orders=pair.open_orders(now),
            max_open_orders=pair.open_orders_max,
            blocked_until_ns=self._breaker.state(TRADE, now)[1],
        )

    def capacity(self, question: CapacityQuestion) -> CapacityAnswer:
        """See ports.Rates."""
        now = self._clock.monotonic()
        match question.call_class:
            case CallClass.CANCEL:
                return CapacityAnswer(question.count, 0.0, None)
            case CallClass.PLACE | CallClass.AMEND:
                pair = self._look_at(question.symbol)
                act = Act.ADD if question.call_class is CallClass.PLACE else Act.AMEND
                cost = engine_cost(act, question.order_age_s or 0.0)
                free = pair.open_orders_max - pair.open_orders(now) if act is Act.ADD else None
                return self._capacity(pair.counter, cost, question.count, now, lane=TRADE, free=free)
            case _:
                name = _HISTORY if question.call_class is CallClass.HISTORY else ""
                return self._capacity(self.rest, self.rest_cost(name), question.count, now, lane=READ, reserve=RESERVE)

    def _capacity(
        self,
        counter: Counter,
        cost: Decimal,
        count: int,
        now: float,
        *,
        lane: str,
        reserve: Decimal = Decimal(0),
        free: int | None = None,
    ) -> CapacityAnswer:
        blocked_s = self._breaker.left_s(lane, now)
        spacing_s = float(cost / counter.decay)  # seconds
        allowed = 0 if blocked_s != 0 else int(counter.headroom(now, reserve) // cost)
        if free is not None:
            allowed = min(allowed, max(0, free))
        never = (
            blocked_s is None
            or (free is not None and count > max(free, 0))
            or cost * count > counter.maximum - counter.margin - reserve
        )
        wait_s = None if never else counter.wait_s(cost, now, reserve=reserve, ahead=cost * (count - 1))
        if wait_s is None or blocked_s is None:
            return CapacityAnswer(allowed, None, None if blocked_s is None else spacing_s)
        return CapacityAnswer(allowed, max(wait_s, blocked_s), spacing_s)

    # ---- what is learnt -----------------------------------------------------------------------------------------

    def cancelling(self, symbol: str, order_id: str) -> None:
        """A cancel leaves; of an order whose pair is not known every pair is charged: one of them is."""
        now = self._clock.monotonic()
        for pair in self._pairs_of(symbol):
            pair.cancel(order_id, now)

    def cancelled(self, symbol: str, order_id: str, *, late_s: float = 0.0) -> None:
        """The cancel was answered, or will not count any more after `late_s`."""
        now = self._clock.monotonic()
        for pair in self._pairs_of(symbol):
            pair.cancel_answered(order_id, now, by=now + late_s, capped=self._is_told(pair))

    def cancel_unsent(self, symbol: str, order_id: str) -> None:
        """The cancel never left."""
        now = self._clock.monotonic()
        for pair in self._pairs_of(symbol):
            pair.cancel_unsent(order_id, now)

    def _is_told(self, pair: PairCounter) -> bool:
        """Whether Kraken tells its own count of the pair.

        Whether cancels count beyond the maximum is uncertain (kraken.md 3.2). Where Kraken tells, its word on that very
        cancel comes long before there is room again: so ours may stop at the maximum.
        """
        return self._link is not None and pair.told_by is self._link

    def seen(self, symbol: str, order_id: str, *, is_open: bool) -> None:
        """Kraken showed an order of the account, ours or not."""
        if not symbol or not order_id:
            return
        now = self._clock.monotonic()
        if is_open:
            self.pair(symbol).seen_open(order_id, now)
        else:
            pair = self.pair(symbol)
            pair.seen_ended(order_id, now, capped=self._is_told(pair))

    def amended(self, symbol: str, order_id: str) -> None:
        """Kraken showed an amend of an order of the account, ours or not: its age begins anew."""
        if symbol and order_id:
            self.pair(symbol).amended(order_id, self._clock.monotonic())

    def all_open(self, orders: Iterable[tuple[str, str]], since: float) -> None:
        """The stream's picture, taken after `since`: every open order of the account, as (symbol, order id)."""
        now = self._clock.monotonic()
        by_symbol: dict[str, set[str]] = {symbol: set() for symbol in self._doors}
        for symbol, order_id in orders:
            by_symbol.setdefault(symbol, set()).add(order_id)
        for symbol, order_ids in by_symbol.items():
            self.pair(symbol).only_open(frozenset(order_ids), since, now)

    def link(self, which: object | None) -> None:
        """The stream's connection that tells from now on; None: none does."""
        self._link = which

    def told(self, symbol: str, level: Decimal) -> None:
        """Kraken told its own count of the pair (`ratecounter`)."""
        pair = self.pair(symbol)
        pair.told_by = self._link
        drift = pair.counter.correct(level, self._clock.monotonic())
        ours = "above" if drift >= 0 else "below"
        self._telemetry.rate_drift.record(float(abs(drift)), {"ours": ours})  # seconds: no; points, and no money
        if drift < 0:
            self._telemetry.own_bugs.add(1, {"reason": "RATE_DRIFT"})

    def told_maximum(self, maximum: int) -> None:
        """Kraken told the pair maximum of the account's tier (`maxratecount`): a lower tier than set counts at once."""
        known = next((tier for tier in TIERS.values() if tier.engine_max == maximum), None)
        if known is not None and maximum <= self._set_tier.engine_max and known is not self._tier:
            self._resize(known)
        if maximum == self._set_tier.engine_max:
            self.problems = ()
        elif known is not None and maximum < self._set_tier.engine_max:
            self.problems = (f"Kraken counts this account as {known.name}: set EXECSVC_TIER={known.name}",)
        else:
            named = str(maximum) if known is None else f"{maximum}, as of {known.name}"
            self.problems = (
                f"Kraken's trading counter of this account goes to {named}; counted is {self.tier} (EXECSVC_TIER)",
            )

    def _resize(self, tier: Tier) -> None:
        now = self._clock.monotonic()
        self._tier = tier
        self.rest.resize(tier.rest_max, tier.rest_decay, now)
        for pair in self._known_pairs():
            pair.resize(tier, now)

    def look_wait_s(self, cost: Decimal, *, leave: Decimal) -> float:
        """Until a look for orders in doubt may begin that leaves so many points of the key's counter.

        A look too dear for the counter ever to hold it at once begins when the counter is as empty as can be.
        """
        now = self._clock.monotonic()
        wait_s = self.rest.wait_s(cost, now, reserve=leave)
        if wait_s is None:
            wait_s = self.rest.wait_s(self.rest.maximum - self.rest.margin - leave, now, reserve=leave)
        return wait_s or 0.0

    def rest_full(self) -> None:
        """Kraken says the key's counter is full."""
        self.rest.fill(self._clock.monotonic())

    def resume(self, past: Sequence[Order] | None, *, looks_ran: bool, wall_ns: int) -> None:
        """At the start of a life: what earlier ones may have used. None: the exchange is as new as this process.

        The engine's counters are rebuilt from what the journal holds of the last PAST_S; reads cannot have used the key's
        reserve, looks for orders in doubt may have.
        """
        now = self._clock.monotonic()
        if past is None:
            self.rest.start_at(Decimal(0), now)
            return
        usable = self.rest.maximum - self.rest.margin
        self.rest.start_at(self.rest.maximum if looks_ran else usable - RESERVE, now)
        acts = sorted(act for order in past for act in _acts(order, now, wall_ns))
        for at, symbol, cost in acts:
            counter, then = self.pair(symbol).counter, min(at, now)
            counter.land(counter.hold(cost, then), at, then)
        for order in past:
            if order.status in LIVE and order.venue_order_id:
                entered_by = min(now, _entered_by(order, now, wall_ns))
                self.pair(order.spec.symbol).seen_open(order.venue_order_id, entered_by)

    def resume_amends(self, past: Sequence[KnownAmend], wall_ns: int) -> None:
        """At the start of a life: what amends of earlier ones may have cost, each as of the youngest order there is."""
        now, cost = self._clock.monotonic(), engine_cost(Act.AMEND, 0.0)
        for known in past:
            amend, order_id = known.amend, known.order.venue_order_id
            entered_by = now + min((amend.entry_deadline_ns - wall_ns) / 1e9, ENTRY_MOST_S)
            at = min(now, entered_by) if amend.is_settled else max(now, entered_by) + LATE_COUNT_S
            pair, then = self.pair(amend.symbol), min(at, now)
            pair.counter.land(pair.counter.hold(cost, then), at, then)
            if known.order.status in LIVE and order_id:
                pair.amended(order_id, at)

    def _pairs_of(self, symbol: str) -> tuple[PairCounter, ...]:
        return (self.pair(symbol),) if symbol else tuple(self._known_pairs())


def _entered_by(order: Order, now: float, wall_ns: int) -> float:
    """When an order of an earlier life had entered at the latest, if it did, in this life's seconds."""
    return now + (order.entry_deadline_ns - wall_ns) / 1e9


def _acts(order: Order, now: float, wall_ns: int) -> list[tuple[float, str, Decimal]]:
    """What an order of an earlier life has cost or may yet cost: when at the latest, where, how much at the most."""
    symbol, entered_by = order.spec.symbol, _entered_by(order, now, wall_ns)
    in_doubt = order.status in UNRESOLVED
    acts = [
        (
            max(now, min(entered_by, now + ENTRY_MOST_S)) + LATE_COUNT_S if in_doubt else min(now, entered_by),
            symbol,
            PLACE,
        )
    ]
    if order.cancel_requested or order.status is Status.CANCELLED:
        ended = min(now, now - (wall_ns - order.update_time_ns) / 1e9)
        acts.append((now if order.status in LIVE or in_doubt else ended, symbol, engine_cost(Act.CANCEL, 0.0)))
    return acts
