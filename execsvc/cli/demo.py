"""The little trader behind `execsvc dev`: a client like any other, so that nobody meets an empty blotter.

Every few seconds one tiny order that rests at the touch, buys and sells in turn; never more than a few open at a time,
and nothing at all while prices are stale. Not a strategy, and it never runs against live money.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from itertools import cycle
from typing import TYPE_CHECKING, Literal

from execsvc.cli.output import note

if TYPE_CHECKING:
    from execsvc_client import Client, Instrument, Order, Ticker, TickerEvent

Side = Literal["buy", "sell"]

LABEL = "demo"
OPEN_MAX = 4
AGAIN_S = 30.0
SYMBOLS = ("BTC/USD", "ETH/USD", "SOL/USD")
_SIDES: tuple[Side, ...] = ("buy", "sell")


@dataclass(frozen=True)
class Wish:
    """One order to place: base units, a price in quote units."""

    quantity: Decimal
    price: Decimal


async def trade(target: str, *, every_s: float, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Trade through the gateway at `target` until cancelled, one step every `every_s` seconds.

    Where the gateway wants a token it comes with the one beside the store; not let in, it says so once and knocks again. What
    the gateway refuses or cannot do now is left for the next step: the trader is company, not a task to finish.
    """
    from execsvc_client import Client, ExecsvcError

    from execsvc.cli.credentials import default_token

    said = False
    while True:
        try:
            async with (
                Client(target, token=default_token(target), name="execsvc-demo") as client,
                asyncio.TaskGroup() as group,
            ):
                prices = Prices()
                group.create_task(prices.follow(client))
                await _trade(client, prices, every_s, sleep)
        except* ExecsvcError as refused:
            if not said:
                note(
                    f"demo: no prices for the little trader, it asks again every {AGAIN_S:g} s: {refused.exceptions[0]}"
                )
                said = True
        await sleep(AGAIN_S)


async def _trade(client: "Client", prices: "Prices", every_s: float, sleep: Callable[[float], Awaitable[None]]) -> None:
    from execsvc_client import ExecsvcError

    for symbol, side in cycle([(symbol, side) for symbol in SYMBOLS for side in _SIDES]):
        await sleep(every_s)
        try:
            await step(client, prices, symbol, side)
        except ExecsvcError:
            prices.skipped += 1


class Prices:
    """The latest tickers, and whether they are fit to look at."""

    def __init__(self) -> None:
        self.skipped = 0
        self._tickers: dict[str, Ticker] = {}
        self._not_live: frozenset[str] = frozenset()

    async def follow(self, client: "Client") -> None:
        """Keep up with the stream until cancelled."""
        async for event in client.watch(SYMBOLS):
            self.take(event)

    def take(self, event: "TickerEvent") -> None:
        """One event of the stream."""
        from execsvc_client import Disconnected, FeedState, Gap, StateChanged, TickerUpdate

        match event:
            case TickerUpdate() if event.state == FeedState.LIVE:
                self._tickers[event.ticker.symbol] = event.ticker
            case TickerUpdate():
                self._tickers.pop(event.ticker.symbol, None)
            case StateChanged():
                self._not_live = frozenset(event.not_live)
            case Gap():
                for symbol in event.symbols or tuple(self._tickers):
                    self._tickers.pop(symbol, None)
            case Disconnected():
                self._tickers.clear()
            case _:
                return

    def fresh(self, symbol: str) -> "Ticker | None":
        """The ticker, unless it is stale."""
        return None if symbol in self._not_live else self._tickers.get(symbol)


async def step(client: "Client", prices: Prices, symbol: str, side: Side) -> None:
    """Make room if need be, then place one order if there is a price to look at."""
    from execsvc_client import OrderStatus

    resting = [
        each
        async for each in client.orders(statuses=(OrderStatus.PENDING, OrderStatus.OPEN))
        if each.label == LABEL and not each.cancel_requested
    ]
    for each in surplus(resting):
        await client.cancel(each)
    ticker = prices.fresh(symbol)
    if ticker is None:
        return
    (instrument,) = await client.instruments(symbol)
    wish = decide(ticker, instrument, side)
    if wish is not None:
        await client.place(symbol, side, quantity=wish.quantity, limit_price=wish.price, post_only=True, label=LABEL)


def surplus(resting: "list[Order]") -> "list[Order]":
    """Which orders must go so that one more still leaves OPEN_MAX; `resting` is newest first, the oldest go."""
    return resting[OPEN_MAX - 1 :]


def decide(ticker: "Ticker", instrument: "Instrument", side: Side) -> Wish | None:
    """The smallest order that the pair allows, resting at its own side of the touch; None if there is no such price."""
    from execsvc_client import InstrumentStatus

    price = ticker.bid_price if side == "buy" else ticker.ask_price
    if not price or instrument.status != InstrumentStatus.ONLINE:
        return None
    least = instrument.min_quantity
    if instrument.min_cost is not None:
        least = max(least, instrument.min_cost / price)
    lots = (least / instrument.quantity_increment).to_integral_value(rounding=ROUND_CEILING)
    return Wish(lots * instrument.quantity_increment, price)
