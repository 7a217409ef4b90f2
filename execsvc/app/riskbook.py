"""What is open or about to be, added up over the scopes of the rules: orders, and what they may still cost.

Fed by the journal, so a doubt counts as open and what has filled no longer does; beside each order stand the wishes that are
not settled: placements and amends before they are durable, amends under way. Of one order only the dearest counts, so a
repeat of an id adds nothing. Sums are kept in the quote asset; what they are in dollars is app/risk.py's to say.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Context, Decimal

from execsvc.app.worth import own_price
from execsvc.domain import money
from execsvc.domain.amend import Amend
from execsvc.domain.ids import OrderKey
from execsvc.domain.modes import only_reduces
from execsvc.domain.order import LIVE, UNRESOLVED, Order
from execsvc.domain.riskrules import RiskScope
from execsvc.domain.spec import OrderSpec

OPEN = LIVE | UNRESOLVED
_WIDE = Context(prec=60)


@dataclass(frozen=True)
class Grown:
    """What a wish adds to a scope."""

    orders: bool = False
    notional: bool = False


@dataclass
class Totals:
    """Of one scope. notional: by quote asset, how many orders are in the sum and the sum; unpriced: what has no figure."""

    orders: int = 0
    notional: dict[str, tuple[int, Decimal]] = field(default_factory=dict)
    unpriced: dict[OrderKey, OrderSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class _Share:
    """What one order adds to one scope; unpriced: what is left of an order whose price nobody knows."""

    quote: str
    notional: Decimal
    unpriced: OrderSpec | None = None


@dataclass(frozen=True)
class _Wanted:
    """An order as it is or may become. price: what it was reckoned at, where it does not say itself or that was dearer."""

    spec: OrderSpec
    price: Decimal | None = None


@dataclass
class _Entry:
    """One order: as the journal knows it while it is open, and the wishes about it; caller: whose it counts as."""

    caller: str
    order: Order | None = None
    price: Decimal | None = None
    wishes: dict[object, _Wanted] = field(default_factory=dict)
    counted: dict[RiskScope, _Share] = field(default_factory=dict)

    def standing(self) -> Iterable[_Wanted]:
        """Everything that it is or may become."""
        return (*(() if self.order is None else (_Wanted(self.order.spec, self.price),)), *self.wishes.values())

    def price_of(self, spec: OrderSpec) -> Decimal | None:
        """What the order was reckoned at: as the wish that it was, or as it was before if only its size is another."""
        if self.order is not None and own_price(self.order.spec) == own_price(spec):
            return self.price
        return next((wish.price for wish in self.wishes.values() if wish.spec == spec), None)


class OpenBook:
    """Of one account, over these scopes."""

    def __init__(self, scopes: Iterable[RiskScope]) -> None:
        self._totals = {scope: Totals() for scope in scopes}
        self._entries: dict[OrderKey, _Entry] = {}

    def __repr__(self) -> str:
        return f"<OpenBook {len(self._entries)} orders, {len(self._totals)} scopes>"

    def __bool__(self) -> bool:
        return bool(self._totals)

    @property
    def wishes(self) -> int:
        """How many are not settled: none when nothing is under way."""
        return sum(len(entry.wishes) for entry in self._entries.values())

    def totals(self, scope: RiskScope) -> Totals:
        """What is used of the scope now."""
        return self._totals[scope]

    def hold(self, key: OrderKey, token: object, spec: OrderSpec, price: Decimal | None) -> dict[RiskScope, Grown]:
        """Counts a wish from now on, until `let_go` with the same token: what it adds, by scope."""
        entry = self._entries.setdefault(key, _Entry(key.caller))
        there, before = entry.counted, self._alike(entry, spec)
        entry.wishes[token] = _Wanted(spec, price)
        self._count(key, entry)
        return {
            scope: Grown(orders=scope not in there, notional=_has_grown(before.get(scope), share))
            for scope, share in entry.counted.items()
        }

    def _alike(self, entry: _Entry, spec: OrderSpec) -> dict[RiskScope, _Share]:
        """What such a wish is held against: what only reduces has passed no limit for one under its id that may open."""
        return entry.counted if only_reduces(spec) else self._shares(entry, opening=True)

    def let_go(self, key: OrderKey, token: object) -> None:
        """The wish is durable, and counts as the order's own, or will never be."""
        entry = self._entries.get(key)
        if entry is not None and entry.wishes.pop(token, None) is not None:
            self._count(key, entry)

    def order(self, order: Order, caller: str) -> None:
        """The journal holds this of an order, which counts as that caller's; told in its sequence, the last word stands."""
        entry = self._entries.get(order.key)
        if entry is None and order.status not in OPEN:
            return
        entry = self._entries.setdefault(order.key, _Entry(caller))
        entry.caller = caller
        entry.price = entry.price_of(order.spec)
        entry.order = order if order.status in OPEN else None
        self._count(order.key, entry)

    def amend(self, amend: Amend) -> None:
        """Until its fate is known an amend may stand; settled, what is left of it is in the order itself."""
        entry = self._entries.get(amend.key.order)
        if amend.is_settled:
            self.let_go(amend.key.order, amend.key)
        elif entry is not None and entry.order is not None:
            entry.wishes[amend.key] = _Wanted(amend.wish.applied_to(entry.order.spec), entry.price)
            self._count(amend.key.order, entry)

    # ---- adding up --------------------------------------------------------------------------------------------------

    def _count(self, key: OrderKey, entry: _Entry) -> None:
        self._take(key, entry.counted)
        entry.counted = self._shares(entry, opening=False)
        for scope, share in entry.counted.items():
            totals = self._totals[scope]
            totals.orders += 1
            count, amount = totals.notional.get(share.quote, (0, money.ZERO))
            totals.notional[share.quote] = (count + 1, _WIDE.add(amount, share.notional))
            if share.unpriced is not None:
                totals.unpriced[key] = share.unpriced
        if entry.order is None and not entry.wishes:
            del self._entries[key]

    def _take(self, key: OrderKey, counted: dict[RiskScope, _Share]) -> None:
        for scope, share in counted.items():
            totals = self._totals[scope]
            totals.orders -= 1
            count, amount = totals.notional.pop(share.quote)
            if count > 1:
                totals.notional[share.quote] = (count - 1, _WIDE.subtract(amount, share.notional))
            totals.unpriced.pop(key, None)

    def _shares(self, entry: _Entry, *, opening: bool) -> dict[RiskScope, _Share]:
        """Of all that it is or may become; opening: but what only reduces."""
        shares: dict[RiskScope, _Share] = {}
        for wanted in entry.standing():
            if opening and only_reduces(wanted.spec):
                continue
            share = _share(wanted, entry)
            for scope in self._totals:
                if scope.holds(entry.caller, wanted.spec.symbol):
                    known = shares.get(scope)
                    shares[scope] = share if known is None else _dearer(known, share)
        return shares


def _share(wanted: _Wanted, entry: _Entry) -> _Share:
    """What may still fill of it, at the dearest price that it may fill at."""
    spec, quote = wanted.spec, wanted.spec.symbol.partition("/")[2]
    filled = money.ZERO if entry.order is None else entry.order.filled_quantity
    spent = money.ZERO if entry.order is None else entry.order.filled_cost
    if spec.quote_quantity is not None:
        return _Share(quote, max(money.ZERO, _WIDE.subtract(spec.quote_quantity, spent)))
    if spec.base_quantity is None:
        return _Share(quote, money.ZERO)  # a whole position: its size is Kraken's to know, and it only closes
    left = max(money.ZERO, _WIDE.subtract(spec.base_quantity, filled))
    prices = [each for each in (own_price(spec), wanted.price) if each is not None]
    if prices or not left:
        return _Share(quote, money.product(max(prices), left) if left else money.ZERO)
    return _Share(quote, money.ZERO, replace(spec, base_quantity=left, display_quantity=None))


def _dearer(one: _Share, other: _Share) -> _Share:
    return _Share(one.quote, max(one.notional, other.notional), one.unpriced or other.unpriced)


def _has_grown(before: _Share | None, after: _Share) -> bool:
    return before is None or after.notional > before.notional or _units(after) > _units(before)


def _units(share: _Share) -> Decimal:
    return (share.unpriced and share.unpriced.base_quantity) or money.ZERO
