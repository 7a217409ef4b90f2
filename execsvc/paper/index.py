"""What queries get to see: the engine's orders and trades, as late as a lagging index shows them.

One index holds the open orders (QueryOrders looks there too), one the ended, one the trades. Each may be behind by a
time of its own for each order (the fault `index_lag`), so an order on its way from open to ended may for a moment be in
both or in neither. Instants here are the owner's.
"""

from collections.abc import Iterator
from itertools import takewhile
from typing import NamedTuple

from .faultplan import FaultPlan
from .mishap import IndexName
from .orders import Order, Trade
from .roll import Orders


class Seen(NamedTuple):
    """An order an index shows, as it stood at `as_of`."""

    order: Order
    as_of: int


class Index:
    """All three indexes of one account."""

    def __init__(self, orders: Orders, faults: FaultPlan) -> None:
        self._orders = orders
        self._faults = faults

    def open(self, now: int, cl_ord_id: str | None = None) -> list[Seen]:
        """Return what is listed as open, newest first; with a client id, only what carries it."""
        behind = self._faults.lagging(now)
        known = self._orders.open_ones() if cl_ord_id is None else self._orders.of_client_id(cl_ord_id)
        if not behind:
            return [Seen(order, now) for order in reversed(known) if order.open]
        if cl_ord_id is None:
            known += takewhile(lambda order: _ended_after(order, now - behind), self._orders.newest_ended())
        shown = [Seen(order, now - self._lag("open", order, now)) for order in known]
        shown = [seen for seen in shown if seen.order.since <= seen.as_of < (seen.order.until or _NEVER)]
        return sorted(shown, key=lambda seen: seen.order.serial, reverse=True)

    def ended(self, now: int, cl_ord_id: str | None = None) -> list[Order]:
        """Return what is listed as ended, the last one first; with a client id, only what carries it."""
        behind = self._faults.lagging(now)
        if cl_ord_id is None:
            known = self._orders.newest_ended()
        else:
            known = (order for order in reversed(self._orders.of_client_id(cl_ord_id)) if order.until is not None)
        if not behind:
            return list(known)
        settled = now - behind
        return [
            order
            for order in known
            if not _ended_after(order, settled) or not _ended_after(order, now - self._lag("closed", order, now))
        ]

    def one(self, order_id: str, now: int) -> Seen | None:
        """Return an order by its id, open or ended, or None when it does not show yet."""
        order = self._orders.get(order_id)
        if order is None:
            return None
        as_of = now - self._lag("open", order, now)
        return Seen(order, as_of) if order.since <= as_of else None

    def trades(self, now: int) -> Iterator[Trade]:
        """Yield the trades that show, the last one first."""
        behind = self._faults.lagging(now)
        for trade in reversed(self._orders.trades.values()):
            late = behind and trade.booked > now - behind
            if not late or trade.booked <= now - self._lag("trades", trade.order, now):
                yield trade

    def trade(self, trade_id: str, now: int) -> Trade | None:
        """Return a trade by its id, or None when it does not show yet."""
        trade = self._orders.trades.get(trade_id)
        if trade is None or trade.booked > now - self._lag("trades", trade.order, now):
            return None
        return trade

    def _lag(self, index: IndexName, order: Order, now: int) -> int:
        return self._faults.lag(index, order.id, order.serial, now)


_NEVER = 1 << 80


def _ended_after(order: Order, instant: int) -> bool:
    return order.until is not None and order.until > instant
