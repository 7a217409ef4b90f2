"""Following orders: the journal read as a stream, gapless, resumable across restarts.

A reader holds a position, not a queue: what it has not read yet stays in the journal, so a slow reader costs no memory and
loses nothing. The snapshot is the journal's open orders at one position; everything after it follows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from execsvc.domain.caller import Caller
from execsvc.domain.order import LIVE, UNRESOLVED, Order
from execsvc.ports import Clock, Journal, JournalEntry

READ_AHEAD = 200


@dataclass(frozen=True)
class OrderFilter:
    """Whose orders and of which symbols; empty symbols mean all, empty caller every caller's; outside: nobody's too."""

    caller: str
    symbols: frozenset[str] = frozenset()
    outside: bool = False

    def passes(self, entry: JournalEntry) -> bool:
        """Whether the reader is to see the entry; of trading modes, those that touch an order it may be shown."""
        if entry.mode is not None:
            scope = entry.mode.scope
            mine = not self.caller or scope.caller in {"", self.caller}
            return mine and (not self.symbols or not scope.symbol or scope.symbol in self.symbols)
        if entry.order is not None:
            caller, symbol = entry.order.key.caller, entry.order.spec.symbol
        elif entry.fill is not None:
            caller, symbol = entry.fill.caller, entry.fill.symbol
        else:
            return False
        whose = caller == self.caller if self.caller else bool(caller) or self.outside
        return whose and (not self.symbols or symbol in self.symbols)


class OrderReader:
    """One follower's position in the journal; `head` is where the journal ended when it came."""

    def __init__(
        self, account: str, position: int, wanted: OrderFilter, journal: Journal, clock: Clock, *, head: int
    ) -> None:
        self._account = account
        self.position = position
        self._met = self._head = head
        self._wanted = wanted
        self._journal = journal
        self._clock = clock
        self._pending: list[JournalEntry] = []
        self._news = asyncio.Event()
        self._news.set()
        self._woken = False

    @property
    def behind(self) -> int:
        """How many entries came while it was here and are not read. What it has to catch up with from before is no fault."""
        return self._head - max(self.position, self._met)

    def notice(self, entry: JournalEntry) -> None:
        """The journal grew."""
        self._head = max(self._head, entry.sequence)
        self._news.set()

    def wake(self) -> None:
        """Something else is to be told: take() comes back at once."""
        self._woken = True
        self._news.set()

    async def take(self, by: float) -> JournalEntry | None:
        """The next wanted entry, position moved past it; None at monotonic `by`, or when it is woken."""
        while True:
            while self._pending:
                entry = self._pending.pop(0)
                self.position = entry.sequence
                if self._wanted.passes(entry):
                    return entry
            try:
                async with self._clock.timeout_at(by):
                    await self._news.wait()
            except TimeoutError:
                return None
            if self._woken:
                self._woken = False
                return None
            self._news.clear()
            self._pending = list(await self._journal.after(self._account, self.position, READ_AHEAD))
            if self._pending:
                self._news.set()  # there may be more than one read brings


class OrderFeed:
    """Order events of one account for SubscribeOrders."""

    def __init__(self, account: str, journal: Journal, journal_id: str, clock: Clock) -> None:
        self.account = account
        self.journal_id = journal_id
        self._journal = journal
        self._clock = clock

    def filter_for(
        self, who: Caller, *, all_callers: bool, symbols: frozenset[str], outside: bool = False
    ) -> OrderFilter:
        """The caller's own orders, or every caller's, or with `outside` those too that were placed elsewhere."""
        return OrderFilter("" if all_callers or outside else who.name, symbols, outside)

    @asynccontextmanager
    async def follow(
        self, wanted: OrderFilter, position: int | None
    ) -> AsyncIterator[tuple[OrderReader, tuple[Order, ...]]]:
        """A reader and its snapshot (empty when it resumes). Raises RESUME_TOKEN_EXPIRED for a position too old."""
        if position is None:
            start = head = await self._journal.last_sequence(self.account)
            orders = await self._journal.in_status(self.account, LIVE | UNRESOLVED)
            shown = tuple(order for order in orders if wanted.passes(JournalEntry(0, order=order)))
        else:
            await self._journal.after(self.account, position, 1)
            start, shown = position, ()
            head = max(start, await self._journal.last_sequence(self.account))
        reader = OrderReader(self.account, start, wanted, self._journal, self._clock, head=head)
        stop = self._journal.subscribe(reader.notice)
        try:
            yield reader, shown
        finally:
            stop()
