"""A gateway before a paper exchange, and a market that moves only as a test says: what tests of whole orders stand on.

The exchange's control port is the second witness: every order is compared with the exchange's own record of it.
"""

import time
from contextlib import contextmanager
from decimal import Decimal

from execsvc_client import WHOLE_POSITION, OrderStatus, Side, SyncClient

from tests.support.processes import clean_environ, free_port, paper_exchange, running, wait_serving

BTC = "BTC/USD"
BID, ASK, DEEP = "60000.0", "60000.1", "0.05"
PATIENCE_S = 15.0
LIVE = (OrderStatus.PENDING, OrderStatus.OPEN)
# How the exchange calls what the contract calls so.
THEIR_STATUS = {
    OrderStatus.PENDING: "open",
    OrderStatus.OPEN: "open",
    OrderStatus.FILLED: "closed",
    OrderStatus.CANCELLED: "canceled",
    OrderStatus.EXPIRED: "expired",
}


class OrderDesk:
    """The gateway's client, and the exchange behind its control port."""

    def __init__(self, client, exchange, target):
        self.client = client
        self.exchange = exchange
        self.target = target

    def still(self):
        """A narrow market of a twentieth of a bitcoin a level that nobody moves; the last price is at the ask."""
        self.market(frozen=True)
        self.stands_at(BID)
        self.market(take={"side": "buy", "qty": "0.001"})
        self.stands_at(BID)

    def market(self, **move):
        self.exchange.ask("POST", "/market", {"symbol": BTC, **move})

    def stands_at(self, price, *, levels=40):
        """The makers' best bid is there, the best ask a tick above."""
        self.market(price=price, qty=DEEP, levels=levels)

    def moves_to(self, price, *, levels=40):
        """Both sides go there, and a stranger sells there: the last price is what triggers look at."""
        self.stands_at(price, levels=levels)
        self.market(take={"side": "sell", "qty": "0.001"})

    def until(self, order, reached):
        """The order once `reached` says so; fails with its last state."""
        by = time.monotonic() + PATIENCE_S
        while time.monotonic() < by:
            found = self.client.get_order(order)
            if reached(found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"never got there: {found}")

    def became(self, order, status):
        """The order once it has this status, and the exchange's record says the same."""
        return self.until(order, lambda found: found.status is status and self.disagreement(found) == {})

    def record(self, order):
        """The exchange's own record of it."""
        (found,) = [each for each in self.exchange.orders() if each["order_id"] == order.order_id]
        return found

    def disagreement(self, order):
        """What the gateway tells otherwise than the exchange: name → (told, recorded)."""
        theirs = self.record(order)
        in_quote = sum((fee.amount for fee in order.fees if fee.asset == "USD"), Decimal(0))
        told = {
            "status": THEIR_STATUS[order.status],
            "vol_exec": order.filled_quantity,
            "cost": order.filled_cost,
            "side": order.side.name.lower(),
            "cl_ord_id": order.wire.venue_client_id,
        }
        if all(fee.asset == "USD" for fee in order.fees):
            told["fee"] = in_quote
        recorded = {name: type(value)(theirs[name]) for name, value in told.items()}
        return {name: (value, recorded[name]) for name, value in told.items() if value != recorded[name]}

    def traces(self):
        """What an order that was never taken must leave as it was: the orders there are, and the balances."""
        return [each["order_id"] for each in self.exchange.orders()], self.exchange.ask("GET", "/ledger")["accounts"]

    def proved(self):
        """What the exchange's ledger has against itself: nothing, as a rule."""
        ledger = self.exchange.ask("GET", "/ledger")
        return "" if ledger["balanced"] else ledger["error"]

    def tidy(self):
        """Cancel what is left of the gateway's own orders, and of the exchange's."""
        for each in self.client.orders(statuses=LIVE):
            self.client.cancel(each)
            self.until(each, lambda found: found.is_terminal)

    def flat(self):
        """The same, and whatever is open on margin is closed at the market."""
        self.tidy()
        for each in self.client.positions(BTC):
            closing = "sell" if each.side is Side.BUY else "buy"
            order = self.client.place(BTC, closing, quantity=WHOLE_POSITION, market=True, leverage=2).order
            self.became(order, OrderStatus.FILLED)


@contextmanager
def order_desk(home, *paper):
    """Both processes, with a tier that never refuses; `paper`: more words for the exchange."""
    listen = f"127.0.0.1:{free_port()}"
    with paper_exchange(home, "--tier", "unlimited", *paper) as exchange:
        venue = {name: value for name, value in exchange.environ.items() if "CONTROL" not in name}
        environ = clean_environ(home, EXECSVC_LISTEN=listen, EXECSVC_HTTP_LISTEN="off", **venue)
        with running(["serve"], environ):
            wait_serving(listen)
            with SyncClient(listen) as client:
                yield OrderDesk(client, exchange, listen)
