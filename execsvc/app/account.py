"""An account read: balances, fills, margin, positions, the ledger, fee rates; each fill told with the order it belongs to.

Kraken counts these calls: balances come from app/funds.py, which asks only when the private stream has told of something,
fee rates from app/fees.py, which keeps them for a minute; the rest is Kraken's own pages. Placing is app/desk.py's.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from difflib import get_close_matches

from execsvc.app.catalog import Catalog
from execsvc.app.fees import FeeBook
from execsvc.app.funds import Funds
from execsvc.app.fundsreader import FundsReader
from execsvc.domain.account import (
    Balance,
    FeeSchedule,
    Fill,
    FillQuery,
    LedgerEntry,
    LedgerQuery,
    Margin,
    Page,
    Position,
)
from execsvc.domain.errors import FieldViolation, Reason, refuse
from execsvc.domain.instrument import Asset
from execsvc.ports import Clock, Journal, Statements

DOLLARS = "USD"
SUGGESTIONS = 3


class AccountReads:
    """Reads of one account for AccountService."""

    def __init__(
        self,
        *,
        account: str,
        statements: Statements,
        fees: FeeBook,
        journal: Journal,
        catalog: Catalog,
        funds: Funds,
        clock: Clock,
    ) -> None:
        self.account = account
        self._statements = statements
        self._fees = fees
        self._journal = journal
        self._catalog = catalog
        self._funds = funds
        self._clock = clock

    @property
    def heard_ns(self) -> int | None:
        """When a frame of the private stream was last read."""
        return self._funds.heard_ns

    async def balances(self, by: float, *, caller: str = "") -> tuple[Balance, ...]:
        """What is not zero; each says when it was read. See app/funds.py: without news since, nobody asks Kraken."""
        return await self._funds.balances(by, caller=caller)

    @contextmanager
    def follow_balances(self, caller: str) -> Iterator[FundsReader]:
        """A follower of the balances, from now until the block ends."""
        with self._funds.read_by(caller):
            yield FundsReader(self._funds, self._clock)

    async def fills(self, query: FillQuery, by: float, *, caller: str = "") -> Page[Fill]:
        """Newest first with the owner filled in."""
        if query.symbol:
            query = replace(query, symbol=self._catalog.instrument(query.symbol).symbol)
        page = await self._statements.fill_page(self.account, query, by, caller=caller)
        return Page(tuple([await self._owned(fill) for fill in page.rows]), page.next)

    async def ledger(self, query: LedgerQuery, by: float, *, caller: str = "") -> Page[LedgerEntry]:
        """Newest first; the asset in any spelling of Kraken's."""
        asset = None
        if query.asset:
            asset = asset_of(query.asset, self._catalog.assets())
            query = replace(query, asset=asset.asset)
        return await self._statements.ledger_page(query, asset, by, caller=caller)

    async def margin(self, asset: str, by: float, *, caller: str = "") -> Margin:
        """Valued in the asset, in any spelling of Kraken's; empty: in dollars."""
        return await self._statements.margin(asset_of(asset or DOLLARS, self._catalog.assets()), by, caller=caller)

    async def positions(self, symbol: str, by: float, *, caller: str = "") -> tuple[Position, ...]:
        """Open ones, oldest first; those of one pair, or all."""
        wanted = self._catalog.instrument(symbol).symbol if symbol else ""
        found = await self._statements.positions(by, caller=caller)
        return tuple(each for each in found if wanted in {"", each.symbol})

    async def fee_rates(self, symbols: tuple[str, ...], by: float, *, caller: str = "") -> FeeSchedule:
        """In the order of the symbols, at most a minute old."""
        return await self._fees.schedule(symbols, by, caller=caller)

    async def _owned(self, fill: Fill) -> Fill:
        order = await self._journal.find(self.account, venue_order_id=fill.venue_order_id)
        if order is None:
            return fill
        return replace(fill, caller=order.key.caller, client_order_id=order.key.client_order_id)


def asset_of(spelling: str, assets: tuple[Asset, ...]) -> Asset:
    """The asset that a plain code, Kraken's id or its short name means, in any case. Raises UNKNOWN_SYMBOL, nearest three."""
    named = {each.venue_name.casefold(): each for each in assets if each.venue_name}
    named |= {each.venue_asset.casefold(): each for each in assets} | {each.asset.casefold(): each for each in assets}
    folded = spelling.strip().casefold()
    found = named.get(folded)
    if found is not None:
        return found
    near = list(dict.fromkeys(named[name].asset for name in get_close_matches(folded, named, n=2 * SUGGESTIONS)))
    hint = f"; did you mean {', '.join(near[:SUGGESTIONS])}?" if near else ""
    raise refuse(
        Reason.UNKNOWN_SYMBOL,
        f"unknown asset {spelling!r}{hint}",
        fields=(FieldViolation("asset", f"unknown asset {spelling!r}{hint}"),),
        symbol=spelling,
        suggestions=",".join(near[:SUGGESTIONS]),
    )
