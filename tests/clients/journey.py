"""What a quickstart must have printed after a whole journey against the real gateway, in any language."""

from decimal import Decimal

from toolchains import Run


def check(done: Run) -> None:
    """Demand every step in order, one id throughout, prices on the tick, and an order that ended unfilled."""
    assert (0, "") == (done.exit_code, done.stderr), done
    steps = [name for name in done.names() if name != "in_doubt"]
    assert ["connected", "tickers", "placing", "placed", "read", "cancelling", "cancelled"] == steps
    assert "paper" == done.step("connected")["venue"]
    assert {"BTC/USD", "ETH/USD"} == set(done.step("tickers")["bids"])
    assert done.step("tickers")["updates"] >= 3
    ids = {step["client_order_id"] for step in done.steps if "client_order_id" in step}
    assert 1 == len(ids)
    bid, limit = (
        Decimal(text) for text in (done.step("tickers")["bids"]["BTC/USD"], done.step("placing")["limit_price"])
    )
    assert Decimal(0) == limit % Decimal("0.1")
    assert bid * Decimal("0.97") - Decimal("0.1") < limit <= bid * Decimal("0.97")
    assert "OPEN" == done.step("read")["status"]
    assert "CANCELLED" == done.step("cancelled")["status"]
    assert Decimal(0) == Decimal(done.step("cancelled")["filled_quantity"])
