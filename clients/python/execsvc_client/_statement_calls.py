"""What both clients ask about an account besides balances and fills: margin, positions, the ledger, fee rates.

Each of these costs the account a point or two of Kraken's call counter; the gateway keeps fee rates for a minute.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime

from execsvc_api.v1 import account_service_pb2 as account_pb

from execsvc_client import _methods as methods
from execsvc_client._link import Link
from execsvc_client._paging import pages, sync_pages
from execsvc_client._statements import (
    FeeRates,
    LedgerEntry,
    Margin,
    Position,
    get_fee_rates,
    list_ledger_entries,
    read_fee_rates,
    read_ledger_entry,
    read_margin,
    read_position,
)
from execsvc_client._sync_link import SyncLink

LEDGER_PAGE = 50  # Kraken's own


class Statements:
    """These methods of Client."""

    link: Link

    async def margin(self, asset: str = "", *, timeout: float | None = None) -> Margin:
        """Equity, used and free margin, valued in `asset`; empty: in US dollars."""
        request = account_pb.GetMarginSummaryRequest(account=self.link.settings.account, asset=asset)
        return read_margin(await self.link.call(methods.GET_MARGIN_SUMMARY, request, timeout=timeout))

    async def positions(self, symbol: str = "", *, timeout: float | None = None) -> tuple[Position, ...]:
        """Open margin positions, oldest first: of one pair, or all."""
        request = account_pb.ListPositionsRequest(account=self.link.settings.account, symbol=symbol)
        answer = await self.link.call(methods.LIST_POSITIONS, request, timeout=timeout)
        return tuple(map(read_position, answer.positions))

    async def fee_rates(self, symbols: str | Iterable[str], *, timeout: float | None = None) -> FeeRates:
        """Maker and taker rates now in force for 1 to 50 pairs."""
        request = get_fee_rates(self.link.settings.account, symbols)
        return read_fee_rates(await self.link.call(methods.GET_FEE_RATES, request, timeout=timeout))

    async def ledger(
        self,
        asset: str = "",
        *,
        kind: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = LEDGER_PAGE,
    ) -> AsyncIterator[LedgerEntry]:
        """Ledger entries, newest first, asked for page by page; `kind` is Kraken's word, such as trade or rollover."""
        request = list_ledger_entries(
            self.link.settings.account, asset=asset, kind=kind, since=since, until=until, page_size=page_size
        )
        async for page in pages(self.link, methods.LIST_LEDGER_ENTRIES, request):
            for entry in page.entries:
                yield read_ledger_entry(entry)


class SyncStatements:
    """These methods of SyncClient."""

    link: SyncLink

    def margin(self, asset: str = "", *, timeout: float | None = None) -> Margin:
        """Equity, used and free margin, valued in `asset`; empty: in US dollars."""
        request = account_pb.GetMarginSummaryRequest(account=self.link.settings.account, asset=asset)
        return read_margin(self.link.call(methods.GET_MARGIN_SUMMARY, request, timeout=timeout))

    def positions(self, symbol: str = "", *, timeout: float | None = None) -> tuple[Position, ...]:
        """Open margin positions, oldest first: of one pair, or all."""
        request = account_pb.ListPositionsRequest(account=self.link.settings.account, symbol=symbol)
        answer = self.link.call(methods.LIST_POSITIONS, request, timeout=timeout)
        return tuple(map(read_position, answer.positions))

    def fee_rates(self, symbols: str | Iterable[str], *, timeout: float | None = None) -> FeeRates:
        """Maker and taker rates now in force for 1 to 50 pairs."""
        request = get_fee_rates(self.link.settings.account, symbols)
        return read_fee_rates(self.link.call(methods.GET_FEE_RATES, request, timeout=timeout))

    def ledger(
        self,
        asset: str = "",
        *,
        kind: str = "",
        since: datetime | None = None,
        until: datetime | None = None,
        page_size: int = LEDGER_PAGE,
    ) -> Iterator[LedgerEntry]:
        """Ledger entries, newest first, asked for page by page; `kind` is Kraken's word, such as trade or rollover."""
        request = list_ledger_entries(
            self.link.settings.account, asset=asset, kind=kind, since=since, until=until, page_size=page_size
        )
        for page in sync_pages(self.link, methods.LIST_LEDGER_ENTRIES, request):
            for entry in page.entries:
                yield read_ledger_entry(entry)
