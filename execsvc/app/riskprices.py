"""The prices that limits are held against: the live pictures of pairs, which are followed as soon as one is missing.

A picture is live while its line speaks: the exchange vouched for it within the last five seconds (app/links.py). Missing or
stale data is told as missing, and nothing is guessed (promises.md P7). A pair whose price was missing once is followed from
then on, so that the next order need not wait for somebody else to subscribe.
"""

from collections import OrderedDict
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from decimal import Decimal

from execsvc.app.catalog import Catalog
from execsvc.app.feeds import Feeds
from execsvc.app.hub import Delivery
from execsvc.app.worth import DOLLARS, Worth, in_dollars, market_of, worth
from execsvc.domain import money
from execsvc.domain.collar import Market
from execsvc.domain.errors import ExecsvcError
from execsvc.domain.spec import OrderSpec
from execsvc.ports import Clock

FOLLOWED_MAX = 64  # pairs; the one that was wanted longest ago goes first
ARRIVES_S = 1.5  # so long is a first picture waited for, once
LOOK_EVERY_S = 0.02
_NEWEST = Delivery(conflate=True)


class Prices:
    """Of one account's limits."""

    def __init__(self, catalog: Catalog, feeds: Feeds, clock: Clock) -> None:
        self._catalog = catalog
        self._feeds = feeds
        self._clock = clock
        self._followed: OrderedDict[str, ExitStack] = OrderedDict()
        self._since: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Prices following {list(self._followed)}>"

    def market(self, symbol: str) -> Market | None:
        """Both sides of the touch; None: no live picture, or one side is empty."""
        return market_of(symbol, self._feeds)

    def mid(self, symbol: str) -> Decimal | None:
        """Halfway between them."""
        market = self.market(symbol)
        return None if market is None else market.mid

    def worth(self, spec: OrderSpec) -> Worth | None:
        """See app/worth.py."""
        return worth(spec, self._feeds)

    def dollars(self, amount: Decimal, asset: str) -> Decimal | None:
        """What such an amount would cost; None: no live price of ASSET/USD."""
        return in_dollars(amount, asset, self._feeds)

    def marked(self, amount: Decimal, asset: str) -> Decimal | None:
        """What it is worth at the mid; None as above."""
        if asset in DOLLARS or not amount:
            return amount
        mid = self.mid(f"{asset}/USD")
        return None if mid is None else money.product(amount, mid)

    def follow(self, symbols: Iterable[str]) -> bool:
        """Keeps their tickers from now on; whether every one is kept. A pair that is not listed has none."""
        kept = [self._follow(symbol) for symbol in symbols]
        return all(kept)

    async def arrive(self, symbols: Iterable[str], by: float) -> bool:
        """Waits for first pictures of pairs that were not followed before: whether it was worth it, and all are live now."""
        wanted = tuple(symbols)
        clock = self._clock
        if not all(symbol in self._since for symbol in wanted):
            return False
        until = min(by, *(self._since[symbol] + ARRIVES_S for symbol in wanted))
        if until <= clock.monotonic():
            return False
        while not all(self._is_live(symbol) for symbol in wanted):
            if clock.monotonic() >= until:
                return False
            await clock.sleep(LOOK_EVERY_S)
        return True

    def _is_live(self, symbol: str) -> bool:
        return self._feeds.live_ticker(symbol) is not None

    def _follow(self, symbol: str) -> bool:
        if symbol in self._followed:
            self._followed.move_to_end(symbol)
            return True
        with suppress(ExecsvcError), ExitStack() as kept:
            kept.enter_context(self._feeds.tickers((self._catalog.instrument(symbol).symbol,), _NEWEST))
            self._followed[symbol] = kept.pop_all()
            self._since[symbol] = self._clock.monotonic()
        while len(self._followed) > FOLLOWED_MAX:
            oldest, stack = self._followed.popitem(last=False)
            del self._since[oldest]
            stack.close()
        return symbol in self._followed
