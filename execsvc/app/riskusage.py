"""How much of each limit that adds up is used: open orders, their notional, the day's notional and loss; kept by the journal.

Nothing of it is durable by itself: a start reads the open orders, the amends under way and the fills of the day back, and
until that is done no order is taken. Afterwards every commit is heard of in the loop, before whoever made it goes on.
"""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Context, Decimal

from execsvc.app.riskbook import OPEN, Grown, OpenBook
from execsvc.app.riskday import DayBook, fills_of_the_day
from execsvc.app.riskprices import Prices
from execsvc.app.riskspawn import Spawned
from execsvc.domain import money
from execsvc.domain.account import Fill
from execsvc.domain.ids import OrderKey
from execsvc.domain.risk import Used
from execsvc.domain.riskrules import Bound, RiskRules, RiskScope, adding_up, counts_days
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Clock, JournalEntry, Store

_WIDE = Context(prec=60)
_NOTHING = Grown()


class Usage:
    """Of one account, over the scopes of its rules."""

    def __init__(self, account: str, rules: RiskRules, store: Store, prices: Prices, clock: Clock) -> None:
        self._account = account
        self._store = store
        self._prices = prices
        self._clock = clock
        self._scopes = adding_up(rules, account)
        self._open = OpenBook(self._scopes)
        self._day = DayBook(self._scopes)
        self._spawned = Spawned(account, store)
        self._by_day = counts_days(rules, account)
        self._restoring = asyncio.Lock()
        self._early: list[JournalEntry] = []
        self._stop: Callable[[], None] | None = None
        self.ready = not self._scopes

    def __repr__(self) -> str:
        return f"<Usage {self._open!r} {self._day!r}>"

    @property
    def wishes(self) -> int:
        """Reservations and amends that are not settled."""
        return self._open.wishes

    async def restore(self) -> None:
        """Once, before the first order: what is open, and what was traded today. Raises Busy when the store fails."""
        if self.ready:
            return
        async with self._restoring:
            if self.ready:
                return
            self._early = []
            self._stop = self._store.subscribe(self._heard)
            try:
                await self._read_back()
            except BaseException:
                self._stop()
                raise
            # Heard while it was read, in the sequence of the journal: the last word of each order is among it, or was read.
            early, self._early, self.ready = self._early, [], True
            for entry in early:
                self._take(entry)

    async def _read_back(self) -> None:
        """From nothing: what a reading that failed has left may have ended since. Until it is through nothing is held."""
        self._open, self._day = OpenBook(self._scopes), DayBook(self._scopes)
        for order in await self._store.in_status(self._account, OPEN):
            self._open.order(order, await self._spawned.read(order))
        for amend in await self._store.amends.unsettled(self._account):
            self._open.amend(amend)
        if self._by_day:
            await fills_of_the_day(self._store, self._account, self._clock.wall_ns(), self._read_fill)

    async def _read_fill(self, fill: Fill) -> None:
        self._day.fill(await self._spawned.read_fill(fill))

    def _heard(self, entry: JournalEntry) -> None:
        if self.ready:
            self._take(entry)
        else:
            self._early.append(entry)

    def _take(self, entry: JournalEntry) -> None:
        if entry.order is not None and entry.order.key.account == self._account:
            self._open.order(entry.order, self._spawned.caller_of(entry.order))
        elif entry.amend is not None and entry.amend.key.order.account == self._account:
            self._open.amend(entry.amend)
        elif self._by_day and entry.fill is not None and entry.fill.account == self._account:
            self._day.fill(self._spawned.named(entry.fill))

    # ---- reservations -----------------------------------------------------------------------------------------------

    def hold(self, key: OrderKey, token: object, spec: OrderSpec, price: Decimal | None) -> Mapping[RiskScope, Grown]:
        """Counts a wish until `let_go`: what it adds."""
        return self._open.hold(key, token, spec, price) if self._open else {}

    def let_go(self, key: OrderKey, token: object) -> None:
        """The wish has ended one way or the other."""
        self._open.let_go(key, token)

    # ---- figures ----------------------------------------------------------------------------------------------------

    def used(self, bound: Bound, grown: Mapping[RiskScope, Grown]) -> Used:
        """What is used of a bound that adds up, in its unit, with everything that is held."""
        grew = grown.get(bound.scope, _NOTHING)
        if not self.ready:
            return Used(None)
        match bound.name:
            case "max_open_orders":
                return Used(Decimal(self._open.totals(bound.scope).orders), grew=grew.orders)
            case "max_open_notional":
                return self._sum(self._open_amounts(bound.scope), grew=grew.notional)
            case "max_daily_notional":
                day = self._day.totals(bound.scope, self._clock.wall_ns()).filled
                opened, missing = self._open_amounts(bound.scope)
                return self._sum(([*opened, *day.items()], missing), grew=grew.notional)
            case _:
                day_totals = self._day.totals(bound.scope, self._clock.wall_ns())
                loss, lacking = day_totals.loss(self._prices.marked, self._prices.mid)
                return Used(loss, lacking, grew=grew.notional)

    def _open_amounts(self, scope: RiskScope) -> tuple[list[tuple[str, Decimal]], list[str]]:
        """Amounts by quote asset, and the pairs of orders that no price is known for."""
        totals = self._open.totals(scope)
        amounts = [(quote, amount) for quote, (_, amount) in totals.notional.items()]
        missing = []
        for spec in totals.unpriced.values():
            worth = self._prices.worth(spec)
            if worth is None:
                missing.append(spec.symbol)
            else:
                amounts.append((spec.symbol.partition("/")[2], worth.notional))
        return amounts, missing

    def _sum(self, amounts: tuple[list[tuple[str, Decimal]], list[str]], *, grew: bool) -> Used:
        total, missing = money.ZERO, amounts[1]
        for quote, amount in amounts[0]:
            worth = self._prices.dollars(amount, quote) if amount else money.ZERO
            if worth is None:
                missing.append(f"{quote}/USD")
            else:
                total = _WIDE.add(total, worth)
        return Used(None, tuple(dict.fromkeys(missing)), grew) if missing else Used(total, grew=grew)
