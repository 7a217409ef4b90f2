"""The wire of a run, which also notes every change of an order that left a gateway: what is sent twice is seen here only."""

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


class WatchedWire(Wire):
    """As Wire; `amends` are the AmendOrder requests that processes put on their way, arrived or not."""

    def __init__(self, loop, exchange, note):
        super().__init__(loop, exchange, note)
        self.amends = []

    def carry(self, process, request, passage, answer):
        if request.call == "AmendOrder":
            told = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
            wish = {ours: Decimal(told[name]) for name, ours in _FIGURES.items() if name in told}
            self.amends.append(Sent(wish, told["nonce"], self.loop.now))
        super().carry(process, request, passage, answer)
