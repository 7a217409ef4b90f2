"""One order of the trader as the exchange keeps it: what was asked for, what became of it, each step of its life.

`Terms` is what was asked for, a value that an amend replaces; `Order` is the exchange's record; `Event` is one step with
the figures of that step, for the executions stream. Where all orders are kept is roll.py.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from .closes import Close
from .figures import fixed, rescale
from .matching import Resting, Side
from .pairs import Asset, Pair
from .triggers import LIMITED, TRAILING, Trigger, Watch

Phase = Literal["scheduled", "watching", "active"]


@dataclass(frozen=True, slots=True)
class Terms:
    """An order as asked for. `lots` is the volume in the base asset, `budget` in the quote asset's units (viqc).

    `price` is the limit price; a trailing stop's is known only once it is set off. `display` is what an iceberg shows,
    `starts` when a scheduled order begins (ns, the exchange's clock), `leverage` 5 for 5:1. `liquidates` marks what the
    exchange itself places to end a position.
    """

    pair: Pair
    side: Side
    kind: str
    lots: int
    price: int | None
    tif: str = "GTC"
    flags: tuple[str, ...] = ("fciq",)
    budget: int | None = None
    expires: int | None = None
    stp: str = "cancel-newest"
    userref: int | None = None
    cl_ord_id: str | None = None
    deadline: int | None = None
    trigger: Trigger | None = None
    display: int | None = None
    starts: int | None = None
    close: Close | None = None
    leverage: int | None = None
    reduce_only: bool = False
    liquidates: bool = False

    @property
    def on_margin(self) -> bool:
        """Tell whether the margin desk has a say in it."""
        return self.leverage is not None or self.reduce_only or self.kind == "settle-position"

    @property
    def limited(self) -> bool:
        """Tell whether it has a limit price, or will have one."""
        return self.price is not None or self.kind in LIMITED

    @property
    def trailing(self) -> bool:
        """Tell whether it is a trailing stop."""
        return self.kind in TRAILING

    @property
    def post(self) -> bool:
        """Tell whether it must never take."""
        return "post" in self.flags

    @property
    def fee_in_base(self) -> bool:
        """Tell whether the fee is charged in the base asset."""
        return "fcib" in self.flags


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill of the trader: cost and fee in the quote asset's units; `charged` is the fee in `fee_asset`'s.

    `at` is on the exchange's clock, `booked` the same instant on its owner's.
    """

    id: str
    position: str
    order: "Order" = field(repr=False)
    at: int
    booked: int
    price: int
    lots: int
    cost: int
    fee: int
    fee_asset: Asset
    charged: int
    maker: bool
    trade_id: int
    entries: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Amend:
    """One change in place: the terms before and after it, and what was left then. `booked` is on the owner's clock.

    `kind` is Kraken's: user, or restated when the exchange had to, for `reason`.
    """

    id: str
    kind: str
    at: int
    booked: int
    before: Terms
    after: Terms
    left: int
    post: bool = False
    reason: str | None = None


@dataclass(slots=True, eq=False)
class Order:
    """An order's record, the `serial`th that was accepted. `status` is Kraken's: open, closed (filled), canceled, expired.

    `opened` and `closed` are on the exchange's clock, `since` and `until` the same instants on its owner's; so is `live`,
    from when on Kraken calls it open and no longer pending. `parent` is the order whose fill brought it forth, `watch`
    what its trigger has seen, and `phase` whether it waits for its time, for its trigger, or trades.
    `fee_cap` (ppm) is the highest fee it can be charged and `reserve` what it first held: holds follow from both.
    """

    id: str
    terms: Terms
    opened: int
    serial: int = 0
    status: str = "open"
    fee_cap: int = 0
    reserve: int = 0
    filled: int = 0
    cost: int = 0
    fee: int = 0
    fee_usd: float = 0.0
    closed: int | None = None
    since: int = 0
    until: int | None = None
    reason: str | None = None
    trades: list[Trade] = field(default_factory=list)
    resting: Resting | None = field(default=None, repr=False)
    parent: str | None = None
    phase: Phase = "active"
    live: int | None = None
    watch: Watch | None = None
    amends: list[Amend] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Return the lots not filled yet."""
        return self.terms.lots - self.filled

    @property
    def open(self) -> bool:
        """Tell whether it can still trade."""
        return self.status == "open"

    @property
    def touched(self) -> int:
        """Return when it was made or last amended, on the owner's clock: what its age is counted from."""
        return next((amend.booked for amend in reversed(self.amends) if amend.kind == "user"), self.since)

    @property
    def fired(self) -> bool:
        """Tell whether its trigger was set off."""
        return self.watch is not None and self.watch.fired is not None

    def terms_at(self, as_of: int) -> Terms:
        """Return the terms as they stood at that instant of the owner's clock."""
        return next((amend.before for amend in self.amends if amend.booked > as_of), self.terms)


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an order's life, with its figures at that moment; `counter` is its pair's engine counter, in units.

    `shown` is what the book then showed of an iceberg.
    """

    kind: str
    order: Order
    terms: Terms
    at: int
    status: str
    filled: int
    cost: int
    average: int
    fee_usd: float
    trade: Trade | None = None
    reason: str | None = None
    counter: int = 0
    watch: Watch | None = None
    shown: int = 0
    amended: bool = False


def event(kind: str, order: Order, at: int, *, status: str, trade: Trade | None = None, counter: int = 0) -> Event:
    """Take down a step of an order's life."""
    average = average_price(order.terms.pair, order.cost, order.filled)
    return Event(
        kind,
        order,
        order.terms,
        at,
        status,
        order.filled,
        order.cost,
        average,
        order.fee_usd,
        trade=trade,
        reason=order.reason,
        counter=counter,
        watch=None if order.watch is None else replace(order.watch),
        shown=0 if order.resting is None else order.resting.qty,
        amended=bool(order.amends),
    )


def average_price(pair: Pair, cost: int, filled: int) -> int:
    """Return cost / filled in units of 10^-price_decimals; 0 before the first fill."""
    if not filled:
        return 0
    divisor = filled * 10**pair.quote.decimals
    return int((cost * 10 ** (pair.lot_decimals + price_decimals(pair)) + divisor // 2) // divisor)


def price_texts(terms: Terms) -> tuple[str, str]:
    """Return an order's price and price2 as AddOrder takes them; "0" for what it has none of."""
    trigger, decimals = terms.trigger, terms.pair.pair_decimals
    limit = "0" if terms.price is None else fixed(terms.price, decimals)
    if trigger is None:
        return limit, "0"
    if trigger.trail is None:
        return fixed(trigger.stop, decimals), limit
    return trigger.trail.text(terms.pair), "0" if trigger.limit is None else trigger.limit.text(terms.pair)


def price_decimals(pair: Pair) -> int:
    """Return the places Kraken prints an average or public price with: five, or the pair's own if more."""
    return max(5, pair.pair_decimals)


def shown_cost(pair: Pair, amount: int) -> int:
    """Return an amount of the quote asset in the pair's cost_decimals."""
    return rescale(amount, pair.quote.decimals, pair.cost_decimals)
