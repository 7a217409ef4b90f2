"""Pre-trade limits, checked before an intent is written: in this build the largest order notional.

Missing or stale data refuses (promises.md P7). The figure is in US dollars; an order in another quote is valued over the
live ticker of QUOTE/USD, a market order at the touch plus a slippage cap. The full set of controls is a later slice.
"""

from dataclasses import dataclass
from decimal import Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.domain import money
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.instrument import Instrument
from execsvc.domain.market import Side
from execsvc.domain.order import OrderSpec

SLIPPAGE_CAP = Decimal("1.01")
DOLLARS = frozenset({"USD", "USDT", "USDC"})


@dataclass(frozen=True)
class Limits:
    """max_order_notional in USD; None: no limit (paper only: live does not start without one)."""

    max_order_notional: Decimal | None = None


class RiskDesk:
    """Applies the limits to one order."""

    def __init__(self, limits: Limits, catalog: Catalog, feeds: Feeds) -> None:
        self._limits = limits
        self._catalog = catalog
        self._feeds = feeds

    def check(self, instrument: Instrument, spec: OrderSpec) -> None:
        """Raises RISK_REFUSED with value and limit."""
        limit = self._limits.max_order_notional
        if limit is None:
            return
        notional = money.product(self._in_quote(instrument, spec), self._dollars_per(instrument.quote))
        if notional > limit:
            value = money.text(notional.quantize(Decimal("0.01")))
            raise refuse(
                Reason.RISK_REFUSED,
                f"order notional {value} USD is above the limit of {money.text(limit)} USD; nothing was sent",
                check="max_order_notional",
                value=value,
                limit=money.text(limit),
            )

    def _in_quote(self, instrument: Instrument, spec: OrderSpec) -> Decimal:
        if spec.limit_price is not None:
            return money.product(spec.limit_price, spec.base_quantity)
        ticker = self._feeds.live_ticker(instrument.symbol)
        touch = None if ticker is None else (ticker.ask_price if spec.side is Side.BUY else ticker.bid_price)
        if touch is None:
            raise _unpriced(instrument.symbol)
        return money.product(money.product(touch, SLIPPAGE_CAP), spec.base_quantity)

    def _dollars_per(self, quote: str) -> Decimal:
        if quote in DOLLARS:
            return Decimal(1)
        ticker = self._feeds.live_ticker(f"{quote}/USD")
        if ticker is None or ticker.ask_price is None:
            raise _unpriced(f"{quote}/USD")
        return ticker.ask_price


def _unpriced(symbol: str) -> ExecsvcError:
    return refuse(
        Reason.RISK_REFUSED,
        f"no live price of {symbol} to value the order with; nothing was sent, subscribe to it and try again",
        check="max_order_notional",
        value="",
        limit="",
    )
