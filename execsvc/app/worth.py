"""What an order is worth, in its quote asset and in US dollars, by pictures that are live.

An order with a limit is reckoned at that price, a stop at its trigger and a market order at the touch, both plus a slippage
cap. Where the market may make it dearer than its own word, the market counts: a sale below what is bid gets that, and a stop
on the wrong side of the market fires at once. Where a picture is missing there is no figure: nothing is guessed, and nothing
is asked of the exchange. What a figure may be is app/risk.py's to say.
"""

from dataclasses import dataclass
from decimal import Context, Decimal

from execsvc.app.feeds import Feeds
from execsvc.domain import money
from execsvc.domain.collar import Market
from execsvc.domain.market import Side
from execsvc.domain.spec import Offset, OrderSpec, OrderType

SLIPPAGE_CAP = Decimal("1.01")
DOLLARS = frozenset({"USD", "USDT", "USDC"})
_WIDE = Context(prec=60)  # 18 digits times 18 digits, twice over, do not fit into the usual 28


@dataclass(frozen=True)
class Worth:
    """`notional` is price times quantity, in quote units; read_ns: when the price was read, None for the order's own.

    price is None where none was needed: the order itself says what it may cost.
    """

    notional: Decimal
    price: Decimal | None
    read_ns: int | None = None


def worth(spec: OrderSpec, feeds: Feeds) -> Worth | None:
    """Of an order with a canonical symbol; None: no live price to reckon with, or no quantity (a whole position)."""
    if spec.quote_quantity is not None:
        return Worth(spec.quote_quantity, None)
    if spec.base_quantity is None:
        return None
    price = own_price(spec)
    if price is None:
        return _at_the_touch(spec, spec.base_quantity, feeds)
    own = Worth(money.product(price, spec.base_quantity), price)
    return _or_the_market(own, price, spec, spec.base_quantity, feeds) if _may_exceed_its_word(spec) else own


def _may_exceed_its_word(spec: OrderSpec) -> bool:
    """Whether the market may make it dearer than it says: a sale, and what waits for a rise and does not limit its price."""
    if spec.trigger_price is None:
        return spec.side is Side.SELL
    waits_above = (spec.side is Side.BUY) is (spec.order_type is OrderType.STOP_LOSS)
    return waits_above and (spec.side is Side.SELL or spec.limit_price is None)


def _or_the_market(own: Worth, price: Decimal, spec: OrderSpec, quantity: Decimal, feeds: Feeds) -> Worth | None:
    """At the touch where that is dearer. A sale at a limit needs a picture, and no bid in it."""
    ticker = feeds.live_ticker(spec.symbol)
    touch = None if ticker is None else ticker.ask_price if spec.side is Side.BUY else ticker.bid_price
    if ticker is None or touch is None:
        return own if ticker is not None and spec.trigger_price is None else None
    if spec.limit_price is None:
        touch = money.product(touch, SLIPPAGE_CAP)
    return own if touch <= price else Worth(money.product(touch, quantity), touch, ticker.times.receive_ns)


def own_price(spec: OrderSpec) -> Decimal | None:
    """The dearest price by the order's own word, in quote units; None: it says none."""
    limit, trigger = spec.limit_price, spec.trigger_price
    if limit is None:
        return None if trigger is None else money.product(trigger, SLIPPAGE_CAP)
    return limit if trigger is None or spec.side is Side.BUY else max(limit, trigger)


def market_of(symbol: str, feeds: Feeds) -> Market | None:
    """The pair as it is shown now; None: no live picture of it, or one side of its book is empty."""
    ticker = feeds.live_ticker(symbol)
    if ticker is None or not ticker.bid_price or not ticker.ask_price:
        return None
    return Market(ticker.bid_price, ticker.ask_price, ticker.volume_24h)


def _at_the_touch(spec: OrderSpec, quantity: Decimal, feeds: Feeds) -> Worth | None:
    """A market order, and a trailing stop as if it fired from here: a buy then fires that much higher."""
    ticker = feeds.live_ticker(spec.symbol)
    if ticker is None:
        return None
    touch = ticker.ask_price if spec.side is Side.BUY else ticker.bid_price
    if touch is None:
        return None
    if spec.offset is not None and spec.side is Side.BUY:
        touch = _away(touch, spec.offset)
    price = money.product(touch, SLIPPAGE_CAP)
    return Worth(money.product(price, quantity), price, ticker.times.receive_ns)


def _away(price: Decimal, offset: Offset) -> Decimal:
    if not offset.percent:
        return _WIDE.add(price, offset.value)
    return _WIDE.add(price, _WIDE.divide(money.product(price, offset.value), Decimal(100)))


def in_dollars(notional: Decimal, quote: str, feeds: Feeds) -> Decimal | None:
    """A figure in quote units over the live ticker of QUOTE/USD; None: no live price of it."""
    if quote in DOLLARS:
        return notional
    ticker = feeds.live_ticker(f"{quote}/USD")
    return None if ticker is None or ticker.ask_price is None else money.product(notional, ticker.ask_price)
