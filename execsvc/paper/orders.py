"""The trader's orders and trades as the exchange keeps them, and where to find them again.

`Terms` is what was asked for and never changes; `Order` is the exchange's record of what became of it; `Event` is one
step of its life, with the figures of that step, for the executions stream.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .figures import rescale
from .matching import Resting, Side
from .pairs import Asset, Pair
from .words import CL_ORD_ID_TAKEN, Refused

_HEX_OF_128_BITS = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """An order as asked for. `lots` is the volume in the base asset, `budget` in the quote asset's units (viqc)."""

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


@dataclass(slots=True, eq=False)
class Order:
    """An order's record, the `serial`th that was accepted. `status` is Kraken's: open, closed (filled), canceled, expired.

    `opened` and `closed` are on the exchange's clock, `since` and `until` the same instants on its owner's.
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

    @property
    def left(self) -> int:
        """Return the lots not filled yet."""
        return self.terms.lots - self.filled

    @property
    def open(self) -> bool:
        """Tell whether it can still trade."""
        return self.status == "open"


@dataclass(frozen=True, slots=True)
class Event:
    """One step of an order's life, with its figures at that moment; `counter` is its pair's engine counter, in units."""

    kind: str
    order: Order
    at: int
    status: str
    filled: int
    cost: int
    average: int
    fee_usd: float
    trade: Trade | None = None
    reason: str | None = None
    counter: int = 0


def event(kind: str, order: Order, at: int, *, status: str, trade: Trade | None = None, counter: int = 0) -> Event:
    """Take down a step of an order's life."""
    average = average_price(order.terms.pair, order.cost, order.filled)
    return Event(
        kind,
        order,
        at,
        status,
        order.filled,
        order.cost,
        average,
        order.fee_usd,
        trade=trade,
        reason=order.reason,
        counter=counter,
    )


def average_price(pair: Pair, cost: int, filled: int) -> int:
    """Return cost / filled in units of 10^-price_decimals; 0 before the first fill."""
    if not filled:
        return 0
    divisor = filled * 10**pair.quote.decimals
    return int((cost * 10 ** (pair.lot_decimals + price_decimals(pair)) + divisor // 2) // divisor)


def price_decimals(pair: Pair) -> int:
    """Return the places Kraken prints an average or public price with: five, or the pair's own if more."""
    return max(5, pair.pair_decimals)


def shown_cost(pair: Pair, amount: int) -> int:
    """Return an amount of the quote asset in the pair's cost_decimals."""
    return rescale(amount, pair.quote.decimals, pair.cost_decimals)


def id_form(cl_ord_id: str) -> str:
    """Return what makes two client ids the same: a UUID with and without dashes is one 128-bit number."""
    bare = cl_ord_id.replace("-", "").lower()
    return bare if len(bare) == _HEX_OF_128_BITS else cl_ord_id


class Orders:
    """All orders and trades of the account, in order of acceptance; of the ended ones only the last `keep` (None: all).

    `count` is how many were ever accepted, `forgotten` how many of those were dropped.
    """

    def __init__(self, *, keep: int | None) -> None:
        self._keep = keep
        self.count = 0
        self.forgotten = 0
        self._all: dict[str, Order] = {}
        self._open: dict[str, Order] = {}
        self._closed: dict[str, Order] = {}
        self._open_on: dict[str, int] = {}
        self.trades: dict[str, Trade] = {}
        self._client_ids: dict[str, str] = {}
        self._by_client: dict[str, list[Order]] = {}

    def add(self, order: Order) -> None:
        """Take in a new open order; raises Refused when an open order carries its client id already."""
        self.claim(order.terms.cl_ord_id)
        order.serial, self.count = self.count, self.count + 1
        self._all[order.id] = self._open[order.id] = order
        self._open_on[order.terms.pair.id] = self.open_on(order.terms.pair.id) + 1
        if order.terms.cl_ord_id:
            form = id_form(order.terms.cl_ord_id)
            self._client_ids[form] = order.id
            self._by_client.setdefault(form, []).append(order)

    def claim(self, cl_ord_id: str | None) -> None:
        """Raise Refused when an open order carries this client id."""
        if cl_ord_id and id_form(cl_ord_id) in self._client_ids:
            raise Refused(CL_ORD_ID_TAKEN)

    def close(self, order: Order) -> None:
        """Move an order that has ended out of the open ones; its client id is free again."""
        del self._open[order.id]
        self._open_on[order.terms.pair.id] -= 1
        self._closed[order.id] = order
        if order.terms.cl_ord_id:
            del self._client_ids[id_form(order.terms.cl_ord_id)]
        self._forget()

    def get(self, order_id: str) -> Order | None:
        """Find an order by its id."""
        return self._all.get(order_id)

    def by_client_id(self, cl_ord_id: str) -> Order | None:
        """Find the open order with this client id."""
        return self._open.get(self._client_ids.get(id_form(cl_ord_id), ""))

    def of_client_id(self, cl_ord_id: str) -> list[Order]:
        """Return the orders that carry this client id, open or ended, in order of acceptance."""
        return list(self._by_client.get(id_form(cl_ord_id), ()))

    def accepted(self) -> Iterator[Order]:
        """Yield every order ever accepted and not forgotten, in order of acceptance."""
        yield from self._all.values()

    def open_ones(self) -> list[Order]:
        """Return the open orders, oldest first."""
        return list(self._open.values())

    def open_on(self, pair_id: str) -> int:
        """Return how many orders are open on a pair."""
        return self._open_on.get(pair_id, 0)

    def newest_ended(self) -> Iterator[Order]:
        """Yield the ended orders, the last one to end first."""
        return reversed(self._closed.values())

    def _forget(self) -> None:
        while self._keep is not None and len(self._closed) > self._keep:
            order = self._closed.pop(next(iter(self._closed)))
            self.forgotten += 1
            del self._all[order.id]
            for trade in order.trades:
                self.trades.pop(trade.id, None)
            if order.terms.cl_ord_id:
                form = id_form(order.terms.cl_ord_id)
                self._by_client[form].remove(order)
                if not self._by_client[form]:
                    del self._by_client[form]
