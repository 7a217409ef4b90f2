"""The little trader: the smallest order that passes, at its own side of the touch, and none on a stale price."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from execsvc_api.v1 import market_data_pb2
from execsvc_client import (
    Connected,
    Disconnected,
    ExecsvcError,
    Facts,
    FeedState,
    Gap,
    GapReason,
    InstrumentStatus,
    StateChanged,
    TickerUpdate,
)
from execsvc_client._market import read_instrument, read_ticker
from execsvc_client._orders import read_order
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from execsvc.cli import demo

INSTRUMENT = read_instrument(
    market_data_pb2.Instrument(
        symbol="BTC/USD", status=1, price_increment="0.1", quantity_increment="0.00000001", min_quantity="0.00005",
        min_cost="0.5",
    )
)  # fmt: skip


def ticker(bid="60000.0", ask="60000.1"):
    return read_ticker(market_data_pb2.Ticker(symbol="BTC/USD", bid_price=bid, ask_price=ask))


def update(state=FeedState.LIVE, **prices):
    return TickerUpdate(ticker(**prices), state, False, 0, None)


prices = st.decimals(min_value="0.1", max_value="1000000", places=1)
increments = st.sampled_from([Decimal("0.00000001"), Decimal("0.001"), Decimal(1)])
least = st.decimals(min_value="0.00005", max_value="100", places=5)


@given(prices, increments, least, st.sampled_from(["buy", "sell"]))
def test_wishes_meet_the_rules(price, increment, minimum, side):
    """Whole lots, at least the minimum quantity and cost, less than one lot more than needed, at the touch."""
    instrument = replace(INSTRUMENT, quantity_increment=increment, min_quantity=minimum)
    wish = demo.decide(ticker(str(price), str(price)), instrument, side)
    assert wish is not None
    assert wish.price == price
    assert wish.quantity % increment == 0
    needed = max(minimum, Decimal("0.5") / price)
    assert needed <= wish.quantity < needed + increment


def test_each_side_rests_at_its_own_touch():
    """A buy at the bid, a sell at the ask: neither takes."""
    assert demo.decide(ticker(), INSTRUMENT, "buy").price == Decimal("60000.0")
    assert demo.decide(ticker(), INSTRUMENT, "sell").price == Decimal("60000.1")


def test_no_wish_without_a_price_or_a_market():
    """An empty side and a pair that is not open give nothing to do."""
    assert demo.decide(ticker(bid=""), INSTRUMENT, "buy") is None
    closed = replace(INSTRUMENT, status=InstrumentStatus.CANCEL_ONLY)
    assert demo.decide(ticker(), closed, "sell") is None


@pytest.mark.parametrize(
    "spoils",
    [
        update(FeedState.STALE),
        StateChanged(FeedState.STALE, ("BTC/USD",)),
        Gap(GapReason.UPSTREAM_RECONNECT, (), None, None),
        Gap(GapReason.UPSTREAM_RECONNECT, ("BTC/USD",), None, None),
        Disconnected(ExecsvcError(Facts(StatusCode.UNAVAILABLE, "gone")), 1.0),
    ],
    ids=lambda event: type(event).__name__,
)
def test_stale_prices_are_not_looked_at(spoils):
    """After anything that casts doubt on a price there is none, until a live one comes."""
    known = demo.Prices()
    known.take(Connected("s", "e"))
    known.take(update())
    assert known.fresh("BTC/USD") is not None
    known.take(spoils)
    assert known.fresh("BTC/USD") is None
    known.take(StateChanged(FeedState.LIVE, ()))
    known.take(update())
    assert known.fresh("BTC/USD") is not None


class Gateway:
    """What the trader needs of a client, and what it did with it."""

    def __init__(self, resting=0):
        self.resting = resting
        self.placed, self.cancelled = [], []

    async def orders(self, *, statuses):
        from execsvc_api.v1 import order_pb2

        for number in reversed(range(self.resting)):
            wire = order_pb2.Order(client_order_id=f"c-{number}", status=4, filled_quantity="0", filled_cost="0")
            wire.spec.label = "demo"
            yield read_order(wire)
        yield read_order(order_pb2.Order(client_order_id="mine", status=4, filled_quantity="0", filled_cost="0"))

    async def cancel(self, order):
        self.cancelled.append(order.client_order_id)

    async def instruments(self, symbol):
        return (INSTRUMENT,)

    async def place(self, symbol, side, **wish):
        self.placed.append((symbol, side, wish))


async def test_step_places_a_resting_order():
    """One small post-only order, tagged, when the price is fresh."""
    gateway, known = Gateway(), demo.Prices()
    known.take(update())
    await demo.step(gateway, known, "BTC/USD", "buy")
    ((symbol, side, wish),) = gateway.placed
    assert ("BTC/USD", "buy", True, "demo") == (symbol, side, wish["post_only"], wish["label"])


async def test_step_places_nothing_on_a_stale_price():
    """Without a fresh price the step only tidies up."""
    gateway = Gateway()
    await demo.step(gateway, demo.Prices(), "BTC/USD", "buy")
    assert gateway.placed == []


@pytest.mark.parametrize(("resting", "cancelled"), [(0, []), (3, []), (4, ["c-0"]), (6, ["c-2", "c-1", "c-0"])])
async def test_open_orders_never_pile_up(resting, cancelled):
    """The oldest of its own go before another comes; orders of others are left alone."""
    gateway = Gateway(resting)
    await demo.step(gateway, demo.Prices(), "BTC/USD", "buy")
    assert cancelled == gateway.cancelled


async def test_trade_goes_on_after_a_refusal(monkeypatch):
    """What the gateway refuses now is left for the next step, at the pace it was given."""
    slept, steps = [], []

    async def sleep(seconds):
        slept.append(seconds)
        await asyncio.sleep(0)

    async def step(client, known, symbol, side):
        steps.append((symbol, side))
        if len(steps) == 8:
            raise asyncio.CancelledError
        raise ExecsvcError(Facts(StatusCode.UNAVAILABLE, "not now"))

    monkeypatch.setattr(demo, "step", step)
    with pytest.raises(asyncio.CancelledError):
        await demo.trade("127.0.0.1:1", every_s=0.25, sleep=sleep)
    assert slept == [0.25] * 8
    assert [("BTC/USD", "buy"), ("BTC/USD", "sell"), ("ETH/USD", "buy")] == steps[:3]
    assert steps[6] == ("BTC/USD", "buy")
