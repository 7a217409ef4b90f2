"""More fills than the private stream's picture shows: an outage of sixty, once the gateway's and once its private line's.

The picture has the last 50 trades. What is older is read from Kraken's history before the stream counts as live.
"""

from decimal import Decimal

import pytest

from tests.fault.callers import cancel, client_of, place
from tests.fault.history_judge import findings
from tests.fault.history_reader import Reader
from tests.fault.history_storm import STILL, take
from tests.fault.lives import exchange_in, gateway_on, wait

pytestmark = [pytest.mark.process, pytest.mark.timeout(120)]

QUANTITY, BIT = Decimal("0.03"), Decimal("0.0002")


def gateway_dead(gateway, exchange, fill):
    gateway.life.kill()
    fill()
    gateway.start()
    gateway.serving()


def line_down(gateway, exchange, fill):
    exchange.fault(kind="refuse_ws", line="private", times="always")
    exchange.fault(kind="drop_ws", line="private")
    fill()
    exchange.mend()


@pytest.mark.parametrize("outage", [gateway_dead, line_down])
@pytest.mark.parametrize("fills", [40, 60, 130])
def test_every_fill_of_an_outage_is_told(tmp_path, nursery, outage, fills):
    """Each once, with fees and figures as the exchange's books have them, however many there were."""
    with exchange_in(tmp_path, nursery) as exchange, gateway_on(tmp_path, nursery, exchange) as gateway:
        exchange.ask("POST", "/market", STILL)
        gateway.start()
        gateway.serving()
        reader = Reader(gateway, "raw")
        reader.start()
        wait(reader.has_snapshot, 20.0, "the picture")
        with client_of(gateway.target) as client:
            assert place(client, "a", QUANTITY).word == "placed"
        outage(gateway, exchange, lambda: [take(exchange, BIT) for _ in range(fills)])
        with client_of(gateway.target) as client:
            cancel(client, "a")

        def books():
            return exchange.orders(), exchange.ask("GET", "/ledger")["entries"]

        try:
            wait(lambda: findings(reader.rows, *books()) == [], 30.0, "the journal has it all")
        finally:
            rows = reader.rows
            reader.kill()
        assert findings(rows, *books()) == []
        assert sum(row["event"] == "fill" for row in rows) == fills
