"""All orders and trades of the account, in order of acceptance, and every way to find one again.

Of the ended orders only the newest are kept. What an order is stands in orders.py.
"""

from collections.abc import Iterator

from .orders import Order, Trade
from .words import CL_ORD_ID_TAKEN, Refused

_HEX_OF_128_BITS = 32


def id_form(cl_ord_id: str) -> str:
    """Return what makes two client ids the same: a UUID with and without dashes is one 128-bit number."""
    bare = cl_ord_id.replace("-", "").lower()
    return bare if len(bare) == _HEX_OF_128_BITS else cl_ord_id


class Serials:
    """Counts the orders that were accepted on the whole exchange; `taken` is how many."""

    def __init__(self) -> None:
        self.taken = 0

    def take(self) -> int:
        """Return the number of the next one."""
        self.taken += 1
        return self.taken - 1


class Orders:
    """All orders and trades of the account, in order of acceptance; of the ended ones only the last `keep` (None: all).

    `count` is how many were ever accepted, `forgotten` how many of those were dropped.
    """

    def __init__(self, *, keep: int | None, serials: Serials | None = None) -> None:
        self._keep = keep
        self._serials = serials or Serials()
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
        order.serial, self.count = self._serials.take(), self.count + 1
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
