"""The seam to what the venue tells of an account when it is asked: margin, positions, fees, fills and the ledger.

All of it costs points of the key's counter, so equal questions at one time are one call. Balances are not here: the
private stream tells when they move (ports/venue.py).
"""

from typing import Protocol

from execsvc.domain.account import FeeSchedule, Fill, FillQuery, LedgerEntry, LedgerQuery, Margin, Page, Position
from execsvc.domain.instrument import Asset, Instrument


class Statements(Protocol):
    """Reads of one account. They raise Busy, Declined or ProtocolBroken.

    `by` is monotonic, `caller` whose turn it takes; `account` is what the values say.
    """

    async def margin(self, asset: Asset, by: float, *, caller: str = "") -> Margin:
        """Equity and margin, valued in the asset."""
        ...

    async def positions(self, by: float, *, caller: str = "") -> tuple[Position, ...]:
        """Open margin positions, oldest first; none: empty."""
        ...

    async def fees(self, instruments: tuple[Instrument, ...], by: float, *, caller: str = "") -> FeeSchedule:
        """Rates of these pairs, in their order."""
        ...

    async def fill_page(self, account: str, query: FillQuery, by: float, *, caller: str = "") -> Page[Fill]:
        """Newest first; the owner of each is still empty. Raises PAGE_TOKEN_INVALID for a mark that is not found again."""
        ...

    async def ledger_page(
        self, query: LedgerQuery, asset: Asset | None, by: float, *, caller: str = ""
    ) -> Page[LedgerEntry]:
        """Newest first; asset: that of the query, None for all. Raises as fill_page does."""
        ...
