"""Pre-trade limits, checked before an intent is written: in this build the largest order notional.

Missing or stale data refuses (promises.md P7); but a pair whose price was missing once is followed from then on, so that the
next order need not wait for somebody else to subscribe. The figure is in US dollars, as app/worth.py reckons it. The full set
of controls is a later slice.
"""

from collections import OrderedDict
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from decimal import Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.hub import Delivery
from execsvc.app.worth import cents, in_dollars, worth
from execsvc.domain import money
from execsvc.domain.caller import Caller
from execsvc.domain.errors import ExecsvcError, Reason, refuse
from execsvc.domain.instrument import Instrument
from execsvc.domain.spec import OrderSpec

FOLLOWED_MAX = 64  # pairs; the one that was wanted longest ago goes first
_NEWEST = Delivery(conflate=True)


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
        self._followed: OrderedDict[str, ExitStack] = OrderedDict()

    def __repr__(self) -> str:
        return f"<RiskDesk {self._limits} following {list(self._followed)}>"

    def check(self, who: Caller, instrument: Instrument, spec: OrderSpec) -> None:  # noqa: ARG002 - limits by caller come here
        """Raises RISK_REFUSED with value and limit."""
        limit = self._limits.max_order_notional
        if limit is None or closes_what_is_held(spec):
            return
        reckoned = worth(spec, self._feeds)
        if reckoned is None:
            raise self._unpriced(instrument.symbol)
        notional = in_dollars(reckoned.notional, instrument.quote, self._feeds)
        if notional is None:
            raise self._unpriced(f"{instrument.quote}/USD")
        if notional > limit:
            value = cents(notional)
            raise refuse(
                Reason.RISK_REFUSED,
                f"order notional {value} USD is above the limit of {money.text(limit)} USD; nothing was sent",
                check="max_order_notional",
                value=value,
                limit=money.text(limit),
            )

    def _unpriced(self, symbol: str) -> ExecsvcError:
        """The refusal for want of a price, which from now on is listened for."""
        follows = self._follow(symbol)
        return refuse(
            Reason.RISK_REFUSED,
            f"no live price of {symbol} to value the order with; nothing was sent"
            f"{', it is followed from now on: try again in a moment' if follows else ''}",
            check="max_order_notional",
            value="",
            limit="",
        )

    def _follow(self, symbol: str) -> bool:
        """Keep the pair's ticker; whether it is kept. A pair that is not listed has none."""
        if symbol in self._followed:
            self._followed.move_to_end(symbol)
            return True
        with suppress(ExecsvcError), ExitStack() as kept:
            kept.enter_context(self._feeds.tickers((self._catalog.instrument(symbol).symbol,), _NEWEST))
            self._followed[symbol] = kept.pop_all()
        while len(self._followed) > FOLLOWED_MAX:
            self._followed.popitem(last=False)[1].close()
        return symbol in self._followed


def closes_what_is_held(spec: OrderSpec) -> bool:
    """Whether it can be no larger than a position that is there, whose size only Kraken knows: no limit holds it back."""
    return spec.full_position
