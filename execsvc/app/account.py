"""An account read: balances and fills, each fill told with the caller and id of the order it belongs to.

Kraken counts these calls: balances come from app/funds.py, which asks only when the private stream has told of something,
and fills are Kraken's own pages. Placing and cancelling is app/desk.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from execsvc.app.catalog import Catalog
from execsvc.app.funds import Funds
from execsvc.app.fundsreader import FundsReader
from execsvc.domain.account import Balance, Fill, FillQuery
from execsvc.ports import Clock, Journal, PrivateVenue


class AccountReads:
    """Reads of one account for AccountService."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        catalog: Catalog,
        funds: Funds,
        clock: Clock,
    ) -> None:
        self.account = account
        self._venue = venue
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

    async def fills(self, query: FillQuery, by: float, *, caller: str = "") -> tuple[tuple[Fill, ...], int]:
        """Newest first with the owner filled in, and how many there are in all before filtering by symbol."""
        if query.symbol:
            query = replace(query, symbol=self._catalog.instrument(query.symbol).symbol)
        fills, total = await self._venue.fills(self.account, query, by, caller=caller)
        return tuple([await self._owned(fill) for fill in fills]), total

    async def _owned(self, fill: Fill) -> Fill:
        order = await self._journal.find(self.account, venue_order_id=fill.venue_order_id)
        if order is None:
            return fill
        return replace(fill, caller=order.key.caller, client_order_id=order.key.client_order_id)
