"""Pre-trade limits, checked before an intent is written: in this build the largest order notional.

Missing or stale data refuses (promises.md P7). The figure is in US dollars, as app/worth.py reckons it. The full set of
controls is a later slice.
"""

from dataclasses import dataclass
from decimal import Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.worth import cents, in_dollars, worth
from execsvc.domain import money
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.instrument import Instrument
from execsvc.domain.order import OrderSpec


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
        reckoned = worth(spec, self._feeds)
        if reckoned is None:
            raise _unpriced(instrument.symbol)
        notional = in_dollars(reckoned.notional, instrument.quote, self._feeds)
        if notional is None:
            raise _unpriced(f"{instrument.quote}/USD")
        if notional > limit:
            value = cents(notional)
            raise refuse(
                Reason.RISK_REFUSED,
                f"order notional {value} USD is above the limit of {money.text(limit)} USD; nothing was sent",
                check="max_order_notional",
                value=value,
                limit=money.text(limit),
            )


def _unpriced(symbol: str) -> ExecsvcError:
    return refuse(
        Reason.RISK_REFUSED,
        f"no live price of {symbol} to value the order with; nothing was sent, subscribe to it and try again",
        check="max_order_notional",
        value="",
        limit="",
    )
