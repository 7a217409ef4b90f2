"""What was traded today, by UTC: the fills of the day over the scopes of the rules, read from the journal after a restart.

The day's notional is what was filled. Its result is that of the day's fills alone, what they left being marked at the mid as
it is now, less fees; what was held before the day began is not in it. A fill counts for the day on which Kraken made it, and
the days around it are kept: Kraken's midnight is not quite ours.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from decimal import Context, Decimal

from execsvc.domain import money
from execsvc.domain.account import Fill
from execsvc.domain.errors import ExecsvcError, Reason
from execsvc.domain.market import Side
from execsvc.domain.riskrules import RiskScope
from execsvc.ports import Journal, JournalEntry

DAY_NS = 24 * 3600 * 10**9
BEFORE_NS = 3600 * 10**9  # the journal's times are our clock's, a fill's are Kraken's: so far are they trusted to agree
READ_AHEAD = 500
LOOK_AHEAD = 4  # an order's new state follows its fill
LAST_NS = 2**63
DAYS_MAX = 3
FILLS_MAX = 200_000  # of one day, whose ids are remembered so that none is counted twice
_WIDE = Context(prec=60)
# In dollars: an amount of that asset; None: no live price of it. And the mid of a pair, in its quote.
Dollars = Callable[[Decimal, str], Decimal | None]
Mid = Callable[[str], Decimal | None]


@dataclass
class DayTotals:
    """Of one scope: what was filled, by quote asset; by pair, units and money that came in or went out; fees by asset."""

    filled: dict[str, Decimal] = field(default_factory=dict)
    units: dict[str, Decimal] = field(default_factory=dict)
    money: dict[str, Decimal] = field(default_factory=dict)
    fees: dict[str, Decimal] = field(default_factory=dict)

    def add(self, fill: Fill) -> None:
        """One more fill."""
        quote = fill.symbol.partition("/")[2]
        bought = fill.side is Side.BUY
        _plus(self.filled, quote, fill.cost)
        _plus(self.units, fill.symbol, fill.quantity if bought else -fill.quantity)
        _plus(self.money, fill.symbol, -fill.cost if bought else fill.cost)
        for fee in fill.fees:
            _plus(self.fees, fee.asset, fee.amount)

    def loss(self, dollars: Dollars, mid: Mid) -> tuple[Decimal | None, tuple[str, ...]]:
        """What the day has lost so far, in dollars, 0 where it has won; or the pairs and assets without a price."""
        result, missing = money.ZERO, []
        for symbol, units in self.units.items():
            price = mid(symbol) if units else money.ZERO
            if price is None:
                missing.append(symbol)
                continue
            quote = symbol.partition("/")[2]
            worth = dollars(_WIDE.add(self.money[symbol], money.product(units, price)), quote)
            if worth is None:
                missing.append(f"{quote}/USD")
            else:
                result = _WIDE.add(result, worth)
        for asset, amount in self.fees.items():
            worth = dollars(amount, asset)
            if worth is None:
                missing.append(f"{asset}/USD")
            else:
                result = _WIDE.subtract(result, worth)
        return (None, tuple(dict.fromkeys(missing))) if missing else (max(money.ZERO, -result), ())


@dataclass
class _Day:
    """Totals by scope, and the ids of the fills that are in them."""

    totals: dict[RiskScope, DayTotals] = field(default_factory=dict)
    counted: OrderedDict[str, None] = field(default_factory=OrderedDict)


class DayBook:
    """Of one account, over these scopes: the newest days."""

    def __init__(self, scopes: Iterable[RiskScope]) -> None:
        self._scopes = tuple(scopes)
        self._days: dict[int, _Day] = {}

    def __repr__(self) -> str:
        fills = sum(len(day.counted) for day in self._days.values())
        return f"<DayBook {fills} fills of days {sorted(self._days)}, {len(self._scopes)} scopes>"

    def totals(self, scope: RiskScope, now_ns: int) -> DayTotals:
        """What was traded on the day of that time."""
        day = self._days.get(now_ns // DAY_NS)
        return DayTotals() if day is None else day.totals.get(scope, DayTotals())

    def fill(self, fill: Fill) -> None:
        """Counts a fill in its day, once."""
        day = self._days.setdefault(time_of(fill) // DAY_NS, _Day())
        while len(self._days) > DAYS_MAX:
            del self._days[min(self._days)]
        if fill.fill_id in day.counted:
            return
        day.counted[fill.fill_id] = None
        while len(day.counted) > FILLS_MAX:
            day.counted.popitem(last=False)
        for scope in self._scopes:
            if scope.holds(fill.caller, fill.symbol):
                day.totals.setdefault(scope, DayTotals()).add(fill)


def time_of(fill: Fill) -> int:
    """When Kraken made it, or it was first heard of."""
    return fill.times.receive_ns if fill.times.venue_ns is None else fill.times.venue_ns


# ---- reading the day back ---------------------------------------------------------------------------------------


async def fills_of_the_day(
    journal: Journal, account: str, now_ns: int, take: Callable[[Fill], Awaitable[None]]
) -> None:
    """Tells every fill that the journal holds from a little before midnight on. Raises Busy when the store fails."""
    last = await journal.last_sequence(account)
    position = await _before(journal, account, now_ns - now_ns % DAY_NS - BEFORE_NS, last)
    while position < last:
        entries = await journal.after(account, position, READ_AHEAD)
        if not entries:
            return
        for entry in entries:
            if entry.fill is not None:
                await take(entry.fill)
        position = entries[-1].sequence


async def _before(journal: Journal, account: str, at_ns: int, last: int) -> int:
    """The position after which everything was written at that time or later: found by halving, for the journal is long."""
    low, high = 0, last
    while low < high:
        middle = (low + high) // 2
        if await _written_ns(journal, account, middle) < at_ns:
            low = middle + 1
        else:
            high = middle
    return low


async def _written_ns(journal: Journal, account: str, position: int) -> int:
    """When what follows the position was written, by the first entry that says so; 0: what was there is no longer kept."""
    try:
        entries = await journal.after(account, position, LOOK_AHEAD)
    except ExecsvcError as gone:
        if gone.reason is not Reason.RESUME_TOKEN_EXPIRED:
            raise
        return 0
    changed = (entry.order or entry.amend for entry in entries)
    times = [each.update_time_ns for each in changed if each is not None]
    return times[0] if times else max((_heard_ns(entry) for entry in entries), default=LAST_NS)


def _heard_ns(entry: JournalEntry) -> int:
    """Of a fill that nobody here placed an order for. Whatever tells no time counts as new: then more is read, never less."""
    return LAST_NS if entry.fill is None else entry.fill.times.receive_ns


def _plus(sums: dict[str, Decimal], name: str, amount: Decimal) -> None:
    sums[name] = _WIDE.add(sums.get(name, money.ZERO), amount)
