"""What an exchange tells of an account when it is asked, as a test sets it: the double of ports.Statements."""

from decimal import Decimal

from execsvc.domain.account import FeeRate, FeeSchedule, Mark, Page


class ScriptedStatements:
    """One account: `history`, `entries` newest first, `positions_open`, `margins` by asset, one fee schedule for all pairs.

    `asked` is every question; a `failure` is the answer to each.
    """

    def __init__(self):
        self.history, self.entries, self.positions_open = [], [], []
        self.margins = {}
        self.asked = []
        self.failure = None

    async def fill_page(self, account, query, by, *, caller=""):
        self._ask("fills", query)
        rows = [each for each in self.history if not query.symbol or each.symbol == query.symbol]
        return _page(rows, query, lambda each: each.fill_id)

    async def ledger_page(self, query, asset, by, *, caller=""):
        self._ask("ledger", query)
        rows = [each for each in self.entries if asset is None or each.asset == asset.asset]
        return _page([each for each in rows if query.kind in {"", each.kind}], query, lambda each: each.entry_id)

    async def margin(self, asset, by, *, caller=""):
        self._ask("margin", asset)
        return self.margins[asset.asset]

    async def positions(self, by, *, caller=""):
        self._ask("positions", None)
        return tuple(self.positions_open)

    async def fees(self, instruments, by, *, caller=""):
        self._ask("fees", tuple(each.symbol for each in instruments))
        rates = (FeeRate(each.symbol, Decimal("0.0025"), Decimal("0.0040"), Decimal(10000)) for each in instruments)
        return FeeSchedule(tuple(rates), Decimal("1234.5"), "USD")

    def _ask(self, what, about):
        self.asked.append((what, about))
        if self.failure is not None:
            raise self.failure


def _page(rows, query, name):
    """From the mark on; what is newer than the mark's first is of another listing."""
    ids = [name(each) for each in rows]
    pinned = 0 if query.mark is None else ids.index(query.mark.newest)
    first = pinned + (0 if query.mark is None else query.mark.passed)
    found = rows[first : first + query.size]
    passed = first - pinned + len(found)
    more = pinned + passed < len(rows)
    return Page(tuple(found), Mark(ids[pinned], passed, name(found[-1])) if more else None)
