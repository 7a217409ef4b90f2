"""Unsigned reads: a few at a time, as Kraken counts them per address, trades and candles also per pair (kraken.md 3.1).

No figure is published; the rule of thumb is one a second. So each count is a small counter of its own that sinks by one a
second. Equal reads at one time share an answer.
"""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal

from msgspec import Raw

from execsvc.domain.errors import Fault, Reason, error_of
from execsvc.kraken import faults
from execsvc.kraken.counters import Counter
from execsvc.kraken.encode import form
from execsvc.kraken.endpoints import OHLC, TRADES, Effect, Endpoint
from execsvc.kraken.envelope import Envelopes
from execsvc.kraken.faults import Alarm, Verdict
from execsvc.kraken.merged import Merged
from execsvc.kraken.retry import persist, timed_out
from execsvc.kraken.slots import Slots
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, Entropy, Http, NotSentError, Tasks
from execsvc.telemetry import Telemetry

READ_PATIENCE_S = 10.0
BURST = 15  # calls of one count that may go at once; margin taken off, twelve
PER_S = Decimal(1)
COUNTS_MAX = 2000  # an address, and pairs lately asked for
_BY_PAIR = frozenset({TRADES.name, OHLC.name})
_ONE = Decimal(1)


class PublicCounts:
    """Kraken's counts of one address."""

    def __init__(self, *, burst: int = BURST, per_s: Decimal = PER_S) -> None:
        self._burst = burst
        self._per_s = per_s
        self._counters: OrderedDict[str, Counter] = OrderedDict()

    def __repr__(self) -> str:
        return f"<PublicCounts {len(self._counters)} counters>"

    def of(self, endpoint: Endpoint, params: Mapping[str, str]) -> Counter:
        """The counter that such a call counts in."""
        name = f"{endpoint.name} {params.get('pair', '')}" if endpoint.name in _BY_PAIR else ""
        counter = self._counters.get(name)
        if counter is None:
            counter = self._counters[name] = Counter(self._burst, self._per_s)
            if len(self._counters) > COUNTS_MAX:
                self._counters.popitem(last=False)
        self._counters.move_to_end(name)
        return counter


class PublicRest:
    """Unsigned reads."""

    def __init__(
        self,
        *,
        base_url: str,
        http: Http,
        clock: Clock,
        entropy: Entropy,
        tasks: Tasks,
        telemetry: Telemetry,
        venue_time: VenueTime,
        patience_s: float = READ_PATIENCE_S,
        counts: PublicCounts | None = None,
    ) -> None:
        self._wire = Envelopes(base_url, http, clock, telemetry, venue_time)
        self._clock = clock
        self._chance = entropy.branch("public rest")
        self._patience_s = patience_s
        self._slots = Slots(clock)
        self._counts = PublicCounts() if counts is None else counts
        self._merged = Merged(clock, tasks)

    async def read(self, endpoint: Endpoint, params: Mapping[str, str], by: float) -> Raw:
        """The `result`, asked for until `by`. Raises Busy, Declined or ProtocolBroken."""
        query = form(params).decode()
        path = f"{endpoint.path}?{query}" if query else endpoint.path
        return await self._merged.read(path, by, lambda until: self._read(endpoint, params, path, until))

    async def _read(self, endpoint: Endpoint, params: Mapping[str, str], path: str, by: float) -> Raw:
        counter = self._counts.of(endpoint, params)

        async def attempt() -> Raw | Verdict:
            await self._turn(counter, endpoint, by)
            async with self._slots.one(by):
                timeout_s = min(self._patience_s, by - self._clock.monotonic())
                if timeout_s <= 0:
                    raise error_of(timed_out(Effect.READ))
                try:
                    answer = await self._wire.exchange(endpoint, "GET", path, {}, None, timeout_s)
                except NotSentError as failure:
                    return faults.of_transport(failure, endpoint.effect)
            if isinstance(answer, Verdict) and answer.alarm in {Alarm.RATE, Alarm.THROTTLED}:
                counter.fill(self._clock.monotonic())
            return answer

        return await persist(attempt, Effect.READ, by, self._clock, self._chance)

    async def _turn(self, counter: Counter, endpoint: Endpoint, by: float) -> None:
        """Until Kraken's count lets it go. Raises LOCAL_RATE_LIMITED with the exact wait when that is not in time."""
        while True:
            now = self._clock.monotonic()
            wait_s = counter.wait_s(_ONE, now)
            if not wait_s:
                counter.land(counter.hold(_ONE, now), now, now)
                return
            if now + wait_s > by:
                raise error_of(
                    Fault(
                        Reason.LOCAL_RATE_LIMITED,
                        f"Kraken's count of {endpoint.name} calls from this address is nearly full: nothing was sent, "
                        f"one may go in {wait_s:.3f} s",
                        {"subject": f"kraken:public:{endpoint.name}"},
                        retry_after_s=wait_s,
                    )
                )
            await self._clock.sleep(wait_s)
