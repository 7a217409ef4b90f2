"""Looking for orders by our own ids: open orders first, then closed ones, never the other way round.

An order that moves from open to closed between the calls would escape the reverse. A row counts only if it echoes the id;
rows with other ids mean that the filter was ignored, and then everything is looked through (promises.md section 4).
A look that cannot be finished raises: it proves nothing.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from execsvc.domain.errors import Busy, Declined, ExecsvcError, Fault, ProtocolBroken, Reason, error_of
from execsvc.domain.order import VenueOrder
from execsvc.kraken import decode, wire
from execsvc.kraken.endpoints import SWEEP_CLOSED, SWEEP_OPEN
from execsvc.kraken.lanequeue import BARRIER_LEAVES, RESERVE
from execsvc.kraken.names import Names
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.rest import SignedRest
from execsvc.kraken.venuetime import VenueTime
from execsvc.ports import Clock, Sighting

PAGES_MAX = 20
PAGE_ROWS = 50
REMEMBERED_MAX = 4096
_MARGIN_NS = 60 * 1_000_000_000  # no order opened before it was written down, clocks 7 s off and roundings allowed for


class Sweeper:
    """Sweeps with one key, the one that sent."""

    def __init__(self, rest: SignedRest, rates: KrakenRates, names: Names, clock: Clock, venue_time: VenueTime) -> None:
        self._rest = rest
        self._rates = rates
        self._names = names
        self._clock = clock
        self._venue_time = venue_time
        self._sent: OrderedDict[str, int] = OrderedDict()
        self._pages = 1  # of closed orders that the last unfiltered look went through

    def remember(self, wire_id: str) -> None:
        """Notes when an order was sent, so that an unfiltered sweep knows how far back to look."""
        self._sent[wire_id] = self._now_ns()
        while len(self._sent) > REMEMBERED_MAX:
            self._sent.popitem(last=False)

    async def sweep(
        self, wire_ids: frozenset[str], by: float, *, counts: bool, since_ns: int | None = None
    ) -> Sighting:
        """One full look. An id asked for alone counts alone. Raises Busy, Declined or ProtocolBroken when none does.

        Points for a whole look must be there before it begins: half a look proves nothing, and costs as much. Where a look
        does not count and only one point is left, the open orders are looked at alone: what is there is found, no id counts
        as looked for, and the answer is a barrier.
        """
        began_ns = self._began_ns(wire_ids, since_ns)
        filtered = began_ns is None or self._filtered_is_cheaper(len(wire_ids))
        wait_s = self._rates.look_wait_s(self._cost(1 if filtered else self._pages), leave=_left(counts=counts))
        began, asked_ns = self._clock.monotonic(), self._clock.wall_ns()
        look = _Look(self._rest, self._names, self._clock, by, began)
        wanted = sorted(wire_ids)
        if wait_s and not counts and not self._rates.look_wait_s(self._cost(0), leave=BARRIER_LEAVES):
            await look.open_ones(wanted)
            looked_for: frozenset[str] = frozenset()
        elif wait_s:
            raise _no_room(wait_s)
        elif began_ns is not None and not filtered:
            await look.through_all(wire_ids, began_ns - _MARGIN_NS)
            looked_for = wire_ids
            self._pages = max(1, look.pages)
        else:
            looked_for = await look.one_by_one(wanted)
        found = {
            wire_id: replace(report, asked_ns=asked_ns) for wire_id, report in look.found.items() if wire_id in wire_ids
        }
        ended = self._clock.monotonic()
        return Sighting(began, ended, ended if look.barrier is None else look.barrier, found, looked_for)

    def _now_ns(self) -> int:
        """In Kraken's time, which is never set as ours may be."""
        return self._venue_time.venue_ns(self._clock.wall_ns())

    def _began_ns(self, wire_ids: frozenset[str], since_ns: int | None) -> int | None:
        """Before when none of them can have opened, in Kraken's time; None where that is not known."""
        if all(each in self._sent for each in wire_ids):
            return min((self._sent[each] for each in wire_ids), default=self._now_ns())
        return since_ns

    def _filtered_is_cheaper(self, count: int) -> bool:
        """Each id by itself, or all orders once."""
        return bool(count) and self._cost(1) * count <= self._cost(self._pages)

    def _cost(self, pages: int) -> Decimal:
        return self._rates.rest_cost(SWEEP_OPEN.name) + pages * self._rates.rest_cost(SWEEP_CLOSED.name)


def _left(*, counts: bool) -> Decimal:
    """Points that a look leaves to those that count."""
    return Decimal(0) if counts else RESERVE


def _no_room(wait_s: float) -> ExecsvcError:
    return error_of(
        Fault(
            Reason.LOCAL_RATE_LIMITED,
            f"the key's call counter has room for a look in {wait_s:.1f} s",
            retry_after_s=wait_s,
        )
    )


class _Look:
    """One sweep under way."""

    def __init__(self, rest: SignedRest, names: Names, clock: Clock, by: float, began: float) -> None:
        self._rest = rest
        self._names = names
        self._clock = clock
        self._by = by
        self._began = began
        self.found: dict[str, VenueOrder] = {}
        self.barrier: float | None = None
        self.pages = 0

    async def one_by_one(self, wire_ids: list[str]) -> frozenset[str]:
        """Each id by itself; those whose look was finished before one failed. Raises when none was."""
        done: list[str] = []
        for wire_id in wire_ids:
            try:
                await self._one(wire_id)
            except (Busy, Declined, ProtocolBroken):
                if not done:
                    raise
                break
            done.append(wire_id)
        return frozenset(done)

    async def _one(self, wire_id: str) -> None:
        """Filtered by the id, first open, then closed."""
        if wire_id in self.found:
            return
        await self._open({"cl_ord_id": wire_id})
        if wire_id in self.found:
            return
        rows, _ = await self._closed({"cl_ord_id": wire_id})
        if rows and wire_id not in self.found:
            await self._closed_pages(frozenset({wire_id}), {})

    async def open_ones(self, wire_ids: list[str]) -> None:
        """The open orders alone, in one call."""
        await self._open({"cl_ord_id": wire_ids[0]} if len(wire_ids) == 1 else {})

    async def through_all(self, wire_ids: frozenset[str], since_ns: int) -> None:
        """All open orders, then all closed ones that opened after `since_ns` (Kraken's clock)."""
        await self._open({})
        await self._closed_pages(wire_ids, {"start": str(since_ns // 1_000_000_000), "closetime": "open"})

    async def _closed_pages(self, wire_ids: frozenset[str], params: Mapping[str, str]) -> None:
        seen = 0
        for _ in range(PAGES_MAX):
            if wire_ids <= self.found.keys():
                return
            rows, count = await self._closed({**params, "ofs": str(seen)})
            seen += rows
            if not rows or (count is None and rows < PAGE_ROWS) or (count is not None and seen >= count):
                return
        raise wire.broken(f"closed orders go on past {seen} rows and no filter holds")

    async def _open(self, params: Mapping[str, str]) -> None:
        result = await self._rest.call(SWEEP_OPEN, params, self._by, since=self._began)
        self._take(decode.open_orders(result, self._names))

    async def _closed(self, params: Mapping[str, str]) -> tuple[int, int | None]:
        result = await self._rest.call(SWEEP_CLOSED, params, self._by, since=self._began)
        self.pages += 1
        rows, count = decode.closed_orders(result, self._names)
        self._take(rows)
        return len(rows), count

    def _take(self, rows: Mapping[str, VenueOrder]) -> None:
        if self.barrier is None:
            self.barrier = self._clock.monotonic()
        for report in rows.values():
            if report.venue_client_id:
                self.found.setdefault(report.venue_client_id, report)
