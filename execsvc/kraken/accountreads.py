"""ports.Statements over Kraken: margin, positions, fee rates, fills and the ledger of one account, through its key's lane.

Each call costs points of the key's counter (costs.py), so equal questions at one time share an answer. Nothing is kept: what
may be a little old is for the use cases to say (app/fees.py).
"""

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal

from execsvc.domain.account import FeeSchedule, Fill, FillQuery, LedgerEntry, LedgerQuery, Margin, Page, Position
from execsvc.domain.errors import Reason, refuse
from execsvc.domain.instrument import Asset, Instrument
from execsvc.kraken import decode, statements
from execsvc.kraken.encode import pair
from execsvc.kraken.endpoints import (
    LEDGERS,
    MISSED_TRADES,
    OPEN_POSITIONS,
    TRADE_BALANCE,
    TRADE_VOLUME,
    TRADES_HISTORY,
    Endpoint,
)
from execsvc.kraken.history import ROWS, Row, Span, listing
from execsvc.kraken.lanequeue import RESERVE
from execsvc.kraken.merged import Merged
from execsvc.kraken.names import Names
from execsvc.kraken.rates import KrakenRates
from execsvc.kraken.rest import SignedRest
from execsvc.ports import Clock

ONE_LOOK = Decimal(3)  # points that the history of trades leaves even when it resolves: open orders, then closed ones
# Kinds that Kraken itself filters by; entries may be of others too (kraken.md 2.3), and those are filtered here.
FILTERED_KINDS = frozenset({
    "trade", "deposit", "withdrawal", "transfer", "margin", "adjustment", "rollover", "credit", "settled", "staking",
    "dividend", "sale", "nft_rebate",
})  # fmt: skip


class AccountReads:
    """The statements of one account."""

    def __init__(
        self,
        *,
        rest: SignedRest,
        rates: KrakenRates,
        names: Names,
        clock: Clock,
        merged: Merged,
        know_clock: Callable[[float], Awaitable[None]],
    ) -> None:
        self._rest = rest
        self._rates = rates
        self._names = names
        self._clock = clock
        self._merged = merged
        self._know_clock = know_clock

    def __repr__(self) -> str:
        return "<AccountReads>"

    async def margin(self, asset: Asset, by: float, *, caller: str = "") -> Margin:
        """TradeBalance."""

        async def read(until: float) -> Margin:
            await self._know_clock(until)
            result = await self._rest.call(TRADE_BALANCE, {"asset": asset.venue_asset}, until, caller=caller)
            return statements.margin(result, asset.asset)

        return await self._merged.read(("margin", asset.venue_asset), by, read)

    async def positions(self, by: float, *, caller: str = "") -> tuple[Position, ...]:
        """OpenPositions, with their value now."""

        async def read(until: float) -> tuple[Position, ...]:
            await self._know_clock(until)
            result = await self._rest.call(OPEN_POSITIONS, {"docalcs": "true"}, until, caller=caller)
            return statements.positions(result, self._names)

        return await self._merged.read("positions", by, read)

    async def fees(self, instruments: tuple[Instrument, ...], by: float, *, caller: str = "") -> FeeSchedule:
        """TradeVolume of these pairs: one call."""
        named = ",".join(pair(each) for each in instruments)

        async def read(until: float) -> FeeSchedule:
            await self._know_clock(until)
            result = await self._rest.call(TRADE_VOLUME, {"pair": named}, until, caller=caller)
            return statements.fees(result, instruments, self._names)

        return await self._merged.read(("fees", named), by, read)

    async def fill_page(self, account: str, query: FillQuery, by: float, *, caller: str = "") -> Page[Fill]:
        """TradesHistory. A symbol filters among Kraken's rows (it has no such filter): such pages may be short."""

        async def read(until: float) -> Page[Fill]:
            await self._know_clock(until)
            return await listing(
                lambda params: self._fills(TRADES_HISTORY, account, params, until, caller),
                span=Span(query.start_ns, query.end_ns),
                size=query.size,
                mark=query.mark,
                offset=query.offset,
                wanted=lambda fill: query.symbol in {"", fill.symbol},
                room=lambda: self._has_room(TRADES_HISTORY),
            )

        return await self._merged.read(("fill page", account, query), by, read)

    async def fills(
        self, account: str, query: FillQuery, by: float, *, caller: str = "", resolving: bool = False
    ) -> tuple[tuple[Fill, ...], int]:
        """`offset`, `size` and the total count Kraken's rows; a symbol and the span to the nanosecond filter among those.

        resolving: see ports.PrivateVenue.
        """
        endpoint = MISSED_TRADES if resolving else TRADES_HISTORY

        async def read(until: float) -> tuple[tuple[Fill, ...], int]:
            await self._know_clock(until)
            span, rows, total = Span(query.start_ns, query.end_ns), list[Row[Fill]](), 0
            for _ in range(query.size // ROWS + 2):
                if resolving:
                    self._demand_room(self._rates.rest_cost(endpoint.name))
                asked = {**span.bounds(""), "ofs": str(query.offset + len(rows))}
                page, told = await self._fills(endpoint, account, asked, until, caller)
                rows += page
                total = query.offset + len(rows) + (len(page) == ROWS) if told is None else told
                if not page or len(rows) >= query.size or query.offset + len(rows) >= total:
                    break
            return tuple(
                row.value
                for row in rows[: query.size]
                if query.symbol in {"", row.value.symbol} and span.holds(row.at_ns)
            ), total

        return await self._merged.read(("fills", account, query, resolving), by, read)

    async def ledger_page(
        self, query: LedgerQuery, asset: Asset | None, by: float, *, caller: str = ""
    ) -> Page[LedgerEntry]:
        """Ledgers. A kind that Kraken does not filter by is filtered among its rows: such pages may be short."""
        filters = {} if asset is None else {"asset": asset.venue_asset}
        if query.kind in FILTERED_KINDS:
            filters["type"] = query.kind

        async def read(until: float) -> Page[LedgerEntry]:
            await self._know_clock(until)

            async def ask(params: Mapping[str, str]) -> tuple[list[Row[LedgerEntry]], int | None]:
                result = await self._rest.call(LEDGERS, {**filters, **params}, until, caller=caller)
                return statements.ledger_page(result, self._names)

            return await listing(
                ask,
                span=Span(query.start_ns, query.end_ns),
                size=query.size,
                mark=query.mark,
                wanted=lambda entry: query.kind in {"", entry.kind},
                room=lambda: self._has_room(LEDGERS),
            )

        return await self._merged.read(("ledger page", query), by, read)

    async def _fills(
        self, endpoint: Endpoint, account: str, params: Mapping[str, str], by: float, caller: str
    ) -> tuple[list[Row[Fill]], int | None]:
        """Individual trades (consolidate_taker=false), so that fill ids are those of the private stream."""
        asked = {"type": "all", "consolidate_taker": "false", **params}
        rows, total = decode.fills_page(await self._rest.call(endpoint, asked, by, caller=caller))
        now_ns = self._clock.wall_ns()
        fills = [decode.fill(fill_id, row, account, self._names, now_ns) for fill_id, row in rows]
        return [Row(each.fill_id, each.times.venue_ns or 0, each) for each in fills], total

    def _has_room(self, endpoint: Endpoint) -> bool:
        """Whether one more such read need not wait for the key's counter."""
        return not self._rates.look_wait_s(self._rates.rest_cost(endpoint.name), leave=RESERVE)

    def _demand_room(self, cost: Decimal) -> None:
        """Raises LOCAL_RATE_LIMITED where a look for an order in doubt might have to wait for this one."""
        wait_s = self._rates.look_wait_s(cost, leave=ONE_LOOK)
        if wait_s:
            raise refuse(
                Reason.LOCAL_RATE_LIMITED,
                f"the key's call counter has room for the history of trades in {wait_s:.1f} s",
                retry_after_s=wait_s,
            )
