"""The wire of a run, which also notes what left a gateway: changes of orders, and orders; sent twice is seen here only."""

import json
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qs

from tests.sim.judges.amends import Sent
from tests.support.wire import Wire

_FIGURES = {
    "order_qty": "base_quantity",
    "limit_price": "limit_price",
    "trigger_price": "trigger_price",
    "display_qty": "display_quantity",
}


@dataclass(frozen=True)
class Placement:
    """One order that left a gateway, by the epoch of its process. reduces: it can but close what is held."""

    content: Decimal
    nonce: int
    at: float
    owner: int
    reduces: bool


class WatchedWire(Wire):
    """As Wire; `amends` are the AmendOrder requests that processes put on their way, arrived or not, `orders` the orders."""

    def __init__(self, loop, exchange, note):
        super().__init__(loop, exchange, note)
        self.amends = []
        self.orders = []

    def carry(self, process, request, passage, answer):
        now, owner = self.loop.now, int(process.name.rsplit("-", 1)[1])
        if request.call == "AmendOrder":
            told = _form(request)
            wish = {ours: Decimal(told[name]) for name, ours in _FIGURES.items() if name in told}
            self.amends.append(Sent(wish, told["nonce"], now, owner))
        elif request.call == "AddOrder":
            told = _form(request)
            reduces = told.get("reduce_only") == "true" and not any(name.startswith("close[") for name in told)
            self.orders.append(Placement(Decimal(told["volume"]), int(told["nonce"]), now, owner, reduces))
        elif request.call == "AddOrderBatch":
            told = json.loads(request.body)
            for row in told["orders"]:
                reduces = row.get("reduce_only") == "true" and "close" not in row
                self.orders.append(Placement(Decimal(row["volume"]), int(told["nonce"]), now, owner, reduces))
        super().carry(process, request, passage, answer)


def _form(request):
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
