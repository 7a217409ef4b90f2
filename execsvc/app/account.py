"""An account read: balances and fills, each fill told with the caller and id of the order it belongs to.

Reads go to the venue over the account's key; caching and the private stream's balances come with the streams slice. Placing
and cancelling is app/desk.py.
"""

from dataclasses import replace

from execsvc.app.catalog import Catalog
from execsvc.domain.account import Balance, Fill, FillQuery
from execsvc.ports import Journal, PrivateVenue


class AccountReads:
    """Reads of one account for AccountService."""

    def __init__(self, account: str, venue: PrivateVenue, journal: Journal, catalog: Catalog) -> None:
        self.account = account
        self._venue = venue
        self._journal = journal
        self._catalog = catalog

    async def balances(self, by: float) -> tuple[Balance, ...]:
        """What is not zero, by asset."""
        return await self._venue.balances(by)

    async def fills(self, query: FillQuery, by: float) -> tuple[tuple[Fill, ...], int]:
        """Newest first with the owner filled in, and how many there are in all before filtering by symbol."""
        if query.symbol:
            query = replace(query, symbol=self._catalog.instrument(query.symbol).symbol)
        fills, total = await self._venue.fills(self.account, query, by)
        return tuple([await self._owned(fill) for fill in fills]), total

    async def _owned(self, fill: Fill) -> Fill:
        order = await self._journal.find(self.account, venue_order_id=fill.venue_order_id)
        if order is None:
            return fill
        return replace(fill, caller=order.key.caller, client_order_id=order.key.client_order_id)
