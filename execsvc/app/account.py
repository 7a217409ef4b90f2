"""An account read: balances and fills, each fill told with the caller and id of the order it belongs to.

Kraken counts these calls. So balances are asked for again only when the private stream has told of something since, cannot
tell, or has been quiet for long: what it does not tell (a deposit) shows within BALANCES_MOST_S. Placing and cancelling is
app/desk.py.
"""

from dataclasses import dataclass, replace

from execsvc.app.catalog import Catalog
from execsvc.app.executions import Executions
from execsvc.domain.account import Balance, Fill, FillQuery
from execsvc.domain.market import FeedState
from execsvc.ports import Clock, Journal, PrivateVenue

BALANCES_MOST_S = 30.0


@dataclass(frozen=True)
class _Kept:
    balances: tuple[Balance, ...]
    moves: int
    at: float


class AccountReads:
    """Reads of one account for AccountService."""

    def __init__(
        self,
        *,
        account: str,
        venue: PrivateVenue,
        journal: Journal,
        catalog: Catalog,
        executions: Executions,
        clock: Clock,
    ) -> None:
        self.account = account
        self._venue = venue
        self._journal = journal
        self._catalog = catalog
        self._executions = executions
        self._clock = clock
        self._kept: _Kept | None = None

    async def balances(self, by: float, *, caller: str = "") -> tuple[Balance, ...]:
        """What is not zero, by asset; each says when it was read. Without news since, the last answer is given again."""
        moves, kept = self._executions.moves, self._kept
        if kept is not None and self._holds(kept, moves):
            return kept.balances
        balances = await self._venue.balances(by, caller=caller)
        self._kept = _Kept(balances, moves, self._clock.monotonic())
        return balances

    def _holds(self, kept: _Kept, moves: int) -> bool:
        fresh = self._clock.monotonic() - kept.at <= BALANCES_MOST_S
        return fresh and kept.moves == moves and self._executions.state is FeedState.LIVE

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
