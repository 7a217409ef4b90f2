"""What an order is worth, in its quote asset and in US dollars, by pictures that are live.

A limit order is reckoned at its own price, a market order at the touch plus a slippage cap. Where a picture is missing there
is no figure: nothing is guessed, and nothing is asked of the exchange. What a figure may be is app/risk.py's to say.
"""

from dataclasses import dataclass
from decimal import Context, Decimal

from execsvc.app.feeds import Feeds
from execsvc.domain import money
from execsvc.domain.market import Side
from execsvc.domain.order import OrderSpec

SLIPPAGE_CAP = Decimal("1.01")
DOLLARS = frozenset({"USD", "USDT", "USDC"})
_CENT = Decimal("0.01")
_WIDE = Context(prec=60)  # 18 digits times 18 digits, twice over, do not fit into the usual 28


@dataclass(frozen=True)
class Worth:
    """`notional` is price times quantity, in quote units; read_ns: when the price was read, None for the order's own."""

    notional: Decimal
    price: Decimal
    read_ns: int | None = None


def worth(spec: OrderSpec, feeds: Feeds) -> Worth | None:
    """Of an order with a canonical symbol; None: no live price to reckon with."""
    if spec.limit_price is not None:
        return Worth(money.product(spec.limit_price, spec.base_quantity), spec.limit_price)
    ticker = feeds.live_ticker(spec.symbol)
    if ticker is None:
        return None
    touch = ticker.ask_price if spec.side is Side.BUY else ticker.bid_price
    if touch is None:
        return None
    price = money.product(touch, SLIPPAGE_CAP)
    return Worth(money.product(price, spec.base_quantity), price, ticker.times.receive_ns)


def in_dollars(notional: Decimal, quote: str, feeds: Feeds) -> Decimal | None:
    """A figure in quote units over the live ticker of QUOTE/USD; None: no live price of it."""
    if quote in DOLLARS:
        return notional
    ticker = feeds.live_ticker(f"{quote}/USD")
    return None if ticker is None or ticker.ask_price is None else money.product(notional, ticker.ask_price)


def cents(figure: Decimal) -> str:
    """The figure to the cent, for people; however large it is."""
    return money.text(figure.quantize(_CENT, context=_WIDE))
